//! Catch-up subscriptions: pulled, so that a slow subscriber holds nothing but its own place.
//!
//! 1. Events come in the log's order, each once per subscription, from the first behind the given position.
//! 2. [`Delivery::CaughtUp`] comes once each time the subscriber has seen all there is, before the wait for more.
//! 3. Dropping a future of [`Subscription::next`] loses nothing: the place moves only with a delivery.
//! 4. A paced subscriber is told of what comes after a pause at once, or within half its pace when another process appended it (10 ms at
//!    the most), and in larger deliveries of what comes without one.
//!
//! A subscriber stores its own checkpoint; after a restart it subscribes from there and sees later events again.

use crate::embedded;
#[cfg(feature = "kurrentdb")]
use crate::kurrent;
use crate::{EventStore, Position, ReadError, StoredEvent};
use std::time::Duration;
use tokio::time::Instant;

/// What a subscriber gets next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// At least one event.
    Events(Vec<StoredEvent>),
    /// Everything up to this position has been delivered.
    CaughtUp(Position),
}

/// An ear on the log's head.
#[derive(Debug)]
enum Watch {
    Embedded(embedded::Watch),
    #[cfg(feature = "kurrentdb")]
    Kurrent(kurrent::Watch),
}

impl Watch {
    /// Whether there is nothing behind `after` as far as is known without asking.
    fn is_at(&self, after: Position) -> bool {
        match self {
            Watch::Embedded(watch) => watch.known() == after,
            #[cfg(feature = "kurrentdb")]
            Watch::Kurrent(_) => false,
        }
    }

    fn paced(&mut self, pace: Duration) {
        match self {
            Watch::Embedded(watch) => watch.paced(pace),
            // It is told, and looks for nothing.
            #[cfg(feature = "kurrentdb")]
            Watch::Kurrent(_) => {}
        }
    }

    async fn behind(&mut self, after: Position) {
        match self {
            Watch::Embedded(watch) => watch.behind(after).await,
            #[cfg(feature = "kurrentdb")]
            Watch::Kurrent(watch) => watch.behind(after).await,
        }
    }
}

/// One reader's way along the log. See the module's invariants.
#[derive(Debug)]
pub struct Subscription {
    store: EventStore,
    watch: Watch,
    after: Position,
    caught_up: bool,
    /// The shortest time from one delivery of events to the next after a wait.
    pace: Duration,
    delivered: Option<Instant>,
}

impl Subscription {
    pub(crate) fn new(store: EventStore, after: Position) -> Self {
        let watch = match &store {
            EventStore::Embedded(embedded) => Watch::Embedded(embedded.watch()),
            #[cfg(feature = "kurrentdb")]
            EventStore::Kurrent(kurrent) => Watch::Kurrent(kurrent.watch()),
        };
        Subscription {
            store,
            watch,
            after,
            caught_up: false,
            pace: Duration::ZERO,
            delivered: None,
        }
    }

    /// For those that need not have every event at once: a read has its price however little it brings, and a process has several
    /// subscribers.
    #[must_use]
    pub fn paced(mut self, pace: Duration) -> Self {
        self.watch.paced(pace);
        self.pace = pace;
        self
    }

    /// Position of the last event delivered, or where the subscription began.
    pub fn position(&self) -> Position {
        self.after
    }

    /// The next events, at most `max` (at least 1), or that there are no more for now. Waits once that has been said.
    ///
    /// # Errors
    /// [`ReadError`]; the next call tries the same place again.
    pub async fn next(&mut self, max: usize) -> Result<Delivery, ReadError> {
        loop {
            if self.caught_up {
                self.watch.behind(self.after).await;
                if let Some(delivered) = self.delivered {
                    tokio::time::sleep_until(delivered + self.pace).await;
                }
            } else if self.delivered.is_some() && self.watch.is_at(self.after) {
                self.caught_up = true;
                return Ok(Delivery::CaughtUp(self.after));
            }
            let events = self.store.read_all(self.after, max.max(1)).await?;
            if let Some(last) = events.last() {
                self.after = last.position;
                self.caught_up = false;
                self.delivered = Some(Instant::now());
                return Ok(Delivery::Events(events));
            }
            if !self.caught_up {
                self.caught_up = true;
                return Ok(Delivery::CaughtUp(self.after));
            }
        }
    }
}
