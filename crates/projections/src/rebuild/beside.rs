//! Tables in a schema of their own, on their way from the log's first event to where they are wanted; and how one that was left
//! unfinished is found and gone on with.
//!
//! 1. Schema, tables, steps and the row in `rebuild` that describes them come into being in one transaction: a schema without that
//!    row is somebody else's.
//! 2. Rows and checkpoint are committed together, so what is there is always the log up to the checkpoint; but for the audit trail
//!    and the trades, which may hold the last segment already.
//! 3. Only what the same code began is gone on with; the fold's own state is read again from the streams that go on.

use super::fill::{SEGMENT_EVENTS_MAX, fill, take_out_ahead};
use super::progress::{Progress, Stage, Tell};
use super::{RebuildError, steps};
use crate::database::{Database, DatabaseError, migrate};
use crate::fold::Fold;
use crate::origin::{OriginError, checkpoint_in};
use crate::units::{self, stored_position};
use crate::write::{LOCK_CLASS, LOCK_REBUILD_WORK};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use squareoff_store::{EventStore, Position};
use std::num::NonZeroUsize;

/// Fingerprint of everything between a stored event and a row; see build.rs.
const MADE_BY: &str = env!("SQUAREOFF_FOLDING");

/// Streams remembered while filling. More than one segment can touch, so that memory is bounded and no stream is forgotten while it
/// is needed: about 1 KB per order in them.
const STREAMS_MAX: NonZeroUsize = NonZeroUsize::new(2 * SEGMENT_EVENTS_MAX).expect("not zero");

/// How far the tables are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// Not even the schema is there.
    Nothing,
    /// Rows up to the checkpoint, without indexes.
    Folding,
    /// All rows; `rebuild_steps` says what is left to do.
    Indexing,
    /// As the live ones are.
    Whole,
}

/// What there is in a schema.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    /// Nothing of ours, or read models that no rebuild made.
    Foreign,
    Begun {
        filled: Filled,
        target: Position,
        /// Same code, same log.
        fits: bool,
    },
}

pub(super) struct Beside {
    schema: String,
    pub one: PgConnection,
    /// The server works on one table per connection: a second one halves the time of indexing, and of copying the last segment.
    two: PgConnection,
    pub fold: Fold,
    pub position: Position,
    target: Position,
    filled: Filled,
}

/// What is in `schema`. The connection may be in any.
pub(super) async fn find(
    store: &EventStore,
    database: &Database,
    schema: &str,
) -> Result<Found, RebuildError> {
    let mut connection = database.connect(schema).await?;
    let there = sqlx::query!(
        r#"SELECT
            EXISTS (SELECT FROM pg_namespace WHERE nspname = $1::text) AS "schema!",
            to_regclass(format('%I.rebuild', $1::text)) IS NOT NULL AS "rebuild!""#,
        schema
    )
    .fetch_one(&mut connection)
    .await?;
    if !there.schema {
        return Ok(Found::Nothing);
    }
    if !there.rebuild {
        return Ok(Found::Foreign);
    }
    let row = sqlx::query!("SELECT made_by, target, stage FROM rebuild")
        .fetch_optional(&mut connection)
        .await?;
    let Some(row) = row else {
        return Ok(Found::Foreign);
    };
    let same_log = match checkpoint_in(store, &mut connection).await {
        Ok(_) => true,
        Err(OriginError::OtherLog(_)) => false,
        Err(error) => return Err(error.into()),
    };
    let filled = match row.stage.as_str() {
        "folding" => Filled::Folding,
        "indexing" => Filled::Indexing,
        _ => Filled::Whole,
    };
    Ok(Found::Begun {
        filled,
        target: stored_position(row.target),
        fits: same_log && row.made_by == MADE_BY,
    })
}

pub(super) async fn drop_schema(
    connection: &mut PgConnection,
    schema: &str,
) -> Result<(), sqlx::Error> {
    let statement = format!("DROP SCHEMA IF EXISTS \"{schema}\" CASCADE");
    connection.execute(AssertSqlSafe(statement)).await?;
    Ok(())
}

impl Beside {
    /// Of a schema that is not there, and will be filled up to `target`.
    pub(super) async fn begin(
        database: &Database,
        schema: &str,
        target: Position,
    ) -> Result<Self, RebuildError> {
        let one = connect(database, schema).await?;
        Self::of(
            database,
            schema,
            one,
            Position::START,
            target,
            Filled::Nothing,
        )
        .await
    }

    /// Goes on with what [`find`] found to fit, up to `target` or further if it was meant to be.
    pub(super) async fn go_on(
        database: &Database,
        schema: &str,
        found: (Filled, Position),
        target: Position,
    ) -> Result<Self, RebuildError> {
        let mut one = connect(database, schema).await?;
        let (filled, meant) = found;
        let target = target.max(meant);
        sqlx::query!("UPDATE rebuild SET target = $1", units::position(target))
            .execute(&mut one)
            .await?;
        if filled == Filled::Folding {
            take_out_ahead(&mut one).await?;
        }
        let position = super::checkpoint(&mut one).await?;
        Self::of(database, schema, one, position, target, filled).await
    }

