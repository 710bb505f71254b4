//! Cancels, whoever asks: a person, a rule, or the primary's order that stands in the way.

use super::event::{CancelQueued, CancelRequested, PositionEvent, RequestedCancel};
use super::order::Order;
use super::refusal::Refusal;
use crate::id::{ClOrdId, OrderId, PositionKey};

/// The number in a cancel's ClOrdID has two digits in base 36; a tenth of them is far beyond any sane number of tries.
pub const MAX_CANCELS_PER_ORDER: u32 = 128;

/// A cancel that the venue refused for its rate is asked again by itself until the order has had so many: each time the gateway has
/// held back first, so that they take seconds, and a venue that refuses them all wants a person.
pub const CANCELS_BEFORE_GIVING_UP: usize = 8;

/// Whether a cancel of this order may go: one at a time.
pub(super) fn check_cancel(order: &Order) -> Result<(), Refusal> {
    if order.leaves().is_zero() {
        let status = order.status();
        return Err(Refusal::OrderEnded { status });
    }
    if order.cancel_pending() {
        return Err(Refusal::CancelPending);
    }
    if order.cancels.len() >= usize::try_from(MAX_CANCELS_PER_ORDER).expect("a small number") {
        let limit = MAX_CANCELS_PER_ORDER;
        return Err(Refusal::TooManyCancels { limit });
    }
    Ok(())
}

/// The cancel of an order that [`check_cancel`] lets go; behind a replace that is on its way it waits.
pub(super) fn cancel(
    order_id: OrderId,
    order: &Order,
    key: &PositionKey,
    asked: RequestedCancel,
) -> PositionEvent {
    if order.replace_pending() {
        return PositionEvent::CancelQueued(CancelQueued { order_id, asked });
    }
    let number = u32::try_from(order.cancels.len()).expect("bounded by MAX_CANCELS_PER_ORDER") + 1;
    // The primary's ids are not ours to number on: an external order's cancels get an id of ours, in an epoch that never is.
    let base = if order.is_ours() {
        order.cl_ord_id.clone()
    } else {
        ClOrdId::mint(0, order_id)
    };
    PositionEvent::CancelRequested(CancelRequested {
        order_id,
        asked,
        cl_ord_id: base.cancel(number),
        original_cl_ord_id: order.current_cl_ord_id().clone(),
        key: key.clone(),
        side: order.side,
        quantity: order.quantity,
        exchange_order_id: order.exchange_order_id.clone(),
    })
}
