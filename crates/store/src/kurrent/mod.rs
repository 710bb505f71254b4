//! The adapter for KurrentDB, over its official client; the only place that knows the crate `kurrentdb`.
//!
//! | module | does |
//! |---|---|
//! | [`address`] | the connection string |
//! | [`clients`] | supervises the crate's client |
//! | [`sessions`] | append sessions, and what an answer means |
//! | [`append`] | drives an append until its outcome is known |
//! | [`confirm`] | reads appends back, many with one read |
//! | [`read`] | pages of a stream and of the whole log |
//! | [`tail`] | wakes subscribers |
//!
//! Our versions are KurrentDB's revisions plus one, our positions its commit positions; the body is the event's data, the rest of the
//! envelope its metadata (`crate::metadata`). Everything runs on threads of the adapter's own, so that an append goes on when its
//! caller has gone away, and a client that misbehaves takes nobody's runtime along.

mod address;
mod append;
mod clients;
mod confirm;
mod read;
mod sessions;
mod tail;

pub(crate) use tail::Watch;

use crate::event::body_bytes;
use crate::{AppendError, Appended, NewEvent, OpenError, Position, ReadError, StoredEvent};
use address::Address;
use append::End;
use clients::Clients;
use confirm::Confirm;
use lru::LruCache;
use read::What;
use sessions::Sessions;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tail::Tail;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::Instant;

/// Threads of the adapter: one encodes while another decodes.
const WORKERS: usize = 2;
/// Appends on their way at once; more are refused as `Overloaded`.
const APPENDS_MAX: usize = 4_096;
/// Their bodies together.
const APPENDS_BYTES_MAX: usize = 64 << 20;
/// Reads on their way at once; more wait for their turn.
const READS_MAX: usize = 64;
/// Streams whose end is remembered; some 100 bytes each.
const ENDS_MAX: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// Whether the connection string is one, and says nothing wrong.
///
/// # Errors
/// [`OpenError::Address`].
pub(crate) fn check_address(address: &str) -> Result<(), OpenError> {
    Address::parse(address).map(drop)
}

/// A log in KurrentDB. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Kurrent {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    core: Arc<Core>,
    tail: Tail,
    runtime: Handle,
    bytes: Arc<AtomicUsize>,
    appends: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    /// Dropped with the last handle, which ends the runtime.
    _stop: oneshot::Sender<()>,
}

/// What the tasks of the adapter share.
#[derive(Debug)]
struct Core {
    clients: Arc<Clients>,
    sessions: Sessions,
    confirm: Confirm,
    ends: Mutex<LruCache<Arc<str>, End>>,
    head: Arc<watch::Sender<Position>>,
}

impl Kurrent {
    /// Connects once, and reads once: what is wrong with address, server or rights is said now.
    ///
    /// # Errors
    /// [`OpenError`] in one sentence.
    pub async fn connect(address: &str) -> Result<Self, OpenError> {
        let address = Address::parse(address)?;
        let (runtime, stop) = start_runtime().map_err(|error| OpenError::Unreachable {
            address: address.to_string(),
            reason: format!("no threads for its client: {error}"),
        })?;
        let opening = runtime.spawn(open(address));
        let (core, tail) = opening.await.expect("opening does not panic")?;
        Ok(Kurrent {
            shared: Arc::new(Shared {
                core,
                tail,
                runtime,
                bytes: Arc::new(AtomicUsize::new(0)),
                appends: Arc::new(Semaphore::new(APPENDS_MAX)),
                reads: Arc::new(Semaphore::new(READS_MAX)),
                _stop: stop,
            }),
        })
    }

    pub(crate) async fn append(
        &self,
        stream: &str,
        expected: u64,
        events: Vec<NewEvent>,
    ) -> Result<Appended, AppendError> {
        let Ok(place) = self.shared.appends.clone().try_acquire_owned() else {
            return Err(AppendError::Overloaded);
        };
        let (held, bytes) = (self.shared.bytes.clone(), body_bytes(&events));
        if held.fetch_add(bytes, Ordering::Relaxed) + bytes > APPENDS_BYTES_MAX {
            held.fetch_sub(bytes, Ordering::Relaxed);
            return Err(AppendError::Overloaded);
        }
        let (core, stream) = (self.shared.core.clone(), stream.into());
        let appending = self.shared.runtime.spawn(async move {
            let answer = core.append(stream, expected, events).await;
            held.fetch_sub(bytes, Ordering::Relaxed);
            drop(place);
            if let Ok(appended) = &answer {
                tail::tell(&core.head, appended.position);
            }
            answer
        });
        appending.await.unwrap_or_else(|error| {
            let reason = error.to_string();
            Err(AppendError::Unknown { reason })
        })
    }

    pub(crate) async fn read_stream(
        &self,
        stream: &str,
        from: u64,
        max: usize,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        let revision = from.saturating_sub(1);
        if max == 0 || i64::try_from(revision).is_err() {
            return Ok(Vec::new());
        }
        let stream = stream.into();
        let what = What::Stream { stream, revision };
        self.run(move |core, until| async move {
            let events = read::recorded(&core.clients, &what, read::page(max), until).await?;
            read::stored(&events)
        })
        .await
    }

