//! One position as a resource: what it shows, and what is asked of it.

use crate::desk::{Desk, key, nifty, reliance};
use crate::node::{ACTOR, Node, answer, position_path};
use serde_json::{Value, json};
use squareoff_domain::position::{Execution, PositionEvent};
use squareoff_domain::{OrderId, Product, Side, Venue};

const NOTHING: Value = Value::Null;

#[tokio::test]
async fn a_position_shows_what_is_open_what_works_and_what_it_has_earned() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let path = position_path(&nifty());
    let sold = node.close(&nifty(), 10).await.orders[0];
    desk.fill(&nifty(), sold, "E1", 10, 1_010_000).await;
    let external = desk.external(&nifty(), Side::Sell, 5).await;
    let shown = node.read(&path).await;
    // 40 at 99.50 in the morning, 10 of them sold at 101.00, marked at 100.00.
    for (field, value) in [
        ("stream", json!(nifty().stream())),
        ("client_code", json!("C00001")),
        ("bod_quantity", json!(40)),
        ("bod_average_price", json!("99.50")),
        ("net_quantity", json!(30)),
        ("working_quantity", json!(5)),
        ("external_working_quantity", json!(5)),
        ("closable_quantity", json!(25)),
        ("average_price", json!("99.50")),
        ("realized_profit", json!("15.00")),
        ("unrealized_profit", json!("15.00")),
        ("mark_price", json!("100.00")),
        ("bought_quantity", json!(0)),
        ("sold_quantity", json!(10)),
        ("frozen_reason", NOTHING),
        ("handed_back_epoch", NOTHING),
    ] {
        assert_eq!(shown[field], value, "{field} of {shown}");
    }
    let working = shown["working_orders"].as_array().unwrap();
    assert_eq!(working.len(), 1);
    assert_eq!(working[0]["order_id"], json!(external));
    assert_eq!(working[0]["origin"], "external");
    assert_eq!(working[0]["leaves_quantity"], 5);

    // Of the closing side only an order counts; on the other one it is shown apart.
    let external = desk.external(&reliance(), Side::Sell, 7).await;
    let shown = node.read(&position_path(&reliance())).await;
    assert_eq!(shown["working_quantity"], 0);
    assert_eq!(shown["external_working_quantity"], 7);
    assert_eq!(shown["closable_quantity"], 100);
    assert_eq!(shown["working_orders"][0]["order_id"], json!(external));
}

#[tokio::test]
async fn the_primarys_order_is_cancelled_by_its_id() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let external = desk.external(&reliance(), Side::Buy, 30).await;
    let cancelled = answer(node.cancel(external, "c1")).await;
    assert_eq!(cancelled.status, 202, "{}", cancelled.text);
    let history = desk.history(&reliance()).await;
    let Some(PositionEvent::CancelRequested(requested)) = history.last() else {
        panic!("{history:?}")
    };
    assert_eq!(requested.order_id, external);
    assert_eq!(requested.original_cl_ord_id.as_str(), "OMS7781");
}

#[tokio::test]
async fn a_frozen_position_takes_no_order_until_it_is_unfrozen_and_says_why() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let path = position_path(&key("C00001", Venue::Nse, "M&M", Product::Cnc));
    let reason = json!({ "reason": "the fill is disputed" });
    let ask = |key: &str, what: &str| node.ask_as(ACTOR, key, &format!("{path}/{what}"), &reason);
    let first = answer(ask("f1", "freeze")).await;
    assert_eq!(first.status, 202, "{}", first.text);
    assert_eq!(
        node.read(&path).await["frozen_reason"],
        "the fill is disputed"
    );
    let again = answer(ask("f1", "freeze")).await;
    assert!(again.is_repetition() && again.text == first.text);
    let other = answer(ask("f1", "unfreeze")).await;
    other.assert_problem(422, "idempotency-key-reused", "used before");
    assert_eq!(answer(ask("u1", "unfreeze")).await.status, 202);
    assert_eq!(node.read(&path).await["frozen_reason"], NOTHING);
}

#[tokio::test]
async fn a_handed_back_position_shows_its_epoch() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let path = position_path(&nifty());
    node.accept(&format!("{path}/hand-back"), &NOTHING).await;
    assert_eq!(node.read(&path).await["handed_back_epoch"], 1);
    let again = answer(node.ask(&format!("{path}/hand-back"), &NOTHING)).await;
    again.assert_problem(409, "position-handed-back", "handed back");
}

