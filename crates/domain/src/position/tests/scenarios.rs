//! The rules as a table: one line a step, `what is asked or told => the events, or the refusal ; the state after`.
//!
//! `all`, `close 10`, `limit 10 99.95`, `cancel o1`, `cancel all` are asked (a trailing `#n` names the request id), the rest is told:
//! `bod +40`, `sent o1`, `dropped o1`, `ack o1`, `fill o1 5 E1`, `canceled o1`, `rejected o1`, `expired o1`, `lost o1`, `cancel-rejected o1`,
//! `cancel-lost o1`. `off`, `on`, `unready`, `ready`, `no contract` change the context. Orders are named in the order they were placed.

use super::*;
use crate::platform::{Phase, Platform};

const SCENARIOS: &[(&str, &str)] = &[
    (
        "a long position is sold in slices and becomes flat",
        "bod +40 => BodLoaded ; net 40, closable 40
         all => SquareOffAccepted OrderPlaced OrderPlaced ; closable 0, o1 placed, o2 placed
         sent o1 => OrderDispatched ; o1 sent
         ack o1 => OrderAcknowledged ; o1 new
         fill o1 5 E1 => Executed ; net 35, o1 partially-filled
         fill o1 15 E2 => Executed ; net 20, o1 filled, closable 0
         fill o2 20 E3 => Executed ; net 0, o2 filled, closable 0
         all => refused nothing-to-close",
    ),
    (
        "a short position is bought back",
        "bod -10 => BodLoaded ; net -10, closable 10
         close 10 => SquareOffAccepted OrderPlaced ; closable 0
         fill o1 10 E1 => Executed ; net 0, o1 filled",
    ),
    (
        "what is on its way is reserved",
        "bod +40 => BodLoaded
         close 15 => SquareOffAccepted OrderPlaced ; closable 25
         close 30 => refused exceeds-open-quantity
         close 25 => SquareOffAccepted OrderPlaced OrderPlaced ; closable 0
         close 5 => refused nothing-to-close",
    ),
    (
        "a rejected order frees what it reserved",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced ; closable 0
         rejected o1 => OrderRejected ; o1 rejected, closable 10, net 10
         rejected o1 => ",
    ),
    (
        "a cancel confirmed by the venue frees the rest",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         fill o1 5 E1 => Executed
         cancel o1 => CancelRequested ; o1 pending-cancel, closable 0
         cancel o1 => refused cancel-pending
         canceled o1 => OrderCanceled ; o1 canceled, net 5, closable 5
         cancel o1 => refused order-ended",
    ),
    (
        "a cancel that comes too late is rejected and the fill stands",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         cancel o1 => CancelRequested
         fill o1 10 E1 => Executed ; o1 filled, net 0
         cancel-rejected o1 => CancelRejected ; o1 filled
         cancel-rejected o1 => ",
    ),
    (
        "a rejected cancel gives the order back its status, and another may be asked",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         cancel o1 => CancelRequested ; o1 pending-cancel
         cancel-rejected o1 => CancelRejected ; o1 new, closable 0
         cancel o1 => CancelRequested ; o1 pending-cancel",
    ),
    (
        "an order never sent is dropped by the gateway",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         cancel o1 => CancelRequested
         dropped o1 => OrderCanceled ; o1 canceled, closable 10",
    ),
    (
        "a fill before its acknowledgement implies it",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 5 E1 => Executed ; o1 partially-filled
         ack o1 => ",
    ),
    (
        "a fill reported twice counts once, and another under its key is a conflict",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 5 E1 => Executed ; net 5
         fill o1 5 E1 => ; net 5
         fill o1 10 E1 => ExecutionConflicted PositionFrozen ; net 5
         fill o1 10 E1 => ; net 5",
    ),
    (
        "a fill after the cancel is booked, because it is real",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         cancel o1 => CancelRequested
         canceled o1 => OrderCanceled ; closable 10
         fill o1 5 E1 => Executed ; o1 canceled, net 5, closable 5",
    ),
    (
        "a late fill that leaves too much working cancels our newest orders",
        "bod +40 => BodLoaded
         close 20 => SquareOffAccepted OrderPlaced
         cancel o1 => CancelRequested
         canceled o1 => OrderCanceled ; closable 40
         close 20 => SquareOffAccepted OrderPlaced
         close 20 => SquareOffAccepted OrderPlaced ; closable 0
         fill o1 20 E1 => Executed ExposureBreached CancelRequested ; net 20, o3 pending-cancel, o2 placed
         canceled o3 => OrderCanceled ; closable 0
         fill o2 20 E2 => Executed ; net 0",
    ),
    (
        "an over-fill is booked and told, and what no longer closes is cancelled",
        "bod +20 => BodLoaded
         close 10 => SquareOffAccepted OrderPlaced
         close 10 => SquareOffAccepted OrderPlaced
         fill o1 25 E1 => Executed OverfillDetected PositionFrozen ExposureBreached CancelRequested ; net -5, o1 filled, o2 pending-cancel",
    ),
    (
        "a message that never arrived frees the order",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         sent o1 => OrderDispatched
         lost o1 => OrderNotDelivered ; o1 not-delivered, closable 10
         lost o1 => ",
    ),
    (
        "a cancel that never arrived leaves the order as it was",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         cancel o1 => CancelRequested
         cancel-lost o1 => CancelNotDelivered ; o1 new
         cancel-lost o1 => ",
    ),
    (
        "an order expires at the end of the day",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 5 E1 => Executed
         expired o1 => OrderExpired ; o1 expired, net 5, closable 5",
    ),
    (
        "a request repeated gets its first answer, and its id serves nothing else",
        "bod +40 => BodLoaded
         close 10 #1 => SquareOffAccepted OrderPlaced ; closable 30
         close 10 #1 => ; closable 30
         close 15 #1 => refused idempotency-key-reused
         cancel o1 #1 => refused idempotency-key-reused
         cancel all #2 => CancelRequested
         cancel all #2 =>
         cancel o1 #2 => refused idempotency-key-reused
         off => ; closable 30
         close 10 #1 => ; closable 30",
    ),
    (
        "cancel all asks for every order that works",
        "bod +40 => BodLoaded
         cancel all => refused nothing-to-cancel
         close 10 => SquareOffAccepted OrderPlaced
         all => SquareOffAccepted OrderPlaced OrderPlaced
         fill o2 20 E1 => Executed
         cancel all => CancelRequested CancelRequested ; o1 pending-cancel, o2 filled, o3 pending-cancel
         cancel all => refused nothing-to-cancel",
    ),
    (
        "refusals in their order of precedence",
        "off =>
         all => refused platform-not-active
         on =>
         all => refused unknown-position
         bod +42 => BodLoaded
         no contract =>
         all => refused unknown-instrument
         on =>
         unready =>
         all => refused exchange-not-connected
         ready =>
         close 0 => refused quantity-not-positive
         close 45 => refused exceeds-open-quantity
         close 7 => refused not-whole-lots
         all => refused odd-lot
         limit 10 99.97 => refused price-off-tick
         limit 10 89.95 => refused price-out-of-band
         limit 10 110.05 => refused price-out-of-band
         cancel o9 => refused unknown-order
         limit 10 99.95 => SquareOffAccepted OrderPlaced
         unready =>
         cancel o1 => CancelRequested",
    ),
    (
        "a flat position has nothing to close",
        "bod 0 => BodLoaded
         all => refused nothing-to-close",
    ),
    (
        "more slices than one request may place are refused",
        "bod +5000 => BodLoaded
         close 4005 => refused too-many-slices
         close 4000 => SquareOffAccepted OrderPlaced*200",
    ),
    (
        "a BOD line that contradicts the first is told once",
        "bod +40 => BodLoaded
         bod +40 =>
         bod +45 => BodContradicted PositionFrozen ; net 40
         bod +45 => ",
    ),
    (
        "a report about an order this position never placed is kept once",
        "bod +40 => BodLoaded
         stranger => UnknownOrderReported
         stranger => ; net 40",
    ),
];

