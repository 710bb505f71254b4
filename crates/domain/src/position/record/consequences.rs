//! What follows from a fact whatever told it: an over-fill is said, a position that turned around is frozen, cancels that waited go, and
//! what may still fill is brought back to what is open.

use super::freeze;
use crate::amount::{NetQuantity, Quantity};
use crate::id::OrderId;
use crate::position::cancel::{cancel, check_cancel};
use crate::position::event::{ExposureBreached, OverfillDetected, PositionEvent};
use crate::position::order::Order;
use crate::position::state::Position;
use std::collections::BTreeMap;

/// How much had filled of the orders that `events` are about.
pub(super) fn filled_before(
    position: &Position,
    events: &[PositionEvent],
) -> BTreeMap<OrderId, Quantity> {
    events
        .iter()
        .filter_map(PositionEvent::order_id)
        .filter_map(|id| Some((id, position.orders.get(&id)?.cumulative)))
        .collect()
}

/// A fill or a correction took an order beyond its quantity.
pub(super) fn overfills(
    position: &Position,
    before: &BTreeMap<OrderId, Quantity>,
) -> Vec<PositionEvent> {
    let overfill = |(id, before): (&OrderId, &Quantity)| {
        let order = position.orders.get(id)?;
        let excess = order.cumulative.minus(order.quantity);
        let grown = order.cumulative > *before && !excess.is_zero();
        let order_id = *id;
        grown.then_some(PositionEvent::OverfillDetected(OverfillDetected {
            order_id,
            excess,
        }))
    };
    before.iter().filter_map(overfill).collect()
}

/// An over-fill took the position through flat to the other side: only the venue's own error can do that with an order that closes.
pub(super) fn freeze_turned(position: &Position, before: NetQuantity) -> Vec<PositionEvent> {
    let sign = position.net.0.signum();
    let turned_by = |order: &Order| {
        order.is_ours() && order.cumulative > order.quantity && order.side.sign() == sign
    };
    if sign != before.0.signum() && position.orders.values().any(turned_by) {
        let reason = format!(
            "an over-fill turned the position from {before} to {}",
            position.net
        );
        freeze(position, reason)
    } else {
        vec![]
    }
}

/// Cancels that waited for the answer to a replace go once it is there.
pub(super) fn release_cancels(position: &Position) -> Vec<PositionEvent> {
    let Some(key) = &position.key else {
        return vec![];
    };
    let released = |(id, order): (&OrderId, &Order)| {
        let asked = order.cancel_queued?;
        let waits = order.replace_pending() || order.leaves().is_zero();
        (!waits).then(|| cancel(*id, order, key, asked))
    };
    position.orders.iter().filter_map(released).collect()
}

/// Invariant 1 after a fact: when more may still fill than is open, our newest orders are cancelled until it holds again. Orders
/// whose cancel is on its way are not counted, so that the next report does not ask again. The primary's orders are counted where
/// they close, and left alone: whether they go is for a person to say.
pub(super) fn restore_exposure(position: &Position) -> Vec<PositionEvent> {
    let Some(key) = &position.key else {
        return vec![];
    };
    let closing = position.closing_side();
    let closes = |order: &Order| Some(order.side) == closing;
    let working: Vec<_> = position
        .orders
        .iter()
        .filter(|(_, order)| check_cancel(order).is_ok())
        .collect();
    let may_fill = |counts: &dyn Fn(&Order) -> bool| -> Quantity {
        let counted = working.iter().filter(|(_, order)| counts(order));
        counted.map(|(_, order)| order.leaves()).sum()
    };
    // An order of ours that no longer closes (an over-fill turned the position around) is excess in full.
    let excess = may_fill(&|order| closes(order))
        .minus(position.net.open())
        .plus(may_fill(&|order| order.is_ours() && !closes(order)));
    let mut newest_first: Vec<_> = working
        .iter()
        .filter(|(_, order)| order.is_ours())
        .collect();
    if excess.is_zero() || newest_first.is_empty() {
        return vec![];
    }
    newest_first.sort_by_key(|(_, order)| (closes(order), std::cmp::Reverse(order.number)));
    let mut left = excess;
    let mut events = vec![PositionEvent::ExposureBreached(ExposureBreached { excess })];
    for (id, order) in newest_first {
        if left.is_zero() {
            break;
        }
        left = left.minus(order.leaves());
        events.push(cancel(**id, order, key, None));
    }
    events
}
