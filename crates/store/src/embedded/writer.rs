//! The one writer of this process: group commit over a bounded queue.
//!
//! 1. Every batch is one immediate transaction: what is read in it (heads, ids) can't change before its commit, whoever else writes.
//! 2. Each request of a batch succeeds or fails alone; all are answered after the commit.
//! 3. The known heads are trusted only while no other connection has committed (`pragma data_version`).
//! 4. After a disk error the log takes no append until it is opened again; repeats and reads are still answered.
//!
//! Nothing waits here to gather a larger batch: while one commit syncs, the next batch queues up by itself.

use super::connection::is_busy;
use super::reader::{integer, position};
use super::tail::tell;
use crate::event::body_bytes;
use crate::{AppendError, Appended, NewEvent, Position};
use lru::LruCache;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

/// Requests that wait for a commit; at 50,000 a second a full queue is 80 ms.
const QUEUE_REQUESTS_MAX: usize = 4_096;
/// Their bodies together, so that large ones can't fill the memory.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// One transaction takes at most this much beyond its first request: it bounds the time others wait for the lock.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// Streams whose version is remembered; some 100 bytes each. A day of a large book touches fewer.
const HEADS_MAX: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// The way to the writer.
#[derive(Debug)]
pub(super) struct Queue {
    requests: mpsc::Sender<Request>,
    bytes: Arc<AtomicUsize>,
}

struct Request {
    stream: Arc<str>,
    expected: u64,
    events: Vec<NewEvent>,
    bytes: usize,
    answer: oneshot::Sender<Answer>,
}

type Answer = Result<Appended, AppendError>;

impl Queue {
    pub(super) async fn append(
        &self,
        stream: &str,
        expected: u64,
        events: Vec<NewEvent>,
    ) -> Answer {
        let bytes = body_bytes(&events);
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > QUEUE_BYTES_MAX {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(AppendError::Overloaded);
        }
        let (answer, answered) = oneshot::channel();
        if let Err(refused) = self.requests.try_send(Request {
            stream: stream.into(),
            expected,
            events,
            bytes,
            answer,
        }) {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(match refused {
                TrySendError::Full(_) => AppendError::Overloaded,
                TrySendError::Closed(_) => AppendError::Closed,
            });
        }
        let gone = |_| AppendError::Unknown {
            reason: "the writer ended before it answered".into(),
        };
        answered.await.map_err(gone)?
    }
}

pub(super) fn start(
    connection: Connection,
    head: Arc<watch::Sender<Position>>,
) -> std::io::Result<Queue> {
    let (requests, queue) = mpsc::channel(QUEUE_REQUESTS_MAX);
    let bytes = Arc::new(AtomicUsize::new(0));
    let heads = LruCache::new(HEADS_MAX);
    let writer = Writer {
        connection,
        heads,
        last: 0,
        data_version: None,
        failed: None,
    };
    let queued = bytes.clone();
    std::thread::Builder::new()
        .name("store-writer".into())
        .spawn(move || drain(writer, queue, &queued, &head))?;
    Ok(Queue { requests, bytes })
}

fn drain(
    mut writer: Writer,
    mut queue: mpsc::Receiver<Request>,
    queued: &AtomicUsize,
    head: &watch::Sender<Position>,
) {
    let mut batch = Vec::with_capacity(QUEUE_REQUESTS_MAX);
    while let Some(first) = queue.blocking_recv() {
        let mut bytes = first.bytes;
        batch.push(first);
        while batch.len() < QUEUE_REQUESTS_MAX && bytes < BATCH_BYTES_MAX {
            let Ok(request) = queue.try_recv() else { break };
            bytes += request.bytes;
            batch.push(request);
        }
        let answers = writer.commit(&batch);
        queued.fetch_sub(bytes, Ordering::Relaxed);
        for (request, answer) in batch.drain(..).zip(answers) {
            // A caller that has gone away needs no answer; its append stands.
            let _ = request.answer.send(answer);
        }
        tell(head, position(writer.last));
    }
}

struct Writer {
    connection: Connection,
    heads: LruCache<Arc<str>, u64>,
    /// Position of the last event, as of our last transaction.
    last: i64,
    /// As of our last transaction; `None` when nothing known is to be trusted.
    data_version: Option<i64>,
    /// The disk error that closed the log for appends.
    failed: Option<String>,
}

/// What became of a batch that was not committed.
enum Failure {
    /// Another process held the lock too long; nothing was written.
    Busy,
    /// Nothing was written.
    Disk(String),
    /// The commit itself failed.
    Unknown(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure::Disk(error.to_string())
    }
}

/// An event of the log, as much of it as tells a repeat from a reuse.
struct Found {
    position: i64,
    stream: String,
    version: u64,
    same_content: bool,
}

impl Writer {
    fn commit(&mut self, batch: &[Request]) -> Vec<Answer> {
        if let Some(reason) = self.failed.clone() {
            return batch
                .iter()
                .map(|request| self.answer_read_only(request, &reason))
                .collect();
        }
        let failure = match self.transact(batch) {
            Ok(answers) => return answers,
            Err(failure) => failure,
        };
        self.forget();
        let error = match failure {
            Failure::Busy => {
                tracing::warn!("the event log was locked by another process for too long");
                AppendError::Overloaded
            }
            Failure::Disk(reason) => {
                self.close_for_appends(&reason);
                AppendError::ReadOnly { reason }
            }
            Failure::Unknown(reason) => {
                self.close_for_appends(&reason);
                AppendError::Unknown { reason }
            }
        };
        vec![Err(error); batch.len()]
    }

