//! Reading the log from its beginning and following it: how each memory of this process is made.

use squareoff_store::codec::{self, DecodeError, LogEvent};
use squareoff_store::{Aggregate, Delivery, EventStore, Position, StoredEvent, Streams};
use std::time::Duration;
use tokio::sync::watch;

/// Events of one read of the log.
const BATCH: usize = 4_096;
/// How old a memory may be that answers wait for, while much happens: a read has its price however little it brings, and a process has
/// several memories.
pub const PACE: Duration = Duration::from_millis(5);
/// Pause before the log is read again after it failed.
const RETRY: Duration = Duration::from_millis(100);

/// How far a memory has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    pub position: Position,
    pub caught_up: bool,
    /// Why the log can't be read on, in one sentence.
    pub stopped: Option<String>,
}

/// Reads for ever, until nobody looks at the progress any more, or an event can't be decoded. While much happens, once in `pace`.
pub async fn follow(
    store: EventStore,
    pace: Duration,
    progress: watch::Sender<Progress>,
    mut learn: impl FnMut(&[StoredEvent]) -> Result<(), DecodeError>,
) {
    let mut subscription = store.subscribe(Position::START).paced(pace);
    while !progress.is_closed() {
        match subscription.next(BATCH).await {
            Ok(Delivery::Events(events)) => {
                // Each memory reads some types only; of the others it must be known too that they are none of its business.
                let known = events.iter().try_for_each(codec::check);
                if let Err(error) = known.and_then(|()| learn(&events)) {
                    // Events of a newer release: what they change is unknown, so nothing may be decided on the rest.
                    tracing::error!(%error, "this process stops reading the event log");
                    progress.send_modify(|progress| {
                        progress.caught_up = false;
                        progress.stopped = Some(error.to_string());
                    });
                    return;
                }
                progress.send_modify(|progress| progress.position = subscription.position());
            }
            Ok(Delivery::CaughtUp(position)) => {
                progress.send_modify(|progress| {
                    (progress.position, progress.caught_up) = (position, true)
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the event log could not be read, trying again");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Has `streams`, whose names begin with `prefix`, take in an event if it is one of theirs.
pub fn learn<A: Aggregate>(
    streams: &Streams<A>,
    prefix: &str,
    stored: &StoredEvent,
) -> Result<(), DecodeError> {
    if stored.stream.starts_with(prefix) {
        streams.learn(stored, &A::Event::decode(stored)?);
    }
    Ok(())
}

/// Waits until `position` is read and the end was reached once, at most `patience`; says whether it is so.
pub async fn reach(
    progress: &watch::Receiver<Progress>,
    position: Position,
    patience: Duration,
) -> bool {
    let mut progress = progress.clone();
    let there = |progress: &Progress| {
        progress.position >= position && progress.caught_up || progress.stopped.is_some()
    };
    let waited = tokio::time::timeout(patience, progress.wait_for(there)).await;
    waited.is_ok_and(|progress| progress.is_ok_and(|progress| progress.stopped.is_none()))
}
