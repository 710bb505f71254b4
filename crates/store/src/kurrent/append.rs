//! An append, from the caller's events to an answer that is known.
//!
//! 1. What is sent is made once: the same ids, bytes, `recorded_at` and concrete expected revision with every try, so that KurrentDB
//!    appends it once however often it arrives, and never after the stream went on without it.
//! 2. A time-out, a session that ended, a connection that broke leave the outcome open, and it is asked again until it is known or the
//!    time is over. Only then the answer is `Unknown`, and `Unavailable` where nothing was ever sent.
//! 3. `previous` is the leaf hash of the event at the expected version as it stands in the log, remembered or read.
//! 4. A conflict is looked into: the events at that place tell a repeat from a reuse from somebody else's.

use super::Core;
use super::read::{self, What};
use super::sessions::{Refusal, Tried};
use crate::metadata::Metadata;
use crate::{
    AppendError, Appended, Entry, NO_PREVIOUS, NewEvent, Position, ReadError, StoredEvent,
};
use bytes::Bytes;
use kurrentdb::{EventData, StreamState};
use serde_json::value::RawValue;
use squareoff_domain::Timestamp;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, sleep};

type Answer = Result<Appended, AppendError>;

/// Tries that follow at once: a session that ended of another's conflict says nothing of the server.
const EAGER_TRIES: usize = 3;
/// Pause between the tries behind them, doubled each time.
const PAUSE_FIRST: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// What a server takes in one append unless it is told otherwise, before release 25: its answer does not say.
const SERVER_BYTES_DEFAULT: usize = 1 << 20;

/// The end of a stream, as it was last seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) version: u64,
    pub(super) leaf_hash: [u8; 32],
}

/// The events of one append, complete but for what stands before them.
struct Asked {
    stream: Arc<str>,
    expected: u64,
    events: Vec<StoredEvent>,
}

impl Core {
    pub(super) async fn append(
        &self,
        stream: Arc<str>,
        expected: u64,
        events: Vec<NewEvent>,
    ) -> Answer {
        let until = Instant::now() + self.clients.address().answer_max();
        let mut asked = Asked::new(stream, expected, events);
        match self.before(&asked, until).await {
            Ok(Ok(previous)) => asked.chain(previous),
            Ok(Err(answer)) => return answer,
            // Nothing was sent yet.
            Err(ReadError::Io { reason }) => return Err(AppendError::Unavailable { reason }),
            Err(foreign @ ReadError::NotOurs { .. }) => {
                let reason = foreign.to_string();
                return Err(AppendError::ReadOnly { reason });
            }
        }
        self.drive(&asked, until).await
    }