    fn transact(&mut self, batch: &[Request]) -> Result<Vec<Answer>, Failure> {
        self.execute("begin immediate").map_err(|error| {
            if is_busy(&error) {
                Failure::Busy
            } else {
                error.into()
            }
        })?;
        self.refresh()?;
        let recorded_at = now();
        let answers = batch
            .iter()
            .map(|request| self.append(request, recorded_at))
            .collect::<rusqlite::Result<Vec<_>>>()?;
        self.execute("commit")
            .map_err(|error| match error.sqlite_error_code() {
                // The commit record is the last that is written: when the disk was full before it, there is no commit.
                Some(ErrorCode::DiskFull) => Failure::Disk(error.to_string()),
                _ => Failure::Unknown(error.to_string()),
            })?;
        Ok(answers)
    }

    /// Looks whether somebody else has committed since; then nothing known holds.
    fn refresh(&mut self) -> rusqlite::Result<()> {
        let number = |sql: &str| {
            self.connection
                .prepare_cached(sql)?
                .query_row([], |row| row.get::<_, i64>(0))
        };
        let data_version = Some(number("pragma data_version")?);
        if self.data_version != data_version {
            self.last = number("select coalesce(max(position), 0) from events")?;
            self.heads.clear();
            self.data_version = data_version;
        }
        Ok(())
    }

    fn append(&mut self, request: &Request, recorded_at: i64) -> rusqlite::Result<Answer> {
        if let Some(answer) = self.answer_stored(request)? {
            return Ok(answer);
        }
        let actual = self.version(&request.stream)?;
        if actual != request.expected {
            let (stream, expected) = (request.stream.to_string(), request.expected);
            return Ok(Err(AppendError::WrongVersion {
                stream,
                expected,
                actual,
            }));
        }
        let mut insert = self.connection.prepare_cached(
            "insert into events (position, stream, version, event_id, type, schema_version, occurred_at, recorded_at, actor, \
             request_id, correlation_id, epoch, body) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?;
        let mut version = actual;
        for event in &request.events {
            version += 1;
            self.last += 1;
            insert.execute(params![
                self.last,
                &request.stream,
                integer(version),
                event.id.as_bytes(),
                event.event_type,
                event.schema_version,
                event.occurred_at.0,
                recorded_at,
                &event.actor,
                event.request_id.as_bytes(),
                event.correlation_id.as_bytes(),
                event.epoch,
                &event.body,
            ])?;
        }
        self.heads.put(request.stream.clone(), version);
        Ok(Ok(Appended {
            first_version: actual + 1,
            last_version: version,
            position: position(self.last),
            repeated: false,
        }))
    }

    /// The answer when an id of the request is in the log already: the first one again, or that the id is taken.
    fn answer_stored(&self, request: &Request) -> rusqlite::Result<Option<Answer>> {
        let mut stored = Vec::new();
        for (event, version) in request.events.iter().zip(request.expected + 1..) {
            if let Some(found) = self.find(event)? {
                let in_place = found.same_content
                    && found.version == version
                    && *found.stream == *request.stream;
                stored.push((event.id, in_place, found));
            }
        }
        let Some((_, _, last)) = stored.last() else {
            return Ok(None);
        };
        let whole = stored.len() == request.events.len();
        let appended = Appended {
            first_version: request.expected + 1,
            last_version: last.version,
            position: position(last.position),
            repeated: true,
        };
        // A request of which only some events are there is none that was ever answered: its ids belong to another.
        Ok(Some(
            match stored
                .into_iter()
                .find(|(_, in_place, _)| !(whole && *in_place))
            {
                Some((id, _, found)) => {
                    let (stream, version, position) =
                        (found.stream, found.version, position(found.position));
                    Err(AppendError::EventIdReused {
                        id,
                        stream,
                        version,
                        position,
                    })
                }
                None => Ok(appended),
            },
        ))
    }

    fn find(&self, event: &NewEvent) -> rusqlite::Result<Option<Found>> {
        let mut statement = self
            .connection
            .prepare_cached("select position, stream, version, type, schema_version, body from events where event_id = ?1")?;
        statement
            .query_row([event.id.as_bytes()], |row| {
                Ok(Found {
                    position: row.get(0)?,
                    stream: row.get(1)?,
                    version: row.get::<_, i64>(2)?.unsigned_abs(),
                    same_content: row.get_ref(3)?.as_str()? == event.event_type
                        && row.get::<_, u16>(4)? == event.schema_version
                        && row.get_ref(5)?.as_blob()? == event.body,
                })
            })
            .optional()
    }

    fn version(&mut self, stream: &Arc<str>) -> rusqlite::Result<u64> {
        if let Some(version) = self.heads.get(stream) {
            return Ok(*version);
        }
        let mut statement = self
            .connection
            .prepare_cached("select coalesce(max(version), 0) from events where stream = ?1")?;
        let version = statement
            .query_row([stream], |row| row.get::<_, i64>(0))?
            .unsigned_abs();
        self.heads.put(stream.clone(), version);
        Ok(version)
    }

    fn answer_read_only(&self, request: &Request, reason: &str) -> Answer {
        match self.answer_stored(request) {
            Ok(Some(answer)) => answer,
            Ok(None) | Err(_) => Err(AppendError::ReadOnly {
                reason: reason.to_owned(),
            }),
        }
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    fn forget(&mut self) {
        // Some errors have rolled back by themselves.
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("rollback")
        {
            tracing::error!(%error, "a failed batch of the event log could not be rolled back");
        }
        self.heads.clear();
        self.last = 0;
        self.data_version = None;
    }

    fn close_for_appends(&mut self, reason: &str) {
        tracing::error!(
            reason,
            "the event log takes no more appends until it is opened again"
        );
        self.failed = Some(reason.to_owned());
    }
}

/// By this machine's clock: what a reader may order by is the position.
fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    i64::try_from(since).unwrap_or(i64::MAX)
}
