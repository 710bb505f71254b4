//! From the log to the hub: one subscription, one fold, whoever listens.

use super::change::{Body, Change, Part};
use super::hub::Hub;
use crate::bulk::{Book, Bulks};
use crate::routes::bulk::Shown as Bulk;
use crate::routes::platform::Shown as Platform;
use squareoff_domain::PositionKey;
use squareoff_domain::bulk::BulkId;
use squareoff_projections::{FoldError, LiveChange, LiveFold};
use squareoff_store::codec::DecodeError;
use squareoff_store::{Delivery, EventStore, Position, ReadError, StoredEvent};
use std::time::Duration;
use thiserror::Error;

/// Events of one read of the log.
const BATCH: usize = 512;
/// What comes within so long of a delivery comes with the next one; a reader does not see the difference.
const PACE: Duration = Duration::from_millis(5);
/// Pause before the log is read again after it failed.
const RETRY: Duration = Duration::from_millis(100);

/// Why nothing more can be told.
#[derive(Debug, Error)]
enum Stopped {
    #[error(transparent)]
    Fold(#[from] FoldError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("a change cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the bulks of the log are not known")]
    NoBook,
}

/// Publishes what each event changed, for ever, or until one can't be understood.
pub(super) async fn feed(hub: &Hub, store: &EventStore, book: Book) {
    let Err(stopped) = follow(hub, store, &book).await;
    tracing::error!(reason = %stopped, "nothing more is told to live readers");
    hub.stop(stopped.to_string());
}

async fn follow(
    hub: &Hub,
    store: &EventStore,
    book: &Book,
) -> Result<std::convert::Infallible, Stopped> {
    // What a bulk came to needs all of the log, which the book has read already.
    let mut progress = book.changed();
    let read = progress.wait_for(|progress| progress.caught_up || progress.stopped.is_some());
    let stopped = read.await.map_err(|_| Stopped::NoBook)?.stopped.is_some();
    if stopped {
        return Err(Stopped::NoBook);
    }
    let (bulks, known) = book.snapshot();
    let mut bulks = AheadOf { bulks, known };
    let head = loop {
        match store.head().await {
            Ok(head) => break head,
            Err(error) => wait(&error).await,
        }
    };
    let from = store.before(head, hub.limits.window_begin_events);
    hub.begin(from);
    let (mut subscription, mut fold) = (store.subscribe(from).paced(PACE), LiveFold::default());
    loop {
        match subscription.next(BATCH).await {
            Ok(Delivery::Events(events)) => {
                let changes = fold_patiently(&mut fold, store, &events).await?;
                for (stored, change) in events.iter().zip(changes) {
                    let bulk = bulks.learn(stored)?;
                    hub.publish(stored.position, Change::new(&body(stored, change, bulk))?);
                }
            }
            Ok(Delivery::CaughtUp(_)) => hub.caught_up(),
            Err(error) => wait(&error).await,
        }
    }
}

async fn fold_patiently(
    fold: &mut LiveFold,
    store: &EventStore,
    events: &[StoredEvent],
) -> Result<Vec<LiveChange>, FoldError> {
    loop {
        match fold.fold(store, events.to_vec()).await {
            Err(FoldError::Read(error)) => wait(&error).await,
            folded => return folded,
        }
    }
}

async fn wait(error: &ReadError) {
    tracing::warn!(%error, "the event log could not be read for live readers, trying again");
    tokio::time::sleep(RETRY).await;
}

/// The bulks, which are known up to a position that the first events may lie before: these show them as they are there.
struct AheadOf {
    bulks: Bulks,
    known: Position,
}

impl AheadOf {
    /// The bulk that the event is about.
    fn learn(&mut self, stored: &StoredEvent) -> Result<Option<Box<Bulk>>, DecodeError> {
        let knows = |bulk: BulkId| self.bulks.get(bulk).is_some();
        let Some((id, news)) = Bulks::read(stored, knows)? else {
            return Ok(None);
        };
        if stored.position > self.known {
            self.bulks.learn(id, news, stored);
        }
        let (summary, position) = (self.bulks.get(id), stored.position.max(self.known));
        Ok(summary.map(|summary| Box::new(Bulk::of(id, summary, position))))
    }
}

fn body(stored: &StoredEvent, change: LiveChange, bulk: Option<Box<Bulk>>) -> Body {
    let mut parts = Vec::new();
    if !change.orders.is_empty() {
        let orders = change.orders.into_iter();
        parts.push(Part::Orders(orders.map(Into::into).collect()));
    }
    if let Some(row) = change.position {
        parts.push(Part::Positions(vec![row.into()]));
    }
    if let Some(platform) = change.platform {
        let shown = Platform::of(&platform.platform, platform.version, stored.position);
        parts.push(Part::Platform(Box::new(shown)));
    }
    parts.extend(bulk.map(Part::Bulk));
    let client = match change.approval {
        Some(row) => {
            let client = row.client_code.parse().ok();
            parts.push(Part::Approvals(vec![row.into()]));
            client
        }
        None => PositionKey::of_stream(&stored.stream).map(|key| key.client),
    };
    Body {
        position: stored.position,
        recorded_at: stored.recorded_at,
        client,
        parts,
    }
}
