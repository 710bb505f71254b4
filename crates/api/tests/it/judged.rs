//! Schemathesis as a judge: what it makes of the served document, it asks of a node with a real log and a real Postgres.

use crate::desk::{Desk, nifty, reliance};
use crate::identity::recorded;
use crate::peers::{python, run};
use crate::readable::Readable;
use serde_json::json;
use std::path::Path;
use tokio::process::Command;

/// Whose eyes it is asked with, and how many requests are made up of an operation beside the examples and the edges: the desk, which may most,
/// has all of them, the others fewer.
const ASKED_AS: [(&str, u32); 4] = [
    ("desk-asha", 6),
    ("supervisor-ravi", 1),
    ("investor-c00001", 1),
    ("admin-kiran", 1),
];

/// No 5xx, no status, content type, header or body that is not described, no wrong data accepted, no right data refused for its form,
/// no call without a token; whoever asks.
#[tokio::test]
async fn schemathesis_finds_the_api_as_it_is_described() {
    let desk = Desk::open().await;
    recorded(&desk).await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    // Something to see in every list.
    let order = node.close(&nifty(), "all").await.orders[0];
    desk.fill(&nifty(), order, "E1", 15, 995_000).await;
    node.close(&reliance(), 60).await;
    desk.suspend("NSE-9001", Some(("RELIANCE", 5))).await;
    readable.caught_up(&desk).await;
    let filter = json!({ "filter": { "all": true }, "reason": "primary down" });
    node.accept("/v1/bulk", &filter).await;
    readable.caught_up(&desk).await;

    let python = python().await;
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    for (actor, examples) in ASKED_AS {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(python.with_file_name("schemathesis"));
        let config = peers.join("schemathesis.toml");
        command.arg("--config-file").arg(config);
        command.args(["run", &format!("{}/v1/openapi.json", node.url)]);
        command.args([
            "--header",
            &format!("Authorization: Bearer {}", node.token(actor)),
        ]);
        command.args(["--max-examples", &examples.to_string()]);
        command.args(["--output-truncate", "false", "--warnings", "off"]);
        let said = run(command.current_dir(folder.path()).env("NO_COLOR", "1")).await;
        assert!(said.contains("Test cases:"), "{actor}: {said}");
    }
}
