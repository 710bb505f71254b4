//! The one writer of this process: a batch of appends becomes one durable transaction.
//!
//! 1. Every batch is one immediate transaction: what is read in it (the ends of streams) can't change before its commit, whoever else writes.
//! 2. Each request of a batch succeeds or fails alone; all are answered after the commit.
//! 3. The known ends are trusted only up to the last event seen: when another connection has committed (`pragma data_version`), what
//!    came since is read first.
//! 4. After a disk error the log takes no append until it is opened again; repeats and reads are still answered.
//! 5. What is recorded at never goes back along the log, whatever the clock does.

use super::connection::is_busy;
use super::queue::{Answer, Request};
use super::reader::{self, corrupt, integer, position};
use crate::entry::{self, Draft, NO_PREVIOUS};
use crate::{AppendError, Appended, Position, StoredEvent};
use lru::LruCache;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use squareoff_domain::Timestamp;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// Streams whose end is remembered; some 150 bytes each. A day of a large book touches fewer.
const ENDS_MAX: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");
/// Events of other processes that the known ends are carried over; behind more of them they are looked up anew.
const CARRIED_MAX: usize = 1_024;
/// Behind this much the clock is named in the operator's log; below it is the clock's own correction.
const CLOCK_BEHIND_NS: i64 = 1_000_000_000;

pub(super) struct Writer {
    connection: Connection,
    ends: LruCache<Arc<str>, End>,
    last: Last,
    /// As of our last transaction; `None` when nothing known is to be trusted.
    data_version: Option<i64>,
    /// The disk error that closed the log for appends; whoever holds the store can see it.
    failed: Arc<OnceLock<String>>,
    clock_is_behind: bool,
}

/// Where a stream ends.
#[derive(Debug, Clone, Copy)]
struct End {
    stream: i64,
    version: u64,
    position: i64,
    /// Leaf hash of the last event.
    hash: [u8; 32],
}

/// Where the log ends, as of our last transaction.
#[derive(Debug, Clone, Copy, Default)]
struct Last {
    position: i64,
    stream: i64,
    recorded_at: i64,
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

impl Writer {
    pub(super) fn new(connection: Connection, failed: Arc<OnceLock<String>>) -> Self {
        Writer {
            connection,
            ends: LruCache::new(ENDS_MAX),
            last: Last::default(),
            data_version: None,
            failed,
            clock_is_behind: false,
        }
    }

    /// Position of the last event, as of the last batch.
    pub(super) fn head(&self) -> Position {
        position(self.last.position)
    }

