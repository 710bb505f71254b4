//! What happened to a position. A contract for ever: fields are added, never renamed or retyped; a changed meaning is a new event.
//! Who caused an event, when, and for which request stands in its envelope, not here.

use crate::amount::{NetQuantity, Price, Quantity};
use crate::id::{ClOrdId, ExchangeOrderId, ExecutionKey, OrderId, PositionKey, RequestId, Side};
use crate::time::Timestamp;
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

/// A trade of the day that was done on the primary platform, before or beside us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrimaryTradeApplied {
    pub key: PositionKey,
    pub execution: ExecutionKey,
    pub side: Side,
    pub quantity: Quantity,
    pub price: Price,
    /// When the venue made the trade.
    pub traded_at: Timestamp,
    /// Version of the file or feed that told it.
    pub source: String,
}

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

/// The venue took an execution back (ExecType H). The key may be that of a correction: the trade behind it is void all the same.
/// May come before its execution, which then counts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionBusted {
    pub order_id: OrderId,
    /// ExecRefID (FIX tag 19).
    pub execution: ExecutionKey,
}

/// The venue changed quantity or price of an execution (ExecType G). Corrections chain: each names what it corrects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionCorrected {
    pub order_id: OrderId,
    /// ExecRefID (FIX tag 19): the execution, or the correction before this one.
    pub execution: ExecutionKey,
    /// The correction's own ExecID (FIX tag 17).
    pub correction: ExecutionKey,
    pub quantity: Quantity,
    pub price: Price,
}

/// The drop copy told of a trade. Whether it agrees with what is booked is derived ([`super::Trade::status`]), so either may come first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeConfirmed {
    pub execution: ExecutionKey,
    pub side: Side,
    pub quantity: Quantity,
    pub price: Price,
    pub source: String,
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

/// A cancel that the exchange proved it never received; the order itself lives on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelNotDelivered {
    pub order_id: OrderId,
    pub cl_ord_id: ClOrdId,
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

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InDoubtResolved {
    pub order_id: OrderId,
    pub outcome: Outcome,
    /// The request of the person who decided; absent when the venue's own report did.
    pub request_id: Option<RequestId>,
    pub reason: String,
}

/// No new order may be placed on the position until a person unfreezes it; cancels go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionFrozen {
    /// Absent when a contradiction froze it.
    pub request_id: Option<RequestId>,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionUnfrozen {
    pub request_id: RequestId,
    pub reason: String,
}

/// The primary has the position again: in this epoch nothing more is placed on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionHandedBack {
    pub request_id: RequestId,
    pub epoch: u32,
    pub net: NetQuantity,
    /// How many executions, of ours and of others, `net` was made of.
    pub executions: u32,
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
    PrimaryTradeApplied(PrimaryTradeApplied),
    ExternalOrderObserved(ExternalOrderObserved),
    ExternalOrderUpdated(ExternalOrderUpdated),
    SquareOffAccepted(SquareOffAccepted),
    OrderPlaced(OrderPlaced),
    OrderDispatched(OrderDispatched),
    OrderAcknowledged(OrderAcknowledged),
    OrderFrozen(OrderFrozen),
    OrderRejected(OrderRejected),
    Executed(Executed),
    ExecutionConflicted(ExecutionConflicted),
    ExecutionBusted(ExecutionBusted),
    ExecutionCorrected(ExecutionCorrected),
    TradeConfirmed(TradeConfirmed),
    OverfillDetected(OverfillDetected),
    CancelRequested(CancelRequested),
    CancelQueued(CancelQueued),
    CancelRejected(CancelRejected),
    CancelNotDelivered(CancelNotDelivered),
    ReplaceRequested(ReplaceRequested),
    OrderReplaced(OrderReplaced),
    ReplaceRejected(ReplaceRejected),
    ReplaceNotDelivered(ReplaceNotDelivered),
    OrderCanceled(OrderCanceled),
    OrderExpired(OrderExpired),
    OrderNotDelivered(OrderNotDelivered),
    OrderInDoubt(OrderInDoubt),
    InDoubtResolved(InDoubtResolved),
    ExposureBreached(ExposureBreached),
    PositionFrozen(PositionFrozen),
    PositionUnfrozen(PositionUnfrozen),
    PositionHandedBack(PositionHandedBack),
    UnknownOrderReported(UnknownOrderReported),
}

impl PositionEvent {
    /// The order that the event is about; `None` for an event of the whole position.
    pub const fn order_id(&self) -> Option<OrderId> {
        match self {
            PositionEvent::ExternalOrderObserved(event) => Some(event.order_id),
            PositionEvent::ExternalOrderUpdated(event) => Some(event.order_id),
            PositionEvent::OrderPlaced(event) => Some(event.order_id),
            PositionEvent::OrderDispatched(event) => Some(event.order_id),
            PositionEvent::OrderAcknowledged(event) => Some(event.order_id),
            PositionEvent::OrderFrozen(event) => Some(event.order_id),
            PositionEvent::OrderRejected(event) => Some(event.order_id),
            PositionEvent::Executed(event) => Some(event.order_id),
            PositionEvent::ExecutionConflicted(event) => Some(event.order_id),
            PositionEvent::ExecutionBusted(event) => Some(event.order_id),
            PositionEvent::ExecutionCorrected(event) => Some(event.order_id),
            PositionEvent::OverfillDetected(event) => Some(event.order_id),
            PositionEvent::CancelRequested(event) => Some(event.order_id),
            PositionEvent::CancelQueued(event) => Some(event.order_id),
            PositionEvent::CancelRejected(event) => Some(event.order_id),
            PositionEvent::CancelNotDelivered(event) => Some(event.order_id),
            PositionEvent::ReplaceRequested(event) => Some(event.order_id),
            PositionEvent::OrderReplaced(event) => Some(event.order_id),
            PositionEvent::ReplaceRejected(event) => Some(event.order_id),
            PositionEvent::ReplaceNotDelivered(event) => Some(event.order_id),
            PositionEvent::OrderCanceled(event) => Some(event.order_id),
            PositionEvent::OrderExpired(event) => Some(event.order_id),
            PositionEvent::OrderNotDelivered(event) => Some(event.order_id),
            PositionEvent::OrderInDoubt(event) => Some(event.order_id),
            PositionEvent::InDoubtResolved(event) => Some(event.order_id),
            PositionEvent::BodLoaded(_)
            | PositionEvent::BodContradicted(_)
            | PositionEvent::PrimaryTradeApplied(_)
            | PositionEvent::SquareOffAccepted(_)
            | PositionEvent::TradeConfirmed(_)
            | PositionEvent::ExposureBreached(_)
            | PositionEvent::PositionFrozen(_)
            | PositionEvent::PositionUnfrozen(_)
            | PositionEvent::PositionHandedBack(_)
            | PositionEvent::UnknownOrderReported(_) => None,
        }
    }
}
