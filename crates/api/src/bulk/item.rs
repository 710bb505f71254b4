//! One position of a bulk: what is asked of it, where that stands, and what became of it. Pure, so that a restart derives it again.

use squareoff_domain::bulk::BulkOutcome;
use squareoff_domain::position::{
    Asked, Change, Context, Order, OrderStatus, Position, PositionEvent, Request, SquareOffTerms,
    Wanted, decide, price,
};
use squareoff_domain::{OrderId, Price, Quantity, Refusal, RequestId, Side};

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

fn placed(position: &Position, request: RequestId) -> &[OrderId] {
    match position.requests.get(&request) {
        Some(Asked::SquareOff { orders, .. }) => orders,
        _ => &[],
    }
}

fn orders(position: &Position, request: RequestId) -> impl Iterator<Item = &Order> {
    let placed = placed(position, request).iter();
    placed.filter_map(|id| position.orders.get(id))
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

/// Times that an order of an item is priced anew while it rests. Each costs a message and its place in the book; then a person looks.
pub const REPRICES_MAX: usize = 3;

/// Whether the request's orders ended for a reason that another try may not meet again: lost on the way, not filled in time, or refused
/// by the venue at a price that the policy would not give now, because the contract file was told anew.
pub fn may_try_again(
    position: &Position,
    request: RequestId,
    terms: &SquareOffTerms,
    context: &Context,
) -> bool {
    let passing = |order: &Order| match order.status() {
        OrderStatus::Filled | OrderStatus::NotDelivered | OrderStatus::Expired => true,
        OrderStatus::Rejected => {
            price(terms.price, order.side, context).is_ok_and(|price| price != order.price)
        }
        OrderStatus::Placed
        | OrderStatus::Sent
        | OrderStatus::New
        | OrderStatus::PartiallyFilled
        | OrderStatus::Frozen
        | OrderStatus::PendingReplace
        | OrderStatus::PendingCancel
        | OrderStatus::InDoubt
        | OrderStatus::Canceled => false,
    };
    let unfilled = orders(position, request).any(|order| !order.is_filled());
    unfilled && orders(position, request).all(passing)
}

/// The orders of the request that rest at a price which the policy would give nearer to the market now, as they would be changed.
pub fn reprices(
    position: &Position,
    request: RequestId,
    terms: &SquareOffTerms,
    context: &Context,
) -> Vec<(OrderId, Price)> {
    let placed = placed(position, request).iter();
    let working = placed.filter_map(|id| {
        let order = position.orders.get(id)?;
        let rests = order.acknowledged && !order.leaves().is_zero() && !order.replace_pending();
        let priced = price(terms.price, order.side, context).ok()?;
        let nearer = match order.side {
            Side::Buy => priced > order.price,
            Side::Sell => priced < order.price,
        };
        (rests && nearer && order.replaces.len() < REPRICES_MAX).then_some((*id, priced))
    });
    working.collect()
}

/// Asks to change an order's price. Asked before, or not possible now: no events.
pub fn reprice(
    position: &Position,
    request_id: RequestId,
    (order, price): (OrderId, Price),
    context: &Context,
) -> Vec<PositionEvent> {
    if position.requests.contains_key(&request_id) {
        return vec![];
    }
    let change = Change {
        price: Some(price),
        quantity: None,
    };
    let request = Request::Modify {
        request_id,
        order,
        change,
    };
    // It has filled or is being cancelled, or the market is shut: it is looked at again.
    decide(position, &request, context).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;
    use squareoff_domain::platform::Platform;
    use squareoff_domain::position::{
        BodLoaded, OrderAcknowledged, OrderPlaced, PricePolicy, ReplaceRejected, ReplaceRequested,
        SquareOffAccepted, TimeInForce, evolve,
    };
    use squareoff_domain::reference::InstrumentKind;
    use squareoff_domain::{
        ClOrdId, Contract, NetQuantity, PositionKey, Product, Segment, Timestamp, Venue,
    };
    use uuid::Uuid;

    const REQUEST: RequestId = RequestId(Uuid::nil());

    fn terms() -> SquareOffTerms {
        SquareOffTerms {
            quantity: Wanted::All,
            price: PricePolicy::MarketableLimit,
            time_in_force: TimeInForce::Day,
            evidence: None,
        }
    }

    fn key() -> PositionKey {
        PositionKey {
            date: "2026-11-20".parse().unwrap(),
            client: "C00001".parse().unwrap(),
            venue: Venue::Nse,
            symbol: "RELIANCE".parse().unwrap(),
            product: Product::Mis,
        }
    }

    /// Ten units that a resting order of `side` closes at 100.00, changed in vain `replaces` times.
    fn resting(side: Side, replaces: usize) -> (Position, OrderId) {
        let key = key();
        let order_id = OrderId::of_slice(&key, REQUEST, 0);
        let cl_ord_id = ClOrdId::mint(1, order_id);
        let (quantity, price) = (Quantity::new(10).unwrap(), Price(1_000_000));
        let net = if side == Side::Sell { 10 } else { -10 };
        let mut events = vec![
            PositionEvent::BodLoaded(BodLoaded {
                key: key.clone(),
                quantity: NetQuantity(net),
                average_price: price,
                source: "test".into(),
            }),
            PositionEvent::SquareOffAccepted(SquareOffAccepted {
                request_id: REQUEST,
                terms: terms(),
                side,
                quantity,
                slices: 1,
                reference_version: "first".into(),
            }),
            PositionEvent::OrderPlaced(OrderPlaced {
                order_id,
                request_id: REQUEST,
                cl_ord_id: cl_ord_id.clone(),
                key: key.clone(),
                side,
                quantity,
                price,
                time_in_force: TimeInForce::Day,
                slice: 1,
                slices: 1,
            }),
            PositionEvent::OrderAcknowledged(OrderAcknowledged {
                order_id,
                exchange_order_id: "X1".parse().unwrap(),
            }),
        ];
        for number in 1..=u32::try_from(replaces).unwrap() {
            events.push(PositionEvent::ReplaceRequested(ReplaceRequested {
                order_id,
                request_id: RequestId(Uuid::from_u128(number.into())),
                change: Change {
                    price: Some(price),
                    quantity: None,
                },
                cl_ord_id: cl_ord_id.replace(number),
                original_cl_ord_id: cl_ord_id.clone(),
                exchange_order_id: None,
                key: key.clone(),
                side,
                quantity,
                price,
                time_in_force: TimeInForce::Day,
                reference_version: "first".into(),
            }));
            events.push(PositionEvent::ReplaceRejected(ReplaceRejected {
                order_id,
                cl_ord_id: cl_ord_id.replace(number),
                code: 99,
                text: "no".into(),
            }));
        }
        (events.iter().fold(Position::default(), evolve), order_id)
    }

    /// Protection 3.00, reference an hour old.
    fn contract(reference_price: i64) -> Contract {
        Contract {
            trading_date: key().date,
            venue: Venue::Nse,
            segment: Segment::Cash,
            symbol: key().symbol,
            kind: InstrumentKind::Equity,
            expiry: None,
            strike: None,
            option_type: None,
            lot: Quantity::new(1).unwrap(),
            tick: Price(500),
            freeze: Quantity::new(1_000).unwrap(),
            band_low: Price(800_000),
            band_high: Price(1_200_000),
            reference_price: Price(reference_price),
            reference_at: Timestamp(0),
            price_protection: Price(30_000),
            protection_range: None,
            restriction: None,
            version: "second".into(),
        }
    }

    #[test]
    fn a_resting_order_is_priced_anew_towards_the_market_by_a_fresh_reference_and_not_for_ever() {
        for (side, reference, replaces, age_max_s, wanted) in [
            (Side::Sell, 1_000_000, 0, 7_200, Some(970_000)),
            (Side::Sell, 900_000, 2, 7_200, Some(870_000)),
            (Side::Sell, 1_030_000, 0, 7_200, None),
            (Side::Sell, 1_100_000, 0, 7_200, None),
            (Side::Buy, 1_000_000, 0, 7_200, Some(1_030_000)),
            (Side::Buy, 900_000, 0, 7_200, None),
            (Side::Sell, 900_000, 0, 60, None),
            (Side::Sell, 900_000, REPRICES_MAX, 7_200, None),
        ] {
            let (position, order) = resting(side, replaces);
            let (platform, contract) = (Platform::default(), contract(reference));
            let context = Context {
                platform: &platform,
                session_ready: true,
                contract: Some(&contract),
                now: Timestamp(3_600_000_000_000),
                reference_age_max_s: age_max_s,
            };
            let wanted: Vec<_> = wanted
                .map(|price| (order, Price(price)))
                .into_iter()
                .collect();
            let came = reprices(&position, REQUEST, &terms(), &context);
            assert_eq!(came, wanted, "{side:?} {reference} {replaces} {age_max_s}");
        }
    }
}
