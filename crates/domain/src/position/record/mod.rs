//! The outside tells: a report is a fact and can't be refused. What is new is recorded, what contradicts becomes an event of its
//! own and freezes the position, and a report seen before gives no events.

mod consequences;
mod exchange;
mod primary;

use super::event::*;
use super::evolve::evolve;
use super::order::{Ended, Order};
use super::report::Report;
use super::state::{Confirmation, Position};
use crate::amount::{NetQuantity, Price, Quantity};
use crate::id::{ClOrdId, ExecutionKey, OrderId};
use consequences::{filled_before, freeze_turned, overfills, release_cancels, restore_exposure};
use exchange::{cancel_throttled, change_rejected, execution, not_delivered, proves_delivery};
use primary::{bod, external_order, primary_trade, session_ended};

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
        Report::CancelThrottled { cl_ord_id, text } => {
            about_order(position, cl_ord_id, report, |order_id, order| {
                cancel_throttled(position, order_id, order, cl_ord_id, text)
            })
        }
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
        Report::Differs { cl_ord_id, reason } => {
            about_order(position, cl_ord_id, report, |order_id, _| {
                if position.contradictions.contains(reason) {
                    return vec![];
                }
                let report = reason.clone();
                let told = ReportContradicted { order_id, report };
                let event = PositionEvent::ReportContradicted(told);
                contradicts(position, event, reason.clone())
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

fn once_if(new: bool, event: PositionEvent) -> Vec<PositionEvent> {
    if new { vec![event] } else { vec![] }
}
