//! Read with a subscription: everything behind a place, then each new event as it is appended.
//!
//! 1. The confirmation comes first, then the events in the log's order, each once.
//! 2. `CaughtUp` comes when all that there was has been sent, and again after each `FellBehind`.
//! 3. `FellBehind` comes when a live subscriber has a whole page to read: it is catching up again.
//! 4. A filtered subscription gets a checkpoint each time its window of events was looked at, so that what did not pass is not read
//!    again after a restart.

use crate::faults::Cut;
use crate::filter::Filter;
use crate::now_ns;
use crate::position::place;
use crate::read::{From, PAGE_EVENTS, Sink, keep};
use crate::refusal::Refusal;
use crate::server::Shared;
use crate::wire::{self, Checkpoint, Confirmation, Reached, ReadContent, Timestamp};
use squareoff_store::{Delivery, Position};
use uuid::Uuid;

/// Subscribes to `$all` behind `from`.
pub(crate) async fn to_all(
    shared: &Shared,
    sink: &Sink,
    from: From,
    filter: Option<&Filter>,
) -> Result<(), Cut> {
    let head = shared.store.head().await.map_err(Refusal::from)?;
    let after = match from {
        From::Start => Position::START,
        // A place of another log: nothing would ever come.
        From::At(at) if at > head => return Err(Refusal::NoSuchPosition.into()),
        From::At(at) => at,
        From::End => head,
    };
    confirm(sink).await?;
    let mut subscription = shared.store.subscribe(after);
    let mut live = Live::default();
    let mut looked_at = 0;
    loop {
        let before = subscription.position();
        match subscription
            .next(PAGE_EVENTS)
            .await
            .map_err(Refusal::from)?
        {
            Delivery::Events(mut events) => {
                let mut page = live.fell_behind(events.len(), reached(None, Some(before)));
                looked_at += events.len() as u64;
                keep(&mut events, filter)?;
                page.extend(events.into_iter().map(|event| sink.event(event)));
                if filter.is_some_and(|filter| looked_at >= filter.checkpoint_every) {
                    looked_at = 0;
                    page.push(checkpoint(subscription.position()));
                }
                sink.send(page).await?;
            }
            Delivery::CaughtUp(position) => {
                let position = (position > Position::START).then_some(position);
                sink.send(live.caught_up(reached(None, position))).await?;
            }
        }
    }
}

/// Subscribes to a stream behind revision `from`; there need be no such stream yet.
pub(crate) async fn to_stream(
    shared: &Shared,
    sink: &Sink,
    name: &str,
    from: Option<u64>,
) -> Result<(), Cut> {
    let store = &shared.store;
    // First: what is appended while the stream is read stands behind it.
    let mut subscription = store.subscribe(store.head().await.map_err(Refusal::from)?);
    let version = store.stream_version(name).await.map_err(Refusal::from)?;
    let mut seen = match from {
        None => 0,
        Some(revision) => revision.saturating_add(1).min(version),
    };
    confirm(sink).await?;
    loop {
        let next = seen + 1;
        let events = store
            .read_stream(name, next, PAGE_EVENTS)
            .await
            .map_err(Refusal::from)?;
        let Some(last) = events.last() else { break };
        seen = last.version;
        sink.events(events).await?;
    }
    let mut live = Live::default();
    loop {
        match subscription
            .next(PAGE_EVENTS)
            .await
            .map_err(Refusal::from)?
        {
            Delivery::Events(mut events) => {
                events.retain(|event| *event.stream == *name && event.version > seen);
                let Some(last) = events.last() else { continue };
                let mut page = live.fell_behind(events.len(), reached(Some(seen), None));
                seen = last.version;
                page.extend(events.into_iter().map(|event| sink.event(event)));
                sink.send(page).await?;
            }
            Delivery::CaughtUp(_) => {
                let version = (seen > 0).then_some(seen);
                sink.send(live.caught_up(reached(version, None))).await?;
            }
        }
    }
}

async fn confirm(sink: &Sink) -> Result<(), Cut> {
    let confirmation = Confirmation {
        subscription_id: Uuid::new_v4().to_string(),
    };
    sink.send(vec![ReadContent::Confirmation(confirmation).into()])
        .await
}

/// Whether the subscriber has seen all there is.
#[derive(Debug, Default)]
struct Live {
    live: bool,
}

impl Live {
    fn fell_behind(&mut self, events: usize, reached: Reached) -> Vec<wire::ReadResp> {
        if !self.live || events < PAGE_EVENTS {
            return Vec::new();
        }
        self.live = false;
        vec![ReadContent::FellBehind(reached).into()]
    }

    fn caught_up(&mut self, reached: Reached) -> Vec<wire::ReadResp> {
        if self.live {
            return Vec::new();
        }
        self.live = true;
        vec![ReadContent::CaughtUp(reached).into()]
    }
}

fn reached(version: Option<u64>, position: Option<Position>) -> Reached {
    Reached {
        timestamp: now(),
        stream_revision: version.map(|version| version.cast_signed() - 1),
        position: position.map(place),
    }
}

fn checkpoint(position: Position) -> wire::ReadResp {
    let wire::Position { commit, prepare } = place(position);
    ReadContent::Checkpoint(Checkpoint {
        commit_position: commit,
        prepare_position: prepare,
        timestamp: now(),
    })
    .into()
}

fn now() -> Option<Timestamp> {
    let now = now_ns();
    Some(Timestamp {
        seconds: now / 1_000_000_000,
        nanos: i32::try_from(now % 1_000_000_000).expect("less than 10^9"),
    })
}
