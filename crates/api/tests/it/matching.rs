//! `ETag` and `If-Match`: what was seen is changed only while it is so.

use crate::bulk_work::Plan;
use crate::desk::{Desk, PATIENCE, nifty, reliance};
use crate::node::{ACTOR, Node, SECOND, answer, position_path};
use crate::readable::Readable;
use serde_json::{Value, json};
use squareoff_domain::bulk::{self, Bulk, BulkOutcome, BulkPhase, BulkReport};
use squareoff_domain::platform::MarketPhase;
use uuid::Uuid;

#[tokio::test]
async fn a_change_is_refused_when_what_was_seen_has_changed() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let ask = |path: &str, body: &Value, key: &str, tag: &str| {
        let request = node.ask_as(ACTOR, key, path, body).header("If-Match", tag);
        answer(request)
    };
    let tag = async |path: &str| {
        let shown = node.get(path).await;
        assert_eq!(
            shown.header("etag").unwrap(),
            format!("\"{}\"", shown.body["version"])
        );
        shown.header("etag").unwrap().to_owned()
    };
    let position = position_path(&nifty());
    let before = tag(&position).await;
    let freeze = (
        format!("{position}/freeze"),
        json!({ "reason": "disputed" }),
    );
    let key = Uuid::new_v4().to_string();
    assert_eq!(ask(&freeze.0, &freeze.1, &key, &before).await.status, 202);
    // Its own change is none to a repetition.
    let again = ask(&freeze.0, &freeze.1, &key, &before).await;
    assert!(
        again.status == 202 && again.is_repetition(),
        "{}",
        again.text
    );
    let unfreeze = (
        format!("{position}/unfreeze"),
        json!({ "reason": "settled" }),
    );
    let new_key = || Uuid::new_v4().to_string();
    let late = ask(&unfreeze.0, &unfreeze.1, &new_key(), &before).await;
    late.assert_problem(412, "resource-changed", "at version");
    let ahead = ask(&unfreeze.0, &unfreeze.1, &new_key(), "\"999\"").await;
    ahead.assert_problem(412, "resource-changed", "version 999");
    for wrong in ["7", "\"x\"", "W/\"7\"", "\"\""] {
        let wrong = ask(&unfreeze.0, &unfreeze.1, &new_key(), wrong).await;
        wrong.assert_problem(400, "invalid-parameter", "`If-Match`");
    }
    let now = tag(&position).await;
    assert_eq!(
        ask(&unfreeze.0, &unfreeze.1, &new_key(), &now).await.status,
        202
    );

    // An order is as it was seen while others of the position come and go.
    let accepted = node.close(&nifty(), "all").await;
    let [first, second] = accepted.orders[..] else {
        panic!("two slices")
    };
    readable.caught_up(&desk).await;
    let seen = tag(&format!("/v1/orders/{first}")).await;
    desk.acknowledge(&nifty(), second).await;
    let cancel = format!("/v1/orders/{first}/cancel");
    assert_eq!(
        ask(&cancel, &Value::Null, &new_key(), &seen).await.status,
        202
    );
    let twice = ask(&cancel, &Value::Null, &new_key(), &seen).await;
    twice.assert_problem(412, "resource-changed", "");
    let whatever = ask(&cancel, &Value::Null, &new_key(), "*").await;
    whatever.assert_problem(409, "cancel-pending", "");
}

#[tokio::test]
async fn the_platform_is_changed_only_as_it_was_seen_whatever_the_markets_do() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let tag = async || {
        let shown = node.get("/v1/platform").await;
        let tag = shown.header("etag").unwrap().to_owned();
        assert_eq!(tag, format!("\"{}\"", shown.body["version"]));
        tag
    };
    let ask = |actor: &str, key: &str, path: &str, body: &Value, tag: &str| {
        let path = format!("/v1/platform/{path}");
        answer(node.ask_as(actor, key, &path, body).header("If-Match", tag))
    };
    let halt = json!({ "scope": "NSE", "reason": "prices look wrong" });
    let before = tag().await;
    // A phase that was told changes nothing that people decide on.
    desk.market(MarketPhase::PreClose).await;
    assert_ne!(tag().await, before);
    let halted = ask(ACTOR, "halt", "halt", &halt, &before).await;
    assert_eq!(halted.status, 202, "{}", halted.text);
    let again = ask(ACTOR, "halt", "halt", &halt, &before).await;
    assert!(again.is_repetition() && again.body == halted.body);
    // Somebody who saw it before the halt wants something else by now.
    let down = json!({ "reason": "primary back" });
    let late = ask(SECOND, "down", "stand-down", &down, &before).await;
    late.assert_problem(412, "resource-changed", "platform");
    let ahead = ask(SECOND, "down", "stand-down", &down, "\"9999\"").await;
    ahead.assert_problem(412, "resource-changed", "version 9999");
    let wrong = ask(SECOND, "down", "stand-down", &down, "seven").await;
    wrong.assert_problem(400, "invalid-parameter", "`If-Match`");
    let now = tag().await;
    let done = ask(SECOND, "down", "stand-down", &down, &now).await;
    assert_eq!(done.status, 202, "{}", done.text);
}

