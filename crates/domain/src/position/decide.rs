//! People ask: a request becomes events, or a refusal and no event.

use super::event::{
    CancelRequested, OrderPlaced, PositionEvent, PricePolicy, Scope, SquareOffAccepted,
    SquareOffTerms, Wanted,
};
use super::refusal::Refusal;
use super::state::{Asked, Order, Position};
use crate::amount::{Price, Quantity};
use crate::id::{ClOrdId, OrderId, PositionKey, RequestId, Side};
use crate::platform::{Phase, Platform};
use crate::reference::Contract;

/// One request places at most this many orders: an append stays well under the log's batch limit, and a slip of the finger bounded.
pub const MAX_SLICES: u32 = 200;

/// The number in a cancel's ClOrdID has two digits in base 36; a tenth of them is far beyond any sane number of tries.
pub const MAX_CANCELS_PER_ORDER: u32 = 128;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    SquareOff {
        request_id: RequestId,
        terms: SquareOffTerms,
    },
    /// Cancels one order, or with `None` every order that works.
    Cancel {
        request_id: RequestId,
        order: Option<OrderId>,
    },
}

/// What a decision needs from outside the position, read just before.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub platform: &'a Platform,
    /// Whether the venue's exchange session is logged on.
    pub session_ready: bool,
    /// The instrument's contract of the position's trading date.
    pub contract: Option<&'a Contract>,
}

/// # Errors
/// The first [`Refusal`] that applies. A request that was accepted before gives no events again, and no refusal.
pub fn decide(
    position: &Position,
    request: &Request,
    context: &Context,
) -> Result<Vec<PositionEvent>, Refusal> {
    match request {
        Request::SquareOff { request_id, terms } => {
            square_off(position, *request_id, terms, context)
        }
        Request::Cancel { request_id, order } => cancel(position, *request_id, *order),
    }
}

fn square_off(
    position: &Position,
    request_id: RequestId,
    terms: &SquareOffTerms,
    context: &Context,
) -> Result<Vec<PositionEvent>, Refusal> {
    match position.requests.get(&request_id) {
        Some(Asked::SquareOff { terms: before, .. }) if before == terms => return Ok(vec![]),
        Some(_) => return Err(Refusal::RequestIdReused),
        None => {}
    }
    if context.platform.phase != Phase::Active {
        return Err(Refusal::PlatformNotActive);
    }
    if !context.session_ready {
        return Err(Refusal::SessionNotReady);
    }
    let key = position.key.as_ref().ok_or(Refusal::UnknownPosition)?;
    // An epoch closes one day's positions: yesterday's stream is history.
    if context.platform.trading_date != Some(key.date) {
        return Err(Refusal::UnknownPosition);
    }
    let contract = context
        .contract
        .filter(|contract| contract.trading_date == key.date)
        .ok_or(Refusal::UnknownInstrument)?;
    let (side, quantity) = closing_quantity(position, terms.quantity, contract)?;
    let slices = slices(quantity, contract)?;
    let price = limit_price(terms.price, side, contract)?;

    let count = u32::try_from(slices.len()).expect("at most MAX_SLICES");
    let accepted = PositionEvent::SquareOffAccepted(SquareOffAccepted {
        request_id,
        terms: terms.clone(),
        side,
        quantity,
        slices: count,
        reference_version: contract.version.clone(),
    });
    let placed = (0..count).zip(slices).map(|(index, quantity)| {
        let order_id = OrderId::of_slice(request_id, index);
        PositionEvent::OrderPlaced(OrderPlaced {
            order_id,
            request_id,
            cl_ord_id: ClOrdId::mint(context.platform.epoch, order_id),
            key: key.clone(),
            side,
            quantity,
            price,
            time_in_force: terms.time_in_force,
            slice: index + 1,
            slices: count,
        })
    });
    Ok(std::iter::once(accepted).chain(placed).collect())
}

/// The side that closes, and how much: never more than is open and not yet on its way.
fn closing_quantity(
    position: &Position,
    wanted: Wanted,
    contract: &Contract,
) -> Result<(Side, Quantity), Refusal> {
    if wanted == Wanted::Units(0) {
        return Err(Refusal::QuantityNotPositive);
    }
    let closable = position.closable();
    let side = position.closing_side().filter(|_| !closable.is_zero());
    let side = side.ok_or(Refusal::NothingToClose {
        open: position.net.open(),
        working: position.working(),
    })?;
    let requested = match wanted {
        Wanted::All => closable.units(),
        Wanted::Units(units) => units,
    };
    let quantity = Quantity::new(requested)
        .ok()
        .filter(|quantity| *quantity <= closable);
    let quantity = quantity.ok_or(Refusal::ExceedsOpenQuantity {
        requested,
        closable,
    })?;
    if !quantity.is_multiple_of(contract.lot) {
        return Err(Refusal::NotWholeLots {
            requested,
            lot: contract.lot,
        });
    }
    Ok((side, quantity))
}

