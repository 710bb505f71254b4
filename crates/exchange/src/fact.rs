//! What the exchange did, one fact at a time: the ledger's content, the state's only input, the reports' only source.
//!
//! 1. A fact holds everything its report needs, so a report made again after a crash is the same report.
//! 2. Ordinals count 1, 2, 3, ... over the whole ledger; ids sent to brokers (ExecID, OrderID) are made of them.
//! 3. A fact names the message that caused it (session, generation, sequence number): a message delivered again is
//!    recognised by that, and is told from a fresh message that reuses a ClOrdID.
//!
//! On disk a fact is one flat JSON line (`Line`); fields are added there, never renamed.

use serde::{Deserialize, Serialize};
use squareoff_fix::Timestamp;

use crate::book::Side;
use crate::price::Price;

/// CxlRejReason(102) and OrdRejReason(103) share this code for a ClOrdID used before (FIX 4.4).
pub const REASON_DUPLICATE: u32 = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeInForce {
    Day,
    ImmediateOrCancel,
}

/// The inbound message a fact follows from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cause {
    /// `OURS:THEIRS`, e.g. `NSE:SQUAREOFF`.
    pub session: String,
    /// Counts the session's sequence resets: a sequence number means something only within one.
    pub generation: u64,
    pub msg_seq_num: u64,
}

/// An order as it stands after the fact. Of a refused request: what it asked for, with nothing done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrderImage {
    /// The ordinal of the order's acceptance; 0 where there is no order.
    pub order: u64,
    pub cl_ord_id: String,
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
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    Accepted,
    /// `reason` is an OrdRejReason(103).
    Rejected {
        reason: u32,
        text: String,
    },
    Executed {
        last_units: i64,
        last_price: Price,
        /// The order on the other side; `None` is the seeded liquidity.
        against: Option<u64>,
    },
    /// `request` is the ClOrdID that asked; `None` is the exchange itself (the rest of an IOC order).
    Canceled {
        request: Option<String>,
    },
    /// `request` asked to cancel `OrderImage::cl_ord_id`; `reason` is a CxlRejReason(102).
    CancelRejected {
        request: String,
        reason: u32,
        text: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub ordinal: u64,
    pub venue: String,
    /// Who is told: the session that placed the order, not always the one that caused the fact.
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
}

impl Fact {
    /// ExecID(17): unique over the ledger's life, so surely over a day.
    #[must_use]
    pub fn exec_id(&self) -> String {
        format!("{}-{}", self.venue, self.ordinal)
    }

    /// OrderID(37), or `NONE` as FIX wants it where no order came to be.
    #[must_use]
    pub fn order_id(&self) -> String {
        order_id(&self.venue, self.order.order)
    }

    /// The ClOrdID of the message that asked: the order's own, or that of the request to cancel it.
    #[must_use]
    pub fn requested_by(&self) -> &str {
        match &self.happening {
            Happening::Canceled {
                request: Some(request),
            }
            | Happening::CancelRejected { request, .. } => request,
            Happening::Canceled { request: None }
            | Happening::Accepted
            | Happening::Rejected { .. }
            | Happening::Executed { .. } => &self.order.cl_ord_id,
        }
    }

    /// Whether this fact refuses a fresh message because its ClOrdID was used before on this trading day.
    #[must_use]
    pub fn is_duplicate_cl_ord_id(&self) -> bool {
        match &self.happening {
            Happening::Rejected { reason, .. } | Happening::CancelRejected { reason, .. } => {
                *reason == REASON_DUPLICATE
            }
            Happening::Accepted | Happening::Executed { .. } | Happening::Canceled { .. } => false,
        }
    }
}

