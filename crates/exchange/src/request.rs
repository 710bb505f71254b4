//! What a session may ask of the exchange, freed of FIX: made by `translate`, decided by `state`.

use serde::{Deserialize, Serialize};

use crate::book::Side;
use crate::fact::{Cause, OrderImage, TimeInForce};
use crate::price::Price;

/// One message as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// The venue of the session: picks the instruments.
    pub venue: String,
    pub cause: Cause,
    pub request: Request,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    New(NewOrder),
    Cancel(Cancel),
    Replace(Replace),
    MassCancel(MassCancel),
    /// Changes nothing, is not kept, and may be asked again.
    Query(Query),
}

/// NewOrderSingle: a limit order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    pub cl_ord_id: String,
    pub account: String,
    pub symbol: String,
    pub side: Side,
    pub time_in_force: TimeInForce,
    pub quantity_units: i64,
    pub price: Price,
    /// What the message asks that no order here can be (a market order, a short-sale side); refused with this text.
    pub unsupported: Option<String>,
}

/// OrderCancelRequest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    pub cl_ord_id: String,
    pub orig_cl_ord_id: String,
    pub account: String,
    pub symbol: String,
    pub side: Side,
}

/// OrderCancelReplaceRequest: what the order is to be from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replace {
    pub cl_ord_id: String,
    pub orig_cl_ord_id: String,
    pub account: String,
    pub symbol: String,
    pub side: Side,
    /// The total, what has filled included.
    pub quantity_units: i64,
    pub price: Price,
    /// What the message asks that no order here can become; refused with this text.
    pub unsupported: Option<String>,
}

/// OrderMassCancelRequest: everything of the session that is in the scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MassCancel {
    pub cl_ord_id: String,
    pub scope: Scope,
    /// Both unless it is given.
    pub side: Option<Side>,
}

/// What a mass cancel reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    All,
    Symbol(String),
    Segment(String),
    /// One that no order here can be in, by its code on the wire.
    Unsupported(u8),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    Order(OrderQuery),
    /// Every working order of the session, or of one account or symbol on it.
    AllWorking {
        request_id: String,
        account: Option<String>,
        symbol: Option<String>,
    },
}

/// OrderStatusRequest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderQuery {
    /// OrdStatusReqID(790), echoed.
    pub request_id: Option<String>,
    pub cl_ord_id: String,
    pub account: String,
    pub symbol: String,
    pub side: Side,
}

/// ExecutionReport 150=I: how an order stands. Not a fact; nothing of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReport {
    /// For an unknown order, what was asked, with order number 0.
    pub order: OrderImage,
    pub answers: Answers,
}

/// Which question a status report answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answers {
    One {
        request_id: Option<String>,
    },
    All {
        request_id: String,
        reports_total: u64,
        is_last: bool,
    },
}

impl StatusReport {
    #[must_use]
    pub fn one(asked: &OrderQuery, found: Option<&OrderImage>) -> Self {
        let OrderQuery {
            request_id,
            cl_ord_id,
            account,
            symbol,
            side,
        } = asked.clone();
        let order = found
            .cloned()
            .unwrap_or_else(|| nothing(cl_ord_id, account, symbol, side));
        Self {
            order,
            answers: Answers::One { request_id },
        }
    }

    /// One report per order; a single one without an order, total 0, where nothing works.
    #[must_use]
    pub fn all(request_id: &str, working: &[&OrderImage]) -> Vec<Self> {
        let total = working.len() as u64;
        let report = |order, number| {
            let request_id = request_id.to_owned();
            Self {
                order,
                answers: Answers::All {
                    request_id,
                    reports_total: total,
                    is_last: number >= total,
                },
            }
        };
        if working.is_empty() {
            let none = || "NONE".to_owned();
            return vec![report(nothing(none(), String::new(), none(), Side::Buy), 0)];
        }
        working
            .iter()
            .zip(1..)
            .map(|(order, number)| report((*order).clone(), number))
            .collect()
    }
}

impl Replace {
    /// The order as the request describes it, for the refusal's ledger line.
    #[must_use]
    pub fn unknown_order(&self) -> OrderImage {
        nothing(
            self.orig_cl_ord_id.clone(),
            self.account.clone(),
            self.symbol.clone(),
            self.side,
        )
    }
}

impl Cancel {
    /// The order as the request describes it, for the refusal's ledger line.
    #[must_use]
    pub fn unknown_order(&self) -> OrderImage {
        nothing(
            self.orig_cl_ord_id.clone(),
            self.account.clone(),
            self.symbol.clone(),
            self.side,
        )
    }
}

fn nothing(cl_ord_id: String, account: String, symbol: String, side: Side) -> OrderImage {
    OrderImage {
        original_cl_ord_id: cl_ord_id.clone(),
        cl_ord_id,
        account,
        symbol,
        side,
        ..OrderImage::none()
    }
}
