//! What desk and auditor look up: positions, external orders, breaks, executions, the audit trail, suspense, and the day's incident.

use crate::desk::{DATE, Desk, key, nifty, reliance};
use crate::node::{ACTOR, Node, Refused, answer, assert_refused, close_all, position_path, with};
use crate::readable::{Readable, assert_time, list, text};
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use squareoff_domain::position::Report;
use squareoff_domain::{Price, Product, Quantity, Side, Venue};

const NOTHING: Value = Value::Null;

/// Rows of a list by one of their fields.
async fn found(node: &Node, path: &str, name: &str, field: &str) -> Vec<String> {
    let body = node.read(path).await;
    let rows = list(&body, name).iter();
    rows.map(|row| text(&row[field]).to_owned()).collect()
}

#[tokio::test]
async fn positions_are_listed_by_what_is_open_works_or_needs_a_person() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    node.close(&nifty(), 10).await;
    desk.external(&reliance(), Side::Buy, 30).await;
    let mm = key("C00001", Venue::Nse, "M&M", Product::Cnc);
    let reason = json!({ "reason": "the fill is disputed" });
    node.accept(&format!("{}/freeze", position_path(&mm)), &reason)
        .await;
    readable.caught_up(&desk).await;
    let streams = async |query: &str| {
        found(
            node,
            &format!("/v1/positions?{query}"),
            "positions",
            "stream",
        )
        .await
    };
    assert_eq!(streams("").await.len(), 8);
    assert_eq!(streams("open=true").await.len(), 7);
    assert_eq!(
        streams("working=true").await,
        [nifty().stream(), reliance().stream()]
    );
    assert_eq!(streams("frozen=true").await, [mm.stream()]);
    assert_eq!(streams("client_code=C00002").await.len(), 2);
    assert_eq!(streams("venue=BSE&segment=CM").await.len(), 1);
    assert_eq!(streams("trading_date=2026-11-19").await.len(), 0);
    assert_eq!(streams("breaks=true").await.len(), 0);
    // Page by page.
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = node.read(&format!("/v1/positions?limit=3{after}")).await;
        let rows = list(&page, "positions").iter();
        all.extend(rows.map(|row| text(&row["stream"]).to_owned()));
        match page.get("next") {
            Some(next) => after = format!("&after={}", text(next).replace('&', "%26")),
            None => break,
        }
    }
    assert_eq!(all, streams("").await);
    let body = node.read("/v1/positions?symbol=RELIANCE&product=MIS").await;
    let row = &list(&body, "positions")[0];
    assert_eq!(row["external_working_quantity"], 30);
    assert_eq!(row["closable_quantity"], 70);
    assert_eq!(row["average_price"], "99.50");
    assert_eq!(row["mark_price"], "100.00");
    // 100 short at 99.50, marked at 100.00.
    assert_eq!(row["unrealized_profit"], "-50.00");
}

#[tokio::test]
async fn orders_of_the_primary_are_listed_beside_ours() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let accepted = node.close(&nifty(), 10).await;
    let external = desk.external(&reliance(), Side::Buy, 30).await;
    let filled = node.close(&nifty(), 5).await.orders[0];
    desk.fill(&nifty(), filled, "E1", 5, 1_000_000).await;
    readable.caught_up(&desk).await;
    let ids =
        async |query: &str| found(node, &format!("/v1/orders?{query}"), "orders", "order_id").await;
    let ours = accepted.orders[0].to_string();
    assert_eq!(ids("origin=external").await, [external.to_string()]);
    assert_eq!(ids("origin=ours").await, [filled.to_string(), ours.clone()]);
    assert_eq!(
        ids("working=true").await,
        [external.to_string(), ours.clone()]
    );
    assert_eq!(ids("product=MIS").await, [external.to_string()]);
    assert_eq!(
        ids(&format!("trading_date={DATE}&status=filled")).await,
        [filled.to_string()]
    );
    let shown = node.read(&format!("/v1/orders/{external}")).await;
    assert_eq!(
        (&shown["origin"], &shown["request_id"]),
        (&json!("external"), &NOTHING)
    );
    let request = &node.read(&format!("/v1/orders/{ours}")).await["request_id"];
    assert_eq!(ids(&format!("request_id={}", text(request))).await, [ours]);
}

