//! From the log to the wire: order events become messages, in the log's order, once.
//!
//! 1. What waits is handed on in the order of the log, so that everything at or below the journal's last position was journaled, or
//!    reported as dropped before anything behind it was handed on. That position is the subscription's checkpoint.
//! 2. An order whose cancel comes while it still waits here is dropped and never sent. Once handed on it counts as sent, and its cancel
//!    goes to the wire.
//! 3. At start nothing is handed on before the whole log has been read: an end that the log already knows is not sent again.
//!
//! It does not wait for answers, and it does not know whether the peer is there: the session takes messages only while logged on.

use crate::index::Index;
use crate::queue::Queue;
use crate::record::Recorder;
use crate::translate;
use squareoff_domain::position::{OrderCanceled, OrderExpired, OrderNotDelivered, OrderRejected, PositionEvent, Report};
use squareoff_domain::{ClOrdId, PositionKey, Venue};
use squareoff_fix::OutboundMessage;
use squareoff_store::codec::{DecodeError, LogEvent};
use squareoff_store::{Delivery, EventStore, Position, ReadError, StoredEvent};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

/// Events of one read of the log.
const BATCH: usize = 1_024;
/// Messages that wait for the session. Above it the log is not read on: it is the queue.
const WAITING_MAX: usize = 65_536;
/// Pause before a failed read or a failed report is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// Why the gateway sends nothing more.
#[derive(Debug, Error)]
pub enum OutboundError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

pub struct Outbound {
    pub venue: Venue,
    pub store: EventStore,
    pub index: Arc<Mutex<Index>>,
    pub recorder: Recorder,
    /// The journal's last position: everything up to it was handed to the wire.
    pub sent_through: Position,
    pub session: mpsc::Sender<OutboundMessage>,
    /// Whether the session is logged on.
    pub up: watch::Receiver<bool>,
}

impl Outbound {
    /// Runs until the session's end of the channel is gone. `caught_up` is told once, when the log has been read to its end.
    ///
    /// # Errors
    /// [`OutboundError`]: the log holds what this release cannot read.
    pub async fn run(self, caught_up: oneshot::Sender<()>) -> Result<(), OutboundError> {
        let mut subscription = self.store.subscribe(Position::START);
        let mut waiting = Queue::default();
        let mut dropped: Vec<ClOrdId> = Vec::new();
        let mut caught_up = Some(caught_up);
        let mut up = self.up.clone();
        loop {
            // Reports of drops come before anything is handed on: see invariant 1.
            let ready = caught_up.is_none();
            if ready {
                self.report(&mut dropped).await;
            }
            let is_up = *up.borrow_and_update();
            if ready && is_up {
                self.hand_on(&mut waiting);
            }
            let may_send = ready && is_up && !waiting.is_empty();
            tokio::select! {
                biased;
                () = self.session.closed() => return Ok(()),
                delivery = subscription.next(BATCH), if waiting.len() < WAITING_MAX => match delivery {
                    Ok(Delivery::Events(events)) => self.read(&events, &mut waiting, &mut dropped)?,
                    Ok(Delivery::CaughtUp(_)) => drop(caught_up.take().map(|tell| tell.send(()))),
                    Err(error) => pause(&error).await,
                },
                permit = self.session.reserve(), if may_send => {
                    if let (Ok(permit), Some(message)) = (permit, waiting.pop()) {
                        permit.send(message);
                    }
                }
                changed = up.changed(), if !may_send => if changed.is_err() { return Ok(()) },
            }
        }
    }

    /// Hands the session what it has room for.
    fn hand_on(&self, waiting: &mut Queue) {
        while !waiting.is_empty() {
            let Ok(permit) = self.session.try_reserve() else { break };
            if let Some(message) = waiting.pop() {
                permit.send(message);
            }
        }
    }

