//! From the log to the wire: order events become messages, in the log's order, once.
//!
//! 1. What waits is handed on in the order of the log, so that everything at or below the journal's last position was journaled, or
//!    reported as dropped before anything behind it was handed on. That position is the subscription's checkpoint.
//! 2. An order whose cancel comes while it still waits here is dropped and never sent, and so is one that may no longer go (see
//!    `plan`). Once handed on an order counts as sent, and its cancel goes to the wire.
//! 3. At start nothing is handed on or dropped before the whole log has been read: an order that the log knows as sent or ended is
//!    not sent again, even when the journal was lost.
//! 4. When the log says that a market has closed, every position of it with orders that may still fill is told so, behind the
//!    reports that came before.
//! 5. A gateway that sees a higher fence than its own in the log stops.
//!
//! It does not wait for answers, and it does not know whether the peer is there: the session takes messages only while logged on.

use crate::index::Index;
use crate::plan::{Plan, Told};
use crate::queue::Queue;
use crate::record::{Fact, Recorder};
use futures::{Stream, StreamExt, stream};
use squareoff_domain::platform::{self, PlatformEvent};
use squareoff_domain::position::{
    CancelNotDelivered, CancelRejected, InDoubtResolved, OrderCanceled, OrderExpired,
    OrderNotDelivered, OrderRejected, Outcome, PositionEvent, ReplaceNotDelivered, ReplaceRejected,
};
use squareoff_domain::reference::ContractEvent;
use squareoff_domain::session::SessionEvent;
use squareoff_domain::{PositionKey, Quantity, Venue};
use squareoff_fix::OutboundMessage;
use squareoff_store::codec::{self, DecodeError, LogEvent};
use squareoff_store::{Delivery, EventStore, Position, StoredEvent};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

/// Events of one read of the log.
const BATCH: usize = 1_024;
/// Messages that wait for the session, some 500 bytes each. Above it the log is not read on: it is the queue. At start more may wait,
/// everything that the log holds unsent: only the log's end tells what of it still has to go.
const WAITING_MAX: usize = 65_536;
/// Positions told at once that their market has closed: they share a commit, and what waits to be sent does not wait long for them.
const ENDED_AT_ONCE: usize = 128;
/// Pause before a failed read or a failed report is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// Why the gateway sends nothing more.
#[derive(Debug, Error)]
pub enum OutboundError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("another gateway took the session over (fence {held} is now {highest})")]
    Fenced { held: u64, highest: u64 },
}

pub struct Outbound {
    pub venue: Venue,
    pub store: EventStore,
    pub index: Arc<Mutex<Index>>,
    pub recorder: Recorder,
    /// Name of the session's stream, and the fence we claimed in it.
    pub session_stream: String,
    pub fence: u64,
    /// The journal's last position: everything up to it was handed to the wire.
    pub sent_through: Position,
    /// The journal was made now: whatever an earlier life sent, it does not tell.
    pub journal_is_new: bool,
    pub session: mpsc::Sender<OutboundMessage>,
    /// Whether the session is logged on.
    pub up: watch::Receiver<bool>,
}

impl Outbound {
    /// Runs until the session's end of the channel is gone. `caught_up` is told once, when the log has been read to its end and what
    /// that showed is in it.
    ///
    /// # Errors
    /// [`OutboundError`]: the log holds what this release cannot read, or a higher fence.
    pub async fn run(self, caught_up: oneshot::Sender<()>) -> Result<(), OutboundError> {
        // A stream keeps a read that has begun while something else is done; reading would starve otherwise.
        let mut log = pin!(follow(self.store.clone()));
        let mut plan = Plan::new(self.venue);
        let mut caught_up = Some(caught_up);
        let mut up = self.up.clone();
        loop {
            // Reports of drops come before anything is handed on: see invariant 1.
            tokio::select! {
                biased;
                () = self.session.closed() => return Ok(()),
                () = self.report(&mut plan) => {}
            }
            if plan.live {
                // Nobody waits for it any more when the gateway is being stopped.
                let _ = caught_up.take().map(|tell| tell.send(()));
            }
            let may_send = plan.live && *up.borrow_and_update();
            if may_send {
                self.hand_on(&mut plan.waiting);
            }
            let may_read = !plan.live || plan.waiting.len() < WAITING_MAX;
            let has_more = plan.live && !plan.over.is_empty();
            tokio::select! {
                biased;
                () = self.session.closed() => return Ok(()),
                changed = up.changed() => if changed.is_err() { return Ok(()) },
                () = std::future::ready(()), if has_more => {}
                Some(delivery) = log.next(), if may_read => match delivery {
                    Delivery::Events(events) => self.read(&events, &mut plan)?,
                    Delivery::CaughtUp(_) => {
                        plan.go_live(self.journal_is_new, &format!("fence {}", self.fence));
                    }
                },
                Ok(permit) = self.session.reserve(), if may_send && !plan.waiting.is_empty() => {
                    if let Some(message) = plan.waiting.pop() {
                        permit.send(message);
                    }
                }
            }
        }
    }

