//! What fits nothing, and what the desk says of it.

use crate::desk::{DATE, Desk, date, key, nifty, reliance};
use crate::node::{ACTOR, Node, Refused, answer, assert_refused, with};
use serde_json::{Value, json};
use squareoff_api::server::now;
use squareoff_domain::position::Report;
use squareoff_domain::suspense::{
    self, Suspense, SuspenseAsk, SuspenseEvent, SuspenseRefusal, SuspenseRequest,
};
use squareoff_domain::{PositionKey, Price, Product, Quantity, RequestId, Side, Timestamp, Venue};
use squareoff_store::codec::LogEvent;
use squareoff_store::{Caller, Streams};
use uuid::Uuid;

fn of(report: &str) -> Value {
    json!({
        "venue": "NSE",
        "trading_date": DATE,
        "report_key": report,
        "stream": nifty().stream(),
        "reason": "the contract note names it",
    })
}

#[tokio::test]
async fn a_matched_execution_is_booked_once_on_its_position() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    desk.suspend("E9", Some(("NIFTY26NOVFUT", 15))).await;
    let ask = || node.ask_as(ACTOR, "s1", "/v1/suspense/match", &of("E9"));
    let first = answer(ask()).await;
    assert_eq!(first.status, 202, "{}", first.text);
    assert_eq!(first.body["stream"], "suspense-NSE-2026-11-20");
    assert_eq!(desk.position(&nifty()).await.net.0, 25);
    let count = desk.log().await.len();
    let again = answer(ask()).await;
    assert!(
        again.is_repetition() && again.text == first.text,
        "{}",
        again.text
    );
    let elsewhere = with(&of("E9"), &[("stream", json!(reliance().stream()))]);
    let elsewhere = answer(node.ask("/v1/suspense/match", &elsewhere)).await;
    elsewhere.assert_problem(409, "already-matched", &nifty().stream());
    assert_eq!(desk.position(&reliance()).await.net.0, -100);
    assert_eq!(desk.events_but_refusals().await, count);
}

/// Another position that an execution in RELIANCE could be matched to.
fn delivery() -> PositionKey {
    key("C00001", Venue::Nse, "RELIANCE", Product::Cnc)
}

fn to(position: &PositionKey, report: &str) -> Value {
    with(&of(report), &[("stream", json!(position.stream()))])
}

fn dismissal(report: &str) -> Value {
    with(&of(report), &[("stream", Value::Null)])
}

/// The execution that a suspended report of 15 units tells of, as a match books it.
async fn book(desk: &Desk, position: &PositionKey, report: &str) {
    let trade = Report::PrimaryTrade {
        key: position.clone(),
        execution: format!("NSE|2026-11-20|{report}").parse().unwrap(),
        side: Side::Sell,
        quantity: Quantity::new(15).unwrap(),
        price: Price(1_000_000),
        traded_at: Timestamp(0),
        source: format!("suspense {report}"),
    };
    desk.report(position, trade).await;
}

/// What a process appends first, before it dies.
async fn begin(desk: &Desk, position: &PositionKey, report: &str) {
    let request = SuspenseRequest {
        request_id: RequestId(Uuid::new_v4()),
        by: "supervisor-ravi".into(),
        report_key: report.into(),
        reason: "the contract note names it".into(),
        ask: SuspenseAsk::Match {
            position: position.clone(),
        },
    };
    let caller = Caller {
        actor: "supervisor-ravi".into(),
        request_id: Uuid::new_v4(),
        correlation_id: request.request_id.0,
        epoch: 1,
        now: now(),
    };
    let decide = |held: &Suspense| {
        let events = suspense::decide(held, request.clone())?;
        Ok::<_, SuspenseRefusal>((events, ()))
    };
    let suspended = Streams::<Suspense>::new(desk.store.clone());
    let stream = suspense::stream(Venue::Nse, date());
    suspended.transact(&stream, &caller, decide).await.unwrap();
}

#[tokio::test]
async fn a_match_that_broke_off_is_concluded_where_it_began_and_refused_elsewhere() {
    for booked in [false, true] {
        let desk = Desk::open().await;
        desk.suspend("E9", Some(("RELIANCE", 15))).await;
        begin(&desk, &reliance(), "E9").await;
        if booked {
            book(&desk, &reliance(), "E9").await;
        }
        let node = Node::start(&desk).await;
        let count = desk.events_but_refusals().await;
        for (path, body) in [
            ("/v1/suspense/match", to(&delivery(), "E9")),
            ("/v1/suspense/dismiss", dismissal("E9")),
        ] {
            let refused = answer(node.ask(path, &body)).await;
            refused.assert_problem(409, "match-begun", &reliance().stream());
        }
        assert_eq!(desk.events_but_refusals().await, count);
        let there = to(&reliance(), "E9");
        let concluded = answer(node.ask_as(ACTOR, "k1", "/v1/suspense/match", &there)).await;
        assert_eq!(concluded.status, 202, "{}", concluded.text);
        let again = answer(node.ask_as(ACTOR, "k1", "/v1/suspense/match", &there)).await;
        assert!(again.is_repetition() && again.text == concluded.text);
        assert_eq!(desk.position(&reliance()).await.net.0, -115);
        assert_eq!(desk.position(&delivery()).await.net.0, 0);
        let elsewhere = answer(node.ask("/v1/suspense/match", &to(&delivery(), "E9"))).await;
        elsewhere.assert_problem(409, "already-matched", &reliance().stream());
    }
}

