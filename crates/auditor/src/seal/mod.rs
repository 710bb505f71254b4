//! The sealer: follows the log, keeps its Merkle tree, and signs the tree's head. One process per log; the caller holds the lock.
//!
//! 1. A checkpoint is signed at the latest [`INTERVAL`] after an event, and at the latest after [`EVENTS_MAX`] of them.
//! 2. A signature leaves only when tiles, positions and the checkpoint itself are durable. So a crash at any point is gone on from, and
//!    neither two roots for one size nor a smaller size is ever signed.
//! 3. At a start the whole log is read against the last checkpoint, and before each signature the last sealed event is read again. A log
//!    that contradicts is never signed: sealing stops until a person has looked, with the first position that differs.
//! 4. Its own events are leaves; a tail of nothing else is not sealed.
//! 5. Witnesses are asked beside it: a missing one is an alarm and holds up nothing.
//!
//! What it does not do: it decides nothing about the platform, and orders go on while it stands still.

mod asking;
mod begin;
mod follow;
mod key;
mod positions;
mod status;

pub use asking::{WitnessAddress, WitnessAddressError};
pub use key::{KeyFileError, PUBLIC as PUBLIC_KEY, load_or_create as key};
pub use positions::Positions;
pub use status::Status;

use crate::tlog::{CheckpointError, KeyKind, Signer, TileError};
use squareoff_domain::Timestamp;
use squareoff_store::{EventStore, Position, ReadError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;

/// The longest that an event waits for its signature.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// New events under one checkpoint.
pub const EVENTS_MAX: usize = 1_000;
/// The checkpoint that witnesses have signed too, beside the newest one.
pub const COSIGNED: &str = "cosigned";
/// What a failed read or write waits for another try: a full disk or a restarted store is back in seconds.
const AGAIN: Duration = Duration::from_secs(1);
/// Who the checkpoints' events are by.
const ACTOR: &str = "sealer";

/// What the operator sets.
#[derive(Debug, Clone)]
pub struct SealSettings {
    /// Tiles, checkpoints, key.
    pub folder: PathBuf,
    /// The log's name in its checkpoints and of its key.
    pub origin: String,
    pub witnesses: Vec<WitnessAddress>,
}

/// Why sealing can't go on.
#[derive(Debug, Error)]
pub enum SealError {
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// A person has to look: nothing is signed until then.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Tiles(#[from] TileError),
    #[error("the folder of the seal cannot be used: {0}")]
    Io(#[from] io::Error),
    #[error("the log's own checkpoints cannot be read: {0}")]
    Checkpoints(#[from] squareoff_store::LoadError),
}

/// The log, or what was kept of it, is not what was signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Contradiction {
    #[error(
        "the event at position {position} (number {index} of the log) is not the one that was sealed"
    )]
    Altered { position: Position, index: u64 },
    #[error(
        "the log ends behind position {last}, with {found} events; {sealed} were sealed: the first missing one stood at {missing}. Was an older backup restored?"
    )]
    Shorter {
        last: Position,
        found: u64,
        sealed: u64,
        /// Its position where the map knows it, else its number.
        missing: String,
    },
    #[error(
        "among the first {size} events at least one is not as it was sealed; the tiles that would tell which are damaged too"
    )]
    Somewhere { size: u64 },
    #[error("the event at position {position} is no entry: {reason}")]
    Unreadable { position: Position, reason: String },
    #[error("the checkpoint {path} is not our key's: {source}", path = .path.display())]
    NotOurs {
        path: PathBuf,
        source: CheckpointError,
    },
    #[error(
        "the log was sealed up to event {size} with another key: put that key back into the folder of the seal. ({source})"
    )]
    AnotherKey { size: u64, source: CheckpointError },
    #[error(
        "two checkpoints of {size} events are signed, with different roots: one in the folder, one in the log"
    )]
    TwoRoots { size: u64 },
}

/// Seals until `shutdown` ends. What a retry may mend is tried again; a contradiction stands still, with its alarm in [`Status`] and in the
/// process's log, until the process is started again.
///
/// # Errors
/// [`SealError::Key`] alone.
pub async fn run(
    store: EventStore,
    settings: SealSettings,
    shutdown: impl Future<Output = ()>,
) -> Result<(), SealError> {
    let signer = key(&settings.folder, &settings.origin, KeyKind::Ed25519)?;
    tracing::info!(key = %signer.public(), "the log is sealed with this key");
    let board = Board::new(&settings.folder);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let Err(error) = follow::seal(&store, &settings, &signer, &board, shutdown.as_mut()).await
        else {
            return Ok(());
        };
        board.alarm("log", Some(error.to_string()));
        let stands_still = matches!(error, SealError::Contradiction(_));
        if stands_still {
            tracing::error!(%error, "ALARM: the log contradicts its seal; nothing is sealed until this is looked into");
            shutdown.await;
            return Ok(());
        }
        tracing::warn!(%error, "sealing failed and is tried again");
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = shutdown.as_mut() => return Ok(()),
        }
    }
}

/// The signing side of one log.
struct Seal<'a> {
    settings: &'a SealSettings,
    signer: &'a Signer,
}

/// The status, as the sealer and those who ask the witnesses write it.
#[derive(Debug, Clone)]
struct Board {
    folder: Arc<Path>,
    status: Arc<Mutex<Status>>,
}

impl Board {
    fn new(folder: &Path) -> Self {
        Board {
            folder: folder.into(),
            status: Arc::new(Mutex::new(Status::read(folder).unwrap_or_default())),
        }
    }

    fn update(&self, change: impl FnOnce(&mut Status)) {
        let mut status = self
            .status
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let before = status.clone();
        change(&mut status);
        if *status != before {
            status.write(&self.folder);
        }
    }

    fn alarm(&self, who: &str, what: Option<String>) {
        self.update(|status| match what {
            Some(what) => drop(status.alarms.insert(who.to_owned(), what)),
            None => drop(status.alarms.remove(who)),
        });
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

pub(crate) fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Writes a file whole or not at all, and its name with it.
pub(crate) fn whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    std::fs::File::open(path.parent().expect("a file in its folder"))?.sync_all()
}
