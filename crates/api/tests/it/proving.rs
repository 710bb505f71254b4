//! The receipt of a square-off: a proof file that is checked with nothing but the log's key.

use crate::desk::{Desk, nifty};
use crate::node::{Node, answer, close_all};
use serde_json::json;
use squareoff_auditor::seal::{self, SealSettings};
use squareoff_auditor::tlog::{TlogProof, VerifierKey, leaf_hash};
use squareoff_store::{Entry, EventStore, Position};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);

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
    let store = EventStore::open(&desk.folder().join("log")).unwrap();
    let settings = SealSettings {
        folder: audit.clone(),
        origin: "example.com/log".to_owned(),
        witnesses: vec![],
    };
    let sealer = tokio::spawn(seal::run(store, settings, std::future::pending()));
    let begun = Instant::now();
    let proof = loop {
        let answer = node.get(path).await;
        if answer.status == 200 {
            assert_eq!(
                answer.header("content-type"),
                Some("text/plain; charset=utf-8")
            );
            break answer.text;
        }
        answer.assert_problem(409, "not-sealed-yet", "not under a checkpoint");
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let key = std::fs::read_to_string(audit.join("key.pub")).unwrap();
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