    async fn of(
        database: &Database,
        schema: &str,
        one: PgConnection,
        position: Position,
        target: Position,
        filled: Filled,
    ) -> Result<Self, RebuildError> {
        Ok(Beside {
            schema: schema.to_owned(),
            one,
            two: connect(database, schema).await?,
            fold: Fold::new(STREAMS_MAX),
            position,
            target,
            filled,
        })
    }

    /// Does what is left until the tables stand with their indexes. Gives the number of events that were folded for it.
    pub(super) async fn complete(
        mut self,
        store: &EventStore,
        segment_events: usize,
        tell: &mut Tell<'_>,
    ) -> Result<(Self, u64), RebuildError> {
        let mut events = 0;
        if matches!(self.filled, Filled::Nothing | Filled::Folding) {
            let Beside {
                schema,
                mut one,
                two,
                mut fold,
                position,
                target,
                filled,
            } = self;
            let (its_store, its_schema) = (store.clone(), schema.clone());
            let laid_out = async move {
                if filled == Filled::Nothing {
                    lay_out(&its_store, &mut one, &its_schema, target).await?;
                }
                Ok([one, two])
            };
            let segment = segment_events.clamp(1, SEGMENT_EVENTS_MAX);
            let places = (position, target);
            let up = fill(store, &mut fold, laid_out, places, segment, tell).await?;
            let [one, two] = up.connections;
            events = up.events;
            self = Beside {
                schema,
                one,
                two,
                fold,
                position: up.to,
                target,
                filled: Filled::Folding,
            };
            self.reached(Filled::Indexing).await?;
        }
        if self.filled == Filled::Indexing {
            steps::finish(&mut self.one, &mut self.two, self.position, tell).await?;
            self.reached(Filled::Whole).await?;
        }
        Ok((self, events))
    }

    async fn reached(&mut self, filled: Filled) -> Result<(), sqlx::Error> {
        let stage = match filled {
            Filled::Nothing | Filled::Folding => "folding",
            Filled::Indexing => "indexing",
            Filled::Whole => "whole",
        };
        sqlx::query!("UPDATE rebuild SET stage = $1", stage)
            .execute(&mut self.one)
            .await?;
        self.filled = filled;
        Ok(())
    }

    /// For steps without a length of their own.
    pub(super) fn tell(&self, stage: Stage, tell: &mut Tell<'_>) {
        tell(Progress::steps(stage, self.position, 0, 1));
    }
}

/// Makes the schema, which must not be there, with empty tables.
async fn lay_out(
    store: &EventStore,
    connection: &mut PgConnection,
    schema: &str,
    target: Position,
) -> Result<(), RebuildError> {
    let mut transaction = connection.begin().await?;
    migrate(&mut transaction, schema)
        .await
        .map_err(DatabaseError::from)?;
    checkpoint_in(store, &mut transaction).await?;
    steps::set_aside(&mut transaction).await?;
    sqlx::query!(
        "INSERT INTO rebuild (made_by, target, stage) VALUES ($1, $2, 'folding')",
        MADE_BY,
        units::position(target)
    )
    .execute(&mut *transaction)
    .await?;
    Ok(transaction.commit().await?)
}

async fn connect(database: &Database, schema: &str) -> Result<PgConnection, sqlx::Error> {
    let mut connection = database.connect(schema).await?;
    let settings = [
        // Rows and checkpoint are lost together, if at all: then the events are folded again.
        "SET synchronous_commit = off",
        // An index at a time per connection: the sort stays in memory for some millions of rows.
        "SET maintenance_work_mem = '256MB'",
        // Where rows don't tell which were written again, the keys of a whole table are hashed, in memory for some millions of rows too.
        "SET work_mem = '256MB'",
        // The server's default of 100 samples 30,000 rows, nearly each in a page of its own: a quarter of all that is done behind the
        // filling, for queries that have one index to choose. The server takes its own sample once rows have changed.
        "SET default_statistics_target = 10",
        // Two connections index at a time; workers of each would only take turns.
        "SET max_parallel_maintenance_workers = 0",
        // A statement whose client was killed ends soon, so that the rebuild that goes on has not long to wait.
        "SET client_connection_check_interval = '250ms'",
    ];
    connection
        .execute(AssertSqlSafe(settings.join("; ")))
        .await?;
    // Half of the time of an index is the compression of its pages for the server's log, which LZ4 makes a trifle. Only a superuser
    // may say so, and only to a server that was built with it: elsewhere it stays as it is.
    let _ = connection.execute("SET wal_compression = lz4").await;
    sqlx::query!(
        "SELECT pg_advisory_lock_shared($1, $2)",
        LOCK_CLASS,
        LOCK_REBUILD_WORK
    )
    .execute(&mut connection)
    .await?;
    Ok(connection)
}
