//! What happened to a position. A contract for ever: fields are added, never renamed or retyped; a changed meaning is a new event.
//! Who caused an event, when, and for which request stands in its envelope, not here.

use crate::amount::{NetQuantity, Price, Quantity};
use crate::id::{ClOrdId, ExchangeOrderId, ExecutionKey, OrderId, PositionKey, RequestId, Side};
use serde::{Deserialize, Serialize};

/// The net quantity the primary's file gave at the beginning of the day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodLoaded {
    pub key: PositionKey,
    pub quantity: NetQuantity,
    /// Average price of the open quantity, in 1/10,000 rupee.
    pub average_price: Price,
    /// Version of the file: its date and a digest of its bytes.
    pub source: String,
}

/// A second BOD line for the same position that says something else. The first stands until a person decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodContradicted {
    pub quantity: NetQuantity,
    pub average_price: Price,
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

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderAcknowledged {
    pub order_id: OrderId,
    pub exchange_order_id: ExchangeOrderId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRejected {
    pub order_id: OrderId,
    /// OrdRejReason (FIX tag 103).
    pub code: i64,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executed {
    pub order_id: OrderId,
    pub execution: ExecutionKey,
    pub exchange_order_id: ExchangeOrderId,
    pub side: Side,
    pub quantity: Quantity,
    pub price: Price,
    /// CumQty and LeavesQty (FIX tags 14, 151) as the venue said them.
    pub venue_cumulative: u64,
    pub venue_leaves: u64,
    /// The order had already ended here when the fill came.
    pub late: bool,
}

/// The same execution key again with another quantity, price or order. What was booked stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionConflicted {
    pub order_id: OrderId,
    pub execution: ExecutionKey,
    pub quantity: Quantity,
    pub price: Price,
}

/// The venue filled more than the order's quantity. The fill is booked, because it is real.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverfillDetected {
    pub order_id: OrderId,
    /// By how much the cumulative quantity is above the order's, in units.
    pub excess: Quantity,
}

/// What a request to cancel was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    ThisOrder,
    EveryOrder,
}

/// A cancel is wanted; the gateway sends it, or drops the order when it was never sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRequested {
    pub order_id: OrderId,
    /// The request of a person and what it asked for; absent when a rule asked.
    pub asked: Option<(RequestId, Scope)>,
    /// ClOrdID of the OrderCancelRequest (35=F).
    pub cl_ord_id: ClOrdId,
    /// The order's own ClOrdID: OrigClOrdID (FIX tag 41) of the cancel.
    pub original_cl_ord_id: ClOrdId,
    pub key: PositionKey,
    pub side: Side,
    pub quantity: Quantity,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRejected {
    pub order_id: OrderId,
    pub cl_ord_id: ClOrdId,
    /// CxlRejReason (FIX tag 102).
    pub code: i64,
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
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCanceled {
    pub order_id: OrderId,
    pub by: CanceledBy,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderExpired {
    pub order_id: OrderId,
}

/// The exchange proved that it never received the message, and it was too old to send again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderNotDelivered {
    pub order_id: OrderId,
}

/// A cancel that the exchange proved it never received; the order itself lives on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelNotDelivered {
    pub order_id: OrderId,
    pub cl_ord_id: ClOrdId,
}

/// A fact left more working than is open; our newest orders are being cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExposureBreached {
    /// By how much what may still fill exceeds what is open, in units.
    pub excess: Quantity,
}

/// A report about an order this position never placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownOrderReported {
    pub cl_ord_id: ClOrdId,
    /// The report, as text: what a person needs to look into it.
    pub report: String,
}

/// Every event of a position stream. The variant's name is the event's type in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PositionEvent {
    BodLoaded(BodLoaded),
    BodContradicted(BodContradicted),
    SquareOffAccepted(SquareOffAccepted),
    OrderPlaced(OrderPlaced),
    OrderDispatched(OrderDispatched),
    OrderAcknowledged(OrderAcknowledged),
    OrderRejected(OrderRejected),
    Executed(Executed),
    ExecutionConflicted(ExecutionConflicted),
    OverfillDetected(OverfillDetected),
    CancelRequested(CancelRequested),
    CancelRejected(CancelRejected),
    OrderCanceled(OrderCanceled),
    OrderExpired(OrderExpired),
    OrderNotDelivered(OrderNotDelivered),
    CancelNotDelivered(CancelNotDelivered),
    ExposureBreached(ExposureBreached),
    UnknownOrderReported(UnknownOrderReported),
}
