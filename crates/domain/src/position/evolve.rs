//! The fold: never fails, whatever the history, and lists every event.

use super::event::*;
use super::record::{bod_contradiction, execution_contradiction};
use super::state::{Asked, Booked, CancelState, Ended, Order, Position};
use crate::amount::NetQuantity;
use crate::id::OrderId;
use std::collections::{BTreeMap, BTreeSet};

#[must_use]
pub fn evolve(mut position: Position, event: &PositionEvent) -> Position {
    match event {
        PositionEvent::BodLoaded(loaded) => {
            position.key = Some(loaded.key.clone());
            position.bod = loaded.quantity;
            position.bod_average_price = loaded.average_price;
            position.net = position.net.plus(loaded.quantity);
        }
        PositionEvent::BodContradicted(BodContradicted {
            quantity,
            average_price,
            ..
        }) => {
            position
                .contradictions
                .insert(bod_contradiction(*quantity, *average_price));
        }
        PositionEvent::SquareOffAccepted(SquareOffAccepted {
            request_id,
            terms,
            slices,
            ..
        }) => {
            let orders = (0..*slices)
                .map(|index| OrderId::of_slice(*request_id, index))
                .collect();
            position.requests.insert(
                *request_id,
                Asked::SquareOff {
                    terms: terms.clone(),
                    orders,
                },
            );
        }
        PositionEvent::OrderPlaced(placed) => place(&mut position, placed),
        PositionEvent::OrderDispatched(dispatched) => {
            on(&mut position, dispatched.order_id, |order| {
                order.dispatched = true
            })
        }
        PositionEvent::OrderAcknowledged(OrderAcknowledged {
            order_id,
            exchange_order_id,
        }) => {
            on(&mut position, *order_id, |order| {
                order.exchange_order_id = Some(exchange_order_id.clone())
            });
        }
        PositionEvent::OrderRejected(rejected) => {
            end(&mut position, rejected.order_id, Ended::Rejected)
        }
        PositionEvent::Executed(executed) => book(&mut position, executed),
        PositionEvent::ExecutionConflicted(ExecutionConflicted {
            order_id,
            execution,
            quantity,
            price,
        }) => {
            position.contradictions.insert(execution_contradiction(
                execution, *order_id, *quantity, *price,
            ));
        }
        // The excess is derived from the executions; the event is there to be seen.
        PositionEvent::OverfillDetected(_) | PositionEvent::ExposureBreached(_) => {}
        PositionEvent::CancelRequested(requested) => request_cancel(&mut position, requested),
        PositionEvent::CancelRejected(rejected) => {
            on(&mut position, rejected.order_id, |order| {
                order
                    .cancels
                    .insert(rejected.cl_ord_id.clone(), CancelState::Rejected);
            });
        }
        PositionEvent::CancelNotDelivered(lost) => {
            on(&mut position, lost.order_id, |order| {
                order
                    .cancels
                    .insert(lost.cl_ord_id.clone(), CancelState::NotDelivered);
            });
        }
        PositionEvent::OrderCanceled(canceled) => {
            end(&mut position, canceled.order_id, Ended::Canceled)
        }
        PositionEvent::OrderExpired(expired) => {
            end(&mut position, expired.order_id, Ended::Expired)
        }
        PositionEvent::OrderNotDelivered(lost) => {
            end(&mut position, lost.order_id, Ended::NotDelivered)
        }
        PositionEvent::UnknownOrderReported(unknown) => {
            position.contradictions.insert(unknown.report.clone());
        }
    }
    position
}

fn place(position: &mut Position, placed: &OrderPlaced) {
    position.placed = position.placed.saturating_add(1);
    let order = Order {
        cl_ord_id: placed.cl_ord_id.clone(),
        side: placed.side,
        quantity: placed.quantity,
        price: placed.price,
        time_in_force: placed.time_in_force,
        number: position.placed,
        dispatched: false,
        exchange_order_id: None,
        cumulative: crate::amount::Quantity::ZERO,
        cancels: BTreeMap::new(),
        ended: BTreeSet::new(),
    };
    position.orders.insert(placed.order_id, order);
}

fn book(position: &mut Position, executed: &Executed) {
    let units = i64::try_from(executed.quantity.units()).unwrap_or(i64::MAX);
    position.net = position
        .net
        .plus(NetQuantity(units.saturating_mul(executed.side.sign())));
    let booked = Booked {
        order: executed.order_id,
        quantity: executed.quantity,
        price: executed.price,
    };
    position
        .executions
        .insert(executed.execution.clone(), booked);
    on(position, executed.order_id, |order| {
        order.cumulative = order.cumulative.plus(executed.quantity);
        // A fill before its acknowledgement implies it.
        order
            .exchange_order_id
            .get_or_insert_with(|| executed.exchange_order_id.clone());
    });
}

fn request_cancel(position: &mut Position, requested: &CancelRequested) {
    if let Some((request_id, scope)) = requested.asked {
        let order = match scope {
            Scope::ThisOrder => Some(requested.order_id),
            Scope::EveryOrder => None,
        };
        position
            .requests
            .insert(request_id, Asked::Cancel { order });
    }
    on(position, requested.order_id, |order| {
        order
            .cancels
            .insert(requested.cl_ord_id.clone(), CancelState::Pending);
    });
}

fn end(position: &mut Position, order_id: OrderId, ended: Ended) {
    on(position, order_id, |order| {
        order.ended.insert(ended);
    });
}

/// An event about an order that was never placed changes nothing: the fold is total.
fn on(position: &mut Position, order_id: OrderId, change: impl FnOnce(&mut Order)) {
    if let Some(order) = position.orders.get_mut(&order_id) {
        change(order);
    }
}
