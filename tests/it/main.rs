//! Whole-system tests: the shape of the house, the command line, and runs of the real processes with parts killed.

// A helper outside a test function may unwrap as a test does.
#![allow(clippy::unwrap_used)]

mod advisories;
mod architecture;
mod asvs;
mod audited;
mod clients;
mod commands;
mod database;
mod killed;
mod privacy;
mod reconciled;
mod stopping;
mod up;
mod venues;
