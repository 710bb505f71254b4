//! Letting people in, over a real event log and a real secrets file, with a clock that the test moves.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod at_rest;
mod coming_in;
mod door;
mod guessing;
mod people;
mod sent_code;
mod storm;
mod tokens;
