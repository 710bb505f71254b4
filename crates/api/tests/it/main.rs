//! The API over HTTP: the real router, a real event log, a real Postgres.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod auditing;
mod bad_input;
mod bounds;
mod bulk_pricing;
mod bulk_work;
mod by_hand;
mod cancelling;
mod closing_all;
mod describing;
mod desk;
mod encrypted;
mod hostile;
mod identity;
mod judged;
mod limits;
mod listening;
mod listing;
mod live;
mod log_outages;
mod logging_in;
mod matching;
mod node;
mod of_approvals;
mod of_bulk;
mod of_platform;
mod of_positions;
mod of_suspense;
mod outages;
mod peers;
mod people;
mod proving;
mod provoked;
mod readable;
mod reading;
mod refusing;
mod repeating;
mod rights;
mod searching;
mod serving;
mod shedding;
mod smuggling;
mod squaring_off;
mod venue;
mod verifying;
