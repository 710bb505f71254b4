//! The server itself: where it listens, what every answer carries, what it says of its own state.

use crate::desk::{Desk, PATIENCE, nifty};
use crate::node::{ACTOR, Node, answer, close_all, nowhere};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use futures::FutureExt;
use reqwest::Method;
use serde_json::{Value, json};
use squareoff_api::{ServeError, listen, router};
use squareoff_domain::{OrderId, Timestamp, platform};
use squareoff_store::NewEvent;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;
use uuid::Uuid;

#[tokio::test]
async fn an_address_that_others_reach_is_refused() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[2001:db8::1]:0"] {
        let address: SocketAddr = address.parse().unwrap();
        let error = listen(address, None).unwrap_err();
        assert!(matches!(error, ServeError::NotLoopback(refused) if refused == address));
        assert!(error.to_string().contains("loopback only"), "{error}");
    }
    listen("[::1]:0".parse().unwrap(), None).unwrap();
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = listen("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let address = taken.local_addr().unwrap();
    let error = listen(address, None).unwrap_err().to_string();
    assert!(
        error.contains(&format!("cannot listen on {address}")),
        "{error}"
    );
}

#[tokio::test]
async fn hundreds_who_come_at_once_find_a_place_in_the_queue() {
    let listener = listen("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody accepts: whoever finds the queue full is never connected.
    let coming = (0..400).map(|_| TcpStream::connect(address));
    let come = tokio::time::timeout(PATIENCE, futures::future::try_join_all(coming));
    assert_eq!(come.await.expect("nobody waits").unwrap().len(), 400);
}

#[tokio::test]
async fn the_server_ends_after_the_requests_under_way() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let listener = listen("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = squareoff_api::serve(listener, node.app.clone(), None, async {
        drop(stopped.await)
    });
    let served = tokio::spawn(served);
    let body = close_all(&nifty()).to_string();
    let head = format!(
        "POST /v1/square-offs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nIdempotency-Key: one\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        node.token(ACTOR),
        body.len()
    );
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    // Sent when the body is wanted: the request is under way.
    let mut wanted = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    connection.read_exact(&mut wanted).await.unwrap();
    assert!(wanted.starts_with(b"HTTP/1.1 100"));
    stop.send(()).unwrap();
    connection.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    served.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert_eq!(desk.placed(&nifty()).await, [20, 20]);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn every_answer_carries_the_request_id() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let id = |answer: crate::node::Answer| answer.header("x-request-id").unwrap().to_owned();
    for path in ["/healthz", "/v1/events", "/nowhere"] {
        let given = node
            .request(Method::GET, path)
            .header("x-request-id", "call-42");
        assert_eq!(id(answer(given).await), "call-42", "{path}");
        let made = [id(node.get(path).await), id(node.get(path).await)];
        assert!(
            made.iter().all(|id| id.parse::<Uuid>().is_ok()) && made[0] != made[1],
            "{made:?}"
        );
    }
    let accepted = node
        .square_off(&close_all(&nifty()))
        .header("x-request-id", "call-43");
    assert_eq!(id(answer(accepted).await), "call-43");
}

