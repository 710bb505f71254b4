//! The exchange's rules without wire or disk: scenarios as lines of text, and the rebuild property.

use proptest::prelude::*;
use squareoff_fix::Timestamp;

use super::*;
use crate::book::Side;
use crate::fact::{Cause, TimeInForce};
use crate::price::Price;
use crate::request::{Answers, Cancel, Inbound, NewOrder, OrderQuery, Query, Replace, Request};

mod lives;

const SESSION: &str = "NSE:SQUAREOFF";
/// Another session of the same firm.
const SECOND: &str = "NSE:SQUAREOFF2";

fn contracts() -> Contracts {
    let mut contracts = Contracts::default();
    for (segment, symbol) in [("CM", "QUIET"), ("CM", "MADE"), ("FO", "FUTURE")] {
        let instrument = Instrument {
            venue: "NSE".to_owned(),
            segment: segment.to_owned(),
            symbol: symbol.to_owned(),
            lot_units: 5,
            tick: Price(500),
            freeze_units: 1_000,
            band_low: Price(900_000),
            band_high: Price(1_100_000),
            reference: Price(1_000_000),
        };
        contracts.insert(instrument).unwrap();
    }
    contracts
}

pub fn exchange() -> Exchange {
    let quiet = ["QUIET", "FUTURE"].map(|symbol| ("NSE".to_owned(), symbol.to_owned()));
    Exchange::new(contracts(), rules("2026-11-20", quiet.into()))
}

fn rules(trade_date: &str, quiet: HashSet<(String, String)>) -> Rules {
    Rules {
        seed: 42,
        quiet,
        trade_date: trade_date.to_owned(),
        firms: [SESSION, SECOND]
            .map(|session| (session.to_owned(), SESSION.to_owned()))
            .into(),
        ..Rules::default()
    }
}

fn inbound(msg_seq_num: u64, request: Request) -> Inbound {
    Inbound {
        venue: "NSE".to_owned(),
        cause: Cause {
            session: SESSION.to_owned(),
            generation: 1,
            msg_seq_num,
        },
        request,
    }
}

/// Reads `new ID SYMBOL buy|sell UNITS PRICE_E4 [ioc|market]`, `replace ID OF SYMBOL buy|sell UNITS PRICE_E4 [market]` or
/// `cancel ID OF`.
fn request(line: &str) -> Request {
    let words: Vec<&str> = line.split(' ').collect();
    let word = |at: usize| words.get(at).copied().unwrap_or_default();
    let symbol = word(2).to_owned();
    match words[0] {
        "new" => Request::New(NewOrder {
            cl_ord_id: word(1).to_owned(),
            account: "C1".to_owned(),
            symbol,
            side: if word(3) == "buy" {
                Side::Buy
            } else {
                Side::Sell
            },
            time_in_force: if word(6) == "ioc" {
                TimeInForce::ImmediateOrCancel
            } else {
                TimeInForce::Day
            },
            quantity_units: word(4).parse().unwrap(),
            price: Price(word(5).parse().unwrap()),
            unsupported: (word(6) == "market").then(|| "order type 1".to_owned()),
        }),
        "replace" => Request::Replace(Replace {
            cl_ord_id: word(1).to_owned(),
            orig_cl_ord_id: symbol,
            account: "C1".to_owned(),
            symbol: word(3).to_owned(),
            side: if word(4) == "buy" {
                Side::Buy
            } else {
                Side::Sell
            },
            quantity_units: word(5).parse().unwrap(),
            price: Price(word(6).parse().unwrap()),
            unsupported: (word(7) == "market").then(|| "order type 1".to_owned()),
        }),
        _ => Request::Cancel(Cancel {
            cl_ord_id: word(1).to_owned(),
            orig_cl_ord_id: word(2).to_owned(),
            account: "C1".to_owned(),
            symbol: "QUIET".to_owned(),
            side: Side::Buy,
        }),
    }
}

fn apply(exchange: &mut Exchange, inbound: &Inbound) -> Vec<Fact> {
    match exchange.decide(inbound, Timestamp(0)) {
        Decision::Facts(facts) => {
            facts.iter().for_each(|fact| exchange.evolve(fact));
            facts
        }
        Decision::Redelivered | Decision::Reports(_) => Vec::new(),
    }
}

