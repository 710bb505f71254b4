//! What a scenario's lines happen to, and the reading of its words.

use super::super::*;
use crate::id::{ClOrdId, Side};
use crate::platform::{Halt, HaltScope, MarketPhase, Phase, Platform};
use crate::reference::{Contract, Restriction};
use std::collections::BTreeMap;

pub(super) struct World {
    pub position: Position,
    platform: Platform,
    ready: bool,
    contract: Option<Contract>,
    now: crate::Timestamp,
    requests: u128,
    /// What was asked of each order's replaces, to be answered so.
    replaces: BTreeMap<OrderId, Vec<ReplaceRequested>>,
}

type Answer = Result<Vec<PositionEvent>, Refusal>;

impl World {
    pub(super) fn new() -> Self {
        World {
            position: Position::default(),
            platform: sample::active(),
            ready: true,
            contract: Some(sample::contract()),
            now: sample::now(),
            requests: 100,
            replaces: BTreeMap::new(),
        }
    }

    /// Carries out one step.
    pub(super) fn step(&mut self, step: &str) -> Answer {
        let (step, id) = step.split_once(" #").unwrap_or((step, ""));
        self.requests += 1;
        let request_id = request_id(id.parse().unwrap_or(self.requests));
        let (step, reason) = match step.strip_prefix("mute ") {
            Some(step) => (step, " ".to_owned()),
            None => (step, "found out".to_owned()),
        };
        let words: Vec<_> = step.split_whitespace().collect();
        if let Some(request) = self.request(request_id, reason, &words) {
            return self.ask(&request);
        }
        if let Some(report) = self.report(&words) {
            return Ok(record(&self.position, &report));
        }
        assert!(self.outside(&words), "no such step: {step}");
        Ok(vec![])
    }

    pub(super) fn learn(&mut self, events: Vec<PositionEvent>) {
        for event in events {
            self.position = evolve(std::mem::take(&mut self.position), &event);
            if let PositionEvent::ReplaceRequested(event) = event {
                self.replaces.entry(event.order_id).or_default().push(event);
            }
        }
    }

    fn ask(&self, request: &Request) -> Answer {
        let context = Context {
            platform: &self.platform,
            session_ready: self.ready,
            contract: self.contract.as_ref(),
            now: self.now,
            reference_age_max_s: 3_600,
        };
        decide(&self.position, request, &context)
    }

    /// The order that `o1` or `o1/2` names; one that there is not has an id all the same.
    fn order_id(&self, word: &str) -> OrderId {
        let (number, _) = word[1..].split_once('/').unwrap_or((&word[1..], ""));
        numbered(&self.position, number.parse().unwrap()).map_or(OrderId(Uuid::nil()), |(id, _)| id)
    }

    fn order(&self, word: &str) -> &Order {
        &self.position.orders[&self.order_id(word)]
    }

    fn request(&self, request_id: RequestId, reason: String, words: &[&str]) -> Option<Request> {
        let close = |quantity, price, time_in_force| Request::SquareOff {
            request_id,
            terms: SquareOffTerms {
                quantity,
                price,
                time_in_force,
                evidence: None,
            },
        };
        let market = PricePolicy::MarketableLimit;
        let units = |word: &str| Wanted::Units(word.parse().unwrap());
        Some(match *words {
            ["all"] => close(Wanted::All, market, TimeInForce::Day),
            ["close", quantity] => close(units(quantity), market, TimeInForce::Day),
            ["ioc", quantity] => close(units(quantity), market, TimeInForce::ImmediateOrCancel),
            ["limit", quantity, price] => close(
                units(quantity),
                PricePolicy::Limit(price.parse().unwrap()),
                TimeInForce::Day,
            ),
            ["cancel", "all"] => Request::Cancel {
                request_id,
                order: None,
            },
            ["cancel", order] => Request::Cancel {
                request_id,
                order: Some(self.order_id(order)),
            },
            ["change", order, quantity, price] => Request::Modify {
                request_id,
                order: self.order_id(order),
                change: Change {
                    quantity: (quantity != "-").then(|| quantity.parse().unwrap()),
                    price: (price != "-").then(|| price.parse().unwrap()),
                },
            },
            ["resolve", order, outcome] => Request::ResolveInDoubt {
                request_id,
                order: self.order_id(order),
                outcome: match outcome {
                    "delivered" => Outcome::Delivered,
                    "lost" => Outcome::NotDelivered,
                    _ => panic!("no such outcome: {outcome}"),
                },
                reason,
            },
            ["freeze"] => Request::Freeze { request_id, reason },
            ["unfreeze"] => Request::Unfreeze { request_id, reason },
            ["hand-back"] => Request::HandBack { request_id },
            _ => return None,
        })
    }

