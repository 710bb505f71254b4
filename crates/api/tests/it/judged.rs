//! Schemathesis as a judge: what it makes of the served document, it asks of a node with a real log and a real Postgres.

use crate::desk::{Desk, nifty, reliance};
use crate::identity::recorded;
use crate::peers::{python, run};
use crate::readable::Readable;
use serde_json::json;
use squareoff_api::rights::{Needs, ROUTES};
use squareoff_domain::Role;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// Who asks, and how many requests are made up of an operation beside the examples and the edges. The desk asks all there is; the others
/// what their role may and the desk may not, an investor all that they may: what is refused to a role, `rights.rs` asks.
const ASKED_AS: [(&str, Role, u32); 4] = [
    ("desk-asha", Role::Desk, 6),
    ("supervisor-ravi", Role::Supervisor, 2),
    ("investor-c00001", Role::Investor, 2),
    ("admin-kiran", Role::Administrator, 2),
];

/// None is all.
fn paths_of(role: Role) -> BTreeSet<&'static str> {
    let asks = |needs: &Needs| match needs {
        Needs::Nothing => false,
        Needs::Right(action) => {
            let roles = action.roles();
            roles.contains(&role) && (role == Role::Investor || !roles.contains(&Role::Desk))
        }
    };
    // What is told without end is asked by tests of our own.
    let rows = ROUTES
        .iter()
        .filter(|(_, path, needs)| asks(needs) && !path.starts_with("/v1/live"));
    rows.map(|(_, path, _)| *path).collect()
}

/// Keeps the session, as its gateway does, so that whatever is asked of an order is decided.
async fn kept(desk: &Desk) -> ! {
    let mut beat = tokio::time::interval(Duration::from_secs(10));
    loop {
        beat.tick().await;
        desk.keep().await;
    }
}

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
    for (actor, role, examples) in ASKED_AS {
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
        for path in paths_of(role) {
            command.args(["--include-path", path]);
        }
        command.args(["--output-truncate", "false", "--warnings", "off"]);
        let said = tokio::select! {
            said = run(command.current_dir(folder.path()).env("NO_COLOR", "1")) => said,
            never = kept(&desk) => never,
        };
        assert!(said.contains("Test cases:"), "{actor}: {said}");
    }
}
