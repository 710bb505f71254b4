//! The read database against a real PostgreSQL server, one per test.

mod cluster;
mod offline_data;
mod projecting;
mod rebuilding;
mod story;
