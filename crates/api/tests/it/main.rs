//! The API over HTTP: the real router, a real event log, a real Postgres.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod auditing;
mod bad_input;
mod bulk_pricing;
mod bulk_work;
mod cancelling;
mod desk;
mod identity;
mod listing;
mod logging_in;
mod node;
mod of_bulk;
mod of_platform;
mod of_positions;
mod of_suspense;
mod outages;
mod people;
mod proving;
mod readable;
mod reading;
mod refusing;
mod repeating;
mod rights;
mod searching;
mod serving;
mod squaring_off;
mod venue;
mod verifying;
