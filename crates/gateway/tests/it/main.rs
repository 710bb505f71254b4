//! The gateway against a real log and a venue that speaks FIX over TCP.

#![allow(
    clippy::unwrap_used,
    reason = "only tests live here, and a panic is their failure"
)]

mod cancels;
mod chaos;
mod control;
mod copies;
mod crash;
mod desk;
mod disconnect;
mod externals;
mod line;
mod lives;
mod losses;
mod market;
mod orders;
mod outages;
mod pace;
mod packets;
mod read_model;
mod recovery;
mod refusals;
mod replaces;
mod reports;
mod resends;
mod rig;
mod sessions;
mod spread;
mod storm;
mod story;
mod venue;
mod ways;
