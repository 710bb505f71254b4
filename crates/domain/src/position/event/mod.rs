//! What happened to a position. A contract for ever: fields are added, never renamed or retyped; a changed meaning is a new event.
//! Who caused an event, when, and for which request stands in its envelope, not here.

mod change;
mod execution;
mod order;
mod position;

pub use change::*;
pub use execution::*;
pub use order::*;
pub use position::*;

use crate::id::OrderId;

/// Every event of a position's stream, `position-<date>-<client>-<venue>:<symbol>-<product>`. The variant's name is the event's type in
/// the log.
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
    ReportContradicted(ReportContradicted),
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
            PositionEvent::ReportContradicted(event) => Some(event.order_id),
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
