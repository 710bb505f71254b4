//! One position: requests, reports in any order and number, a changing platform and contract, and events that nobody decided.

use super::event::{self, any_event};
use super::script::Script;
use super::universe::{self, REASONS};
use squareoff_domain::platform::Platform;
use squareoff_domain::position::*;
use squareoff_domain::reference::Contract;
use squareoff_domain::{ClOrdId, NetQuantity, OrderId, Price, Side, Timestamp};

any_event! {
    PositionEvent:
    BodLoaded BodContradicted PrimaryTradeApplied ExternalOrderObserved ExternalOrderUpdated SquareOffAccepted OrderPlaced
    OrderDispatched OrderAcknowledged OrderFrozen OrderRejected Executed ExecutionConflicted ExecutionBusted ExecutionCorrected
    TradeConfirmed OverfillDetected CancelRequested CancelQueued CancelRejected CancelNotDelivered ReplaceRequested OrderReplaced
    ReplaceRejected ReplaceNotDelivered OrderCanceled OrderExpired OrderNotDelivered OrderInDoubt InDoubtResolved ExposureBreached
    PositionFrozen PositionUnfrozen PositionHandedBack ReportContradicted UnknownOrderReported
}

struct World {
    position: Position,
    platform: Platform,
    contract: Option<Contract>,
    session_ready: bool,
    now: Timestamp,
    /// Reports that were told, to be told again later.
    told: Vec<Report>,
    /// An event was folded that nobody decided.
    wild: bool,
}

pub fn run(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut world = World {
        position: Position::default(),
        platform: universe::active(),
        contract: Some(universe::contract()),
        session_ready: true,
        now: Timestamp(1_000_000_000),
        told: vec![],
        wild: false,
    };
    // Reports are twice as likely as requests, and the world around changes seldom.
    while let Some(kind) = script.step(32) {
        match kind {
            0..=18 => {
                let report = report(kind, &world.position, &mut script);
                world.tell(&report);
                world.told.push(report);
            }
            19 => {
                if !world.told.is_empty() {
                    let again = script.pick(&world.told);
                    world.tell(&again);
                }
            }
            20..=29 => {
                let request = request(kind, &world.position, &mut script);
                world.ask(&request);
            }
            30 => world.change(&mut script),
            _ => {
                if let Some(event) = any_event(&mut script) {
                    world.wild = true;
                    world.position = evolve(std::mem::take(&mut world.position), &event);
                }
            }
        }
        look(&world.position);
    }
}

impl World {
    fn tell(&mut self, report: &Report) {
        let events = record(&self.position, report);
        self.fold(&events);
        if !self.wild {
            assert_eq!(record(&self.position, report), [], "told twice: {report:?}");
        }
    }

    fn ask(&mut self, request: &Request) {
        let before = self.position.clone();
        match self.decide(request) {
            Ok(events) => {
                self.fold(&events);
                let placed = |event: &PositionEvent| matches!(event, PositionEvent::OrderPlaced(_));
                if self.wild {
                    return;
                }
                assert_eq!(self.decide(request), Ok(vec![]), "asked twice: {request:?}");
                if events.iter().any(placed) {
                    let (working, open) = (self.position.working(), self.position.net.open());
                    assert!(
                        working <= open,
                        "{request:?} makes {working} of {open} fillable"
                    );
                }
            }
            Err(refusal) => {
                assert!(!refusal.code().is_empty() && !refusal.to_string().is_empty());
                assert_eq!(self.position, before);
            }
        }
    }

    fn decide(&self, request: &Request) -> Result<Vec<PositionEvent>, Refusal> {
        let context = Context {
            platform: &self.platform,
            session_ready: self.session_ready,
            contract: self.contract.as_ref(),
            now: self.now,
            reference_age_max_s: 3_600,
        };
        decide(&self.position, request, &context)
    }

    fn fold(&mut self, events: &[PositionEvent]) {
        let position = std::mem::take(&mut self.position);
        self.position = events.iter().fold(position, evolve);
    }

    fn change(&mut self, script: &mut Script) {
        match script.below(6) {
            0 => self.session_ready = !self.session_ready,
            1 => self.platform = universe::active(),
            2 => self.platform.epoch = universe::EPOCH + script.below(2) as u32,
            3 => self.now = universe::timestamp(script),
            4 => self.contract = script.flag().then(universe::contract),
            // A contract file is a fact too, however odd.
            _ => {
                if let Some(mut odd) = event::any::<Contract>(script) {
                    (odd.trading_date, odd.venue) = (universe::date(), universe::key().venue);
                    self.contract = Some(odd);
                }
            }
        }
    }
}

/// Whatever is derived, is derived without a panic, and never more can be closed than is open.
fn look(position: &Position) {
    assert!(position.closable() <= position.net.open());
    for order in position.orders.values() {
        assert!(order.leaves() <= order.quantity);
        assert!(!order.status().as_str().is_empty());
        assert!(order.goes_by(order.current_cl_ord_id()));
        assert!(position.order_of(&order.cl_ord_id).is_some());
        let _ = (order.cancel_pending(), order.replace_pending());
    }
    assert_eq!(position.trades().len(), position.executions.len());
    assert!(position.unbooked().count() <= position.confirmations.len());
    for mark in [None, Some(Price(i64::MIN))] {
        let _ = position.profit(mark);
    }
}

/// One of the position's orders, as a rule one of the first.
fn order<'a>(position: &'a Position, script: &mut Script) -> Option<(OrderId, &'a Order)> {
    let number = script.below(8);
    position
        .orders
        .iter()
        .find(|(_, order)| order.number as usize == number + 1)
        .map(|(id, order)| (*id, order))
}

