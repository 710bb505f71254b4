//! A venue's own word of a trade, beside what its order session told: as a session of its own, or as a file. Here is what both ways
//! need: which position a trade belongs to, and how one that belongs to none is held. What a position makes of it is the position's
//! matter (`position::Report::DropCopy`).

use crate::id::{ClOrdId, ExecutionKey, Venue};
use crate::position::PositionEvent;
use crate::suspense::{ReportSuspended, SuspendedExecution};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which position's stream an order or an execution stands in: folded from the log.
#[derive(Debug, Default)]
pub struct Places {
    orders: BTreeMap<(Venue, ClOrdId), Arc<str>>,
    executions: BTreeMap<ExecutionKey, Arc<str>>,
}

impl Places {
    /// An event of a position of this venue.
    pub fn learn(&mut self, stream: &Arc<str>, venue: Venue, event: &PositionEvent) {
        match event {
            PositionEvent::OrderPlaced(placed) => self.order(stream, venue, &placed.cl_ord_id),
            PositionEvent::ExternalOrderObserved(observed) => {
                self.order(stream, venue, &observed.cl_ord_id);
            }
            PositionEvent::ReplaceRequested(requested) => {
                self.order(stream, venue, &requested.cl_ord_id);
            }
            PositionEvent::Executed(executed) => self.execution(stream, &executed.execution),
            PositionEvent::PrimaryTradeApplied(applied) => {
                self.execution(stream, &applied.execution);
            }
            PositionEvent::ExecutionCorrected(corrected) => {
                self.execution(stream, &corrected.correction);
            }
            PositionEvent::BodLoaded(_)
            | PositionEvent::BodContradicted(_)
            | PositionEvent::ExternalOrderUpdated(_)
            | PositionEvent::SquareOffAccepted(_)
            | PositionEvent::OrderDispatched(_)
            | PositionEvent::OrderAcknowledged(_)
            | PositionEvent::OrderFrozen(_)
            | PositionEvent::OrderRejected(_)
            | PositionEvent::ExecutionConflicted(_)
            | PositionEvent::ExecutionBusted(_)
            | PositionEvent::TradeConfirmed(_)
            | PositionEvent::OverfillDetected(_)
            | PositionEvent::ExposureBreached(_)
            | PositionEvent::CancelRequested(_)
            | PositionEvent::CancelQueued(_)
            | PositionEvent::CancelRejected(_)
            | PositionEvent::CancelNotDelivered(_)
            | PositionEvent::OrderReplaced(_)
            | PositionEvent::ReplaceRejected(_)
            | PositionEvent::ReplaceNotDelivered(_)
            | PositionEvent::OrderCanceled(_)
            | PositionEvent::OrderExpired(_)
            | PositionEvent::OrderNotDelivered(_)
            | PositionEvent::OrderInDoubt(_)
            | PositionEvent::InDoubtResolved(_)
            | PositionEvent::PositionFrozen(_)
            | PositionEvent::PositionUnfrozen(_)
            | PositionEvent::PositionHandedBack(_)
            | PositionEvent::ReportContradicted(_)
            | PositionEvent::UnknownOrderReported(_) => {}
        }
    }

    fn order(&mut self, stream: &Arc<str>, venue: Venue, id: &ClOrdId) {
        self.orders.insert((venue, id.clone()), Arc::clone(stream));
    }

    fn execution(&mut self, stream: &Arc<str>, key: &ExecutionKey) {
        self.executions.insert(key.clone(), Arc::clone(stream));
    }

    /// The execution knows best; an order's fill may not have come yet.
    pub fn stream_of(
        &self,
        venue: Venue,
        execution: &ExecutionKey,
        order: Option<&ClOrdId>,
    ) -> Option<Arc<str>> {
        let by_order = || self.orders.get(&(venue, order?.clone()));
        self.executions.get(execution).or_else(by_order).cloned()
    }
}

/// How a trade is held that belongs to no order and no execution here; `message` is what the venue said.
pub fn suspended(venue: Venue, trade: SuspendedExecution, message: String) -> ReportSuspended {
    ReportSuspended {
        venue,
        report_key: format!("drop-copy {}", trade.execution),
        reason: "the venue lists a trade that no order here answers to".to_owned(),
        message,
        execution: Some(trade),
    }
}
