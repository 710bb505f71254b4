//! The bulks that the log holds, kept from the log alone: the desk follows them while the read database is away, and the worker learns
//! from it what to do. The items themselves are not kept here: 150,000 of them are 30 MB.

use super::changes::{Changes, Watch};
use super::summary::Summary;
use crate::follow::{self, Progress};
use squareoff_domain::bulk::{BulkEvent, BulkId, BulkStatus, BulkStep, item_request_id};
use squareoff_domain::position::PositionEvent;
use squareoff_domain::{Event, PositionKey};
use squareoff_store::codec::{self, DecodeError};
use squareoff_store::{EventStore, Position, StoredEvent};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// Every bulk that the log holds up to a place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bulks(HashMap<BulkId, Summary>);

/// What an event says of a bulk.
pub(crate) enum News {
    Event(BulkEvent),
    /// An item was asked for the first time.
    Asked,
}

impl Bulks {
    pub(crate) fn get(&self, bulk: BulkId) -> Option<&Summary> {
        self.0.get(&bulk)
    }

    /// Which bulk the event is about, and what it says; `knows` tells which were proposed.
    pub(crate) fn read(
        stored: &StoredEvent,
        knows: impl FnOnce(BulkId) -> bool,
    ) -> Result<Option<(BulkId, News)>, DecodeError> {
        if let Some(bulk) = BulkId::of_stream(&stored.stream) {
            let Event::Bulk(event) = codec::decode(stored)? else {
                return Ok(None);
            };
            return Ok(Some((bulk, News::Event(event))));
        }
        let bulk = BulkId(stored.correlation_id);
        // The first attempt of an item alone counts it, by its id.
        let asked = &*stored.event_type == "SquareOffAccepted"
            && knows(bulk)
            && is_first_attempt(bulk, stored)?;
        Ok(asked.then_some((bulk, News::Asked)))
    }

    pub(crate) fn learn(&mut self, bulk: BulkId, news: News, stored: &StoredEvent) {
        match (news, self.0.get_mut(&bulk)) {
            (News::Event(BulkEvent::BulkProposed(proposed)), None) => {
                let summary = Summary::new(proposed, stored.recorded_at, stored.position);
                self.0.insert(bulk, summary);
            }
            (News::Event(event), Some(summary)) => {
                summary.version = stored.version;
                summary.learn(event, stored.recorded_at);
            }
            (News::Asked, Some(summary)) => summary.asked = summary.asked.saturating_add(1),
            (_, None) => {}
        }
    }
}

#[derive(Default)]
struct Known {
    bulks: Bulks,
    /// Of the last event that said anything.
    position: Position,
}

/// Cheap to clone; clones see the same.
#[derive(Clone)]
pub struct Book {
    known: Arc<RwLock<Known>>,
    changes: Arc<Changes>,
    progress: watch::Receiver<Progress>,
}

impl Book {
    /// Reads the log from its beginning in a task of its own, and follows it; while much happens, once in `pace`.
    pub fn follow(store: EventStore, pace: Duration) -> Self {
        let known = Arc::default();
        let changes = Arc::default();
        let (progress, receiver) = watch::channel(Progress::default());
        let book = Book {
            known: Arc::clone(&known),
            changes: Arc::clone(&changes),
            progress: receiver,
        };
        let learn = move |events: &[StoredEvent]| {
            learn(&known, events)?;
            // After the memory has changed: who is woken looks at it.
            changes.tell(events.iter().map(|stored| &stored.stream));
            Ok(())
        };
        tokio::spawn(follow::follow(store, pace, progress, learn));
        book
    }

    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Changes with each batch of events.
    pub fn changed(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Waits until the book holds the log up to `position`, at most `patience`; says whether it does.
    pub async fn reach(&self, position: Position, patience: Duration) -> bool {
        follow::reach(&self.progress, position, patience).await
    }

    pub fn summary(&self, bulk: BulkId) -> Option<Summary> {
        self.read(|known| known.bulks.get(bulk).cloned())
    }

    pub fn status(&self, bulk: BulkId) -> BulkStatus {
        self.read(|known| {
            known
                .bulks
                .get(bulk)
                .map_or(BulkStatus::Unproposed, |summary| summary.status)
        })
    }

    /// Every bulk, the newest first.
    pub fn summaries(&self) -> Vec<(BulkId, Summary)> {
        let mut summaries: Vec<_> = self.read(|known| {
            let copied = known.bulks.0.iter();
            copied.map(|(id, summary)| (*id, summary.clone())).collect()
        });
        summaries.sort_by_key(|(_, summary)| std::cmp::Reverse(summary.proposed_position));
        summaries
    }

    /// The bulks that a worker has something to do for.
    pub fn under_way(&self) -> Vec<BulkId> {
        self.read(|known| {
            let known = known.bulks.0.iter();
            let under_way = known.filter(|(_, summary)| summary.is_under_way());
            under_way.map(|(id, _)| *id).collect()
        })
    }

    /// Every bulk, and the position of the last event that changed one.
    pub(crate) fn snapshot(&self) -> (Bulks, Position) {
        self.read(|known| (known.bulks.clone(), known.position))
    }

    /// Tells of each change of a stream, once it is in this memory too.
    pub fn watch(&self, stream: Arc<str>) -> Watch {
        self.changes.watch(stream)
    }

    fn read<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn learn(known: &RwLock<Known>, events: &[StoredEvent]) -> Result<(), DecodeError> {
    let is_proposed = |bulk| {
        let known = known.read().unwrap_or_else(PoisonError::into_inner);
        known.bulks.get(bulk).is_some()
    };
    for stored in events {
        // Decoded before the lock is taken: a chunk of a list is 80 kB.
        if let Some((bulk, news)) = Bulks::read(stored, is_proposed)? {
            let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
            known.bulks.learn(bulk, news, stored);
            known.position = stored.position;
        }
    }
    Ok(())
}

fn is_first_attempt(bulk: BulkId, stored: &StoredEvent) -> Result<bool, DecodeError> {
    let Some(key) = PositionKey::of_stream(&stored.stream) else {
        return Ok(false);
    };
    let first = item_request_id(bulk, &key, BulkStep::SquareOff { attempt: 1 });
    let Event::Position(PositionEvent::SquareOffAccepted(accepted)) = codec::decode(stored)? else {
        return Ok(false);
    };
    Ok(accepted.request_id == first)
}
