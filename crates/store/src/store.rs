//! The port: the four calls every adapter answers. Callers hold an [`EventStore`] and never an adapter.

#[cfg(feature = "kurrentdb")]
use crate::Kurrent;
use crate::event::check_append;
use crate::{
    AppendError, Appended, Embedded, Entry, NewEvent, OpenError, Position, ReadError, StoredEvent,
    Subscription,
};
use std::path::Path;

#[cfg(not(feature = "kurrentdb"))]
const NOT_BUILT: &str = "this build has no adapter for KurrentDB";

/// The log, by whichever adapter the configuration picked. Cheap to clone; clones share one writer and its readers.
#[derive(Debug, Clone)]
pub enum EventStore {
    Embedded(Embedded),
    #[cfg(feature = "kurrentdb")]
    Kurrent(Kurrent),
}

impl EventStore {
    /// Opens the embedded log in `folder`, which is made if it is missing. Several processes may hold the same folder.
    ///
    /// # Errors
    /// [`OpenError`] in one sentence: not ours, from a newer release, or the file system's reason.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        Embedded::open(folder).map(EventStore::Embedded)
    }

    /// Opens the log at a KurrentDB connection string, as `kurrentdb://user:password@host:2113?tlsCaFile=…`.
    ///
    /// # Errors
    /// [`OpenError`] in one sentence, which never holds the password: the string is wrong, the server can't be reached, is not
    /// trusted, denies the user, or is of another release than this one works with.
    pub async fn connect(address: &str) -> Result<Self, OpenError> {
        EventStore::check_address(address)?;
        #[cfg(feature = "kurrentdb")]
        return Kurrent::connect(address).await.map(EventStore::Kurrent);
        #[cfg(not(feature = "kurrentdb"))]
        Err(OpenError::Address {
            reason: NOT_BUILT.to_owned(),
        })
    }

    /// Whether `address` is a connection string that [`EventStore::connect`] takes; connects nowhere.
    ///
    /// # Errors
    /// [`OpenError::Address`] says what is wrong with it.
    pub fn check_address(address: &str) -> Result<(), OpenError> {
        #[cfg(feature = "kurrentdb")]
        return crate::kurrent::check_address(address);
        #[cfg(not(feature = "kurrentdb"))]
        Err(OpenError::Address {
            reason: format!(
                "`{}`: {NOT_BUILT}",
                address.split("://").next().unwrap_or_default()
            ),
        })
    }

    /// Appends `events` to `stream`, all or none, when its version is `expected_version` (0: there is no such stream yet).
    /// Returns after they are durable. The same append again is answered as the first time, with `repeated` set, even when
    /// the stream has grown since; content is type, schema version and body, so a retry may carry another `occurred_at`.
    ///
    /// Once polled, the append goes on even if the future is dropped.
    ///
    /// # Errors
    /// In order of precedence: limits and emptiness ([`AppendError::TooLarge`], ...), `Overloaded`, an id that stands at the
    /// expected place with other content (`EventIdReused`), `WrongVersion`. `ReadOnly` and `Unknown` when the disk failed.
    pub async fn append(
        &self,
        stream: &str,
        expected_version: u64,
        events: Vec<NewEvent>,
    ) -> Result<Appended, AppendError> {
        check_append(stream, &events)?;
        match self {
            EventStore::Embedded(embedded) => {
                embedded.append(stream, expected_version, events).await
            }
            #[cfg(feature = "kurrentdb")]
            EventStore::Kurrent(kurrent) => kurrent.append(stream, expected_version, events).await,
        }
    }

    /// Events of `stream` with a version of at least `from_version`, in order, at most `max` of them (and of the read limits).
    /// Empty: there are none (yet). Fewer than `max` does not mean the end; empty does.
    ///
    /// # Errors
    /// [`ReadError`] when the disk or the file failed.
    pub async fn read_stream(
        &self,
        stream: &str,
        from_version: u64,
        max: usize,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        match self {
            EventStore::Embedded(embedded) => embedded.read_stream(stream, from_version, max).await,
            #[cfg(feature = "kurrentdb")]
            EventStore::Kurrent(kurrent) => kurrent.read_stream(stream, from_version, max).await,
        }
    }

    /// Events of the whole log behind `after`, in order, at most `max` of them (and of the read limits). Empty means the end.
    ///
    /// # Errors
    /// [`ReadError`] when the disk or the file failed.
    pub async fn read_all(
        &self,
        after: Position,
        max: usize,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        match self {
            EventStore::Embedded(embedded) => embedded.read_all(after, max).await,
            #[cfg(feature = "kurrentdb")]
            EventStore::Kurrent(kurrent) => kurrent.read_all(after, max).await,
        }
    }

    /// As [`EventStore::read_all`], but the exact bytes that are stored and sealed: for auditors, exports and checks.
    ///
    /// # Errors
    /// [`ReadError`] when the disk or the file failed.
    pub async fn read_entries(&self, after: Position, max: usize) -> Result<Vec<Entry>, ReadError> {
        match self {
            EventStore::Embedded(embedded) => embedded.read_entries(after, max).await,
            #[cfg(feature = "kurrentdb")]
            EventStore::Kurrent(kurrent) => {
                let events = kurrent.read_all(after, max).await?;
                Ok(events.iter().map(Entry::of).collect())
            }
        }
    }

    /// Number of events in `stream`: 0 when there is no such stream.
    ///
    /// # Errors
    /// [`ReadError`] when the disk or the file failed.
    pub async fn stream_version(&self, stream: &str) -> Result<u64, ReadError> {
        match self {
            EventStore::Embedded(embedded) => embedded.stream_version(stream).await,
            #[cfg(feature = "kurrentdb")]
            EventStore::Kurrent(kurrent) => kurrent.stream_version(stream).await,
        }
    }

    /// Position of the last event, [`Position::START`] when there is none.
    ///
    /// # Errors
    /// [`ReadError`] when the disk or the file failed.
    pub async fn head(&self) -> Result<Position, ReadError> {
        match self {
            EventStore::Embedded(embedded) => embedded.head().await,
            #[cfg(feature = "kurrentdb")]
            EventStore::Kurrent(kurrent) => kurrent.head().await,
        }
    }

    /// A place at most `events` events before `position`: the same place where the adapter's positions don't count events.
    pub fn before(&self, position: Position, events: u64) -> Position {
        match self {
            EventStore::Embedded(_) => Position::from_u64(position.as_u64().saturating_sub(events)),
            #[cfg(feature = "kurrentdb")]
            EventStore::Kurrent(_) => position,
        }
    }

    /// Why this process's log takes no more appends until it is opened again; `None` while it does. For health checks: who appends
    /// is told by [`AppendError::ReadOnly`].
    pub fn read_only(&self) -> Option<&str> {
        match self {
            EventStore::Embedded(embedded) => embedded.failed(),
            // A server that can't be reached may be back at the next append.
            #[cfg(feature = "kurrentdb")]
            EventStore::Kurrent(_) => None,
        }
    }

    /// Every event behind `after`, then each new one as it is appended, by this process or another.
    pub fn subscribe(&self, after: Position) -> Subscription {
        Subscription::new(self.clone(), after)
    }
}
