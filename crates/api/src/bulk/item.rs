//! One position of a bulk: what is asked of it, where that stands, and what became of it. Pure, so that a restart derives it again.

use squareoff_domain::bulk::BulkOutcome;
use squareoff_domain::position::{
    Asked, Context, Order, OrderStatus, Position, PositionEvent, Request, SquareOffTerms, Wanted,
    decide,
};
use squareoff_domain::{OrderId, Quantity, Refusal, RequestId};

/// Cancels of one append: below what the log takes at once. No position in earnest has a tenth of it.
const CANCELS_MAX: usize = 1_000;

/// Where a request to close stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// The position knows nothing of it.
    Unasked,
    /// An order of it may still fill.
    Working,
    Ended,
}

pub fn stand(position: &Position, request: RequestId) -> Stand {
    match position.requests.get(&request) {
        None => Stand::Unasked,
        Some(_) if orders(position, request).any(|order| !order.leaves().is_zero()) => {
            Stand::Working
        }
        Some(_) => Stand::Ended,
    }
}

fn orders(position: &Position, request: RequestId) -> impl Iterator<Item = &Order> {
    let placed = match position.requests.get(&request) {
        Some(Asked::SquareOff { orders, .. }) => orders.as_slice(),
        _ => &[],
    };
    placed.iter().filter_map(|id| position.orders.get(id))
}

/// Asks to close what is open; of an odd lot its whole lots. Asked before: no events.
///
/// # Errors
/// The position's refusal.
pub fn square_off(
    position: &Position,
    request_id: RequestId,
    terms: &SquareOffTerms,
    context: &Context,
) -> Result<Vec<PositionEvent>, Refusal> {
    if position.requests.contains_key(&request_id) {
        return Ok(vec![]);
    }
    let ask = |quantity| {
        let terms = SquareOffTerms {
            quantity,
            ..terms.clone()
        };
        decide(position, &Request::SquareOff { request_id, terms }, context)
    };
    match ask(Wanted::All) {
        Err(Refusal::OddLot { whole, .. }) if !whole.is_zero() => ask(Wanted::Units(whole.units())),
        answer => answer,
    }
}

/// Asks to cancel the orders that are `wanted` and can be. Asked before: no events.
pub fn cancel(
    position: &Position,
    request_id: RequestId,
    wanted: impl Fn(OrderId, &Order) -> bool,
    context: &Context,
) -> Vec<PositionEvent> {
    if position.requests.contains_key(&request_id) {
        return vec![];
    }
    let ask = |(id, _): (&OrderId, &Order)| {
        let order = Some(*id);
        let request = Request::Cancel { request_id, order };
        // What has ended or is being cancelled needs no cancel.
        decide(position, &request, context).unwrap_or_default()
    };
    let orders = position.orders.iter();
    let working = orders.filter(|(id, order)| !order.leaves().is_zero() && wanted(**id, order));
    working.take(CANCELS_MAX).flat_map(ask).collect()
}

/// The orders of a position that still work, but for those in doubt: nobody can say of them when they end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Works {
    /// No cancel of them is on its way: none was asked for, or the venue refused.
    pub standing: usize,
    /// A cancel is on its way.
    pub cancelling: usize,
}

pub fn works(position: &Position, wanted: impl Fn(&Order) -> bool) -> Works {
    let mut works = Works::default();
    let orders = position.orders.values();
    let working = orders.filter(|order| !order.leaves().is_zero() && !order.in_doubt);
    for order in working.filter(|order| wanted(order)) {
        if order.cancel_pending() {
            works.cancelling += 1;
        } else {
            works.standing += 1;
        }
    }
    works
}