    /// Tells the positions which of their orders were dropped; tried until it is in the log.
    async fn report(&self, dropped: &mut Vec<ClOrdId>) {
        while let Some(cl_ord_id) = dropped.last() {
            let known = self.index.lock().unwrap_or_else(PoisonError::into_inner).find(cl_ord_id);
            let report = Report::DroppedUnsent { cl_ord_id: cl_ord_id.clone() };
            match known {
                None => drop(dropped.pop()),
                Some(known) => match self.recorder.record(&known, vec![report]).await {
                    Ok(()) => drop(dropped.pop()),
                    Err(error) => {
                        tracing::warn!(%error, cl_ord_id = %cl_ord_id, "an unsent order could not be reported as dropped, trying again");
                        tokio::time::sleep(RETRY).await;
                    }
                },
            }
        }
    }

    fn read(&self, events: &[StoredEvent], waiting: &mut Queue, dropped: &mut Vec<ClOrdId>) -> Result<(), DecodeError> {
        for stored in events {
            let ours = PositionKey::of_stream(&stored.stream).is_some_and(|key| key.venue == self.venue);
            if ours {
                let event = PositionEvent::decode(stored)?;
                self.learn(stored, &event, waiting, dropped);
            }
        }
        Ok(())
    }

    fn learn(&self, stored: &StoredEvent, event: &PositionEvent, waiting: &mut Queue, dropped: &mut Vec<ClOrdId>) {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let unsent = stored.position > self.sent_through;
        match event {
            PositionEvent::OrderPlaced(placed) => {
                index.placed(&stored.stream, stored.epoch, placed);
                if unsent {
                    let message = translate::new_order(placed, stored.occurred_at);
                    waiting.push_order(placed.order_id, &placed.cl_ord_id, stored.position, &message);
                }
            }
            PositionEvent::CancelRequested(requested) => {
                index.cancel_requested(requested);
                match waiting.remove_order(requested.order_id) {
                    Some(order) => dropped.push(order),
                    None if unsent => {
                        let message = translate::cancel(requested, stored.occurred_at);
                        waiting.push_cancel(&requested.cl_ord_id, stored.position, &message);
                    }
                    None => {}
                }
            }
            PositionEvent::OrderDispatched(dispatched) => {
                index.dispatched(dispatched.order_id);
                // Read at start, with a journal that was lost: the log knows that the order had been handed to the wire.
                if let Some(order) = waiting.remove_order(dispatched.order_id) {
                    tracing::error!(cl_ord_id = %order, "the log knows an order as sent that the journal does not; it is not sent again");
                }
            }
            // The log knows the end of an order that still waits (read at start): neither it nor its cancels go out.
            PositionEvent::OrderCanceled(OrderCanceled { order_id, .. })
            | PositionEvent::OrderRejected(OrderRejected { order_id, .. })
            | PositionEvent::OrderExpired(OrderExpired { order_id })
            | PositionEvent::OrderNotDelivered(OrderNotDelivered { order_id }) => {
                if let Some(order) = waiting.remove_order(*order_id) {
                    tracing::error!(cl_ord_id = %order, "an order had ended in the log while it still waited here; it is not sent");
                }
                let ended = index.cl_ord_id_of(*order_id);
                dropped.retain(|order| Some(order) != ended.as_ref());
            }
            PositionEvent::BodLoaded(_)
            | PositionEvent::BodContradicted(_)
            | PositionEvent::SquareOffAccepted(_)
            | PositionEvent::OrderAcknowledged(_)
            | PositionEvent::Executed(_)
            | PositionEvent::ExecutionConflicted(_)
            | PositionEvent::OverfillDetected(_)
            | PositionEvent::CancelRejected(_)
            | PositionEvent::CancelNotDelivered(_)
            | PositionEvent::ExposureBreached(_)
            | PositionEvent::UnknownOrderReported(_) => {}
        }
    }
}

async fn pause(error: &ReadError) {
    tracing::warn!(%error, "the event log could not be read, trying again");
    tokio::time::sleep(RETRY).await;
}