struct World {
    position: Position,
    platform: Platform,
    ready: bool,
    contract: Option<crate::reference::Contract>,
    requests: u128,
}

impl World {
    fn new() -> Self {
        World {
            position: Position::default(),
            platform: sample::active(),
            ready: true,
            contract: Some(sample::contract()),
            requests: 100,
        }
    }

    /// Carries out one step: the events, or the refusal's code.
    fn step(&mut self, step: &str) -> Result<Vec<PositionEvent>, String> {
        let (step, id) = step.split_once(" #").unwrap_or((step, ""));
        self.requests += 1;
        let request_id = request_id(id.parse().unwrap_or(self.requests));
        let words: Vec<_> = step.split_whitespace().collect();
        let order = || {
            numbered(&self.position, words[1][1..].parse().unwrap())
                .map(|(id, order)| (id, order.clone()))
        };
        let number = || words[1][1..].parse().unwrap();
        let say = |execution| {
            Ok(record(
                &self.position,
                &says(&self.position, number(), execution).unwrap(),
            ))
        };
        let ask = |request: Request| {
            let context = Context {
                platform: &self.platform,
                session_ready: self.ready,
                contract: self.contract.as_ref(),
                now: sample::now(),
                reference_age_max_s: 3_600,
            };
            decide(&self.position, &request, &context).map_err(|refusal| refusal.code().to_owned())
        };
        let close = |terms: SquareOffTerms| ask(Request::SquareOff { request_id, terms });
        let tell = |report: Report| Ok(record(&self.position, &report));
        match words[..] {
            ["off"] => self.platform.phase = Phase::Dormant,
            ["on"] => (self.platform, self.contract) = (sample::active(), Some(sample::contract())),
            ["unready"] => self.ready = false,
            ["ready"] => self.ready = true,
            ["no", "contract"] => self.contract = None,
            ["bod", units] => return tell(bod(units.parse().unwrap())),
            ["all"] => return close(terms(Wanted::All)),
            ["close", units] => return close(terms(Wanted::Units(units.parse().unwrap()))),
            ["limit", units, price] => {
                let price = PricePolicy::Limit(price.parse().unwrap());
                return close(SquareOffTerms {
                    price,
                    ..terms(Wanted::Units(units.parse().unwrap()))
                });
            }
            ["cancel", "all"] => {
                return ask(Request::Cancel {
                    request_id,
                    order: None,
                });
            }
            ["cancel", _] => {
                let order = Some(order().map_or(OrderId(Uuid::nil()), |(id, _)| id));
                return ask(Request::Cancel { request_id, order });
            }
            ["sent", _] => {
                let cl_ord_id = order().unwrap().1.cl_ord_id;
                return tell(Report::Dispatched {
                    cl_ord_id,
                    session: "NSE-SQUAREOFF".into(),
                    sequence: 2,
                });
            }
            ["dropped", _] => {
                return tell(Report::DroppedUnsent {
                    cl_ord_id: order().unwrap().1.cl_ord_id,
                });
            }
            ["lost", _] => {
                return tell(Report::NotDelivered {
                    cl_ord_id: order().unwrap().1.cl_ord_id,
                });
            }
            ["cancel-rejected", _] => {
                let cl_ord_id = order().unwrap().1.cancels.keys().last().unwrap().clone();
                return tell(Report::CancelRejected {
                    cl_ord_id,
                    code: 0,
                    text: "too late".into(),
                });
            }
            ["cancel-lost", _] => {
                let cl_ord_id = order().unwrap().1.cancels.keys().last().unwrap().clone();
                return tell(Report::NotDelivered { cl_ord_id });
            }
            ["ack", _] => return say(Execution::New),
            ["canceled", _] => return say(Execution::Canceled),
            ["rejected", _] => {
                return say(Execution::Rejected {
                    code: 99,
                    text: "no".into(),
                });
            }
            ["expired", _] => return say(Execution::Expired),
            ["fill", _, units, id] => {
                return tell(fill(&self.position, number(), units.parse().unwrap(), id).unwrap());
            }
            ["stranger"] => {
                return tell(Report::NotDelivered {
                    cl_ord_id: "STRANGER".parse().unwrap(),
                });
            }
            _ => panic!("no such step: {step}"),
        }
        Ok(vec![])
    }