fn shown(fact: &Fact) -> String {
    let OrderImage {
        cl_ord_id,
        leaves_units,
        cum_units,
        ..
    } = &fact.order;
    match &fact.happening {
        Happening::Accepted => format!("ack {cl_ord_id}"),
        Happening::Rejected { reason, .. } => format!("rej {cl_ord_id} {reason}"),
        Happening::Executed {
            last_units,
            last_price,
            ..
        } => {
            format!(
                "fill {cl_ord_id} {last_units}@{last_price} cum {cum_units} leaves {leaves_units}"
            )
        }
        Happening::Canceled { request } => format!(
            "can {cl_ord_id} by {}",
            request.as_deref().unwrap_or("exchange")
        ),
        Happening::CancelRejected {
            request,
            reason,
            of_replace,
            ..
        } => {
            let kind = if *of_replace { "replrej" } else { "cxlrej" };
            format!("{kind} {request} of {cl_ord_id} {reason}")
        }
        Happening::Replaced { previous } => format!(
            "repl {previous} by {cl_ord_id} {}@{} cum {cum_units} leaves {leaves_units}",
            fact.order.quantity_units, fact.order.price
        ),
        Happening::Carried => format!("carry {cl_ord_id} cum {cum_units} leaves {leaves_units}"),
        Happening::Suspended => format!("frozen {cl_ord_id}"),
        Happening::Expired => format!("exp {cl_ord_id} cum {cum_units}"),
        Happening::Busted { execution, .. } => {
            format!("bust {cl_ord_id} of {execution} cum {cum_units} leaves {leaves_units}")
        }
        Happening::Corrected {
            execution,
            last_units,
            last_price,
            ..
        } => format!(
            "correct {cl_ord_id} of {execution} {last_units}@{last_price} cum {cum_units} leaves {leaves_units}"
        ),
        Happening::PhaseChanged { segment, to } => format!("{segment} {to:?}"),
        Happening::FreezeArmed { orders, .. } => format!("armed {orders}"),
        Happening::AcknowledgedLate => format!("late ack {cl_ord_id}"),
        Happening::Repeated { execution, .. } => format!("again {cl_ord_id} {execution}"),
        Happening::Vanished => format!("gone {cl_ord_id}"),
        Happening::Dropped { execution, .. } => {
            format!("lost {cl_ord_id} of {execution} cum {cum_units}")
        }
        Happening::Throttled { request, .. } => format!("throttled {request}"),
        Happening::MassCanceled {
            request, affected, ..
        } => format!("all {request} {affected}"),
        Happening::Set(setting) => format!("set {setting:?}"),
        Happening::TailLost { from } => format!("tail lost from {from}"),
    }
}

/// Lines in; what the last line leads to.
const SCENARIOS: &[(&[&str], &str)] = &[
    (&["new A QUIET buy 5 1000000"], "ack A"),
    (
        &["new A QUIET buy 5 1000000", "new B QUIET sell 10 1000000"],
        "ack B; fill A 5@100 cum 5 leaves 0; fill B 5@100 cum 5 leaves 5",
    ),
    (
        &[
            "new A QUIET buy 5 1000000",
            "new B QUIET sell 10 999500 ioc",
        ],
        "ack B; fill A 5@100 cum 5 leaves 0; fill B 5@100 cum 5 leaves 5; can B by exchange",
    ),
    (
        &["new A QUIET buy 5 1000000 ioc"],
        "ack A; can A by exchange",
    ),
    (
        &[
            "new A QUIET buy 5 1000000 ioc",
            "new B QUIET sell 5 1000000",
        ],
        "ack B",
    ),
    (&["new A QUIET buy 5 1000000", "cancel B A"], "can A by B"),
    (
        &["new A QUIET buy 5 1000000", "cancel B A", "cancel C A"],
        "cxlrej C of A 0",
    ),
    (
        &[
            "new A QUIET buy 5 1000000",
            "cancel B A",
            "new C QUIET sell 5 1000000",
        ],
        "ack C",
    ),
    (
        &[
            "new A QUIET buy 5 1000000",
            "new B QUIET sell 5 1000000",
            "cancel C A",
        ],
        "cxlrej C of A 0",
    ),
    (&["cancel B A"], "cxlrej B of A 1"),
    (
        &["new A QUIET buy 5 1000000", "cancel A A"],
        "cxlrej A of A 6",
    ),
    (
        &["new A QUIET buy 5 1000000", "cancel B A", "cancel B A"],
        "cxlrej B of A 6",
    ),
    (
        &[
            "new A QUIET buy 5 1000000",
            "cancel B A",
            "new B QUIET buy 5 1000000",
        ],
        "rej B 6",
    ),
    (
        &["new A QUIET buy 5 1000000", "new A QUIET buy 5 1000000"],
        "rej A 6",
    ),
    (
        &["new A NONE buy 5 1000000", "new A QUIET buy 5 1000000"],
        "rej A 6",
    ),
    (&["cancel B A", "new B QUIET buy 5 1000000"], "rej B 6"),
    (&["new A NONE buy 5 1000000"], "rej A 1"),
    (&["new A QUIET buy 1005 1000000"], "rej A 3"),
    (&["new A QUIET buy 5 1000000 market"], "rej A 11"),
    (&["new A QUIET buy 0 1000000"], "rej A 13"),
    (&["new A QUIET buy 4 1000000"], "rej A 13"),
    (&["new A QUIET buy 5 1000001"], "rej A 99"),
    (&["new A QUIET buy 5 1100500"], "rej A 99"),
    (&["new A MADE buy 5 950000"], "ack A"),
    (
        &["new A MADE buy 5 950000", "new B MADE sell 5 950000"],
        "ack B; fill B 5@99.95 cum 5 leaves 0",
    ),
];

