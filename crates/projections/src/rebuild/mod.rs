//! The read models made anew from the log's first event, beside the live ones: folded in memory, copied, indexed, brought up to
//! where the live ones are, compared with them by hash, and swapped in.
//!
//! 1. Live reads never stop; live projection stands still only while the two are brought to the same position, and for the swap.
//! 2. Both were folded by the same code, so at the same position they are equal, row by row; if not, the difference is named.
//! 3. The swap is one transaction; a rebuild that fails or is killed leaves the live read models as they were.
//!
//! Called by `squareoff rebuild` and, only to compare, by `squareoff demo`. It is not resumed after a kill but started again.

mod catch_up;
mod compare;
mod fill;
mod indexes;

pub use compare::{Comparison, Difference};

use crate::database::{Database, DatabaseError, LIVE, NEXT, migrate};
use crate::fold::{Fold, FoldError};
use crate::origin::{OriginError, OtherLog, checkpoint_in};
use crate::units::stored_position;
use crate::write::{LOCK_REBUILD, LOCK_WRITE, lock_transaction, try_lock_session};
use catch_up::catch_up;
use sqlx::{Connection, Executor, PgConnection};
use squareoff_store::{EventStore, Position, ReadError};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Rounds of catching up without holding the live projection; each is shorter than the one before, as long as we are faster.
const CATCH_UP_ROUNDS_MAX: usize = 8;

/// When the rebuilt read models replace the live ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwapWhen {
    /// Only compare; the rebuilt ones are dropped.
    Never,
    /// When both are equal, or the live ones were empty.
    Equal,
    /// Whatever the comparison says: a release that folds differently needs it.
    Always,
}

/// How a rebuild goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RebuildOptions {
    pub swap: SwapWhen,
}

/// What a rebuild is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Folding the log; trades are copied meanwhile.
    Folding,
    Copying,
    Indexing,
    CatchingUp,
    Comparing,
    Swapping,
}

/// For a progress bar: `position` of `target`, both log positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub stage: Stage,
    pub position: Position,
    pub target: Position,
    pub events: u64,
}

/// What a rebuild did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuildReport {
    /// Events folded from the log's first on, up to the first catching up.
    pub events: u64,
    /// How long they took from the first read until the tables stood with their indexes.
    pub elapsed: Duration,
    /// `None` when the live read models were empty.
    pub comparison: Option<Comparison>,
    pub swapped: bool,
    /// The log position that the rebuilt read models reflect.
    pub position: Position,
}

impl RebuildReport {
    /// Whole events in a second.
    pub fn events_per_s(&self) -> u64 {
        let micros = self.elapsed.as_micros().max(1);
        u64::try_from(u128::from(self.events) * 1_000_000 / micros).unwrap_or(u64::MAX)
    }

    /// Nothing differs; true also when there was nothing to compare with.
    pub fn equal(&self) -> bool {
        self.comparison.as_ref().is_none_or(Comparison::equal)
    }
}

