//! Reads, each a short transaction of its own: one that stays open would keep the write-ahead log from starting over.

use super::connection::{Role, connect};
use crate::entry::{self, Entry};
use crate::{Position, READ_BYTES_MAX, READ_EVENTS_MAX, ReadError, StoredEvent};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Rows, params};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

/// Reads at once; more wait for their turn. A read is mostly CPU, so more than a few only take turns anyway.
const READERS_MAX: usize = 4;

/// Every so many versions of a stream one is in an index (`schema.sql`): a read steps back over at most as many events that it does not want.
const MILESTONE: u64 = 64;

/// Events behind a position.
const BEHIND: &str =
    "select position, entry from events where position > ?1 order by position limit ?2";

#[derive(Debug)]
pub(super) struct Readers {
    file: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(file: &Path) -> rusqlite::Result<Self> {
        let idle = (0..READERS_MAX)
            .map(|_| connect(file, Role::Reader))
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Readers {
            file: file.to_owned(),
            idle: Arc::new(Mutex::new(idle)),
            turns: Arc::new(Semaphore::new(READERS_MAX)),
        })
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        let io = |reason: String| ReadError::Io { reason };
        let turn = self
            .turns
            .clone()
            .acquire_owned()
            .await
            .map_err(|closed| io(closed.to_string()))?;
        let (idle, file) = (self.idle.clone(), self.file.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let pooled = idle
                .lock()
                .expect("nothing panics while holding the pool")
                .pop();
            let connection = pooled.map_or_else(|| connect(&file, Role::Reader), Ok)?;
            let result = read(&connection);
            // A connection that failed is not trusted again: the next reader opens a fresh one.
            if result.is_ok() {
                idle.lock()
                    .expect("nothing panics while holding the pool")
                    .push(connection);
            }
            drop(turn);
            result
        });
        reading
            .await
            .map_err(|error| io(error.to_string()))?
            .map_err(|error| io(error.to_string()))
    }
}

pub(super) fn head(connection: &Connection) -> rusqlite::Result<Position> {
    let mut statement =
        connection.prepare_cached("select coalesce(max(position), 0) from events")?;
    statement
        .query_row([], |row| row.get::<_, i64>(0))
        .map(position)
}

/// The last event; `None` when the log is empty.
pub(super) fn last(connection: &Connection) -> rusqlite::Result<Option<StoredEvent>> {
    let mut statement = connection
        .prepare_cached("select position, entry from events order by position desc limit 1")?;
    Ok(events(statement.query([])?)?.pop())
}

pub(super) fn read_all(
    connection: &Connection,
    after: Position,
    max: usize,
) -> rusqlite::Result<Vec<StoredEvent>> {
    let mut statement = connection.prepare_cached(BEHIND)?;
    events(statement.query(params![integer(after.as_u64()), limit(max)])?)
}

pub(super) fn read_entries(
    connection: &Connection,
    after: Position,
    max: usize,
) -> rusqlite::Result<Vec<Entry>> {
    let mut statement = connection.prepare_cached(BEHIND)?;
    let rows = statement.query(params![integer(after.as_u64()), limit(max)])?;
    collect(rows, |position, bytes, _| {
        let bytes = bytes.to_vec();
        Ok(Entry { position, bytes })
    })
}

/// Events of a stream, from its end or the next milestone backwards: positions of a stream rise with its versions.
pub(super) fn read_stream(
    connection: &Connection,
    stream: &str,
    from: u64,
    max: usize,
) -> rusqlite::Result<Vec<StoredEvent>> {
    let from = from.max(1);
    let Some(end) = stream_end(connection, stream)?.filter(|end| end.version >= from && max > 0)
    else {
        return Ok(vec![]);
    };
    let to = from.saturating_add(limit(max).unsigned_abs() - 1);
    let start = if to.saturating_add(MILESTONE) < end.version {
        milestone(connection, end.stream, to)?.unwrap_or(end.position)
    } else {
        end.position
    };
    let mut statement = connection.prepare_cached(
        "with recursive back (position, version, before) as ( \
             select position, version, before from events where position = ?1 \
             union all \
             select events.position, events.version, events.before from back \
             join events on events.position = back.before \
             where back.version > ?2 \
         ) \
         select position, entry from events \
         where position in (select position from back where version >= ?2 and version <= ?3) \
         order by position",
    )?;
    events(statement.query(params![start, integer(from), integer(to)])?)
}

/// The position of the stream's first milestone at or behind a version.
fn milestone(connection: &Connection, stream: i64, version: u64) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "select position from events indexed by events_milestones \
             where stream = ?1 and version >= ?2 and version % 64 = 0 order by version limit 1",
        )?
        .query_row(params![stream, integer(version)], |row| row.get(0))
        .optional()
}

/// Where a stream is in its tables.
pub(super) struct StreamEnd {
    pub(super) stream: i64,
    pub(super) version: u64,
    pub(super) position: i64,
}

/// `None` when there is no such stream.
pub(super) fn stream_end(
    connection: &Connection,
    name: &str,
) -> rusqlite::Result<Option<StreamEnd>> {
    connection
        .prepare_cached(
            "select ends.stream, ends.version, ends.position from streams join ends on ends.stream = streams.id \
             where streams.name = ?1",
        )?
        .query_row([name], |row| {
            Ok(StreamEnd {
                stream: row.get(0)?,
                version: row.get::<_, i64>(1)?.unsigned_abs(),
                position: row.get(2)?,
            })
        })
        .optional()
}

/// The version of the stream's last event; 0 when there is no such stream.
pub(super) fn stream_version(connection: &Connection, stream: &str) -> rusqlite::Result<u64> {
    Ok(stream_end(connection, stream)?.map_or(0, |end| end.version))
}

/// Positions and versions start at 1 and stay far below 2^63; a caller's larger number means "behind everything".
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn position(number: i64) -> Position {
    Position::from_u64(number.unsigned_abs())
}

/// What the file holds is not what this adapter writes.
pub(super) fn corrupt(reason: impl std::fmt::Display) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(1, Type::Blob, reason.to_string().into())
}

fn limit(max: usize) -> i64 {
    integer(max.min(READ_EVENTS_MAX) as u64)
}

fn events(rows: Rows<'_>) -> rusqlite::Result<Vec<StoredEvent>> {
    collect(rows, |position, bytes, neighbour| {
        entry::decode(position, bytes, neighbour)
            .map_err(|error| corrupt(format!("event {position}: {error}")))
    })
}

/// What `read` makes of each row of position and entry, and of the one before it.
fn collect<T>(
    mut rows: Rows<'_>,
    read: impl Fn(Position, &[u8], Option<&T>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut all: Vec<T> = Vec::new();
    let mut bytes = 0;
    while bytes < READ_BYTES_MAX {
        let Some(row) = rows.next()? else { break };
        let entry = row.get_ref(1)?.as_blob()?;
        bytes += entry.len();
        all.push(read(position(row.get(0)?), entry, all.last())?);
    }
    Ok(all)
}
