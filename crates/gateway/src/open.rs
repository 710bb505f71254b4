//! Which orders the venue may still work, and which it told of last: what has to be asked about before a session is ready. Folded from
//! the log by `index`.
//!
//! It may name an order that has ended, never leave one out that has not: the position itself says how it stands.

use crate::index::Known;
use squareoff_domain::position::PositionEvent;
use squareoff_domain::{OrderId, Quantity, TradingDate};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Orders remembered that the venue told of last. A venue that loses its tail loses its last moments; what lies further back is for
/// the drop copy and the day's reconciliation.
pub const TOLD_LAST_MAX: usize = 1_024;

#[derive(Debug, Default)]
pub struct Open {
    orders: HashMap<OrderId, Standing>,
    /// Of the newest trading day alone: a venue forgets the days before.
    told_last: VecDeque<Arc<Known>>,
    day: Option<TradingDate>,
}

#[derive(Debug)]
struct Standing {
    known: Arc<Known>,
    quantity: Quantity,
    filled: Quantity,
}

impl Open {
    /// An order of ours, or one of the primary's with what had filled of it.
    pub fn placed(&mut self, known: &Arc<Known>, quantity: Quantity, filled: Quantity) {
        let known = Arc::clone(known);
        let order_id = known.order_id;
        let standing = Standing {
            known,
            quantity,
            filled,
        };
        self.orders.insert(order_id, standing);
    }

    /// What an event says of an order; `known` is the order.
    pub fn learn(&mut self, known: &Arc<Known>, event: &PositionEvent) {
        match event {
            PositionEvent::OrderAcknowledged(_) | PositionEvent::OrderFrozen(_) => self.told(known),
            PositionEvent::Executed(executed) => {
                self.told(known);
                self.fills(known, |filled| filled.plus(executed.quantity));
            }
            PositionEvent::ExternalOrderUpdated(updated) => {
                self.fills(known, |filled| filled.max(updated.cumulative));
            }
            PositionEvent::OrderReplaced(replaced) => {
                self.told(known);
                if let Some(standing) = self.orders.get_mut(&known.order_id) {
                    standing.quantity = replaced.quantity;
                }
            }
            // How much has filled is no longer known here.
            PositionEvent::ExecutionBusted(_) | PositionEvent::ExecutionCorrected(_) => {
                self.told(known);
                self.placed(known, Quantity::MAX, Quantity::ZERO);
            }
            PositionEvent::OrderCanceled(_)
            | PositionEvent::OrderRejected(_)
            | PositionEvent::OrderExpired(_) => {
                self.told(known);
                self.orders.remove(&known.order_id);
            }
            PositionEvent::OrderNotDelivered(_) => {
                self.orders.remove(&known.order_id);
            }
            // The position says what a doubt came to; it is looked at before anything is asked.
            PositionEvent::InDoubtResolved(_)
            | PositionEvent::OrderInDoubt(_)
            | PositionEvent::OrderPlaced(_)
            | PositionEvent::OrderDispatched(_)
            | PositionEvent::ExternalOrderObserved(_)
            | PositionEvent::CancelRequested(_)
            | PositionEvent::CancelQueued(_)
            | PositionEvent::CancelRejected(_)
            | PositionEvent::CancelNotDelivered(_)
            | PositionEvent::ReplaceRequested(_)
            | PositionEvent::ReplaceRejected(_)
            | PositionEvent::ReplaceNotDelivered(_)
            | PositionEvent::OverfillDetected(_)
            | PositionEvent::ExecutionConflicted(_)
            | PositionEvent::ReportContradicted(_)
            | PositionEvent::UnknownOrderReported(_)
            | PositionEvent::BodLoaded(_)
            | PositionEvent::BodContradicted(_)
            | PositionEvent::PrimaryTradeApplied(_)
            | PositionEvent::SquareOffAccepted(_)
            | PositionEvent::TradeConfirmed(_)
            | PositionEvent::ExposureBreached(_)
            | PositionEvent::PositionFrozen(_)
            | PositionEvent::PositionUnfrozen(_)
            | PositionEvent::PositionHandedBack(_) => {}
        }
    }

    fn fills(&mut self, known: &Known, filled: impl FnOnce(Quantity) -> Quantity) {
        let Some(standing) = self.orders.get_mut(&known.order_id) else {
            return;
        };
        standing.filled = filled(standing.filled);
        if standing.filled >= standing.quantity {
            self.orders.remove(&known.order_id);
        }
    }

    fn told(&mut self, known: &Arc<Known>) {
        let day = Some(known.key.date);
        if self.day < day {
            self.day = day;
            self.told_last.clear();
        }
        let last = self.told_last.back();
        if self.day != day || last.is_some_and(|last| last.order_id == known.order_id) {
            return;
        }
        if self.told_last.len() == TOLD_LAST_MAX {
            self.told_last.pop_front();
        }
        self.told_last.push_back(Arc::clone(known));
    }

    /// The orders that may still fill.
    pub fn orders(&self) -> Vec<Arc<Known>> {
        let orders = self.orders.values();
        orders.map(|standing| Arc::clone(&standing.known)).collect()
    }

    /// The orders that the venue told of last, each once or more.
    pub fn told_last(&self) -> Vec<Arc<Known>> {
        self.told_last.iter().cloned().collect()
    }
}
