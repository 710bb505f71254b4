//! Changing an order that works: its price, or its quantity downwards.

use super::square_off::check_price;
use super::{Context, MAX_REPLACES_PER_ORDER, check_open};
use crate::amount::Quantity;
use crate::id::{OrderId, RequestId};
use crate::position::event::{Change, PositionEvent, ReplaceRequested};
use crate::position::order::Order;
use crate::position::refusal::Refusal;
use crate::position::state::Position;
use crate::reference::Contract;

pub(super) fn modify(
    position: &Position,
    request_id: RequestId,
    order_id: OrderId,
    change: Change,
    context: &Context,
) -> Result<Vec<PositionEvent>, Refusal> {
    let (key, contract) = check_open(position, context)?;
    if change.quantity == Some(0) {
        return Err(Refusal::QuantityNotPositive);
    }
    let order = position
        .orders
        .get(&order_id)
        .ok_or(Refusal::UnknownOrder)?;
    check_modify(order)?;
    let quantity = changed_quantity(order, change.quantity, contract)?;
    let price = change.price.unwrap_or(order.price);
    if (quantity, price) == (order.quantity, order.price) {
        return Err(Refusal::NothingToChange);
    }
    check_price(price, contract)?;
    let number = u32::try_from(order.replaces.len()).expect("bounded by MAX_REPLACES_PER_ORDER");
    Ok(vec![PositionEvent::ReplaceRequested(ReplaceRequested {
        order_id,
        request_id,
        change,
        cl_ord_id: order.cl_ord_id.replace(number + 1),
        original_cl_ord_id: order.current_cl_ord_id().clone(),
        exchange_order_id: order.exchange_order_id.clone(),
        key: key.clone(),
        side: order.side,
        quantity,
        price,
        time_in_force: order.time_in_force,
        reference_version: contract.version.clone(),
    })])
}

/// Whether an order may be changed: ours, known to the venue, and nothing of it on its way.
pub(super) fn check_modify(order: &Order) -> Result<(), Refusal> {
    if !order.is_ours() {
        return Err(Refusal::NotOurOrder);
    }
    if order.leaves().is_zero() {
        let status = order.status();
        return Err(Refusal::OrderEnded { status });
    }
    if order.in_doubt {
        return Err(Refusal::OrderInDoubt);
    }
    if order.cancel_pending() {
        return Err(Refusal::CancelPending);
    }
    if order.replace_pending() {
        return Err(Refusal::ReplacePending);
    }
    if !order.acknowledged {
        return Err(Refusal::NotAcknowledged);
    }
    if order.replaces.len() >= usize::try_from(MAX_REPLACES_PER_ORDER).expect("a small number") {
        let limit = MAX_REPLACES_PER_ORDER;
        return Err(Refusal::TooManyReplaces { limit });
    }
    Ok(())
}

/// The order's quantity after the change: down only, because what was freed may be on its way in another order already.
pub(super) fn changed_quantity(
    order: &Order,
    wanted: Option<u64>,
    contract: &Contract,
) -> Result<Quantity, Refusal> {
    let Some(requested) = wanted else {
        return Ok(order.quantity);
    };
    let (quantity, filled) = (order.quantity, order.filled());
    let wanted = Quantity::new(requested)
        .ok()
        .filter(|wanted| *wanted <= quantity)
        .ok_or(Refusal::QuantityNotLower {
            requested,
            quantity,
        })?;
    if wanted <= filled {
        return Err(Refusal::QuantityNotAboveFilled { requested, filled });
    }
    let lot = contract.lot;
    if !wanted.is_multiple_of(lot) {
        return Err(Refusal::NotWholeLots { requested, lot });
    }
    Ok(wanted)
}
