//! The engine from outside: two sessions over a bad link, and two processes' worth of driver over TCP.

#![allow(clippy::unwrap_used)] // Helpers here are tests too; clippy only knows the functions marked so.

mod driver;
mod ends;
mod lossy;
mod support;
