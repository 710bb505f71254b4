//! The engine from outside: two sessions over a bad link, two processes' worth of driver over TCP and TLS, other people's engines and
//! scripts, and whatever a peer may send.

#![allow(clippy::unwrap_used)] // Helpers here are tests too; clippy only knows the functions marked so.

mod conformance;
mod corpus;
mod driver;
mod ends;
mod fed;
mod hostile;
mod live;
mod lossy;
mod secured;
mod support;
mod thrifty;
