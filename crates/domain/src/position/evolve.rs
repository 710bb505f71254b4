//! The fold: never fails, whatever the history, and lists every event.

use super::decide::MAX_SLICES;
use super::event::*;
use super::order::{CancelState, Ended, Order, Origin, Replace, ReplaceState};
use super::record::{bod_contradiction, execution_contradiction};
use super::state::{Asked, Booked, Confirmation, Corrected, Position};
use crate::amount::{NetQuantity, Quantity};
use crate::id::{ExecutionKey, OrderId, PositionKey};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

#[must_use]
pub fn evolve(mut position: Position, event: &PositionEvent) -> Position {
    apply(&mut position, event);
    position
}

/// [`evolve`] in place, for whoever folds millions of events: a position is large enough for its way there and back to show.
pub fn apply(position: &mut Position, event: &PositionEvent) {
    match event {
        PositionEvent::BodLoaded(loaded) => {
            position.key = Some(loaded.key.clone());
            position.bod = loaded.quantity;
            position.bod_average_price = loaded.average_price;
            position.bod_loaded = true;
            settle(position);
        }
        PositionEvent::BodContradicted(told) => {
            let contradiction = bod_contradiction(told.quantity, told.average_price);
            position.contradictions.insert(contradiction);
        }
        PositionEvent::PrimaryTradeApplied(trade) => {
            position.key.get_or_insert_with(|| trade.key.clone());
            let (side, quantity, price) = (trade.side, trade.quantity, trade.price);
            let booked = Booked {
                order: None,
                side,
                quantity,
                price,
                number: next_number(position),
            };
            keep(position, &trade.execution, booked);
            settle(position);
        }
        PositionEvent::ExternalOrderObserved(observed) => observe(position, observed),
        PositionEvent::ExternalOrderUpdated(updated) => on(position, updated.order_id, |order| {
            order.said = order.said.max(updated.cumulative);
        }),
        PositionEvent::SquareOffAccepted(accepted) => {
            // No decision places more; an event that says so must not cost the memory of four thousand million ids.
            let slices = 0..accepted.slices.min(MAX_SLICES);
            let of = |key: &PositionKey| {
                slices
                    .map(|index| OrderId::of_slice(key, accepted.request_id, index))
                    .collect()
            };
            let orders = position.key.as_ref().map(of).unwrap_or_default();
            let terms = accepted.terms.clone();
            let asked = Asked::SquareOff { terms, orders };
            position.requests.insert(accepted.request_id, asked);
        }
        PositionEvent::OrderPlaced(placed) => place(position, placed),
        PositionEvent::OrderDispatched(dispatched) => {
            on(position, dispatched.order_id, |order| {
                order.dispatched = true;
            });
        }
        PositionEvent::OrderAcknowledged(acknowledged) => {
            on(position, acknowledged.order_id, |order| {
                order.exchange_order_id = Some(acknowledged.exchange_order_id.clone());
                acknowledge(order);
            });
        }
        PositionEvent::OrderFrozen(frozen) => on(position, frozen.order_id, |order| {
            order.held = true;
            order.ended.remove(&Ended::NotDelivered);
            order
                .exchange_order_id
                .get_or_insert_with(|| frozen.exchange_order_id.clone());
        }),
        PositionEvent::OrderRejected(rejected) => {
            end(position, rejected.order_id, Ended::Rejected);
        }
        PositionEvent::Executed(executed) => book(position, executed),
        PositionEvent::ExecutionConflicted(told) => {
            let (order, quantity, price) = (told.order_id, told.quantity, told.price);
            let conflict = execution_contradiction(&told.execution, order, quantity, price);
            position.contradictions.insert(conflict);
        }
        PositionEvent::ExecutionBusted(busted) => {
            position.busted.insert(busted.execution.clone());
            settle(position);
        }
        PositionEvent::ExecutionCorrected(told) => {
            let corrections = position
                .corrections
                .entry(told.execution.clone())
                .or_default();
            let of_instant = |(key, to): &(&ExecutionKey, &Corrected)| {
                to.at == told.at && **key != told.correction
            };
            let corrected = Corrected {
                at: told.at,
                number: corrections.iter().filter(of_instant).count(),
                quantity: told.quantity,
                price: told.price,
            };
            corrections.insert(told.correction.clone(), corrected);
            settle(position);
        }
        PositionEvent::TradeConfirmed(told) => {
            let confirmation = Confirmation {
                side: told.side,
                quantity: told.quantity,
                price: told.price,
            };
            let confirmations = position
                .confirmations
                .entry(told.execution.clone())
                .or_default();
            confirmations.insert(confirmation);
        }
        // The excess is derived from the executions; the event is there to be seen.
        PositionEvent::OverfillDetected(_) | PositionEvent::ExposureBreached(_) => {}
        PositionEvent::CancelRequested(requested) => {
            remember_cancel(position, requested.order_id, requested.asked);
            on(position, requested.order_id, |order| {
                let id = requested.cl_ord_id.clone();
                order.cancels.insert(id, CancelState::Pending);
                order.cancel_queued = None;
            });
        }
        PositionEvent::CancelQueued(queued) => {
            remember_cancel(position, queued.order_id, queued.asked);
            on(position, queued.order_id, |order| {
                order.cancel_queued = Some(queued.asked);
            });
        }
        PositionEvent::CancelRejected(rejected) => on(position, rejected.order_id, |order| {
            let id = rejected.cl_ord_id.clone();
            order.cancels.insert(id, CancelState::Rejected);
        }),
        PositionEvent::CancelNotDelivered(lost) => on(position, lost.order_id, |order| {
            let id = lost.cl_ord_id.clone();
            order.cancels.insert(id, CancelState::NotDelivered);
        }),
        PositionEvent::ReplaceRequested(requested) => {
            let (order, change) = (requested.order_id, requested.change);
            let asked = Asked::Modify { order, change };
            position.requests.insert(requested.request_id, asked);
            on(position, order, |order| {
                let number = next(order.replaces.len());
                let state = ReplaceState::Pending;
                let id = requested.cl_ord_id.clone();
                order.replaces.insert(id, Replace { number, state });
            });
        }
        PositionEvent::OrderReplaced(replaced) => {
            let (quantity, price) = (replaced.quantity, replaced.price);
            on(position, replaced.order_id, |order| {
                if let Some(replace) = order.replaces.get_mut(&replaced.cl_ord_id) {
                    replace.state = ReplaceState::Accepted { quantity, price };
                }
                // Answered in whatever order, the newest replace that was accepted holds.
                if let Some((_, quantity, price)) = order.accepted_replace() {
                    (order.quantity, order.price) = (quantity, price);
                }
                acknowledge(order);
            });
        }
        PositionEvent::ReplaceRejected(rejected) => {
            let (order, id) = (rejected.order_id, &rejected.cl_ord_id);
            answer_replace(position, order, id, ReplaceState::Rejected);
        }
        PositionEvent::ReplaceNotDelivered(lost) => {
            let (order, id) = (lost.order_id, &lost.cl_ord_id);
            answer_replace(position, order, id, ReplaceState::NotDelivered);
        }
        PositionEvent::OrderCanceled(canceled) => {
            end(position, canceled.order_id, Ended::Canceled);
        }
        PositionEvent::OrderExpired(expired) => end(position, expired.order_id, Ended::Expired),
        PositionEvent::OrderNotDelivered(lost) => {
            end(position, lost.order_id, Ended::NotDelivered);
        }
        PositionEvent::OrderInDoubt(doubted) => {
            on(position, doubted.order_id, |order| order.in_doubt = true);
        }
        PositionEvent::InDoubtResolved(resolved) => resolve(position, resolved),
        PositionEvent::PositionFrozen(frozen) => {
            position.frozen = Some(frozen.reason.clone());
            if let Some(request_id) = frozen.request_id {
                position.requests.insert(request_id, Asked::Freeze);
            }
        }
        PositionEvent::PositionUnfrozen(unfrozen) => {
            position.frozen = None;
            let request_id = unfrozen.request_id;
            position.requests.insert(request_id, Asked::Unfreeze);
        }
        PositionEvent::PositionHandedBack(handed) => {
            position.handed_back = Some(handed.epoch);
            let epoch = handed.epoch;
            let asked = Asked::HandBack { epoch };
            position.requests.insert(handed.request_id, asked);
        }
        PositionEvent::ReportContradicted(told) => {
            position.contradictions.insert(told.report.clone());
        }
        PositionEvent::UnknownOrderReported(unknown) => {
            position.contradictions.insert(unknown.report.clone());
        }
    }
}

