//! Bulk square-offs over HTTP: seen dry, proposed by one, approved by another, followed to the end.

use crate::bulk_work::{Plan, Worker};
use crate::desk::{Desk, PATIENCE, key, nifty, reliance};
use crate::node::{Answer as Said, Node, answer, assert_refused};
use crate::readable::{Readable, list, text};
use crate::venue::{Answer, Venue as FakeVenue};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use squareoff_domain::bulk::BulkPhase;
use squareoff_domain::position::{ExternalOrderObserved, Report};
use squareoff_domain::{OrderId, Price, Product, Quantity, Side, Venue};
use std::collections::BTreeSet;
use uuid::Uuid;

fn post(node: &Node, actor: &str, path: &str, body: &Value) -> RequestBuilder {
    let request = node.anonymous(Method::POST, &format!("/v1/bulk{path}"));
    let request = request.bearer_auth(node.token(actor));
    let request = request.header("Idempotency-Key", Uuid::new_v4().to_string());
    if body.is_null() {
        request
    } else {
        request.json(body)
    }
}

async fn ask(node: &Node, actor: &str, path: &str, body: &Value) -> Said {
    answer(post(node, actor, path, body)).await
}

async fn accepted(node: &Node, actor: &str, path: &str, body: &Value) -> Value {
    let said = ask(node, actor, path, body).await;
    assert_eq!(said.status, 202, "{path}: {}", said.text);
    said.body
}

fn of_client(client: &str) -> Value {
    json!({ "filter": { "client_code": client }, "reason": "primary down" })
}

