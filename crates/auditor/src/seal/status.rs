//! How sealing stands, for health checks and people: one small JSON file beside the checkpoint, replaced whole.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

const FILE: &str = "status.json";

/// Where the sealer is. Not signed and not to be trusted for a proof.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Events under the newest checkpoint.
    pub size: u64,
    /// Log position of the last of them; 0 before the first.
    pub position: u64,
    /// When it was signed, seconds since 1970.
    pub sealed_at: u64,
    /// Events under the newest checkpoint that a witness signed; `None` when none ever did.
    pub cosigned: Option<u64>,
    /// What is wrong, by who says so: `log`, or a witness's name. Empty is well.
    pub alarms: BTreeMap<String, String>,
}

impl Status {
    /// The folder's status; `None` when nothing was sealed there yet.
    pub fn read(folder: &Path) -> Option<Status> {
        let text = std::fs::read(folder.join(FILE)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// It is only for looking at, so a disk that refuses it is no reason to stop.
    pub(crate) fn write(&self, folder: &Path) {
        let text = serde_json::to_vec(self).expect("numbers and texts");
        let written = {
            let beside = folder.join("status.json.tmp");
            std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, folder.join(FILE)))
        };
        if let Err(error) = written {
            tracing::warn!(%error, "the status of sealing cannot be written");
        }
    }
}
