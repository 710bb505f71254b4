//! Read models in Postgres: events to rows, rebuild, queries.
pub mod cluster;