#[tokio::test]
async fn an_order_is_changed_and_the_answer_repeats() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let order = node.close(&nifty(), 20).await.orders[0];
    desk.acknowledge(&nifty(), order).await;
    let change = json!({ "limit_price": "97.05", "quantity": 10 });
    let path = format!("/v1/orders/{order}/modify");
    let first = answer(node.ask_as(ACTOR, "m1", &path, &change)).await;
    assert_eq!(first.status, 202, "{}", first.text);
    assert_eq!(
        first.header("location"),
        Some(&*format!("/v1/orders/{order}"))
    );
    let history = desk.history(&nifty()).await;
    let Some(PositionEvent::ReplaceRequested(requested)) = history.last() else {
        panic!("{history:?}")
    };
    assert_eq!(requested.quantity.units(), 10);
    assert_eq!(requested.price.to_string(), "97.05");
    let again = answer(node.ask_as(ACTOR, "m1", &path, &change)).await;
    assert!(
        again.is_repetition() && again.text == first.text,
        "{}",
        again.text
    );
    let other = json!({ "limit_price": "97.05", "quantity": 15 });
    let other = answer(node.ask_as(ACTOR, "m1", &path, &other)).await;
    other.assert_problem(422, "idempotency-key-reused", "used before");
}

#[tokio::test]
async fn a_doubt_resolved_as_not_delivered_frees_what_it_held() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let order = node.close(&nifty(), 20).await.orders[0];
    desk.in_doubt(&nifty(), order).await;
    let shown = node.read(&position_path(&nifty())).await;
    assert_eq!(shown["closable_quantity"], 20);
    assert_eq!(shown["working_orders"][0]["status"], "in-doubt");
    let resolve = json!({ "outcome": "not-delivered", "reason": "the exchange has no such order" });
    node.accept(&format!("/v1/orders/{order}/resolve"), &resolve)
        .await;
    let shown = node.read(&position_path(&nifty())).await;
    assert_eq!(shown["closable_quantity"], 40);
}

#[tokio::test]
async fn every_order_of_a_position_is_cancelled_at_once() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let ours = node.close(&nifty(), 30).await.orders;
    let external = desk.external(&nifty(), Side::Sell, 5).await;
    desk.venue(&nifty(), ours[1], Execution::Canceled).await;
    let path = format!("{}/cancel-all", position_path(&nifty()));
    let first = answer(node.ask_as(ACTOR, "c1", &path, &NOTHING)).await;
    assert_eq!(first.status, 202, "{}", first.text);
    let mut ids: Vec<OrderId> = serde_json::from_value(first.body["order_ids"].clone()).unwrap();
    let mut expected = vec![ours[0], external];
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected);
    let again = answer(node.ask_as(ACTOR, "c1", &path, &NOTHING)).await;
    assert!(again.is_repetition() && again.text == first.text);
    let other = answer(node.ask_as(ACTOR, "c2", &path, &NOTHING)).await;
    other.assert_problem(409, "nothing-to-cancel", "no order");
}

#[tokio::test]
async fn every_order_of_a_client_is_cancelled_and_each_position_told() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let ours = node.close(&nifty(), 30).await.orders;
    let external = desk.external(&reliance(), Side::Buy, 30).await;
    let path = "/v1/clients/C00001/cancel-all";
    let ask = || answer(node.ask_as(ACTOR, "c1", path, &NOTHING));
    let first = ask().await;
    assert_eq!(first.status, 202, "{}", first.text);
    assert!(!first.is_repetition());
    let positions = first.body["positions"].as_array().unwrap();
    // All that the book has of the client.
    assert_eq!(positions.len(), 6, "{}", first.text);
    let of = |stream: String| {
        let mut found = positions.iter().filter(|it| it["stream"] == json!(stream));
        found.next().unwrap()
    };
    let outcome = of(nifty().stream());
    assert_eq!(outcome["outcome"], "cancelling");
    assert_eq!(outcome["order_ids"].as_array().unwrap().len(), ours.len());
    assert_eq!(of(reliance().stream())["order_ids"], json!([external]));
    let idle = of(key("C00001", Venue::Nse, "M&M", Product::Cnc).stream());
    assert_eq!(idle["outcome"], "nothing-to-cancel");
    assert_eq!(first.body["position"], json!(desk.head().await.to_string()));

    let before = desk.events_but_refusals().await;
    let again = ask().await;
    assert!(
        again.is_repetition() && again.text == first.text,
        "{}",
        again.text
    );
    assert_eq!(desk.events_but_refusals().await, before);
    let other = answer(node.ask(path, &NOTHING)).await;
    other.assert_problem(409, "nothing-to-cancel", "no order");
}
