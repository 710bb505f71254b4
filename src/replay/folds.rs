//! Streams as they were before each event, so that it can be said what the event changed.
//!
//! 1. Events come in ascending versions of their stream; what lies between two of them is read from the log and folded, too.
//! 2. A bounded number of streams is remembered. One that is forgotten is read again: the same answer, only later.

use super::sheet::{Change, Focus, Standing, State, changes};
use anyhow::{Result, bail};
use lru::LruCache;
use squareoff_domain::position::PositionEvent;
use squareoff_domain::{Event, OrderId};
use squareoff_projections::audit::{AuditKind, kind_of};
use squareoff_store::{EventStore, StoredEvent, codec};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use uuid::Uuid;

/// Streams remembered; a position of the sample book takes some kilobytes.
const STREAMS_MAX: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");
/// Events of one read of a stream.
const PAGE: usize = 1_000;

/// Who asked for what an event tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub actor: Arc<str>,
    /// Of the event in the same stream that asked.
    pub version: u64,
    pub request: Uuid,
}

/// What an event did to its stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub changes: Vec<Change>,
    /// Whose wish a fact about an order goes back to; `None` for what nobody here asked for.
    pub asked: Option<Asked>,
    /// After the event; of a position alone.
    pub standing: Option<Standing>,
}

/// Who asked last for an order, its cancel and its change.
#[derive(Debug, Clone, Default)]
struct Wishes {
    place: Option<Asked>,
    cancel: Option<Asked>,
    replace: Option<Asked>,
}

#[derive(Debug)]
struct Folded {
    state: State,
    version: u64,
    wishes: BTreeMap<OrderId, Wishes>,
}

#[derive(Debug)]
pub struct Folds {
    store: EventStore,
    streams: LruCache<Arc<str>, Folded>,
}

impl Folds {
    pub fn new(store: EventStore) -> Folds {
        Folds {
            store,
            streams: LruCache::new(STREAMS_MAX),
        }
    }

    /// What the event changed, and whose wish it goes back to.
    ///
    /// # Errors
    /// When the stream can't be read up to the event, or holds what is not of its kind.
    pub async fn effect(&mut self, stored: &StoredEvent, event: &Event) -> Result<Effect> {
        let mut folded = match self.streams.pop(&stored.stream) {
            Some(folded) if folded.version < stored.version => folded,
            Some(_) | None => Folded::before(event),
        };
        folded.catch_up(&self.store, stored).await?;
        let focus = Focus::On(event);
        let before = folded.state.sheet(focus);
        folded.apply(stored, event)?;
        let effect = Effect {
            changes: changes(&before, &folded.state.sheet(focus)),
            asked: folded.asked(event),
            standing: folded.standing(),
        };
        self.streams.put(stored.stream.clone(), folded);
        Ok(effect)
    }

    /// Folds an event that is not asked for, if its stream is remembered: cheaper than to read it again later.
    ///
    /// # Errors
    /// As [`Folds::effect`].
    pub fn pass(&mut self, stored: &StoredEvent) -> Result<()> {
        if let Some(folded) = self.streams.peek_mut(&stored.stream)
            && folded.version + 1 == stored.version
        {
            folded.take(stored)?;
        }
        Ok(())
    }
}

impl Folded {
    fn before(first: &Event) -> Folded {
        Folded {
            state: State::before(first),
            version: 0,
            wishes: BTreeMap::new(),
        }
    }

    async fn catch_up(&mut self, store: &EventStore, to: &StoredEvent) -> Result<()> {
        while self.version + 1 < to.version {
            let missing = usize::try_from(to.version - self.version - 1).unwrap_or(PAGE);
            let page = store
                .read_stream(&to.stream, self.version + 1, missing.min(PAGE))
                .await?;
            let before = self.version;
            for stored in page.iter().take_while(|stored| stored.version < to.version) {
                self.take(stored)?;
            }
            if self.version == before {
                bail!(
                    "stream {} has no version {}, but version {}",
                    to.stream,
                    before + 1,
                    to.version
                );
            }
        }
        Ok(())
    }

    fn take(&mut self, stored: &StoredEvent) -> Result<()> {
        self.apply(stored, &codec::decode(stored)?)
    }

