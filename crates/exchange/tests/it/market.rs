//! Market data over HTTP.

use serde_json::{Value, json};

use crate::broker::{Broker, patiently};
use crate::desk::Desk;
use crate::floor::Floor;

/// The lines of a stream.
struct Lines {
    response: reqwest::Response,
    buffer: Vec<u8>,
}

impl Lines {
    async fn next(&mut self) -> Value {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return serde_json::from_slice(&line).unwrap();
            }
            let chunk = patiently("a line", self.response.chunk()).await.unwrap();
            self.buffer.extend(chunk.expect("the stream goes on"));
        }
    }
}

#[tokio::test]
async fn the_top_of_a_book_and_its_trades_are_told_behind_a_snapshot() {
    let floor = Floor::new();
    let server = floor.start().await;
    let mut broker = Broker::dial(floor.dir.path(), "NSE", server.address());
    let desk = Desk::open(&floor.data());
    broker.say("A buy 15 QUIET 99.95").await;
    assert_eq!(broker.hear(1).await, ["ack A"]);
    let response = desk.get("/market-data/stream").await;
    let mut lines = Lines {
        response,
        buffer: Vec::new(),
    };
    let first = lines.next().await;
    let tops = first["snapshot"]["tops"].as_array().unwrap();
    assert_eq!(tops.len(), 3);
    let quiet = &tops[1];
    assert_eq!(quiet["bid"], json!({"price": "99.95", "quantity": 15}));
    assert_eq!(
        (&quiet["ask"], &quiet["last"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        (&quiet["band_low"], &quiet["reference"]),
        (&json!("90"), &json!("100"))
    );
    let (bid, ask) = (&tops[0]["bid"]["price"], &tops[0]["ask"]["price"]);
    assert_eq!(
        (bid, ask),
        (&json!("99.95"), &json!("100.05")),
        "of the liquidity"
    );

    broker.say("B sell 20 QUIET 99.95").await;
    assert_eq!(broker.hear(3).await.len(), 3);
    let trade = lines.next().await;
    assert_eq!(
        (&trade["trade"]["price"], &trade["trade"]["quantity"]),
        (&json!("99.95"), &json!(15)),
        "one line for both sides"
    );
    let top = &lines.next().await["top"];
    assert_eq!(
        (&top["symbol"], &top["bid"]),
        (&json!("QUIET"), &Value::Null)
    );
    assert_eq!(top["ask"], json!({"price": "99.95", "quantity": 5}));
    assert_eq!(top["last"]["price"], "99.95");
    let exec_id = trade["trade"]["exec_id"].as_str().unwrap();
    desk.done(&format!(r#"{{"bust":{{"exec_id":"{exec_id}"}}}}"#))
        .await;
    assert!(lines.next().await["bust"].is_object());
    let snapshot = desk.read("/market-data").await;
    assert_eq!(snapshot["tops"][1]["last"]["quantity"], 15);
    broker.hang_up().await;
    drop(lines);
    server.stop().await.unwrap();
}
