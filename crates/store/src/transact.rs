//! Load, decide, append at the version read, retry on conflict: the whole framework.
//!
//! Every change of the system goes through [`Streams::transact`]. What is decided comes from the pure functions of the domain.
//!
//! 1. A decision stands only on the version it was made at; a conflict reads the newer events and decides again.
//! 2. A refusal, or "nothing to do", is answered only from a state read in this call, never from a remembered one.
//! 3. Event ids are made of the request id and the event's index: a request repeated at the same version is the same append.
//! 4. An unknown outcome is asked again with the same events, and reported as unknown if it stays so; never as a failure.
//!
//! Folded states are remembered, bounded; they may be old, which costs one conflict and never a wrong append.

use crate::codec::{DecodeError, LogEvent};
use crate::trace;
use crate::{AppendError, Appended, EventStore, NewEvent, Position, ReadError, StoredEvent};
use lru::LruCache;
use squareoff_domain::Timestamp;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use thiserror::Error;
use uuid::Uuid;

/// Decisions of one call. Callers of one process take turns, so that a conflict needs another process; but a gateway that books a
/// flood of fills of one position wins many races in a row against a person's request. A hundred are some tens of milliseconds.
pub const ATTEMPTS_MAX: usize = 100;
/// Appends with an unknown outcome in one call, and the pause between them.
const UNKNOWN_TRIES_MAX: usize = 3;
const UNKNOWN_PAUSE: Duration = Duration::from_millis(20);
/// Folded states remembered per aggregate; the positions of a sample book fit, some kilobytes each.
const STATES_MAX: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");
/// Lines in which callers of one stream take turns; more lines make it rarer that two streams share one.
const LINES: usize = 1_024;
/// Events of one read while folding.
const PAGE: usize = 1_000;

/// A state folded from the events of one stream.
pub trait Aggregate: Default + Clone + Send + Sync + 'static {
    type Event: LogEvent + Send + Sync;

    #[must_use]
    fn evolve(self, event: &Self::Event) -> Self;
}

/// Who asks, and when: the envelope of the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub actor: Arc<str>,
    /// The person's idempotency key, or an id derived from the exchange's report. Ids of the events are UUIDv5 of it and their index.
    pub request_id: Uuid,
    pub correlation_id: Uuid,
    pub epoch: u32,
    pub now: Timestamp,
}

/// What a call came to. `appended` is 0 when there was nothing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed<T> {
    pub value: T,
    /// Version of the stream that the answer stands on.
    pub version: u64,
    /// Position of that version's event; `None` for a stream without events.
    pub position: Option<Position>,
    pub appended: usize,
}

/// A folded stream.
#[derive(Debug, Clone, Default)]
pub struct Loaded<A> {
    pub state: Arc<A>,
    pub version: u64,
    pub position: Option<Position>,
}

/// Why a stream could not be folded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LoadError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransactError<E> {
    /// The domain said no; nothing was appended.
    #[error("{0}")]
    Refused(E),
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Never `WrongVersion`. `Unknown` means what it says.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// Nothing was appended; try again later.
    #[error("stream {stream} changed {attempts} times while a decision was made")]
    Contended { stream: String, attempts: usize },
}

/// The streams of one aggregate. Cheap to clone; keep one per process, its memory of states is what makes it fast.
#[derive(Debug, Clone)]
pub struct Streams<A: Aggregate> {
    store: EventStore,
    states: Arc<Mutex<LruCache<Arc<str>, Loaded<A>>>>,
    lines: Arc<[tokio::sync::Mutex<()>]>,
}

impl<A: Aggregate> Streams<A> {
    pub fn new(store: EventStore) -> Self {
        let states = Arc::new(Mutex::new(LruCache::new(STATES_MAX)));
        let lines = (0..LINES).map(|_| tokio::sync::Mutex::new(())).collect();
        Streams {
            store,
            states,
            lines,
        }
    }

