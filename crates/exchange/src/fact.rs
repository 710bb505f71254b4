//! What the exchange did, one fact at a time: the ledger's content, the state's only input, the reports' only source.
//!
//! 1. A fact holds everything its report needs, so a report made again after a crash is the same report.
//! 2. Ordinals count 1, 2, 3, ... over the whole ledger, but for those that a lost tail took with it; ids sent to brokers (ExecID, OrderID) are made of them.
//! 3. A fact names the message that caused it (session, generation, sequence number): a message delivered again is
//!    recognised by that, and is told from a fresh message that reuses a ClOrdID.
//!
//! How a fact stands on disk is in `line`.

use serde::{Deserialize, Serialize};
use squareoff_fix::Timestamp;

use crate::book::Side;
use crate::fault::Fault;
use crate::phase::Phase;
use crate::price::Price;
use crate::request::Scope;
use crate::setting::Setting;

mod line;

pub(crate) use line::Line;

/// CxlRejReason(102) and OrdRejReason(103) share this code for a ClOrdID used before (FIX 4.4).
pub const REASON_DUPLICATE: u32 = 6;
/// Who caused a fact that no broker's message did: market control, the clock, the book carried in. No session's label
/// can be this, because a label has a colon.
pub const HOUSE: &str = "exchange";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeInForce {
    Day,
    ImmediateOrCancel,
}

/// The inbound message a fact follows from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cause {
    /// `OURS:THEIRS`, e.g. `NSE:SQUAREOFF`; [`HOUSE`] where there was no message.
    pub session: String,
    /// Counts the session's sequence resets: a sequence number means something only within one.
    pub generation: u64,
    pub msg_seq_num: u64,
}

impl Cause {
    /// The exchange itself.
    #[must_use]
    pub fn house() -> Self {
        Self {
            session: HOUSE.to_owned(),
            generation: 0,
            msg_seq_num: 0,
        }
    }

    #[must_use]
    pub fn is_house(&self) -> bool {
        self.session == HOUSE
    }
}

/// How an order came to its end without being filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    Canceled,
    Expired,
    /// By market control, after a freeze; an order refused at once has no number and no end.
    Rejected,
}

/// An order as it stands after the fact. Of a refused request: what it asked for, with nothing done. Of a fact that is
/// about no order: nothing at all ([`OrderImage::none`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrderImage {
    /// The ordinal of the order's first fact; 0 where there is no order.
    pub order: u64,
    /// OrderID(37) where it isn't made of `order`: a carried order keeps the one it was given first.
    pub given_order_id: Option<String>,
    /// The newest id that was accepted: the order's own, or that of its last replacement.
    pub cl_ord_id: String,
    /// The id that the order was placed with.
    pub original_cl_ord_id: String,
    pub account: String,
    pub symbol: String,
    pub side: Side,
    pub time_in_force: TimeInForce,
    /// As asked for; a refused order may carry zero or less.
    pub quantity_units: i64,
    pub price: Price,
    pub leaves_units: i64,
    pub cum_units: i64,
    /// Sum of price x units over the fills, in 1/10,000 rupee; the average price is this over `cum_units`.
    pub notional: i64,
    /// The ordinal at which it took its place in the queue of its price.
    pub priority: u64,
    /// Held back by market control: it has leaves, but does not rest in a book.
    pub frozen: bool,
    /// Nothing is left to fill, and not because all was filled.
    pub ended: Option<Ended>,
}

impl OrderImage {
    /// What a fact carries that is about no order.
    #[must_use]
    pub fn none() -> Self {
        Self {
            order: 0,
            given_order_id: None,
            cl_ord_id: String::new(),
            original_cl_ord_id: String::new(),
            account: String::new(),
            symbol: String::new(),
            side: Side::Buy,
            time_in_force: TimeInForce::Day,
            quantity_units: 0,
            price: Price(0),
            leaves_units: 0,
            cum_units: 0,
            notional: 0,
            priority: 0,
            frozen: false,
            ended: None,
        }
    }

    /// Whether it stands in a book.
    #[must_use]
    pub fn rests(&self) -> bool {
        self.leaves_units > 0 && !self.frozen
    }