/// Whether the request's orders ended for a reason that another try may not meet again: lost on the way, or not filled in time.
pub fn may_try_again(position: &Position, request: RequestId) -> bool {
    let passing = |order: &Order| match order.status() {
        OrderStatus::Filled | OrderStatus::NotDelivered | OrderStatus::Expired => true,
        OrderStatus::Placed
        | OrderStatus::Sent
        | OrderStatus::New
        | OrderStatus::PartiallyFilled
        | OrderStatus::Frozen
        | OrderStatus::PendingReplace
        | OrderStatus::PendingCancel
        | OrderStatus::InDoubt
        | OrderStatus::Canceled
        | OrderStatus::Rejected => false,
    };
    let unfilled = orders(position, request).any(|order| !order.is_filled());
    unfilled && orders(position, request).all(passing)
}

/// What became of the item once nothing of it works; `requests` are its attempts, the last of them last.
pub fn outcome(position: &Position, requests: &[RequestId]) -> BulkOutcome {
    let ours = requests
        .iter()
        .flat_map(|request| orders(position, *request));
    let quantity: Quantity = ours.map(|order| order.cumulative).sum();
    let left = position.net.open();
    if !left.is_zero() {
        let reason = reason(position, requests);
        BulkOutcome::Failed { left, reason }
    } else if quantity.is_zero() {
        BulkOutcome::NothingToDo
    } else {
        BulkOutcome::Closed { quantity }
    }
}

fn reason(position: &Position, requests: &[RequestId]) -> String {
    let last = requests.last().copied();
    let unfilled = last.and_then(|request| {
        orders(position, request)
            .map(Order::status)
            .find(|status| *status != OrderStatus::Filled)
    });
    let asked = last.and_then(|request| position.requests.get(&request));
    match (unfilled, asked) {
        (Some(status), _) => format!("an order of it is {}", status.as_str()),
        // Only an odd lot is asked for in units.
        (None, Some(Asked::SquareOff { terms, .. })) if terms.quantity != Wanted::All => {
            "what is left is an odd lot, which no order can close".to_owned()
        }
        (None, _) => "the position changed while it was being closed".to_owned(),
    }
}

/// What a refusal means for the item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It passes by itself: the whole venue or segment waits.
    Passing,
    Settled(BulkOutcome),
}

/// A refusal that is about the venue and not about the position passes; all others stand.
pub fn refused(refusal: &Refusal) -> Refused {
    let code = refusal.code().to_owned();
    match refusal {
        Refusal::SessionNotReady | Refusal::MarketNotOpen { .. } | Refusal::Halted { .. } => {
            Refused::Passing
        }
        Refusal::NothingToClose { open, .. } if open.is_zero() => {
            Refused::Settled(BulkOutcome::NothingToDo)
        }
        Refusal::NothingToClose { .. }
        | Refusal::RequestIdReused
        | Refusal::ReasonMissing
        | Refusal::PlatformNotActive
        | Refusal::UnknownPosition
        | Refusal::UnknownInstrument
        | Refusal::HandedBack
        | Refusal::Frozen { .. }
        | Refusal::InstrumentRestricted { .. }
        | Refusal::QuantityNotPositive
        | Refusal::ExceedsOpenQuantity { .. }
        | Refusal::OddLot { .. }
        | Refusal::NotWholeLots { .. }
        | Refusal::FreezeBelowLot { .. }
        | Refusal::TooManySlices { .. }
        | Refusal::UnknownOrder
        | Refusal::NotOurOrder
        | Refusal::OrderEnded { .. }
        | Refusal::NotInDoubt
        | Refusal::OrderInDoubt
        | Refusal::CancelPending
        | Refusal::ReplacePending
        | Refusal::NotAcknowledged
        | Refusal::TooManyCancels { .. }
        | Refusal::TooManyReplaces { .. }
        | Refusal::NothingToChange
        | Refusal::QuantityNotLower { .. }
        | Refusal::QuantityNotAboveFilled { .. }
        | Refusal::NothingToCancel
        | Refusal::StaleReference { .. }
        | Refusal::PriceOffTick { .. }
        | Refusal::PriceOutOfBand { .. }
        | Refusal::PriceOutOfProtection { .. }
        | Refusal::NotFrozen
        | Refusal::OrdersWorking { .. } => Refused::Settled(BulkOutcome::Refused { code }),
    }
}
