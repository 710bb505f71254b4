//! People ask: a request becomes events, or a refusal and no event.

use super::cancel::{cancel, check_cancel};
use super::event::{
    Change, InDoubtResolved, OrderPlaced, Outcome, PositionEvent, PositionFrozen,
    PositionHandedBack, PositionUnfrozen, PricePolicy, ReplaceRequested, Scope, SquareOffAccepted,
    SquareOffTerms, Wanted,
};
use super::order::Order;
use super::refusal::Refusal;
use super::state::{Asked, Position};
use crate::amount::{Price, Quantity};
use crate::id::{ClOrdId, OrderId, PositionKey, RequestId, Side};
use crate::platform::{Gate, Phase, Platform};
use crate::reference::Contract;
use crate::time::Timestamp;

/// One request places at most this many orders: an append stays well under the log's batch limit, and a slip of the finger bounded.
pub const MAX_SLICES: u32 = 200;

/// The number in a replace's ClOrdID has two digits in base 36; nobody changes one order oftener in earnest.
pub const MAX_REPLACES_PER_ORDER: u32 = 128;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    SquareOff {
        request_id: RequestId,
        terms: SquareOffTerms,
    },
    /// Cancels one order, or with `None` every order that works, ours and the primary's.
    Cancel {
        request_id: RequestId,
        order: Option<OrderId>,
    },
    /// Another price, or a lower quantity, for an order of ours that works.
    Modify {
        request_id: RequestId,
        order: OrderId,
        change: Change,
    },
    /// A person found out whether the exchange has an order.
    ResolveInDoubt {
        request_id: RequestId,
        order: OrderId,
        outcome: Outcome,
        reason: String,
    },
    Freeze {
        request_id: RequestId,
        reason: String,
    },
    Unfreeze {
        request_id: RequestId,
        reason: String,
    },
    /// The primary takes the position back.
    HandBack { request_id: RequestId },
}

impl Request {
    pub const fn request_id(&self) -> RequestId {
        match self {
            Request::SquareOff { request_id, .. }
            | Request::Cancel { request_id, .. }
            | Request::Modify { request_id, .. }
            | Request::ResolveInDoubt { request_id, .. }
            | Request::Freeze { request_id, .. }
            | Request::Unfreeze { request_id, .. }
            | Request::HandBack { request_id } => *request_id,
        }
    }

    /// What was asked, as a repetition would ask it; the reasons people write are not compared.
    fn repeats(&self, asked: &Asked, epoch: u32) -> bool {
        match (self, asked) {
            (Request::SquareOff { terms, .. }, Asked::SquareOff { terms: before, .. }) => {
                terms == before
            }
            (Request::Cancel { order, .. }, Asked::Cancel { order: before }) => order == before,
            (
                Request::Modify { order, change, .. },
                Asked::Modify {
                    order: order_before,
                    change: change_before,
                },
            ) => (order, change) == (order_before, change_before),
            (
                Request::ResolveInDoubt { order, outcome, .. },
                Asked::ResolveInDoubt {
                    order: order_before,
                    outcome: outcome_before,
                },
            ) => (order, outcome) == (order_before, outcome_before),
            (Request::Freeze { .. }, Asked::Freeze)
            | (Request::Unfreeze { .. }, Asked::Unfreeze) => true,
            (Request::HandBack { .. }, Asked::HandBack { epoch: before }) => epoch == *before,
            (
                Request::SquareOff { .. }
                | Request::Cancel { .. }
                | Request::Modify { .. }
                | Request::ResolveInDoubt { .. }
                | Request::Freeze { .. }
                | Request::Unfreeze { .. }
                | Request::HandBack { .. },
                Asked::SquareOff { .. }
                | Asked::Cancel { .. }
                | Asked::Modify { .. }
                | Asked::ResolveInDoubt { .. }
                | Asked::Freeze
                | Asked::Unfreeze
                | Asked::HandBack { .. },
            ) => false,
        }
    }
}

/// What a decision needs from outside the position, read just before.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub platform: &'a Platform,
    /// Whether the venue's exchange session is logged on.
    pub session_ready: bool,
    /// The instrument's contract of the position's trading date.
    pub contract: Option<&'a Contract>,
    pub now: Timestamp,
    /// How old a reference price may be that a price is made of, in seconds.
    pub reference_age_max_s: u32,
}

/// # Errors
/// The first [`Refusal`] that applies. A request that was accepted before gives no events again, and no refusal.
pub fn decide(
    position: &Position,
    request: &Request,
    context: &Context,
) -> Result<Vec<PositionEvent>, Refusal> {
    match position.requests.get(&request.request_id()) {
        Some(asked) if request.repeats(asked, context.platform.epoch) => return Ok(vec![]),
        Some(_) => return Err(Refusal::RequestIdReused),
        None => {}
    }
    match request {
        Request::SquareOff { request_id, terms } => {
            square_off(position, *request_id, terms, context)
        }
        Request::Cancel { request_id, order } => cancels(position, *request_id, *order),
        Request::Modify {
            request_id,
            order,
            change,
        } => modify(position, *request_id, *order, *change, context),
        Request::ResolveInDoubt {
            request_id,
            order,
            outcome,
            reason,
        } => resolve(position, *request_id, *order, *outcome, reason),
        Request::Freeze { request_id, reason } => {
            let (request_id, reason) = (Some(*request_id), check_reason(reason)?);
            check_known(position)?;
            Ok(vec![PositionEvent::PositionFrozen(PositionFrozen {
                request_id,
                reason,
            })])
        }
        Request::Unfreeze { request_id, reason } => {
            let (request_id, reason) = (*request_id, check_reason(reason)?);
            check_known(position)?;
            if position.frozen.is_none() {
                return Err(Refusal::NotFrozen);
            }
            Ok(vec![PositionEvent::PositionUnfrozen(PositionUnfrozen {
                request_id,
                reason,
            })])
        }
        Request::HandBack { request_id } => hand_back(position, *request_id, context),
    }
}

