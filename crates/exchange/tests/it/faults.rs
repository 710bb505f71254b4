//! Every scripted fault, as a broker sees it over FIX.

use std::time::Duration;

use serde_json::Value;
use squareoff_exchange::config::{Options, TradeDate};
use squareoff_exchange::fact::Happening;
use squareoff_exchange::ledger;
use squareoff_exchange::server::Server;
use squareoff_fix::message::BusinessRejectReason;
use squareoff_fix::{AppMessage, Reset};

use crate::broker::{Broker, patiently, shown};
use crate::desk::Desk;
use crate::floor::Floor;
use crate::wire::Wire;

async fn open(floor: &Floor) -> (Server, Broker, Desk) {
    let server = floor.start().await;
    let broker = Broker::dial(floor.dir.path(), "NSE", server.address());
    let desk = Desk::open(&floor.data());
    (server, broker, desk)
}

async fn close(server: Server, broker: Broker) {
    broker.hang_up().await;
    server.stop().await.unwrap();
}

async fn drop_copy(floor: &Floor, server: &Server) -> Broker {
    let dir = floor.dir.path();
    Broker::dial_with(
        "SQUAREOFF-DC",
        Reset::WhenFresh,
        dir,
        "NSE",
        server.address(),
    )
}

/// Asks again and again until the answer is as wanted.
async fn until(desk: &Desk, path: &str, wanted: impl Fn(&Value) -> bool) {
    patiently(path, async {
        while !wanted(&desk.read(path).await) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// The fault that the next occasion takes; what the broker says; what it then hears.
const SCENARIOS: &[(&str, &[&str], &[&str])] = &[
    (
        "partial_fill",
        &["A buy 10 MADE 100.05", "B cancel A"],
        &["ack A", "fill A 5@100.05 cum 5 leaves 5", "can A by B"],
    ),
    (
        "fill_before_ack",
        &["A buy 5 MADE 100.05"],
        &["fill A 5@100.05 cum 5 leaves 0", "ack A"],
    ),
    (
        "over_fill",
        &["A buy 5 MADE 100.05"],
        &[
            "ack A",
            "fill A 5@100.05 cum 5 leaves 0",
            "fill A 5@100.05 cum 10 leaves 0",
        ],
    ),
    (
        "fill_beats_cancel",
        &["A buy 10 QUIET 100", "B cancel A", "C cancel A"],
        &[
            "ack A",
            "fill A 10@100 cum 10 leaves 0",
            "cxlrej B of A 0",
            "cxlrej C of A 0",
        ],
    ),
    (
        "fill_beats_cancel",
        &["A buy 10 QUIET 100", "R replace A buy 5 QUIET 99"],
        &["ack A", "fill A 10@100 cum 10 leaves 0", "replrej R of A 0"],
    ),
    (
        "fill_before_cancel",
        &["A buy 10 QUIET 100", "B cancel A"],
        &["ack A", "fill A 5@100 cum 5 leaves 5", "can A by B"],
    ),
    (
        "fill_after_cancel",
        &["A buy 10 QUIET 100", "B cancel A"],
        &["ack A", "can A by B", "fill A 5@100 cum 5 leaves 0"],
    ),
    (
        "duplicate_report",
        &["A buy 5 MADE 100.05"],
        &[
            "ack A",
            "fill A 5@100.05 cum 5 leaves 0",
            "fill A 5@100.05 cum 5 leaves 0",
        ],
    ),
    (
        "reject_unknown_symbol",
        &["A buy 5 QUIET 100"],
        &["rej A 1"],
    ),
    ("reject_closed", &["A buy 5 QUIET 100"], &["rej A 2"]),
    ("reject_freeze", &["A buy 5 QUIET 100"], &["rej A 3"]),
    ("reject_lot", &["A buy 5 QUIET 100"], &["rej A 13"]),
    ("reject_band", &["A buy 5 QUIET 100"], &["rej A 99"]),
    ("reject_tick", &["A buy 5 QUIET 100"], &["rej A 99"]),
    (
        "reject_price_protection",
        &["A buy 5 QUIET 100"],
        &["rej A 99"],
    ),
    (
        "reject_trade_for_trade",
        &["A buy 5 QUIET 100"],
        &["rej A 99"],
    ),
];

#[tokio::test]
async fn a_fault_strikes_the_next_occasion_and_no_other() {
    let floor = Floor::new();
    let (server, mut broker, desk) = open(&floor).await;
    // One exchange for all: every scenario has ids of its own.
    for ((fault, lines, expected), at) in SCENARIOS.iter().zip(1..) {
        let own = |line: &str| {
            let mine = |word: &str| match word {
                "A" | "B" | "C" | "R" => format!("{word}{at}"),
                other => other.to_owned(),
            };
            line.split(' ').map(mine).collect::<Vec<_>>().join(" ")
        };
        desk.done(&format!(r#"{{"fault":{{"kind":"{fault}"}}}}"#))
            .await;
        for line in *lines {
            broker.say(&own(line)).await;
        }
        let heard = broker.hear(expected.len()).await;
        let expected: Vec<String> = expected.iter().map(|line| own(line)).collect();
        assert_eq!(heard, expected, "{fault}");
        assert!(
            broker.hear_all().await.is_empty(),
            "{fault}: nothing else is said"
        );
        broker.say(&own("C buy 5 QUIET 95")).await;
        let next = broker.hear(1).await;
        assert!(
            next[0].starts_with("ack") || next[0].starts_with("rej"),
            "{fault}: {next:?}"
        );
    }
    assert_eq!(
        desk.read("/state").await["state"]["faults"],
        serde_json::json!([])
    );
    close(server, broker).await;
}

#[tokio::test]
async fn a_duplicate_has_one_exec_id_and_two_sequence_numbers() {
    let floor = Floor::new();
    let (server, mut broker, desk) = open(&floor).await;
    let mut copy = drop_copy(&floor, &server).await;
    broker.say("A buy 5 MADE 100.05").await;
    let exec_id = |message: &AppMessage| match message {
        AppMessage::ExecutionReport(report) => report.exec_id.clone(),
        other => panic!("{other:?}"),
    };
    let mut reports = Vec::new();
    for _ in 0..2 {
        reports.push(broker.receive().await);
    }
    let id = exec_id(&reports[1].message);
    desk.done(&format!(r#"{{"repeat":{{"exec_id":"{id}"}}}}"#))
        .await;
    let again = broker.receive().await;
    assert_eq!(again.message, reports[1].message, "to the last field");
    assert!(again.seq > reports[1].seq && !again.poss_dup);
    desk.done(&format!(
        r#"{{"repeat":{{"exec_id":"{id}","to_copy":true}}}}"#
    ))
    .await;
    let copies = [copy.receive().await, copy.receive().await];
    assert_eq!(copies[0].message, copies[1].message);
    assert_eq!(exec_id(&copies[0].message), id);
    assert!(broker.hear_all().await.is_empty());
    copy.hang_up().await;
    close(server, broker).await;
    assert_eq!(floor.summary().executions, 1, "nothing happened twice");
}

#[tokio::test]
async fn control_fills_orders_in_part_too_late_and_too_far() {
    let floor = Floor::new();
    let (server, mut broker, desk) = open(&floor).await;
    broker.say("A buy 15 QUIET 100").await;
    broker.say("B buy 15 QUIET 100").await;
    broker.say("C cancel B").await;
    assert_eq!(broker.hear(3).await.len(), 3);
    for (command, expected) in [
        (
            r#"{"fill":{"order_id":"NSE-O1","quantity":5,"price":"99.95"}}"#,
            "fill A 5@99.95 cum 5 leaves 10",
        ),
        (
            r#"{"late_fill":{"order_id":"NSE-O2","quantity":10}}"#,
            "fill B 10@100 cum 10 leaves 0",
        ),
        (
            r#"{"over_fill":{"order_id":"NSE-O1","quantity":15}}"#,
            "fill A 15@100 cum 20 leaves 0",
        ),
    ] {
        desk.done(command).await;
        assert_eq!(broker.hear(1).await, [expected]);
    }
    for (command, status, begins) in [
        (
            r#"{"fill":{"order_id":"NSE-O1","quantity":5}}"#,
            409,
            "order_id: NSE-O1 does not work",
        ),
        (
            r#"{"late_fill":{"order_id":"NSE-O1","quantity":5}}"#,
            409,
            "order_id: NSE-O1 did not",
        ),
        (
            r#"{"late_fill":{"order_id":"NSE-O2","quantity":10}}"#,
            409,
            "order_id: NSE-O2 did not",
        ),
        (
            r#"{"late_fill":{"order_id":"NSE-O2","quantity":4}}"#,
            400,
            "quantity: 4",
        ),
        (
            r#"{"late_fill":{"order_id":"NSE-O2","quantity":5,"price":"1.01"}}"#,
            400,
            "price: 1.01",
        ),
        (
            r#"{"over_fill":{"order_id":"NSE-O2","quantity":5}}"#,
            409,
            "quantity: 5 is not more",
        ),
    ] {
        desk.refused(command, status, begins).await;
    }
    // What was filled too far can be taken back.
    desk.done(r#"{"bust":{"exec_id":"NSE-6"}}"#).await;
    assert_eq!(broker.hear(1).await, ["bust A of NSE-6 cum 5 leaves 0"]);
    close(server, broker).await;
}

#[tokio::test]
async fn a_trade_that_never_reached_the_order_session_is_on_the_drop_copy_and_the_other_way_round()
{
    let floor = Floor::new();
    let (server, mut broker, desk) = open(&floor).await;
    let mut copy = drop_copy(&floor, &server).await;
    desk.done(r#"{"fault":{"kind":"withhold_report"}}"#).await;
    broker.say("A buy 5 MADE 100.05").await;
    assert_eq!(broker.hear(1).await, ["ack A"]);
    assert_eq!(copy.hear(1).await, ["fill A 5@100.05 cum 5 leaves 0"]);
    assert!(broker.hear_all().await.is_empty());
    let trades = desk.read("/trades").await;
    assert_eq!(trades["trades"][0]["fault"], "withhold_report");
    desk.done(r#"{"fault":{"kind":"withhold_copy"}}"#).await;
    broker.say("B buy 5 MADE 100.05").await;
    assert_eq!(broker.hear(2).await[1], "fill B 5@100.05 cum 5 leaves 0");
    broker.say("C buy 5 MADE 100.05").await;
    assert_eq!(copy.hear(1).await, ["fill C 5@100.05 cum 5 leaves 0"]);
    assert_eq!(broker.hear(2).await.len(), 2);
    copy.hang_up().await;
    close(server, broker).await;
}

#[tokio::test]
async fn a_session_that_is_held_hears_later_what_the_other_hears_at_once() {
    let floor = Floor::new();
    let (server, mut broker, desk) = open(&floor).await;
    let mut copy = drop_copy(&floor, &server).await;
    broker.say("A buy 15 QUIET 100").await;
    assert_eq!(broker.hear(1).await, ["ack A"]);
    let hold =
        |session: &str, held| format!(r#"{{"hold":{{"session":"{session}","held":{held}}}}}"#);
    desk.done(&hold("NSE:SQUAREOFF", true)).await;
    desk.done(r#"{"fill":{"order_id":"NSE-O1","quantity":5}}"#)
        .await;
    let first = "fill A 5@100 cum 5 leaves 10";
    assert_eq!(copy.hear(1).await, [first]);
    assert_eq!(broker.received(), None, "the drop copy comes first");
    desk.done(&hold("NSE:SQUAREOFF", false)).await;
    assert_eq!(broker.hear(1).await, [first]);
    desk.done(&hold("NSE:SQUAREOFF-DC", true)).await;
    desk.done(r#"{"fill":{"order_id":"NSE-O1","quantity":10}}"#)
        .await;
    let second = "fill A 10@100 cum 15 leaves 0";
    assert_eq!(broker.hear(1).await, [second]);
    assert_eq!(copy.received(), None, "the drop copy is late");
    desk.done(&hold("NSE:SQUAREOFF-DC", false)).await;
    assert_eq!(copy.hear(1).await, [second]);
    copy.hang_up().await;
    close(server, broker).await;
}

#[tokio::test]
async fn who_sends_too_much_is_refused_for_certain_and_may_come_again() {
    let floor = Floor::new();
    let (server, mut broker, desk) = open(&floor).await;
    let limit = |limit: &str| {
        format!(r#"{{"throttle":{{"session":"NSE:SQUAREOFF","messages_per_second":{limit}}}}}"#)
    };
    desk.done(&limit("1")).await;
    for order in 0..20 {
        broker.say(&format!("A{order} buy 5 QUIET 95")).await;
    }
    let (mut accepted, mut refused) = (0, Vec::new());
    for _ in 0..20 {
        match broker.receive().await.message {
            AppMessage::BusinessMessageReject(reject) => {
                assert_eq!(reject.reason, BusinessRejectReason::ThrottleLimitExceeded);
                assert_eq!(reject.ref_kind, "D");
                assert!(reject.text.unwrap().starts_with("throttle: more than 1"));
                refused.push(reject.ref_id.unwrap());
            }
            report => accepted += i32::from(shown(&report).starts_with("ack ")),
        }
    }
    assert!(accepted >= 1 && !refused.is_empty());
    assert_eq!(accepted as usize + refused.len(), 20);
    desk.done(&limit("null")).await;
    broker.say(&format!("{} buy 5 QUIET 95", refused[0])).await;
    assert_eq!(
        broker.hear(1).await,
        [format!("ack {}", refused[0])],
        "its id is free"
    );
    close(server, broker).await;
    let summary = floor.summary();
    assert_eq!(summary.throttled as usize, refused.len());
    assert_eq!(summary.duplicate_cl_ord_ids, 0);
}

#[tokio::test]
async fn a_connection_is_cut_in_the_middle_of_a_message_and_nothing_is_lost_or_said_twice() {
    let floor = Floor::new();
    let server = floor.start().await;
    let desk = Desk::open(&floor.data());
    let cut = r#"{"disconnect":{"session":"NSE:SQUAREOFF","mid_message":true}}"#;
    let mut wire = Wire::log_on(server.address(), &[]).await;
    desk.done(cut).await;
    wire.say("A buy 5 QUIET 95").await;
    while let Some(message) = wire.receive().await {
        assert_ne!(message.kind(), b"8", "no report comes whole");
    }
    let left = String::from_utf8_lossy(wire.unfinished()).into_owned();
    assert!(
        left.contains("\x0135=8\x01") && !left.contains("\x0110="),
        "{left}"
    );

    let dir = floor.dir.path();
    let address = server.address();
    let mut broker = Broker::dial_with("SQUAREOFF", Reset::WhenFresh, dir, "NSE", address);
    broker.say("B buy 5 QUIET 95").await;
    while broker.hear(1).await != ["ack B"] {}
    for order in 0..3 {
        desk.done(cut).await;
        broker.say(&format!("C{order} buy 5 QUIET 95")).await;
        assert_eq!(broker.hear(1).await, [format!("ack C{order}")]);
    }
    desk.done(r#"{"disconnect":{"session":"NSE:SQUAREOFF"}}"#)
        .await;
    broker.say("D buy 5 QUIET 95").await;
    assert_eq!(broker.hear(1).await, ["ack D"]);
    assert!(broker.hear_all().await.is_empty());
    close(server, broker).await;
    assert_eq!(floor.summary().duplicate_cl_ord_ids, 0);
}

#[tokio::test]
async fn messages_are_sent_again_unasked_as_possible_duplicates() {
    let floor = Floor::new();
    let server = floor.start().await;
    let desk = Desk::open(&floor.data());
    let mut wire = Wire::log_on(server.address(), &[]).await;
    wire.say("A buy 5 QUIET 95").await;
    let (seq, is_duplicate, said) = wire.hear().await;
    assert_eq!((is_duplicate, said.as_str()), (false, "ack A"));
    desk.done(r#"{"replay":{"session":"NSE:SQUAREOFF"}}"#).await;
    assert_eq!(wire.hear().await, (seq, true, "ack A".to_owned()));
    wire.say("B buy 5 QUIET 95").await;
    let (_, is_duplicate, said) = wire.hear().await;
    assert_eq!(
        (is_duplicate, said.as_str()),
        (false, "ack B"),
        "the session goes on"
    );
    drop(wire);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn orders_go_with_their_session_where_that_was_agreed_or_set() {
    /// CancelOnDisconnect, as `fix` has it in the log-on.
    const CANCEL_ON_DISCONNECT: u32 = 8013;
    let floor = Floor::new();
    let server = floor.start().await;
    let desk = Desk::open(&floor.data());
    let setting =
        |on| format!(r#"{{"cancel_on_disconnect":{{"session":"NSE:SQUAREOFF","on":{on}}}}}"#);
    for (round, agreed, set, left) in [
        (0, false, false, 1),
        (1, true, false, 0),
        (2, false, true, 0),
    ] {
        desk.done(&setting(set)).await;
        let terms: &[_] = if agreed {
            &[(CANCEL_ON_DISCONNECT, true)]
        } else {
            &[]
        };
        let mut wire = Wire::log_on(server.address(), terms).await;
        wire.say(&format!("A{round} buy 5 QUIET 95")).await;
        // What the last session's end cancelled may be told first.
        while wire.hear().await.2 != format!("ack A{round}") {}
        drop(wire);
        until(&desk, "/state", |state| {
            let mut lines = state["lines"].as_array().unwrap().iter();
            lines.all(|line| line["connected"] == false)
        })
        .await;
        until(&desk, "/orders", |orders| orders["total"] == left).await;
    }
    server.stop().await.unwrap();
    let path = floor.ledger();
    let canceled = ledger::read(&path).unwrap().filter(|fact| {
        matches!(
            fact.as_ref().unwrap().happening,
            Happening::Canceled { request: None }
        )
    });
    assert_eq!(
        canceled.count(),
        3,
        "the second drop took the first one's order along"
    );
}

#[tokio::test]
async fn what_it_was_started_with_holds_until_control_says_otherwise() {
    let floor = Floor::new();
    let options = Options {
        cancel_on_disconnect: ["NSE:SQUAREOFF".to_owned()].into(),
        messages_per_second: Some(1_000),
        ..Options::default()
    };
    let server = Server::start_with(floor.config(), options).await.unwrap();
    let desk = Desk::open(&floor.data());
    let session = async |at: usize| desk.read("/state").await["state"]["sessions"][at].clone();
    let (bse, nse) = (session(0).await, session(1).await);
    assert_eq!(nse["session"], "NSE:SQUAREOFF");
    let set = |of: &Value| {
        (
            of["cancel_on_disconnect"] == true,
            of["messages_per_second"].clone(),
        )
    };
    assert_eq!(set(&bse), (false, 1_000.into()));
    assert_eq!(set(&nse), (true, 1_000.into()));
    let mut broker = Broker::dial(floor.dir.path(), "NSE", server.address());
    broker.say("A buy 5 QUIET 95").await;
    assert_eq!(broker.hear(1).await, ["ack A"]);
    broker.hang_up().await;
    until(&desk, "/orders", |orders| orders["total"] == 0).await;
    desk.done(r#"{"throttle":{"messages_per_second":null}}"#)
        .await;
    desk.done(r#"{"cancel_on_disconnect":{"session":"NSE:SQUAREOFF","on":false}}"#)
        .await;
    assert_eq!(set(&session(1).await), (false, Value::Null));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_outage_takes_a_segments_orders_without_a_word() {
    let floor = Floor::new();
    let (server, mut broker, desk) = open(&floor).await;
    assert_eq!(broker.hear_phases(1).await, ["CM Open"]);
    broker.say("A buy 5 QUIET 95").await;
    assert_eq!(broker.hear(1).await, ["ack A"]);
    desk.done(r#"{"outage":{"segment":"CM","venue":"NSE"}}"#)
        .await;
    assert_eq!(broker.hear_phases(1).await, ["CM Halted"]);
    broker.say("M working").await;
    broker.say("status of A").await;
    broker.say("B buy 5 QUIET 95").await;
    let mut heard = broker.hear(3).await;
    heard.sort();
    assert_eq!(
        heard,
        ["none NONE", "rej B 2", "stands A Canceled cum 0 leaves 0"]
    );
    desk.done(r#"{"phase":{"segment":"CM","to":"open"}}"#).await;
    assert_eq!(broker.hear_phases(1).await, ["CM Open"]);
    assert!(broker.hear_all().await.is_empty());
    close(server, broker).await;
}

#[tokio::test]
async fn a_switch_to_the_other_site_loses_the_last_trades_which_are_busted_later() {
    let floor = Floor::new();
    let (server, mut broker, desk) = open(&floor).await;
    broker.say("A buy 15 QUIET 100").await;
    broker.say("B sell 5 QUIET 100").await;
    broker.say("C sell 5 QUIET 100").await;
    assert_eq!(broker.hear(7).await.len(), 7);
    desk.done(r#"{"disaster":{"venue":"NSE","trades":1}}"#)
        .await;
    broker.say("status of A").await;
    let standing = "stands A PartiallyFilled cum 5 leaves 10";
    assert_eq!(
        broker.hear(1).await,
        [standing],
        "connected again, and nothing was told"
    );
    desk.done(r#"{"bust_dropped":true}"#).await;
    let busts = [
        "bust A of NSE-6 cum 5 leaves 10",
        "bust C of NSE-7 cum 0 leaves 0",
    ];
    assert_eq!(broker.hear(2).await, busts);
    close(server, broker).await;
    let summary = floor.summary();
    assert_eq!(
        (
            summary.busts,
            summary.cum_units["A"],
            summary.cum_units["C"]
        ),
        (2, 5, 0)
    );
}

#[tokio::test]
async fn what_a_restart_lost_is_asked_for_again_and_no_id_is_given_out_twice() {
    let floor = Floor::new();
    let (server, mut broker, _) = open(&floor).await;
    broker.say("A buy 15 QUIET 100").await;
    broker.say("B buy 5 QUIET 95").await;
    broker.say("C sell 5 QUIET 100").await;
    assert_eq!(broker.hear(5).await.len(), 5);
    close(server, broker).await;
    // The fills of C are lost, and the rest of its message with them.
    let options = Options {
        lose_tail: 1,
        ..Options::default()
    };
    let server = Server::start_with(floor.config(), options).await.unwrap();
    let mut broker = Broker::dial(floor.dir.path(), "NSE", server.address());
    let told = [
        "ack C",
        "fill A 5@100 cum 5 leaves 10",
        "fill C 5@100 cum 5 leaves 0",
    ];
    assert_eq!(broker.hear(3).await, told, "under new ExecIDs");
    assert!(broker.hear_all().await.is_empty());
    close(server, broker).await;
    let facts: Vec<_> = ledger::read(&floor.ledger())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let ordinals: Vec<u64> = facts.iter().map(|fact| fact.ordinal).collect();
    assert_eq!(ordinals, [1, 2, 6, 7, 8, 9]);
    assert_eq!(facts[2].happening, Happening::TailLost { from: 3 });
    assert_eq!(floor.summary().duplicate_cl_ord_ids, 0);
    let server = floor.start().await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn the_clock_can_be_moved_and_the_phases_follow_it() {
    let floor = Floor::new();
    let mut config = floor.config();
    config.trade_date = TradeDate::today();
    config.hours = vec!["CM=09:15-15:30".parse().unwrap()];
    let day = config.trade_date.as_str().to_owned();
    let server = Server::start(config).await.unwrap();
    let desk = Desk::open(&floor.data());
    let mut broker = Broker::dial(floor.dir.path(), "NSE", server.address());
    for (wish, phase, told) in [
        (
            format!(r#"{{"to":"{day}T09:00:00+05:30"}}"#),
            "pre_open",
            "CM PreOpen",
        ),
        (r#"{"forward_s":1800}"#.to_owned(), "open", "CM Open"),
        (
            format!(r#"{{"to":"{day}T15:30:00+05:30"}}"#),
            "closed",
            "CM Closed",
        ),
        (r#"{"forward_s":-3600}"#.to_owned(), "open", "CM Open"),
    ] {
        desk.done(&format!(r#"{{"clock":{wish}}}"#)).await;
        let state = desk.read("/state").await;
        assert_eq!(state["state"]["phases"][1]["phase"], phase, "{wish}");
        // What was told at the log-on, and of the time before it, comes first.
        while broker.hear_phases(1).await != [told] {}
    }
    broker.say("A buy 5 QUIET 95").await;
    assert_eq!(broker.hear(1).await, ["ack A"]);
    close(server, broker).await;
}

/// Plays one day of orders under seeded faults; answers the ledger without its times.
async fn day(seed: u64) -> Vec<Value> {
    let floor = Floor::new();
    let mut config = floor.config();
    config.seed = seed;
    let server = Server::start(config).await.unwrap();
    let broker = Broker::dial(floor.dir.path(), "NSE", server.address());
    let desk = Desk::open(&floor.data());
    let rates = [
        "partial_fill",
        "fill_before_ack",
        "over_fill",
        "fill_beats_cancel",
    ]
    .into_iter();
    let rates = rates.chain(["fill_after_cancel", "duplicate_report", "reject_tick"]);
    let rates: Vec<String> = rates.map(|kind| format!(r#""{kind}":2000"#)).collect();
    desk.done(&format!(r#"{{"seeded":{{{}}}}}"#, rates.join(",")))
        .await;
    for order in 0..60 {
        broker.say(&format!("A{order} buy 50 MADE 100.05")).await;
        broker.say(&format!("B{order} buy 50 QUIET 95")).await;
        broker.say(&format!("C{order} cancel B{order}")).await;
    }
    let mut broker = broker;
    broker.hear_all().await;
    close(server, broker).await;
    let text = std::fs::read_to_string(floor.ledger()).unwrap();
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().remove("transact_time");
        line
    });
    lines.collect()
}

#[tokio::test]
async fn the_same_seed_and_the_same_messages_make_the_same_ledger() {
    let first = day(11).await;
    assert_eq!(first, day(11).await);
    assert_ne!(first, day(12).await);
    let struck = first
        .iter()
        .filter(|line| line["fault"].is_string())
        .count();
    assert!(struck > 20, "{struck} faults in 180 messages");
}
