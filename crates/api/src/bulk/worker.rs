//! The role `squareoff bulk`: works off every approved bulk and every cancel-all that the log holds, and finishes approvals, as long as it runs.

use super::approvals;
use super::book::Book;
use super::cancel_all;
use super::pace::Pace;
use super::run::Run;
use crate::directory::Directory;
use crate::follow;
use crate::gathered::Gathered;
use crate::server::Settings;
use squareoff_domain::bulk::{Bulk, BulkId};
use squareoff_domain::{PositionKey, Venue, position};
use squareoff_store::{AppendError, EventStore, LoadError, ReadError, StoredEvent, Streams};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::task::JoinSet;

/// For so long the worker reads the log at its start: some million events a second.
const START_TIME_LIMIT: Duration = Duration::from_secs(600);

/// How old the worker's memories may be while much happens: nobody waits for an answer, and the venue's message rate is far below.
pub(super) const PACE: Duration = Duration::from_millis(25);

/// Why the worker can't go on. Its supervisor starts it again, and it takes up what it left.
#[derive(Debug, Error)]
pub enum WorkerError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error("the event log can't be read on: {0}")]
    Stopped(String),
    #[error("a bulk's task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// What the bulks share.
pub struct Shared {
    pub positions: Streams<position::Position>,
    pub bulks: Streams<Bulk>,
    pub directory: Directory,
    pub book: Book,
    pub paces: BTreeMap<Venue, Pace>,
    pub settings: Settings,
}

impl Shared {
    /// What a decision about the position needs, as it is now.
    pub fn gathered(&self, key: &PositionKey) -> Gathered {
        Gathered::of(&self.directory, key, self.settings)
    }
}

/// Works until `stop` ends.
///
/// # Errors
/// [`WorkerError`] when the log fails.
pub async fn run(
    store: EventStore,
    settings: Settings,
    stop: impl Future<Output = ()>,
) -> Result<(), WorkerError> {
    let paces = Venue::ALL
        .iter()
        .map(|venue| (*venue, Pace::new(settings.venue_message_rate)));
    let positions = Streams::new(store.clone());
    let of_positions = positions.clone();
    // A bulk asks of some positions, and mostly there is none: what it has not asked of yet is read when it does.
    let seen = move |stored: &StoredEvent| match of_positions.remembers(&stored.stream) {
        true => follow::learn(&of_positions, "position-", stored),
        false => Ok(()),
    };
    let directory = Directory::follow(store.clone(), PACE, seen);
    let shared = Arc::new(Shared {
        positions,
        bulks: Streams::new(store.clone()),
        directory,
        book: Book::follow(store.clone(), PACE),
        paces: paces.collect(),
        settings,
    });
    let work = async {
        let head = store.head().await?;
        // Nothing is begun on half of the log: a bulk that was aborted would look approved.
        if !shared.directory.reach(head, START_TIME_LIMIT).await
            || !shared.book.reach(head, START_TIME_LIMIT).await
        {
            let stopped = shared.directory.progress().stopped;
            let stopped = stopped.or_else(|| shared.book.progress().stopped);
            let late = || "its end was not reached in time".to_owned();
            return Err(WorkerError::Stopped(stopped.unwrap_or_else(late)));
        }
        tracing::info!(position = %head, "the bulk worker has read the log");
        tokio::try_join!(
            bulks(&shared),
            cancel_all::run(store.clone(), &shared),
            approvals::run(store.clone(), &shared),
            stopped(&shared)
        )?;
        Ok(())
    };
    tokio::select! {
        worked = work => worked,
        () = stop => Ok(()),
    }
}

/// Begins each bulk that has to be worked off, once; never ends by itself.
async fn bulks(shared: &Arc<Shared>) -> Result<(), WorkerError> {
    let mut begun: HashSet<BulkId> = HashSet::new();
    let mut running = JoinSet::new();
    let mut changed = shared.book.changed();
    loop {
        for bulk in shared.book.under_way() {
            if begun.insert(bulk) {
                tracing::info!(bulk.id = %bulk, "a bulk is worked off");
                let run = Arc::new(Run::begin(Arc::clone(shared), bulk).await?);
                running.spawn(async move { run.work().await });
            }
        }
        tokio::select! {
            // A sender that is gone has said why: see `stopped`.
            seen = changed.changed() => if seen.is_err() { std::future::pending::<()>().await },
            Some(ended) = running.join_next() => ended??,
        }
    }
}

/// Ends when what the worker knows no longer grows.
async fn stopped(shared: &Shared) -> Result<(), WorkerError> {
    let (mut book, mut directory) = (shared.book.changed(), shared.directory.changed());
    let stopped = |progress: &crate::follow::Progress| progress.stopped.is_some();
    let reason = tokio::select! {
        Ok(progress) = book.wait_for(stopped) => progress.stopped.clone(),
        Ok(progress) = directory.wait_for(stopped) => progress.stopped.clone(),
        else => None,
    };
    Err(WorkerError::Stopped(reason.unwrap_or_default()))
}
