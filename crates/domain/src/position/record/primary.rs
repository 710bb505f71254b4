//! What the primary and the market's clock tell: the BOD line, trades, orders placed before the outage, the end of the session.

use super::{bod_contradiction, conflict, contradicts, once_if};
use crate::id::OrderId;
use crate::position::event::{
    BodContradicted, BodLoaded, CanceledBy, ExpiredBy, ExternalOrderObserved, ExternalOrderUpdated,
    OrderCanceled, OrderExpired, PositionEvent, PrimaryTradeApplied,
};
use crate::position::order::Ended;
use crate::position::state::Position;

pub(super) fn bod(position: &Position, loaded: BodLoaded) -> Vec<PositionEvent> {
    if !position.bod_loaded {
        return vec![PositionEvent::BodLoaded(loaded)];
    }
    let BodLoaded {
        quantity,
        average_price,
        source,
        ..
    } = loaded;
    let same = position.bod == quantity && position.bod_average_price == average_price;
    let contradiction = bod_contradiction(quantity, average_price);
    if same || position.contradictions.contains(&contradiction) {
        return vec![];
    }
    let told = BodContradicted {
        quantity,
        average_price,
        source,
    };
    let reason = format!(
        "a second BOD line says {quantity} instead of {}",
        position.bod
    );
    contradicts(position, PositionEvent::BodContradicted(told), reason)
}

pub(super) fn primary_trade(position: &Position, trade: PrimaryTradeApplied) -> Vec<PositionEvent> {
    let Some(booked) = position.executions.get(&trade.execution) else {
        return vec![PositionEvent::PrimaryTradeApplied(trade)];
    };
    // Ours come back in the primary's file once it has read the venue's trades.
    if (booked.side, booked.quantity, booked.price) == (trade.side, trade.quantity, trade.price) {
        return vec![];
    }
    let order_id = booked.order.unwrap_or(OrderId(uuid::Uuid::nil()));
    conflict(
        position,
        order_id,
        &trade.execution,
        trade.quantity,
        trade.price,
    )
}

pub(super) fn external_order(
    position: &Position,
    told: &ExternalOrderObserved,
    ended: bool,
) -> Vec<PositionEvent> {
    let order_id = told.order_id;
    let known = position.orders.get(&order_id);
    let mut events = match known {
        None => vec![PositionEvent::ExternalOrderObserved(told.clone())],
        Some(order) => {
            let updated = ExternalOrderUpdated {
                order_id,
                cumulative: told.cumulative,
                source: told.source.clone(),
            };
            let event = PositionEvent::ExternalOrderUpdated(updated);
            once_if(told.cumulative > order.said, event)
        }
    };
    if ended && known.is_none_or(|order| !order.ended.contains(&Ended::Canceled)) {
        let by = CanceledBy::Primary;
        events.push(PositionEvent::OrderCanceled(OrderCanceled { order_id, by }));
    }
    events
}

pub(super) fn session_ended(position: &Position) -> Vec<PositionEvent> {
    let by = ExpiredBy::SessionEnd;
    position
        .orders
        .iter()
        .filter(|(_, order)| !order.leaves().is_zero())
        .map(|(order_id, _)| {
            let order_id = *order_id;
            PositionEvent::OrderExpired(OrderExpired { order_id, by })
        })
        .collect()
}
