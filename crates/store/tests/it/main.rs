//! What every adapter of the log owes its callers (`contract`, `subscribe`, `model`, `transact`), and what the embedded one owes
//! besides: its file (`file`) and several processes on it (`processes`). The adapter for KurrentDB through faults of its server (`faults`)
//! and through wrong settings (`kurrent`). What concurrent square-offs come to: `invariants`. What stored
//! events owe those who read them later: `stored_events`, and the page that says what they mean: `events_doc`.

#![allow(
    clippy::unwrap_used,
    reason = "a test; the lint knows only functions marked as one"
)]

mod asking;
mod contract;
mod damage;
mod events_doc;
mod faults;
mod file;
mod invariants;
mod kurrent;
mod log;
mod model;
mod processes;
mod stored_events;
mod subscribe;
mod transact;