    /// The same, with nothing left to fill.
    #[must_use]
    pub fn done(self, ended: Ended) -> Self {
        Self {
            leaves_units: 0,
            frozen: false,
            ended: Some(ended),
            ..self
        }
    }

    /// The same, as it was before anything was filled.
    #[must_use]
    pub fn as_entered(self) -> Self {
        Self {
            leaves_units: self.quantity_units,
            cum_units: 0,
            notional: 0,
            ended: None,
            ..self
        }
    }

    /// OrderID(37), or `NONE` as FIX wants it where no order came to be.
    #[must_use]
    pub fn order_id(&self, venue: &str) -> String {
        let numbered = || order_id(venue, self.order);
        self.given_order_id.clone().unwrap_or_else(numbered)
    }
}

/// Why a mass cancel reaches nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MassRefusal {
    Duplicate,
    Unsupported,
    UnknownSymbol,
    UnknownSegment,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The order rests or fills from here on; of a frozen order: it was released.
    Accepted,
    /// The order was placed before our first day: by the broker's primary platform, which was told then.
    Carried,
    /// Frozen to control: known, and held back until it is released.
    Suspended,
    /// `reason` is an OrdRejReason(103). Of a frozen order: control said no.
    Rejected { reason: u32, text: String },
    Executed {
        last_units: i64,
        last_price: Price,
        /// The order on the other side; `None` is the seeded liquidity.
        against: Option<u64>,
    },
    /// `request` is the ClOrdID that asked; `None` is the exchange itself (the rest of an IOC order, market control).
    Canceled { request: Option<String> },
    /// `previous` was the order's newest id until then, `OrderImage::cl_ord_id` is the request's.
    Replaced { previous: String },
    /// `request` asked to cancel or replace `OrderImage::cl_ord_id`; `reason` is a CxlRejReason(102).
    CancelRejected {
        request: String,
        reason: u32,
        text: String,
        of_replace: bool,
    },
    /// The day is over for the order.
    Expired,
    /// The trade never was.
    Busted {
        /// The ordinal of the execution.
        execution: u64,
        was_units: i64,
        was_price: Price,
    },
    /// The trade was another one.
    Corrected {
        /// The ordinal of the execution.
        execution: u64,
        was_units: i64,
        was_price: Price,
        last_units: i64,
        last_price: Price,
    },
    /// A segment of the fact's venue goes into another phase. It is told to every session of the venue.
    PhaseChanged { segment: String, to: Phase },
    /// So many of the next orders (of one symbol) go to control. It is told to nobody.
    FreezeArmed {
        symbol: Option<String>,
        /// 0 takes every earlier wish back.
        orders: u32,
    },
    /// The acknowledgement of an order whose first fill was told before it. It says how the order stood on entry.
    AcknowledgedLate,
    /// The report of an execution is told once more, to the session or to its drop copy. Nothing happened.
    Repeated {
        /// The ordinal of the execution.
        execution: u64,
        to_copy: bool,
    },
    /// The order was lost with its segment, and nobody is told.
    Vanished,
    /// The trade was lost in a switch to the disaster-recovery site, and nobody is told until it is busted.
    Dropped {
        /// The ordinal of the execution.
        execution: u64,
        was_units: i64,
        was_price: Price,
    },
    /// The session sent more than it may; the message was not looked at, and its ClOrdID is not used.
    Throttled {
        request: String,
        /// MsgType (35) of the message.
        kind: String,
        text: String,
    },
    /// A mass cancel was accepted: its orders' ends follow. Or it was refused, and nothing follows.
    MassCanceled {
        request: String,
        scope: Scope,
        affected: u64,
        refused: Option<MassRefusal>,
    },
    /// Market control set something. It is told to nobody.
    Set(Setting),
    /// A crash lost everything from `from` on; the ordinals are not given out again.
    TailLost { from: u64 },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub ordinal: u64,
    pub venue: String,
    /// Who is told: the session that placed the order, not always the one that caused the fact. [`HOUSE`] where the
    /// fact is about no order.
    pub session: String,
    pub cause: Cause,
    /// The last fact of its message. Facts after the last such line were never whole: the ledger drops them on open.
    pub completes: bool,
    /// `YYYY-MM-DD`, the trading day in India.
    pub trade_date: String,
    /// To the millisecond, which is what the wire and the ledger carry.
    pub transact_time: Timestamp,
    pub order: OrderImage,
    pub happening: Happening,
    /// The fault that it shows.
    pub fault: Option<Fault>,
}

