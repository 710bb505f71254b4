//! The read models made anew from the log's first event, beside the live ones: folded in memory, copied, indexed, brought up to
//! where the live ones are, compared with them by hash, and swapped in. Or, for an auditor, as they were at some moment (`as_of.rs`).
//!
//! 1. Live reads never stop; live projection stands still only while the two are brought to the same position, and for the swap.
//! 2. Both were folded by the same code, so at the same position they are equal, row by row; if not, the difference is named.
//! 3. The swap is one transaction; a rebuild that fails or is killed leaves the live read models as they were.
//! 4. Killed at any moment, the next rebuild goes on with what is committed: rows with their checkpoint, then each index.
//!
//! Called by `squareoff rebuild` and, only to compare, by `squareoff demo`.

mod as_of;
mod beside;
mod catch_up;
mod compare;
mod fill;
mod progress;
mod steps;
mod tables;

pub use as_of::{
    AsOf, AsOfReport, Copied, Moment, SchemaName, SchemaNameError, drop_as_of, list_as_of,
    rebuild_as_of,
};
pub use compare::{Comparison, Difference};
pub use fill::{SEGMENT_EVENTS, SEGMENT_EVENTS_MAX};
pub use progress::{Progress, Stage};

use crate::database::{Database, DatabaseError, LIVE, NEXT, OLD};
use crate::fold::FoldError;
use crate::origin::{OriginError, OtherLog, checkpoint_in};
use crate::rights;
use crate::units::stored_position;
use crate::write::{LOCK_CLASS, LOCK_REBUILD, LOCK_REBUILD_WORK, LOCK_WRITE, lock_transaction};
use beside::{Beside, Found, drop_schema, find};
use catch_up::catch_up;
use progress::Tell;
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
    /// Events whose rows are committed together, 1 to [`SEGMENT_EVENTS_MAX`]: what a kill may cost.
    pub segment_events: usize,
}

impl RebuildOptions {
    /// With [`SEGMENT_EVENTS`].
    pub const fn new(swap: SwapWhen) -> Self {
        RebuildOptions {
            swap,
            segment_events: SEGMENT_EVENTS,
        }
    }
}

/// What a rebuild did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuildReport {
    /// Where an earlier rebuild, which was killed, had come to; [`Position::START`] when this one began anew.
    pub gone_on_from: Position,
    /// Events folded from there on, up to the first catching up.
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
        events_per_s(self.events, self.elapsed)
    }

    /// Nothing differs; true also when there was nothing to compare with.
    pub fn equal(&self) -> bool {
        self.comparison.as_ref().is_none_or(Comparison::equal)
    }
}