    /// Sends it, again and again, until the answer is known.
    async fn drive(&self, asked: &Asked, until: Instant) -> Answer {
        let data = asked.data();
        let turn = turn(&asked.stream);
        let mut open = None;
        let mut pause = PAUSE_FIRST;
        let mut tries = 0;
        loop {
            let reason = match self.attempt(asked, turn + tries, &data, until).await {
                Tried::Done(written) => {
                    let position = written
                        .current_position()
                        .map(|at| Position::from_u64(at.commit));
                    match self.confirmed(asked, position, until).await {
                        Ok(Some(answer)) => return answer,
                        Ok(None) => "what the server appended can't be read back".to_owned(),
                        Err(error) => error.to_string(),
                    }
                }
                Tried::Conflict => match self.settle(asked, until).await {
                    Ok(Some(answer)) => return answer,
                    Ok(None) => "the server's answers contradict each other".to_owned(),
                    Err(error) => error.to_string(),
                },
                Tried::Ambiguous(reason) => reason,
                Tried::NotSent(reason) => {
                    if open.is_none() && Instant::now() + pause >= until {
                        return Err(AppendError::Unavailable { reason });
                    }
                    open.take().unwrap_or(reason)
                }
                Tried::Refused(refusal) => match open {
                    // An earlier try may have got through.
                    Some(reason) => return Err(AppendError::Unknown { reason }),
                    None => return Err(asked.refused(refusal)),
                },
            };
            let pause_now = if tries < EAGER_TRIES {
                Duration::ZERO
            } else {
                pause
            };
            if Instant::now() + pause_now >= until {
                return Err(AppendError::Unknown { reason });
            }
            open = Some(reason);
            if !pause_now.is_zero() {
                sleep(pause_now).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            tries += 1;
        }
    }

    async fn attempt(
        &self,
        asked: &Asked,
        turn: usize,
        data: &[EventData],
        until: Instant,
    ) -> Tried {
        // Somebody of this process has seen the stream go on meanwhile: no session need end of it.
        if self
            .end(&asked.stream)
            .is_some_and(|end| end.version > asked.expected)
        {
            return Tried::Conflict;
        }
        let state = match asked.expected.checked_sub(1) {
            Some(revision) => StreamState::StreamRevision(revision),
            None => StreamState::NoStream,
        };
        self.sessions
            .append(
                &self.clients,
                turn,
                &asked.stream,
                state,
                data.to_vec(),
                until,
            )
            .await
    }

    /// The hash that the first event carries, or the answer when the stream is not where it is expected.
    async fn before(
        &self,
        asked: &Asked,
        until: Instant,
    ) -> Result<Result<[u8; 32], Answer>, ReadError> {
        let end = match self.end(&asked.stream) {
            Some(end) if end.version >= asked.expected => end,
            None if asked.expected == 0 => return Ok(Ok(NO_PREVIOUS)),
            Some(_) | None => self.stream_end(&asked.stream, until).await?,
        };
        if end.version == asked.expected {
            return Ok(Ok(end.leaf_hash));
        }
        match self.settle(asked, until).await? {
            Some(answer) => Ok(Err(answer)),
            None => Ok(Ok(self.stream_end(&asked.stream, until).await?.leaf_hash)),
        }
    }

    /// What an append that was answered as done came to. `None`: it is not there.
    async fn confirmed(
        &self,
        asked: &Asked,
        position: Option<Position>,
        until: Instant,
    ) -> Result<Option<Answer>, ReadError> {
        if let ([event], Some(position)) = (&asked.events[..], position)
            && let Some(stored) = self
                .confirm
                .event(position, asked.stream.clone(), event.version)
                .await
        {
            self.saw(&stored);
            return Ok(asked.compare(&[stored], event.version));
        }
        let stored = self.place(asked, until).await?;
        if let Some(last) = stored.last() {
            self.saw(last);
        }
        let version = stored.last().map_or(0, |last| last.version);
        Ok(asked.compare(&stored, version))
    }

    /// Looks into a conflict. `None`: the stream is where it is expected, so it was none.
    async fn settle(&self, asked: &Asked, until: Instant) -> Result<Option<Answer>, ReadError> {
        let actual = self.stream_end(&asked.stream, until).await?.version;
        if actual == asked.expected {
            return Ok(None);
        }
        let wrong = Some(Err(asked.wrong_version(actual)));
        if actual < asked.expected {
            return Ok(wrong);
        }
        let stored = self.place(asked, until).await?;
        let there = (actual - asked.expected).min(asked.events.len() as u64);
        if stored.len() as u64 != there {
            return Ok(None);
        }
        Ok(asked.compare(&stored, actual))
    }

    /// What stands where the events were to go.
    async fn place(&self, asked: &Asked, until: Instant) -> Result<Vec<StoredEvent>, ReadError> {
        let what = What::Stream {
            stream: asked.stream.clone(),
            revision: asked.expected,
        };
        let events = read::recorded(&self.clients, &what, asked.events.len(), until).await?;
        read::stored(&events)
    }

    pub(super) async fn stream_end(
        &self,
        stream: &Arc<str>,
        until: Instant,
    ) -> Result<End, ReadError> {
        let what = What::StreamEnd {
            stream: stream.clone(),
        };
        let events = read::recorded(&self.clients, &what, 1, until).await?;
        let stored = read::stored(&events)?;
        let Some(last) = stored.last() else {
            return Ok(End {
                version: 0,
                leaf_hash: NO_PREVIOUS,
            });
        };
        Ok(self.saw(last))
    }

    /// Remembers an event as the end of its stream, unless a later one is known.
    fn saw(&self, event: &StoredEvent) -> End {
        let mut ends = self
            .ends
            .lock()
            .expect("nothing panics while holding the ends");
        if let Some(end) = ends
            .get(&event.stream)
            .filter(|end| end.version >= event.version)
        {
            return *end;
        }
        let end = End {
            version: event.version,
            leaf_hash: Entry::of(event).leaf_hash(),
        };
        ends.put(event.stream.clone(), end);
        end
    }

    fn end(&self, stream: &Arc<str>) -> Option<End> {
        let mut ends = self
            .ends
            .lock()
            .expect("nothing panics while holding the ends");
        ends.get(stream).copied()
    }
}

impl Asked {
    fn new(stream: Arc<str>, expected: u64, events: Vec<NewEvent>) -> Self {
        let recorded_at = now();
        let nth = |index: usize| expected.saturating_add(1).saturating_add(index as u64);
        let stored = events
            .into_iter()
            .enumerate()
            .map(|(index, event)| StoredEvent {
                position: Position::START,
                stream: stream.clone(),
                version: nth(index),
                recorded_at,
                id: event.id,
                event_type: event.event_type.into(),
                schema_version: event.schema_version,
                occurred_at: event.occurred_at,
                actor: event.actor,
                request_id: event.request_id,
                correlation_id: event.correlation_id,
                trace_id: event.trace_id,
                epoch: event.epoch,
                previous: NO_PREVIOUS,
                body: event.body,
            });
        let events = stored.collect();
        Asked {
            stream,
            expected,
            events,
        }
    }