#[derive(Debug, Error)]
pub enum RebuildError {
    #[error("another rebuild is under way")]
    Busy,
    #[error("the rebuild stopped: {0}")]
    Fold(#[from] FoldError),
    #[error(transparent)]
    OtherLog(#[from] OtherLog),
    #[error("the rebuilt read models were changed by somebody else")]
    Disturbed,
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<sqlx::Error> for RebuildError {
    fn from(error: sqlx::Error) -> Self {
        RebuildError::Database(error.into())
    }
}

impl From<OriginError> for RebuildError {
    fn from(error: OriginError) -> Self {
        match error {
            OriginError::OtherLog(error) => error.into(),
            OriginError::Read(error) => error.into(),
            OriginError::Sql(error) => error.into(),
        }
    }
}

impl From<ReadError> for RebuildError {
    fn from(error: ReadError) -> Self {
        RebuildError::Fold(error.into())
    }
}

/// The log, folded up to `position`, and the tables that hold it.
struct Rebuilt {
    connection: PgConnection,
    /// The server works on one table per connection: a second one halves the time of copying and indexing.
    beside: PgConnection,
    fold: Fold,
    position: Position,
}

/// Rebuilds, compares, and swaps as `options` say. `progress` is called a few times a second at most, and must not block.
///
/// # Errors
/// [`RebuildError`]; the live read models are as they were.
pub async fn rebuild(
    store: &EventStore,
    database: &Database,
    options: RebuildOptions,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<RebuildReport, RebuildError> {
    database.migrate().await?;
    let mut live = database.connect(LIVE).await?;
    if !try_lock_session(&mut live, LOCK_REBUILD).await? {
        return Err(RebuildError::Busy);
    }
    let live_at = checkpoint_in(store, &mut live).await?;
    let head = store.head().await?;
    // Where there is nothing to compare with, there is no reason to stop before the end.
    let target = if live_at == Position::START {
        head
    } else {
        live_at
    };

    let began = Instant::now();
    let mut rebuilt = prepare(store, database).await?;
    let events = fill::fill(store, &mut rebuilt, target, &mut progress).await?;
    let elapsed = began.elapsed();
    let mut tell = |stage, position| {
        progress(Progress {
            stage,
            position,
            target,
            events,
        })
    };

    tell(Stage::CatchingUp, rebuilt.position);
    for _ in 0..CATCH_UP_ROUNDS_MAX {
        let live_at = checkpoint(&mut live).await?;
        if rebuilt.position >= live_at {
            break;
        }
        catch_up(store, &mut rebuilt, live_at).await?;
    }
    tell(Stage::Comparing, rebuilt.position);
    let comparison = if live_at == Position::START {
        None
    } else {
        compare(store, database, &mut live, &mut rebuilt).await?
    };

    let equal = comparison.as_ref().is_none_or(Comparison::equal);
    let swapped = match options.swap {
        SwapWhen::Never => false,
        SwapWhen::Equal => equal,
        SwapWhen::Always => true,
    };
    tell(Stage::Swapping, rebuilt.position);
    if swapped {
        swap(store, &mut live, &mut rebuilt).await?;
        live.execute("DROP SCHEMA IF EXISTS read_old CASCADE")
            .await?;
    } else {
        live.execute("DROP SCHEMA IF EXISTS read_next CASCADE")
            .await?;
    }
    // The lock would end with the connection, but only when the server notices; the next rebuild may be there before.
    live.execute("SELECT pg_advisory_unlock_all()").await?;
    Ok(RebuildReport {
        events,
        elapsed,
        comparison,
        swapped,
        position: rebuilt.position,
    })
}

/// Empty tables in a schema of their own; what a killed rebuild left is dropped.
async fn prepare(store: &EventStore, database: &Database) -> Result<Rebuilt, RebuildError> {
    let mut connection = connect(database).await?;
    for statement in [
        "DROP SCHEMA IF EXISTS read_old CASCADE",
        "DROP SCHEMA IF EXISTS read_next CASCADE",
    ] {
        connection.execute(statement).await?;
    }
    migrate(&mut connection, NEXT)
        .await
        .map_err(DatabaseError::from)?;
    checkpoint_in(store, &mut connection).await?;
    Ok(Rebuilt {
        connection,
        beside: connect(database).await?,
        fold: Fold::whole(),
        position: Position::START,
    })
}

async fn connect(database: &Database) -> Result<PgConnection, sqlx::Error> {
    let mut connection = database.connect(NEXT).await?;
    connection.execute("SET synchronous_commit = off").await?;
    // An index at a time per connection: the sort stays in memory for some millions of rows.
    connection
        .execute("SET maintenance_work_mem = '256MB'")
        .await?;
    Ok(connection)
}

/// Both at the same position, in one snapshot; live projection goes on as soon as the snapshot is taken. `None` when the rebuilt
/// read models are ahead, because the live ones are still on their way.
async fn compare(
    store: &EventStore,
    database: &Database,
    live: &mut PgConnection,
    rebuilt: &mut Rebuilt,
) -> Result<Option<Comparison>, RebuildError> {
    let mut still = live.begin().await?;
    lock_transaction(&mut still, LOCK_WRITE).await?;
    let position = checkpoint(&mut still).await?;
    if rebuilt.position > position {
        return Ok(None);
    }
    catch_up(store, rebuilt, position).await?;
    let mut snapshot = compare::Snapshot::take(database.connect(LIVE).await?).await?;
    still.rollback().await?;
    Ok(Some(snapshot.compare(position).await?))
}

async fn swap(
    store: &EventStore,
    live: &mut PgConnection,
    rebuilt: &mut Rebuilt,
) -> Result<(), RebuildError> {
    let mut still = live.begin().await?;
    lock_transaction(&mut still, LOCK_WRITE).await?;
    let position = checkpoint(&mut still).await?;
    catch_up(store, rebuilt, position).await?;
    // What the rebuilt tables hold was committed without waiting for the disk; it must not be younger than the swap.
    still.execute("SET LOCAL synchronous_commit = on").await?;
    still
        .execute("ALTER SCHEMA read_live RENAME TO read_old")
        .await?;
    still
        .execute("ALTER SCHEMA read_next RENAME TO read_live")
        .await?;
    Ok(still.commit().await?)
}

async fn checkpoint(connection: &mut PgConnection) -> Result<Position, sqlx::Error> {
    let position = sqlx::query_scalar!("SELECT position FROM checkpoint")
        .fetch_one(connection)
        .await?;
    Ok(stored_position(position))
}
