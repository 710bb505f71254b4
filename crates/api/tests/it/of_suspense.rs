//! What fits nothing, and what the desk says of it.

use crate::desk::{DATE, Desk, nifty, reliance};
use crate::node::{ACTOR, Node, Refused, answer, assert_refused, with};
use serde_json::{Value, json};

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

/// The fact is in the position, the match is not: what a crash between the two leaves.
#[tokio::test]
async fn a_match_that_broke_off_goes_on_without_booking_twice() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let position = reliance();
    desk.suspend("E9", Some(("RELIANCE", 15))).await;
    let report = squareoff_domain::position::Report::PrimaryTrade {
        key: position.clone(),
        execution: "NSE|2026-11-20|E9".parse().unwrap(),
        side: squareoff_domain::Side::Sell,
        quantity: squareoff_domain::Quantity::new(15).unwrap(),
        price: squareoff_domain::Price(1_000_000),
        traded_at: squareoff_domain::Timestamp(0),
        source: "suspense E9".into(),
    };
    desk.report(&position, report).await;
    let body = with(&of("E9"), &[("stream", json!(position.stream()))]);
    node.accept("/v1/suspense/match", &body).await;
    assert_eq!(desk.position(&position).await.net.0, -115);
}

#[tokio::test]
async fn what_cannot_be_settled_is_refused_by_name() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    desk.suspend("E1", Some(("NIFTY26NOVFUT", 15))).await;
    desk.suspend("R1", None).await;
    desk.suspend("D1", Some(("NIFTY26NOVFUT", 15))).await;
    let dismiss = |report: &str| with(&of(report), &[("stream", Value::Null)]);
    node.accept("/v1/suspense/dismiss", &dismiss("D1")).await;
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
        ("dismissing it again", node.ask("/v1/suspense/dismiss", &dismiss("D1")), 409, "already-dismissed", "dismissed"),
        ("dismissing an unknown report", node.ask("/v1/suspense/dismiss", &dismiss("E2")), 404, "unknown-report", "no such report"),
        ("dismissing with a position", node.ask("/v1/suspense/dismiss", &of("E1")), 400, "malformed-request", "unknown field `stream`"),
    ];
    assert_refused(&desk, lines).await;
    node.accept("/v1/suspense/match", &of("E1")).await;
    // A dismissal is a person's word, and a person may think again.
    node.accept("/v1/suspense/match", &of("D1")).await;
}