impl Fact {
    /// ExecID(17): unique over the ledger's life, so surely over a day.
    #[must_use]
    pub fn exec_id(&self) -> String {
        exec_id(&self.venue, self.ordinal)
    }

    /// OrderID(37), or `NONE` as FIX wants it where no order came to be.
    #[must_use]
    pub fn order_id(&self) -> String {
        self.order.order_id(&self.venue)
    }

    /// The ClOrdID of the message that asked: the order's own, or that of the request about it.
    #[must_use]
    pub fn requested_by(&self) -> &str {
        match &self.happening {
            Happening::Canceled {
                request: Some(request),
            }
            | Happening::CancelRejected { request, .. }
            | Happening::Throttled { request, .. }
            | Happening::MassCanceled { request, .. } => request,
            Happening::Canceled { request: None }
            | Happening::Accepted
            | Happening::Carried
            | Happening::Suspended
            | Happening::Rejected { .. }
            | Happening::Executed { .. }
            | Happening::Replaced { .. }
            | Happening::Expired
            | Happening::Busted { .. }
            | Happening::Corrected { .. }
            | Happening::PhaseChanged { .. }
            | Happening::FreezeArmed { .. }
            | Happening::AcknowledgedLate
            | Happening::Repeated { .. }
            | Happening::Vanished
            | Happening::Dropped { .. }
            | Happening::Set(_)
            | Happening::TailLost { .. } => &self.order.cl_ord_id,
        }
    }

    /// Whether it answers a request that this session made about an order of another session of its firm: both are told.
    #[must_use]
    pub fn answers(&self, session: &str) -> bool {
        if self.session == session || self.cause.session != session {
            return false;
        }
        match &self.happening {
            Happening::Canceled { request } => request.is_some(),
            Happening::Replaced { .. } => true,
            Happening::Accepted
            | Happening::Carried
            | Happening::Suspended
            | Happening::Rejected { .. }
            | Happening::Executed { .. }
            | Happening::CancelRejected { .. }
            | Happening::Expired
            | Happening::Busted { .. }
            | Happening::Corrected { .. }
            | Happening::PhaseChanged { .. }
            | Happening::FreezeArmed { .. }
            | Happening::AcknowledgedLate
            | Happening::Repeated { .. }
            | Happening::Vanished
            | Happening::Dropped { .. }
            | Happening::Throttled { .. }
            | Happening::MassCanceled { .. }
            | Happening::Set(_)
            | Happening::TailLost { .. } => false,
        }
    }

    /// Whether it lets a frozen order go: one that was counted when it came.
    #[must_use]
    pub fn is_release(&self) -> bool {
        self.happening == Happening::Accepted && self.cause.is_house()
    }

    /// Whether this fact refuses a fresh message because its ClOrdID was used before on this trading day.
    #[must_use]
    pub fn is_duplicate_cl_ord_id(&self) -> bool {
        match &self.happening {
            Happening::Rejected { reason, .. } | Happening::CancelRejected { reason, .. } => {
                *reason == REASON_DUPLICATE
            }
            Happening::MassCanceled { refused, .. } => *refused == Some(MassRefusal::Duplicate),
            Happening::Accepted
            | Happening::Carried
            | Happening::Suspended
            | Happening::Executed { .. }
            | Happening::Canceled { .. }
            | Happening::Replaced { .. }
            | Happening::Expired
            | Happening::Busted { .. }
            | Happening::Corrected { .. }
            | Happening::PhaseChanged { .. }
            | Happening::FreezeArmed { .. }
            | Happening::AcknowledgedLate
            | Happening::Repeated { .. }
            | Happening::Vanished
            | Happening::Dropped { .. }
            | Happening::Throttled { .. }
            | Happening::Set(_)
            | Happening::TailLost { .. } => false,
        }
    }
}

#[must_use]
pub fn exec_id(venue: &str, ordinal: u64) -> String {
    format!("{venue}-{ordinal}")
}

fn order_id(venue: &str, order: u64) -> String {
    if order == 0 {
        "NONE".to_owned()
    } else {
        format!("{venue}-O{order}")
    }
}
