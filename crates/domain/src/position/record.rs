//! The outside tells: a report is a fact and can't be refused. What is new is recorded, what contradicts becomes an event of its
//! own and freezes the position, and a report seen before gives no events.

use super::cancel::{cancel, check_cancel};
use super::event::*;
use super::evolve::evolve;
use super::order::{CancelState, Ended, Order, ReplaceState};
use super::report::{Execution, ExecutionReport, Report, UNKNOWN_ORDER};
use super::state::{Confirmation, Corrected, Position};
use crate::amount::{NetQuantity, Price, Quantity};
use crate::id::{ClOrdId, ExecutionKey, OrderId};
use std::collections::BTreeMap;

pub fn record(position: &Position, report: &Report) -> Vec<PositionEvent> {
    record_all(position, [report])
}

/// The same for several reports in their order, each told to the state that those before it left.
pub fn record_all<'a>(
    position: &Position,
    reports: impl IntoIterator<Item = &'a Report>,
) -> Vec<PositionEvent> {
    let mut state = position.clone();
    let mut events = Vec::new();
    let mut tell = |state: Position, new: Vec<PositionEvent>| {
        let state = new.iter().fold(state, evolve);
        events.extend(new);
        state
    };
    for report in reports {
        let new = facts(&state, report);
        if new.is_empty() {
            continue;
        }
        let before = state.net;
        let filled = filled_before(&state, &new);
        state = tell(state, new);
        let overfilled = overfills(&state, &filled);
        state = tell(state, overfilled);
        let frozen = freeze_turned(&state, before);
        state = tell(state, frozen);
        let released = release_cancels(&state);
        state = tell(state, released);
        let restored = restore_exposure(&state);
        state = tell(state, restored);
    }
    events
}

fn facts(position: &Position, report: &Report) -> Vec<PositionEvent> {
    match report {
        Report::Bod {
            key,
            quantity,
            average_price,
            source,
        } => {
            let loaded = BodLoaded {
                key: key.clone(),
                quantity: *quantity,
                average_price: *average_price,
                source: source.clone(),
            };
            bod(position, loaded)
        }
        Report::PrimaryTrade {
            key,
            execution,
            side,
            quantity,
            price,
            traded_at,
            source,
        } => {
            let trade = PrimaryTradeApplied {
                key: key.clone(),
                execution: execution.clone(),
                side: *side,
                quantity: *quantity,
                price: *price,
                traded_at: *traded_at,
                source: source.clone(),
            };
            primary_trade(position, trade)
        }
        Report::ExternalOrder { order, ended } => external_order(position, order, *ended),
        Report::DropCopy {
            execution,
            side,
            quantity,
            price,
            source,
        } => {
            let confirmation = Confirmation {
                side: *side,
                quantity: *quantity,
                price: *price,
            };
            let told = position.confirmations.get(execution);
            let known = told.is_some_and(|told| told.contains(&confirmation));
            let confirmed = TradeConfirmed {
                execution: execution.clone(),
                side: *side,
                quantity: *quantity,
                price: *price,
                source: source.clone(),
            };
            once_if(!known, PositionEvent::TradeConfirmed(confirmed))
        }
        Report::SessionEnded => session_ended(position),
        Report::Dispatched {
            cl_ord_id,
            session,
            sequence,
        } => about_order(position, cl_ord_id, report, |order_id, order| {
            let of_the_order = order.cl_ord_id == *cl_ord_id;
            let dispatched = OrderDispatched {
                order_id,
                session: session.clone(),
                sequence: *sequence,
            };
            let event = PositionEvent::OrderDispatched(dispatched);
            once_if(of_the_order && !order.dispatched, event)
        }),
        Report::DroppedUnsent { cl_ord_id } => {
            about_order(position, cl_ord_id, report, |order_id, order| {
                let by = CanceledBy::GatewayUnsent;
                let event = PositionEvent::OrderCanceled(OrderCanceled { order_id, by });
                once_if(!order.ended.contains(&Ended::Canceled), event)
            })
        }
        Report::Execution(told) => {
            about_order(position, &told.cl_ord_id, report, |order_id, order| {
                let mut events = execution(position, order_id, order, told, report);
                let lives = order.ended.contains(&Ended::NotDelivered)
                    && events.iter().any(proves_delivery);
                if lives {
                    let reason =
                        "the exchange reports on an order that was said never to have reached it";
                    events.extend(freeze(position, reason.to_owned()));
                }
                if order.in_doubt {
                    events.push(PositionEvent::InDoubtResolved(InDoubtResolved {
                        order_id,
                        outcome: Outcome::Delivered,
                        request_id: None,
                        reason: "the exchange reported on it".to_owned(),
                    }));
                }
                events
            })
        }
        Report::CancelRejected {
            cl_ord_id,
            code,
            text,
        } => about_order(position, cl_ord_id, report, |order_id, order| {
            change_rejected(order_id, order, cl_ord_id, *code, text)
        }),
        Report::NotDelivered { cl_ord_id } => {
            about_order(position, cl_ord_id, report, |order_id, order| {
                not_delivered(position, order_id, order, cl_ord_id, report)
            })
        }
        Report::InDoubt { cl_ord_id, reason } => {
            about_order(position, cl_ord_id, report, |order_id, order| {
                let reason = reason.clone();
                let event = PositionEvent::OrderInDoubt(OrderInDoubt { order_id, reason });
                once_if(!order.in_doubt && !order.leaves().is_zero(), event)
            })
        }
    }
}

