//! What a crash leaves behind, at the points that matter.

use std::collections::{BTreeSet, HashSet};

use squareoff_exchange::book::Side;
use squareoff_exchange::config::Rules;
use squareoff_exchange::contracts::Contracts;
use squareoff_exchange::engine::Engine;
use squareoff_exchange::fact::{Cause, TimeInForce};
use squareoff_exchange::ledger;
use squareoff_exchange::price::Price;
use squareoff_exchange::request::{Inbound, NewOrder, Request};
use squareoff_fix::{AppMessage, Reset};

use crate::broker::{Broker, shown};
use crate::floor::Floor;

/// What a session that logged on for the first time sends first: its log-on has number 1.
const FIRST_SEQ: u64 = 2;

/// Leaves the folder as a crash does that hits between the ledger's commit and everything after it: the order is in
/// the ledger, the FIX journal has neither its report nor the inbound number.
async fn crash_after_the_ledger_commit(floor: &Floor) {
    let contracts = Contracts::load(&floor.contracts()).unwrap();
    let rules = Rules {
        seed: 7,
        quiet: HashSet::from([("NSE".to_owned(), "QUIET".to_owned())]),
        trade_date: "2026-11-20".to_owned(),
        ..Rules::default()
    };
    let (engine, end) = Engine::start(&floor.data(), contracts, &rules).unwrap();
    let request = Request::New(NewOrder {
        cl_ord_id: "A".to_owned(),
        account: "C1".to_owned(),
        symbol: "QUIET".to_owned(),
        side: Side::Buy,
        time_in_force: TimeInForce::Day,
        quantity_units: 5,
        price: Price(1_000_000),
        unsupported: None,
    });
    let cause = Cause {
        session: "NSE:SQUAREOFF".to_owned(),
        generation: 1,
        msg_seq_num: FIRST_SEQ,
    };
    engine
        .submit(vec![Inbound {
            venue: "NSE".to_owned(),
            cause,
            request,
        }])
        .await
        .unwrap();
    drop(engine);
    end.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_report_committed_but_not_journaled_is_sent_once_and_its_message_recognised() {
    let floor = Floor::new();
    crash_after_the_ledger_commit(&floor).await;
    let server = floor.start().await;
    let mut broker = Broker::dial(floor.dir.path(), "NSE", server.address());
    // The first message of the broker's session: the very one the ledger has, delivered again.
    broker.say("A buy 5 QUIET 100").await;
    broker.say("B buy 5 QUIET 99").await;
    broker.say("A buy 5 QUIET 100").await;
    assert_eq!(
        broker.hear(3).await,
        ["ack A", "ack B", "rej A 6"],
        "once, then the fresh ones"
    );
    assert!(broker.hear_all().await.is_empty());
    broker.hang_up().await;
    server.stop().await.unwrap();
    let summary = floor.summary();
    assert_eq!(
        (summary.orders_accepted, summary.duplicate_cl_ord_ids),
        (2, 1),
        "only the third was a duplicate"
    );
}

#[tokio::test]
async fn a_restart_says_nothing_twice_and_remembers_orders_and_ids() {
    let floor = Floor::new();
    let server = floor.start().await;
    let mut broker = Broker::dial(floor.dir.path(), "NSE", server.address());
    broker.say("A buy 15 QUIET 100").await;
    broker.say("B sell 5 QUIET 100").await;
    assert_eq!(broker.hear(4).await.len(), 4);
    broker.hang_up().await;
    server.stop().await.unwrap();

    let server = floor.start().await;
    let mut broker = Broker::dial(floor.dir.path(), "NSE", server.address());
    assert!(
        broker.hear_all().await.is_empty(),
        "everything was said before"
    );
    broker.say("C sell 10 QUIET 100").await;
    broker.say("A buy 5 QUIET 95").await;
    broker.say("D cancel A").await;
    let expected = [
        "ack C",
        "fill A 10@100 cum 15 leaves 0",
        "fill C 10@100 cum 10 leaves 0",
        "rej A 6",
        "cxlrej D of A 0",
    ];
    assert_eq!(broker.hear(5).await, expected);
    broker.hang_up().await;
    server.stop().await.unwrap();
    let facts: Vec<_> = ledger::read(&floor.ledger())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let exec_ids: BTreeSet<_> = facts.iter().map(|fact| fact.exec_id()).collect();
    assert_eq!(exec_ids.len(), facts.len());
}

#[tokio::test]
async fn what_happens_while_a_broker_is_away_is_told_when_it_is_back() {
    let floor = Floor::new();
    let mut config = floor.config();
    config.sessions.push("NSE:OTHER".parse().unwrap());
    let server = squareoff_exchange::server::Server::start(config)
        .await
        .unwrap();
    let mut away = Broker::dial(floor.dir.path(), "NSE", server.address());
    away.say("A buy 500 QUIET 100").await;
    assert_eq!(away.hear(1).await, ["ack A"]);
    away.hang_up().await;
    let mut other = Broker::dial_with(
        "OTHER",
        Reset::Never,
        floor.dir.path(),
        "NSE",
        server.address(),
    );
    for order in 0..100 {
        other.say(&format!("S{order} sell 5 QUIET 100")).await;
    }
    assert_eq!(
        other.hear(200).await.last().unwrap(),
        "fill S99 5@100 cum 5 leaves 0"
    );
    other.hang_up().await;
    let mut back = Broker::dial(floor.dir.path(), "NSE", server.address());
    let told: Vec<AppMessage> = back.hear_all().await;
    let told: Vec<String> = told.iter().map(shown).collect();
    let expected =
        (1..=100).map(|fill| format!("fill A 5@100 cum {} leaves {}", fill * 5, 500 - fill * 5));
    assert_eq!(told, expected.collect::<Vec<_>>());
    back.hang_up().await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_broker_that_lost_its_journal_starts_anew_and_its_used_ids_are_duplicates() {
    let floor = Floor::new();
    let server = floor.start().await;
    let mut broker = Broker::dial(floor.dir.path(), "NSE", server.address());
    broker.say("A buy 5 QUIET 100").await;
    assert_eq!(broker.hear(1).await, ["ack A"]);
    broker.hang_up().await;
    std::fs::remove_dir_all(floor.dir.path().join("SQUAREOFF-NSE")).unwrap();
    // The same sequence numbers again, in a new generation: told from a message delivered again.
    let mut broker = Broker::dial_with(
        "SQUAREOFF",
        Reset::WhenFresh,
        floor.dir.path(),
        "NSE",
        server.address(),
    );
    broker.say("A buy 5 QUIET 100").await;
    broker.say("B sell 5 QUIET 100").await;
    let expected = [
        "rej A 6",
        "ack B",
        "fill A 5@100 cum 5 leaves 0",
        "fill B 5@100 cum 5 leaves 0",
    ];
    assert_eq!(broker.hear(4).await, expected);
    broker.hang_up().await;
    server.stop().await.unwrap();
    assert_eq!(floor.summary().duplicate_cl_ord_ids, 1);
}
