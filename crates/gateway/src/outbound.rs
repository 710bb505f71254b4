//! From the log to the wire: order events become messages, once, at the pace and in the order that the sessions' rates leave.
//!
//! 1. The journals are the checkpoint: a message has gone when one of them holds its id, and has not when none does. So messages may
//!    overtake each other (`turns` says how), and a crash at any point loses none and repeats none.
//! 2. An order whose cancel comes while it still waits here is dropped and never sent, and so is one that may no longer go (see
//!    `plan`). Once handed on an order counts as sent, and its cancel goes to the wire.
//! 3. At start nothing is handed on or dropped before the whole log has been read: an order that the log knows as sent or ended is
//!    not sent again, even when the journal was lost.
//! 4. When the log says that a market has closed, every position of it with orders that may still fill is told so, behind the
//!    reports that came before.
//! 5. A gateway that sees a higher fence than its own in the log stops.
//! 6. Nothing is handed on before the session is ready in the log as it has been read here: by then all is known that the venue said
//!    before it was.
//! 7. When people disconnect the venue its sessions log out, and stay away until they reconnect it, over restarts too.
//!
//! It does not wait for answers, and it does not know whether the peer is there: the session takes messages only while logged on.

use crate::index::Index;
use crate::lanes::Lanes;
use crate::plan::{Plan, Told};
use crate::record::{Fact, Recorder};
use crate::throttle::Throttle;
use crate::venue::Protocol;
use futures::future::select_all;
use futures::{Stream, StreamExt, stream};
use squareoff_domain::platform::{self, PlatformEvent};
use squareoff_domain::position::{
    CancelNotDelivered, CancelRejected, InDoubtResolved, OrderCanceled, OrderExpired,
    OrderNotDelivered, OrderRejected, Outcome, PositionEvent, ReplaceNotDelivered, ReplaceRejected,
};
use squareoff_domain::reference::ContractEvent;
use squareoff_domain::session::{self, SessionEvent};
use squareoff_domain::{PositionKey, Quantity, Venue};
use squareoff_fix::OutboundMessage;
use squareoff_store::codec::{self, DecodeError, LogEvent};
use squareoff_store::{Delivery, EventStore, Position, StoredEvent};
use std::collections::HashSet;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

/// Events of one read of the log.
const BATCH: usize = 1_024;
/// Messages that wait for the sessions, some 700 bytes each. Above it the log is not read on: it is the queue, but its cancels are not seen
/// then, so this is more than a day's worst backlog. At start more may wait, everything that the log holds unsent: only the log's end
/// tells what of it still has to go.
const WAITING_MAX: usize = 262_144;
/// Positions told at once that their market has closed: they share a commit, and what waits to be sent does not wait long for them.
const ENDED_AT_ONCE: usize = 128;
/// What comes within so long of a read comes with the next: a read has its price however little it brings, and most of what comes are
/// this process's own reports.
const PACE: Duration = Duration::from_millis(2);
/// Pause before a failed read or a failed report is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// Why the gateway sends nothing more.
#[derive(Debug, Error)]
pub enum OutboundError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("another gateway took {stream} over (fence {held} is now {highest})")]
    Fenced {
        stream: String,
        held: u64,
        highest: u64,
    },
}

pub struct Outbound {
    pub venue: Venue,
    pub protocol: Protocol,
    pub store: EventStore,
    pub index: Arc<Mutex<Index>>,
    pub recorder: Recorder,
    /// Never empty.
    pub lanes: Vec<Lane>,
    /// What the journals hold.
    pub handed: Lanes,
    /// Whether the sessions are to be connected: not before the log is read, and not while people have disconnected the venue.
    pub wanted: watch::Sender<bool>,
    /// Streams of the sessions whose journals tell all that they were ever given.
    pub told: HashSet<String>,
}

/// The way to one session.
pub struct Lane {
    /// Name of the session's stream, and the fence we claimed in it.
    pub stream: String,
    pub fence: u64,
    pub session: mpsc::Sender<OutboundMessage>,
    /// Whether the session is logged on.
    pub up: watch::Receiver<bool>,
    pub throttle: Arc<Mutex<Throttle>>,
}

/// What a session waits for before it can be given more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// Something new in the log, or its log-on.
    News,
    Room,
    Until(Instant),
}