/// Callers hang up at any moment, which ends what was done for them wherever it is; then others match the same elsewhere.
#[tokio::test]
async fn whoever_hangs_up_no_execution_is_booked_on_two_positions() {
    let desk = Desk::open().await;
    let (one, two) = (Node::start(&desk).await, Node::start(&desk).await);
    for round in 0..20_u64 {
        let report = format!("E{round}");
        desk.suspend(&report, Some(("RELIANCE", 15))).await;
        let first = one.ask("/v1/suspense/match", &to(&reliance(), &report));
        let asking = tokio::spawn(first.send());
        // From before it is sent to after it is answered.
        let came = desk.head().await;
        while round % 4 > 0 && desk.head().await == came && !asking.is_finished() {
            tokio::task::yield_now().await;
        }
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        asking.abort();
        let second = answer(two.ask("/v1/suspense/match", &to(&delivery(), &report))).await;
        let there = if second.status == 202 {
            delivery()
        } else {
            assert_eq!(second.status, 409, "{}", second.text);
            reliance()
        };
        // Begun, whatever became of it: the same again concludes it, or is told that it is.
        let last = answer(two.ask("/v1/suspense/match", &to(&there, &report))).await;
        assert!([202, 409].contains(&last.status), "{}", last.text);
        let execution = format!("NSE|2026-11-20|{report}").parse().unwrap();
        for position in [reliance(), delivery()] {
            let state = desk.position(&position).await;
            let booked = state.executions.contains_key(&execution);
            assert_eq!(
                booked,
                position == there,
                "{report} on {}",
                position.stream()
            );
        }
    }
}

/// Each match is three appends of their own, and the last is the one that answers.
#[tokio::test]
async fn a_match_is_begun_booked_and_concluded() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    desk.suspend("E9", Some(("RELIANCE", 15))).await;
    let before = desk.log().await.len();
    let answer = node
        .accept("/v1/suspense/match", &to(&reliance(), "E9"))
        .await;
    let log = desk.log().await;
    let told = &log[before..];
    let types: Vec<_> = told.iter().map(|event| &*event.event_type).collect();
    assert_eq!(
        types,
        [
            "SuspenseMatchBegun",
            "PrimaryTradeApplied",
            "SuspenseMatched"
        ]
    );
    assert_eq!(answer["position"], told[2].position.to_string());
    assert!(
        told.iter()
            .all(|event| event.correlation_id == told[2].request_id)
    );
    let SuspenseEvent::SuspenseMatchBegun(begun) = SuspenseEvent::decode(&told[0]).unwrap() else {
        panic!("{told:?}");
    };
    assert_eq!((begun.by.as_str(), begun.position), (ACTOR, reliance()));
}

/// The fact is in the position, the match is not: what a process of a release before `SuspenseMatchBegun` left when it died.
#[tokio::test]
async fn a_match_that_broke_off_goes_on_without_booking_twice() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let position = reliance();
    desk.suspend("E9", Some(("RELIANCE", 15))).await;
    book(&desk, &position, "E9").await;
    node.accept("/v1/suspense/match", &to(&position, "E9"))
        .await;
    assert_eq!(desk.position(&position).await.net.0, -115);
}

#[tokio::test]
async fn what_cannot_be_settled_is_refused_by_name() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    desk.suspend("E1", Some(("NIFTY26NOVFUT", 15))).await;
    desk.suspend("R1", None).await;
    desk.suspend("D1", Some(("NIFTY26NOVFUT", 15))).await;
    node.accept("/v1/suspense/dismiss", &dismissal("D1")).await;
    let line = |what, body: Value, status, code, word| -> Refused {
        (
            what,
            node.ask("/v1/suspense/match", &body),
            status,
            code,
            word,
        )
    };
    let changed = |field: &str, value: Value| with(&of("E1"), &[(field, value)]);
    let bse = "position-2026-11-20-C00001-BSE:TCS-CNC";
    #[rustfmt::skip]
    let lines = vec![
        line("an unknown report", of("E2"), 404, "unknown-report", "no such report"),
        line("an unknown day", changed("trading_date", json!("2026-11-19")), 404, "unknown-report", "no such report"),
        line("a report of no execution", of("R1"), 409, "no-execution", "no execution"),
        line("another instrument", changed("stream", json!(reliance().stream())), 409, "other-instrument", "instrument"),
        line("another venue", changed("stream", json!(bse)), 409, "other-instrument", "instrument"),
        line("an unknown client", changed("stream", json!("position-2026-11-20-C99999-NSE:RELIANCE-MIS")), 404, "unknown-client", "C99999"),
        line("an unknown instrument", changed("stream", json!("position-2026-11-20-C00001-NSE:INFY-MIS")), 404, "unknown-instrument", "no contract"),
        line("no position", changed("stream", json!("platform")), 400, "malformed-request", "`platform` is not a position"),
        line("no reason", changed("reason", json!(" ")), 422, "reason-missing", "a reason"),
        line("no key", changed("report_key", Value::Null), 400, "malformed-request", "missing field `report_key`"),
        ("dismissing it again", node.ask("/v1/suspense/dismiss", &dismissal("D1")), 409, "already-dismissed", "dismissed"),
        ("dismissing an unknown report", node.ask("/v1/suspense/dismiss", &dismissal("E2")), 404, "unknown-report", "no such report"),
        ("dismissing with a position", node.ask("/v1/suspense/dismiss", &of("E1")), 400, "malformed-request", "unknown field `stream`"),
    ];
    assert_refused(&desk, lines).await;
    node.accept("/v1/suspense/match", &of("E1")).await;
    // A dismissal is a person's word, and a person may think again.
    node.accept("/v1/suspense/match", &of("D1")).await;
}