#[tokio::test]
async fn a_trade_is_confirmed_by_the_drop_copy_or_is_a_break() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let order = node.close(&nifty(), 20).await.orders[0];
    let told = |id: &str, units, price| Report::DropCopy {
        execution: format!("NSE|{DATE}|{id}").parse().unwrap(),
        side: Side::Sell,
        quantity: Quantity::new(units).unwrap(),
        price: Price(price),
        source: "drop copy".into(),
    };
    for id in ["E1", "E2", "E3"] {
        desk.fill(&nifty(), order, id, 5, 1_000_000).await;
    }
    desk.report(&nifty(), told("E1", 5, 1_000_000)).await;
    desk.report(&nifty(), told("E2", 5, 1_000_500)).await;
    desk.report(&nifty(), told("E9", 5, 1_000_000)).await;
    readable.caught_up(&desk).await;
    let keys = async |query: &str| {
        found(
            node,
            &format!("/v1/trades?{query}"),
            "trades",
            "execution_key",
        )
        .await
    };
    let key = |id: &str| format!("NSE|{DATE}|{id}");
    assert_eq!(keys("status=confirmed").await, [key("E1")]);
    assert_eq!(keys("status=provisional").await, [key("E3")]);
    assert_eq!(keys("status=contradicted").await, [key("E2")]);
    assert_eq!(keys("status=unbooked").await, [key("E9")]);
    assert_eq!(keys("origin=drop-copy").await, [key("E9")]);
    assert_eq!(keys("breaks=true").await, [key("E9"), key("E2")]);
    let body = node.read("/v1/trades?status=contradicted").await;
    let row = &list(&body, "trades")[0];
    assert_eq!(
        (&row["price"], &row["drop_copy_price"]),
        (&json!("100.00"), &json!("100.05"))
    );

    let types = async |query: &str| {
        found(
            node,
            &format!("/v1/executions?{query}"),
            "executions",
            "event_type",
        )
        .await
    };
    assert_eq!(types("event_type=TradeConfirmed").await.len(), 3);
    assert_eq!(types(&format!("order_id={order}")).await, ["Executed"; 3]);
    let of_one = format!("execution_key=NSE%7C{DATE}%7CE1");
    assert_eq!(types(&of_one).await, ["TradeConfirmed", "Executed"]);
}

#[tokio::test]
async fn who_did_what_is_searched_by_person_client_order_request_and_time() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let body = with(&close_all(&nifty()), &[("quantity", json!(20))]);
    let asked = answer(node.square_off_as("supervisor-ravi", "one", &body)).await;
    let request = text(&asked.body["request_id"]).to_owned();
    let order = asked.accepted().orders[0];
    desk.fill(&nifty(), order, "E1", 5, 1_000_000).await;
    assert_eq!(answer(node.cancel(order, "c1")).await.status, 202);
    let refused = answer(node.square_off_as(
        "supervisor-ravi",
        "two",
        &with(&body, &[("quantity", json!(45))]),
    ));
    assert_eq!(refused.await.status, 409);
    // The refusal is written behind its answer.
    let types =
        async |query: &str| found(node, &format!("/v1/audit?{query}"), "audit", "event_type").await;
    let waiting = async {
        while types("kind=refusal").await.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(crate::desk::PATIENCE, waiting)
        .await
        .unwrap();
    let of_ravi = ["RequestRefused", "SquareOffAccepted"];
    assert_eq!(types("actor=supervisor-ravi").await, of_ravi);
    assert_eq!(types(&format!("actor={ACTOR}")).await, ["CancelRequested"]);
    assert_eq!(types("client_code=C00001").await.len(), 3);
    assert_eq!(types("client_code=C00002").await.len(), 0);
    let of_order = types(&format!("order_id={order}&facts=true")).await;
    assert_eq!(of_order, ["CancelRequested", "SquareOffAccepted"]);
    assert!(
        types(&format!("request_id={request}"))
            .await
            .contains(&"SquareOffAccepted".to_owned())
    );
    assert_eq!(
        types("kind=ask&event_type=SquareOffAccepted").await.len(),
        1
    );
    assert_eq!(types("to=2020-01-01T00:00:00Z").await.len(), 0);
    assert_eq!(
        types("from=2020-01-01T00:00:00%2B05:30&actor=supervisor-ravi").await,
        of_ravi
    );
    let shown = node.read("/v1/audit?actor=supervisor-ravi&limit=1").await;
    let row = &list(&shown, "audit")[0];
    assert_time(&row["recorded_at"]);
    assert!(text(&row["summary"]).contains("45"), "{row}");
    let behind = format!("actor=supervisor-ravi&before={}", text(&shown["next"]));
    assert_eq!(types(&behind).await, of_ravi[1..]);
}

