//! Reads, each a short transaction of its own: one that stays open would keep the write-ahead log from starting over.

use super::connection::{Role, connect};
use crate::{Position, READ_BYTES_MAX, READ_EVENTS_MAX, ReadError, StoredEvent};
use rusqlite::{Connection, Row, params};
use squareoff_domain::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Reads at once; more wait for their turn. A read is mostly CPU, so more than a few only take turns anyway.
const READERS_MAX: usize = 4;

macro_rules! select_events {
    ($rest:literal) => {
        concat!(
            "select position, stream, version, event_id, type, schema_version, occurred_at, recorded_at, actor, request_id, \
             correlation_id, epoch, body from events ",
            $rest
        )
    };
}

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

pub(super) fn read_all(
    connection: &Connection,
    after: Position,
    max: usize,
) -> rusqlite::Result<Vec<StoredEvent>> {
    let mut statement = connection.prepare_cached(select_events!(
        "where position > ?1 order by position limit ?2"
    ))?;
    collect(statement.query(params![integer(after.as_u64()), limit(max)])?)
}

pub(super) fn read_stream(
    connection: &Connection,
    stream: Arc<str>,
    from: u64,
    max: usize,
) -> rusqlite::Result<Vec<StoredEvent>> {
    let mut statement = connection.prepare_cached(select_events!(
        "where stream = ?1 and version >= ?2 order by version limit ?3"
    ))?;
    collect(statement.query(params![stream, integer(from), limit(max)])?)
}

/// Positions and versions start at 1 and stay far below 2^63; a caller's larger number means "behind everything".
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn position(number: i64) -> Position {
    Position::from_u64(number.unsigned_abs())
}

fn limit(max: usize) -> i64 {
    integer(max.min(READ_EVENTS_MAX) as u64)
}

fn collect(mut rows: rusqlite::Rows<'_>) -> rusqlite::Result<Vec<StoredEvent>> {
    let mut events: Vec<StoredEvent> = Vec::new();
    let mut bytes = 0;
    while bytes < READ_BYTES_MAX {
        let Some(row) = rows.next()? else { break };
        let event = stored_event(row, events.last())?;
        bytes += event.body.len();
        events.push(event);
    }
    Ok(events)
}

/// Neighbours often share stream, type or actor: the text of `previous` is shared then, which saves three allocations of four.
fn stored_event(row: &Row<'_>, previous: Option<&StoredEvent>) -> rusqlite::Result<StoredEvent> {
    let text = |index: usize, same: Option<&Arc<str>>| -> rusqlite::Result<Arc<str>> {
        let text = row.get_ref(index)?.as_str()?;
        Ok(same
            .filter(|same| same.as_ref() == text)
            .map_or_else(|| text.into(), Arc::clone))
    };
    let uuid = |index: usize| -> rusqlite::Result<Uuid> {
        let bytes = row.get_ref(index)?.as_blob()?;
        Uuid::from_slice(bytes).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(
                index,
                rusqlite::types::Type::Blob,
                Box::new(error),
            )
        })
    };
    Ok(StoredEvent {
        position: position(row.get(0)?),
        stream: text(1, previous.map(|event| &event.stream))?,
        version: row.get::<_, i64>(2)?.unsigned_abs(),
        id: uuid(3)?,
        event_type: text(4, previous.map(|event| &event.event_type))?,
        schema_version: row.get(5)?,
        occurred_at: Timestamp(row.get(6)?),
        recorded_at: Timestamp(row.get(7)?),
        actor: text(8, previous.map(|event| &event.actor))?,
        request_id: uuid(9)?,
        correlation_id: uuid(10)?,
        epoch: row.get(11)?,
        body: row.get_ref(12)?.as_blob()?.to_vec(),
    })
}
