//! The receipt of a square-off: a proof file that is checked with nothing but the log's key.

use crate::by_hand;
use crate::desk::{Desk, nifty};
use crate::node::{Answer, Node, answer, close_all, nowhere};
use serde_json::json;
use squareoff_auditor::seal::{self, SealSettings};
use squareoff_auditor::tlog::{TlogProof, VerifierKey, leaf_hash};
use squareoff_store::{Entry, EventStore, Position};
use std::fs;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(120);

fn sealer(desk: &Desk) -> JoinHandle<()> {
    let store = EventStore::open(&desk.folder().join("log")).unwrap();
    let settings = SealSettings {
        folder: desk.folder().join("audit"),
        origin: "example.com/log".to_owned(),
        witnesses: vec![],
    };
    let sealing = seal::run(store, settings, std::future::pending());
    tokio::spawn(async move {
        let _ = sealing.await;
    })
}

/// The answer once the event is sealed.
async fn proved(node: &Node, path: &str) -> Answer {
    let begun = Instant::now();
    loop {
        let answer = node.get(path).await;
        if answer.status == 200 {
            return answer;
        }
        answer.assert_problem(409, "not-sealed-yet", "not under a checkpoint");
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_receipt_of_a_square_off_is_proved_as_soon_as_the_log_is_sealed() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let receipt = answer(node.square_off(&close_all(&nifty()))).await.body;
    let path = receipt["proof"].as_str().unwrap();
    assert_eq!(
        path,
        format!("/v1/audit/proofs/{}", receipt["position"].as_str().unwrap())
    );
    node.get(path)
        .await
        .assert_problem(409, "not-sealed-yet", "not under a checkpoint");
    assert_eq!(node.read_ready().await["seal"], json!(null));

    let audit = desk.folder().join("audit");
    let sealer = sealer(&desk);
    let answer = proved(&node, path).await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let proof = answer.text;
    let key = fs::read_to_string(audit.join("key.pub")).unwrap();
    let key = VerifierKey::parse(key.trim_end()).unwrap();
    let proof = TlogProof::parse(&proof).unwrap();
    let bytes = proof.extra.clone().unwrap();
    let checkpoint = proof.verify(&leaf_hash(&bytes), &key, &[], 0).unwrap();
    assert!(checkpoint.size > proof.index);
    let position: Position = receipt["position"].as_str().unwrap().parse().unwrap();
    let event = Entry { position, bytes }.event().unwrap();
    assert_eq!(*event.stream, *receipt["stream"].as_str().unwrap());
    assert_eq!(event.request_id.to_string(), receipt["request_id"]);
    let seal = &node.read_ready().await["seal"];
    assert_eq!(
        (&seal["alarms"], &seal["cosigned"]),
        (&json!({}), &json!(null))
    );
    assert!(seal["size"].as_u64().unwrap() >= checkpoint.size);
    sealer.abort();
}

#[tokio::test]
async fn an_event_that_was_altered_behind_its_seal_is_named_and_not_proved() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let receipt = answer(node.square_off(&close_all(&nifty()))).await.body;
    let path = receipt["proof"].as_str().unwrap();
    let sealer = sealer(&desk);
    proved(&node, path).await;
    sealer.abort();
    let position: Position = receipt["position"].as_str().unwrap().parse().unwrap();
    // A bit of the event's body, which reads as well as before.
    by_hand::alter(&desk, position, |entry| {
        let digit = entry.iter().rposition(u8::is_ascii_digit).unwrap();
        entry[digit] ^= 1;
    });
    let altered = node.get(path).await;
    altered.assert_problem(500, "event-altered", &format!("at position {position}"));
    // The one before it is as it was.
    let before = Position::from_u64(position.as_u64() - 1);
    proved(&node, &format!("/v1/audit/proofs/{before}")).await;
}

#[tokio::test]
async fn without_the_folder_of_the_seal_nothing_is_proved_and_orders_go_on() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let mut app = Node::app(&desk, &nowhere());
    app.proofs = None;
    let elsewhere = Node::serving(&desk, app).await;
    let receipt = answer(node.square_off(&close_all(&nifty()))).await.body;
    let path = receipt["proof"].as_str().unwrap();
    let sealer = sealer(&desk);
    proved(&node, path).await;
    sealer.abort();
    let without = elsewhere.get(path).await;
    without.assert_problem(503, "proofs-unavailable", "without the folder");
    let checkpoint = desk.folder().join("audit/checkpoint");
    let signed = fs::read(&checkpoint).unwrap();
    fs::write(&checkpoint, "half of a checkpo").unwrap();
    let unreadable = node.get(path).await;
    unreadable.assert_problem(503, "proofs-unavailable", "orders still go");
    node.close(&crate::desk::reliance(), 60).await;
    fs::write(&checkpoint, signed).unwrap();
    assert_eq!(node.get(path).await.status, 200);
}
