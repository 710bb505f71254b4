//! The read database is away: queries say so, orders go on.

use crate::desk::{Desk, PATIENCE, reliance};
use crate::node::{Node, answer};
use crate::readable::Readable;
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use squareoff_store::Position;
use std::process::Command;
use std::time::{Duration, Instant};
use uuid::Uuid;

const QUERIES: &[&str] = &[
    "/v1/clients/C00001",
    "/v1/clients/C00001/positions",
    "/v1/orders",
    "/v1/orders/00000000-0000-0000-0000-000000000000",
    "/v1/trades",
];

async fn readiness(node: &Node) -> (u16, serde_json::Value) {
    let ready = answer(node.anonymous(Method::GET, "/readyz")).await;
    (ready.status, ready.body)
}

#[tokio::test]
async fn orders_go_on_while_postgres_is_away_and_queries_come_back_with_it() {
    let desk = Desk::open().await;
    let mut readable = Readable::start(&desk).await;
    let head = readable.caught_up(&desk).await.to_string();
    let (status, ready) = readiness(&readable.node).await;
    assert_eq!(status, 200, "{ready}");
    let part = json!({ "ready": true, "position": head });
    assert_eq!((&ready["event_log"], &ready["read_model"]), (&part, &part));
    assert_eq!(ready["ready"], json!(true));

    let server = readable.test.cluster.pid().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-9", &server])
            .status()
            .unwrap()
            .success()
    );
    readable.test.cluster.wait_exit().await;

    let node = &readable.node;
    let queries = join_all(QUERIES.iter().map(|path| node.get(path)));
    let (queries, (status, ready)) = tokio::join!(queries, readiness(node));
    for query in queries {
        query.assert_problem(503, "read-model-unavailable", "orders still go");
    }
    assert_eq!((status, &ready["ready"]), (503, &json!(false)));
    assert_eq!(
        (&ready["event_log"]["ready"], &ready["read_model"]["ready"]),
        (&json!(true), &json!(false))
    );

    let accepted = node.close(&reliance(), 60).await;
    let cancel = answer(node.cancel(accepted.orders[0], "c1")).await;
    assert_eq!(cancel.status, 202, "{}", cancel.text);
    assert!(
        !node.read("/v1/events").await["events"]
            .as_array()
            .unwrap()
            .is_empty()
    );

    readable.test.cluster.restart().await.unwrap();
    readable.caught_up(&desk).await;
    let node = &readable.node;
    let order = format!(
        "/v1/orders/{}?at_least={}",
        accepted.orders[0],
        desk.head().await
    );
    assert_eq!(node.read(&order).await["status"], "pending-cancel");
    assert_eq!(readiness(node).await.0, 200);
}

#[tokio::test]
async fn a_position_that_is_not_reflected_yet_is_waited_for_but_not_for_ever() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let beyond = Position::from_u64(desk.head().await.as_u64() + 1_000);
    let began = Instant::now();
    let waiting = QUERIES
        .iter()
        .map(|path| async move { node.get(&format!("{path}?at_least={beyond}")).await });
    for query in join_all(waiting).await {
        query.assert_problem(503, "read-model-behind", &format!("not yet up to {beyond}"));
    }
    assert!(began.elapsed() > Duration::from_secs(1) && began.elapsed() < PATIENCE);
    // What is wrong in itself isn't waited for: the wait would have ended in the other problem.
    let wrong = node
        .get(&format!("/v1/orders?limit=0&at_least={beyond}"))
        .await;
    wrong.assert_problem(400, "invalid-parameter", "`limit`");
    // Whoever waits is woken when the position comes.
    let (next, fresh) = (desk.head().await, Uuid::new_v4());
    let soon = Position::from_u64(next.as_u64() + 1);
    let path = format!("/v1/orders/{fresh}?at_least={soon}");
    let (found, ()) = tokio::join!(node.get(&path), async {
        desk.disconnect().await;
    });
    found.assert_problem(404, "unknown-order", &fresh.to_string());
}