#[tokio::test]
async fn bytes_that_are_no_http_end_their_own_connection_only() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let address = node.url.strip_prefix("http://").unwrap();
    for bytes in [
        &b"\x00\xff\x16\x03\x01\r\n\r\n"[..],
        b"GET /v1/clients/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/square-offs HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 6\r\n\r\n",
    ] {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await.unwrap();
        assert!(
            answer.starts_with(b"HTTP/1.1 400"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    assert_eq!(node.get("/healthz").await.text, "ok\n");
}

#[tokio::test]
async fn readiness_says_part_by_part_what_is_missing() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    let ask = async || {
        let alive = answer(node.anonymous(Method::GET, "/healthz")).await;
        assert_eq!((alive.status, alive.text.as_str()), (200, "ok\n"));
        let ready = answer(node.anonymous(Method::GET, "/readyz")).await;
        // Without its read database it is not ready for queries, and says so.
        assert_eq!((ready.status, &ready.body["ready"]), (503, &json!(false)));
        let part = &ready.body["read_model"];
        assert_eq!(
            (&part["ready"], &part["position"]),
            (&json!(false), &json!(null))
        );
        assert!(!part["reason"].as_str().unwrap().is_empty());
        ready.body
    };
    let dormant = ask().await;
    assert_eq!(
        dormant["event_log"],
        json!({ "ready": true, "position": desk.head().await.to_string() })
    );
    assert_eq!(
        (&dormant["platform"], &dormant["epoch"]),
        (&json!("dormant"), &json!(0))
    );
    assert_eq!(dormant["sessions"], json!({}));
    desk.activate().await;
    node.knows(desk.connect_first_time().await).await;
    let open = ask().await;
    assert_eq!(
        (&open["platform"], &open["epoch"]),
        (&json!("active"), &json!(1))
    );
    assert_eq!(
        open["sessions"],
        json!({ "session-NSE-SQUAREOFF": "ready" })
    );
    node.knows(desk.disconnect().await).await;
    assert_eq!(
        ask().await["sessions"],
        json!({ "session-NSE-SQUAREOFF": "down" })
    );
}

/// A newer release wrote something that changes what may be decided: this one must not decide as if it had not.
#[tokio::test]
async fn a_log_that_this_release_cannot_read_stops_orders_but_not_cancels() {
    for (stream, event_type, schema_version, named) in [
        (
            platform::STREAM,
            "PlatformStoodDown",
            99,
            "PlatformStoodDown v99 at position",
        ),
        // Not even where its stream is one that nobody here follows.
        ("profits", "ProfitTaken", 1, "ProfitTaken at position"),
    ] {
        let (_desk, node, order) = with_newer(stream, event_type, schema_version, named).await;
        assert_eq!(answer(node.cancel(order, "c1")).await.status, 202);
    }
}

/// What it changes of the order is unknown, so nothing may be asked of that one; that is no fault of this release's.
#[tokio::test]
async fn a_position_that_this_release_cannot_read_is_not_changed() {
    let stream = nifty().stream();
    let named = "OrderPlaced v99 at position";
    let (_desk, node, order) = with_newer(&stream, "OrderPlaced", 99, named).await;
    let refused = answer(node.cancel(order, "c1")).await;
    refused.assert_problem(503, "event-log-behind", named);
}

/// A node whose log holds what a newer release wrote, behind an order.
async fn with_newer(
    stream: &str,
    event_type: &'static str,
    schema_version: u16,
    named: &str,
) -> (Desk, Node, OrderId) {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let order = node.close(&nifty(), 5).await.orders[0];
    node.knows(desk.head().await).await;
    let newer = NewEvent {
        id: Uuid::new_v4(),
        event_type,
        schema_version,
        occurred_at: Timestamp(0),
        actor: "newer".into(),
        request_id: Uuid::nil(),
        correlation_id: Uuid::nil(),
        trace_id: None,
        epoch: 1,
        body: b"{}".to_vec(),
    };
    let stored = desk.store.read_stream(stream, 1, 1_000).await;
    let version = stored.unwrap().last().map_or(0, |last| last.version);
    desk.store
        .append(stream, version, vec![newer])
        .await
        .unwrap();
    assert!(
        !node
            .app
            .directory
            .reach(desk.head().await, crate::desk::PATIENCE)
            .await
    );
    let refused = answer(node.square_off(&close_all(&nifty()))).await;
    refused.assert_problem(503, "event-log-behind", named);
    let unknown = answer(node.cancel(OrderId(Uuid::new_v4()), "c0")).await;
    unknown.assert_problem(503, "event-log-behind", named);
    let ready = answer(node.anonymous(Method::GET, "/readyz")).await;
    assert_eq!(
        (ready.status, &ready.body["event_log"]["ready"]),
        (503, &json!(false))
    );
    assert!(
        ready.body["event_log"]["reason"]
            .as_str()
            .unwrap()
            .contains(named)
    );
    (desk, node, order)
}

/// A platform that was stood down must not look active, or a client unknown, to a process that has just started.
#[tokio::test]
async fn a_node_that_has_not_read_the_log_yet_says_so() {
    let desk = Desk::open().await;
    let token = Node::start(&desk).await.token(ACTOR);
    let head = desk.head().await;
    let order = Uuid::new_v4();
    let cancel = format!("/v1/orders/{order}/cancel");
    let body = close_all(&nifty()).to_string();
    for (path, body) in [("/v1/square-offs", body), (&cancel, String::new())] {
        let app = Node::app(&desk, &nowhere());
        let request = Request::post(path)
            .header("Authorization", format!("Bearer {token}"))
            .header("Idempotency-Key", "one")
            .header("Content-Type", "application/json")
            .body(Body::from(body))
            .unwrap();
        // Asked without waiting, so that no other task of this thread comes to read the log.
        let answer = router(app).oneshot(request).now_or_never();
        let answer = answer.expect("nothing to wait for").unwrap();
        assert_eq!(answer.status(), 503, "{path}");
        let body = to_bytes(answer.into_body(), 4_096).now_or_never().unwrap();
        let body: Value = serde_json::from_slice(&body.unwrap()).unwrap();
        assert_eq!(
            body["type"],
            json!("urn:squareoff:problem:event-log-behind"),
            "{path}"
        );
        assert_eq!(body["detail"], json!("still reading the event log"));
    }
    assert_eq!(desk.head().await, head);
}

#[tokio::test]
async fn the_trace_of_a_request_is_kept_with_what_it_caused_and_with_what_was_refused() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let header = format!("00-{trace}-b7ad6b7169203331-01");
    let from = desk.head().await;
    let body = close_all(&nifty());
    for status in [202, 409] {
        let traced = node.square_off(&body).header("traceparent", &header);
        assert_eq!(answer(traced).await.status, status);
    }
    let none = format!("00-{}-b7ad6b7169203331-01", "0".repeat(32));
    let untraced = close_all(&crate::desk::reliance());
    let untraced = node.square_off(&untraced).header("traceparent", none);
    answer(untraced).await.accepted();
    crate::of_approvals::until(&desk, "RequestRefused").await;
    let told = node.read(&format!("/v1/events?from={from}")).await;
    let told = told["events"].as_array().unwrap().iter();
    let told: Vec<_> = told
        .map(|event| {
            let ours = event["stream"].as_str() == Some(&nifty().stream());
            let refused = event["type"] == "RequestRefused";
            assert_eq!(event["trace_id"] == trace, ours || refused, "{event}");
            assert_eq!(event.get("trace_id").is_some(), ours || refused, "{event}");
            ours || refused
        })
        .collect();
    assert_eq!(told.iter().filter(|traced| **traced).count(), 4);
    assert!(told.iter().any(|traced| !traced));
}