#[tokio::test]
async fn what_fits_nothing_is_listed_until_it_is_settled() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    desk.suspend("E8", Some(("NIFTY26NOVFUT", 15))).await;
    desk.suspend("R1", None).await;
    let body = json!({
        "venue": "NSE", "trading_date": DATE, "report_key": "E8", "stream": nifty().stream(), "reason": "the contract note",
    });
    node.accept("/v1/suspense/match", &body).await;
    readable.caught_up(&desk).await;
    let keys = async |query: &str| {
        found(
            node,
            &format!("/v1/suspense?{query}"),
            "suspense",
            "report_key",
        )
        .await
    };
    assert_eq!(keys("").await, ["R1", "E8"]);
    assert_eq!(keys("state=open").await, ["R1"]);
    assert_eq!(keys("symbol=NIFTY26NOVFUT").await, ["E8"]);
    let shown = node.read("/v1/suspense?state=matched").await;
    let row = &list(&shown, "suspense")[0];
    assert_eq!(row["matched_stream"], json!(nifty().stream()));
    assert_eq!(
        (&row["settled_by"], &row["price"]),
        (&json!(ACTOR), &json!("100.00"))
    );
}

#[tokio::test]
async fn the_days_incident_is_told_as_json_and_as_csv_that_no_spreadsheet_reckons() {
    let desk = Desk::dormant().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let path = format!("/v1/incidents/{DATE}");
    let none = node.get(&path).await;
    none.assert_problem(404, "unknown-incident", DATE);
    let activation = json!({
        "trading_date": DATE,
        "reason": "=cmd|'/c calc'!A1",
        "outage_began_at": "2026-11-20T09:47:00+05:30",
    });
    node.accept("/v1/platform/activation", &activation).await;
    node.accept_as(
        "supervisor-ravi",
        "/v1/platform/activation/approve",
        &NOTHING,
    )
    .await;
    node.accept("/v1/platform/activation/activate", &NOTHING)
        .await;
    let ended = node
        .accept(
            "/v1/platform/stand-down",
            &json!({ "reason": "the primary is back" }),
        )
        .await;
    let at_least = text(&ended["position"]);
    let told = node.read(&format!("{path}?at_least={at_least}")).await;
    let incident = &told["incidents"][0];
    assert_eq!(incident["outage_began_at"], "2026-11-20T04:17:00Z");
    assert_eq!(incident["requested_by"], ACTOR);
    assert_eq!(incident["approved_by"], "supervisor-ravi");
    assert_eq!(incident["ended"], "stood-down");
    assert_time(&incident["ended_at"]);
    assert_eq!(incident["counts"]["orders"], 0);
    assert_eq!(list(&told, "timeline").len(), 4);

    let csv = node.get(&format!("{path}?format=csv")).await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(
        csv.header("content-disposition"),
        Some("attachment; filename=\"incident-2026-11-20.csv\"")
    );
    let mut reader = csv::Reader::from_reader(csv.text.as_bytes());
    let rows: Vec<Vec<String>> = reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    assert!(
        rows.iter().flatten().all(|field| !field.starts_with('=')),
        "{}",
        csv.text
    );
    let kinds: Vec<_> = rows.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(kinds[0], "outage-began");
    assert_eq!(rows[0][0], "2026-11-20T04:17:00Z");
    assert!(
        kinds.contains(&"outage-ended") && kinds.contains(&"count"),
        "{kinds:?}"
    );
    let accepted = node.request(Method::GET, &path).header(ACCEPT, "text/csv");
    assert_eq!(answer(accepted).await.text, csv.text);
    let listed = node.read("/v1/incidents").await;
    assert_eq!(list(&listed, "incidents").len(), 1);
    let before = node.read("/v1/incidents?to=2026-11-19").await;
    assert_eq!(list(&before, "incidents").len(), 0);
}