fn check_known(position: &Position) -> Result<&PositionKey, Refusal> {
    position.key.as_ref().ok_or(Refusal::UnknownPosition)
}

fn check_reason(reason: &str) -> Result<String, Refusal> {
    if reason.trim().is_empty() {
        Err(Refusal::ReasonMissing)
    } else {
        Ok(reason.to_owned())
    }
}

/// Invariant 11: what places or changes an order passes here; what cancels or records never does.
fn check_open<'a>(
    position: &'a Position,
    context: &Context<'a>,
) -> Result<(&'a PositionKey, &'a Contract), Refusal> {
    if context.platform.phase != Phase::Active {
        return Err(Refusal::PlatformNotActive);
    }
    let key = check_known(position)?;
    // An epoch closes one day's positions: yesterday's stream is history.
    if context.platform.trading_date != Some(key.date) {
        return Err(Refusal::UnknownPosition);
    }
    let contract = context
        .contract
        .filter(|contract| contract.trading_date == key.date)
        .ok_or(Refusal::UnknownInstrument)?;
    let gate = context
        .platform
        .gate(key.date, key.venue, contract.segment)
        .map_err(|gate| match gate {
            Gate::NotActive { .. } => Refusal::PlatformNotActive,
            Gate::OtherDate { .. } => Refusal::UnknownPosition,
            Gate::Halted { reason, .. } => Refusal::Halted { reason },
            Gate::MarketNotOpen { phase } => Refusal::MarketNotOpen {
                phase: phase.map_or("nobody has said that it opened", |phase| phase.as_str()),
            },
        });
    gate?;
    if !context.session_ready {
        return Err(Refusal::SessionNotReady);
    }
    if position.handed_back == Some(context.platform.epoch) {
        return Err(Refusal::HandedBack);
    }
    if let Some(reason) = position.frozen.clone() {
        return Err(Refusal::Frozen { reason });
    }
    if let Some(reason) = contract.restricted() {
        return Err(Refusal::InstrumentRestricted { reason });
    }
    Ok((key, contract))
}

fn square_off(
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

fn limit_price(
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
fn check_reference(contract: &Contract, context: &Context) -> Result<(), Refusal> {
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

fn check_price(price: Price, contract: &Contract) -> Result<(), Refusal> {
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

/// Cancelling is always allowed: neither the platform's phase nor the session's state refuses it.
fn cancels(
    position: &Position,
    request_id: RequestId,
    order: Option<OrderId>,
) -> Result<Vec<PositionEvent>, Refusal> {
    let key = check_known(position)?;
    if let Some(id) = order {
        let order = position.orders.get(&id).ok_or(Refusal::UnknownOrder)?;
        check_cancel(order)?;
        let asked = Some((request_id, Scope::ThisOrder));
        return Ok(vec![cancel(id, order, key, asked)]);
    }
    let asked = Some((request_id, Scope::EveryOrder));
    let events: Vec<_> = position
        .orders
        .iter()
        .filter(|(_, order)| check_cancel(order).is_ok())
        .map(|(id, order)| cancel(*id, order, key, asked))
        .collect();
    if events.is_empty() {
        Err(Refusal::NothingToCancel)
    } else {
        Ok(events)
    }
}

fn modify(
    position: &Position,
    request_id: RequestId,
    order_id: OrderId,
    change: Change,
    context: &Context,
) -> Result<Vec<PositionEvent>, Refusal> {
    let (key, contract) = check_open(position, context)?;
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
fn check_modify(order: &Order) -> Result<(), Refusal> {
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
fn changed_quantity(
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

fn resolve(
    position: &Position,
    request_id: RequestId,
    order_id: OrderId,
    outcome: Outcome,
    reason: &str,
) -> Result<Vec<PositionEvent>, Refusal> {
    let reason = check_reason(reason)?;
    check_known(position)?;
    let order = position
        .orders
        .get(&order_id)
        .ok_or(Refusal::UnknownOrder)?;
    if order.leaves().is_zero() {
        let status = order.status();
        return Err(Refusal::OrderEnded { status });
    }
    if !order.in_doubt {
        return Err(Refusal::NotInDoubt);
    }
    let request_id = Some(request_id);
    Ok(vec![PositionEvent::InDoubtResolved(InDoubtResolved {
        order_id,
        outcome,
        request_id,
        reason,
    })])
}

/// The position goes back only when nothing of ours may still change it.
fn hand_back(
    position: &Position,
    request_id: RequestId,
    context: &Context,
) -> Result<Vec<PositionEvent>, Refusal> {
    check_known(position)?;
    let epoch = context.platform.epoch;
    if position.handed_back == Some(epoch) {
        return Err(Refusal::HandedBack);
    }
    let may_fill = |order: &&Order| order.is_ours() && !order.leaves().is_zero();
    let orders = position.orders.values().filter(may_fill).count();
    if orders > 0 {
        let orders = u32::try_from(orders).unwrap_or(u32::MAX);
        return Err(Refusal::OrdersWorking { orders });
    }
    let live = |trade: &super::state::Trade| !trade.live_quantity().is_zero();
    let executions = position
        .trades()
        .iter()
        .filter(|(_, trade)| live(trade))
        .count();
    Ok(vec![PositionEvent::PositionHandedBack(
        PositionHandedBack {
            request_id,
            epoch,
            net: position.net,
            executions: u32::try_from(executions).unwrap_or(u32::MAX),
        },
    )])
}