/// The bulk once it is as `there` says.
async fn until(node: &Node, id: &str, there: impl Fn(&Value) -> bool) -> Value {
    let mut changed = node.app.book.changed();
    let there = async {
        loop {
            changed.mark_unchanged();
            let bulk = node.read(&format!("/v1/bulk/{id}")).await;
            if there(&bulk) {
                return bulk;
            }
            changed.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, there).await.unwrap()
}

#[tokio::test]
async fn a_dry_run_says_what_it_would_be_and_appends_nothing() {
    let desk = Desk::open().await;
    let order = ExternalOrderObserved {
        order_id: OrderId(Uuid::new_v4()),
        cl_ord_id: "PRIMARY1".parse().unwrap(),
        exchange_order_id: "X9".parse().unwrap(),
        key: nifty(),
        side: Side::Sell,
        quantity: Quantity::new(15).unwrap(),
        cumulative: Quantity::ZERO,
        price: Price(1_010_000),
        source: "primary".into(),
    };
    desk.report(
        &nifty(),
        Report::ExternalOrder {
            order,
            ended: false,
        },
    )
    .await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let frozen = format!(
        "{}/freeze",
        crate::node::position_path(&key("C00001", Venue::Bse, "TCS", Product::Cnc))
    );
    let freeze = node
        .request(Method::POST, &frozen)
        .header("Idempotency-Key", "freeze");
    assert_eq!(
        answer(freeze.json(&json!({ "reason": "disputed" })))
            .await
            .status,
        202
    );
    readable.caught_up(&desk).await;
    let head = desk.head().await;
    let mut body = of_client("C00001");
    body["dry_run"] = true.into();
    // Without a key: nothing is done that could be done twice.
    let request = node.request(Method::POST, "/v1/bulk").json(&body);
    let said = answer(request).await;
    assert_eq!(said.status, 200, "{}", said.text);
    let mut dry = said.body;
    assert_eq!(text(&dry["as_of"]).parse(), Ok(head));
    let closes = list(&dry, "closes").to_vec();
    assert_eq!((closes.len(), &closes[0]["segment"]), (1, &json!("CM")));
    assert_eq!(closes[0]["closes_at"], "2026-11-20T10:00:00Z");
    assert_eq!(dry["fits_before_close"], closes[0]["fits"]);
    for field in ["closes", "fits_before_close", "as_of"] {
        dry.as_object_mut().unwrap().remove(field);
    }
    // 100 RELIANCE short, 40 NIFTY in orders of 20, 10 M&M, 10 FROZEN that not even a lot of can be sent: each at 100.00.
    let phase = |phase: &str, items: u32, slices: u32, notional: &str| json!({ "phase": phase, "items": items, "slices": slices, "notional": notional });
    assert_eq!(
        dry,
        json!({
            "dry_run": true,
            "trading_date": "2026-11-20",
            "items": 4,
            "orders_to_cancel": 1,
            "orders_to_cancel_ours": 0,
            "orders_to_cancel_external": 1,
            "slices": 4,
            "notional": "16000.00",
            "messages": 5,
            "message_rate_per_s": 100,
            "estimated_seconds": 1,
            "phases": [phase("mis", 1, 1, "10000.00"), phase("nrml", 2, 2, "5000.00"), phase("cnc", 1, 1, "1000.00")],
            "left_out": { "frozen": 1, "handed_back": 0, "without_contract": 0 },
        })
    );
    // One that is sent all the same is looked at.
    let unusable = node.request(Method::POST, "/v1/bulk").json(&body);
    let unusable = answer(unusable.header("Idempotency-Key", "two words")).await;
    unusable.assert_problem(400, "idempotency-key-invalid", "visible ASCII");
    assert_eq!(desk.head().await, head);
}

#[tokio::test]
async fn one_proposes_another_approves_and_the_desk_follows_it_to_the_end() {
    let desk = Desk::open().await;
    let venue = FakeVenue::open(&desk, &[("RELIANCE", Answer::Rest)]);
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    readable.caught_up(&desk).await;
    let body = of_client("C00001");
    let key = Uuid::new_v4().to_string();
    let request = || {
        let request = node
            .request(Method::POST, "/v1/bulk")
            .header("Idempotency-Key", &key);
        request.json(&body)
    };
    let first = answer(request()).await;
    assert_eq!(first.status, 202, "{}", first.text);
    let id = text(&first.body["bulk_id"]).to_owned();
    assert_eq!(first.header("location"), Some(&*format!("/v1/bulk/{id}")));
    assert_eq!(
        (&first.body["items"], &first.body["status"]),
        (&json!(5), &json!("proposed"))
    );
    let again = answer(request()).await;
    assert!(again.is_repetition());
    assert_eq!(again.body, first.body);

    let own = ask(
        node,
        crate::node::ACTOR,
        &format!("/{id}/approve"),
        &Value::Null,
    )
    .await;
    own.assert_problem(
        403,
        "not-allowed",
        "`approve-bulk` takes the role supervisor",
    );
    let _worker = Worker::start(&desk);
    let approved = accepted(
        node,
        "supervisor-ravi",
        &format!("/{id}/approve"),
        &Value::Null,
    )
    .await;
    assert_eq!(approved["bulk_id"], json!(id));
    // RELIANCE rests in the book and holds up its phase.
    let running = until(node, &id, |bulk| bulk["progress"]["sent"] == 1).await;
    assert_eq!(
        (&running["status"], &running["phase"]),
        (&json!("running"), &json!("mis"))
    );
    assert_eq!(running["approved_by"], "supervisor-ravi");
    assert!(
        running["progress"]["estimated_end_at"].is_string(),
        "{running}"
    );
    accepted(
        node,
        "desk-asha",
        &format!("/{id}/pause"),
        &json!({ "reason": "looking" }),
    )
    .await;
    let paused = node.read(&format!("/v1/bulk/{id}")).await;
    assert_eq!(
        (&paused["status"], &paused["stopped_because"]),
        (&json!("paused"), &json!("looking"))
    );
    assert!(paused["progress"]["estimated_end_at"].is_null());
    let order = crate::desk::reliance();
    let orders = node.read(&crate::node::position_path(&order)).await;
    let order_id = text(&list(&orders, "working_orders")[0]["order_id"])
        .parse()
        .unwrap();
    desk.fill(&order, OrderId(order_id), "E-late", 100, 1_000_000)
        .await;
    until(node, &id, |bulk| bulk["progress"]["closed"] == 1).await;
    drop(venue);
    let _venue = FakeVenue::open(&desk, &[]);
    accepted(node, "desk-asha", &format!("/{id}/resume"), &Value::Null).await;
    let done = until(node, &id, |bulk| {
        bulk["status"] == "completed" || bulk["progress"]["planned"] == 1
    })
    .await;
    // The BSE is not connected: its item waits.
    assert_eq!(done["progress"]["planned"], 1, "{done}");
    accepted(
        node,
        "desk-asha",
        &format!("/{id}/abort"),
        &json!({ "reason": "enough" }),
    )
    .await;
    let over = until(node, &id, |bulk| !bulk["ended_at"].is_null()).await;
    let progress = &over["progress"];
    assert_eq!(
        (&over["status"], &progress["skipped"]),
        (&json!("aborted"), &json!(1))
    );
    assert_eq!(
        (&progress["closed"], &progress["refused"]),
        (&json!(3), &json!(1))
    );

    readable.caught_up(&desk).await;
    let items = node.read(&format!("/v1/bulk/{id}/items")).await;
    let states: BTreeSet<_> = list(&items, "items")
        .iter()
        .map(|item| {
            (
                text(&item["symbol"]).to_owned(),
                text(&item["state"]).to_owned(),
            )
        })
        .collect();
    let expected = [
        ("FROZEN", "refused"),
        ("M&M", "closed"),
        ("NIFTY26NOVFUT", "closed"),
        ("RELIANCE", "closed"),
        ("TCS", "skipped"),
    ];
    assert_eq!(
        states,
        expected
            .map(|(symbol, state)| (symbol.to_owned(), state.to_owned()))
            .into()
    );
    let page = node
        .read(&format!("/v1/bulk/{id}/items?limit=2&state=closed"))
        .await;
    let rest = format!(
        "/v1/bulk/{id}/items?limit=2&state=closed&after={}",
        text(&page["next"])
    );
    assert_eq!(list(&node.read(&rest).await, "items").len(), 1);
    let phases = node.read(&format!("/v1/bulk/{id}/phases")).await;
    assert_eq!(list(&phases, "phases").len(), 3, "{phases}");
    let listed = node.read("/v1/bulk?status=aborted").await;
    assert_eq!(list(&listed, "bulks").len(), 1);
    assert_eq!(
        list(&node.read("/v1/bulk?status=running").await, "bulks").len(),
        0
    );
}

#[tokio::test]
async fn what_cannot_be_asked_of_bulks_is_refused_by_name() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    readable.caught_up(&desk).await;
    let id = accepted(node, "desk-asha", "", &of_client("C00001")).await["bulk_id"].clone();
    let id = text(&id).to_owned();
    let reason = json!({ "reason": "no" });
    accepted(node, "supervisor-ravi", &format!("/{id}/reject"), &reason).await;
    let asked = |actor, path: &str, body: &Value| post(node, actor, path, body);
    let proposal =
        |filter: Value| asked("desk-asha", "", &json!({ "filter": filter, "reason": "x" }));
    let nobody = Uuid::new_v4();
    // Written to the trail of refusals behind the answers: the check of the head is about what is asked here.
    let lines = vec![
        (
            "nothing said",
            proposal(json!({})),
            422,
            "filter-unclear",
            "\"all\": true",
        ),
        (
            "all and something",
            proposal(json!({ "all": true, "venue": "NSE" })),
            422,
            "filter-unclear",
            "which is meant",
        ),
        (
            "no such field",
            proposal(json!({ "branch": "Pune" })),
            400,
            "malformed-request",
            "branch",
        ),
        (
            "no key",
            node.request(Method::POST, "/v1/bulk")
                .json(&of_client("C00001")),
            400,
            "idempotency-key-missing",
            "Idempotency-Key",
        ),
        (
            "not an id",
            node.request(Method::GET, "/v1/bulk/7"),
            400,
            "invalid-parameter",
            "bulk_id",
        ),
        (
            "unknown",
            node.request(Method::GET, &format!("/v1/bulk/{nobody}")),
            404,
            "unknown-bulk",
            "no such bulk",
        ),
        (
            "unknown items",
            node.request(Method::GET, &format!("/v1/bulk/{nobody}/items")),
            404,
            "unknown-bulk",
            "no such bulk",
        ),
        (
            "no such state",
            node.request(Method::GET, &format!("/v1/bulk/{id}/items?state=odd")),
            400,
            "invalid-parameter",
            "state",
        ),
    ];
    // What rules refuse is written to the trail a moment later, so it is asked behind what must leave no trace.
    assert_refused(&desk, lines).await;
    for (path, body, code, word) in [
        (
            "",
            json!({ "filter": { "client_code": "C00003" }, "reason": "x" }),
            "nothing-to-square-off",
            "no position",
        ),
        (
            &*format!("/{id}/approve"),
            Value::Null,
            "bulk-in-another-status",
            "rejected",
        ),
        (
            &*format!("/{id}/pause"),
            reason.clone(),
            "bulk-in-another-status",
            "rejected",
        ),
    ] {
        ask(node, "supervisor-ravi", path, &body)
            .await
            .assert_problem(409, code, word);
    }
    let nobody = format!("/{nobody}/abort");
    ask(node, "supervisor-ravi", &nobody, &reason)
        .await
        .assert_problem(404, "unknown-bulk", "no such bulk");
    let empty = json!({ "reason": " " });
    let said = ask(node, "supervisor-ravi", &format!("/{id}/abort"), &empty).await;
    said.assert_problem(422, "reason-missing", "reason");
}

/// Whoever approves a list has to have seen all of it.
#[tokio::test]
async fn a_list_that_was_cut_off_is_approved_by_nobody_and_can_be_turned_down() {
    let desk = Desk::open().await;
    let lines = vec![(reliance(), BulkPhase::Mis), (nifty(), BulkPhase::Nrml)];
    let plan = Plan::cut_off(&desk, lines, 1).await;
    let node = Node::start(&desk).await;
    let path = format!("/{}", plan.id);
    let approve = post(
        &node,
        "supervisor-ravi",
        &format!("{path}/approve"),
        &Value::Null,
    );
    let word = "1 of 2 items are listed";
    let line = ("half a list", approve, 409, "list-incomplete", word);
    assert_refused(&desk, vec![line]).await;
    let reject = format!("{path}/reject");
    accepted(
        &node,
        "supervisor-ravi",
        &reject,
        &json!({ "reason": "cut off" }),
    )
    .await;
    assert!(desk.placed(&nifty()).await.is_empty());
}
