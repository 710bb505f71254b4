//! An auditor's copy: the read models as they were at a moment of the log, in a schema of their own beside the live ones.
//!
//! 1. Its checkpoint says the log position it stands at; it is never swapped in, followed up or changed.
//! 2. A time means the log up to the last event that was recorded at or before it. Order is the position's: where a clock was set
//!    back, events of a little later stand between and are in it too, for the log can't be folded with holes.
//! 3. The same log and the same position give the same hash, whoever makes the copy.
//! 4. Only schemas that a rebuild made are replaced or dropped.

use super::beside::{Beside, Filled, Found, drop_schema, find};
use super::compare::hash_of;
use super::progress::{Progress, Stage, Tell};
use super::{RebuildError, SEGMENT_EVENTS, events_per_s, lead, release};
use crate::database::{Database, LIVE, NEXT, OLD};
use crate::units::stored_position;
use sqlx::AssertSqlSafe;
use squareoff_domain::Timestamp;
use squareoff_store::{EventStore, Position, READ_EVENTS_MAX};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};
use thiserror::Error;
use time::OffsetDateTime;

/// Longest name of a schema, in bytes (PostgreSQL: NAMEDATALEN - 1).
const NAME_BYTES_MAX: usize = 63;

/// A schema for a copy: 1 to 63 small letters, digits and underscores, beginning with a letter, none of Postgres' or ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaName(String);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` can't be the schema of a copy: 1 to 63 small letters, digits and `_`, beginning with a letter, not `pg_...`, `public` or one of the live read models' own"
)]
pub struct SchemaNameError(pub String);

impl SchemaName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SchemaName {
    type Err = SchemaNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letters = text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        let begins = text
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_lowercase());
        let taken = [LIVE, NEXT, OLD, "public", "information_schema"].contains(&text);
        if begins && letters && text.len() <= NAME_BYTES_MAX && !text.starts_with("pg_") && !taken {
            Ok(SchemaName(text.to_owned()))
        } else {
            Err(SchemaNameError(text.to_owned()))
        }
    }
}

impl fmt::Display for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The moment that a copy shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Every event up to this log position, which must have been reached.
    Position(Position),
    /// Every event recorded at or before this time.
    Time(Timestamp),
}

/// A copy that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsOf {
    pub moment: Moment,
    pub schema: SchemaName,
    /// Drops a finished copy, or one of another moment, that has this name. One of the same moment that was killed is gone on with
    /// in any case.
    pub replace: bool,
}

/// A copy that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsOfReport {
    /// The log position that the copy reflects.
    pub position: Position,
    /// When the event there was recorded; `None` before the first.
    pub recorded_at: Option<Timestamp>,
    /// Where an earlier run, which was killed, had come to.
    pub gone_on_from: Position,
    /// Events folded from there on.
    pub events: u64,
    /// From the first read until the tables stood with their indexes.
    pub elapsed: Duration,
    /// SHA-256 over every row, in hexadecimal.
    pub hash: String,
}

impl AsOfReport {
    /// Whole events in a second.
    pub fn events_per_s(&self) -> u64 {
        events_per_s(self.events, self.elapsed)
    }
}

/// A copy that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    pub schema: String,
    pub position: Position,
    pub began_at: OffsetDateTime,
    /// False when its making was cut short.
    pub whole: bool,
}

