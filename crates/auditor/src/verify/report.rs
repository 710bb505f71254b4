//! What a verification needs to trust, and what it says.

use crate::tlog::{Hash, VerifierKey};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The keys that were got from elsewhere than what is verified.
#[derive(Debug, Clone)]
pub struct Trust {
    pub log: VerifierKey,
    /// Each of them must have co-signed the checkpoint.
    pub witnesses: Vec<VerifierKey>,
}

/// What was verified, and the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Size and root of the signed tree; zeros when there was no checkpoint to trust.
    pub size: u64,
    pub root: Hash,
    /// Entries that were proved.
    pub entries: u64,
    /// Events behind the checkpoint that only their stream's chain vouches for (a live store's).
    pub unsealed: u64,
    /// Older checkpoints that are proved to be a prefix.
    pub checkpoints: u64,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Intact,
    Damaged(Damage),
}

/// The first thing that is not as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub kind: DamageKind,
    /// Index of the first event it touches, from 0; `None` when it touches none or can't be told.
    pub index: Option<u64>,
    /// Stream and version of that event, if they can be told.
    pub event: Option<(String, u64)>,
    /// A sentence for people, without a full stop.
    pub detail: String,
}

/// What happened. The names are `verify.py`'s too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DamageKind {
    Manifest,
    Checkpoint,
    Witness,
    Altered,
    Removed,
    Inserted,
    Reordered,
    Tile,
    Head,
    File,
}

/// Why there is no verdict.
#[derive(Debug, Error)]
pub enum VerifyError {
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is no folder", .0.display())]
    NoFolder(PathBuf),
    #[error("a filtered export can't prove what an older head was a prefix of; verify a whole one")]
    HeadsNeedAWholeExport,
    #[error("the store could not be read: {0}")]
    Store(Box<dyn std::error::Error + Send + Sync>),
}

/// Why a check ends early.
#[derive(Debug)]
pub(crate) enum Stop {
    Damaged(Damage),
    Failed(VerifyError),
}

impl Damage {
    pub(crate) fn new(kind: DamageKind, index: Option<u64>, detail: impl Into<String>) -> Self {
        Damage {
            kind,
            index,
            event: None,
            detail: detail.into(),
        }
    }
}

impl From<Damage> for Stop {
    fn from(damage: Damage) -> Self {
        Stop::Damaged(damage)
    }
}

impl From<VerifyError> for Stop {
    fn from(error: VerifyError) -> Self {
        Stop::Failed(error)
    }
}

pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> VerifyError + use<> {
    let path = path.to_owned();
    move |source| VerifyError::Io {
        path: path.clone(),
        source,
    }
}

impl DamageKind {
    pub fn name(self) -> &'static str {
        match self {
            DamageKind::Manifest => "manifest",
            DamageKind::Checkpoint => "checkpoint",
            DamageKind::Witness => "witness",
            DamageKind::Altered => "altered",
            DamageKind::Removed => "removed",
            DamageKind::Inserted => "inserted",
            DamageKind::Reordered => "reordered",
            DamageKind::Tile => "tile",
            DamageKind::Head => "head",
            DamageKind::File => "file",
        }
    }
}

/// `removed at 17 (platform, version 3): …`
impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(index) = self.index {
            write!(f, " at {index}")?;
        }
        if let Some((stream, version)) = &self.event {
            write!(f, " ({stream}, version {version})")?;
        }
        write!(f, ": {}", self.detail)
    }
}
