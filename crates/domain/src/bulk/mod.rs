//! The square-off of many positions: proposed by one person, approved by another, worked off in phases, each item at most once.
//!
//! The stream holds the plan and what became of it; the orders are in the position streams. A worker reads the plan, asks each position,
//! and tells the outcome. Rules:
//! 1. nothing is worked off before another person than the proposer approved, and nobody can approve a list that is not complete;
//! 2. an item is settled at most once: a second worker's report gives no event;
//! 3. a worker that was restarted, or a second one, asks each position under the same request id ([`item_request_id`]), so it can't double
//!    what was asked;
//! 4. pausing and aborting need one person, at once; resuming needs one too, because the bulk as such was approved;
//! 5. what was asked before a pause or an abort is still told when it ends: outcomes are facts.
//!
//! Deliberately not here: the platform's gate and every rule of a position, which each item meets by itself; the venue's message rate.

mod decide;
mod estimate;
mod event;
mod list;
mod phase;
mod record;
mod refusal;
mod state;
#[cfg(test)]
mod tests;

pub use decide::{BulkAsk, BulkProposal, BulkRequest, decide};
pub use estimate::{Estimate, notional_of};
pub use event::*;
pub use list::{BulkList, ItemStatus};
pub use phase::{BulkPhase, phase_of};
pub use record::{BulkReport, record};
pub use refusal::BulkRefusal;
pub use state::{Bulk, BulkCounts, BulkStatus, evolve};

use crate::id::{OrderId, PositionKey, RequestId};
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// Items in one event: some 80 kB of JSON, well below what the log takes in one append.
pub const ITEMS_PER_EVENT_MAX: usize = 500;
/// Items of one bulk: six times the 150,000 positions of a large broker's whole book; each takes some 200 bytes of memory.
pub const ITEMS_MAX: u32 = 1_000_000;

/// One bulk square-off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BulkId(pub Uuid);

impl BulkId {
    /// `bulk-<uuid>`.
    pub fn stream(self) -> String {
        format!("bulk-{self}")
    }

    /// The id that a bulk's stream spells; `None` for any other stream.
    pub fn of_stream(stream: &str) -> Option<BulkId> {
        let id = BulkId(Uuid::try_parse(stream.strip_prefix("bulk-")?).ok()?);
        // One id has one spelling.
        (id.stream() == stream).then_some(id)
    }
}

impl fmt::Display for BulkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a worker asks of one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkStep {
    /// Cancel every order that works on it.
    CancelAll,
    /// Close what is open, for the n-th time (from 1).
    SquareOff { attempt: u32 },
    /// Price an order of it anew, for the n-th time (from 1).
    Reprice { order: OrderId, number: u32 },
}

/// The id under which a worker asks: the same for every worker and after every restart.
pub fn item_request_id(bulk: BulkId, key: &PositionKey, step: BulkStep) -> RequestId {
    let stream = key.stream();
    let name = match step {
        BulkStep::CancelAll => format!("{stream} cancel-all"),
        BulkStep::SquareOff { attempt } => format!("{stream} square-off {attempt}"),
        BulkStep::Reprice { order, number } => format!("{stream} reprice {order} {number}"),
    };
    RequestId(Uuid::new_v5(&bulk.0, name.as_bytes()))
}
