//! The demo's proof of the log itself: everything that happened is sealed, a witness has signed it, and the live log verifies.

use crate::audit;
use crate::stack::Stack;
use anyhow::{Context, Result, bail};
use serde::Serialize;
use squareoff_auditor::seal::{PUBLIC_KEY, Status};
use squareoff_auditor::tlog::VerifierKey;
use squareoff_auditor::verify::{Trust, Verdict};
use squareoff_domain::sealing::STREAM;
use squareoff_store::Position;
use std::time::{Duration, Instant};

/// A second is the rule; a machine that has just compared everything may be slow.
const TIME_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
const PAGE: usize = 4_096;

/// The head that the demo ends with.
#[derive(Debug, Serialize)]
pub(super) struct Sealed {
    events: u64,
    root: String,
    witnessed: bool,
}

/// Waits until nothing is left to seal and the witness has signed, then verifies the live log. Adds what is wrong to `differences`.
pub(super) async fn prove(stack: &Stack, differences: &mut Vec<String>) -> Result<Sealed> {
    let audit = stack.folder.audit();
    let begun = Instant::now();
    let status = loop {
        let status = Status::read(&audit).unwrap_or_default();
        let behind = stack
            .store
            .read_all(Position::from_u64(status.position), PAGE)
            .await?;
        let all = behind.iter().all(|event| *event.stream == *STREAM);
        if all && status.cosigned == Some(status.size) && status.alarms.is_empty() {
            break status;
        }
        if begun.elapsed() > TIME_LIMIT {
            bail!(
                "the log was not sealed and witnessed after {} seconds: {status:?}",
                TIME_LIMIT.as_secs()
            );
        }
        tokio::time::sleep(POLL).await;
    };
    let key = |folder: std::path::PathBuf| -> Result<VerifierKey> {
        let text = std::fs::read_to_string(folder.join(PUBLIC_KEY)).context("the public key")?;
        Ok(VerifierKey::parse(text.trim_end())?)
    };
    let trust = Trust {
        log: key(audit.clone())?,
        witnesses: vec![],
    };
    let report = audit::live(stack.store.clone(), audit, trust, vec![]).await?;
    if let Verdict::Damaged(damage) = &report.verdict {
        differences.push(format!("the log is not as it was sealed: {damage}"));
    }
    Ok(Sealed {
        events: report.size,
        root: report
            .root
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        witnessed: status.cosigned == Some(status.size),
    })
}