    pub fn store(&self) -> &EventStore {
        &self.store
    }

    /// The stream as it is now, every event of it folded.
    ///
    /// # Errors
    /// [`LoadError`].
    pub async fn load(&self, stream: &str) -> Result<Loaded<A>, LoadError> {
        let known = self.recall(stream).unwrap_or_default();
        self.read_on(stream, known).await
    }

    /// The stream as this process last knew it, without asking the log: as new as what it appended and loaded itself, and otherwise as
    /// what it was told of by [`Streams::learn`].
    pub fn recall(&self, stream: &str) -> Option<Loaded<A>> {
        self.lock().get(stream).cloned()
    }

    /// Whether [`Streams::recall`] would know the stream.
    pub fn remembers(&self, stream: &str) -> bool {
        self.lock().contains(stream)
    }

    /// Takes in an event of the log, for a process that follows it and so need not read its streams: the first of a stream, or the next of
    /// one that is remembered. One that is behind a gap makes its stream forgotten, one that is known already changes nothing.
    pub fn learn(&self, stored: &StoredEvent, event: &A::Event) {
        let mut states = self.lock();
        let known = match states.get_mut(&stored.stream) {
            Some(known) => known,
            None if stored.version == 1 => {
                states.get_or_insert_mut(stored.stream.clone(), Loaded::default)
            }
            None => return,
        };
        if stored.version == known.version + 1 {
            let state = Arc::make_mut(&mut known.state);
            *state = std::mem::take(state).evolve(event);
            (known.version, known.position) = (stored.version, Some(stored.position));
        } else if stored.version > known.version {
            states.pop(&stored.stream);
        }
    }

