//! What the exchange tells of an order: reports, refused changes, messages that never arrived.

use super::{conflict, contradicted, freeze, once_if};
use crate::amount::{Price, Quantity};
use crate::id::{ClOrdId, ExecutionKey, OrderId};
use crate::position::cancel::{CANCELS_BEFORE_GIVING_UP, cancel};
use crate::position::event::{
    CancelNotDelivered, CancelRejected, CanceledBy, Executed, ExecutionBusted, ExecutionCorrected,
    ExpiredBy, OrderAcknowledged, OrderCanceled, OrderExpired, OrderFrozen, OrderInDoubt,
    OrderNotDelivered, OrderRejected, OrderReplaced, PositionEvent, ReplaceNotDelivered,
    ReplaceRejected,
};
use crate::position::order::{CancelState, Ended, Order, ReplaceState};
use crate::position::report::{Execution, ExecutionReport, OTHER_REASON, Report, UNKNOWN_ORDER};
use crate::position::state::Position;

pub(super) fn execution(
    position: &Position,
    order_id: OrderId,
    order: &Order,
    report: &ExecutionReport,
    told: &Report,
) -> Vec<PositionEvent> {
    let exchange_order_id = report.exchange_order_id.clone();
    let end = |ended: Ended, event| once_if(!order.ended.contains(&ended), event);
    match &report.execution {
        Execution::New => {
            let acknowledged = OrderAcknowledged {
                order_id,
                exchange_order_id,
            };
            let new = !order.acknowledged;
            once_if(new, PositionEvent::OrderAcknowledged(acknowledged))
        }
        Execution::Frozen { text } => {
            let text = text.clone();
            let frozen = OrderFrozen {
                order_id,
                exchange_order_id,
                text,
            };
            once_if(!order.held, PositionEvent::OrderFrozen(frozen))
        }
        Execution::Canceled => {
            let by = CanceledBy::Venue;
            let told = PositionEvent::OrderCanceled(OrderCanceled { order_id, by });
            end(Ended::Canceled, told)
        }
        Execution::Expired => {
            let by = ExpiredBy::Venue;
            let told = PositionEvent::OrderExpired(OrderExpired { order_id, by });
            end(Ended::Expired, told)
        }
        Execution::Rejected { code, text } => {
            let (code, text) = (*code, text.clone());
            let mut events = end(
                Ended::Rejected,
                PositionEvent::OrderRejected(OrderRejected {
                    order_id,
                    code,
                    text,
                }),
            );
            if !events.is_empty() && !order.cumulative.is_zero() {
                let reason = "an order that the exchange had filled was rejected";
                events.extend(freeze(position, reason.to_owned()));
            }
            events
        }
        Execution::Fill {
            key,
            quantity,
            price,
        } => fill(position, order_id, order, report, (key, *quantity, *price)),
        Execution::Busted { execution } => {
            let known = position.busted.contains(execution);
            let execution = execution.clone();
            let told = ExecutionBusted {
                order_id,
                execution,
            };
            once_if(!known, PositionEvent::ExecutionBusted(told))
        }
        Execution::Corrected {
            execution,
            correction,
            quantity,
            price,
            at,
        } => {
            let told = position.corrections.get(execution);
            match told.and_then(|corrections| corrections.get(correction)) {
                Some(before)
                    if (before.at, before.quantity, before.price) == (*at, *quantity, *price) =>
                {
                    vec![]
                }
                Some(_) => conflict(position, order_id, correction, *quantity, *price),
                // One ExecID, one report: that of an execution, or of a correction of another, can't be this one's.
                None if correction == execution
                    || position.executions.contains_key(correction)
                    || position.is_correction(correction) =>
                {
                    conflict(position, order_id, correction, *quantity, *price)
                }
                None => vec![PositionEvent::ExecutionCorrected(ExecutionCorrected {
                    order_id,
                    execution: execution.clone(),
                    correction: correction.clone(),
                    quantity: *quantity,
                    price: *price,
                    at: *at,
                })],
            }
        }
        Execution::Replaced { quantity, price } => {
            let cl_ord_id = report.cl_ord_id.clone();
            let replace = order.replaces.get(&cl_ord_id);
            let (quantity, price) = (*quantity, *price);
            let now = ReplaceState::Accepted { quantity, price };
            match replace.map(|replace| &replace.state) {
                Some(ReplaceState::Accepted { .. })
                    if replace.is_some_and(|is| is.state == now) =>
                {
                    vec![]
                }
                // Another content under an id that was answered, or an id that is none of a replace's.
                Some(ReplaceState::Accepted { .. }) | None => {
                    contradicted(position, order_id, told)
                }
                Some(
                    ReplaceState::Pending | ReplaceState::Rejected | ReplaceState::NotDelivered,
                ) => {
                    vec![PositionEvent::OrderReplaced(OrderReplaced {
                        order_id,
                        cl_ord_id,
                        quantity,
                        price,
                    })]
                }
            }
        }
    }
}

