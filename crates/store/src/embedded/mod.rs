//! The embedded adapter: SQLite in one folder, for one machine and several processes on it.
//!
//! | module | thread | does |
//! |---|---|---|
//! | [`connection`] | | opens and checks the file |
//! | [`queue`], [`writer`] | one | group commit: drains the queue, one durable transaction per batch |
//! | [`reader`] | the runtime's blocking ones | reads on a bounded pool of connections |
//! | [`tail`] | one | sees what other processes append, while somebody subscribes |
//! | [`mod@check`], [`mod@backup`] | the caller's | what an operator asks of a log's file |
//! | [`checkpoint`] | one | moves the write-ahead log into the file, beside the writer |
//!
//! Threads end when the last handle is dropped. A killed process leaves nothing to repair by hand: SQLite recovers at the next open.

mod backup;
mod check;
mod checkpoint;
mod connection;
mod queue;
mod reader;
mod tail;
mod writer;

pub use backup::{BackupError, MANIFEST_NAME, Manifest, backup, restore};
pub use check::{Checked, Finding, check};
pub(crate) use tail::Watch;

use crate::{AppendError, Appended, Entry, NewEvent, OpenError, Position, ReadError, StoredEvent};
use connection::Role;
use queue::Queue;
use reader::Readers;
use std::path::Path;
use std::sync::Arc;
use tail::Tail;
use tokio::sync::watch;

/// Name of the log's file in its folder.
pub const FILE_NAME: &str = "events.db";

/// The SQLite log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Embedded {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: Queue,
    readers: Readers,
    tail: Tail,
    /// Dropped with the last handle, which ends the checkpointer.
    _checkpointer: checkpoint::Stop,
}

impl Embedded {
    /// # Errors
    /// [`OpenError`]: not ours, from a newer release, or the file system's reason.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let file = folder.join(FILE_NAME);
        let io = |error: std::io::Error| OpenError::Io {
            path: file.clone(),
            reason: error.to_string(),
        };
        let sqlite = |error: rusqlite::Error| connection::open_error(&file, &error);
        create_private(folder).map_err(io)?;
        connection::prepare(&file)?;
        let (head, _) = watch::channel(Position::START);
        let head = Arc::new(head);
        let readers = Readers::open(&file).map_err(sqlite)?;
        let tail = Tail::start(
            connection::connect(&file, Role::Reader).map_err(sqlite)?,
            head.clone(),
        )
        .map_err(io)?;
        let stop = checkpoint::start(
            connection::connect(&file, Role::Checkpointer).map_err(sqlite)?,
            &file,
        )
        .map_err(io)?;
        let queue = queue::start(
            connection::connect(&file, Role::Writer).map_err(sqlite)?,
            head,
        )
        .map_err(io)?;
        Ok(Embedded {
            shared: Arc::new(Shared {
                queue,
                readers,
                tail,
                _checkpointer: stop,
            }),
        })
    }

    pub(crate) async fn append(
        &self,
        stream: &str,
        expected: u64,
        events: Vec<NewEvent>,
    ) -> Result<Appended, AppendError> {
        self.shared.queue.append(stream, expected, &events).await
    }

    pub(crate) async fn read_stream(
        &self,
        stream: &str,
        from: u64,
        max: usize,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        let stream: Arc<str> = stream.into();
        self.shared
            .readers
            .run(move |connection| reader::read_stream(connection, &stream, from, max))
            .await
    }

    pub(crate) async fn read_all(
        &self,
        after: Position,
        max: usize,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        self.shared
            .readers
            .run(move |connection| reader::read_all(connection, after, max))
            .await
    }

    pub(crate) async fn read_entries(
        &self,
        after: Position,
        max: usize,
    ) -> Result<Vec<Entry>, ReadError> {
        self.shared
            .readers
            .run(move |connection| reader::read_entries(connection, after, max))
            .await
    }

    pub(crate) async fn stream_version(&self, stream: &str) -> Result<u64, ReadError> {
        let stream: Arc<str> = stream.into();
        self.shared
            .readers
            .run(move |connection| reader::stream_version(connection, &stream))
            .await
    }

    pub(crate) async fn head(&self) -> Result<Position, ReadError> {
        self.shared.readers.run(reader::head).await
    }

    pub(crate) fn failed(&self) -> Option<&str> {
        self.shared.queue.failed()
    }

    pub(crate) fn watch(&self) -> Watch {
        self.shared.tail.watch()
    }
}

/// The log holds what clients did: a folder we make is its owner's alone. One that is there keeps its own permissions.
fn create_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}