#[test]
fn scenarios() {
    for (lines, expected) in SCENARIOS {
        let mut exchange = exchange();
        let mut facts = Vec::new();
        for (line, seq) in lines.iter().zip(1..) {
            facts = told(&mut exchange, seq, line).unwrap();
        }
        assert_eq!(
            facts.iter().map(shown).collect::<Vec<_>>().join("; "),
            *expected,
            "{lines:?}"
        );
        let marks: Vec<bool> = facts.iter().map(|fact| fact.completes).collect();
        assert_eq!(
            marks.iter().position(|mark| *mark),
            Some(facts.len() - 1),
            "only the last fact completes: {lines:?}"
        );
    }
}

#[test]
fn a_message_delivered_again_leads_to_nothing_and_a_fresh_one_is_a_duplicate() {
    let mut exchange = exchange();
    let first = inbound(7, request("new A QUIET buy 5 1000000"));
    assert_eq!(apply(&mut exchange, &first).len(), 1);
    assert_eq!(exchange.decide(&first, Timestamp(0)), Decision::Redelivered);
    let fresh = inbound(8, first.request.clone());
    assert!(apply(&mut exchange, &fresh)[0].is_duplicate_cl_ord_id());
    assert_eq!(
        exchange.decide(&fresh, Timestamp(0)),
        Decision::Redelivered,
        "a refusal is delivered again as well"
    );
    let mut reset = inbound(1, request("new B QUIET buy 5 1000000"));
    reset.cause.generation = 2;
    assert_eq!(
        apply(&mut exchange, &reset).len(),
        1,
        "after a sequence reset low numbers are fresh"
    );
    let lost_journal = inbound(3, request("new C QUIET buy 5 1000000"));
    assert_eq!(
        apply(&mut exchange, &lost_journal).len(),
        1,
        "a low number with an unknown ClOrdID is fresh"
    );
}

#[test]
fn sessions_of_one_firm_share_their_ids_and_may_cancel_each_others_orders() {
    let mut exchange = exchange();
    let from = |session: &str, seq, line| {
        let mut inbound = inbound(seq, request(line));
        inbound.cause.session = session.to_owned();
        inbound
    };
    apply(
        &mut exchange,
        &from(SESSION, 5, "new A QUIET buy 5 1000000"),
    );
    let again = apply(&mut exchange, &from(SECOND, 2, "new A QUIET buy 5 1000000"));
    assert!(
        again[0].is_duplicate_cl_ord_id(),
        "sent on the other session it is sent twice"
    );
    let stranger = apply(&mut exchange, &from("NSE:OTHER", 2, "cancel X A"));
    assert_eq!(shown(&stranger[0]), "cxlrej X of A 1");
    let replaced = apply(
        &mut exchange,
        &from(SECOND, 3, "replace R A QUIET buy 5 999500"),
    );
    let canceled = apply(&mut exchange, &from(SECOND, 4, "cancel C R"));
    for facts in [replaced, canceled] {
        assert_eq!(facts[0].session, SESSION, "the order's session is told");
        assert!(facts[0].answers(SECOND), "and so is the one that asked");
    }
    let late = apply(&mut exchange, &from(SESSION, 6, "cancel D A"));
    assert_eq!(shown(&late[0]), "cxlrej D of R 0");
    assert!(!late[0].answers(SECOND));
}