    fn report(&self, words: &[&str]) -> Option<Report> {
        let id = |order: &str| self.order(order).cl_ord_id.clone();
        Some(match *words {
            ["bod", units] => bod(units.parse().unwrap()),
            ["primary", side, units, execution] => Report::PrimaryTrade {
                key: sample::key(),
                execution: execution_key(execution),
                side: side_of(side),
                quantity: quantity(units),
                price: MARKET,
                traded_at: sample::now(),
                source: "primary".into(),
            },
            ["external", number, side, units, "filled", filled] => Report::ExternalOrder {
                order: external(number, side, units, filled),
                ended: false,
            },
            ["external-ended", number, side, units, "filled", filled] => Report::ExternalOrder {
                order: external(number, side, units, filled),
                ended: true,
            },
            ["drop-copy", execution, side, units] => Report::DropCopy {
                execution: execution_key(execution),
                side: side_of(side),
                quantity: quantity(units),
                price: MARKET,
                source: "drop copy".into(),
            },
            ["sent", order] => Report::Dispatched {
                cl_ord_id: id(order),
                session: "NSE-SQUAREOFF".into(),
                sequence: 2,
            },
            ["dropped", order] => Report::DroppedUnsent {
                cl_ord_id: id(order),
            },
            ["lost", order] => Report::NotDelivered {
                cl_ord_id: id(order),
            },
            ["doubt", order] => Report::InDoubt {
                cl_ord_id: id(order),
                reason: "the link broke".into(),
            },
            ["differs", order] => Report::Differs {
                cl_ord_id: id(order),
                reason: "the venue says that nothing has filled".into(),
            },
            ["session-end"] => Report::SessionEnded,
            ["stranger"] => Report::NotDelivered {
                cl_ord_id: "STRANGER".parse().unwrap(),
            },
            ["cancel-rejected", order] => change_rejected(self.last_cancel(order), "0"),
            ["cancel-rejected", order, code] => change_rejected(self.last_cancel(order), code),
            ["replace-rejected", order] => change_rejected(self.replace(order).cl_ord_id, "0"),
            ["replace-rejected", order, code] => {
                change_rejected(self.replace(order).cl_ord_id, code)
            }
            ["cancel-throttled", order] => Report::CancelThrottled {
                cl_ord_id: self.last_cancel(order),
                text: "too many".into(),
            },
            ["cancel-lost", order] => Report::NotDelivered {
                cl_ord_id: self.last_cancel(order),
            },
            ["replace-lost", order] => Report::NotDelivered {
                cl_ord_id: self.replace(order).cl_ord_id,
            },
            ["replaced", order] => self.replaced(order, self.replace(order).quantity),
            ["replaced", order, units] => self.replaced(order, quantity(units)),
            _ => return self.execution(words),
        })
    }

    /// What an ExecutionReport (35=8) of the order says.
    fn execution(&self, words: &[&str]) -> Option<Report> {
        let execution = match *words {
            ["ack", _] => Execution::New,
            ["held", _] => Execution::Frozen {
                text: "for approval".into(),
            },
            ["canceled", _] => Execution::Canceled,
            ["rejected", _] => Execution::Rejected {
                code: 99,
                text: "no".into(),
            },
            ["expired", _] => Execution::Expired,
            ["fill", order, units, execution] => {
                return Some(self.fill(order, units, execution, MARKET));
            }
            ["fill", order, units, execution, price] => {
                return Some(self.fill(order, units, execution, price.parse().unwrap()));
            }
            ["bust", _, execution] => Execution::Busted {
                execution: execution_key(execution),
            },
            [
                "correct",
                _,
                execution,
                correction,
                units,
                price,
                ref at @ ..,
            ] => {
                Execution::Corrected {
                    execution: execution_key(execution),
                    correction: execution_key(correction),
                    quantity: quantity(units),
                    price: price.parse().unwrap(),
                    // In the order in which a scenario numbers them, unless it says when: `@5`.
                    at: crate::Timestamp(at.first().unwrap_or(&correction)[1..].parse().unwrap()),
                }
            }
            _ => return None,
        };
        Some(self.says(self.order(words[1]).cl_ord_id.clone(), execution))
    }

    fn says(&self, cl_ord_id: ClOrdId, execution: Execution) -> Report {
        let (_, order) = self.position.order_of(&cl_ord_id).unwrap();
        Report::Execution(ExecutionReport {
            exchange_order_id: format!("X{}", order.number).parse().unwrap(),
            cumulative: order.cumulative.units(),
            leaves: order.leaves().units(),
            cl_ord_id,
            execution,
        })
    }

    fn fill(&self, order: &str, units: &str, execution: &str, price: Price) -> Report {
        let (order, quantity) = (self.order(order), quantity(units));
        let fill = Execution::Fill {
            key: execution_key(execution),
            quantity,
            price,
        };
        let mut report = self.says(order.cl_ord_id.clone(), fill);
        if let Report::Execution(report) = &mut report {
            report.cumulative += quantity.units();
            report.leaves = report.leaves.saturating_sub(quantity.units());
        }
        report
    }