/// What an order of the position goes by or went by; sometimes what none ever did.
fn cl_ord_id(position: &Position, script: &mut Script) -> ClOrdId {
    let Some((_, order)) = order(position, script) else {
        return universe::cl_ord_id(script);
    };
    let known = match script.below(4) {
        0 => order.cancels.keys().next_back(),
        1 => order.replaces.keys().next_back(),
        _ => Some(&order.cl_ord_id),
    };
    known.unwrap_or(&order.cl_ord_id).clone()
}

fn side(script: &mut Script) -> Side {
    script.pick(Side::ALL)
}

fn report(kind: usize, position: &Position, script: &mut Script) -> Report {
    let source = || String::from("source");
    match kind {
        0 => Report::Bod {
            key: universe::key(),
            quantity: NetQuantity(script.signed()),
            average_price: universe::price(script),
            source: source(),
        },
        1 => Report::PrimaryTrade {
            key: universe::key(),
            execution: universe::execution(script),
            side: side(script),
            quantity: universe::quantity(script),
            price: universe::price(script),
            traded_at: universe::timestamp(script),
            source: source(),
        },
        2 => Report::ExternalOrder {
            order: external(script),
            ended: script.flag(),
        },
        3 => Report::DropCopy {
            execution: universe::execution(script),
            side: side(script),
            quantity: universe::quantity(script),
            price: universe::price(script),
            source: source(),
        },
        4 => Report::Dispatched {
            cl_ord_id: cl_ord_id(position, script),
            session: "NSE-SQUAREOFF".into(),
            sequence: script.number(),
        },
        5 => Report::DroppedUnsent {
            cl_ord_id: cl_ord_id(position, script),
        },
        6 => Report::CancelRejected {
            cl_ord_id: cl_ord_id(position, script),
            code: script.pick(&[0, UNKNOWN_ORDER, 99, i64::MIN]),
            text: "too late".into(),
        },
        7 => Report::NotDelivered {
            cl_ord_id: cl_ord_id(position, script),
        },
        8 => Report::InDoubt {
            cl_ord_id: cl_ord_id(position, script),
            reason: script.pick(REASONS).into(),
        },
        9 => Report::SessionEnded,
        kind => Report::Execution(ExecutionReport {
            cl_ord_id: cl_ord_id(position, script),
            exchange_order_id: universe::exchange_order_id(script.below(16)),
            execution: execution(kind, script),
            cumulative: script.number(),
            leaves: script.number(),
        }),
    }
}

fn external(script: &mut Script) -> ExternalOrderObserved {
    let (number, key) = (script.below(3), universe::key());
    let exchange_order_id = universe::exchange_order_id(number);
    ExternalOrderObserved {
        order_id: OrderId::of_external(&key, &exchange_order_id),
        cl_ord_id: format!("EXT{number}").parse().unwrap(),
        exchange_order_id,
        key,
        side: side(script),
        quantity: universe::quantity(script),
        cumulative: universe::quantity(script),
        price: universe::price(script),
        source: "source".into(),
    }
}

fn execution(kind: usize, script: &mut Script) -> Execution {
    match kind {
        10 => Execution::New,
        11 => Execution::Frozen {
            text: "freeze".into(),
        },
        12 => Execution::Busted {
            execution: universe::execution(script),
        },
        13 => Execution::Corrected {
            execution: universe::execution(script),
            correction: universe::execution(script),
            quantity: universe::quantity(script),
            price: universe::price(script),
            at: universe::timestamp(script),
        },
        14 => Execution::Replaced {
            quantity: universe::quantity(script),
            price: universe::price(script),
        },
        15 => Execution::Canceled,
        16 => Execution::Rejected {
            code: 99,
            text: "no".into(),
        },
        17 => Execution::Expired,
        _ => Execution::Fill {
            key: universe::execution(script),
            quantity: universe::quantity(script),
            price: universe::price(script),
        },
    }
}

fn request(kind: usize, position: &Position, script: &mut Script) -> Request {
    let request_id = universe::request_id(script);
    let mut named = || order(position, script).map(|(id, _)| id);
    let nobodys = OrderId(uuid::Uuid::nil());
    match kind {
        20 => Request::Cancel {
            request_id,
            order: named(),
        },
        21 | 22 => Request::Modify {
            request_id,
            order: named().unwrap_or(nobodys),
            change: Change {
                price: script.flag().then(|| universe::price(script)),
                quantity: script.flag().then(|| script.number()),
            },
        },
        23 => Request::ResolveInDoubt {
            request_id,
            order: named().unwrap_or(nobodys),
            outcome: script.pick(&[Outcome::Delivered, Outcome::NotDelivered]),
            reason: script.pick(REASONS).into(),
        },
        24 => Request::Freeze {
            request_id,
            reason: script.pick(REASONS).into(),
        },
        25 => Request::Unfreeze {
            request_id,
            reason: script.pick(REASONS).into(),
        },
        26 => Request::HandBack { request_id },
        _ => Request::SquareOff {
            request_id,
            terms: SquareOffTerms {
                quantity: if script.flag() {
                    Wanted::All
                } else {
                    Wanted::Units(script.number())
                },
                price: if script.flag() {
                    PricePolicy::Limit(universe::price(script))
                } else {
                    PricePolicy::MarketableLimit
                },
                time_in_force: script.pick(&[TimeInForce::Day, TimeInForce::ImmediateOrCancel]),
                evidence: None,
            },
        },
    }
}
