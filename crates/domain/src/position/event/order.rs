//! The life of an order, from the request that placed it to its end.

use crate::amount::{Price, Quantity};
use crate::id::{ClOrdId, ExchangeOrderId, OrderId, PositionKey, RequestId, Side};
use serde::{Deserialize, Serialize};

/// An order that the primary platform had placed on this position and that may still fill at the venue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalOrderObserved {
    pub order_id: OrderId,
    /// The primary's ClOrdID: OrigClOrdID (FIX tag 41) when we cancel it.
    pub cl_ord_id: ClOrdId,
    pub exchange_order_id: ExchangeOrderId,
    pub key: PositionKey,
    pub side: Side,
    pub quantity: Quantity,
    /// Filled before it was observed; those fills are in the BOD quantity or told as primary trades.
    pub cumulative: Quantity,
    pub price: Price,
    pub source: String,
}

/// The primary says that more of its order has filled than was known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalOrderUpdated {
    pub order_id: OrderId,
    pub cumulative: Quantity,
    pub source: String,
}

/// How much a person asked to close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    All,
    Units(u64),
}

/// At which price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PricePolicy {
    /// As the market gives, protected by a limit around the reference price.
    MarketableLimit,
    /// Not worse than this, in 1/10,000 rupee.
    Limit(Price),
}

/// TimeInForce (FIX tag 59).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeInForce {
    #[serde(rename = "DAY")]
    Day,
    #[serde(rename = "IOC")]
    ImmediateOrCancel,
}

/// What was asked for, word for word: a repetition is recognised by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SquareOffTerms {
    pub quantity: Wanted,
    pub price: PricePolicy,
    pub time_in_force: TimeInForce,
    /// Where the client's instruction is kept: the call's reference, a ticket.
    pub evidence: Option<String>,
}

/// A request to close was accepted. Its orders follow in the same append.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SquareOffAccepted {
    pub request_id: RequestId,
    pub terms: SquareOffTerms,
    pub side: Side,
    pub quantity: Quantity,
    /// How many orders the quantity was sliced into.
    pub slices: u32,
    /// The reference data that lot, tick, freeze and band were checked against.
    pub reference_version: String,
}

/// An order that has to go to the exchange; it says all the gateway needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPlaced {
    pub order_id: OrderId,
    pub request_id: RequestId,
    pub cl_ord_id: ClOrdId,
    pub key: PositionKey,
    pub side: Side,
    pub quantity: Quantity,
    /// Limit price, in 1/10,000 rupee.
    pub price: Price,
    pub time_in_force: TimeInForce,
    /// Which slice of how many, from 1.
    pub slice: u32,
    /// How many orders its request was sliced into.
    pub slices: u32,
}

/// The gateway's journal holds the message; bytes left or were about to leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderDispatched {
    pub order_id: OrderId,
    /// `<venue>-<comp id>`.
    pub session: String,
    /// MsgSeqNum (FIX tag 34) of the message.
    pub sequence: u64,
}

/// The venue accepted the order and gave it a number (ExecType 0).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderAcknowledged {
    pub order_id: OrderId,
    pub exchange_order_id: ExchangeOrderId,
}

/// The venue did not take the order (ExecType 8): it never worked, and what it reserved is free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRejected {
    pub order_id: OrderId,
    /// OrdRejReason (FIX tag 103).
    pub code: i64,
    pub text: String,
}

/// The venue holds the order for its control to approve or reject (freeze). The acknowledgement that follows thaws it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderFrozen {
    pub order_id: OrderId,
    pub exchange_order_id: ExchangeOrderId,
    pub text: String,
}

/// How an order came to its end without being filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CanceledBy {
    /// The venue confirmed it (ExecType 4).
    Venue,
    /// It was still waiting in our gateway and never sent.
    GatewayUnsent,
    /// The primary says that its own order has ended.
    Primary,
}

/// The order came to its end without being filled, or filled in part only; what it had left is free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCanceled {
    pub order_id: OrderId,
    pub by: CanceledBy,
}

/// Who said that an order expired.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpiredBy {
    /// The venue reported it (ExecType C).
    #[default]
    Venue,
    /// The market closed: no order outlives its day, whether the venue says so or not.
    SessionEnd,
}

/// The order came to its end with its time in force; what it had left is free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderExpired {
    pub order_id: OrderId,
    #[serde(default)]
    pub by: ExpiredBy,
}

/// The exchange proved that it never received the message, and it was too old to send again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderNotDelivered {
    pub order_id: OrderId,
}

/// Nobody here knows whether the venue has the order. It counts in full until that is resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderInDoubt {
    pub order_id: OrderId,
    pub reason: String,
}

/// How a doubt ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The venue has it, or had it.
    Delivered,
    /// It never reached the venue: what it reserved is free.
    NotDelivered,
}

/// It is known now whether the venue had the order that was in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InDoubtResolved {
    pub order_id: OrderId,
    pub outcome: Outcome,
    /// The request of the person who decided; absent when the venue's own report did.
    pub request_id: Option<RequestId>,
    pub reason: String,
}