    fn check(&self, fact: &str) -> bool {
        match fact.split_whitespace().collect::<Vec<_>>()[..] {
            ["net", units] => self.position.net.0 == units.parse().unwrap(),
            ["closable", units] => self.position.closable().units() == units.parse().unwrap(),
            [order, status] => {
                numbered(&self.position, order[1..].parse().unwrap())
                    .unwrap()
                    .1
                    .status()
                    .as_str()
                    == status
            }
            _ => panic!("no such fact: {fact}"),
        }
    }
}

/// The names of the events, a run of more than three written `Name*count`.
fn names(events: &[PositionEvent]) -> String {
    let name = |event: &PositionEvent| format!("{event:?}").split('(').next().unwrap().to_owned();
    let mut runs: Vec<(String, usize)> = Vec::new();
    for event in events {
        match runs.last_mut() {
            Some((last, count)) if *last == name(event) => *count += 1,
            _ => runs.push((name(event), 1)),
        }
    }
    let text = |(name, count): (String, usize)| {
        if count > 3 {
            format!("{name}*{count}")
        } else {
            vec![name; count].join(" ")
        }
    };
    runs.into_iter().map(text).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_scenario_goes_as_its_table_says() {
    for (scenario, steps) in SCENARIOS {
        let mut world = World::new();
        for line in steps.lines() {
            let (step, expected) = line.split_once("=>").unwrap();
            let (events, facts) = expected.split_once(';').unwrap_or((expected, ""));
            let outcome = world.step(step.trim());
            let said = match &outcome {
                Ok(events) => names(events),
                Err(code) => format!("refused {code}"),
            };
            assert_eq!(said, events.trim(), "{scenario}: {line}");
            world.position = outcome
                .unwrap_or_default()
                .iter()
                .fold(world.position, evolve);
            for fact in facts
                .split(',')
                .map(str::trim)
                .filter(|fact| !fact.is_empty())
            {
                assert!(
                    world.check(fact),
                    "{scenario}: {line}: not `{fact}` but {:#?}",
                    world.position
                );
            }
        }
    }
}
