//! Text that would be SQL, another header or another line of a log, wherever the API takes text.

use crate::desk::{Desk, nifty};
use crate::node::{ACTOR, Answer, Node, SECOND, answer, close_all, with};
use crate::readable::Readable;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs::{self, File};
use uuid::Uuid;

/// As they stand in a URL.
const HOSTILE: &[&str] = &[
    "%27%3B%20drop%20table%20orders%3B%20--",
    "%27%20or%20%271%27%3D%271",
    "%22%20or%201%3D1%20--",
    "1)%3B%20delete%20from%20positions%3B%20--",
    "%5C%27%3B%20select%20pg_sleep(30)%3B%20--",
    "x%00y",
    "x%0d%0aSet-Cookie:%20stolen%3D1%0d%0a%0d%0a",
    "%F0%9F%98%80%25s%25n%7B%7D",
];

/// Every GET of the document with its path filled in by `part`, and the names of its parameters.
async fn gets(node: &Node, part: &str) -> Vec<(String, Vec<String>)> {
    let document = node.read("/v1/openapi.json").await;
    let paths = document["paths"].as_object().unwrap().iter();
    let gets = paths.filter_map(|(path, of)| Some((path, of.get("get")?)));
    // A live connection has no end; what it is asked is in `live.rs`.
    let gets = gets.filter(|(path, _)| !path.starts_with("/v1/live"));
    let filled = gets.map(|(path, get)| {
        let mut filled = path.clone();
        while let (Some(from), Some(to)) = (filled.find('{'), filled.find('}')) {
            filled.replace_range(from..=to, part);
        }
        let parameters = get["parameters"].as_array().into_iter().flatten();
        let of_query = parameters.filter(|parameter| parameter["in"] == "query");
        let names = of_query.map(|parameter| parameter["name"].as_str().unwrap().to_owned());
        (filled, names.collect())
    });
    filled.collect()
}

fn assert_harmless(answer: &Answer, asked: &str) {
    assert!(
        answer.status < 500,
        "{asked}: {} {}",
        answer.status,
        answer.text
    );
    assert!(!answer.headers.contains_key("set-cookie"), "{asked}");
    let mut values = answer.headers.values();
    assert!(
        !values.any(|value| value.as_bytes().contains(&b'\n')),
        "{asked}"
    );
}

/// Rows of the lists in an answer.
fn rows(body: &Value) -> usize {
    let members = body.as_object().into_iter().flat_map(|body| body.values());
    members.filter_map(Value::as_array).map(Vec::len).sum()
}

#[tokio::test]
async fn text_that_would_be_sql_or_a_header_finds_nothing_and_changes_nothing() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    node.close(&nifty(), 20).await;
    readable.caught_up(&desk).await;
    let seen = async || {
        let orders = node.read("/v1/orders").await["orders"].clone();
        (
            orders,
            node.read("/v1/positions").await["positions"].clone(),
        )
    };
    let before = seen().await;
    let mut asked = 0;
    for hostile in HOSTILE {
        for (path, parameters) in gets(node, hostile).await {
            let whole = answer(node.request_as(SECOND, Method::GET, &path)).await;
            assert_harmless(&whole, &path);
            for name in parameters {
                let path = format!("{path}?{name}={hostile}");
                let answer = answer(node.request_as(SECOND, Method::GET, &path)).await;
                assert_harmless(&answer, &path);
                if answer.status == 200 {
                    assert_eq!(rows(&answer.body), 0, "{path}: {}", answer.text);
                }
                asked += 1;
            }
        }
    }
    assert!(asked > 300, "{asked}");
    assert_eq!(seen().await, before);
}

/// In the form that is the default, whatever level is set.
#[tokio::test]
async fn text_that_would_be_a_line_of_the_log_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("api.log");
    let lines = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(File::create(&log).unwrap())
        .finish();
    // Of this thread, which is the node's too.
    let _told = tracing::subscriber::set_default(lines);
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let forged = "x\n2026-11-20T05:12:41Z ERROR squareoff_api: forged\r\u{1b}[31m";
    let in_url = "x%0a2026-11-20T05:12:41Z%20ERROR%20squareoff_api:%20forged%0d%1b[31m";
    let base = close_all(&nifty());
    for name in [
        "client_code",
        "symbol",
        "venue",
        "quantity",
        "evidence",
        "limit_price",
    ] {
        let body = with(&base, &[(name, json!(forged))]);
        let key = Uuid::new_v4().to_string();
        answer(node.square_off_as(ACTOR, &key, &body)).await;
    }
    answer(node.ask(
        "/v1/platform/halt",
        &json!({ "scope": forged, "reason": forged }),
    ))
    .await;
    for path in ["/v1/orders", "/v1/events"] {
        answer(node.request(Method::GET, &format!("{path}/{in_url}?{in_url}={in_url}"))).await;
    }
    let agent = node.request(Method::GET, "/v1/events");
    answer(agent.header("User-Agent", "x\tERROR forged")).await;
    let held = fs::read_to_string(&log).unwrap();
    // It is there to be read, and in its place.
    assert!(held.contains("forged"), "{held}");
    for line in held.lines() {
        assert!(!line.starts_with("2026-11-20T05:12:41Z"), "{line}");
        assert!(!line.contains('\u{1b}') && !line.contains('\r'), "{line}");
    }
}