#[tokio::test]
async fn a_search_that_cannot_be_read_names_its_parameter() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let bad = |path: &'static str, word: &'static str| -> Refused {
        (
            path,
            node.request(Method::GET, path),
            400,
            "invalid-parameter",
            word,
        )
    };
    let absent = |path: &'static str| -> Refused {
        (
            path,
            node.anonymous(Method::GET, path),
            401,
            "unauthenticated",
            "Bearer",
        )
    };
    #[rustfmt::skip]
    let lines = vec![
        bad("/v1/positions?open=yes", "`open` is one of true, false, not `yes`"),
        bad("/v1/positions?after=platform", "`after`: `platform` is not a position"),
        bad("/v1/positions?before=1", "unknown field `before`"),
        bad("/v1/positions?expiry=2026-02-30", "`expiry`"),
        bad("/v1/positions?segment=XX", "`segment`: `XX` is not a segment"),
        bad("/v1/orders?working=1", "`working`"),
        bad("/v1/orders?origin=theirs", "`origin` is one of ours, external"),
        bad("/v1/orders?request_id=7", "`request_id`: `7` is not a UUID"),
        bad("/v1/orders?trading_date=today", "`trading_date`"),
        bad("/v1/trades?status=done", "`status` is one of provisional, confirmed, corrected, contradicted, busted, unbooked, correction"),
        bad("/v1/trades?origin=x", "`origin`"),
        bad("/v1/trades?breaks=", "`breaks`"),
        bad("/v1/trades?execution_key=%00", "`execution_key`"),
        bad("/v1/executions?event_type=OrderPlaced", "`event_type` is one of Executed"),
        bad("/v1/executions?from=yesterday", "`from`: `yesterday` is not a time"),
        bad("/v1/executions?limit=501", "`limit`"),
        bad("/v1/audit?kind=all", "`kind` is one of ask, fact, refusal"),
        bad("/v1/audit?actor=", "`actor`"),
        bad("/v1/audit?actor=%00", "`actor`"),
        bad("/v1/audit?stream=%0A", "`stream`"),
        bad("/v1/audit?to=2026-11-20", "`to`"),
        bad("/v1/audit?order_id=x", "`order_id`"),
        bad("/v1/audit?person=x", "unknown field `person`"),
        bad("/v1/suspense?state=lost", "`state` is one of open, matched, dismissed"),
        bad("/v1/suspense?account=%00", "`account`"),
        bad("/v1/incidents?from=x", "`from`"),
        bad("/v1/incidents?before=x", "`before`"),
        bad("/v1/incidents/yesterday", "`trading_date`"),
        bad("/v1/incidents/2026-11-20?format=xml", "`format`"),
        absent("/v1/positions"),
        absent("/v1/executions"),
        absent("/v1/audit"),
        absent("/v1/suspense"),
        absent("/v1/incidents"),
        absent("/v1/incidents/2026-11-20"),
        ("an outage of the read database", node.request(Method::GET, "/v1/audit"), 503, "read-model-unavailable", "orders still go"),
    ];
    assert_refused(&desk, lines).await;
}
