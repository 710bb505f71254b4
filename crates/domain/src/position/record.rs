//! The outside tells: a report is a fact and can't be refused. What is new is recorded, what contradicts becomes an event of its
//! own, and a report seen before gives no events.

use super::decide::{cancel_requested, check_cancel};
use super::event::*;
use super::evolve::evolve;
use super::state::{CancelState, Ended, Order, Position};
use crate::amount::{NetQuantity, Price, Quantity};
use crate::id::{ClOrdId, ExchangeOrderId, ExecutionKey, OrderId, PositionKey};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A line of the primary's BOD file.
    Bod {
        key: PositionKey,
        quantity: NetQuantity,
        average_price: Price,
        source: String,
    },
    /// The gateway journaled the message.
    Dispatched {
        cl_ord_id: ClOrdId,
        session: String,
        sequence: u64,
    },
    /// The gateway dropped the order before it was ever sent, because its cancel overtook it.
    DroppedUnsent { cl_ord_id: ClOrdId },
    /// ExecutionReport (35=8).
    Execution(ExecutionReport),
    /// OrderCancelReject (35=9); `cl_ord_id` is the cancel's.
    CancelRejected {
        cl_ord_id: ClOrdId,
        code: i64,
        text: String,
    },
    /// The exchange proved that the message never reached it.
    NotDelivered { cl_ord_id: ClOrdId },
}

/// What an ExecutionReport (35=8) says, in our types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionReport {
    /// ClOrdID (11), or OrigClOrdID (41) where the report carries one: the order's own id.
    pub cl_ord_id: ClOrdId,
    pub exchange_order_id: ExchangeOrderId,
    pub execution: Execution,
    /// CumQty (14) and LeavesQty (151).
    pub cumulative: u64,
    pub leaves: u64,
}

/// ExecType (FIX tag 150).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Execution {
    New,
    Fill {
        key: ExecutionKey,
        quantity: Quantity,
        price: Price,
    },
    Canceled,
    Rejected {
        code: i64,
        text: String,
    },
    Expired,
}

pub fn record(position: &Position, report: &Report) -> Vec<PositionEvent> {
    record_all(position, [report])
}

/// The same for several reports in their order, each told to the state that those before it left.
pub fn record_all<'a>(
    position: &Position,
    reports: impl IntoIterator<Item = &'a Report>,
) -> Vec<PositionEvent> {
    let mut state = position.clone();
    let mut events = Vec::new();
    for report in reports {
        let new = facts(&state, report);
        if new.is_empty() {
            continue;
        }
        state = new.iter().fold(state, evolve);
        let restored = restore_exposure(&state);
        state = restored.iter().fold(state, evolve);
        events.extend(new);
        events.extend(restored);
    }
    events
}

fn facts(position: &Position, report: &Report) -> Vec<PositionEvent> {
    let cl_ord_id = match report {
        Report::Bod {
            key,
            quantity,
            average_price,
            source,
        } => return bod(position, key, *quantity, *average_price, source),
        Report::Dispatched { cl_ord_id, .. }
        | Report::DroppedUnsent { cl_ord_id }
        | Report::CancelRejected { cl_ord_id, .. }
        | Report::NotDelivered { cl_ord_id } => cl_ord_id,
        Report::Execution(report) => &report.cl_ord_id,
    };
    let Some((order_id, order)) = position.order_of(cl_ord_id) else {
        let report = format!("{report:?}");
        let known = position.contradictions.contains(&report);
        let unknown = UnknownOrderReported {
            cl_ord_id: cl_ord_id.clone(),
            report,
        };
        return once_if(!known, PositionEvent::UnknownOrderReported(unknown));
    };
    match report {
        Report::Bod { .. } => vec![],
        Report::Dispatched {
            session, sequence, ..
        } => {
            let of_the_order = order.cl_ord_id == *cl_ord_id;
            let dispatched = OrderDispatched {
                order_id,
                session: session.clone(),
                sequence: *sequence,
            };
            once_if(
                of_the_order && !order.dispatched,
                PositionEvent::OrderDispatched(dispatched),
            )
        }
        Report::DroppedUnsent { .. } => {
            let dropped = OrderCanceled {
                order_id,
                by: CanceledBy::GatewayUnsent,
            };
            once_if(
                !order.ended.contains(&Ended::Canceled),
                PositionEvent::OrderCanceled(dropped),
            )
        }
        Report::Execution(report) => execution(position, order_id, order, report),
        Report::CancelRejected { code, text, .. } => {
            let rejected = CancelRejected {
                order_id,
                cl_ord_id: cl_ord_id.clone(),
                code: *code,
                text: text.clone(),
            };
            once_if(
                pending(order, cl_ord_id),
                PositionEvent::CancelRejected(rejected),
            )
        }
        Report::NotDelivered { .. } if order.cl_ord_id == *cl_ord_id => {
            let lost = OrderNotDelivered { order_id };
            once_if(
                !order.ended.contains(&Ended::NotDelivered),
                PositionEvent::OrderNotDelivered(lost),
            )
        }
        Report::NotDelivered { .. } => {
            let lost = CancelNotDelivered {
                order_id,
                cl_ord_id: cl_ord_id.clone(),
            };
            once_if(
                pending(order, cl_ord_id),
                PositionEvent::CancelNotDelivered(lost),
            )
        }
    }
}

