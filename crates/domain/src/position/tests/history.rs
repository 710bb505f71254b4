//! Histories: steps that ask, tell, or change what is outside, in any interleaving and number, and the world that they happen to.
//! The property tests draw steps as four bytes each ([`super::decode`]).
//!
//! 1. Orders are named by number and executions by a small id, so that a step makes sense whatever was accepted before it.
//! 2. What an ExecID stands for (its order, quantity, price) follows from the id alone, as at a real venue; only a `twist` says of it
//!    what a venue should never say.

use crate::platform::{HaltScope, Market, MarketPhase, Phase, Platform};
use crate::position::*;
use crate::{
    ClOrdId, Contract, ExchangeOrderId, ExecutionKey, NetQuantity, OrderId, PositionKey, Price,
    Quantity, RequestId, Side, Timestamp,
};

/// The orders that executions are of, and the executions that steps can name.
const ORDERS: u8 = 5;
pub const EXECUTIONS: u8 = 40;
/// Units in a step's lot: that of the sample contract.
const LOT: u64 = 5;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Close {
        request: u8,
        units: Option<u64>,
        price: Option<i64>,
        ioc: bool,
    },
    /// `None` cancels every order.
    Cancel {
        request: u8,
        order: Option<u8>,
    },
    Modify {
        request: u8,
        order: u8,
        price: Option<i64>,
        units: Option<u64>,
    },
    Resolve {
        request: u8,
        order: u8,
        delivered: bool,
    },
    Freeze(u8),
    Unfreeze(u8),
    HandBack(u8),

    Bod(i64),
    PrimaryTrade(u8),
    /// The primary's order number `id` with so many lots filled.
    External {
        id: u8,
        filled: u64,
        ended: bool,
    },
    DropCopy {
        id: u8,
        twist: bool,
    },
    Sent(u8),
    Dropped(u8),
    Ack(u8),
    Held(u8),
    Fill {
        id: u8,
        twist: bool,
    },
    Bust {
        id: u8,
        /// Of the n-th correction of it.
        correction: Option<u8>,
    },
    /// The n-th correction: it names the one before it, or `anew` the execution itself.
    Correct {
        id: u8,
        number: u8,
        lots: u64,
        anew: bool,
    },
    /// The n-th replace of an order; `lots` where the venue says another quantity than was asked.
    Replaced {
        order: u8,
        number: u8,
        lots: Option<u64>,
    },
    /// The n-th cancel or replace of an order was refused.
    ChangeRejected {
        order: u8,
        replace: bool,
        number: u8,
        code: i64,
    },
    Canceled(u8),
    Rejected(u8),
    Expired(u8),
    SessionEnded,
    InDoubt(u8),
    Lost(u8),
    ChangeLost {
        order: u8,
        replace: bool,
        number: u8,
    },
    Stranger(u8),
    /// A report that was told before.
    Again(u8),

    Platform(bool),
    /// Another activation: the next epoch.
    Epoch,
    Market(MarketPhase),
    Halted(bool),
    Session(bool),
    /// So many seconds after the reference price.
    Clock(i64),
}

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

    /// What a step tells; `None` for one that tells nothing, or of what is not there.
    pub fn report(&self, step: &Step) -> Option<Report> {
        let cl_ord_id = |order: u8| Some(self.order(order)?.1.cl_ord_id.clone());
        Some(match *step {
            Step::Bod(lots) => Report::Bod {
                key: self.key.clone(),
                quantity: NetQuantity(lots * 5),
                average_price: Price(990_000),
                source: "BOD".to_owned(),
            },
            Step::PrimaryTrade(id) => {
                // The side is that of the order whose execution it is, if it is one of those that are known here.
                let side = self.order_of(id).map_or(Side::Buy, |(_, order)| order.side);
                let (quantity, price) = content(id);
                Report::PrimaryTrade {
                    key: self.key.clone(),
                    execution: self.execution(&format!("E{id}")),
                    side,
                    quantity,
                    price,
                    traded_at: Timestamp(1),
                    source: "primary".to_owned(),
                }
            }
            Step::External { id, filled, ended } => Report::ExternalOrder {
                order: self.external(id % 3, filled),
                ended,
            },
            Step::DropCopy { id, twist } => {
                let side = self.order_of(id)?.1.side;
                let (quantity, price) = twisted(content(id), twist);
                Report::DropCopy {
                    execution: self.execution(&format!("E{id}")),
                    side,
                    quantity,
                    price,
                    source: "drop copy".to_owned(),
                }
            }
            Step::Sent(order) => Report::Dispatched {
                cl_ord_id: cl_ord_id(order)?,
                session: "NSE-SQUAREOFF".to_owned(),
                sequence: u64::from(order),
            },
            Step::Dropped(order) => Report::DroppedUnsent {
                cl_ord_id: cl_ord_id(order)?,
            },
            Step::Ack(order) => self.says(order, Execution::New)?,
            Step::Held(order) => {
                let text = "for approval".to_owned();
                self.says(order, Execution::Frozen { text })?
            }
            Step::Fill { id, twist } => {
                let (quantity, price) = twisted(content(id), twist);
                let key = self.execution(&format!("E{id}"));
                let fill = Execution::Fill {
                    key,
                    quantity,
                    price,
                };
                let mut report = self.says_of_execution(id, fill)?;
                // Some say that with them the order is done.
                if let (Report::Execution(report), true) = (&mut report, id % 5 == 0) {
                    (report.cumulative, report.leaves) = (u64::from(id % 4) * 5, 0);
                }
                report
            }
            Step::Bust { id, correction } => {
                let exec_id = match correction {
                    Some(number) => format!("E{id}C{number}"),
                    None => format!("E{id}"),
                };
                let execution = self.execution(&exec_id);
                self.says_of_execution(id, Execution::Busted { execution })?
            }
            Step::Correct {
                id,
                number,
                lots,
                anew,
            } => {
                let before = match number.checked_sub(1) {
                    Some(before) if !anew => format!("E{id}C{before}"),
                    Some(_) | None => format!("E{id}"),
                };
                let corrected = Execution::Corrected {
                    execution: self.execution(&before),
                    correction: self.execution(&format!("E{id}C{number}")),
                    quantity: units(lots * LOT),
                    price: Price(1_000_500),
                    at: Timestamp(i64::from(number / 2)),
                };
                self.says_of_execution(id, corrected)?
            }
            Step::Replaced {
                order,
                number,
                lots,
            } => {
                let (_, of) = self.order(order)?;
                let replaced = Execution::Replaced {
                    quantity: lots.map_or(of.quantity, |lots| units(lots * LOT)),
                    price: Price(1_000_000 + i64::from(number) * 500),
                };
                let id = self.change(order, true, number)?;
                self.says_of(id, order, replaced)
            }
            Step::ChangeRejected {
                order,
                replace,
                number,
                code,
            } => Report::CancelRejected {
                cl_ord_id: self.change(order, replace, number)?,
                code,
                text: "no".to_owned(),
            },
            Step::Canceled(order) => self.says(order, Execution::Canceled)?,
            Step::Rejected(order) => {
                let (code, text) = (99, "no".to_owned());
                self.says(order, Execution::Rejected { code, text })?
            }
            Step::Expired(order) => self.says(order, Execution::Expired)?,
            Step::SessionEnded => Report::SessionEnded,
            Step::InDoubt(order) => Report::InDoubt {
                cl_ord_id: cl_ord_id(order)?,
                reason: "the link broke".to_owned(),
            },
            Step::Lost(order) => Report::NotDelivered {
                cl_ord_id: cl_ord_id(order)?,
            },
            Step::ChangeLost {
                order,
                replace,
                number,
            } => Report::NotDelivered {
                cl_ord_id: self.change(order, replace, number)?,
            },
            Step::Stranger(number) => Report::NotDelivered {
                cl_ord_id: id(&format!("STRANGER{number}")),
            },
            Step::Again(number) => {
                let told = self.told.len();
                self.told
                    .get(usize::from(number).checked_rem(told)?)?
                    .clone()
            }
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
                let halt = crate::platform::Halt {
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

    fn says(&self, order: u8, execution: Execution) -> Option<Report> {
        let id = self.order(order)?.1.cl_ord_id.clone();
        Some(self.says_of(id, order, execution))
    }

    fn says_of_execution(&self, id: u8, execution: Execution) -> Option<Report> {
        let cl_ord_id = self.order_of(id)?.1.cl_ord_id.clone();
        Some(self.says_of(cl_ord_id, id % ORDERS, execution))
    }

    fn says_of(&self, cl_ord_id: ClOrdId, order: u8, execution: Execution) -> Report {
        Report::Execution(ExecutionReport {
            cl_ord_id,
            exchange_order_id: id(&format!("X{order}")),
            execution,
            cumulative: 0,
            leaves: LOT,
        })
    }

    fn change(&self, order: u8, replace: bool, number: u8) -> Option<ClOrdId> {
        let (_, order) = self.order(order)?;
        let ids: Vec<_> = if replace {
            order.replaces.keys().collect()
        } else {
            order.cancels.keys().collect()
        };
        let number = usize::from(number).checked_rem(ids.len())?;
        Some(ids[number].clone())
    }

    fn execution(&self, exec_id: &str) -> ExecutionKey {
        ExecutionKey::new(self.key.venue, self.key.date, exec_id).expect("letters and digits")
    }

    fn external(&self, number: u8, filled: u64) -> ExternalOrderObserved {
        let exchange_order_id: ExchangeOrderId = id(&format!("P{number}"));
        ExternalOrderObserved {
            order_id: OrderId::of_external(&self.key, &exchange_order_id),
            cl_ord_id: id(&format!("PRIMARY{number}")),
            exchange_order_id,
            key: self.key.clone(),
            side: if number == 0 { Side::Sell } else { Side::Buy },
            quantity: units(u64::from(number + 1) * LOT),
            cumulative: units(filled * LOT),
            price: Price(1_000_000),
            source: "primary".to_owned(),
        }
    }
}

/// What an execution says: one to four lots.
fn content(execution: u8) -> (Quantity, Price) {
    let lots = u64::from(execution / ORDERS % 4) + 1;
    (units(lots * LOT), Price(1_000_000))
}

/// The same ExecID with another content.
fn twisted((quantity, price): (Quantity, Price), twist: bool) -> (Quantity, Price) {
    if twist {
        (quantity.plus(units(LOT)), price)
    } else {
        (quantity, price)
    }
}

fn units(units: u64) -> Quantity {
    Quantity::new(units).unwrap_or(Quantity::MAX)
}

fn id<T: std::str::FromStr>(text: &str) -> T {
    text.parse().ok().expect("letters and digits")
}
