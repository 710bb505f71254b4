//! The kill switch's cancel-all: every order that worked in its scope when it was ordered is cancelled.
//!
//! Which orders those are is a matter of the log's order alone: what was placed before the order to cancel, and had not ended. So a
//! restart finds the same ones, and never cancels what was placed since. Each position is asked once, under an id made of the two.

use super::item;
use super::run::check_busy;
use super::worker::{PACE, Shared, WorkerError};
use crate::follow::{self, Progress};
use futures::stream::{self, StreamExt, TryStreamExt};
use squareoff_domain::platform::{HaltScope, PlatformEvent};
use squareoff_domain::position::{Position, PositionEvent};
use squareoff_domain::{Event, OrderId, PositionKey, Refusal, RequestId, TradingDate};
use squareoff_store::codec::{self, DecodeError};
use squareoff_store::{EventStore, StoredEvent};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use uuid::Uuid;

/// Positions that are asked at once. Cancels are not paced here: the gateway sends them before all else, at the rate the venue takes.
const AT_ONCE: usize = 64;
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// What an order's life is read from, and whose cancel-all it is.
const READ: &[&str] = &[
    "CancelAllOrdered",
    "Executed",
    "ExternalOrderObserved",
    "OrderCanceled",
    "OrderExpired",
    "OrderNotDelivered",
    "OrderPlaced",
    "OrderRejected",
    "PlatformActivated",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelAll {
    kill_id: RequestId,
    scope: HaltScope,
    date: TradingDate,
    orders: BTreeMap<Arc<str>, Vec<OrderId>>,
}

/// Orders that may still work: more than do, never less. What is asked is decided on the position itself.
#[derive(Default)]
struct Working {
    date: Option<TradingDate>,
    orders: HashMap<OrderId, (Arc<str>, u64)>,
}

/// Carries out what was ordered, oldest first; never ends by itself.
pub async fn run(store: EventStore, shared: &Shared) -> Result<(), WorkerError> {
    let (ordered, mut kills) = mpsc::unbounded_channel();
    let (progress, read) = watch::channel(Progress::default());
    let mut working = Working::default();
    let learn = move |events: &[StoredEvent]| working.learn(events, &ordered);
    let followed = follow::follow(store, PACE, progress, learn);
    let carried_out = async {
        while let Some(kill) = kills.recv().await {
            carry_out(shared, &kill).await?;
        }
        Ok(())
    };
    let stopped = async {
        followed.await;
        let reason = read.borrow().stopped.clone();
        Err::<(), _>(WorkerError::Stopped(reason.unwrap_or_default()))
    };
    tokio::try_join!(carried_out, stopped).map(drop)
}

async fn carry_out(shared: &Shared, kill: &CancelAll) -> Result<(), WorkerError> {
    // A cancel-all of an earlier day has nothing left to cancel: no order outlives its day.
    if shared.directory.platform().trading_date != Some(kill.date) {
        return Ok(());
    }
    tracing::warn!(kill.id = %kill.kill_id, positions = kill.orders.len(), "cancelling every working order in {}", kill.scope);
    stream::iter(&kill.orders)
        .map(Ok)
        .try_for_each_concurrent(AT_ONCE, |(stream, orders)| {
            cancel(shared, kill, stream, orders)
        })
        .await
}

async fn cancel(
    shared: &Shared,
    kill: &CancelAll,
    stream: &str,
    orders: &[OrderId],
) -> Result<(), WorkerError> {
    let Some(key) = PositionKey::of_stream(stream) else {
        return Ok(());
    };
    let gathered = shared.gathered(&key);
    // Without its contract nobody knows the segment: what may fall under the switch does.
    let covered = match (&gathered.contract, kill.scope) {
        (Some(contract), scope) => scope.covers(key.venue, contract.segment),
        (None, HaltScope::All) => true,
        (None, HaltScope::Venue(venue) | HaltScope::Segment { venue, .. }) => venue == key.venue,
    };
    if !covered {
        return Ok(());
    }
    let request = RequestId(Uuid::new_v5(&kill.kill_id.0, stream.as_bytes()));
    let actor = format!("cancel-all-{}", kill.kill_id).into();
    let caller = gathered.caller(&actor, request, kill.kill_id.0);
    let decide = |position: &Position| {
        let context = gathered.context();
        let wanted = |id, _: &_| orders.contains(&id);
        Ok::<_, Refusal>((item::cancel(position, request, wanted, &context), ()))
    };
    loop {
        match shared.positions.transact(stream, &caller, decide).await {
            Ok(_) => return Ok(()),
            Err(error) => check_busy(error)?,
        }
        sleep(BUSY_PAUSE).await;
    }
}

impl Working {
    fn learn(
        &mut self,
        events: &[StoredEvent],
        ordered: &mpsc::UnboundedSender<CancelAll>,
    ) -> Result<(), DecodeError> {
        let read = events
            .iter()
            .filter(|stored| READ.contains(&&*stored.event_type));
        for stored in read {
            match codec::decode(stored)? {
                Event::Position(event) => self.follow(&stored.stream, &event),
                Event::Platform(PlatformEvent::PlatformActivated(activated)) => {
                    let date = activated.trading_date;
                    if self.date != Some(date) {
                        let of_date = |stream: &str| {
                            PositionKey::of_stream(stream).is_some_and(|key| key.date == date)
                        };
                        self.orders.retain(|_, (stream, _)| of_date(stream));
                        self.date = Some(date);
                    }
                }
                Event::Platform(PlatformEvent::CancelAllOrdered(order)) => {
                    if let Some(date) = self.date {
                        let kill = self.cancel_all(order.kill_id, order.scope, date);
                        ordered.send(kill).ok();
                    }
                }
                Event::Approval(_)
                | Event::Bulk(_)
                | Event::Client(_)
                | Event::Contract(_)
                | Event::Person(_)
                | Event::Platform(_)
                | Event::Refusal(_)
                | Event::Seal(_)
                | Event::Session(_)
                | Event::Suspense(_) => {}
            }
        }
        Ok(())
    }

    fn follow(&mut self, stream: &Arc<str>, event: &PositionEvent) {
        match event {
            PositionEvent::OrderPlaced(placed) => {
                let entry = (Arc::clone(stream), placed.quantity.units());
                self.orders.insert(placed.order_id, entry);
            }
            PositionEvent::ExternalOrderObserved(observed) => {
                let left = observed.quantity.minus(observed.cumulative);
                let entry = (Arc::clone(stream), left.units());
                self.orders.insert(observed.order_id, entry);
            }
            PositionEvent::Executed(executed) => {
                if let Some((_, left)) = self.orders.get_mut(&executed.order_id) {
                    *left = left.saturating_sub(executed.quantity.units());
                    if *left == 0 {
                        self.orders.remove(&executed.order_id);
                    }
                }
            }
            ended => {
                if let Some(order) = ended.order_id() {
                    self.orders.remove(&order);
                }
            }
        }
    }

    fn cancel_all(&self, kill_id: RequestId, scope: HaltScope, date: TradingDate) -> CancelAll {
        let mut orders: BTreeMap<Arc<str>, Vec<OrderId>> = BTreeMap::new();
        for (order, (stream, _)) in &self.orders {
            if PositionKey::of_stream(stream).is_some_and(|key| key.date == date) {
                orders.entry(Arc::clone(stream)).or_default().push(*order);
            }
        }
        CancelAll {
            kill_id,
            scope,
            date,
            orders,
        }
    }
}