impl Outbound {
    /// Runs until a session's end of its channel is gone. `caught_up` is told once, when the log has been read to its end and what
    /// that showed is in it.
    ///
    /// # Errors
    /// [`OutboundError`]: the log holds what this release cannot read, or a higher fence.
    pub async fn run(mut self, caught_up: oneshot::Sender<()>) -> Result<(), OutboundError> {
        // A stream keeps a read that has begun while something else is done; reading would starve otherwise.
        let mut log = pin!(follow(self.store.clone()));
        let handed = std::mem::take(&mut self.handed);
        let mut plan = Plan::new(self.venue, self.protocol, handed);
        let mut caught_up = Some(caught_up);
        let mut ups = Vec::from_iter(self.lanes.iter().map(|lane| lane.up.clone()));
        loop {
            // Reports of drops come before anything is handed on.
            tokio::select! {
                biased;
                () = self.closed() => return Ok(()),
                () = self.report(&mut plan) => {}
            }
            if plan.live {
                self.wanted.send_if_modified(|wanted| {
                    std::mem::replace(wanted, !plan.is_disconnected()) != *wanted
                });
                // Nobody waits for it any more when the gateway is being stopped.
                let _ = caught_up.take().map(|tell| tell.send(()));
            }
            let are_up = Vec::from_iter(ups.iter_mut().map(|up| *up.borrow_and_update()));
            let hand_on = |(number, up): (usize, &bool)| {
                let lane = &self.lanes[number];
                match plan.live && *up && plan.is_ready(&lane.stream) {
                    true => lane.hand_on(number, &mut plan),
                    false => Wait::News,
                }
            };
            let waits = Vec::from_iter(are_up.iter().enumerate().map(hand_on));
            let may_read = !plan.live || plan.waiting.len() < WAITING_MAX;
            let has_more = plan.live && !plan.over.is_empty();
            tokio::select! {
                biased;
                () = self.closed() => return Ok(()),
                changed = any_changed(&mut ups) => if changed.is_err() { return Ok(()) },
                () = std::future::ready(()), if has_more => {}
                Some(delivery) = log.next(), if may_read => match delivery {
                    Delivery::Events(events) => self.read(&events, &mut plan)?,
                    Delivery::CaughtUp(_) => {
                        plan.go_live(&self.told, &format!("fence {}", self.lanes[0].fence));
                    }
                },
                () = self.may_go_on(&waits) => {}
            }
        }
    }

    /// Waits until a session's end of its channel is gone.
    async fn closed(&self) {
        select_all(
            self.lanes
                .iter()
                .map(|lane| Box::pin(lane.session.closed())),
        )
        .await;
    }

    /// Waits until one of the sessions can be given more.
    async fn may_go_on(&self, waits: &[Wait]) {
        let lanes = self.lanes.iter().zip(waits);
        select_all(lanes.map(|(lane, wait)| Box::pin(lane.can_take(*wait)))).await;
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
        let sessions = session::stream(self.venue, "");
        for stored in events {
            if stored.stream.starts_with(&sessions) {
                let event = SessionEvent::decode(stored)?;
                self.check_fence(&stored.stream, &event)?;
                plan.session_changed(&stored.stream, stored.position, &event);
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
                let event = PositionEvent::decode(stored)?;
                self.recorder.learn(stored, &event);
                self.learn(stored, &key, &event, plan);
            } else {
                codec::check(stored)?;
            }
        }
        Ok(())
    }

    fn check_fence(&self, stream: &str, event: &SessionEvent) -> Result<(), OutboundError> {
        let Some(lane) = self.lanes.iter().find(|lane| lane.stream == stream) else {
            return Ok(());
        };
        match event {
            SessionEvent::SessionClaimed(claimed) if claimed.fence > lane.fence => {
                Err(OutboundError::Fenced {
                    stream: lane.stream.clone(),
                    held: lane.fence,
                    highest: claimed.fence,
                })
            }
            SessionEvent::SessionClaimed(_)
            | SessionEvent::SessionReady(_)
            | SessionEvent::SessionKept(_)
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
        match event {
            PositionEvent::OrderPlaced(placed) => {
                index.placed(stored, placed);
                let (id, quantity) = (placed.order_id, placed.quantity);
                let stream = &stored.stream;
                plan.working
                    .placed(stream, key, id, quantity, Quantity::ZERO);
                plan.placed(stored, placed);
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
                plan.cancel_requested(stored, requested);
            }
            PositionEvent::CancelQueued(queued) => plan.cancel_queued(queued.order_id),
            PositionEvent::ReplaceRequested(requested) => {
                index.replace_requested(requested);
                plan.replace_requested(stored, requested);
            }
            PositionEvent::OrderDispatched(dispatched) => {
                let (order_id, session) = (dispatched.order_id, &dispatched.session);
                index.dispatched(order_id, session);
                plan.lanes.dispatched(order_id, &key.client, session);
                plan.was_sent(order_id);
            }
            PositionEvent::OrderAcknowledged(acknowledged) => {
                index.numbered(acknowledged.order_id, &acknowledged.exchange_order_id);
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
        index.follow(event);
    }
}

impl Lane {
    /// Hands the session what it has room for and its rate allows.
    fn hand_on(&self, number: usize, plan: &mut Plan) -> Wait {
        let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        while !plan.waiting.is_empty(number) {
            let Ok(permit) = self.session.try_reserve() else {
                return Wait::Room;
            };
            let now = Instant::now();
            if !throttle.take(now) {
                return Wait::Until(throttle.ready_at(now));
            }
            if let Some(message) = plan.waiting.pop(number) {
                permit.send(message);
            }
        }
        Wait::News
    }

    async fn can_take(&self, wait: Wait) {
        match wait {
            Wait::News => std::future::pending().await,
            // An error means that the session is gone, which `closed` tells.
            Wait::Room => drop(self.session.reserve().await),
            Wait::Until(at) => tokio::time::sleep_until(at.into()).await,
        }
    }
}

async fn any_changed(ups: &mut [watch::Receiver<bool>]) -> Result<(), watch::error::RecvError> {
    select_all(ups.iter_mut().map(|up| Box::pin(up.changed())))
        .await
        .0
}

/// The log from its beginning, and on; a read that fails is tried again.
fn follow(store: EventStore) -> impl Stream<Item = Delivery> {
    let subscription = store.subscribe(Position::START).paced(PACE);
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
