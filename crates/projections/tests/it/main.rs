//! The read database against a real PostgreSQL server, one per test.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod as_of;
mod cluster;
mod live;
mod models;
mod offline_data;
mod projecting;
mod rebuilding;
mod resuming;
mod rights;
mod story;
mod tls;
mod wild;
