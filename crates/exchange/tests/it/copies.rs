//! Drop copies and several sessions of one broker at one venue.

use squareoff_exchange::server::Server;
use squareoff_fix::{AppMessage, Reset};

use crate::broker::{Broker, shown};
use crate::floor::Floor;

async fn copy(floor: &Floor, server: &Server) -> Broker {
    dial(floor, server, "SQUAREOFF-DC", Reset::WhenFresh).await
}

async fn dial(floor: &Floor, server: &Server, name: &str, reset: Reset) -> Broker {
    Broker::dial_with(name, reset, floor.dir.path(), "NSE", server.address())
}

#[tokio::test]
async fn a_drop_copy_is_told_every_execution_of_its_firm_and_nothing_else() {
    let floor = Floor::new();
    let mut config = floor.config();
    for more in ["NSE:SQUAREOFF2@SQUAREOFF", "NSE:OTHER"] {
        config.sessions.push(more.parse().unwrap());
    }
    let server = Server::start(config).await.unwrap();
    let mut first = Broker::dial(floor.dir.path(), "NSE", server.address());
    let mut second = dial(&floor, &server, "SQUAREOFF2", Reset::WhenFresh).await;
    let mut other = dial(&floor, &server, "OTHER", Reset::WhenFresh).await;
    let mut bse = Broker::dial(floor.dir.path(), "BSE", server.address());
    first.say("A buy 15 QUIET 100").await;
    assert_eq!(first.hear(1).await, ["ack A"]);
    second.say("B sell 5 QUIET 100").await;
    assert_eq!(second.hear(2).await[1], "fill B 5@100 cum 5 leaves 0");
    other.say("A sell 5 QUIET 100").await;
    assert_eq!(other.hear(2).await[1], "fill A 5@100 cum 5 leaves 0");
    bse.say("A buy 5 MADE 101").await;
    assert_eq!(bse.hear(2).await.len(), 2);
    let own = first.hear(2).await;

    let mut drop_copy = copy(&floor, &server).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let AppMessage::ExecutionReport(report) = drop_copy.receive().await.message else {
            panic!("not a report")
        };
        assert_eq!(
            (report.copy, report.account.as_deref()),
            (Some(true), Some("C1"))
        );
        assert!(report.order_id.starts_with("NSE-O") && report.exec_id.starts_with("NSE-"));
        told.push(shown(&AppMessage::ExecutionReport(report)));
    }
    let fills = [&own[0], "fill B 5@100 cum 5 leaves 0", &own[1]];
    assert_eq!(told, fills, "it logged on after all of it had happened");
    drop_copy.say("X buy 5 QUIET 95").await;
    assert_eq!(
        drop_copy.hear(1).await,
        ["refused D NotAuthorized"],
        "and nothing else was told"
    );
    for broker in [first, second, other, bse, drop_copy] {
        broker.hang_up().await;
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_drop_copy_that_was_away_is_told_what_it_missed_and_one_that_lost_its_journal_the_whole_day()
 {
    let floor = Floor::new();
    let server = floor.start().await;
    let mut broker = Broker::dial(floor.dir.path(), "NSE", server.address());
    let mut drop_copy = copy(&floor, &server).await;
    broker.say("A buy 15 QUIET 100").await;
    broker.say("B sell 5 QUIET 100").await;
    let first = [
        "fill A 5@100 cum 5 leaves 10",
        "fill B 5@100 cum 5 leaves 0",
    ];
    assert_eq!(drop_copy.hear(2).await, first);
    drop_copy.hang_up().await;
    broker.say("C sell 5 QUIET 100").await;
    assert_eq!(broker.hear(6).await.len(), 6);
    broker.hang_up().await;
    server.stop().await.unwrap();

    let server = floor.start().await;
    let mut drop_copy = copy(&floor, &server).await;
    let missed = [
        "fill A 5@100 cum 10 leaves 5",
        "fill C 5@100 cum 5 leaves 0",
    ];
    assert_eq!(drop_copy.hear(2).await, missed);
    drop_copy.hang_up().await;
    std::fs::remove_dir_all(floor.dir.path().join("SQUAREOFF-DC-NSE")).unwrap();
    let mut drop_copy = copy(&floor, &server).await;
    for expected in first.iter().chain(&missed) {
        let inbound = drop_copy.receive().await;
        assert_eq!(shown(&inbound.message), *expected);
        assert!(inbound.poss_resend, "it may have been told before");
    }
    let broker = Broker::dial(floor.dir.path(), "NSE", server.address());
    broker.say("D sell 5 QUIET 100").await;
    let fresh = drop_copy.receive().await;
    assert_eq!(shown(&fresh.message), "fill A 5@100 cum 15 leaves 0");
    assert!(!fresh.poss_resend);
    drop_copy.hang_up().await;
    broker.hang_up().await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_firms_sessions_cancel_each_others_orders_and_share_its_ids() {
    let floor = Floor::new();
    let mut config = floor.config();
    config
        .sessions
        .push("NSE:SQUAREOFF2@SQUAREOFF".parse().unwrap());
    let server = Server::start(config).await.unwrap();
    let mut first = Broker::dial(floor.dir.path(), "NSE", server.address());
    let mut second = dial(&floor, &server, "SQUAREOFF2", Reset::WhenFresh).await;
    first.say("A buy 15 QUIET 100").await;
    assert_eq!(first.hear(1).await, ["ack A"]);
    for (line, expected) in [
        ("A buy 15 QUIET 100", "rej A 6"),
        // A mass status is a session's own.
        ("M working", "none NONE"),
        ("B cancel A", "can A by B"),
    ] {
        second.say(line).await;
        assert_eq!(second.hear(1).await, [expected]);
    }
    assert_eq!(first.hear(1).await, ["can A by B"]);
    assert!(first.hear_all().await.is_empty());
    assert!(second.hear_all().await.is_empty());
    first.hang_up().await;
    second.hang_up().await;
    server.stop().await.unwrap();
    assert_eq!(floor.summary().duplicate_cl_ord_ids, 1);
}

#[tokio::test]
async fn a_drop_copy_of_nobody_keeps_the_exchange_from_starting() {
    let floor = Floor::new();
    let mut config = floor.config();
    config.drop_copies = Some(vec!["NSE:COPY@NOBODY".parse().unwrap()]);
    let refused = Server::start(config).await.err().unwrap().to_string();
    assert_eq!(
        refused,
        "drop copy NSE:COPY: no session is of firm NSE:NOBODY"
    );
}