    fn replace(&self, word: &str) -> ReplaceRequested {
        let replaces = &self.replaces[&self.order_id(word)];
        let number = word.split_once('/');
        let index = number.map_or(replaces.len(), |(_, number)| number.parse().unwrap());
        replaces[index - 1].clone()
    }

    fn replaced(&self, order: &str, quantity: Quantity) -> Report {
        let ReplaceRequested {
            cl_ord_id, price, ..
        } = self.replace(order);
        self.says(cl_ord_id, Execution::Replaced { quantity, price })
    }

    fn last_cancel(&self, order: &str) -> ClOrdId {
        self.order(order).cancels.keys().last().unwrap().clone()
    }

    /// Changes what is outside; `false` for words that mean nothing.
    fn outside(&mut self, words: &[&str]) -> bool {
        let contract = self.contract.get_or_insert_with(sample::contract);
        match *words {
            ["off"] => self.platform.phase = Phase::Dormant,
            ["on"] => (self.platform, self.contract) = (sample::active(), Some(sample::contract())),
            ["epoch"] => self.platform.epoch += 1,
            ["yesterday"] => self.platform.trading_date = Some("2026-11-19".parse().unwrap()),
            ["unready"] => self.ready = false,
            ["ready"] => self.ready = true,
            ["no", "contract"] => self.contract = None,
            ["halted"] => {
                let (reason, by) = ("fat finger".to_owned(), "desk-1".to_owned());
                let halt = Halt { reason, by };
                self.platform.halts.insert(HaltScope::All, halt);
            }
            ["market", phase] => {
                for market in self.platform.markets.values_mut() {
                    market.phase = match phase {
                        "open" => MarketPhase::Open,
                        "halted" => MarketPhase::Halted,
                        "closed" => MarketPhase::Closed,
                        _ => panic!("no such phase: {phase}"),
                    };
                }
            }
            ["age", seconds] => {
                let seconds: i64 = seconds.parse().unwrap();
                self.now = crate::Timestamp(seconds * 1_000_000_000);
            }
            ["freeze-quantity", units] => contract.freeze = quantity(units),
            ["suspended"] => contract.restriction = Some(Restriction::Suspended),
            ["trade-for-trade"] => contract.restriction = Some(Restriction::TradeForTrade),
            ["expiry", date] => contract.expiry = Some(date.parse().unwrap()),
            ["protection", low, high] => {
                let range = (low.parse().unwrap(), high.parse().unwrap());
                contract.protection_range = Some(range);
            }
            _ => return false,
        }
        true
    }

    /// Whether a fact holds.
    pub(super) fn has(&self, fact: &str) -> bool {
        let trade = |id: &str| self.position.trade(&execution_key(id)).unwrap();
        match fact.split_whitespace().collect::<Vec<_>>()[..] {
            ["net", units] => self.position.net.to_string() == units,
            ["closable", units] => self.position.closable().to_string() == units,
            ["unbooked", of] => {
                let unbooked = self.position.unbooked().map(|(key, _)| key.as_str());
                let ids: Vec<_> = unbooked.filter_map(|key| key.rsplit('|').next()).collect();
                ids.join("+") == of.trim_matches('-')
            }
            ["frozen"] => self.position.frozen.is_some(),
            ["free"] => self.position.frozen.is_none(),
            [order, "leaves", units] => self.order(order).leaves().to_string() == units,
            [order, "cancel", end] => self.last_cancel(order).as_str().ends_with(end),
            [order, "replace", end] => self.replace(order).cl_ord_id.as_str().ends_with(end),
            [order, "at", price] => self.order(order).price == price.parse().unwrap(),
            [id, "is", units] => trade(id).live_quantity().to_string() == units,
            [id, status] if id.starts_with(['E', 'C']) => trade(id).status.as_str() == status,
            [order, of] if of.contains('/') => {
                let order = self.order(order);
                format!("{}/{}", order.cumulative, order.quantity) == of
            }
            [order, status] => self.order(order).status().as_str() == status,
            _ => panic!("no such fact: {fact}"),
        }
    }
}

/// The price of a fill that names none.
const MARKET: Price = Price(1_000_000);

fn quantity(units: &str) -> Quantity {
    Quantity::new(units.parse().unwrap()).unwrap()
}

fn side_of(word: &str) -> Side {
    word.to_uppercase().parse().unwrap()
}

fn change_rejected(cl_ord_id: ClOrdId, code: &str) -> Report {
    Report::CancelRejected {
        cl_ord_id,
        code: code.parse().unwrap(),
        text: "too late".into(),
    }
}

fn external(number: &str, side: &str, units: &str, filled: &str) -> ExternalOrderObserved {
    let exchange_order_id = number.parse().unwrap();
    ExternalOrderObserved {
        order_id: OrderId::of_external(&sample::key(), &exchange_order_id),
        cl_ord_id: format!("PRIMARY{number}").parse().unwrap(),
        exchange_order_id,
        key: sample::key(),
        side: side_of(side),
        quantity: quantity(units),
        cumulative: quantity(filled),
        price: MARKET,
        source: "primary".into(),
    }
}
