//! The port: the four calls every adapter answers. Callers hold an [`EventStore`] and never an adapter.

use crate::event::check_append;
use crate::{
    AppendError, Appended, Embedded, NewEvent, OpenError, Position, ReadError, StoredEvent,
    Subscription,
};
use std::path::Path;

/// The log, by whichever adapter the configuration picked. Cheap to clone; clones share one writer and its readers.
#[derive(Debug, Clone)]
pub enum EventStore {
    Embedded(Embedded),
}

impl EventStore {
    /// Opens the embedded log in `folder`, which is made if it is missing. Several processes may hold the same folder.
    ///
    /// # Errors
    /// [`OpenError`] in one sentence: not ours, from a newer release, or the file system's reason.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        Embedded::open(folder).map(EventStore::Embedded)
    }

    /// Appends `events` to `stream`, all or none, when its version is `expected_version` (0: there is no such stream yet).
    /// Returns after they are durable. The same append again is answered as the first time, with `repeated` set, even when
    /// the stream has grown since; content is type, schema version and body, so a retry may carry another `occurred_at`.
    ///
    /// Once polled, the append goes on even if the future is dropped.
    ///
    /// # Errors
    /// In order of precedence: limits and emptiness ([`AppendError::TooLarge`], ...), `Overloaded`, an id that stands elsewhere
    /// (`EventIdReused`), `WrongVersion`. `ReadOnly` and `Unknown` when the disk failed.
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
        }
    }

    /// Position of the last event, [`Position::START`] when there is none.
    ///
    /// # Errors
    /// [`ReadError`] when the disk or the file failed.
    pub async fn head(&self) -> Result<Position, ReadError> {
        match self {
            EventStore::Embedded(embedded) => embedded.head().await,
        }
    }

    /// Every event behind `after`, then each new one as it is appended, by this process or another.
    pub fn subscribe(&self, after: Position) -> Subscription {
        Subscription::new(self.clone(), after)
    }
}