/// The events of a report about an order; one about an order this position never had is kept once.
fn about_order(
    position: &Position,
    cl_ord_id: &ClOrdId,
    report: &Report,
    events: impl FnOnce(OrderId, &Order) -> Vec<PositionEvent>,
) -> Vec<PositionEvent> {
    if let Some((order_id, order)) = position.order_of(cl_ord_id) {
        return events(order_id, order);
    }
    let report = format!("{report:?}");
    let known = position.contradictions.contains(&report);
    let cl_ord_id = cl_ord_id.clone();
    let unknown = UnknownOrderReported { cl_ord_id, report };
    once_if(!known, PositionEvent::UnknownOrderReported(unknown))
}

fn bod(position: &Position, loaded: BodLoaded) -> Vec<PositionEvent> {
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

fn primary_trade(position: &Position, trade: PrimaryTradeApplied) -> Vec<PositionEvent> {
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

fn external_order(
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

fn session_ended(position: &Position) -> Vec<PositionEvent> {
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

fn execution(
    position: &Position,
    order_id: OrderId,
    order: &Order,
    report: &ExecutionReport,
    told: &Report,
) -> Vec<PositionEvent> {
    let exchange_order_id = report.exchange_order_id.clone();
    let end = |ended: Ended, event| once_if(!order.ended.contains(&ended), event);
    match &report.execution {
        Execution::New => {
            let acknowledged = OrderAcknowledged {
                order_id,
                exchange_order_id,
            };
            let new = !order.acknowledged;
            once_if(new, PositionEvent::OrderAcknowledged(acknowledged))
        }
        Execution::Frozen { text } => {
            let text = text.clone();
            let frozen = OrderFrozen {
                order_id,
                exchange_order_id,
                text,
            };
            once_if(!order.held, PositionEvent::OrderFrozen(frozen))
        }
        Execution::Canceled => {
            let by = CanceledBy::Venue;
            let told = PositionEvent::OrderCanceled(OrderCanceled { order_id, by });
            end(Ended::Canceled, told)
        }
        Execution::Expired => {
            let by = ExpiredBy::Venue;
            let told = PositionEvent::OrderExpired(OrderExpired { order_id, by });
            end(Ended::Expired, told)
        }
        Execution::Rejected { code, text } => {
            let (code, text) = (*code, text.clone());
            let mut events = end(
                Ended::Rejected,
                PositionEvent::OrderRejected(OrderRejected {
                    order_id,
                    code,
                    text,
                }),
            );
            if !events.is_empty() && !order.cumulative.is_zero() {
                let reason = "an order that the exchange had filled was rejected";
                events.extend(freeze(position, reason.to_owned()));
            }
            events
        }
        Execution::Fill {
            key,
            quantity,
            price,
        } => fill(position, order_id, order, report, (key, *quantity, *price)),
        Execution::Busted { execution } => {
            let known = position.busted.contains(execution);
            let execution = execution.clone();
            let told = ExecutionBusted {
                order_id,
                execution,
            };
            once_if(!known, PositionEvent::ExecutionBusted(told))
        }
        Execution::Corrected {
            execution,
            correction,
            quantity,
            price,
            at,
        } => {
            let corrected = Corrected {
                at: *at,
                quantity: *quantity,
                price: *price,
            };
            let told = position.corrections.get(execution);
            match told.and_then(|corrections| corrections.get(correction)) {
                Some(before) if *before == corrected => vec![],
                Some(_) => conflict(position, order_id, correction, *quantity, *price),
                // One ExecID, one report: that of an execution, or of a correction of another, can't be this one's.
                None if correction == execution
                    || position.executions.contains_key(correction)
                    || position.is_correction(correction) =>
                {
                    conflict(position, order_id, correction, *quantity, *price)
                }
                None => vec![PositionEvent::ExecutionCorrected(ExecutionCorrected {
                    order_id,
                    execution: execution.clone(),
                    correction: correction.clone(),
                    quantity: *quantity,
                    price: *price,
                    at: *at,
                })],
            }
        }
        Execution::Replaced { quantity, price } => {
            let cl_ord_id = report.cl_ord_id.clone();
            let replace = order.replaces.get(&cl_ord_id);
            let (quantity, price) = (*quantity, *price);
            let now = ReplaceState::Accepted { quantity, price };
            match replace.map(|replace| &replace.state) {
                Some(ReplaceState::Accepted { .. })
                    if replace.is_some_and(|is| is.state == now) =>
                {
                    vec![]
                }
                // Another content under an id that was answered, or an id that is none of a replace's.
                Some(ReplaceState::Accepted { .. }) | None => {
                    contradicted(position, order_id, told)
                }
                Some(
                    ReplaceState::Pending | ReplaceState::Rejected | ReplaceState::NotDelivered,
                ) => {
                    vec![PositionEvent::OrderReplaced(OrderReplaced {
                        order_id,
                        cl_ord_id,
                        quantity,
                        price,
                    })]
                }
            }
        }
    }
}

fn fill(
    position: &Position,
    order_id: OrderId,
    order: &Order,
    report: &ExecutionReport,
    (key, quantity, price): (&ExecutionKey, Quantity, Price),
) -> Vec<PositionEvent> {
    if let Some(booked) = position.executions.get(key) {
        let same = (booked.side, booked.quantity, booked.price) == (order.side, quantity, price);
        match booked.order {
            Some(booked_on) if booked_on == order_id && same => return vec![],
            // The primary's word of the trade came first: now it is known whose order it was.
            None if same => {}
            Some(_) | None => return conflict(position, order_id, key, quantity, price),
        }
    } else if position.is_correction(key) {
        return conflict(position, order_id, key, quantity, price);
    }
    let mut events = vec![PositionEvent::Executed(Executed {
        order_id,
        execution: key.clone(),
        exchange_order_id: report.exchange_order_id.clone(),
        side: order.side,
        quantity,
        price,
        venue_cumulative: report.cumulative,
        venue_leaves: report.leaves,
        late: !order.ended.is_empty(),
    })];
    if order.ended.contains(&Ended::Rejected) {
        let reason = "an order that the exchange had rejected was filled";
        events.extend(freeze(position, reason.to_owned()));
    }
    events
}

/// The venue would not cancel or replace. When it doesn't even know an order that we think works, that order is in doubt.
fn change_rejected(
    order_id: OrderId,
    order: &Order,
    cl_ord_id: &ClOrdId,
    code: i64,
    text: &str,
) -> Vec<PositionEvent> {
    let (id, text) = (cl_ord_id.clone(), text.to_owned());
    let mut events = if cancel_waits(order, cl_ord_id) {
        let told = CancelRejected {
            order_id,
            cl_ord_id: id,
            code,
            text,
        };
        vec![PositionEvent::CancelRejected(told)]
    } else if replace_waits(order, cl_ord_id) {
        let told = ReplaceRejected {
            order_id,
            cl_ord_id: id,
            code,
            text,
        };
        vec![PositionEvent::ReplaceRejected(told)]
    } else {
        return vec![];
    };
    if code == UNKNOWN_ORDER && !order.leaves().is_zero() && !order.in_doubt {
        let reason = "the exchange says that it does not know the order".to_owned();
        let doubt = OrderInDoubt { order_id, reason };
        events.push(PositionEvent::OrderInDoubt(doubt));
    }
    events
}

fn not_delivered(
    position: &Position,
    order_id: OrderId,
    order: &Order,
    cl_ord_id: &ClOrdId,
    report: &Report,
) -> Vec<PositionEvent> {
    let id = cl_ord_id.clone();
    if order.cl_ord_id == *cl_ord_id {
        if order.lost {
            vec![]
        } else if order.acknowledged || order.held {
            contradicted(position, order_id, report)
        } else {
            vec![PositionEvent::OrderNotDelivered(OrderNotDelivered {
                order_id,
            })]
        }
    } else if cancel_waits(order, cl_ord_id) {
        let lost = CancelNotDelivered {
            order_id,
            cl_ord_id: id,
        };
        vec![PositionEvent::CancelNotDelivered(lost)]
    } else if replace_waits(order, cl_ord_id) {
        let lost = ReplaceNotDelivered {
            order_id,
            cl_ord_id: id,
        };
        vec![PositionEvent::ReplaceNotDelivered(lost)]
    } else {
        vec![]
    }
}

/// An execution key with a second content: what was booked stays, and a person has to look.
fn conflict(
    position: &Position,
    order_id: OrderId,
    key: &ExecutionKey,
    quantity: Quantity,
    price: Price,
) -> Vec<PositionEvent> {
    let told = execution_contradiction(key, order_id, quantity, price);
    if position.contradictions.contains(&told) {
        return vec![];
    }
    let conflict = ExecutionConflicted {
        order_id,
        execution: key.clone(),
        quantity,
        price,
    };
    let reason = format!("execution {key} was told twice with different contents");
    contradicts(
        position,
        PositionEvent::ExecutionConflicted(conflict),
        reason,
    )
}

/// A report that can't be true beside what was told before, kept once: a person has to look.
fn contradicted(position: &Position, order_id: OrderId, report: &Report) -> Vec<PositionEvent> {
    let report = format!("{report:?}");
    if position.contradictions.contains(&report) {
        return vec![];
    }
    let reason = "the exchange contradicts what it said of an order before".to_owned();
    let told = ReportContradicted { order_id, report };
    contradicts(position, PositionEvent::ReportContradicted(told), reason)
}

fn contradicts(position: &Position, event: PositionEvent, reason: String) -> Vec<PositionEvent> {
    let mut events = vec![event];
    events.extend(freeze(position, reason));
    events
}

fn freeze(position: &Position, reason: String) -> Vec<PositionEvent> {
    let request_id = None;
    let frozen = PositionEvent::PositionFrozen(PositionFrozen { request_id, reason });
    once_if(position.frozen.is_none(), frozen)
}

/// What only an order that the venue has can bring about.
fn proves_delivery(event: &PositionEvent) -> bool {
    matches!(
        event,
        PositionEvent::OrderAcknowledged(_)
            | PositionEvent::OrderFrozen(_)
            | PositionEvent::OrderReplaced(_)
            | PositionEvent::Executed(_)
    )
}

/// How much had filled of the orders that `events` are about.
fn filled_before(position: &Position, events: &[PositionEvent]) -> BTreeMap<OrderId, Quantity> {
    events
        .iter()
        .filter_map(PositionEvent::order_id)
        .filter_map(|id| Some((id, position.orders.get(&id)?.cumulative)))
        .collect()
}

/// A fill or a correction took an order beyond its quantity.
fn overfills(position: &Position, before: &BTreeMap<OrderId, Quantity>) -> Vec<PositionEvent> {
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
fn freeze_turned(position: &Position, before: NetQuantity) -> Vec<PositionEvent> {
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
fn release_cancels(position: &Position) -> Vec<PositionEvent> {
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
fn restore_exposure(position: &Position) -> Vec<PositionEvent> {
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

/// How a BOD line that contradicts is remembered.
pub(super) fn bod_contradiction(quantity: NetQuantity, average_price: Price) -> String {
    format!("bod {quantity} {average_price}")
}

/// How an execution that contradicts is remembered.
pub(super) fn execution_contradiction(
    key: &ExecutionKey,
    order: OrderId,
    quantity: Quantity,
    price: Price,
) -> String {
    format!("execution {key} {order} {quantity} {price}")
}

fn cancel_waits(order: &Order, id: &ClOrdId) -> bool {
    order.cancels.get(id) == Some(&CancelState::Pending)
}

fn replace_waits(order: &Order, id: &ClOrdId) -> bool {
    let replace = order.replaces.get(id);
    replace.is_some_and(|replace| replace.state == ReplaceState::Pending)
}

fn once_if(new: bool, event: PositionEvent) -> Vec<PositionEvent> {
    if new { vec![event] } else { vec![] }
}
