//! Orders over the wire: a scenario is what the broker says, line by line, and what it then hears.

use std::collections::BTreeSet;

use squareoff_exchange::ledger;
use squareoff_fix::message::{BusinessMessageReject, ExecType, OrdStatus};
use squareoff_fix::{AppMessage, PriceE4};

use crate::broker::{Broker, message};
use crate::floor::Floor;

const SCENARIOS: &[(&str, &[&str], &[&str])] = &[
    (
        "an order away from the market rests",
        &["A buy 5 QUIET 100"],
        &["ack A"],
    ),
    (
        "a resting order is hit by another, both are told",
        &["A buy 5 QUIET 100", "B sell 15 QUIET 99.95"],
        &[
            "ack A",
            "ack B",
            "fill A 5@100 cum 5 leaves 0",
            "fill B 5@100 cum 5 leaves 10",
        ],
    ),
    (
        "an order fills in parts",
        &[
            "A buy 15 QUIET 100",
            "B sell 5 QUIET 100",
            "C sell 10 QUIET 100",
        ],
        &[
            "ack A",
            "ack B",
            "fill A 5@100 cum 5 leaves 10",
            "fill B 5@100 cum 5 leaves 0",
            "ack C",
            "fill A 10@100 cum 15 leaves 0",
            "fill C 10@100 cum 10 leaves 0",
        ],
    ),
    (
        "the rest of an IOC order is canceled",
        &["A buy 5 QUIET 100", "B sell 15 QUIET 100 ioc"],
        &[
            "ack A",
            "ack B",
            "fill A 5@100 cum 5 leaves 0",
            "fill B 5@100 cum 5 leaves 10",
            "can itself by B",
        ],
    ),
    (
        "a resting order can be canceled",
        &["A buy 5 QUIET 100", "B cancel A"],
        &["ack A", "can A by B"],
    ),
    (
        "a cancel too late",
        &["A buy 5 QUIET 100", "B cancel A", "C cancel A"],
        &["ack A", "can A by B", "cxlrej C of A 0"],
    ),
    (
        "a cancel of an unknown order",
        &["B cancel A"],
        &["cxlrej B of A 1"],
    ),
    (
        "a cancel with a used id",
        &["A buy 5 QUIET 100", "A cancel A"],
        &["ack A", "cxlrej A of A 6"],
    ),
    (
        "a duplicate",
        &["A buy 5 QUIET 100", "A buy 5 QUIET 100"],
        &["ack A", "rej A 6"],
    ),
    ("an unknown symbol", &["A buy 5 NONE 100"], &["rej A 1"]),
    (
        "above the freeze quantity",
        &["A buy 1005 QUIET 100"],
        &["rej A 3"],
    ),
    (
        "a market order",
        &["A buy 5 QUIET 100 market"],
        &["rej A 11"],
    ),
    ("fill or kill", &["A buy 5 QUIET 100 fok"], &["rej A 11"]),
    (
        "no quantity, a negative one, not a lot",
        &[
            "A buy 0 QUIET 100",
            "B buy -5 QUIET 100",
            "C buy 4 QUIET 100",
        ],
        &["rej A 13", "rej B 13", "rej C 13"],
    ),
    (
        "off the tick, below and above the band",
        &[
            "A buy 5 QUIET 100.01",
            "B buy 5 QUIET 89.95",
            "C buy 5 QUIET 110.05",
        ],
        &["rej A 99", "rej B 99", "rej C 99"],
    ),
    (
        "how orders stand",
        &[
            "A buy 15 QUIET 100",
            "B sell 5 QUIET 100",
            "C buy 5 QUIET 95",
            "status of A",
            "status of B",
            "status of Z",
            "M working",
        ],
        &[
            "ack A",
            "ack B",
            "fill A 5@100 cum 5 leaves 10",
            "fill B 5@100 cum 5 leaves 0",
            "ack C",
            "stands A PartiallyFilled cum 5 leaves 10",
            "stands B Filled cum 5 leaves 0",
            "none Z",
            "stands A PartiallyFilled cum 5 leaves 10",
            "stands C New cum 0 leaves 5 last",
        ],
    ),
    ("nothing works", &["M working"], &["none NONE"]),
    (
        "what works in one symbol",
        &[
            "A buy 5 QUIET 95",
            "B buy 5 MADE 95",
            "M working in MADE",
            "N working in NONE",
        ],
        &[
            "ack A",
            "ack B",
            "stands B New cum 0 leaves 5 last",
            "none NONE",
        ],
    ),
    (
        "a mass cancel reaches every order of the session",
        &[
            "A buy 5 QUIET 95",
            "B buy 5 MADE 95",
            "C cancel all",
            "D cancel A",
        ],
        &[
            "ack A",
            "ack B",
            "all C AllOrders 2",
            "can itself by A",
            "can itself by B",
            "cxlrej D of A 0",
        ],
    ),
    (
        "a mass cancel of a symbol, of a segment, of a side",
        &[
            "A buy 5 QUIET 95",
            "B buy 5 MADE 95",
            "C cancel all of MADE",
            "D sell 5 MADE 110",
            "E cancel all buys",
            "F cancel all at CM",
        ],
        &[
            "ack A",
            "ack B",
            "all C Security 1",
            "can itself by B",
            "ack D",
            "all E AllOrders 1",
            "can itself by A",
            "all F TradingSession 1",
            "can itself by D",
        ],
    ),
    (
        "a mass cancel that can't be reaches nothing",
        &[
            "A buy 5 QUIET 95",
            "A cancel all",
            "B cancel all of NONE",
            "C cancel all at FO",
            "D cancel all type",
        ],
        &[
            "ack A",
            "all A Rejected 0",
            "all B Rejected 0",
            "all C Rejected 0",
            "all D Rejected 0",
        ],
    ),
];

