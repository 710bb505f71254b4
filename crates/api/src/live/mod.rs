//! Live updates: what the queries show, told as it changes, over server-sent events or WebSocket.
//!
//! [`feed`] reads the log once for all, [`hub`] hands each change to whom it concerns, a [`reader`] is one connection's way through it, and
//! [`wire`] is how it is spelt, [`access`] who may listen to what. `GET /v1/live` is in `routes/live.rs`.
//!
//! 1. Ids are log positions. A reader is shown every change that it may see, once, in the log's order, or is told that it was not.
//! 2. A change is written once, whoever reads it. 3. No reader waits for another, and nothing waits for a reader. 4. Memory is bounded.
//!
//! It appends nothing to the log, and asks Postgres nothing.

pub mod access;
mod change;
mod feed;
mod hub;
mod reader;
#[cfg(test)]
mod tests;
mod topics;
mod window;
pub mod wire;

pub use hub::{Hub, Limits, NotNow};
pub use reader::{Reader, Start, Told};
pub use topics::Topics;

use crate::bulk::Book;
use access::{Filter, Gate};
use squareoff_store::EventStore;
use std::ops::Deref;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// The hub and the task that feeds it, which ends with the last clone.
#[derive(Debug, Clone)]
pub struct Live {
    hub: Arc<Hub>,
    _feed: Arc<Task>,
}

#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Live {
    /// Begins to read, in a task of the runtime it is called on.
    pub fn start(store: EventStore, book: Book, limits: Limits) -> Self {
        let hub = Arc::new(Hub::new(limits));
        let fed = hub.clone();
        let feed = tokio::spawn(async move { feed::feed(&fed, &store, book).await });
        Live {
            hub,
            _feed: Arc::new(Task(feed)),
        }
    }

    /// A place for one more reader.
    ///
    /// # Errors
    /// [`NotNow`].
    pub fn open(&self, gate: Gate, filter: Filter, start: Start) -> Result<Reader, NotNow> {
        let (seat, now) = self.hub.admit(gate, filter)?;
        Ok(Reader::new(seat, start, now))
    }
}

impl Deref for Live {
    type Target = Hub;

    fn deref(&self) -> &Hub {
        &self.hub
    }
}
