//! How much a node takes, and of whom: rates, room, sizes, time; what every answer tells a browser.

use crate::desk::{Desk, nifty};
use crate::node::{ACTOR, Node, answer, close_all, nowhere};
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode, header};
use futures::future::join_all;
use reqwest::Method;
use squareoff_api::{Rate, Rates, router};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

fn rate(per_s: u32) -> Rate {
    Rate::per_s(NonZeroU32::new(per_s).unwrap())
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_again_and_others_do_not_notice() {
    let desk = Desk::open().await;
    let rates = Rates {
        person: rate(2),
        ..Rates::default()
    };
    let app = Node::app(&desk, &nowhere()).with_rates(rates);
    let node = Node::serving(&desk, app).await;
    let ask = async |actor: &str| {
        let request = node.anonymous(Method::GET, "/v1/events");
        answer(request.bearer_auth(node.token(actor))).await
    };
    let asked: Vec<_> = join_all((0..20).map(|_| ask(ACTOR))).await;
    let refused: Vec<_> = asked.iter().filter(|answer| answer.status == 429).collect();
    assert!(refused.len() >= 10, "{}", refused.len());
    assert!(asked.iter().any(|answer| answer.status == 200));
    refused[0].assert_problem(429, "too-many-requests", "who asks");
    assert_eq!(refused[0].header("retry-after"), Some("1"));
    assert_eq!(ask("supervisor-ravi").await.status, 200);
}

#[tokio::test]
async fn what_is_done_to_one_client_has_a_rate_of_its_own() {
    let desk = Desk::open().await;
    let rates = Rates {
        client: rate(1),
        ..Rates::default()
    };
    let app = Node::app(&desk, &nowhere()).with_rates(rates);
    let node = Node::serving(&desk, app).await;
    let asked = (0..8).map(|_| answer(node.square_off(&close_all(&nifty()))));
    let asked: Vec<_> = join_all(asked).await;
    let refused: Vec<_> = asked.iter().filter(|answer| answer.status == 429).collect();
    assert!(refused.len() >= 4, "{}", refused.len());
    refused[0].assert_problem(429, "too-many-requests", "this client");
    // What was refused was not done: one square-off took it all, whoever of the rest came through found nothing to close.
    assert_eq!(desk.placed(&nifty()).await, [20, 20]);
    // Reading is no act.
    assert_eq!(node.get("/v1/events").await.status, 200);
}

#[tokio::test]
async fn an_address_has_a_rate_before_it_is_known_who_asks() {
    let desk = Desk::open().await;
    let rates = Rates {
        address: rate(2),
        ..Rates::default()
    };
    let router = router(Node::app(&desk, &nowhere()).with_rates(rates));
    let ask = async |address: &str| {
        let mut request = Request::get("/v1/events").body(Body::empty()).unwrap();
        let address: SocketAddr = address.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(address));
        let answer = router.clone().oneshot(request).await.unwrap();
        (answer.status(), answer)
    };
    let mut statuses = vec![];
    for port in 1..=20 {
        statuses.push(ask(&format!("192.0.2.7:{port}")).await.0);
    }
    assert!(statuses.contains(&StatusCode::UNAUTHORIZED));
    assert!(statuses.contains(&StatusCode::TOO_MANY_REQUESTS));
    let (status, answer) = ask("192.0.2.7:99").await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()[header::RETRY_AFTER], "1");
    let body = to_bytes(answer.into_body(), 4_096).await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains("this address"));
    assert_eq!(ask("192.0.2.8:1").await.0, StatusCode::UNAUTHORIZED);
    // A host of IPv6 has as many addresses as it likes; they are one.
    let mut statuses = vec![];
    for host in 1..=20 {
        statuses.push(ask(&format!("[2001:db8:1:2::{host}]:1")).await.0);
    }
    assert!(statuses.contains(&StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(ask("[2001:db8:1:3::1]:1").await.0, StatusCode::UNAUTHORIZED);
}

/// What came of bytes sent over a connection of its own, up to its end.
async fn sent(node: &Node, bytes: &[u8]) -> String {
    let address = node.url.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // The peer may cut what it does not read.
    let _ = connection.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_head_that_is_too_large_ends_its_connection() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let long = "x".repeat(64 << 10);
    let many = (0..200).map(|number| format!("X-{number}: 1\r\n"));
    let many: String = many.collect();
    for head in [
        format!("GET /v1/events?x={long} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET /v1/events HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n"),
        format!("GET /v1/events HTTP/1.1\r\nHost: x\r\n{many}\r\n"),
    ] {
        let answer = sent(&node, head.as_bytes()).await;
        let refused = answer.is_empty()
            || answer.starts_with("HTTP/1.1 431")
            || answer.starts_with("HTTP/1.1 414");
        assert!(refused, "{answer}");
    }
    assert_eq!(node.get("/healthz").await.text, "ok\n");
}

/// Hundreds of peers that never finish what they began hold up nobody.
#[tokio::test]
async fn peers_that_dawdle_hold_up_nobody() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let address = node.url.strip_prefix("http://").unwrap().to_owned();
    let token = node.token(ACTOR);
    let body = format!(
        "POST /v1/square-offs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: slow\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    let mut dawdlers = vec![];
    // More of either kind than may be under way.
    for number in 0..600 {
        let begun = if number % 2 == 0 {
            "GET /v1/events HTT"
        } else {
            &body
        };
        let mut connection = TcpStream::connect(&address).await.unwrap();
        connection.write_all(begun.as_bytes()).await.unwrap();
        dawdlers.push(connection);
    }
    assert_eq!(node.get("/v1/events").await.status, 200);
    assert_eq!(
        answer(node.square_off(&close_all(&nifty()))).await.status,
        202
    );
    drop(dawdlers);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let head = format!(
        "POST /v1/square-offs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nIdempotency-Key: never\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        node.token(ACTOR)
    );
    let answer = sent(&node, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("urn:squareoff:problem:body-too-slow"));
    assert!(desk.placed(&nifty()).await.is_empty());
}

#[tokio::test]
async fn every_answer_tells_a_browser_to_believe_keep_and_frame_nothing() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    for path in ["/healthz", "/v1/events", "/v1/orders/x", "/nowhere"] {
        let answer = node.get(path).await;
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            (
                "permissions-policy",
                "camera=(), geolocation=(), microphone=(), payment=()",
            ),
            (
                "strict-transport-security",
                "max-age=31536000; includeSubDomains",
            ),
            (
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
            ),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path} {name}");
        }
    }
}

/// No other site's page may read an answer, or ask for anything but what a form could.
#[tokio::test]
async fn other_sites_are_allowed_nothing() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let asked = node
        .request(Method::GET, "/v1/events")
        .header("Origin", "https://evil.example");
    let answered = answer(asked).await;
    assert_eq!(answered.header("access-control-allow-origin"), None);
    let preflight = node
        .anonymous(Method::OPTIONS, "/v1/square-offs")
        .header("Origin", "https://evil.example")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization");
    let answered = answer(preflight).await;
    assert_ne!(answered.status, 200);
    assert_eq!(answered.header("access-control-allow-origin"), None);
    assert_eq!(answered.header("access-control-allow-headers"), None);
}