fn events_per_s(events: u64, elapsed: Duration) -> u64 {
    let micros = elapsed.as_micros().max(1);
    u64::try_from(u128::from(events) * 1_000_000 / micros).unwrap_or(u64::MAX)
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
    #[error("the log ends at position {head}, before {asked}")]
    BehindTheEnd { asked: Position, head: Position },
    #[error("schema {0} is there already: --replace makes it anew")]
    SchemaTaken(SchemaName),
    #[error("schema {0} holds something that no rebuild made, and is left alone")]
    SchemaForeign(SchemaName),
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

/// Rebuilds, compares, and swaps as `options` say; goes on with what a killed rebuild left, if the same code made it. `progress` is
/// called some ten times a second, and must not block.
///
/// # Errors
/// [`RebuildError`]; the live read models are as they were.
pub async fn rebuild(
    store: &EventStore,
    database: &Database,
    options: RebuildOptions,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<RebuildReport, RebuildError> {
    let tell: &mut Tell<'_> = &mut progress;
    database.migrate().await?;
    let mut live = lead(database).await?;
    let live_at = checkpoint_in(store, &mut live).await?;
    let compared = live_at != Position::START;
    // Where there is nothing to compare with, there is no reason to stop before the end.
    let target = if compared {
        live_at
    } else {
        store.head().await?
    };

    let began = Instant::now();
    drop_schema(&mut live, OLD).await?;
    let beside = beside(store, database, &mut live, target).await?;
    let gone_on_from = beside.position;
    let (mut beside, events) = beside.complete(store, options.segment_events, tell).await?;
    let elapsed = began.elapsed();

    for _ in 0..CATCH_UP_ROUNDS_MAX {
        let live_at = checkpoint(&mut live).await?;
        tell(Progress::events(
            Stage::CatchingUp,
            beside.position,
            live_at,
            beside.position,
        ));
        if beside.position >= live_at {
            break;
        }
        catch_up(store, &mut beside, live_at).await?;
    }
    beside.tell(Stage::Comparing, tell);
    let comparison = if compared {
        compare(store, database, &mut live, &mut beside).await?
    } else {
        None
    };

    let equal = comparison.as_ref().is_none_or(Comparison::equal);
    let swapped = match options.swap {
        SwapWhen::Never => false,
        SwapWhen::Equal => equal,
        SwapWhen::Always => true,
    };
    beside.tell(Stage::Swapping, tell);
    if swapped {
        swap(store, &mut live, &mut beside).await?;
        drop_schema(&mut live, OLD).await?;
    } else {
        drop_schema(&mut live, NEXT).await?;
    }
    release(&mut live).await?;
    Ok(RebuildReport {
        gone_on_from,
        events,
        elapsed,
        comparison,
        swapped,
        position: beside.position,
    })
}

/// What was left in the schema of rebuilds, if it fits, or a new beginning.
async fn beside(
    store: &EventStore,
    database: &Database,
    live: &mut PgConnection,
    target: Position,
) -> Result<Beside, RebuildError> {
    if let Found::Begun {
        filled,
        target: meant,
        fits: true,
    } = find(store, database, NEXT).await?
    {
        return Beside::go_on(database, NEXT, (filled, meant), target).await;
    }
    drop_schema(live, NEXT).await?;
    Beside::begin(database, NEXT, target).await
}

/// The connection that leads a rebuild, when no other is under way.
///
/// The server may notice a moment late that an earlier one was killed; that is waited for.
async fn lead(database: &Database) -> Result<PgConnection, RebuildError> {
    let mut live = database.connect(LIVE).await?;
    live.execute("SET lock_timeout = '3s'").await?;
    for lock in [LOCK_REBUILD, LOCK_REBUILD_WORK] {
        let locked = sqlx::query!("SELECT pg_advisory_lock($1, $2)", LOCK_CLASS, lock)
            .execute(&mut live)
            .await;
        match locked {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("55P03") => {
                return Err(RebuildError::Busy);
            }
            locked => locked?,
        };
    }
    sqlx::query_scalar!(
        "SELECT pg_advisory_unlock($1, $2)",
        LOCK_CLASS,
        LOCK_REBUILD_WORK
    )
    .fetch_one(&mut live)
    .await?;
    live.execute("RESET lock_timeout").await?;
    Ok(live)
}

/// The lock would end with the connection, but only when the server notices; the next rebuild may be there before.
async fn release(live: &mut PgConnection) -> Result<(), sqlx::Error> {
    live.execute("SELECT pg_advisory_unlock_all()").await?;
    Ok(())
}

/// Both at the same position, in one snapshot; live projection goes on as soon as the snapshot is taken. `None` when the rebuilt
/// read models are ahead, because the live ones are still on their way.
async fn compare(
    store: &EventStore,
    database: &Database,
    live: &mut PgConnection,
    beside: &mut Beside,
) -> Result<Option<Comparison>, RebuildError> {
    let mut still = live.begin().await?;
    lock_transaction(&mut still, LOCK_WRITE).await?;
    let position = checkpoint(&mut still).await?;
    if beside.position > position {
        return Ok(None);
    }
    catch_up(store, beside, position).await?;
    let mut snapshot = compare::Snapshot::take(database.connect(LIVE).await?).await?;
    still.rollback().await?;
    Ok(Some(snapshot.compare(position).await?))
}

async fn swap(
    store: &EventStore,
    live: &mut PgConnection,
    beside: &mut Beside,
) -> Result<(), RebuildError> {
    let mut still = live.begin().await?;
    lock_transaction(&mut still, LOCK_WRITE).await?;
    let position = checkpoint(&mut still).await?;
    catch_up(store, beside, position).await?;
    // What the rebuilt tables hold was committed without waiting for the disk; it must not be younger than the swap.
    for statement in [
        "SET LOCAL synchronous_commit = on",
        "DELETE FROM read_next.rebuild",
        "ALTER SCHEMA read_live RENAME TO read_old",
        "ALTER SCHEMA read_next RENAME TO read_live",
    ] {
        still.execute(statement).await?;
    }
    rights::grant(&mut still).await?;
    Ok(still.commit().await?)
}

async fn checkpoint(connection: &mut PgConnection) -> Result<Position, sqlx::Error> {
    let position = sqlx::query_scalar!("SELECT position FROM checkpoint")
        .fetch_one(connection)
        .await?;
    Ok(stored_position(position))
}
