//! The server as its clients see it: other people's clients (`peers`), what it refuses to be (`starting`), faults on demand and three nodes (`faults`).

#![allow(
    clippy::unwrap_used,
    reason = "a test; the lint knows only functions marked as one"
)]

mod certificate;
#[cfg(feature = "faults")]
mod faults;
mod peers;
mod starting;
