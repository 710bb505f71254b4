//! Taking an order back: always allowed while it works.

use crate::desk::{Desk, nifty, reliance};
use crate::node::{Node, answer, assert_refused};
use serde_json::json;
use squareoff_domain::position::{Execution, PositionEvent, Report};

#[tokio::test]
async fn a_cancel_is_in_the_log_as_its_answer_says_and_repeats() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let orders = node.close(&nifty(), "all").await.orders;
    let first = answer(node.cancel(orders[1], "c1")).await;
    assert_eq!(first.status, 202, "{}", first.text);
    assert!(!first.is_repetition());
    assert_eq!(first.body["order_id"], json!(orders[1]));
    assert_eq!(first.body["stream"], json!(nifty().stream()));
    assert_eq!(first.body["version"], 5);
    assert_eq!(first.body["position"], json!(desk.head().await.to_string()));
    let location = format!("/v1/orders/{}", orders[1]);
    assert_eq!(first.header("location"), Some(location.as_str()));
    let history = desk.history(&nifty()).await;
    let Some(PositionEvent::CancelRequested(requested)) = history.last() else {
        panic!("{history:?}")
    };
    assert_eq!(requested.order_id, orders[1]);

    let head = desk.head().await;
    let again = answer(node.cancel(orders[1], "c1")).await;
    assert_eq!((again.status, &again.text), (202, &first.text));
    assert!(again.is_repetition());
    assert_eq!(desk.head().await, head);
}

#[tokio::test]
async fn what_cannot_be_cancelled_is_refused_by_name() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let [pending, filled] = node.close(&nifty(), "all").await.orders[..] else {
        panic!("two slices")
    };
    let rejected = node.close(&reliance(), 1).await.orders[0];
    let canceled = node.close(&reliance(), 1).await.orders[0];
    let dropped = node.close(&reliance(), 1).await.orders[0];
    let working = node.close(&reliance(), 1).await.orders[0];
    desk.fill(&nifty(), filled, "E1", 20, 1_000_000).await;
    let text = "RMS".to_owned();
    desk.venue(&reliance(), rejected, Execution::Rejected { code: 3, text })
        .await;
    desk.venue(&reliance(), canceled, Execution::Canceled).await;
    assert_eq!(answer(node.cancel(pending, "c1")).await.status, 202);
    assert_eq!(answer(node.cancel(dropped, "c2")).await.status, 202);
    let history = desk.history(&reliance()).await;
    let Some(PositionEvent::CancelRequested(requested)) = history.last() else {
        panic!("{history:?}")
    };
    let cl_ord_id = requested.original_cl_ord_id.clone();
    desk.report(&reliance(), Report::DroppedUnsent { cl_ord_id })
        .await;

    let refused = |what, order, code, word| (what, node.cancel(order, what), 409, code, word);
    #[rustfmt::skip]
    let lines = vec![
        refused("pending", pending, "cancel-pending", "already on its way"),
        refused("filled", filled, "order-ended", "already filled"),
        refused("rejected", rejected, "order-ended", "already rejected"),
        refused("canceled", canceled, "order-ended", "already canceled"),
        refused("dropped", dropped, "order-ended", "already canceled"),
        ("another order under the key of an earlier cancel", node.cancel(filled, "c1"), 422, "idempotency-key-reused", "used before"),
        ("an order of another position under it", node.cancel(working, "c1"), 422, "idempotency-key-reused", "used before"),
    ];
    assert_refused(&desk, lines).await;
}

#[tokio::test]
async fn a_cancel_needs_neither_an_active_platform_nor_the_exchange() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let order = node.close(&reliance(), "all").await.orders[0];
    desk.disconnect().await;
    node.knows(desk.stand_down().await).await;
    assert_eq!(answer(node.cancel(order, "c1")).await.status, 202);
}

/// Another node learns of an order from the log, a moment after the client.
#[tokio::test]
async fn an_order_can_be_cancelled_anywhere_as_soon_as_it_was_accepted() {
    let desk = Desk::open().await;
    let (one, other) = (Node::start(&desk).await, Node::start(&desk).await);
    for round in 0..20 {
        let order = one.close(&reliance(), 1).await.orders[0];
        let cancel = answer(other.cancel(order, &format!("c{round}"))).await;
        assert_eq!(cancel.status, 202, "{}", cancel.text);
    }
}
