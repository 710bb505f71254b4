//! What market control may do: the words of the control API, and of the exchange's own clock, book and sessions.
//!
//! Called by `control` (JSON in, JSON out) and decided by `state`. One command is one JSON object with one key, e.g.
//! `{"phase":{"segment":"FO","to":"closed"}}`; its answer is one object, `{"ok":true}` or `{"error":"..."}`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use squareoff_fix::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::carried::CarriedOrder;
use crate::fault::Fault;
use crate::phase::Phase;

/// Rows of a list at most: the newest ones. An answer must not grow with the day.
pub const ROWS_MAX: usize = 10_000;
/// Orders that one wish may freeze; a desk that wants more halts the segment.
pub const FREEZES_MAX: u32 = 10_000;
/// Occasions that one wish for a fault may take; whoever wants more gives a rate.
pub const TIMES_MAX: u32 = 10_000;
/// A clock is moved within a trading day, or to its neighbours; further is a mistake in the command.
const AHEAD_MS_MAX: i64 = 7 * 24 * 60 * 60 * 1_000;

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
    /// A fill of a working order, as if the liquidity had moved.
    Fill(Filling),
    /// A fill of an order that was canceled or expired.
    LateFill(Filling),
    /// A fill of more than is left of an order.
    OverFill(Filling),
    /// An execution is reported once more, under a new sequence number.
    Repeat(Repeat),
    /// The next occasions for a fault take it.
    Fault(FaultWish),
    /// Takes every wish for a fault back. The value says nothing.
    NoFaults(bool),
    /// How many of 10,000 occasions take a fault, drawn by the seed; what is not named is not drawn any more.
    Seeded(BTreeMap<Fault, u32>),
    /// How many requests about orders a session may send in a second.
    Throttle(ThrottleWish),
    /// Whether a session's orders are canceled when it drops.
    CancelOnDisconnect(CancelOnDisconnect),
    /// The exchange's clock goes elsewhere, and the phases follow it.
    Clock(ClockWish),
    /// A segment fails: it is halted, and its orders are gone without a word.
    Outage(Outage),
    /// The newest trades of a venue are lost in a switch to its other site, whose sessions are cut.
    Disaster(Disaster),
    /// The trades that were lost so are busted. The value says nothing.
    BustDropped(bool),
    /// A session's connection is cut.
    Disconnect(Disconnect),
    /// A session is told nothing until it is let go.
    Hold(Hold),
    /// A session is sent messages again that it did not ask for, with PossDupFlag.
    Replay(Replay),
    /// Shows phases, sessions, settings and counts. The value says nothing.
    State(bool),
    /// Lists working (and frozen) orders. The value says nothing.
    Orders(bool),
    /// Lists the day's executions. The value says nothing.
    Trades(bool),
    /// The session's hours say so; nothing when the phase was changed at `due` or later. Not for control.
    #[serde(skip)]
    Scheduled {
        segment: String,
        to: Phase,
        due: Timestamp,
    },
    /// Orders from before our first day; those whose ClOrdID is known are left out. Not for control.
    #[serde(skip)]
    Carry(Vec<CarriedOrder>),
    /// A session's connection is gone; `agreed` is what its log-on said about its orders. Not for control.
    #[serde(skip)]
    SessionDropped { session: String, agreed: bool },
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filling {
    pub order_id: String,
    /// Units, whole lots.
    pub quantity: i64,
    /// Rupees, as text; the order's limit unless it is given.
    #[serde(default)]
    pub price: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    pub exec_id: String,
    /// To the drop copy rather than to the order's session.
    #[serde(default)]
    pub to_copy: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultWish {
    pub kind: Fault,
    #[serde(default)]
    pub symbol: Option<String>,
    #[serde(default = "one")]
    pub times: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThrottleWish {
    /// Every session unless it is given.
    #[serde(default)]
    pub session: Option<String>,
    /// `null` is any number.
    pub messages_per_second: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelOnDisconnect {
    pub session: String,
    pub on: bool,
}

/// Where the clock goes: to an instant (RFC 3339), or so much forward (back, below zero) from where it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockWish {
    To(String),
    ForwardS(i64),
}

impl ClockWish {
    /// How far the clock is ahead of the machine's then. `now` is what it shows, `ahead_ms` ahead.
    ///
    /// # Errors
    /// When that is no instant, or too far away.
    pub fn ahead_ms(&self, now: Timestamp, ahead_ms: i64) -> Result<i64, Refused> {
        let moved_ms = match self {
            Self::ForwardS(seconds) => seconds.saturating_mul(1_000),
            Self::To(text) => {
                let to = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
                    Refused::invalid(format!("to: {text:?} is not an RFC 3339 instant"))
                })?;
                let to_ms = i64::try_from(to.unix_timestamp_nanos() / 1_000_000);
                to_ms.unwrap_or(i64::MAX).saturating_sub(now.0 / 1_000_000)
            }
        };
        let ahead_ms = ahead_ms.saturating_add(moved_ms);
        if ahead_ms.saturating_abs() > AHEAD_MS_MAX {
            let text = "clock: that is more than seven days from the machine's clock";
            return Err(Refused::invalid(text.to_owned()));
        }
        Ok(ahead_ms)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    pub segment: String,
    #[serde(default)]
    pub venue: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disaster {
    pub venue: String,
    pub trades: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disconnect {
    pub session: String,
    /// Not now, but in the middle of the next report.
    #[serde(default)]
    pub mid_message: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    pub session: String,
    pub held: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    pub session: String,
    /// MsgSeqNums; all there are unless they are given.
    #[serde(default = "first")]
    pub from: u64,
    /// 0 is to the newest.
    #[serde(default)]
    pub to: u64,
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

fn first() -> u64 {
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
    /// Lost in a switch to the other site, and not busted yet.
    pub dropped: bool,
    /// The fault that it was made by or told with, e.g. `withhold_report`: the order's session was never told.
    pub fault: Option<Fault>,
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
    State(Box<StateView>),
}

/// The exchange at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateView {
    pub trade_date: String,
    /// UTC in FIX form, by the exchange's clock.
    pub clock: String,
    pub clock_ahead_ms: i64,
    /// The ordinal of the newest fact.
    pub facts: u64,
    pub orders: usize,
    pub orders_working: usize,
    pub executions: usize,
    pub phases: Vec<PhaseView>,
    pub sessions: Vec<SessionView>,
    pub faults: Vec<FaultView>,
    pub seeded: BTreeMap<Fault, u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PhaseView {
    pub venue: String,
    pub segment: String,
    pub phase: Phase,
}

/// An order session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionView {
    pub session: String,
    pub firm: String,
    pub cancel_on_disconnect: bool,
    pub messages_per_second: Option<u32>,
}

/// A wish for a fault that is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultView {
    pub kind: Fault,
    pub symbol: Option<String>,
    pub times: u32,
}

/// What a caller can do about a command that can't be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Say it differently.
    Invalid,
    /// Name something that is there.
    Unknown,
    /// Wait, or give up: it is not in the state for it.
    Conflict,
}

/// Why a command can't be done: a sentence whose first word names what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refused {
    pub why: Why,
    pub text: String,
}

impl Refused {
    #[must_use]
    pub fn invalid(text: String) -> Self {
        let why = Why::Invalid;
        Self { why, text }
    }

    #[must_use]
    pub fn unknown(text: String) -> Self {
        let why = Why::Unknown;
        Self { why, text }
    }

    #[must_use]
    pub fn conflict(text: String) -> Self {
        let why = Why::Conflict;
        Self { why, text }
    }
}
