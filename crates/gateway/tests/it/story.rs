//! A position's events as short lines: orders are `o1`, `o2`, ... as they were placed, the primary's `x1`, ..., their cancels `o1.c1`,
//! ..., and their replaces `o1.r1`, ...

use squareoff_domain::position::{CanceledBy, ExpiredBy, Outcome, PositionEvent};
use squareoff_domain::{ClOrdId, OrderId, Side};
use squareoff_store::StoredEvent;
use squareoff_store::codec::LogEvent;
use std::collections::HashMap;

#[derive(Default)]
struct Names {
    orders: HashMap<OrderId, String>,
    /// Cancels and replaces.
    cancels: HashMap<ClOrdId, String>,
}

pub fn tell(events: &[StoredEvent]) -> Vec<String> {
    let mut names = Names::default();
    let line = |stored| names.line(&PositionEvent::decode(stored).unwrap());
    events.iter().map(line).collect()
}

impl Names {
    fn line(&mut self, event: &PositionEvent) -> String {
        match event {
            PositionEvent::BodLoaded(loaded) => format!("bod {}", loaded.quantity),
            PositionEvent::BodContradicted(bod) => format!("bod-contradicted {}", bod.quantity),
            PositionEvent::SquareOffAccepted(accepted) => format!("accepted {}", accepted.quantity),
            PositionEvent::OrderPlaced(placed) => {
                let name = format!("o{}", self.orders.len() + 1);
                self.orders.insert(placed.order_id, name.clone());
                let side = match placed.side {
                    Side::Buy => "buy",
                    Side::Sell => "sell",
                };
                format!("placed {name} {side} {}@{}", placed.quantity, placed.price)
            }
            PositionEvent::OrderDispatched(sent) => {
                format!(
                    "dispatched {} #{}",
                    self.order(sent.order_id),
                    sent.sequence
                )
            }
            PositionEvent::OrderAcknowledged(acked) => {
                let order = self.order(acked.order_id);
                format!("acknowledged {order} {}", acked.exchange_order_id)
            }
            PositionEvent::OrderRejected(rejected) => {
                let order = self.order(rejected.order_id);
                format!("rejected {order} {} {}", rejected.code, rejected.text)
            }
            PositionEvent::Executed(executed) => {
                let (order, late) = (self.order(executed.order_id), executed.late);
                let late = if late { " late" } else { "" };
                format!(
                    "executed {order} {}@{}{late}",
                    executed.quantity, executed.price
                )
            }
            PositionEvent::ExecutionConflicted(conflict) => {
                let order = self.order(conflict.order_id);
                format!(
                    "conflicted {order} {}@{}",
                    conflict.quantity, conflict.price
                )
            }
            PositionEvent::OverfillDetected(overfill) => {
                format!(
                    "overfilled {} {}",
                    self.order(overfill.order_id),
                    overfill.excess
                )
            }
            PositionEvent::CancelRequested(requested) => {
                let order = self.order(requested.order_id).to_owned();
                let of_it = format!("{order}.c");
                let before = self
                    .cancels
                    .values()
                    .filter(|name| name.starts_with(&of_it));
                let name = format!("{of_it}{}", before.count() + 1);
                let id = requested.cl_ord_id.clone();
                self.cancels.insert(id, name.clone());
                format!("cancel-requested {name}")
            }
            PositionEvent::CancelRejected(rejected) => {
                let cancel = self.cancel(&rejected.cl_ord_id);
                format!(
                    "cancel-rejected {cancel} {} {}",
                    rejected.code, rejected.text
                )
            }
            PositionEvent::OrderCanceled(canceled) => {
                let by = match canceled.by {
                    CanceledBy::Venue => "venue",
                    CanceledBy::GatewayUnsent => "unsent",
                    CanceledBy::Primary => "primary",
                };
                format!("canceled {} {by}", self.order(canceled.order_id))
            }
            PositionEvent::OrderExpired(expired) => {
                let by = match expired.by {
                    ExpiredBy::Venue => "",
                    ExpiredBy::SessionEnd => " session-end",
                };
                format!("expired {}{by}", self.order(expired.order_id))
            }
            PositionEvent::OrderNotDelivered(lost) => {
                format!("not-delivered {}", self.order(lost.order_id))
            }
            PositionEvent::CancelNotDelivered(lost) => {
                format!("cancel-not-delivered {}", self.cancel(&lost.cl_ord_id))
            }
            PositionEvent::ExternalOrderObserved(observed) => {
                let name = format!("x{}", self.orders.len() + 1);
                self.orders.insert(observed.order_id, name.clone());
                format!("external {name} {}@{}", observed.quantity, observed.price)
            }
            PositionEvent::OrderFrozen(frozen) => {
                format!("frozen {} {}", self.order(frozen.order_id), frozen.text)
            }
            PositionEvent::ExecutionBusted(busted) => {
                format!(
                    "busted {} {}",
                    self.order(busted.order_id),
                    busted.execution
                )
            }
            PositionEvent::ExecutionCorrected(told) => {
                let (order, of, by) =
                    (self.order(told.order_id), &told.execution, &told.correction);
                format!(
                    "corrected {order} {of} by {by} {}@{}",
                    told.quantity, told.price
                )
            }
            PositionEvent::CancelQueued(queued) => {
                format!("cancel-queued {}", self.order(queued.order_id))
            }
            PositionEvent::ReplaceRequested(requested) => {
                let order = self.order(requested.order_id).to_owned();
                let of_it = format!("{order}.r");
                let before = self
                    .cancels
                    .values()
                    .filter(|name| name.starts_with(&of_it));
                let name = format!("{of_it}{}", before.count() + 1);
                let id = requested.cl_ord_id.clone();
                self.cancels.insert(id, name.clone());
                format!(
                    "replace-requested {name} {}@{}",
                    requested.quantity, requested.price
                )
            }
            PositionEvent::OrderReplaced(replaced) => {
                let replace = self.cancel(&replaced.cl_ord_id);
                format!(
                    "replaced {replace} {}@{}",
                    replaced.quantity, replaced.price
                )
            }
            PositionEvent::ReplaceRejected(rejected) => {
                let replace = self.cancel(&rejected.cl_ord_id);
                format!(
                    "replace-rejected {replace} {} {}",
                    rejected.code, rejected.text
                )
            }
            PositionEvent::ReplaceNotDelivered(lost) => {
                format!("replace-not-delivered {}", self.cancel(&lost.cl_ord_id))
            }
            PositionEvent::OrderInDoubt(doubted) => {
                format!(
                    "in-doubt {} {}",
                    self.order(doubted.order_id),
                    doubted.reason
                )
            }
            PositionEvent::InDoubtResolved(resolved) => {
                let outcome = match resolved.outcome {
                    Outcome::Delivered => "delivered",
                    Outcome::NotDelivered => "not-delivered",
                };
                format!("resolved {} {outcome}", self.order(resolved.order_id))
            }
            PositionEvent::ExposureBreached(breached) => format!("breached {}", breached.excess),
            PositionEvent::PositionFrozen(_) => "frozen".to_owned(),
            // What no test of the gateway tells of, by its name alone.
            PositionEvent::PrimaryTradeApplied(_)
            | PositionEvent::ExternalOrderUpdated(_)
            | PositionEvent::TradeConfirmed(_)
            | PositionEvent::PositionUnfrozen(_)
            | PositionEvent::PositionHandedBack(_) => {
                let name = format!("{event:?}");
                name.split('(').next().unwrap().to_owned()
            }
            PositionEvent::ReportContradicted(told) => format!("contradicted {}", told.report),
            PositionEvent::UnknownOrderReported(unknown) => format!("unknown {}", unknown.report),
        }
    }

    fn order(&self, id: OrderId) -> &str {
        self.orders.get(&id).map_or("?", String::as_str)
    }

    fn cancel(&self, id: &ClOrdId) -> &str {
        self.cancels.get(id).map_or("?", String::as_str)
    }
}
