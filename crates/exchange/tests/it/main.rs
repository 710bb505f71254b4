//! The exchange from outside: a broker's FIX session over real TCP, and the program as a process.

#![allow(
    clippy::unwrap_used,
    reason = "only tests live here, and a panic is their failure"
)]

mod broker;
mod control;
mod copies;
mod desk;
mod faults;
mod floor;
mod market;
mod orders;
mod process;
mod restart;
mod wire;