fn place(position: &mut Position, placed: &OrderPlaced) {
    position.placed = position.placed.saturating_add(1);
    let order = Order {
        origin: Origin::Ours,
        cl_ord_id: placed.cl_ord_id.clone(),
        side: placed.side,
        quantity: placed.quantity,
        price: placed.price,
        time_in_force: placed.time_in_force,
        number: position.placed,
        dispatched: false,
        exchange_order_id: None,
        acknowledged: false,
        held: false,
        prior: Quantity::ZERO,
        said: Quantity::ZERO,
        cumulative: Quantity::ZERO,
        done_at: None,
        cancels: BTreeMap::new(),
        cancel_queued: None,
        replaces: BTreeMap::new(),
        in_doubt: false,
        lost: false,
        ended: BTreeSet::new(),
    };
    position.orders.insert(placed.order_id, order);
}

fn observe(position: &mut Position, observed: &ExternalOrderObserved) {
    position.key.get_or_insert_with(|| observed.key.clone());
    position.placed = position.placed.saturating_add(1);
    let order = Order {
        origin: Origin::External,
        cl_ord_id: observed.cl_ord_id.clone(),
        side: observed.side,
        quantity: observed.quantity,
        price: observed.price,
        time_in_force: TimeInForce::Day,
        number: position.placed,
        dispatched: true,
        exchange_order_id: Some(observed.exchange_order_id.clone()),
        acknowledged: true,
        held: false,
        prior: observed.cumulative,
        said: observed.cumulative,
        cumulative: observed.cumulative,
        done_at: None,
        cancels: BTreeMap::new(),
        cancel_queued: None,
        replaces: BTreeMap::new(),
        in_doubt: false,
        lost: false,
        ended: BTreeSet::new(),
    };
    position.orders.insert(observed.order_id, order);
}