    /// Each event carries the hash of the one before it.
    fn chain(&mut self, mut previous: [u8; 32]) {
        let last = self.events.len() - 1;
        for (index, event) in self.events.iter_mut().enumerate() {
            event.previous = previous;
            if index < last {
                previous = Entry::of(event).leaf_hash();
            }
        }
    }

    fn data(&self) -> Vec<EventData> {
        self.events.iter().map(data).collect()
    }

    /// What the events that stand at this place say of the append: its first answer, that an id is taken, or that the place is.
    /// `None` when fewer stand there than the stream's version says.
    fn compare(&self, stored: &[StoredEvent], actual: u64) -> Option<Answer> {
        for (asked, stored) in self.events.iter().zip(stored) {
            if asked.id == stored.id && !same_content(asked, stored) {
                return Some(Err(AppendError::EventIdReused {
                    id: stored.id,
                    stream: self.stream.to_string(),
                    version: stored.version,
                    position: stored.position,
                }));
            }
        }
        let mut pairs = self.events.iter().zip(stored);
        let whole = stored.len() == self.events.len();
        let (Some(first), Some(last)) = (self.events.first(), stored.last()) else {
            return None;
        };
        if !(whole && pairs.all(|(asked, stored)| asked.id == stored.id)) {
            return Some(Err(self.wrong_version(actual)));
        }
        Some(Ok(Appended {
            first_version: first.version,
            last_version: last.version,
            position: last.position,
            // Another's try has another time. A server that keeps its own keeps a later one.
            repeated: last.recorded_at < first.recorded_at,
        }))
    }

    fn wrong_version(&self, actual: u64) -> AppendError {
        AppendError::WrongVersion {
            stream: self.stream.to_string(),
            expected: self.expected,
            actual,
        }
    }

    fn refused(&self, refusal: Refusal) -> AppendError {
        match refusal {
            Refusal::TooLarge => AppendError::TooLarge {
                what: "append in bytes (the server's MaxAppendSize)",
                actual: self.events.iter().map(|event| event.body.len()).sum(),
                limit: SERVER_BYTES_DEFAULT,
            },
            Refusal::Closed(reason) => AppendError::ReadOnly { reason },
        }
    }
}

/// JSON where it is JSON to the last byte, for KurrentDB's own tools; other bytes as they are.
fn data(event: &StoredEvent) -> EventData {
    let json: Option<&RawValue> = serde_json::from_slice(&event.body)
        .ok()
        .filter(|raw: &&RawValue| raw.get().len() == event.body.len());
    let data = match json.and_then(|raw| EventData::json(&event.event_type, &raw).ok()) {
        Some(data) => data,
        None => EventData::binary(&event.event_type, Bytes::copy_from_slice(&event.body)),
    };
    data.id(event.id)
        .metadata(Metadata::of(event).render().into())
}

/// What makes an append a repeat; who retries may have another time, actor or cause.
fn same_content(asked: &StoredEvent, stored: &StoredEvent) -> bool {
    asked.event_type == stored.event_type
        && asked.schema_version == stored.schema_version
        && asked.body == stored.body
}

/// Appends of one stream go through one session, in their order.
fn turn(stream: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    stream.hash(&mut hasher);
    usize::from(hasher.finish() as u16)
}

/// By this machine's clock.
fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    Timestamp(i64::try_from(since).unwrap_or(i64::MAX))
}
