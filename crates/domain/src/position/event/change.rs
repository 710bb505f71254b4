//! Cancels and replaces: what was asked, and what became of it.

use super::order::TimeInForce;
use crate::amount::{Price, Quantity};
use crate::id::{ClOrdId, ExchangeOrderId, OrderId, PositionKey, RequestId, Side};
use serde::{Deserialize, Serialize};

/// What a request to cancel was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    ThisOrder,
    EveryOrder,
}

/// The request of a person and what it asked for; absent when a rule asked.
pub type RequestedCancel = Option<(RequestId, Scope)>;

/// A cancel is wanted; the gateway sends it, or drops the order when it was never sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRequested {
    pub order_id: OrderId,
    pub asked: RequestedCancel,
    /// ClOrdID of the OrderCancelRequest (35=F).
    pub cl_ord_id: ClOrdId,
    /// The order's own ClOrdID: OrigClOrdID (FIX tag 41) of the cancel.
    pub original_cl_ord_id: ClOrdId,
    pub key: PositionKey,
    /// The order's own, as are symbol and quantity: the message (35=F) repeats them.
    pub side: Side,
    pub quantity: Quantity,
    /// The venue's number of the order where it is known: OrderID (FIX tag 37).
    #[serde(default)]
    pub exchange_order_id: Option<ExchangeOrderId>,
}

/// A cancel is wanted while a replace is on its way: it goes as soon as the venue has answered the replace, because until then it is
/// open which ClOrdID the order goes by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelQueued {
    pub order_id: OrderId,
    /// As in [`CancelRequested`].
    pub asked: RequestedCancel,
}

/// The venue did not cancel (35=9): the order lives on, or had ended before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRejected {
    pub order_id: OrderId,
    pub cl_ord_id: ClOrdId,
    /// CxlRejReason (FIX tag 102).
    pub code: i64,
    pub text: String,
}

/// What a person asked to change of an order, word for word. `None` leaves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The new limit price, in 1/10,000 rupee.
    pub price: Option<Price>,
    /// The new total quantity in units, what has filled included; only ever less than before.
    pub quantity: Option<u64>,
}

/// A changed price or quantity is wanted; the gateway sends an OrderCancelReplaceRequest (35=G).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaceRequested {
    pub order_id: OrderId,
    pub request_id: RequestId,
    pub change: Change,
    /// ClOrdID of the replace; the order goes by it once the venue accepts.
    pub cl_ord_id: ClOrdId,
    /// What the order goes by now: OrigClOrdID (FIX tag 41).
    pub original_cl_ord_id: ClOrdId,
    pub exchange_order_id: Option<ExchangeOrderId>,
    pub key: PositionKey,
    pub side: Side,
    /// OrderQty (FIX tag 38) of the message: the whole order, what has filled included.
    pub quantity: Quantity,
    pub price: Price,
    pub time_in_force: TimeInForce,
    /// The reference data that tick and band were checked against.
    pub reference_version: String,
}

/// The venue changed the order (ExecType 5), to what it says: a quantity below what has filled becomes what has filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReplaced {
    pub order_id: OrderId,
    pub cl_ord_id: ClOrdId,
    pub quantity: Quantity,
    pub price: Price,
}

/// The order stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaceRejected {
    pub order_id: OrderId,
    pub cl_ord_id: ClOrdId,
    /// CxlRejReason (FIX tag 102).
    pub code: i64,
    pub text: String,
}

/// A replace that the exchange proved it never received; the order stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaceNotDelivered {
    pub order_id: OrderId,
    pub cl_ord_id: ClOrdId,
}

/// A cancel that the exchange proved it never received; the order itself lives on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelNotDelivered {
    pub order_id: OrderId,
    pub cl_ord_id: ClOrdId,
}