fn bod(
    position: &Position,
    key: &PositionKey,
    quantity: NetQuantity,
    average_price: Price,
    source: &str,
) -> Vec<PositionEvent> {
    let source = source.to_owned();
    if position.key.is_none() {
        return vec![PositionEvent::BodLoaded(BodLoaded {
            key: key.clone(),
            quantity,
            average_price,
            source,
        })];
    }
    let same = position.bod == quantity && position.bod_average_price == average_price;
    let known = position
        .contradictions
        .contains(&bod_contradiction(quantity, average_price));
    let contradicted = BodContradicted {
        quantity,
        average_price,
        source,
    };
    once_if(
        !same && !known,
        PositionEvent::BodContradicted(contradicted),
    )
}

fn execution(
    position: &Position,
    order_id: OrderId,
    order: &Order,
    report: &ExecutionReport,
) -> Vec<PositionEvent> {
    let exchange_order_id = report.exchange_order_id.clone();
    let acknowledged = OrderAcknowledged {
        order_id,
        exchange_order_id: exchange_order_id.clone(),
    };
    let end = |ended: Ended, event: PositionEvent| once_if(!order.ended.contains(&ended), event);
    match &report.execution {
        Execution::New => once_if(
            order.exchange_order_id.is_none(),
            PositionEvent::OrderAcknowledged(acknowledged),
        ),
        Execution::Canceled => end(
            Ended::Canceled,
            PositionEvent::OrderCanceled(OrderCanceled {
                order_id,
                by: CanceledBy::Venue,
            }),
        ),
        Execution::Expired => end(
            Ended::Expired,
            PositionEvent::OrderExpired(OrderExpired { order_id }),
        ),
        Execution::Rejected { code, text } => {
            let rejected = OrderRejected {
                order_id,
                code: *code,
                text: text.clone(),
            };
            end(Ended::Rejected, PositionEvent::OrderRejected(rejected))
        }
        Execution::Fill {
            key,
            quantity,
            price,
        } => {
            if let Some(booked) = position.executions.get(key) {
                let same =
                    (booked.order, booked.quantity, booked.price) == (order_id, *quantity, *price);
                let known = position
                    .contradictions
                    .contains(&execution_contradiction(key, order_id, *quantity, *price));
                let conflict = ExecutionConflicted {
                    order_id,
                    execution: key.clone(),
                    quantity: *quantity,
                    price: *price,
                };
                return once_if(
                    !same && !known,
                    PositionEvent::ExecutionConflicted(conflict),
                );
            }
            let executed = PositionEvent::Executed(Executed {
                order_id,
                execution: key.clone(),
                exchange_order_id,
                side: order.side,
                quantity: *quantity,
                price: *price,
                venue_cumulative: report.cumulative,
                venue_leaves: report.leaves,
                late: !order.ended.is_empty(),
            });
            let excess = order.cumulative.plus(*quantity).minus(order.quantity);
            let overfill = PositionEvent::OverfillDetected(OverfillDetected { order_id, excess });
            std::iter::once(executed)
                .chain(once_if(!excess.is_zero(), overfill))
                .collect()
        }
    }
}

/// Invariant 1 after a fact: when more may still fill than is open, the newest orders are cancelled until it holds again. Orders
/// whose cancel is on its way are not counted, so that the next report does not ask again.
fn restore_exposure(position: &Position) -> Vec<PositionEvent> {
    let Some(key) = &position.key else {
        return vec![];
    };
    let closing = position.closing_side();
    let uncancelled = |order: &&(&OrderId, &Order)| check_cancel(order.1).is_ok();
    let orders: Vec<_> = position.orders.iter().collect();
    let may_fill = |on_closing_side: bool| -> Quantity {
        let on_side =
            |order: &&(&OrderId, &Order)| (Some(order.1.side) == closing) == on_closing_side;
        orders
            .iter()
            .filter(uncancelled)
            .filter(on_side)
            .map(|(_, order)| order.leaves())
            .sum()
    };
    // An order that no longer closes (an over-fill turned the position around) is excess in full.
    let excess = may_fill(true)
        .minus(position.net.open())
        .plus(may_fill(false));
    if excess.is_zero() {
        return vec![];
    }
    let mut newest_first: Vec<_> = orders.iter().filter(uncancelled).collect();
    newest_first
        .sort_by_key(|(_, order)| (Some(order.side) == closing, std::cmp::Reverse(order.number)));
    let mut left = excess;
    let mut events = vec![PositionEvent::ExposureBreached(ExposureBreached { excess })];
    for (id, order) in newest_first {
        if left.is_zero() {
            break;
        }
        left = left.minus(order.leaves());
        events.push(cancel_requested(**id, order, key, None));
    }
    events
}

/// How a BOD line that contradicts is remembered.
pub(super) fn bod_contradiction(quantity: NetQuantity, average_price: Price) -> String {
    format!("bod {quantity} {average_price}")
}

/// How an execution that contradicts is remembered.
pub(super) fn execution_contradiction(
    key: &ExecutionKey,
    order: OrderId,
    quantity: Quantity,
    price: Price,
) -> String {
    format!("execution {key} {order} {quantity} {price}")
}

fn pending(order: &Order, cancel: &ClOrdId) -> bool {
    order.cancels.get(cancel) == Some(&CancelState::Pending)
}

fn once_if(new: bool, event: PositionEvent) -> Vec<PositionEvent> {
    if new { vec![event] } else { vec![] }
}
