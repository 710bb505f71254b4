//! The one writer of this process: a batch of appends becomes one durable transaction.
//!
//! 1. Every batch is one immediate transaction: what is read in it (heads, ids) can't change before its commit, whoever else writes.
//! 2. Each request of a batch succeeds or fails alone; all are answered after the commit.
//! 3. The known heads are trusted only while no other connection has committed (`pragma data_version`).
//! 4. After a disk error the log takes no append until it is opened again; repeats and reads are still answered.

use super::connection::is_busy;
use super::queue::{Answer, Request};
use super::reader::{integer, position};
use crate::{AppendError, Appended, NewEvent, Position};
use lru::LruCache;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Streams whose version is remembered; some 100 bytes each. A day of a large book touches fewer.
const HEADS_MAX: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

pub(super) struct Writer {
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
    pub(super) fn new(connection: Connection) -> Self {
        Writer {
            connection,
            heads: LruCache::new(HEADS_MAX),
            last: 0,
            data_version: None,
            failed: None,
        }
    }

    /// Position of the last event, as of the last batch.
    pub(super) fn head(&self) -> Position {
        position(self.last)
    }

    /// An answer to each request, in their order.
    pub(super) fn commit(&mut self, batch: &[Request]) -> Vec<Answer> {
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
        let actual = self.version(&request.stream)?;
        // The insert of a single event looks its id up itself; one of several must know before it writes the first.
        if (actual != request.expected || request.events.len() > 1)
            && let Some(answer) = self.answer_stored(request)?
        {
            return Ok(answer);
        }
        if actual != request.expected {
            let (stream, expected) = (request.stream.to_string(), request.expected);
            return Ok(Err(AppendError::WrongVersion {
                stream,
                expected,
                actual,
            }));
        }
        match self.insert(request, recorded_at) {
            Ok(appended) => Ok(Ok(appended)),
            Err(error) if is_refused(&error) && request.events.len() == 1 => {
                self.answer_stored(request)?.map(Ok).unwrap_or(Err(error))
            }
            Err(error) => Err(error),
        }
    }

