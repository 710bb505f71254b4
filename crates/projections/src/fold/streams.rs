//! Folded streams of one kind, the ones last used remembered: what is forgotten is read again from the log.

use super::{FoldError, decode};
use futures::{StreamExt, TryStreamExt, stream};
use lru::LruCache;
use squareoff_domain::Event;
use squareoff_store::{EventStore, READ_EVENTS_MAX, StoredEvent};
use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Streams read from the log at the same time: more than the log has readers gains nothing.
const LOADS_MAX: usize = 4;

/// A stream's state and what its rows need beside it.
pub(crate) trait Folded: Sized {
    /// Before its first event; `next` is any event of the stream.
    fn begin(next: &StoredEvent) -> Result<Self, FoldError>;

    fn version(&self) -> u64;

    /// Folds the next event.
    fn apply(&mut self, stored: &StoredEvent, event: &Event) -> Result<(), FoldError>;

    /// What changed so far needs no row: it has been written, or was read from what was written.
    fn settled(&mut self);
}

/// The version after the event, which must be the stream's next.
pub(crate) fn next_version(version: u64, stored: &StoredEvent) -> Result<u64, FoldError> {
    if stored.version == version + 1 {
        return Ok(stored.version);
    }
    Err(FoldError::Gap {
        stream: stored.stream.clone(),
        position: stored.position,
        expected: version + 1,
        found: stored.version,
    })
}

#[derive(Debug)]
pub(super) struct Streams<S> {
    remembered: LruCache<Arc<str>, S>,
    max: NonZeroUsize,
}

impl<S: Folded> Streams<S> {
    pub(super) fn new(max: NonZeroUsize) -> Self {
        Streams {
            // Nothing is forgotten in the middle of a batch; `forget` keeps to the limit after it.
            remembered: LruCache::unbounded(),
            max,
        }
    }

    /// Reads what is not remembered of the streams that `decoded` goes on with.
    pub(super) async fn load(
        &mut self,
        store: &EventStore,
        decoded: &[(StoredEvent, Event)],
        ours: impl Fn(&Event) -> bool,
    ) -> Result<(), FoldError> {
        let (mut begun, mut missing) = (HashSet::new(), BTreeMap::new());
        for (stored, _) in decoded.iter().filter(|(_, event)| ours(event)) {
            if stored.version <= 1 {
                begun.insert(&stored.stream);
            } else if !begun.contains(&stored.stream) && !self.remembered.contains(&stored.stream) {
                missing.entry(stored.stream.clone()).or_insert(stored);
            }
        }
        let mut loads = Vec::with_capacity(missing.len());
        for first in missing.into_values() {
            loads.push(load(store, first));
        }
        let loaded: Vec<_> = stream::iter(loads)
            .buffer_unordered(LOADS_MAX)
            .try_collect()
            .await?;
        for (stream, folded) in loaded {
            self.remembered.put(stream, folded);
        }
        Ok(())
    }

    /// As [`Streams::apply`]; `None` when the stream has to be read first, which [`Streams::load`] does.
    pub(super) fn apply_ready(
        &mut self,
        stored: &StoredEvent,
        event: &Event,
    ) -> Result<Option<&mut S>, FoldError> {
        if stored.version <= 1 {
            return self.apply(stored, event).map(Some);
        }
        // How long ago it was used is noted once a batch, when its rows are made.
        let Some(folded) = self.remembered.peek_mut(&stored.stream) else {
            return Ok(None);
        };
        folded.apply(stored, event)?;
        Ok(Some(folded))
    }

    /// Folds an event whose stream is loaded, or begins with it.
    pub(super) fn apply(
        &mut self,
        stored: &StoredEvent,
        event: &Event,
    ) -> Result<&mut S, FoldError> {
        let folded = self
            .remembered
            .try_get_or_insert_mut(stored.stream.clone(), || S::begin(stored))?;
        folded.apply(stored, event)?;
        Ok(folded)
    }

    /// A stream that the batch at hand went on with.
    pub(super) fn changed(&mut self, stream: &str) -> &mut S {
        self.remembered
            .get_mut(stream)
            .expect("nothing is forgotten in the middle of a batch")
    }

    /// Forgets the streams longest unused, down to the limit.
    pub(super) fn forget(&mut self) {
        while self.remembered.len() > self.max.get() {
            self.remembered.pop_lru();
        }
    }
}

/// The stream of `next` up to the event before it.
async fn load<S: Folded>(
    store: &EventStore,
    next: &StoredEvent,
) -> Result<(Arc<str>, S), FoldError> {
    let mut folded = S::begin(next)?;
    while folded.version() + 1 < next.version {
        let events = store
            .read_stream(&next.stream, folded.version() + 1, READ_EVENTS_MAX)
            .await?;
        let found = events.last().map_or(0, |last| last.version);
        if found <= folded.version() {
            next_version(folded.version(), next)?;
        }
        for (stored, event) in decode(events)? {
            if stored.version < next.version {
                folded.apply(&stored, &event)?;
            }
        }
    }
    folded.settled();
    Ok((next.stream.clone(), folded))
}
