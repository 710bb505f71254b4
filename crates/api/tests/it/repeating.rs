//! One key, one request, one answer: whatever happened in between.

use crate::desk::{Desk, key, nifty, reliance};
use crate::node::{ACTOR, Answer, Node, answer, assert_refused, close_all, with};
use futures::future::join_all;
use serde_json::json;
use squareoff_domain::{Product, Venue};

#[track_caller]
fn assert_repeats(again: &Answer, first: &Answer) {
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(again.header("location"), first.header("location"));
    assert!(again.is_repetition(), "{:?}", again.headers);
}

#[tokio::test]
async fn the_same_request_again_gets_the_first_answer_whatever_happened_since() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let body = close_all(&nifty());
    let ask = || answer(node.square_off_as(ACTOR, "one", &body));
    let first = ask().await;
    assert!(first.status == 202 && !first.is_repetition());
    let head = desk.head().await;
    assert_repeats(&ask().await, &first);
    assert_eq!(desk.head().await, head);

    // The same terms in other words.
    let said_out = with(&body, &[("time_in_force", json!("DAY"))]);
    let said_out = answer(node.square_off_as(ACTOR, "one", &said_out)).await;
    assert_repeats(&said_out, &first);

    // Filled, so that nothing is left to close.
    for (order, execution) in first.accepted().orders.into_iter().zip(["E1", "E2"]) {
        desk.fill(&nifty(), order, execution, 20, 1_000_000).await;
    }
    assert_repeats(&ask().await, &first);

    node.knows(desk.disconnect().await).await;
    node.knows(desk.stand_down().await).await;
    assert_repeats(&ask().await, &first);

    // Another process, with a memory of its own.
    let other = Node::start(&desk).await;
    let head = desk.head().await;
    assert_repeats(
        &answer(other.square_off_as(ACTOR, "one", &body)).await,
        &first,
    );
    assert_eq!(desk.head().await, head);
}

#[tokio::test]
async fn a_refused_request_may_be_asked_again_and_is_decided_anew() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    node.knows(desk.disconnect().await).await;
    let ask = || answer(node.square_off_as(ACTOR, "one", &close_all(&nifty())));
    ask()
        .await
        .assert_problem(503, "exchange-not-connected", "not ready");
    node.knows(desk.connect().await).await;
    let accepted = ask().await;
    assert!(accepted.status == 202 && !accepted.is_repetition());
}

#[tokio::test]
async fn a_key_used_for_another_request_is_refused() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let body = with(&close_all(&nifty()), &[("quantity", json!(5))]);
    let ask = |body| node.square_off_as(ACTOR, "one", body);
    let first = answer(ask(&body)).await.accepted();
    let cancelled = answer(node.cancel(first.orders[0], "two")).await;
    assert_eq!(cancelled.status, 202, "{}", cancelled.text);

    let other = Node::start(&desk).await;
    let mm = key("C00001", Venue::Nse, "M&M", Product::Cnc);
    let changed = |field, value| with(&body, &[(field, value)]);
    let reused = |what, request| (what, request, 422, "idempotency-key-reused", "used before");
    #[rustfmt::skip]
    let lines = vec![
        reused("another quantity", ask(&changed("quantity", json!(10)))),
        reused("all", ask(&changed("quantity", json!("all")))),
        reused("another price", ask(&changed("limit_price", json!("100.00")))),
        reused("another time", ask(&changed("time_in_force", json!("IOC")))),
        reused("other evidence", ask(&changed("evidence", json!("call 42")))),
        reused("another position", ask(&close_all(&reliance()))),
        reused("another position, at another node", other.square_off_as(ACTOR, "one", &close_all(&mm))),
        reused("a cancel with the key of a square-off", node.cancel(first.orders[0], "one")),
        reused("a square-off with the key of a cancel", node.square_off_as(ACTOR, "two", &body)),
        reused("the same on another position", node.square_off_as(ACTOR, "two", &close_all(&reliance()))),
    ];
    assert_refused(&desk, lines).await;
    // The position was not spoiled by the attempt.
    node.close(&reliance(), "all").await;
}

#[tokio::test]
async fn the_same_key_of_another_actor_is_another_request() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let body = with(&close_all(&nifty()), &[("quantity", json!(5))]);
    let asha = answer(node.square_off_as(ACTOR, "one", &body)).await;
    let ravi = answer(node.square_off_as("supervisor-ravi", "one", &body)).await;
    assert!(asha.status == 202 && ravi.status == 202 && !ravi.is_repetition());
    assert_ne!(asha.body["request_id"], ravi.body["request_id"]);
    assert_eq!(desk.placed(&nifty()).await, [5, 5]);
    let actors: Vec<_> = desk
        .log()
        .await
        .iter()
        .rev()
        .take(4)
        .map(|stored| stored.actor.to_string())
        .collect();
    assert_eq!(actors, ["supervisor-ravi", "supervisor-ravi", ACTOR, ACTOR]);
}

#[tokio::test]
async fn many_who_send_the_same_request_at_once_all_get_the_same_answer() {
    let desk = Desk::open().await;
    let nodes = [Node::start(&desk).await, Node::start(&desk).await];
    let body = close_all(&nifty());
    let asks = (0..64).map(|client| answer(nodes[client % 2].square_off_as(ACTOR, "one", &body)));
    let answers = join_all(asks).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (202, &answers[0].text));
    }
    assert_eq!(desk.placed(&nifty()).await, [20, 20]);
}
