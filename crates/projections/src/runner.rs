//! The live projection: follows the log and commits rows and checkpoint together.
//!
//! 1. Each event's effect is in the tables exactly once: rows and checkpoint are one transaction, and every start reads the
//!    checkpoint first.
//! 2. One runner writes at a time: the others wait for its session's lock, and take over when it is gone.
//! 3. An outage of Postgres or the log is waited out for ever, with a bounded pause; nothing is held in memory meanwhile.
//! 4. What can never be projected (an event of a newer release, a database of another log) ends the runner with one sentence.
//!
//! It appends nothing and decides nothing.

use crate::database::{Database, DatabaseError, LIVE};
use crate::fold::{Fold, FoldError, Listed, Rows, STREAMS_MAX};
use crate::origin::{OriginError, OtherLog, checkpoint_in};
use crate::write::{LOCK_RUNNER, Target, WriteError, try_lock_session, write};
use sqlx::Executor;
use squareoff_store::{Delivery, EventStore, Position, ReadError, StoredEvent};
use std::time::Duration;
use thiserror::Error;
use tokio::task::JoinHandle;

/// Events of one transaction: beyond a thousand the statements get no cheaper per row, and waiters wait longer.
pub const BATCH_EVENTS_MAX: usize = 1_000;
/// While much happens a batch is what comes in this time: a commit has its price however little it brings.
const PACE: Duration = Duration::from_millis(10);
/// Pauses between tries while Postgres or the log is away: doubled from the first to the second.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(50);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);
/// How often a waiting runner asks for the lock of the one that works.
const LOCK_INTERVAL: Duration = Duration::from_millis(500);

/// Why a runner gave up. A restart alone doesn't help.
#[derive(Debug, Error)]
pub enum RunError {
    #[error("the projection stopped: {0}")]
    Fold(#[from] FoldError),
    #[error(transparent)]
    OtherLog(#[from] OtherLog),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// What ended one session with Postgres.
#[derive(Debug, Error)]
enum SessionError {
    #[error(transparent)]
    Fatal(RunError),
    #[error("{0}")]
    Passing(String),
    /// A rebuild was swapped in: begin again at once.
    #[error("{0}")]
    Moved(WriteError),
}

/// Projects until `shutdown` is ready. Migrates first.
///
/// # Errors
/// [`RunError`], when going on makes no sense.
pub async fn run(
    store: EventStore,
    database: Database,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    tokio::select! {
        error = keep_running(&store, &database) => Err(error),
        // A batch that was under way is rolled back; the next start does it again.
        () = shutdown => Ok(()),
    }
}

async fn keep_running(store: &EventStore, database: &Database) -> RunError {
    let mut pause = RETRY_PAUSE_MIN;
    loop {
        let mut progressed = false;
        let Err(error) = session(store, database, &mut progressed).await;
        match error {
            SessionError::Fatal(error) => return error,
            SessionError::Moved(reason) => {
                tracing::info!(%reason, "projecting on from the rebuilt read models")
            }
            SessionError::Passing(reason) => {
                pause = if progressed {
                    RETRY_PAUSE_MIN
                } else {
                    (pause * 2).min(RETRY_PAUSE_MAX)
                };
                tracing::warn!(%reason, retry_ms = pause.as_millis(), "projecting is interrupted");
                tokio::time::sleep(pause).await;
            }
        }
    }
}

async fn session(
    store: &EventStore,
    database: &Database,
    progressed: &mut bool,
) -> Result<std::convert::Infallible, SessionError> {
    database.migrate().await.map_err(database_error)?;
    let mut connection = database.connect(LIVE).await?;
    // Durable although the log has it all: a reader who was shown a position must not see an older one after a crash of Postgres.
    // One flush a batch is not noticed in the throughput.
    connection.execute("SET synchronous_commit = on").await?;
    // What is written is one plan for any rows; making it anew was a tenth of what a batch costs Postgres.
    connection
        .execute("SET plan_cache_mode = force_generic_plan")
        .await?;
    while !try_lock_session(&mut connection, LOCK_RUNNER).await? {
        tokio::time::sleep(LOCK_INTERVAL).await;
    }
    let mut done = checkpoint_in(store, &mut connection).await?;
    let mut subscription = store.subscribe(done).paced(PACE);
    let mut fold = Some(Fold::new(STREAMS_MAX));
    tracing::info!(log.position = done.as_u64(), "projecting");
    let mut ahead = None;
    loop {
        let folding = match ahead.take() {
            Some(folding) => folding,
            None => match subscription.next(BATCH_EVENTS_MAX).await? {
                Delivery::Events(events) => Folding::begin(&mut fold, store, events),
                Delivery::CaughtUp(_) => continue,
            },
        };
        let (home, folded) = folding.task.await.expect("folding does not panic");
        fold = Some(home);
        let (rows, to) = (folded?, folding.to);
        if done == Position::START {
            // The log may have been empty before: now it has a first event to be known by.
            checkpoint_in(store, &mut connection).await?;
        }
        let mut writing = std::pin::pin!(write(&mut connection, Target::Live, &rows, (done, to)));
        // The next batch is read and folded while Postgres is busy with this one.
        loop {
            tokio::select! {
                written = &mut writing => break written?,
                next = subscription.next(BATCH_EVENTS_MAX), if ahead.is_none() => {
                    if let Delivery::Events(events) = next? {
                        ahead = Some(Folding::begin(&mut fold, store, events));
                    }
                }
            }
        }
        done = to;
        *progressed = true;
    }
}

/// A batch that is being folded, on a task of its own.
struct Folding {
    /// Position of its last event.
    to: Position,
    task: JoinHandle<(Fold, Result<Rows<Listed>, FoldError>)>,
}

impl Folding {
    /// Takes the fold, which comes home with the rows. A delivery has at least one event.
    fn begin(fold: &mut Option<Fold>, store: &EventStore, events: Vec<StoredEvent>) -> Self {
        let mut fold = fold.take().expect("one batch is folded at a time");
        let to = events
            .last()
            .expect("a delivery has at least one event")
            .position;
        let store = store.clone();
        let task = tokio::spawn(async move {
            let rows = fold.fold(&store, events).await;
            (fold, rows)
        });
        Folding { to, task }
    }
}

fn database_error(error: DatabaseError) -> SessionError {
    if error.is_passing() {
        SessionError::Passing(error.to_string())
    } else {
        SessionError::Fatal(error.into())
    }
}

impl From<OriginError> for SessionError {
    fn from(error: OriginError) -> Self {
        match error {
            OriginError::OtherLog(error) => SessionError::Fatal(error.into()),
            OriginError::Read(error) => error.into(),
            OriginError::Sql(error) => error.into(),
        }
    }
}

impl From<sqlx::Error> for SessionError {
    fn from(error: sqlx::Error) -> Self {
        SessionError::Passing(error.to_string())
    }
}

impl From<ReadError> for SessionError {
    fn from(error: ReadError) -> Self {
        SessionError::Passing(error.to_string())
    }
}

impl From<FoldError> for SessionError {
    fn from(error: FoldError) -> Self {
        match error {
            FoldError::Read(error) => error.into(),
            FoldError::Decode(_)
            | FoldError::NotAPosition { .. }
            | FoldError::NotABulk { .. }
            | FoldError::Gap { .. } => SessionError::Fatal(error.into()),
        }
    }
}

impl From<WriteError> for SessionError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Moved(_) => SessionError::Moved(error),
            WriteError::Sql(error) => error.into(),
        }
    }
}
