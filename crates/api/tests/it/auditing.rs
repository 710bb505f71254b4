//! The log as auditors read it.

use crate::desk::{Desk, key, nifty};
use crate::node::{Node, answer, stream_text};
use serde_json::{Value, json};
use squareoff_domain::{Product, Timestamp, Venue};
use squareoff_store::StoredEvent;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An event as the API has to show it.
fn shown(stored: &StoredEvent) -> Value {
    let time = |timestamp: Timestamp| {
        let instant = OffsetDateTime::from_unix_timestamp_nanos(i128::from(timestamp.0));
        instant.unwrap().format(&Rfc3339).unwrap()
    };
    json!({
        "position": stored.position.to_string(),
        "stream": &*stored.stream,
        "version": stored.version,
        "id": stored.id,
        "type": &*stored.event_type,
        "schema_version": stored.schema_version,
        "occurred_at": time(stored.occurred_at),
        "recorded_at": time(stored.recorded_at),
        "actor": &*stored.actor,
        "request_id": stored.request_id,
        "correlation_id": stored.correlation_id,
        "epoch": stored.epoch,
        "data": serde_json::from_slice::<Value>(&stored.body).unwrap(),
    })
}

#[tokio::test]
async fn pages_of_events_put_together_are_the_log() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    node.close(&nifty(), "all").await;
    let log: Vec<_> = desk.log().await.iter().map(shown).collect();
    assert!(log.len() > 20, "{}", log.len());
    for limit in [1, 3, 7, 1_000] {
        let (mut read, mut from) = (Vec::new(), "0".to_owned());
        loop {
            let path = format!("/v1/events?from={from}&limit={limit}");
            let page = node.read(&path).await;
            let events = page["events"].as_array().unwrap();
            assert!(events.len() <= limit);
            from = page["next"].as_str().unwrap().to_owned();
            if events.is_empty() {
                break;
            }
            read.extend(events.iter().cloned());
        }
        assert_eq!(read, log, "in pages of {limit}");
        // The end of the log, asked again after it has grown.
        assert_eq!(from, desk.head().await.to_string());
    }
    let first = node.read("/v1/events").await;
    assert_eq!(first["events"], json!(log));
    let head = desk.head().await;
    desk.disconnect().await;
    let news = node.read(&format!("/v1/events?from={head}")).await;
    assert_eq!(news["events"][0]["type"], "SessionDown");
    assert_eq!(news["events"].as_array().unwrap().len(), 1);
    let beyond = node.read("/v1/events?from=9223372036854775807").await;
    assert_eq!(beyond["events"], json!([]));
}

#[tokio::test]
async fn a_stream_is_read_by_its_name_whatever_the_symbol() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let mm = key("C00001", Venue::Nse, "M&M", Product::Cnc);
    node.close(&mm, "all").await;
    let log = desk.log().await;
    let events = |stream: &str| -> Vec<_> {
        let events = log.iter().filter(|stored| *stored.stream == *stream);
        events.map(shown).collect()
    };
    let name = stream_text("M&M", "CNC");
    assert_eq!(name, mm.stream());
    let encoded = name.replace('&', "%26").replace(':', "%3A");
    for path in [&name, &encoded] {
        let page = node.read(&format!("/v1/streams/{path}")).await;
        assert_eq!(page["stream"], json!(name));
        assert_eq!(page["events"], json!(events(&name)));
        assert_eq!(page["next_version"], 4);
    }
    let (mut read, mut from) = (Vec::new(), json!(1));
    while read.len() < 3 {
        let path = format!("/v1/streams/{encoded}?from_version={from}&limit=1");
        let page = node.read(&path).await;
        read.extend(page["events"].as_array().unwrap().iter().cloned());
        from = page["next_version"].clone();
    }
    assert_eq!(read, events(&name));
    let end = node
        .read(&format!("/v1/streams/{encoded}?from_version=4"))
        .await;
    assert_eq!(
        (&end["events"], &end["next_version"]),
        (&json!([]), &json!(4))
    );
    let last = format!("/v1/streams/platform?from_version={}", i64::MAX);
    assert_eq!(node.read(&last).await["events"], json!([]));
}

#[tokio::test]
async fn times_are_rfc_3339_in_utc_and_money_in_events_stays_as_it_was_written() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    node.close(&nifty(), 5).await;
    let page = node
        .read(&format!("/v1/streams/{}", nifty().stream()))
        .await;
    let placed = &page["events"][2];
    for field in ["occurred_at", "recorded_at"] {
        let text = placed[field].as_str().unwrap();
        OffsetDateTime::parse(text, &Rfc3339).unwrap();
        assert!(text.ends_with('Z'), "{text}");
    }
    assert_eq!(placed["type"], "OrderPlaced");
    // The log keeps 1/10,000 rupee: an auditor sees what was written, not a rendering of it.
    assert_eq!(placed["data"]["price"], 970_000);
    let missing = answer(node.request(
        reqwest::Method::GET,
        "/v1/streams/position-2026-11-20-C00009-NSE:M%26M-CNC",
    ));
    missing
        .await
        .assert_problem(404, "unknown-stream", "C00009-NSE:M&M-CNC");
}