    /// Appends what `decide` says about the stream's state, and returns its value. `decide` runs again, on the newer state, when
    /// somebody else appended first; it must depend on nothing but the state and what it was given.
    ///
    /// # Errors
    /// [`TransactError`]; `Refused` holds what `decide` said.
    pub async fn transact<T, E>(
        &self,
        stream: &str,
        caller: &Caller,
        mut decide: impl FnMut(&A) -> Result<(Vec<A::Event>, T), E>,
    ) -> Result<Committed<T>, TransactError<E>> {
        let _turn = self.lines[line(stream)].lock().await;
        let remembered = self.recall(stream);
        let mut fresh = remembered.is_none();
        let mut loaded = match remembered {
            Some(loaded) => loaded,
            None => self.read_on(stream, Loaded::default()).await?,
        };
        for _ in 0..ATTEMPTS_MAX {
            match decide(&loaded.state) {
                Ok((events, value)) if !events.is_empty() => {
                    match self.append(stream, loaded.version, caller, &events).await {
                        Ok(appended) => {
                            return Ok(self.committed(stream, loaded, &events, appended, value));
                        }
                        Err(error) if is_conflict(&error, stream, loaded.version) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok((_, value)) if fresh => {
                    let Loaded {
                        version, position, ..
                    } = loaded;
                    return Ok(Committed {
                        value,
                        version,
                        position,
                        appended: 0,
                    });
                }
                Err(refusal) if fresh => return Err(TransactError::Refused(refusal)),
                Ok(_) | Err(_) => {}
            }
            loaded = self.read_on(stream, loaded).await?;
            fresh = true;
        }
        Err(TransactError::Contended {
            stream: stream.to_owned(),
            attempts: ATTEMPTS_MAX,
        })
    }

    /// Appends, and asks again while the outcome is unknown.
    async fn append(
        &self,
        stream: &str,
        version: u64,
        caller: &Caller,
        events: &[A::Event],
    ) -> Result<Appended, AppendError> {
        let mut unknown = None;
        for _ in 0..UNKNOWN_TRIES_MAX {
            match (
                self.store
                    .append(stream, version, envelopes(caller, events))
                    .await,
                &unknown,
            ) {
                (Err(AppendError::Unknown { reason }), _) => unknown = Some(reason),
                // These say that nothing was written now; what was unknown before stays so.
                (
                    Err(
                        AppendError::ReadOnly { .. }
                        | AppendError::Unavailable { .. }
                        | AppendError::Overloaded
                        | AppendError::Closed,
                    ),
                    Some(_),
                ) => {}
                (answer, _) => return answer,
            }
            tokio::time::sleep(UNKNOWN_PAUSE).await;
        }
        Err(AppendError::Unknown {
            reason: unknown.unwrap_or_default(),
        })
    }

    fn committed<T>(
        &self,
        stream: &str,
        loaded: Loaded<A>,
        events: &[A::Event],
        appended: Appended,
        value: T,
    ) -> Committed<T> {
        let state = events
            .iter()
            .fold(Arc::unwrap_or_clone(loaded.state), A::evolve);
        let (version, position) = (appended.last_version, Some(appended.position));
        self.remember(
            stream,
            Loaded {
                state: Arc::new(state),
                version,
                position,
            },
        );
        Committed {
            value,
            version,
            position,
            appended: events.len(),
        }
    }

    async fn read_on(&self, stream: &str, mut loaded: Loaded<A>) -> Result<Loaded<A>, LoadError> {
        let before = loaded.version;
        loop {
            let page = self
                .store
                .read_stream(stream, loaded.version + 1, PAGE)
                .await?;
            let Some(last) = page.last() else { break };
            (loaded.version, loaded.position) = (last.version, Some(last.position));
            let mut state = Arc::unwrap_or_clone(loaded.state);
            for stored in &page {
                state = state.evolve(&A::Event::decode(stored)?);
            }
            loaded.state = Arc::new(state);
        }
        if loaded.version > before {
            self.remember(stream, loaded.clone());
        }
        Ok(loaded)
    }

    fn remember(&self, stream: &str, loaded: Loaded<A>) {
        let mut states = self.lock();
        if states
            .peek(stream)
            .is_none_or(|known| known.version < loaded.version)
        {
            states.put(stream.into(), loaded);
        }
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Arc<str>, Loaded<A>>> {
        self.states
            .lock()
            .expect("nothing panics while holding the states")
    }
}

/// Somebody else was first, perhaps with this very request; the newer events tell.
fn is_conflict(error: &AppendError, ours: &str, loaded: u64) -> bool {
    match error {
        AppendError::WrongVersion { .. } => true,
        AppendError::EventIdReused {
            stream, version, ..
        } => stream == ours && *version > loaded,
        AppendError::EventIdTwice { .. }
        | AppendError::TooLarge { .. }
        | AppendError::Empty
        | AppendError::StreamUnnamed
        | AppendError::StreamReserved { .. }
        | AppendError::Overloaded
        | AppendError::Unavailable { .. }
        | AppendError::ReadOnly { .. }
        | AppendError::Unknown { .. }
        | AppendError::Closed => false,
    }
}

fn envelopes<E: LogEvent>(caller: &Caller, events: &[E]) -> Vec<NewEvent> {
    let trace_id = trace::current();
    let envelope = |(index, event): (usize, &E)| {
        let encoded = event.encode();
        NewEvent {
            id: event_id(caller.request_id, index),
            event_type: encoded.event_type,
            schema_version: encoded.schema_version,
            occurred_at: caller.now,
            actor: caller.actor.clone(),
            request_id: caller.request_id,
            correlation_id: caller.correlation_id,
            trace_id,
            epoch: caller.epoch,
            body: encoded.body,
        }
    };
    events.iter().enumerate().map(envelope).collect()
}

/// The id of event `index` (from 0) of a request: the same request always names the same events, whatever the stream.
pub fn event_id(request_id: Uuid, index: usize) -> Uuid {
    Uuid::new_v5(&request_id, index.to_string().as_bytes())
}

fn line(stream: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    stream.hash(&mut hasher);
    usize::try_from(hasher.finish() % LINES as u64).expect("less than the number of lines")
}
