//! What happened to a bulk square-off. A contract for ever: fields are added, never renamed or retyped; a changed meaning is a new event.
//!
//! The events name the people, because who proposed and who approved is what the rules of this stream are about; `by` is always the
//! actor of the event's envelope. An item is named by its index in the list, from 0.

use super::BulkId;
use super::phase::BulkPhase;
use crate::amount::{NetQuantity, Quantity};
use crate::id::{ClientCode, PositionKey, Product, RequestId, Segment, Symbol, Venue};
use crate::position::TimeInForce;
use crate::reference::Contract;
use crate::time::TradingDate;
use serde::{Deserialize, Serialize};

/// Which positions; a field that is absent leaves it open, all absent means every position.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkFilter {
    pub client: Option<ClientCode>,
    pub venue: Option<Venue>,
    pub symbol: Option<Symbol>,
    pub product: Option<Product>,
    pub segment: Option<Segment>,
    /// The last trading day of a derivative; an equity never matches.
    pub expiry: Option<TradingDate>,
}

impl BulkFilter {
    /// Whether the position falls under the filter; `contract` is its instrument's.
    pub fn matches(&self, key: &PositionKey, contract: &Contract) -> bool {
        fn fits<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
            wanted.is_none() || wanted == found
        }
        fits(self.client.as_ref(), Some(&key.client))
            && fits(self.venue.as_ref(), Some(&key.venue))
            && fits(self.symbol.as_ref(), Some(&key.symbol))
            && fits(self.product.as_ref(), Some(&key.product))
            && fits(self.segment.as_ref(), Some(&contract.segment))
            && fits(self.expiry.as_ref(), contract.expiry.as_ref())
    }
}

/// At which price each item closes. One for now: a fixed limit makes no sense over many instruments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BulkPrice {
    /// As the market gives, protected by a limit around the reference price.
    MarketableLimit,
}

/// How each item is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkTerms {
    pub price: BulkPrice,
    pub time_in_force: TimeInForce,
    /// Whether orders placed before the outage are cancelled first, like our own.
    pub cancel_external: bool,
}

/// A person proposed a bulk. The items follow in [`BulkItemsListed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkProposed {
    pub bulk_id: BulkId,
    pub request_id: RequestId,
    pub filter: BulkFilter,
    pub terms: BulkTerms,
    /// The log position that the read model stood at when the items were chosen.
    pub as_of: u64,
    pub trading_date: TradingDate,
    /// How many items the whole list has.
    pub items: u32,
    /// Orders that work on the items, ours and external.
    pub orders_to_cancel: u32,
    /// Orders that closing takes, each within its freeze quantity.
    pub slices: u32,
    /// Sum of the items' notional, in 1/10,000 rupee, capped at `u64::MAX`.
    pub notional: u64,
    /// Messages to the venues that the whole bulk takes.
    pub messages: u64,
    /// How long they take at the rate, in seconds.
    pub estimated_seconds: u64,
    /// Messages that the venues take in a second.
    pub message_rate_per_s: u32,
    pub reason: String,
    pub proposed_by: String,
}

/// One position of a bulk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkItem {
    pub key: PositionKey,
    /// The phase in which it is closed.
    pub phase: BulkPhase,
    /// Net quantity when it was listed; what is closed is what is open then.
    pub net: NetQuantity,
    /// Value of the open quantity at the reference price, in 1/10,000 rupee, without sign.
    pub notional: u64,
    /// Orders that worked on it when it was listed, ours and external.
    pub working: u32,
}

/// The next items of the list, at most [`super::ITEMS_PER_EVENT_MAX`], in ascending order of phase and key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkItemsListed {
    /// Index of the first of them.
    pub first: u32,
    /// In the order of the list.
    pub items: Vec<BulkItem>,
}

/// A second person approved: the work begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkApproved {
    pub request_id: RequestId,
    pub by: String,
}

/// It will not be: refused by another person, or withdrawn by the proposer (`by` tells which).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkRejected {
    pub request_id: RequestId,
    pub by: String,
    pub reason: String,
}

/// No new item is begun; orders that work go on working.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkPaused {
    pub request_id: RequestId,
    pub by: String,
    pub reason: String,
}

/// Items are begun again, where the bulk was paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkResumed {
    pub request_id: RequestId,
    pub by: String,
}

/// No new item is ever begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkAborted {
    pub request_id: RequestId,
    pub by: String,
    pub reason: String,
}

/// The workers went on to the next phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkPhaseEntered {
    pub phase: BulkPhase,
}

/// On these items no order works any more, or only one whose fate is in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkCancelsDone {
    /// Indices, at most [`super::ITEMS_PER_EVENT_MAX`].
    pub items: Vec<u32>,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BulkOutcome {
    /// Nothing is open any more; `quantity` units were closed by the bulk.
    Closed { quantity: Quantity },
    /// Nothing was open when its turn came.
    NothingToDo,
    /// The position refused; the code is that of its refusal.
    Refused { code: String },
    /// It was tried, and `left` units are still open: for a person to look at.
    Failed { left: Quantity, reason: String },
    /// Its turn never came: the bulk was aborted before.
    Skipped,
}

/// Items that came to their end, at most [`super::ITEMS_PER_EVENT_MAX`] pairs of index and outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkItemsSettled {
    /// Each item's index in the list, and what became of it.
    pub outcomes: Vec<(u32, BulkOutcome)>,
}

/// Every item is settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkCompleted {
    /// Items that the bulk closed, whole.
    pub closed: u32,
    /// Items of which nothing was open when their turn came.
    pub nothing_to_do: u32,
    /// Items that their position refused.
    pub refused: u32,
    /// Items of which something is still open.
    pub failed: u32,
}

/// Every event of a bulk's stream, `bulk-<uuid>`. The variant's name is the event's type in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkEvent {
    BulkProposed(BulkProposed),
    BulkItemsListed(BulkItemsListed),
    BulkApproved(BulkApproved),
    BulkRejected(BulkRejected),
    BulkPaused(BulkPaused),
    BulkResumed(BulkResumed),
    BulkAborted(BulkAborted),
    BulkPhaseEntered(BulkPhaseEntered),
    BulkCancelsDone(BulkCancelsDone),
    BulkItemsSettled(BulkItemsSettled),
    BulkCompleted(BulkCompleted),
}