fn book(position: &mut Position, executed: &Executed) {
    let key = &executed.execution;
    let booked = Booked {
        order: Some(executed.order_id),
        side: executed.side,
        quantity: executed.quantity,
        price: executed.price,
        number: next_number(position),
    };
    let again = keep(position, key, booked);
    let anew = again || position.busted.contains(key) || position.corrections.contains_key(key);
    on(position, executed.order_id, |order| {
        // A fill before its acknowledgement implies it.
        acknowledge(order);
        order
            .exchange_order_id
            .get_or_insert_with(|| executed.exchange_order_id.clone());
        if executed.venue_leaves == 0 {
            let at = Quantity::new(executed.venue_cumulative).unwrap_or(Quantity::MAX);
            order.done_at = order.done_at.max(Some(at));
        }
        if !anew {
            order.cumulative = order.cumulative.plus(executed.quantity);
        }
    });
    if anew {
        settle(position);
    } else {
        position.net = position.net.plus(signed(executed.quantity, executed.side));
    }
}

/// Books an execution; whether it was booked before, in which case it keeps its place among the others.
fn keep(position: &mut Position, key: &ExecutionKey, mut booked: Booked) -> bool {
    match position.executions.entry(key.clone()) {
        Entry::Vacant(entry) => {
            entry.insert(booked);
            false
        }
        Entry::Occupied(mut entry) => {
            booked.number = entry.get().number;
            entry.insert(booked);
            true
        }
    }
}

/// Sums anew what is live: net and every order's cumulative quantity.
fn settle(position: &mut Position) {
    let mut net = position.bod;
    let mut cumulative: BTreeMap<OrderId, Quantity> = BTreeMap::new();
    for (_, trade) in position.trades() {
        net = net.plus(signed(trade.live_quantity(), trade.side));
        if let Some(order) = trade.order {
            let sum = cumulative.entry(order).or_default();
            *sum = sum.plus(trade.live_quantity());
        }
    }
    position.net = net;
    for (id, order) in position.orders.iter_mut() {
        let executed = cumulative.get(id).copied().unwrap_or_default();
        order.cumulative = order.prior.plus(executed);
    }
}

fn signed(quantity: Quantity, side: crate::id::Side) -> NetQuantity {
    let units = i64::try_from(quantity.units()).unwrap_or(i64::MAX);
    NetQuantity(units.saturating_mul(side.sign()))
}

fn resolve(position: &mut Position, resolved: &InDoubtResolved) {
    let (order, outcome) = (resolved.order_id, resolved.outcome);
    if let Some(request_id) = resolved.request_id {
        let asked = Asked::ResolveInDoubt { order, outcome };
        position.requests.insert(request_id, asked);
    }
    on(position, order, |order| order.in_doubt = false);
    match outcome {
        Outcome::Delivered => {}
        Outcome::NotDelivered => end(position, order, Ended::NotDelivered),
    }
}

fn remember_cancel(position: &mut Position, order: OrderId, asked: RequestedCancel) {
    if let Some((request_id, scope)) = asked {
        let order = match scope {
            Scope::ThisOrder => Some(order),
            Scope::EveryOrder => None,
        };
        let asked = Asked::Cancel { order };
        position.requests.insert(request_id, asked);
    }
}

fn answer_replace(
    position: &mut Position,
    order: OrderId,
    id: &crate::id::ClOrdId,
    state: ReplaceState,
) {
    on(position, order, |order| {
        if let Some(replace) = order.replaces.get_mut(id) {
            replace.state = state;
        }
    });
}

/// The venue spoke of the order as of one it has: whoever said that it never arrived was wrong.
fn acknowledge(order: &mut Order) {
    order.acknowledged = true;
    order.ended.remove(&Ended::NotDelivered);
}

fn end(position: &mut Position, order_id: OrderId, ended: Ended) {
    on(position, order_id, |order| {
        order.ended.insert(ended);
        order.lost |= ended == Ended::NotDelivered;
        order.in_doubt = false;
    });
}

/// An event about an order that was never placed changes nothing: the fold is total.
fn on(position: &mut Position, order_id: OrderId, change: impl FnOnce(&mut Order)) {
    if let Some(order) = position.orders.get_mut(&order_id) {
        change(order);
    }
}

fn next_number(position: &Position) -> u32 {
    next(position.executions.len())
}

fn next(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1)
}