    fn insert(&mut self, request: &Request, recorded_at: i64) -> rusqlite::Result<Appended> {
        // `or fail` leaves what came before in the transaction; `or abort`, the default, would keep a journal per statement for that.
        let mut insert = self.connection.prepare_cached(
            "insert or fail into events (position, stream, version, event_id, type, schema_version, occurred_at, recorded_at, actor, \
             request_id, correlation_id, epoch, body) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?;
        let (mut version, mut at) = (request.expected, self.last);
        for event in &request.events {
            version += 1;
            at += 1;
            insert.execute(params![
                at,
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
        self.last = at;
        self.heads.put(request.stream.clone(), version);
        let first_version = request.expected + 1;
        Ok(Appended {
            first_version,
            last_version: version,
            position: position(at),
            repeated: false,
        })
    }

    /// The answer when an id of the request is in the log already: the first one again, or that the id is taken.
    fn answer_stored(&self, request: &Request) -> rusqlite::Result<Option<Answer>> {
        let mut stored = Vec::new();
        for (event, nth) in request.events.iter().zip(1..) {
            if let Some(found) = self.find(event)? {
                let in_place = found.version.checked_sub(request.expected) == Some(nth)
                    && found.same_content
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

/// A constraint or trigger said no, and the row was not inserted.
fn is_refused(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

/// By this machine's clock: what a reader may order by is the position.
fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    i64::try_from(since).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::connection::{Role, connect, prepare};
    use super::*;
    use squareoff_domain::Timestamp;
    use uuid::Uuid;

    fn writer(folder: &tempfile::TempDir) -> Writer {
        let file = folder.path().join("events.db");
        prepare(&file).unwrap();
        Writer::new(connect(&file, Role::Writer).unwrap())
    }

    fn request(stream: &str, expected: u64, id: u128, bytes: usize) -> Request {
        let event = NewEvent {
            id: Uuid::from_u128(id),
            event_type: "OrderPlaced",
            schema_version: 1,
            occurred_at: Timestamp(0),
            actor: "desk".into(),
            request_id: Uuid::nil(),
            correlation_id: Uuid::nil(),
            epoch: 1,
            body: vec![b' '; bytes],
        };
        Request::new(stream, expected, vec![event]).0
    }

    #[test]
    fn a_full_disk_refuses_the_batch_and_closes_the_log_for_appends_until_it_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut full = writer(&folder);
        let first = full.commit(&[request("s", 0, 1, 10)])[0].clone().unwrap();
        full.connection
            .pragma_update(None, "max_page_count", 12)
            .unwrap();
        let small = || request("t", 0, 2, 10);
        for answer in full.commit(&[small(), request("u", 0, 3, 1 << 16)]) {
            assert!(
                matches!(answer, Err(AppendError::ReadOnly { .. })),
                "{answer:?}"
            );
        }
        full.connection
            .pragma_update(None, "max_page_count", 1 << 20)
            .unwrap();
        let refused = full.commit(&[small(), request("s", 0, 1, 10)]);
        assert!(
            matches!(refused[0], Err(AppendError::ReadOnly { .. })),
            "{refused:?}"
        );
        assert_eq!(
            refused[1],
            Ok(Appended {
                repeated: true,
                ..first
            })
        );
        let again = writer(&folder).commit(&[small()])[0].clone().unwrap();
        assert_eq!(
            (again.repeated, again.position),
            (false, Position::from_u64(2))
        );
    }

    #[test]
    fn a_commit_that_fails_leaves_the_outcome_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let mut failing = writer(&folder);
        // A foreign key checked at the commit, and every event breaks it.
        let broken = "pragma foreign_keys = on;
            create temp table there (id integer primary key);
            create temp table here (id integer references there deferrable initially deferred);
            create temp trigger break after insert on main.events begin insert into here values (1); end";
        failing.connection.execute_batch(broken).unwrap();
        let answers = failing.commit(&[
            request("s", 0, 1, 10),
            request("t", 0, 2, 10),
            request("t", 9, 3, 10),
        ]);
        assert_eq!(answers.len(), 3);
        assert!(
            answers
                .iter()
                .all(|answer| matches!(answer, Err(AppendError::Unknown { .. }))),
            "{answers:?}"
        );
        let later = failing.commit(&[request("u", 0, 4, 10)]);
        assert!(
            matches!(later[0], Err(AppendError::ReadOnly { .. })),
            "{later:?}"
        );
        // Asked again after the log was opened again, the same append tells what became of it: here, nothing.
        let told = writer(&folder).commit(&[request("s", 0, 1, 10)])[0]
            .clone()
            .unwrap();
        assert!(!told.repeated);
    }

    #[test]
    fn a_log_locked_for_too_long_is_overloaded_and_nothing_worse() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ours, other) = (writer(&folder), writer(&folder));
        ours.connection.busy_handler(None).unwrap();
        other.execute("begin immediate").unwrap();
        let refused = ours.commit(&[request("s", 0, 1, 10)]);
        assert_eq!(refused, [Err(AppendError::Overloaded)]);
        other.execute("rollback").unwrap();
        assert!(ours.commit(&[request("s", 0, 1, 10)])[0].is_ok());
    }

    #[test]
    fn neighbours_of_a_batch_see_each_other_and_fail_alone() {
        let folder = tempfile::tempdir().unwrap();
        let batch = [
            request("s", 0, 1, 10),
            request("s", 1, 2, 10),
            request("s", 1, 3, 10),
            request("t", 0, 1, 10),
            request("s", 0, 1, 10),
            request("s", 2, 4, 10),
        ];
        let answers = writer(&folder).commit(&batch);
        let versions: Vec<_> = answers
            .iter()
            .map(|answer| {
                answer
                    .as_ref()
                    .map(|appended| (appended.last_version, appended.repeated))
            })
            .collect();
        let (stream, position) = (String::from("s"), Position::from_u64(1));
        let wrong = AppendError::WrongVersion {
            stream: stream.clone(),
            expected: 1,
            actual: 2,
        };
        let reused = AppendError::EventIdReused {
            id: Uuid::from_u128(1),
            stream,
            version: 1,
            position,
        };
        let expected = [
            Ok((1, false)),
            Ok((2, false)),
            Err(&wrong),
            Err(&reused),
            Ok((1, true)),
            Ok((3, false)),
        ];
        assert_eq!(versions, expected);
    }
}