/// Makes the copy. The live read models need not be there, nor Postgres' live projection run; they are not touched.
///
/// # Errors
/// [`RebuildError`], above all `SchemaTaken`, `SchemaForeign`, `BehindTheEnd`, and `Fold` for an event of a newer release.
pub async fn rebuild_as_of(
    store: &EventStore,
    database: &Database,
    as_of: &AsOf,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<AsOfReport, RebuildError> {
    let tell: &mut Tell<'_> = &mut progress;
    let target = position_of(store, as_of.moment).await?;
    database.migrate().await?;
    let mut leading = lead(database).await?;
    let schema = as_of.schema.as_str();
    let began = Instant::now();
    let beside = match find(store, database, schema).await? {
        Found::Nothing => Beside::begin(database, schema, target).await?,
        Found::Foreign => return Err(RebuildError::SchemaForeign(as_of.schema.clone())),
        Found::Begun {
            filled,
            target: meant,
            fits: true,
        } if filled != Filled::Whole && meant == target => {
            Beside::go_on(database, schema, (filled, meant), target).await?
        }
        Found::Begun { .. } if as_of.replace => {
            drop_schema(&mut leading, schema).await?;
            Beside::begin(database, schema, target).await?
        }
        Found::Begun { .. } => return Err(RebuildError::SchemaTaken(as_of.schema.clone())),
    };
    let gone_on_from = beside.position;
    let (mut beside, events) = beside.complete(store, SEGMENT_EVENTS, tell).await?;
    let elapsed = began.elapsed();
    beside.tell(Stage::Comparing, tell);
    let hash = hash_of(&mut beside.one, schema).await?;
    release(&mut leading).await?;
    Ok(AsOfReport {
        position: beside.position,
        recorded_at: recorded_at(store, beside.position).await?,
        gone_on_from,
        events,
        elapsed,
        hash,
    })
}

/// The copies that are there, by name.
///
/// # Errors
/// When Postgres is away.
pub async fn list_as_of(database: &Database) -> Result<Vec<Copied>, RebuildError> {
    let mut connection = database.connect(LIVE).await?;
    let schemas = sqlx::query_scalar!(
        r#"SELECT relnamespace::regnamespace::text AS "schema!"
             FROM pg_class
             WHERE relname = 'rebuild' AND relkind = 'r'
             ORDER BY 1"#
    )
    .fetch_all(&mut connection)
    .await?;
    let mut copies = vec![];
    // A name that needs quoting is none of ours.
    for schema in schemas
        .iter()
        .filter_map(|schema| schema.parse::<SchemaName>().ok())
    {
        let row = format!(
            "SELECT checkpoint.position, rebuild.began_at, rebuild.stage = 'whole' \
             FROM \"{schema}\".checkpoint, \"{schema}\".rebuild"
        );
        let found: Option<(i64, OffsetDateTime, bool)> = sqlx::query_as(AssertSqlSafe(row))
            .fetch_optional(&mut connection)
            .await?;
        copies.extend(found.map(|(position, began_at, whole)| Copied {
            schema: schema.0,
            position: stored_position(position),
            began_at,
            whole,
        }));
    }
    Ok(copies)
}

/// Drops a copy; false when there is no such schema.
///
/// # Errors
/// `SchemaForeign` when no rebuild made it; `Busy` while one is under way.
pub async fn drop_as_of(
    store: &EventStore,
    database: &Database,
    schema: &SchemaName,
) -> Result<bool, RebuildError> {
    let mut leading = lead(database).await?;
    let there = match find(store, database, schema.as_str()).await? {
        Found::Nothing => false,
        Found::Foreign => return Err(RebuildError::SchemaForeign(schema.clone())),
        Found::Begun { .. } => {
            drop_schema(&mut leading, schema.as_str()).await?;
            true
        }
    };
    release(&mut leading).await?;
    Ok(there)
}

async fn position_of(store: &EventStore, moment: Moment) -> Result<Position, RebuildError> {
    match moment {
        Moment::Position(asked) => {
            let head = store.head().await?;
            if asked > head {
                return Err(RebuildError::BehindTheEnd { asked, head });
            }
            Ok(asked)
        }
        Moment::Time(time) => {
            // Recorded times are in no index and may go back with a clock: one pass over the log, undecoded.
            let (mut last, mut after) = (Position::START, Position::START);
            loop {
                let events = store.read_all(after, READ_EVENTS_MAX).await?;
                let Some(end) = events.last() else {
                    return Ok(last);
                };
                after = end.position;
                let within = events.iter().rev().find(|event| event.recorded_at <= time);
                last = within.map_or(last, |event| event.position);
            }
        }
    }
}

async fn recorded_at(
    store: &EventStore,
    position: Position,
) -> Result<Option<Timestamp>, RebuildError> {
    let before = Position::from_u64(position.as_u64().saturating_sub(1));
    let events = store.read_all(before, 1).await?;
    let there = events.first().filter(|event| event.position == position);
    Ok(there.map(|event| event.recorded_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_never_takes_a_name_of_postgres_or_of_the_live_read_models() {
        let longest = "a".repeat(63);
        for good in ["a", "audit_2026_11_20", "select", &longest] {
            assert_eq!(good.parse::<SchemaName>().unwrap().as_str(), good);
        }
        let longer = "a".repeat(64);
        for bad in [
            "",
            "1a",
            "_a",
            "Audit",
            "a-b",
            "a b",
            "a\"b",
            "a;b",
            "a.b",
            "ä",
            "pg_a",
            "public",
            "information_schema",
            "read_live",
            "read_next",
            "read_old",
            &longer,
        ] {
            assert_eq!(
                bad.parse::<SchemaName>(),
                Err(SchemaNameError(bad.to_owned()))
            );
        }
    }
}