#[tokio::test]
async fn a_bulk_is_changed_only_where_it_was_seen_to_stand() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let lines = vec![(nifty(), BulkPhase::Nrml), (reliance(), BulkPhase::Mis)];
    let plan = Plan::approved(&desk, lines).await;
    let path = format!("/v1/bulk/{}", plan.id);
    let settled = async |item| {
        let outcome = BulkOutcome::NothingToDo;
        let outcomes = vec![(item, outcome)];
        let report = BulkReport::ItemsSettled { outcomes };
        let stream = plan.id.stream();
        let told = desk.tell(&stream, |bulk: &Bulk| bulk::record(bulk, report.clone()));
        let position = told.await;
        assert!(node.app.book.reach(position, PATIENCE).await);
    };
    settled(0).await;
    let shown = node.get(&path).await;
    let seen = shown.header("etag").unwrap().to_owned();
    assert_eq!(seen, format!("\"{}\"", shown.body["version"]));
    // How far its items are is nothing that a pause depends on.
    settled(1).await;
    let ask = |key: &str, what: &str, body: &Value, tag: &str| {
        let request = node.ask_as(ACTOR, key, &format!("{path}/{what}"), body);
        answer(request.header("If-Match", tag))
    };
    let reason = json!({ "reason": "prices look wrong" });
    let paused = ask("pause", "pause", &reason, &seen).await;
    assert_eq!(paused.status, 202, "{}", paused.text);
    assert!(ask("pause", "pause", &reason, &seen).await.is_repetition());
    let late = ask("abort", "abort", &reason, &seen).await;
    late.assert_problem(412, "resource-changed", "bulk-");
    let now = node.get(&path).await.header("etag").unwrap().to_owned();
    assert_eq!(ask("abort", "abort", &reason, &now).await.status, 202);
}

#[tokio::test]
async fn a_list_is_its_rows_for_who_wants_csv() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    node.close(&nifty(), "all").await;
    readable.caught_up(&desk).await;
    let csv = async |path: &str| {
        let request = node.request(reqwest::Method::GET, path);
        let answer = answer(request.header("Accept", "text/csv")).await;
        assert_eq!(
            answer.header("content-type"),
            Some("text/csv; charset=utf-8"),
            "{path}"
        );
        assert!(answer.header("x-log-position").is_some(), "{path}");
        answer
    };
    for (path, list) in [
        ("/v1/orders", "orders"),
        ("/v1/positions", "positions"),
        ("/v1/audit", "audit"),
    ] {
        let rows = csv(path).await.text;
        let as_json = node.read(path).await;
        let of_json = as_json[list].as_array().unwrap();
        assert_eq!(rows.lines().count(), of_json.len() + 1, "{rows}");
        let heading: Vec<_> = rows.lines().next().unwrap().split(',').collect();
        assert_eq!(
            heading.len(),
            of_json[0].as_object().unwrap().len(),
            "{path}"
        );
    }
    assert_eq!(csv("/v1/trades").await.text, "");
    assert_eq!(csv("/v1/executions").await.text, "");
    // A page goes on where its link leads.
    let first = csv("/v1/orders?limit=1&venue=NSE").await;
    let link = first.header("link").unwrap();
    let next = link
        .strip_prefix('<')
        .unwrap()
        .strip_suffix(">; rel=\"next\"")
        .unwrap();
    assert!(
        next.starts_with("/v1/orders?limit=1&venue=NSE&before="),
        "{next}"
    );
    let second = csv(next).await;
    assert!(second.text.lines().count() == 2 && second.text != first.text);
    // Who can read JSON too gets that.
    let both = node.request(reqwest::Method::GET, "/v1/orders");
    let both = answer(both.header("Accept", "text/csv, application/json")).await;
    assert_eq!(both.header("content-type"), Some("application/json"));
}