    pub(crate) async fn read_all(
        &self,
        after: Position,
        max: usize,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        if max == 0 || i64::try_from(after.as_u64()).is_err() {
            return Ok(Vec::new());
        }
        self.run(
            move |core, until| async move { core.read_all(after, read::page(max), until).await },
        )
        .await
    }

    pub(crate) async fn stream_version(&self, stream: &str) -> Result<u64, ReadError> {
        let stream = stream.into();
        self.run(move |core, until| async move {
            let end = core.stream_end(&stream, until).await?;
            Ok(end.version)
        })
        .await
    }

    pub(crate) async fn head(&self) -> Result<Position, ReadError> {
        self.run(|core, until| async move { core.head_by(until).await })
            .await
    }

    pub(crate) fn watch(&self) -> Watch {
        self.shared.tail.watch()
    }

    async fn run<T, F>(
        &self,
        read: impl FnOnce(Arc<Core>, Instant) -> F + Send + 'static,
    ) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ReadError>> + Send,
    {
        let io = |reason: String| ReadError::Io { reason };
        let turns = self.shared.reads.clone();
        let turn = turns
            .acquire_owned()
            .await
            .map_err(|closed| io(closed.to_string()))?;
        let core = self.shared.core.clone();
        let reading = self.shared.runtime.spawn(async move {
            let until = Instant::now() + core.clients.address().answer_max();
            let result = read(core, until).await;
            drop(turn);
            result
        });
        reading.await.map_err(|error| io(error.to_string()))?
    }
}

impl Core {
    async fn read_all(
        &self,
        after: Position,
        max: usize,
        until: Instant,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        let mut from = after;
        loop {
            let with_from = max + usize::from(from > Position::START);
            let what = What::All { from };
            let mut events = match read::recorded(&self.clients, &what, with_from, until).await {
                // A position that is no event's, somebody's number: what is behind it is looked for from the beginning.
                Err(wrong) if read::is_wrong(&wrong) && from > Position::START => {
                    from = Position::START;
                    continue;
                }
                answer => answer?,
            };
            let last = events.last().map(read::position);
            // The event at `after` was given before, and shows that the page is one.
            events.retain(|event| event.position.commit > after.as_u64());
            match last {
                // Still on the way to `after`.
                Some(Ok(last)) if events.is_empty() && from < last && last < after => {
                    from = last;
                }
                // What others told of must be there: the page was cut off.
                _ if events.is_empty() && *self.head.borrow() > after => {
                    if Instant::now() >= until {
                        let reason = "its pages end before they begin".to_owned();
                        return Err(ReadError::Io { reason });
                    }
                }
                // Nothing at all: an answer that was cut off says the same.
                None if after == Position::START && self.head_by(until).await? > after => {}
                Some(_) | None => return read::stored(&events),
            }
        }
    }

    /// Position of the last event: never less than is known already.
    async fn head_by(&self, until: Instant) -> Result<Position, ReadError> {
        let known = *self.head.borrow();
        let mut events = read::recorded(&self.clients, &What::AllEnd, 1, until).await?;
        if events.is_empty() && known == Position::START {
            // An answer that was cut off says the same as an empty log: both ends must.
            let from = Position::START;
            let first = read::recorded(&self.clients, &What::All { from }, 1, until).await?;
            if !first.is_empty() {
                events = read::recorded(&self.clients, &What::AllEnd, 1, until).await?;
            }
        }
        let Some(last) = events.first() else {
            return Ok(known);
        };
        let last = read::position(last).map_err(|reason| ReadError::NotOurs {
            stream: last.stream_id().to_owned(),
            version: last.revision.saturating_add(1),
            reason,
        });
        last.map(|last| last.max(known))
    }
}

async fn open(address: Address) -> Result<(Arc<Core>, Tail), OpenError> {
    let clients = Arc::new(Clients::new(address));
    clients.connect().await?;
    let (head, _) = watch::channel(Position::START);
    let core = Arc::new(Core {
        sessions: Sessions::default(),
        confirm: Confirm::start(clients.clone()),
        clients,
        ends: Mutex::new(LruCache::new(ENDS_MAX)),
        head: Arc::new(head),
    });
    let until = Instant::now() + core.clients.address().answer_max();
    match core.head_by(until).await {
        Ok(head) => tail::tell(&core.head, head),
        Err(error) => return Err(core.clients.unreachable(&error.to_string())),
    }
    let tail = Tail::start(core.clone());
    Ok((core, tail))
}

/// A runtime that ends when the sender is dropped, wherever that is: a runtime itself can't be dropped inside another.
fn start_runtime() -> std::io::Result<(Handle, oneshot::Sender<()>)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("store-kurrent")
        .enable_all()
        .build()?;
    let handle = runtime.handle().clone();
    let (stop, stopped) = oneshot::channel::<()>();
    std::thread::Builder::new()
        .name("store-kurrent".into())
        .spawn(move || {
            let _ = stopped.blocking_recv();
            runtime.shutdown_background();
        })?;
    Ok((handle, stop))
}
