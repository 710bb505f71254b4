//! What market control sets for all that comes after on its trading day: kept in the ledger, so that a restart goes on as it
//! was set.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// Rates are per so many occasions.
pub const RATE_ONE: u32 = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// The next so many occasions for a fault (with one symbol, or any) take it.
    Fault {
        fault: Fault,
        symbol: Option<String>,
        times: u32,
    },
    /// Every earlier wish for a fault is taken back.
    NoFaults,
    /// How many of [`RATE_ONE`] occasions for a fault take it, by the seed's draw. What is not named is not drawn.
    Seeded(BTreeMap<Fault, u32>),
    /// A session, or every one, may send so many requests about orders in a second; `None` is any number.
    Throttle {
        session: Option<String>,
        messages_per_second: Option<u32>,
    },
    /// Whether a session's working orders are canceled when it drops.
    CancelOnDisconnect { session: String, on: bool },
    /// The exchange's clock is so far ahead of the machine's; behind it when below zero.
    Clock { ahead_ms: i64 },
}
