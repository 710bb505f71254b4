//! What market control may do: the words of the control socket, and of the exchange's own clock and book.
//!
//! Called by `control` (JSON in, JSON out) and decided by `state`. One command is one JSON object with one key, e.g.
//! `{"phase":{"segment":"FO","to":"closed"}}`; its answer is one object, `{"ok":true}` or `{"error":"..."}`.

use serde::{Deserialize, Serialize};
use squareoff_fix::Timestamp;

use crate::carried::CarriedOrder;
use crate::phase::Phase;

/// Rows of a list at most: the newest ones. An answer must not grow with the day.
pub const ROWS_MAX: usize = 10_000;
/// Orders that one wish may freeze; a desk that wants more halts the segment.
pub const FREEZES_MAX: u32 = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// A segment goes into another phase, at every venue that has it or at one. Closing expires its orders.
    Phase(PhaseChange),
    /// The trade of an execution never was, on both its sides.
    Bust(ExecutionName),
    /// The trade of an execution was another one, on both its sides.
    Correct(Correction),
    /// The next orders go to control.
    FreezeNext(FreezeNext),
    /// Control has decided on a frozen order.
    Release(Release),
    /// Ends a working order as its day would.
    Expire(OrderName),
    /// Ends a working order without being asked.
    Cancel(OrderName),
    /// Lists working (and frozen) orders. The value says nothing.
    Orders(bool),
    /// Lists the day's executions. The value says nothing.
    Trades(bool),
    /// The session's hours say so; nothing when the phase was changed at `due` or later. Not on the socket.
    #[serde(skip)]
    Scheduled {
        segment: String,
        to: Phase,
        due: Timestamp,
    },
    /// Orders from before our first day; those whose ClOrdID is known are left out. Not on the socket.
    #[serde(skip)]
    Carry(Vec<CarriedOrder>),
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseChange {
    pub segment: String,
    pub to: Phase,
    #[serde(default)]
    pub venue: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutionName {
    pub exec_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    pub exec_id: String,
    /// Units.
    pub quantity: i64,
    /// Rupees, as text: JSON's numbers are floats to many.
    pub price: String,
}

/// `true` is the next order of any symbol, `false` takes every wish back, a symbol or an object is more exact.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "freeze_next is true, false, a symbol, or {\"symbol\":..,\"orders\":..}"
)]
pub enum FreezeNext {
    Any(bool),
    Symbol(String),
    Some(FreezeSome),
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreezeSome {
    #[serde(default)]
    pub symbol: Option<String>,
    #[serde(default = "one")]
    pub orders: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderName {
    pub order_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    pub order_id: String,
    pub accept: bool,
}

fn one() -> u32 {
    1
}

/// An order as control sees it. Prices are rupees as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderRow {
    pub order_id: String,
    pub session: String,
    pub cl_ord_id: String,
    pub account: String,
    pub symbol: String,
    pub side: crate::book::Side,
    pub quantity: i64,
    pub cumulative: i64,
    pub leaves: i64,
    pub price: String,
    pub frozen: bool,
}

/// An execution as control sees it: one side of a trade, after corrections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TradeRow {
    pub exec_id: String,
    pub order_id: String,
    pub session: String,
    pub cl_ord_id: String,
    pub symbol: String,
    pub side: crate::book::Side,
    pub quantity: i64,
    pub price: String,
    pub busted: bool,
    /// The other side's execution; `null` where it was the seeded liquidity.
    pub counterpart_exec_id: Option<String>,
}

/// What a command was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    /// `total` counts those that [`ROWS_MAX`] left out too.
    Orders {
        total: usize,
        rows: Vec<OrderRow>,
    },
    Trades {
        total: usize,
        rows: Vec<TradeRow>,
    },
}

/// Why a command can't be done: a sentence whose first word names what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);