    fn apply(&mut self, stored: &StoredEvent, event: &Event) -> Result<()> {
        if stored.version != self.version + 1 {
            let (stream, found) = (&stored.stream, stored.version);
            bail!(
                "stream {stream} goes on with version {found} behind version {}",
                self.version
            );
        }
        self.state = evolved(
            std::mem::replace(&mut self.state, State::before(event)),
            stored,
            event,
        )?;
        self.version = stored.version;
        self.remember(stored, event);
        Ok(())
    }

    fn remember(&mut self, stored: &StoredEvent, event: &Event) {
        let Event::Position(of_position) = event else {
            return;
        };
        let Some(order) = of_position.order_id() else {
            return;
        };
        if kind_of(event) != AuditKind::Ask {
            return;
        }
        let asked = Some(Asked {
            actor: stored.actor.clone(),
            version: stored.version,
            request: stored.request_id,
        });
        let wishes = self.wishes.entry(order).or_default();
        match wish(of_position) {
            Wish::Place => wishes.place = asked,
            Wish::Cancel => wishes.cancel = asked,
            Wish::Replace => wishes.replace = asked,
        }
    }

    fn asked(&self, event: &Event) -> Option<Asked> {
        let Event::Position(of_position) = event else {
            return None;
        };
        if kind_of(event) == AuditKind::Ask {
            return None;
        }
        let wishes = self.wishes.get(&of_position.order_id()?)?;
        let nearest = match wish(of_position) {
            Wish::Place => &None,
            Wish::Cancel => &wishes.cancel,
            Wish::Replace => &wishes.replace,
        };
        nearest.clone().or_else(|| wishes.place.clone())
    }

    fn standing(&self) -> Option<Standing> {
        if let State::Position(position) = &self.state {
            Some(Standing::of(position))
        } else {
            None
        }
    }
}

/// The state behind the event.
///
/// # Errors
/// When the event is of another kind than its stream.
pub fn evolved(state: State, stored: &StoredEvent, event: &Event) -> Result<State> {
    state.evolve(event).or_else(|state| {
        bail!(
            "position {} of the log holds {} in {}, which is a {} stream",
            stored.position,
            stored.event_type,
            stored.stream,
            state.kind()
        )
    })
}

/// Which of a person's wishes about an order an event is, or answers.
enum Wish {
    Place,
    Cancel,
    Replace,
}

const fn wish(event: &PositionEvent) -> Wish {
    match event {
        PositionEvent::CancelRequested(_)
        | PositionEvent::CancelQueued(_)
        | PositionEvent::CancelRejected(_)
        | PositionEvent::CancelNotDelivered(_)
        | PositionEvent::OrderCanceled(_) => Wish::Cancel,
        PositionEvent::ReplaceRequested(_)
        | PositionEvent::OrderReplaced(_)
        | PositionEvent::ReplaceRejected(_)
        | PositionEvent::ReplaceNotDelivered(_) => Wish::Replace,
        PositionEvent::BodLoaded(_)
        | PositionEvent::BodContradicted(_)
        | PositionEvent::PrimaryTradeApplied(_)
        | PositionEvent::ExternalOrderObserved(_)
        | PositionEvent::ExternalOrderUpdated(_)
        | PositionEvent::SquareOffAccepted(_)
        | PositionEvent::OrderPlaced(_)
        | PositionEvent::OrderDispatched(_)
        | PositionEvent::OrderAcknowledged(_)
        | PositionEvent::OrderFrozen(_)
        | PositionEvent::OrderRejected(_)
        | PositionEvent::Executed(_)
        | PositionEvent::ExecutionConflicted(_)
        | PositionEvent::ExecutionBusted(_)
        | PositionEvent::ExecutionCorrected(_)
        | PositionEvent::TradeConfirmed(_)
        | PositionEvent::OverfillDetected(_)
        | PositionEvent::OrderExpired(_)
        | PositionEvent::OrderNotDelivered(_)
        | PositionEvent::OrderInDoubt(_)
        | PositionEvent::InDoubtResolved(_)
        | PositionEvent::ExposureBreached(_)
        | PositionEvent::PositionFrozen(_)
        | PositionEvent::PositionUnfrozen(_)
        | PositionEvent::PositionHandedBack(_)
        | PositionEvent::ReportContradicted(_)
        | PositionEvent::UnknownOrderReported(_) => Wish::Place,
    }
}
