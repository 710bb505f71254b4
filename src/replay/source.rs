//! The log in pages, each read while the one before it is looked at.

use anyhow::Result;
use squareoff_store::{EventStore, Position, ReadError, StoredEvent};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Events of one read.
const PAGE: usize = 4_096;

/// The whole log, or one stream of it.
pub struct Pages {
    store: EventStore,
    stream: Option<Arc<str>>,
    reading: Option<JoinHandle<Result<Vec<StoredEvent>, ReadError>>>,
    /// Behind the last event that was given.
    after: Position,
}

impl Pages {
    /// Every event behind `after`.
    pub fn behind(store: EventStore, after: Position) -> Pages {
        Pages {
            store,
            stream: None,
            reading: None,
            after,
        }
        .begun(after, 1)
    }

    /// Every event of a stream.
    pub fn of_stream(store: EventStore, stream: &str) -> Pages {
        let (stream, after) = (Some(stream.into()), Position::START);
        Pages {
            store,
            stream,
            reading: None,
            after,
        }
        .begun(after, 1)
    }

    fn begun(mut self, after: Position, version: u64) -> Pages {
        self.read_on(after, version);
        self
    }

    fn read_on(&mut self, after: Position, version: u64) {
        let (store, stream) = (self.store.clone(), self.stream.clone());
        self.reading = Some(tokio::spawn(async move {
            match stream {
                Some(stream) => store.read_stream(&stream, version, PAGE).await,
                None => store.read_all(after, PAGE).await,
            }
        }));
    }

    /// Behind the last event that was given.
    pub fn position(&self) -> Position {
        self.after
    }

    /// At least one event; `None` at the end.
    ///
    /// # Errors
    /// When the log can't be read.
    pub async fn next(&mut self) -> Result<Option<Vec<StoredEvent>>> {
        let Some(reading) = self.reading.take() else {
            return Ok(None);
        };
        let page = reading.await??;
        let Some(last) = page.last() else {
            return Ok(None);
        };
        self.after = last.position;
        self.read_on(last.position, last.version + 1);
        Ok(Some(page))
    }
}