#[test]
fn status_reports_show_one_order_or_every_working_one() {
    let mut exchange = exchange();
    let lines = [
        "new A QUIET buy 5 1000000",
        "new B QUIET buy 10 999500",
        "new C QUIET buy 5 950000",
        "cancel D A",
        "new E QUIET sell 5 999500",
    ];
    for (line, seq) in lines.iter().zip(1..) {
        apply(&mut exchange, &inbound(seq, request(line)));
    }
    let ask = |query| match exchange.decide(&inbound(1, Request::Query(query)), Timestamp(0)) {
        Decision::Reports(reports) => reports,
        other => panic!("{other:?}"),
    };
    let all = ask(Query::AllWorking {
        request_id: "M".to_owned(),
        account: None,
        symbol: None,
    });
    let seen: Vec<_> = all
        .iter()
        .map(|report| (report.order.cl_ord_id.as_str(), report.order.leaves_units))
        .collect();
    assert_eq!(seen, [("B", 5), ("C", 5)]);
    let marks = all.iter().map(|report| match &report.answers {
        Answers::All {
            reports_total,
            is_last,
            ..
        } => (*reports_total, *is_last),
        Answers::One { .. } => panic!("not a mass status"),
    });
    assert_eq!(marks.collect::<Vec<_>>(), [(2, false), (2, true)]);
    assert_eq!(
        ask(Query::AllWorking {
            request_id: "M".to_owned(),
            account: Some("C2".to_owned()),
            symbol: None,
        })[0]
            .order
            .order,
        0
    );
    let one = |cl_ord_id: &str| {
        ask(Query::Order(OrderQuery {
            request_id: None,
            cl_ord_id: cl_ord_id.to_owned(),
            account: String::new(),
            symbol: "QUIET".to_owned(),
            side: Side::Buy,
        }))
        .remove(0)
        .order
    };
    assert_eq!((one("E").cum_units, one("E").order > 0), (5, true));
    assert_eq!(one("Z").order, 0);
}

#[test]
fn orders_of_another_day_are_gone_but_numbers_go_on() {
    let mut yesterday = exchange();
    let facts = apply(
        &mut yesterday,
        &inbound(1, request("new A QUIET buy 5 1000000")),
    );
    let mut today = Exchange::new(contracts(), rules("2026-11-23", HashSet::new()));
    facts.iter().for_each(|fact| today.evolve(fact));
    assert_eq!(
        apply(&mut today, &inbound(1, request("new A QUIET buy 5 950000"))),
        [],
        "still known as delivered"
    );
    let fresh = apply(&mut today, &inbound(2, request("new A QUIET buy 5 950000")));
    assert_eq!(
        (shown(&fresh[0]).as_str(), fresh[0].exec_id().as_str()),
        ("ack A", "NSE-2")
    );
}