#[must_use]
pub fn order_id(venue: &str, order: u64) -> String {
    if order == 0 {
        "NONE".to_owned()
    } else {
        format!("{venue}-O{order}")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    OrderAccepted,
    OrderRejected,
    Executed,
    Canceled,
    CancelRejected,
}

/// The line as written. `exec_id` and `order_id` are there for people and tools that read the file; reading takes the
/// numbers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    ordinal: u64,
    fact: Name,
    exec_id: String,
    venue: String,
    session: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause_session: Option<String>,
    generation: u64,
    msg_seq_num: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    completes: bool,
    trade_date: String,
    /// UTC in FIX form, `YYYYMMDD-HH:MM:SS.sss`.
    transact_time: String,
    order: u64,
    order_id: String,
    cl_ord_id: String,
    account: String,
    symbol: String,
    side: Side,
    time_in_force: TimeInForce,
    quantity_units: i64,
    price_e4: i64,
    leaves_units: i64,
    cum_units: i64,
    notional_e4: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_units: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_price_e4: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    against_order: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_cl_ord_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    duplicate_cl_ord_id: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl From<&Fact> for Line {
    fn from(fact: &Fact) -> Self {
        let OrderImage {
            order,
            cl_ord_id,
            account,
            symbol,
            side,
            time_in_force,
            ..
        } = fact.order.clone();
        let mut line = Self {
            ordinal: fact.ordinal,
            fact: Name::OrderAccepted,
            exec_id: fact.exec_id(),
            venue: fact.venue.clone(),
            session: fact.session.clone(),
            cause_session: (fact.cause.session != fact.session).then(|| fact.cause.session.clone()),
            generation: fact.cause.generation,
            msg_seq_num: fact.cause.msg_seq_num,
            completes: fact.completes,
            trade_date: fact.trade_date.clone(),
            transact_time: fact.transact_time.to_string(),
            order,
            order_id: fact.order_id(),
            cl_ord_id,
            account,
            symbol,
            side,
            time_in_force,
            quantity_units: fact.order.quantity_units,
            price_e4: fact.order.price.0,
            leaves_units: fact.order.leaves_units,
            cum_units: fact.order.cum_units,
            notional_e4: fact.order.notional,
            last_units: None,
            last_price_e4: None,
            against_order: None,
            request_cl_ord_id: None,
            reason: None,
            text: None,
            duplicate_cl_ord_id: fact.is_duplicate_cl_ord_id(),
        };
        match fact.happening.clone() {
            Happening::Accepted => {}
            Happening::Rejected { reason, text } => {
                (line.fact, line.reason, line.text) =
                    (Name::OrderRejected, Some(reason), Some(text));
            }
            Happening::Executed {
                last_units,
                last_price,
                against,
            } => {
                line.fact = Name::Executed;
                (line.last_units, line.last_price_e4, line.against_order) =
                    (Some(last_units), Some(last_price.0), against);
            }
            Happening::Canceled { request } => {
                (line.fact, line.request_cl_ord_id) = (Name::Canceled, request)
            }
            Happening::CancelRejected {
                request,
                reason,
                text,
            } => {
                (line.fact, line.request_cl_ord_id) = (Name::CancelRejected, Some(request));
                (line.reason, line.text) = (Some(reason), Some(text));
            }
        }
        line
    }
}

impl TryFrom<Line> for Fact {
    type Error = String;

    /// # Errors
    /// Names the field that this kind of fact needs and the line lacks.
    fn try_from(line: Line) -> Result<Self, String> {
        let happening = match line.fact {
            Name::OrderAccepted => Happening::Accepted,
            Name::OrderRejected => Happening::Rejected {
                reason: needed(line.reason, "reason")?,
                text: needed(line.text, "text")?,
            },
            Name::Executed => Happening::Executed {
                last_units: needed(line.last_units, "last_units")?,
                last_price: Price(needed(line.last_price_e4, "last_price_e4")?),
                against: line.against_order,
            },
            Name::Canceled => Happening::Canceled {
                request: line.request_cl_ord_id,
            },
            Name::CancelRejected => Happening::CancelRejected {
                request: needed(line.request_cl_ord_id, "request_cl_ord_id")?,
                reason: needed(line.reason, "reason")?,
                text: needed(line.text, "text")?,
            },
        };
        let transact_time = needed(
            Timestamp::parse(line.transact_time.as_bytes()),
            "transact_time",
        )?;
        let cause = Cause {
            session: line.cause_session.unwrap_or_else(|| line.session.clone()),
            generation: line.generation,
            msg_seq_num: line.msg_seq_num,
        };
        let order = OrderImage {
            order: line.order,
            cl_ord_id: line.cl_ord_id,
            account: line.account,
            symbol: line.symbol,
            side: line.side,
            time_in_force: line.time_in_force,
            quantity_units: line.quantity_units,
            price: Price(line.price_e4),
            leaves_units: line.leaves_units,
            cum_units: line.cum_units,
            notional: line.notional_e4,
        };
        Ok(Self {
            ordinal: line.ordinal,
            venue: line.venue,
            session: line.session,
            cause,
            completes: line.completes,
            trade_date: line.trade_date,
            transact_time,
            order,
            happening,
        })
    }
}

fn needed<T>(value: Option<T>, field: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("missing field {field}"))
}