    /// Hands the session what it has room for.
    fn hand_on(&self, waiting: &mut Queue) {
        while !waiting.is_empty() {
            let Ok(permit) = self.session.try_reserve() else {
                break;
            };
            if let Some(message) = waiting.pop() {
                permit.send(message);
            }
        }
    }

    /// Tells the positions which of their messages were not sent, and some of those whose market has closed; tried until it is in
    /// the log.
    async fn report(&self, plan: &mut Plan) {
        if !plan.live {
            return;
        }
        while !plan.told.is_empty() {
            let facts = self.facts(&plan.told);
            match self.recorder.record(facts).await {
                Ok(()) => plan.told.clear(),
                Err(error) => {
                    tracing::warn!(%error, messages = plan.told.len(), "what became of unsent messages could not be recorded, trying again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
        let some = plan.over.len().min(ENDED_AT_ONCE);
        while let Err(error) = self.recorder.end_sessions(&plan.over[..some]).await {
            tracing::warn!(%error, positions = plan.over.len(), "positions could not be told that their market closed, trying again");
            tokio::time::sleep(RETRY).await;
        }
        plan.over.drain(..some);
    }

    fn facts(&self, told: &[Told]) -> Vec<Fact> {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let fact = |told: &Told| Some((index.find(&told.cl_ord_id)?.order, told.report.clone()));
        told.iter().filter_map(fact).collect()
    }

    fn read(&self, events: &[StoredEvent], plan: &mut Plan) -> Result<(), OutboundError> {
        let of_venue = format!("-{}", self.venue);
        for stored in events {
            if *stored.stream == *self.session_stream {
                let event = SessionEvent::decode(stored)?;
                self.check_fence(&event)?;
                plan.session_changed(stored.position, &event);
            } else if *stored.stream == *platform::STREAM {
                plan.platform_changed(&PlatformEvent::decode(stored)?);
            } else if stored.stream.starts_with("contracts-") {
                if stored.stream.ends_with(&of_venue) {
                    let ContractEvent::ContractListed(listed) = ContractEvent::decode(stored)?;
                    plan.working.listed(&listed);
                }
            } else if let Some(key) = PositionKey::of_stream(&stored.stream)
                && key.venue == self.venue
            {
                self.learn(stored, &key, &PositionEvent::decode(stored)?, plan);
            } else {
                codec::check(stored)?;
            }
        }
        Ok(())
    }

    fn check_fence(&self, event: &SessionEvent) -> Result<(), OutboundError> {
        match event {
            SessionEvent::SessionClaimed(claimed) if claimed.fence > self.fence => {
                Err(OutboundError::Fenced {
                    held: self.fence,
                    highest: claimed.fence,
                })
            }
            SessionEvent::SessionClaimed(_)
            | SessionEvent::SessionReady(_)
            | SessionEvent::SessionDown(_) => Ok(()),
        }
    }

    fn learn(
        &self,
        stored: &StoredEvent,
        key: &PositionKey,
        event: &PositionEvent,
        plan: &mut Plan,
    ) {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let unsent = stored.position > self.sent_through;
        match event {
            PositionEvent::OrderPlaced(placed) => {
                index.placed(stored, placed);
                let (id, quantity) = (placed.order_id, placed.quantity);
                let stream = &stored.stream;
                plan.working
                    .placed(stream, key, id, quantity, Quantity::ZERO);
                if unsent {
                    plan.placed(stored, placed);
                }
            }
            PositionEvent::ExternalOrderObserved(observed) => {
                index.external(stored, observed);
                plan.external(&stored.stream, observed);
            }
            PositionEvent::ExternalOrderUpdated(updated) => {
                plan.working.said(updated.order_id, updated.cumulative);
            }
            PositionEvent::CancelRequested(requested) => {
                index.cancel_requested(requested);
                if unsent {
                    plan.cancel_requested(stored, requested);
                }
            }
            PositionEvent::CancelQueued(queued) => plan.cancel_queued(queued.order_id),
            PositionEvent::ReplaceRequested(requested) => {
                index.replace_requested(requested);
                if unsent {
                    plan.replace_requested(stored, requested);
                }
            }
            PositionEvent::OrderDispatched(dispatched) => {
                index.dispatched(dispatched.order_id);
                plan.was_sent(dispatched.order_id);
            }
            PositionEvent::OrderAcknowledged(acknowledged) => {
                index.answered(acknowledged.order_id);
                plan.was_sent(acknowledged.order_id);
            }
            PositionEvent::OrderFrozen(frozen) => {
                index.answered(frozen.order_id);
                plan.was_sent(frozen.order_id);
            }
            PositionEvent::Executed(executed) => {
                index.answered(executed.order_id);
                plan.executed(executed.order_id, executed.quantity);
            }
            PositionEvent::OrderReplaced(replaced) => {
                let (order_id, id) = (replaced.order_id, &replaced.cl_ord_id);
                index.replaced(id);
                plan.waiting.remove_change(order_id, id);
                plan.working.replaced(order_id, replaced.quantity);
            }
            PositionEvent::OrderCanceled(OrderCanceled { order_id, .. })
            | PositionEvent::OrderRejected(OrderRejected { order_id, .. })
            | PositionEvent::OrderExpired(OrderExpired { order_id, .. })
            | PositionEvent::OrderNotDelivered(OrderNotDelivered { order_id })
            | PositionEvent::InDoubtResolved(InDoubtResolved {
                order_id,
                outcome: Outcome::NotDelivered,
                ..
            }) => {
                index.answered(*order_id);
                plan.ended(*order_id);
            }
            PositionEvent::OrderInDoubt(doubted) => plan.in_doubt(doubted.order_id),
            PositionEvent::InDoubtResolved(InDoubtResolved {
                order_id,
                outcome: Outcome::Delivered,
                ..
            }) => index.answered(*order_id),
            PositionEvent::CancelRejected(CancelRejected {
                order_id,
                cl_ord_id,
                ..
            })
            | PositionEvent::CancelNotDelivered(CancelNotDelivered {
                order_id,
                cl_ord_id,
            })
            | PositionEvent::ReplaceRejected(ReplaceRejected {
                order_id,
                cl_ord_id,
                ..
            })
            | PositionEvent::ReplaceNotDelivered(ReplaceNotDelivered {
                order_id,
                cl_ord_id,
            }) => plan.waiting.remove_change(*order_id, cl_ord_id),
            PositionEvent::ExecutionBusted(busted) => {
                plan.working.unsettled(&stored.stream, key, busted.order_id);
            }
            PositionEvent::ExecutionCorrected(corrected) => {
                plan.working
                    .unsettled(&stored.stream, key, corrected.order_id);
            }
            PositionEvent::BodLoaded(_)
            | PositionEvent::BodContradicted(_)
            | PositionEvent::PrimaryTradeApplied(_)
            | PositionEvent::SquareOffAccepted(_)
            | PositionEvent::ExecutionConflicted(_)
            | PositionEvent::TradeConfirmed(_)
            | PositionEvent::OverfillDetected(_)
            | PositionEvent::ExposureBreached(_)
            | PositionEvent::PositionFrozen(_)
            | PositionEvent::PositionUnfrozen(_)
            | PositionEvent::PositionHandedBack(_)
            | PositionEvent::ReportContradicted(_)
            | PositionEvent::UnknownOrderReported(_) => {}
        }
    }
}

/// The log from its beginning, and on; a read that fails is tried again.
fn follow(store: EventStore) -> impl Stream<Item = Delivery> {
    let subscription = store.subscribe(Position::START);
    stream::unfold(subscription, |mut subscription| async move {
        loop {
            match subscription.next(BATCH).await {
                Ok(delivery) => return Some((delivery, subscription)),
                Err(error) => {
                    tracing::warn!(%error, "the event log could not be read, trying again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    })
}