fn line() -> impl Strategy<Value = String> {
    let order = (
        0..40,
        prop::bool::ANY,
        prop::bool::ANY,
        1_i64..60,
        1_960_i64..2_040,
        prop::bool::weighted(0.2),
        prop::option::weighted(0.3, 0..60),
    )
        .prop_map(|(id, quiet, buy, lots, ticks, ioc, of)| {
            let (symbol, side) = (
                if quiet { "QUIET" } else { "MADE" },
                if buy { "buy" } else { "sell" },
            );
            let terms = format!("{symbol} {side} {} {}", lots * 5, ticks * 500);
            match of {
                // Ids of orders and of replacements are drawn from one hat, so that chains of them happen.
                Some(of) => format!("replace O{} O{of} {terms}", id + 30),
                None => format!("new O{id} {terms} {}", if ioc { "ioc" } else { "" }),
            }
        });
    let cancel = (0..20, 0..60).prop_map(|(id, of)| format!("cancel X{id} O{of}"));
    let named = (0..15, 1_u64..200, 1_i64..60).prop_map(|(what, number, lots)| match what {
        0 => format!(r#"{{"bust":{{"exec_id":"NSE-{number}"}}}}"#),
        1 => format!(
            r#"{{"correct":{{"exec_id":"NSE-{number}","quantity":{},"price":"100.5"}}}}"#,
            lots * 5
        ),
        2 => format!(
            r#"{{"release":{{"order_id":"NSE-O{number}","accept":{}}}}}"#,
            lots > 9
        ),
        3 => format!(r#"{{"expire":{{"order_id":"NSE-O{number}"}}}}"#),
        4 => format!(r#"{{"cancel":{{"order_id":"NSE-O{number}"}}}}"#),
        5 => r#"{"freeze_next":true}"#.to_owned(),
        // Fills out of nothing are of the market that is made: the other one's buys and sells balance.
        6 => format!(
            r#"{{"disaster":{{"venue":"NSE","trades":{}}}}}"#,
            1 + lots / 20
        ),
        7 => r#"{"bust_dropped":true}"#.to_owned(),
        8 => r#"{"outage":{"segment":"CM"}}"#.to_owned(),
        9 => format!(r#"{{"repeat":{{"exec_id":"NSE-{number}"}}}}"#),
        10..=12 => {
            let kinds = [
                "partial_fill",
                "fill_before_ack",
                "over_fill",
                "fill_beats_cancel",
            ];
            let more = [
                "fill_before_cancel",
                "fill_after_cancel",
                "duplicate_report",
            ];
            let kind = kinds.iter().chain(&more).nth(lots as usize % 7).unwrap();
            format!(r#"{{"fault":{{"kind":"{kind}","symbol":"MADE","times":3}}}}"#)
        }
        13 => r#"{"seeded":{"withhold_report":2000,"reject_tick":500}}"#.to_owned(),
        _ => {
            let to = if lots < 10 { "closed" } else { "open" };
            format!(r#"{{"phase":{{"segment":"CM","to":"{to}"}}}}"#)
        }
    });
    prop_oneof![6 => order, 1 => cancel, 2 => named]
}

/// What a line leads to: a broker's request, or a command where it is JSON. A refusal leads to nothing.
fn told(exchange: &mut Exchange, seq: u64, line: &str) -> Result<Vec<Fact>, String> {
    if !line.starts_with('{') {
        return Ok(apply(exchange, &inbound(seq, request(line))));
    }
    let command = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let (facts, _) = exchange
        .control(&command, Timestamp(0))
        .map_err(|refused| refused.to_string())?;
    facts.iter().for_each(|fact| exchange.evolve(fact));
    Ok(facts)
}

proptest! {
    #[test]
    fn a_rebuild_from_the_facts_equals_the_state_at_every_message(lines in prop::collection::vec(line(), 1..80)) {
        let (mut live, mut facts) = (exchange(), Vec::new());
        for (line, seq) in lines.iter().zip(1..) {
            facts.extend(told(&mut live, seq, line).unwrap_or_default());
            let in_books: i64 = live.books.iter().flat_map(|book| [Side::Buy, Side::Sell].map(|side| {
                book.resting(side).map(|resting| resting.leaves_units).sum::<i64>()
            })).sum();
            let of_orders = live.orders.values().filter(|order| order.image.rests());
            prop_assert_eq!(in_books, of_orders.map(|order| order.image.leaves_units).sum::<i64>());
        }
        let mut rebuilt = exchange();
        facts.iter().for_each(|fact| rebuilt.evolve(fact));
        prop_assert_eq!(live.state_hash(), rebuilt.state_hash());
        // Ordinals have no holes, and what was filled is what was taken off: buys and sells on the unmade book balance,
        // busts and corrections included.
        prop_assert!(facts.iter().map(|fact| fact.ordinal).eq(1..=facts.len() as u64));
        let lost: HashSet<u64> = facts.iter().filter_map(|fact| match fact.happening {
            Happening::Dropped { execution, .. } => Some(execution),
            _ => None,
        }).collect();
        let mut net = 0;
        for fact in facts.iter().filter(|fact| fact.order.symbol == "QUIET") {
            prop_assert!(fact.order.cum_units <= fact.order.quantity_units);
            let units = match fact.happening {
                Happening::Executed { last_units, .. } => last_units,
                Happening::Dropped { was_units, .. } => -was_units,
                Happening::Busted { execution, was_units, .. } if !lost.contains(&execution) => -was_units,
                Happening::Corrected { was_units, last_units, .. } => last_units - was_units,
                _ => 0,
            };
            net += if fact.order.side == Side::Buy { units } else { -units };
        }
        prop_assert_eq!(net, 0);
        // An order's cumulative quantity is the sum of its executions that stand.
        for (number, order) in &live.orders {
            let standing = live.executions.values().filter(|execution| {
                execution.order == *number && !execution.busted && !execution.dropped
            });
            prop_assert_eq!(order.image.cum_units, standing.map(|execution| execution.units).sum::<i64>());
        }
    }
}
