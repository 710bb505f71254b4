//! `squareoff store serve`: the embedded log over the gRPC protocol of KurrentDB, for every client that speaks it.
//!
//! An auditor reads the log with any of KurrentDB's clients, and the adapter to KurrentDB is tested against it.
//!
//! 1. Nothing is appended unless [`Options::write`] allows it, and nothing is ever deleted: Delete and Tombstone are refused.
//! 2. What is not loopback needs TLS and a token, or [`start`] refuses.
//! 3. An event is handed out as the log holds it: its own id, its body as data, its envelope as metadata (`store::metadata`).
//! 4. Conflicts and refusals come as KurrentDB sends them, so that its clients know their type.
//! 5. A slow reader costs one page of memory; a batch session, [`batch::APPENDS_MAX`] appends.
//!
//! Positions have gaps, as KurrentDB's have ([`position`]). What it does not do: links (`resolve_links` is taken and has nothing to
//! resolve), stream metadata, persistent subscriptions, projections, users; each is refused by name.

mod access;
mod append;
mod batch;
mod cluster;
mod connection;
mod faults;
mod filter;
mod position;
mod prompt;
mod propose;
mod read;
mod refusal;
mod server;
mod service;
mod subscribe;
mod wire;

pub use access::{Token, TokenError};
#[cfg(feature = "faults")]
pub use cluster::Cluster;
#[cfg(feature = "faults")]
pub use faults::{Call, Fault, Faults};
pub use propose::Write;
pub use server::{Options, ServeError, Server, Tls, start};

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970; the log's own clock is the same.
fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    })
}
