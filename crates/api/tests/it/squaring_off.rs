//! What an accepted square-off answers, and what the log holds then.

use crate::desk::{Desk, date, key, nifty, reliance};
use crate::node::{ACTOR, Node, answer, close_all, with};
use futures::future::join_all;
use serde_json::{Value, json};
use squareoff_domain::position::{PositionEvent, PricePolicy, TimeInForce, Wanted};
use squareoff_domain::{PositionKey, Product, Venue};
use squareoff_store::Position;
use uuid::Uuid;

#[tokio::test]
async fn an_accepted_square_off_is_in_the_log_as_its_answer_says() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let answer = answer(node.square_off(&close_all(&nifty()))).await;

    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("idempotency-replayed"), None);
    let body = &answer.body;
    assert_eq!(body["stream"], json!(nifty().stream()));
    // The BOD line, the request, two orders.
    assert_eq!(body["version"], 4);
    let position: Position = body["position"].as_str().unwrap().parse().unwrap();
    assert_eq!(position, desk.head().await);

    // 40 long: 22 freeze, so 20 is the largest whole number of lots of 5.
    let orders = body["orders"].as_array().unwrap();
    let said: Vec<_> = orders
        .iter()
        .map(|order| (&order["side"], &order["quantity"], &order["limit_price"]))
        .collect();
    let slice = (&json!("SELL"), &json!(20), &json!("97.00"));
    assert_eq!(said, [slice, slice]);
    let ids: Vec<_> = orders.iter().map(|order| &order["order_id"]).collect();
    assert_eq!(json!(ids), body["order_ids"]);
    let location = format!("/v1/orders/{}", ids[0].as_str().unwrap());
    assert_eq!(answer.header("location"), Some(location.as_str()));

    let request_id: Uuid = body["request_id"].as_str().unwrap().parse().unwrap();
    let log = desk.log().await;
    let written = &log[log.len() - 3..];
    for stored in written {
        assert_eq!((&*stored.actor, stored.epoch), (ACTOR, 1));
        assert_eq!(
            (stored.request_id, stored.correlation_id),
            (request_id, request_id)
        );
    }
    let [.., accepted, first, second] = &desk.history(&nifty()).await[..] else {
        panic!("{log:?}")
    };
    let PositionEvent::SquareOffAccepted(accepted) = accepted else {
        panic!("{accepted:?}")
    };
    assert_eq!((accepted.quantity.units(), accepted.slices), (40, 2));
    assert_eq!(accepted.reference_version, "2026-11-20/sample");
    for (order, said) in [first, second].into_iter().zip(orders) {
        let PositionEvent::OrderPlaced(order) = order else {
            panic!("{order:?}")
        };
        assert_eq!(json!(order.order_id), said["order_id"]);
        assert_eq!(json!(order.cl_ord_id), said["cl_ord_id"]);
    }
}

#[tokio::test]
async fn a_short_position_is_bought_back_at_the_callers_limit() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let changes = [
        ("quantity", json!(60)),
        ("limit_price", json!("101.5")),
        ("time_in_force", json!("IOC")),
        ("evidence", json!("call 42, \u{906}\u{936}\u{93e}")),
    ];
    let body = with(&close_all(&reliance()), &changes);
    let answer = answer(node.square_off(&body)).await;
    let order = &answer.body["orders"][0];
    assert_eq!(
        (&order["side"], &order["quantity"], &order["limit_price"]),
        (&json!("BUY"), &json!(60), &json!("101.50"))
    );
    let history = desk.history(&reliance()).await;
    let Some(PositionEvent::SquareOffAccepted(accepted)) = history.get(1) else {
        panic!("{history:?}")
    };
    assert_eq!(accepted.terms.quantity, Wanted::Units(60));
    assert_eq!(
        accepted.terms.price,
        PricePolicy::Limit("101.50".parse().unwrap())
    );
    assert_eq!(accepted.terms.time_in_force, TimeInForce::ImmediateOrCancel);
    assert_eq!(accepted.terms.evidence.as_deref(), Some("call 42, आशा"));
    // What is left can be closed, and then nothing can.
    node.close(&reliance(), "all").await;
    assert_eq!(desk.placed(&reliance()).await, [60, 40]);
    let nothing = crate::node::answer(node.square_off(&close_all(&reliance()))).await;
    nothing.assert_problem(409, "nothing-to-close", "100 open, 100 already on its way");
}

#[tokio::test]
async fn optional_fields_may_be_null() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let mut body = close_all(&key("C00001", Venue::Nse, "M&M", Product::Cnc));
    for field in ["limit_price", "time_in_force", "evidence"] {
        body[field] = Value::Null;
    }
    let answer = answer(node.square_off(&body)).await;
    assert_eq!(answer.accepted().orders.len(), 1);
    assert_eq!(
        answer.body["stream"],
        json!(format!("position-{}-C00001-NSE:M&M-CNC", date()))
    );
}

/// Invariant 12, over two nodes that share nothing but the log.
#[tokio::test]
async fn of_many_who_close_the_same_position_at_once_exactly_one_does() {
    let desk = Desk::open().await;
    let nodes = [Node::start(&desk).await, Node::start(&desk).await];
    let body = close_all(&nifty());
    let asks = (0..64).map(|client| answer(nodes[client % 2].square_off(&body)));
    let answers = join_all(asks).await;
    let (accepted, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 202);
    assert_eq!((accepted.len(), refused.len()), (1, 63));
    for answer in refused {
        answer.assert_problem(409, "nothing-to-close", "40 open, 40 already on its way");
    }
    assert_eq!(desk.placed(&nifty()).await, [20, 20]);
}

#[tokio::test]
async fn many_who_close_a_part_each_get_exactly_what_is_open_among_them() {
    let desk = Desk::open().await;
    let nodes = [Node::start(&desk).await, Node::start(&desk).await];
    let body = with(&close_all(&reliance()), &[("quantity", json!(7))]);
    let asks = (0..64).map(|client| answer(nodes[client % 2].square_off(&body)));
    let answers = join_all(asks).await;
    let accepted = answers.iter().filter(|answer| answer.status == 202).count();
    // 14 times 7 is 98; two are left, fewer than anybody wants.
    assert_eq!(accepted, 14);
    for answer in answers.iter().filter(|answer| answer.status != 202) {
        answer.assert_problem(409, "exceeds-open-quantity", "7 is more than the 2");
    }
    let placed: u64 = desk.placed(&reliance()).await.iter().sum();
    assert_eq!(placed, 98);
}

#[tokio::test]
async fn positions_are_closed_independently_of_each_other() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let mm = key("C00001", Venue::Nse, "M&M", Product::Cnc);
    let all: [PositionKey; 3] = [nifty(), reliance(), mm];
    join_all(all.iter().map(|position| node.close(position, "all"))).await;
    for (position, placed) in all.iter().zip([vec![20, 20], vec![100], vec![10]]) {
        assert_eq!(desk.placed(position).await, placed);
    }
}
