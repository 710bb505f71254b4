//! Closing: how much, in which slices, at which price.

use super::{Context, MAX_SLICES, check_open};
use crate::amount::{Price, Quantity};
use crate::id::{ClOrdId, OrderId, RequestId, Side};
use crate::position::event::{
    OrderPlaced, PositionEvent, PricePolicy, SquareOffAccepted, SquareOffTerms, Wanted,
};
use crate::position::refusal::Refusal;
use crate::position::state::Position;
use crate::reference::Contract;

pub(super) fn square_off(
    position: &Position,
    request_id: RequestId,
    terms: &SquareOffTerms,
    context: &Context,
) -> Result<Vec<PositionEvent>, Refusal> {
    let (key, contract) = check_open(position, context)?;
    let (side, quantity) = closing_quantity(position, terms.quantity, contract)?;
    let slices = slices(quantity, contract)?;
    let price = limit_price(terms.price, side, contract, context)?;

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
        let order_id = OrderId::of_slice(key, request_id, index);
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
pub(super) fn closing_quantity(
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
    let lot = contract.lot;
    let requested = match wanted {
        // A change of the lot leaves positions that no order can close in full: the caller is told what can be.
        Wanted::All if !closable.is_multiple_of(lot) => {
            let whole = closable.whole_lots(lot);
            return Err(Refusal::OddLot {
                closable,
                lot,
                whole,
            });
        }
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
    if !quantity.is_multiple_of(lot) {
        return Err(Refusal::NotWholeLots { requested, lot });
    }
    Ok((side, quantity))
}

/// Cuts a quantity into orders that the venue takes without freezing them; they add up to it.
pub(super) fn slices(quantity: Quantity, contract: &Contract) -> Result<Vec<Quantity>, Refusal> {
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

pub(super) fn limit_price(
    policy: PricePolicy,
    side: Side,
    contract: &Contract,
    context: &Context,
) -> Result<Price, Refusal> {
    let price = match policy {
        PricePolicy::MarketableLimit => {
            check_reference(contract, context)?;
            contract.marketable_limit(side)
        }
        PricePolicy::Limit(price) => price,
    };
    check_price(price, contract)?;
    Ok(price)
}

/// A price made of yesterday's market is no protection.
pub(super) fn check_reference(contract: &Contract, context: &Context) -> Result<(), Refusal> {
    const SECOND_NS: i64 = 1_000_000_000;
    let age = context.now.0.saturating_sub(contract.reference_at.0) / SECOND_NS;
    let (age_s, limit_s) = (
        u64::try_from(age).unwrap_or(0),
        u64::from(context.reference_age_max_s),
    );
    if age_s > limit_s {
        return Err(Refusal::StaleReference { age_s, limit_s });
    }
    Ok(())
}

pub(super) fn check_price(price: Price, contract: &Contract) -> Result<(), Refusal> {
    let tick = contract.tick;
    if !price.is_multiple_of(tick) {
        return Err(Refusal::PriceOffTick { price, tick });
    }
    if price.0 <= 0 || !contract.in_band(price) {
        return Err(Refusal::PriceOutOfBand {
            price,
            low: contract.band_low,
            high: contract.band_high,
        });
    }
    match contract.protection_range {
        Some((low, high)) if !(low..=high).contains(&price) => {
            Err(Refusal::PriceOutOfProtection { price, low, high })
        }
        Some(_) | None => Ok(()),
    }
}
