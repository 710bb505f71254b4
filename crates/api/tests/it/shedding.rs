//! Ten times what a node takes: what is too much is told so at once and of it nothing is done, and of what was acknowledged nothing is lost.
//! How long those wait that are taken is measured by `squareoff-bench shed`.

use crate::desk::{Desk, key};
use crate::node::{ACTOR, Answer, Node, SECOND, answer, close_all, nowhere, with};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use futures::future::join_all;
use serde_json::{Value, json};
use squareoff_api::{Rate, Rates, router};
use squareoff_domain::position::PositionEvent;
use squareoff_domain::{PositionKey, Product, Venue};
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use tower::ServiceExt;
use uuid::Uuid;

/// Requests that one person may make at once in the first test: two seconds' worth of the rate.
const BURST: usize = 40;
/// Acts that a node has under way at the most.
const ACTS_MAX: usize = 512;
const TIMES: usize = 10;

/// 4,005 units long in lots of 5: enough for eight hundred.
fn position() -> PositionKey {
    key("C00002", Venue::Nse, "NIFTY26NOVFUT", Product::Nrml)
}

fn one_lot() -> Value {
    with(&close_all(&position()), &[("quantity", json!(5))])
}

fn orders_of(accepted: &Value) -> impl Iterator<Item = Uuid> {
    let ids = accepted["order_ids"].as_array().unwrap().iter();
    ids.map(|id| id.as_str().unwrap().parse().unwrap())
}

/// The orders that the log holds are those that were acknowledged, and nothing else was appended.
async fn assert_nothing_lost(desk: &Desk, before: usize, accepted: &[Value]) {
    let acknowledged = Vec::from_iter(accepted.iter().flat_map(orders_of));
    let history = desk.history(&position()).await;
    let placed = history.iter().filter_map(|event| match event {
        PositionEvent::OrderPlaced(order) => Some(order.order_id.0),
        _ => None,
    });
    let placed = Vec::from_iter(placed);
    assert_eq!(placed.len(), acknowledged.len(), "each once");
    assert_eq!(
        BTreeSet::from_iter(placed),
        acknowledged.into_iter().collect()
    );
    // A request and its one order.
    assert_eq!(desk.log().await.len(), before + 2 * accepted.len());
}

#[tokio::test]
async fn of_ten_times_a_persons_rate_the_rest_is_told_when_to_come_and_what_was_taken_is_kept() {
    let desk = Desk::open().await;
    let per_s = |number| Rate::per_s(NonZeroU32::new(number).unwrap());
    let plenty = per_s(1_000_000);
    let rates = Rates {
        person: per_s(BURST as u32 / 2),
        address: plenty,
        client: plenty,
    };
    let node = Node::serving(&desk, Node::app(&desk, &nowhere()).with_rates(rates)).await;
    let before = desk.log().await.len();
    let ask = |actor: &'static str| {
        answer(node.square_off_as(actor, &Uuid::new_v4().to_string(), &one_lot()))
    };
    let (many, others) = tokio::join!(
        join_all((0..TIMES * BURST).map(|_| ask(ACTOR))),
        join_all((0..BURST / 2).map(|_| ask(SECOND))),
    );
    let is_taken = |answer: &&Answer| answer.status == 202;
    // Who stays within the limits does not notice.
    assert_eq!(others.iter().filter(is_taken).count(), BURST / 2);
    let taken = many.iter().filter(is_taken).count();
    assert!(taken >= BURST, "{taken} of a burst of {BURST}");
    let refused = Vec::from_iter(many.iter().filter(|answer| answer.status != 202));
    assert!(
        refused.len() >= BURST,
        "{} of {}",
        refused.len(),
        many.len()
    );
    for answer in refused {
        answer.assert_problem(429, "too-many-requests", "who asks");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    let accepted = many.into_iter().chain(others);
    let accepted = accepted.filter(|answer| answer.status == 202);
    let accepted = Vec::from_iter(accepted.map(|answer| answer.body));
    assert_nothing_lost(&desk, before, &accepted).await;
}

/// Without connections: as many of them at once would be a test of the system's limits.
#[tokio::test]
async fn of_ten_times_what_can_be_under_way_the_rest_is_told_at_once_and_what_was_taken_is_kept() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let before = desk.log().await.len();
    let router = router(node.app.clone());
    let token = node.token(ACTOR);
    let body = one_lot().to_string();
    let ask = async |_| {
        let request = Request::post("/v1/square-offs")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", Uuid::new_v4().to_string())
            .body(Body::from(body.clone()))
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 65_536).await.unwrap();
        (parts, serde_json::from_slice::<Value>(&body).unwrap())
    };
    let answers = join_all((0..TIMES * ACTS_MAX).map(ask)).await;
    let mut accepted = Vec::new();
    let mut shed = 0;
    for (parts, body) in answers {
        if parts.status == StatusCode::ACCEPTED {
            accepted.push(body);
            continue;
        }
        assert_eq!(parts.status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
        assert!(
            body["type"].as_str().unwrap().ends_with("server-busy"),
            "{body}"
        );
        assert_eq!(parts.headers[header::RETRY_AFTER], "1");
        shed += 1;
    }
    // All were there at once; some of the rest may have found room that had come free.
    assert!(accepted.len() >= ACTS_MAX, "{}", accepted.len());
    assert!(shed >= TIMES * ACTS_MAX / 2, "{shed}");
    // And it goes on as before.
    let (parts, body) = ask(0).await;
    assert_eq!(parts.status, StatusCode::ACCEPTED, "{body}");
    accepted.push(body);
    assert_nothing_lost(&desk, before, &accepted).await;
}