#[tokio::test]
async fn scenarios() {
    for (name, lines, expected) in SCENARIOS {
        let floor = Floor::new();
        let server = floor.start().await;
        let mut broker = Broker::dial(floor.dir.path(), "NSE", server.address());
        for line in *lines {
            broker.say(line).await;
        }
        assert_eq!(broker.hear(expected.len()).await, *expected, "{name}");
        assert!(
            broker.hear_all().await.is_empty(),
            "{name}: nothing else is said"
        );
        broker.hang_up().await;
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_marketable_order_is_filled_whole_by_the_liquidity_sometimes_in_parts() {
    let floor = Floor::new();
    let server = floor.start().await;
    let mut broker = Broker::dial(floor.dir.path(), "NSE", server.address());
    let (orders, units) = (40, 500);
    for order in 0..orders {
        let (side, price) = if order % 2 == 0 {
            ("buy", "101")
        } else {
            ("sell", "99")
        };
        broker
            .say(&format!("A{order} {side} {units} MADE {price}"))
            .await;
    }
    let (mut filled, mut fills, mut exec_ids) = (0, 0, BTreeSet::new());
    while filled < orders {
        let AppMessage::ExecutionReport(report) = broker.receive().await.message else {
            panic!("not a report")
        };
        assert!(
            exec_ids.insert(report.exec_id.clone()),
            "an ExecID is used once"
        );
        assert!(report.exec_type == ExecType::New || report.exec_type == ExecType::Trade);
        let (low, high) = (PriceE4(990_000), PriceE4(1_010_000));
        assert!(report.cum_qty == 0 || (low..=high).contains(&report.avg_px));
        fills += i32::from(report.exec_type == ExecType::Trade);
        filled += i32::from(report.ord_status == OrdStatus::Filled);
    }
    assert!(
        fills > orders,
        "{fills} fills of {orders} orders: some in parts"
    );
    broker.hang_up().await;
    server.stop().await.unwrap();
    let summary = floor.summary();
    assert_eq!(
        (
            summary.orders_accepted,
            summary.executions,
            summary.duplicate_cl_ord_ids
        ),
        (40, fills as u64, 0)
    );
    assert!(summary.cum_units.values().all(|cum| *cum == units));
    assert_eq!(
        summary.executed_units.values().sum::<i64>(),
        units * i64::from(orders)
    );
}

#[tokio::test]
async fn sessions_trade_their_own_venue_and_hear_only_their_own_orders() {
    let floor = Floor::new();
    let server = floor.start().await;
    let mut nse = Broker::dial(floor.dir.path(), "NSE", server.address());
    let mut bse = Broker::dial(floor.dir.path(), "BSE", server.address());
    nse.say("A buy 5 QUIET 100").await;
    bse.say("A sell 5 QUIET 100").await;
    bse.say("B buy 5 MADE 95").await;
    assert_eq!(nse.hear(1).await, ["ack A"]);
    assert_eq!(
        bse.hear(2).await,
        ["rej A 1", "ack B"],
        "BSE lists no QUIET, and an id is a session's own"
    );
    assert!(nse.hear_all().await.is_empty());
    nse.hang_up().await;
    bse.hang_up().await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_message_the_exchange_does_not_do_is_refused_and_leaves_no_trace() {
    let floor = Floor::new();
    let server = floor.start().await;
    let mut broker = Broker::dial(floor.dir.path(), "NSE", server.address());
    let AppMessage::NewOrderSingle(mut order) = message("A buy 5 QUIET 100") else {
        panic!("not an order")
    };
    order.cl_ord_id = "A".repeat(100);
    broker.send(&AppMessage::NewOrderSingle(order)).await;
    broker
        .send(&AppMessage::BusinessMessageReject(
            BusinessMessageReject::unsupported(1, "8"),
        ))
        .await;
    broker.say("B buy 5 QUIET 100").await;
    let heard = broker.hear_all().await;
    let mut heard: Vec<String> = heard.iter().map(crate::broker::shown).collect();
    heard.sort();
    assert_eq!(
        heard,
        ["ack B", "refused D Other"],
        "and a complaint is not answered"
    );
    broker.hang_up().await;
    server.stop().await.unwrap();
    assert_eq!(ledger::read(&floor.ledger()).unwrap().count(), 1);
}