    /// An answer to each request, in their order. What is written of the requests' drafts is left in them.
    pub(super) fn commit(&mut self, batch: &mut [Request]) -> Vec<Answer> {
        if let Some(reason) = self.failed.get().cloned() {
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

    fn transact(&mut self, batch: &mut [Request]) -> Result<Vec<Answer>, Failure> {
        self.execute("begin immediate").map_err(|error| {
            if is_busy(&error) {
                Failure::Busy
            } else {
                error.into()
            }
        })?;
        self.refresh()?;
        let recorded_at = self.recorded_at(now());
        let answers = batch
            .iter_mut()
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

    /// Looks whether somebody else has committed since; then what is known is carried over what came.
    fn refresh(&mut self) -> rusqlite::Result<()> {
        let data_version = self
            .connection
            .prepare_cached("pragma data_version")?
            .query_row([], |row| row.get::<_, i64>(0))?;
        if self.data_version == Some(data_version) {
            return Ok(());
        }
        if self.data_version.is_none() || !self.carry_over()? {
            self.ends.clear();
            let last = reader::last(&self.connection)?;
            self.last.position = last
                .as_ref()
                .map_or(0, |event| integer(event.position.as_u64()));
            self.last.recorded_at = last.map_or(i64::MIN, |event| event.recorded_at.0);
        }
        self.last.stream = self
            .connection
            .prepare_cached("select coalesce(max(id), 0) from streams")?
            .query_row([], |row| row.get(0))?;
        self.data_version = Some(data_version);
        Ok(())
    }

    /// Takes in what others have appended behind the last event known; false when that is too much.
    fn carry_over(&mut self) -> rusqlite::Result<bool> {
        let since = position(self.last.position);
        for entry in reader::read_entries(&self.connection, since, CARRIED_MAX)? {
            let event = entry.event().map_err(corrupt)?;
            self.last.position = integer(entry.position.as_u64());
            self.last.recorded_at = event.recorded_at.0;
            if let Some(end) = self.ends.get_mut(&event.stream) {
                end.version = event.version;
                end.position = self.last.position;
                end.hash = entry.leaf_hash();
            }
        }
        Ok(reader::head(&self.connection)? == position(self.last.position))
    }

    /// What a batch says of when it was recorded: this machine's clock, but never less than the log says already. A clock that was
    /// set back lets the log's time stand still until it has caught up, so that "as of a moment" is always a prefix of the log.
    fn recorded_at(&mut self, now: i64) -> Timestamp {
        let behind = self.last.recorded_at.saturating_sub(now) > CLOCK_BEHIND_NS;
        if behind && !self.clock_is_behind {
            tracing::warn!(
                now_ns = now,
                last_recorded_at_ns = self.last.recorded_at,
                "the clock is behind the event log's last event: new events are recorded at that event's time until it has caught up"
            );
        }
        self.clock_is_behind = behind;
        self.last.recorded_at = self.last.recorded_at.max(now);
        Timestamp(self.last.recorded_at)
    }

    fn append(
        &mut self,
        request: &mut Request,
        recorded_at: Timestamp,
    ) -> rusqlite::Result<Answer> {
        let end = self.end(&request.stream)?;
        let actual = end.map_or(0, |end| end.version);
        if actual != request.expected {
            return self.answer_stored(request, actual);
        }
        let mut end = match end {
            Some(end) => end,
            None => self.add_stream(&request.stream)?,
        };
        self.insert(&mut end, &mut request.drafts, recorded_at)?;
        self.ends.put(request.stream.clone(), end);
        Ok(Ok(Appended {
            first_version: request.expected + 1,
            last_version: end.version,
            position: self.head(),
            repeated: false,
        }))
    }

    fn insert(
        &mut self,
        end: &mut End,
        drafts: &mut [Draft],
        recorded_at: Timestamp,
    ) -> rusqlite::Result<()> {
        // `or fail` leaves what came before in the transaction; `or abort`, the default, would keep a journal per statement for that.
        let mut insert = self.connection.prepare_cached(
            "insert or fail into events (position, stream, version, before, entry) values (?1, ?2, ?3, ?4, ?5)",
        )?;
        for draft in drafts {
            end.hash = draft.seal(recorded_at, end.hash);
            end.version += 1;
            self.last.position += 1;
            let before = std::mem::replace(&mut end.position, self.last.position);
            insert.execute(params![
                end.position,
                end.stream,
                integer(end.version),
                before,
                draft.bytes
            ])?;
        }
        Ok(())
    }

    fn add_stream(&mut self, name: &Arc<str>) -> rusqlite::Result<End> {
        self.last.stream += 1;
        self.connection
            .prepare_cached("insert or fail into streams (id, name) values (?1, ?2)")?
            .execute(params![self.last.stream, name])?;
        Ok(End {
            stream: self.last.stream,
            version: 0,
            position: 0,
            hash: NO_PREVIOUS,
        })
    }

    /// The stream's end; `None` when there is no such stream.
    fn end(&mut self, name: &Arc<str>) -> rusqlite::Result<Option<End>> {
        if let Some(end) = self.ends.get(name) {
            return Ok(Some(*end));
        }
        let Some(found) = reader::stream_end(&self.connection, name)? else {
            return Ok(None);
        };
        let mut statement = self
            .connection
            .prepare_cached("select entry from events where position = ?1")?;
        let hash = statement
            .query_row([found.position], |row| {
                Ok(entry::leaf_hash(row.get_ref(0)?.as_blob()?))
            })
            .optional()?;
        // A stream is added with its first event, so one without any is not ours to go on with.
        let end = End {
            stream: found.stream,
            version: found.version,
            position: found.position,
            hash: hash.ok_or_else(|| corrupt(format!("stream {name} has no events")))?,
        };
        self.ends.put(name.clone(), end);
        Ok(Some(end))
    }

    /// The answer when the stream is not where the request expects it: the first one again, or why there is none.
    fn answer_stored(&self, request: &Request, actual: u64) -> rusqlite::Result<Answer> {
        let wrong = || AppendError::WrongVersion {
            stream: request.stream.to_string(),
            expected: request.expected,
            actual,
        };
        if request.expected > actual {
            return Ok(Err(wrong()));
        }
        let stored = reader::read_stream(
            &self.connection,
            &request.stream,
            request.expected + 1,
            request.drafts.len(),
        )?;
        let mut repeated = stored.len() == request.drafts.len();
        for (draft, stored) in request.drafts.iter().zip(&stored) {
            let asked = draft.event().map_err(corrupt)?;
            if asked.id == stored.id && !same_content(&asked, stored) {
                return Ok(Err(AppendError::EventIdReused {
                    id: stored.id,
                    stream: request.stream.to_string(),
                    version: stored.version,
                    position: stored.position,
                }));
            }
            repeated &= asked.id == stored.id;
        }
        Ok(match stored.last() {
            Some(last) if repeated => Ok(Appended {
                first_version: request.expected + 1,
                last_version: last.version,
                position: last.position,
                repeated: true,
            }),
            _ => Err(wrong()),
        })
    }

    fn answer_read_only(&self, request: &Request, reason: &str) -> Answer {
        let stored = reader::stream_version(&self.connection, &request.stream)
            .and_then(|actual| self.answer_stored(request, actual));
        match stored {
            Ok(Ok(appended)) => Ok(appended),
            Ok(Err(reused @ AppendError::EventIdReused { .. })) => Err(reused),
            // What was the stream's end is not to be told from a log that may have lost its own.
            Ok(Err(_)) | Err(_) => Err(AppendError::ReadOnly {
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
        self.ends.clear();
        self.last = Last::default();
        self.data_version = None;
    }

    fn close_for_appends(&mut self, reason: &str) {
        tracing::error!(
            reason,
            "the event log takes no more appends until it is opened again"
        );
        let _ = self.failed.set(reason.to_owned());
    }
}

/// What makes an append a repeat; who retries may have another time, actor or cause.
fn same_content(asked: &StoredEvent, stored: &StoredEvent) -> bool {
    asked.event_type == stored.event_type
        && asked.schema_version == stored.schema_version
        && asked.body == stored.body
}

/// By this machine's clock.
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
    use crate::NewEvent;
    use squareoff_domain::Timestamp;
    use uuid::Uuid;

    fn writer(folder: &tempfile::TempDir) -> Writer {
        let file = folder.path().join("events.db");
        prepare(&file).unwrap();
        Writer::new(connect(&file, Role::Writer).unwrap(), Arc::default())
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
            trace_id: None,
            epoch: 1,
            body: vec![b' '; bytes],
        };
        Request::new(stream, expected, &[event]).0
    }

    #[test]
    fn a_full_disk_refuses_the_batch_and_closes_the_log_for_appends_until_it_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut full = writer(&folder);
        let first = full.commit(&mut [request("s", 0, 1, 10)])[0]
            .clone()
            .unwrap();
        full.connection
            .pragma_update(None, "max_page_count", 12)
            .unwrap();
        let small = || request("t", 0, 2, 10);
        for answer in full.commit(&mut [small(), request("u", 0, 3, 1 << 16)]) {
            assert!(
                matches!(answer, Err(AppendError::ReadOnly { .. })),
                "{answer:?}"
            );
        }
        full.connection
            .pragma_update(None, "max_page_count", 1 << 20)
            .unwrap();
        let refused = full.commit(&mut [small(), request("s", 0, 1, 10)]);
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
        let again = writer(&folder).commit(&mut [small()])[0].clone().unwrap();
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
        let answers = failing.commit(&mut [
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
        let later = failing.commit(&mut [request("u", 0, 4, 10)]);
        assert!(
            matches!(later[0], Err(AppendError::ReadOnly { .. })),
            "{later:?}"
        );
        // Asked again after the log was opened again, the same append tells what became of it: here, nothing.
        let told = writer(&folder).commit(&mut [request("s", 0, 1, 10)])[0]
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
        let refused = ours.commit(&mut [request("s", 0, 1, 10)]);
        assert_eq!(refused, [Err(AppendError::Overloaded)]);
        other.execute("rollback").unwrap();
        assert!(ours.commit(&mut [request("s", 0, 1, 10)])[0].is_ok());
    }

    #[test]
    fn neighbours_of_a_batch_see_each_other_and_fail_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut batch = [
            request("s", 0, 1, 10),
            request("s", 1, 2, 10),
            request("s", 1, 3, 10),
            request("t", 0, 1, 10),
            request("s", 0, 1, 11),
            request("s", 0, 1, 10),
            request("s", 2, 4, 10),
        ];
        let answers = writer(&folder).commit(&mut batch);
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
            Ok((1, false)),
            Err(&reused),
            Ok((1, true)),
            Ok((3, false)),
        ];
        assert_eq!(versions, expected);
    }

    #[test]
    fn each_entry_carries_the_leaf_hash_of_the_one_before_it_in_its_stream() {
        let folder = tempfile::tempdir().unwrap();
        let mut one = writer(&folder);
        let mut batch: Vec<_> = (0..6)
            .map(|nth| request(["s", "t"][nth % 2], nth as u64 / 2, nth as u128, 10))
            .collect();
        one.commit(&mut batch);
        // Another writer knows of the streams only what the file says.
        let mut other = writer(&folder);
        assert!(other.commit(&mut [request("s", 3, 7, 10)])[0].is_ok());
        assert!(one.commit(&mut [request("s", 4, 8, 10)])[0].is_ok());
        let entries = reader::read_entries(&one.connection, Position::START, 100).unwrap();
        let mut hashes = std::collections::HashMap::new();
        for entry in &entries {
            let event = entry.event().unwrap();
            let before = hashes.insert(event.stream, entry.leaf_hash());
            assert_eq!(event.previous, before.unwrap_or(NO_PREVIOUS));
        }
        assert_eq!((entries.len(), hashes.len()), (8, 2));
    }

    #[test]
    fn a_writer_goes_on_behind_however_much_another_one_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (writer(&folder), writer(&folder));
        let (mut version, mut id) = (0, 0);
        for others in [1, 2, CARRIED_MAX - 1, CARRIED_MAX, CARRIED_MAX + 1, 3] {
            let mut append = |writer: &mut Writer, stream: &str, expected: u64| {
                id += 1;
                let appended = writer.commit(&mut [request(stream, expected, id, 10)]);
                appended[0].clone().unwrap().last_version
            };
            version = append(&mut one, "s", version);
            let mut batch: Vec<_> = (0..others as u64)
                .map(|nth| {
                    request(
                        "s",
                        version + nth,
                        1_000_000 + u128::from(version + nth),
                        10,
                    )
                })
                .collect();
            assert!(other.commit(&mut batch).iter().all(Result::is_ok));
            version += others as u64;
            append(&mut other, &format!("new-{others}"), 0);
            // A version that another writer reached is refused and the one behind it taken, by what was carried over.
            let stale = one.commit(&mut [request("s", version - 1, 9_999_999, 10)]);
            assert!(
                matches!(stale[0], Err(AppendError::WrongVersion { actual, .. }) if actual == version),
                "{stale:?}"
            );
            version = append(&mut one, "s", version);
            append(&mut one, &format!("newer-{others}"), 0);
        }
        let (mut hashes, mut after) = (std::collections::HashMap::new(), Position::START);
        loop {
            let entries = reader::read_entries(&one.connection, after, 1_000).unwrap();
            let Some(last) = entries.last() else { break };
            after = last.position;
            for entry in &entries {
                let event = entry.event().unwrap();
                let before = hashes.insert(event.stream, entry.leaf_hash());
                assert_eq!(event.previous, before.unwrap_or(NO_PREVIOUS));
            }
        }
        assert_eq!(hashes.len(), 13);
    }

    #[test]
    fn a_clock_that_is_set_back_lets_the_logs_time_stand_still() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(&folder);
        let hour = 3_600_000_000_000;
        writer.last.recorded_at = 100 * hour;
        let told: Vec<_> = [100 * hour + 1, 99 * hour, 100 * hour, 100 * hour + 2]
            .map(|now| writer.recorded_at(now).0 - 100 * hour)
            .into();
        assert_eq!(told, [1, 1, 1, 2]);
    }
}