/// Cuts a quantity into orders that the venue takes without freezing them; they add up to it.
fn slices(quantity: Quantity, contract: &Contract) -> Result<Vec<Quantity>, Refusal> {
    let largest = contract.largest_slice();
    if largest.is_zero() {
        return Err(Refusal::FreezeBelowLot {
            freeze: contract.freeze,
            lot: contract.lot,
        });
    }
    let slices = quantity.units().div_ceil(largest.units());
    if slices > u64::from(MAX_SLICES) {
        return Err(Refusal::TooManySlices {
            slices,
            limit: MAX_SLICES,
        });
    }
    let mut left = quantity;
    let mut cut = Vec::new();
    while !left.is_zero() {
        let slice = left.min(largest);
        cut.push(slice);
        left = left.minus(slice);
    }
    Ok(cut)
}

fn limit_price(policy: PricePolicy, side: Side, contract: &Contract) -> Result<Price, Refusal> {
    let price = match policy {
        PricePolicy::MarketableLimit => contract.marketable_limit(side),
        PricePolicy::Limit(price) => price,
    };
    if !price.is_multiple_of(contract.tick) {
        return Err(Refusal::PriceOffTick {
            price,
            tick: contract.tick,
        });
    }
    if price.0 <= 0 || !contract.in_band(price) {
        return Err(Refusal::PriceOutOfBand {
            price,
            low: contract.band_low,
            high: contract.band_high,
        });
    }
    Ok(price)
}

/// Cancelling is always allowed: neither the platform's phase nor the session's state refuses it.
fn cancel(
    position: &Position,
    request_id: RequestId,
    order: Option<OrderId>,
) -> Result<Vec<PositionEvent>, Refusal> {
    match position.requests.get(&request_id) {
        Some(Asked::Cancel { order: before }) if *before == order => return Ok(vec![]),
        Some(_) => return Err(Refusal::RequestIdReused),
        None => {}
    }
    let key = position.key.as_ref().ok_or(Refusal::UnknownPosition)?;
    let Some(id) = order else {
        let events: Vec<_> = position
            .orders
            .iter()
            .filter(|(_, order)| check_cancel(order).is_ok())
            .map(|(id, order)| {
                cancel_requested(*id, order, key, Some((request_id, Scope::EveryOrder)))
            })
            .collect();
        return if events.is_empty() {
            Err(Refusal::NothingToCancel)
        } else {
            Ok(events)
        };
    };
    let order = position.orders.get(&id).ok_or(Refusal::UnknownOrder)?;
    check_cancel(order)?;
    Ok(vec![cancel_requested(
        id,
        order,
        key,
        Some((request_id, Scope::ThisOrder)),
    )])
}

/// Whether a cancel of this order may go: one in flight at a time.
pub(super) fn check_cancel(order: &Order) -> Result<(), Refusal> {
    if order.leaves().is_zero() {
        return Err(Refusal::OrderEnded {
            status: order.status(),
        });
    }
    if order.cancel_pending() {
        return Err(Refusal::CancelPending);
    }
    if order.cancels.len() >= usize::try_from(MAX_CANCELS_PER_ORDER).expect("a small number") {
        return Err(Refusal::TooManyCancels {
            limit: MAX_CANCELS_PER_ORDER,
        });
    }
    Ok(())
}

pub(super) fn cancel_requested(
    id: OrderId,
    order: &Order,
    key: &PositionKey,
    asked: Option<(RequestId, Scope)>,
) -> PositionEvent {
    let number = u32::try_from(order.cancels.len()).expect("bounded by MAX_CANCELS_PER_ORDER") + 1;
    PositionEvent::CancelRequested(CancelRequested {
        order_id: id,
        asked,
        cl_ord_id: order.cl_ord_id.cancel(number),
        original_cl_ord_id: order.cl_ord_id.clone(),
        key: key.clone(),
        side: order.side,
        quantity: order.quantity,
    })
}