pub(super) fn fill(
    position: &Position,
    order_id: OrderId,
    order: &Order,
    report: &ExecutionReport,
    (key, quantity, price): (&ExecutionKey, Quantity, Price),
) -> Vec<PositionEvent> {
    if let Some(booked) = position.executions.get(key) {
        let same = (booked.side, booked.quantity, booked.price) == (order.side, quantity, price);
        match booked.order {
            Some(booked_on) if booked_on == order_id && same => return vec![],
            // The primary's word of the trade came first: now it is known whose order it was.
            None if same => {}
            Some(_) | None => return conflict(position, order_id, key, quantity, price),
        }
    } else if position.is_correction(key) {
        return conflict(position, order_id, key, quantity, price);
    }
    let mut events = vec![PositionEvent::Executed(Executed {
        order_id,
        execution: key.clone(),
        exchange_order_id: report.exchange_order_id.clone(),
        side: order.side,
        quantity,
        price,
        venue_cumulative: report.cumulative,
        venue_leaves: report.leaves,
        late: !order.ended.is_empty(),
    })];
    if order.ended.contains(&Ended::Rejected) {
        let reason = "an order that the exchange had rejected was filled";
        events.extend(freeze(position, reason.to_owned()));
    }
    events
}

/// The venue would not cancel or replace. When it doesn't even know an order that we think works, that order is in doubt.
pub(super) fn change_rejected(
    order_id: OrderId,
    order: &Order,
    cl_ord_id: &ClOrdId,
    code: i64,
    text: &str,
) -> Vec<PositionEvent> {
    let (id, text) = (cl_ord_id.clone(), text.to_owned());
    let mut events = if cancel_waits(order, cl_ord_id) {
        let told = CancelRejected {
            order_id,
            cl_ord_id: id,
            code,
            text,
        };
        vec![PositionEvent::CancelRejected(told)]
    } else if replace_waits(order, cl_ord_id) {
        let told = ReplaceRejected {
            order_id,
            cl_ord_id: id,
            code,
            text,
        };
        vec![PositionEvent::ReplaceRejected(told)]
    } else {
        return vec![];
    };
    if code == UNKNOWN_ORDER && !order.leaves().is_zero() && !order.in_doubt {
        let reason = "the exchange says that it does not know the order".to_owned();
        let doubt = OrderInDoubt { order_id, reason };
        events.push(PositionEvent::OrderInDoubt(doubt));
    }
    events
}

/// The venue did not look at the cancel, so nothing was said against it: it is asked again, by the rule that asked first or by this one.
pub(super) fn cancel_throttled(
    position: &Position,
    order_id: OrderId,
    order: &Order,
    cl_ord_id: &ClOrdId,
    text: &str,
) -> Vec<PositionEvent> {
    let was_cancel = cancel_waits(order, cl_ord_id);
    let mut events = change_rejected(order_id, order, cl_ord_id, OTHER_REASON, text);
    let works = !order.leaves().is_zero() && order.cancel_queued.is_none();
    if let Some(key) = &position.key
        && was_cancel
        && works
        && order.cancels.len() < CANCELS_BEFORE_GIVING_UP
    {
        events.push(cancel(order_id, order, key, None));
    }
    events
}

pub(super) fn not_delivered(
    position: &Position,
    order_id: OrderId,
    order: &Order,
    cl_ord_id: &ClOrdId,
    report: &Report,
) -> Vec<PositionEvent> {
    let id = cl_ord_id.clone();
    if order.cl_ord_id == *cl_ord_id {
        if order.lost {
            vec![]
        } else if order.acknowledged || order.held {
            contradicted(position, order_id, report)
        } else {
            vec![PositionEvent::OrderNotDelivered(OrderNotDelivered {
                order_id,
            })]
        }
    } else if cancel_waits(order, cl_ord_id) {
        let lost = CancelNotDelivered {
            order_id,
            cl_ord_id: id,
        };
        vec![PositionEvent::CancelNotDelivered(lost)]
    } else if replace_waits(order, cl_ord_id) {
        let lost = ReplaceNotDelivered {
            order_id,
            cl_ord_id: id,
        };
        vec![PositionEvent::ReplaceNotDelivered(lost)]
    } else {
        vec![]
    }
}

/// What only an order that the venue has can bring about.
pub(super) fn proves_delivery(event: &PositionEvent) -> bool {
    matches!(
        event,
        PositionEvent::OrderAcknowledged(_)
            | PositionEvent::OrderFrozen(_)
            | PositionEvent::OrderReplaced(_)
            | PositionEvent::Executed(_)
    )
}

pub(super) fn cancel_waits(order: &Order, id: &ClOrdId) -> bool {
    order.cancels.get(id) == Some(&CancelState::Pending)
}

pub(super) fn replace_waits(order: &Order, id: &ClOrdId) -> bool {
    let replace = order.replaces.get(id);
    replace.is_some_and(|replace| replace.state == ReplaceState::Pending)
}
