//! The world that histories happen to: a position and all that its decisions depend on.

use super::step::Step;
use crate::platform::{Halt, HaltScope, Market, MarketPhase, Phase, Platform};
use crate::position::*;
use crate::{Contract, OrderId, PositionKey, Price, RequestId, Timestamp};

/// The orders that executions are of.
pub const ORDERS: u8 = 5;

/// A position and all that its decisions depend on.
#[derive(Debug, Clone)]
pub struct World {
    pub position: Position,
    pub key: PositionKey,
    pub platform: Platform,
    pub contract: Contract,
    pub session_ready: bool,
    pub now: Timestamp,
    /// Every report in the order it was told.
    pub told: Vec<Report>,
    /// Every request that was accepted.
    pub accepted: Vec<Request>,
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Went {
    Asked(Request, Result<Vec<PositionEvent>, Refusal>),
    Told(Report, Vec<PositionEvent>),
    /// Something outside changed, or the step speaks of what is not there.
    Nothing,
}

impl Went {
    pub fn events(&self) -> &[PositionEvent] {
        match self {
            Went::Asked(_, Ok(events)) | Went::Told(_, events) => events,
            Went::Asked(_, Err(_)) | Went::Nothing => &[],
        }
    }
}

impl World {
    /// An active platform, an open market, and nothing known of the position.
    pub fn new(key: PositionKey, contract: Contract) -> Self {
        let mut world = World {
            position: Position::default(),
            platform: Platform {
                phase: Phase::Active,
                epoch: 7,
                trading_date: Some(key.date),
                ..Platform::default()
            },
            key,
            contract,
            session_ready: true,
            now: Timestamp(0),
            told: Vec::new(),
            accepted: Vec::new(),
        };
        world.market(MarketPhase::Open);
        world
    }

    pub fn go(&mut self, step: &Step) -> Went {
        if let Some(request) = self.request(step) {
            let answer = self.ask(&request);
            if let Ok(events) = &answer {
                self.fold(events);
                self.accepted.push(request.clone());
            }
            return Went::Asked(request, answer);
        }
        if let Some(report) = self.report(step) {
            let events = record(&self.position, &report);
            self.fold(&events);
            self.told.push(report.clone());
            return Went::Told(report, events);
        }
        self.outside(step);
        Went::Nothing
    }

    pub fn ask(&self, request: &Request) -> Result<Vec<PositionEvent>, Refusal> {
        let context = Context {
            platform: &self.platform,
            session_ready: self.session_ready,
            contract: Some(&self.contract),
            now: self.now,
            reference_age_max_s: 60,
        };
        decide(&self.position, request, &context)
    }

    fn fold(&mut self, events: &[PositionEvent]) {
        let position = std::mem::take(&mut self.position);
        self.position = events.iter().fold(position, evolve);
    }

    fn market(&mut self, phase: MarketPhase) {
        let market = Market {
            trading_date: self.key.date,
            phase,
            source: "test".to_owned(),
        };
        let segment = (self.contract.venue, self.contract.segment);
        self.platform.markets.insert(segment, market);
    }

    /// The n-th order (from 0) of those there are, round and round.
    pub fn order(&self, number: u8) -> Option<(OrderId, &Order)> {
        let orders = self.position.placed;
        self.numbered(u32::from(number).checked_rem(orders)? + 1)
    }

    /// The order that an execution is of, for ever.
    pub fn order_of(&self, execution: u8) -> Option<(OrderId, &Order)> {
        self.numbered(u32::from(execution % ORDERS) + 1)
    }

    fn numbered(&self, number: u32) -> Option<(OrderId, &Order)> {
        let mut orders = self.position.orders.iter();
        orders
            .find(|(_, order)| order.number == number)
            .map(|(id, order)| (*id, order))
    }

    /// What a step asks, with the orders it names looked up.
    pub fn request(&self, step: &Step) -> Option<Request> {
        // A request's id says its kind, so that most repetitions are of the same request.
        let id = |kind: u128, number: u8| {
            RequestId(uuid::Uuid::from_u128(kind * 256 + u128::from(number)))
        };
        let reason = || "found out".to_owned();
        let named = |order: u8| {
            self.order(order)
                .map_or(OrderId(uuid::Uuid::nil()), |(id, _)| id)
        };
        Some(match *step {
            Step::Close {
                request,
                units,
                price,
                ioc,
            } => Request::SquareOff {
                request_id: id(1, request),
                terms: SquareOffTerms {
                    quantity: units.map_or(Wanted::All, Wanted::Units),
                    price: price.map_or(PricePolicy::MarketableLimit, |price| {
                        PricePolicy::Limit(Price(price))
                    }),
                    time_in_force: if ioc {
                        TimeInForce::ImmediateOrCancel
                    } else {
                        TimeInForce::Day
                    },
                    evidence: None,
                },
            },
            Step::Cancel { request, order } => Request::Cancel {
                request_id: id(2, request),
                order: order.map(named),
            },
            Step::Modify {
                request,
                order,
                price,
                units,
            } => Request::Modify {
                request_id: id(3, request),
                order: named(order),
                change: Change {
                    price: price.map(Price),
                    quantity: units,
                },
            },
            Step::Resolve {
                request,
                order,
                delivered,
            } => Request::ResolveInDoubt {
                request_id: id(4, request),
                order: named(order),
                outcome: if delivered {
                    Outcome::Delivered
                } else {
                    Outcome::NotDelivered
                },
                reason: reason(),
            },
            Step::Freeze(request) => Request::Freeze {
                request_id: id(5, request),
                reason: reason(),
            },
            Step::Unfreeze(request) => Request::Unfreeze {
                request_id: id(6, request),
                reason: reason(),
            },
            Step::HandBack(request) => Request::HandBack {
                request_id: id(7, request),
            },
            _ => return None,
        })
    }

    fn outside(&mut self, step: &Step) {
        match *step {
            Step::Platform(active) => {
                self.platform.phase = if active {
                    Phase::Active
                } else {
                    Phase::Draining
                };
            }
            Step::Epoch => self.platform.epoch += 1,
            Step::Market(phase) => self.market(phase),
            Step::Halted(true) => {
                let halt = Halt {
                    reason: "stop".to_owned(),
                    by: "desk".to_owned(),
                };
                self.platform.halts.insert(HaltScope::All, halt);
            }
            Step::Halted(false) => self.platform.halts.clear(),
            Step::Session(ready) => self.session_ready = ready,
            Step::Clock(seconds) => {
                self.now = Timestamp(self.contract.reference_at.0 + seconds * 1_000_000_000);
            }
            _ => {}
        }
    }

    /// Everything that a request to place or change an order depends on is as it should be.
    pub fn is_open(&self) -> bool {
        let (venue, segment) = (self.contract.venue, self.contract.segment);
        self.platform
            .gate(self.key.date, venue, segment)
            .is_ok_and(|()| self.session_ready)
    }
}
