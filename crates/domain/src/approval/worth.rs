//! What one request puts on the market, as the limit of a single person counts it.

use crate::amount::{NetQuantity, Price, Quantity};
use crate::bulk::notional_of;
use crate::id::OrderId;
use crate::position::{
    Asked, Order, Position, PositionEvent, PricePolicy, ReplaceRequested, SquareOffAccepted,
};
use crate::reference::Contract;

/// What a request is worth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Worth {
    pub quantity: Quantity,
    /// What a unit is counted at.
    pub price: Price,
    /// In 1/10,000 rupee.
    pub notional: u64,
}

/// What the events of an accepted request are worth: of a square-off its quantity at the limit, or at the reference price where the
/// market makes the price. Of a change the orders of the changed order's request together, and only when they are worth more by it: else
/// a limit could be passed slice by slice. `None` for all else.
pub fn worth(position: &Position, events: &[PositionEvent], contract: &Contract) -> Option<Worth> {
    events.iter().find_map(|event| {
        if let PositionEvent::SquareOffAccepted(accepted) = event {
            Some(placed(accepted, contract))
        } else if let PositionEvent::ReplaceRequested(replace) = event {
            changed(position, replace)
        } else {
            None
        }
    })
}

fn placed(accepted: &SquareOffAccepted, contract: &Contract) -> Worth {
    let price = match accepted.terms.price {
        PricePolicy::MarketableLimit => contract.reference_price,
        PricePolicy::Limit(price) => price,
    };
    Worth {
        quantity: accepted.quantity,
        price,
        notional: notional(accepted.quantity, price),
    }
}

fn changed(position: &Position, replace: &ReplaceRequested) -> Option<Worth> {
    let order = position.orders.get(&replace.order_id)?;
    let others = siblings(position, replace.order_id)
        .map(|order| notional(counted(order), order.price))
        .fold(0, u64::saturating_add);
    let before = others.saturating_add(notional(order.quantity, order.price));
    let after = others.saturating_add(notional(replace.quantity, replace.price));
    (after > before).then_some(Worth {
        quantity: replace.quantity,
        price: replace.price,
        notional: after,
    })
}

/// The other orders of the request that placed this one.
fn siblings(position: &Position, id: OrderId) -> impl Iterator<Item = &Order> {
    let of_request = position.requests.values().find_map(|asked| {
        let Asked::SquareOff { orders, .. } = asked else {
            return None;
        };
        orders.contains(&id).then_some(orders.as_slice())
    });
    let others = of_request.unwrap_or_default().iter();
    others
        .filter(move |other| **other != id)
        .filter_map(|other| position.orders.get(other))
}

/// What has ended counts with what it filled.
fn counted(order: &Order) -> Quantity {
    if order.leaves().is_zero() {
        order.cumulative
    } else {
        order.quantity
    }
}

fn notional(quantity: Quantity, price: Price) -> u64 {
    let units = i64::try_from(quantity.units()).unwrap_or(i64::MAX);
    notional_of(NetQuantity(units), price)
}
