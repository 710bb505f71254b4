//! Wakes subscribers: a catch-up subscription to `$all` says at once that the log has grown, and a watchdog looks for itself.
//!
//! 1. Events are not taken from the subscription: it moves the known head alone, and each subscriber reads from its own place. So a
//!    subscription that loses or repeats events costs some milliseconds and never an event.
//! 2. It runs on a thread and runtime of its own. The crate's subscription spins without ever yielding once its server has ended it
//!    cleanly, and would take its runtime with it. All it does in that loop is to log a warning, so the warning is where the loop is
//!    left ([`Breaker`]).
//! 3. The watchdog reads the log's head; a subscription that has not told of what stood there a look ago is given up for a new one.
//!
//! Both run only while somebody subscribes.

use super::Core;
use super::address::Address;
use super::clients::Clients;
use super::read;
use crate::Position;
use kurrentdb::{StreamPosition, SubscribeToAllOptions, SubscriptionEvent};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// Between two looks at the log's head: the longest that an event waits when the subscription has died in silence.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Behind a subscription that ended: the next one may end as well.
const AGAIN_PAUSE: Duration = Duration::from_millis(50);
/// Looks that a subscription has to be confirmed by the server.
const LOOKS_MAX: u32 = 10;
/// Warnings in a row, without an event between them, that are the spin and no stray message.
const SPINS_MAX: u32 = 64;
/// What the crate logs in the loop it does not leave.
const SPIN_WARNING: &str = "unknown subscription message";

#[derive(Debug)]
pub(super) struct Tail {
    head: Arc<watch::Sender<Position>>,
    demand: Arc<watch::Sender<usize>>,
}

/// A subscriber's ear on the log's head.
#[derive(Debug)]
pub(crate) struct Watch {
    head: watch::Receiver<Position>,
    demand: Arc<watch::Sender<usize>>,
}

impl Tail {
    /// Starts the watchdog, which ends with this handle.
    pub(super) fn start(core: Arc<Core>) -> Self {
        let (demand, wanted) = watch::channel(0);
        let head = core.head.clone();
        tokio::spawn(watchdog(core, wanted));
        Tail {
            head,
            demand: Arc::new(demand),
        }
    }

    pub(super) fn watch(&self) -> Watch {
        self.demand.send_modify(|watches| *watches += 1);
        Watch {
            head: self.head.subscribe(),
            demand: self.demand.clone(),
        }
    }
}

impl Watch {
    /// Returns when the log is known to hold an event behind `after`.
    pub(crate) async fn behind(&mut self, after: Position) {
        let grown = self.head.wait_for(|head| *head > after).await;
        grown.expect("the subscription holds the store, the store the sender");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.demand.send_modify(|watches| *watches -= 1);
    }
}

/// Moves the known head forward, never back.
pub(super) fn tell(head: &watch::Sender<Position>, position: Position) {
    head.send_if_modified(|known| {
        let grown = position > *known;
        *known = position.max(*known);
        grown
    });
}

async fn watchdog(core: Arc<Core>, mut wanted: watch::Receiver<usize>) {
    while wanted.wait_for(|watches| *watches > 0).await.is_ok() {
        let mut ear = Ear::start(&core);
        let mut before = Position::START;
        let mut looks = 0;
        while *wanted.borrow() > 0 {
            let until = Instant::now() + LOOK_INTERVAL;
            // A server that can't be reached is the readers' to report.
            if let Ok(head) = core.head_by(until).await {
                if ear.state.confirmed.load(Ordering::Acquire) {
                    // What stood there before it was confirmed is none of its business.
                    ear.from.get_or_insert(head);
                }
                looks += 1;
                let deaf = ear
                    .heard()
                    .map_or(looks > LOOKS_MAX, |heard| heard < before);
                before = head;
                tell(&core.head, head);
                if deaf {
                    tracing::warn!(
                        "the subscription to the event log fell silent and is taken up again"
                    );
                    ear = Ear::start(&core);
                    looks = 0;
                }
            }
            tokio::select! {
                () = sleep(LOOK_INTERVAL) => {}
                () = ear.state.changed.notified() => {}
                gone = wanted.changed() => if gone.is_err() { return },
            }
            if ear.state.ended.load(Ordering::Acquire) {
                sleep(AGAIN_PAUSE).await;
                ear = Ear::start(&core);
                looks = 0;
            }
        }
    }
}

/// One subscription, on its own thread. Dropping it ends the thread.
struct Ear {
    state: Arc<State>,
    /// The log's head after the server had confirmed it.
    from: Option<Position>,
    _stop: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    heard: AtomicU64,
    confirmed: AtomicBool,
    ended: AtomicBool,
    changed: Notify,
}

impl Ear {
    fn start(core: &Arc<Core>) -> Self {
        let state = Arc::new(State::default());
        let (stop, stopped) = watch::channel(());
        let (head, address) = (core.head.clone(), core.clients.address().clone());
        let its = state.clone();
        let started = std::thread::Builder::new()
            .name("store-kurrent-tail".into())
            .spawn(move || {
                listen(address, &its, &head, stopped);
                its.ended.store(true, Ordering::Release);
                its.changed.notify_one();
            });
        if let Err(error) = started {
            tracing::error!(%error, "no thread for the subscription to the event log: its head is looked at instead");
        }
        Ear {
            state,
            from: None,
            _stop: stop,
        }
    }

    /// Up to where it has told; `None` before it was confirmed.
    fn heard(&self) -> Option<Position> {
        let heard = Position::from_u64(self.state.heard.load(Ordering::Acquire));
        self.from.map(|from| from.max(heard))
    }
}

fn listen(
    address: Address,
    state: &State,
    head: &watch::Sender<Position>,
    stopped: watch::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return;
    };
    let spins = Arc::new(AtomicU32::new(0));
    let breaker = Dispatch::new(Breaker {
        spins: spins.clone(),
    });
    let listening = || {
        tracing::dispatcher::with_default(&breaker, || {
            runtime.block_on(subscribe(address, state, head, stopped, &spins))
        })
    };
    // An error here is one of a session that is over; the watchdog takes up the next.
    let _ = catch_unwind(AssertUnwindSafe(listening));
    runtime.shutdown_background();
}

async fn subscribe(
    address: Address,
    state: &State,
    head: &watch::Sender<Position>,
    mut stopped: watch::Receiver<()>,
    spins: &AtomicU32,
) {
    let until = Instant::now() + address.answer_max();
    let clients = Clients::new(address);
    let Ok(live) = clients.live(until).await else {
        return;
    };
    let options = SubscribeToAllOptions::default()
        .position(StreamPosition::End)
        .requires_leader(true)
        .filter(read::filter());
    let mut subscription = live.client.subscribe_to_all(&options).await;
    loop {
        let event = tokio::select! {
            event = subscription.next_subscription_event() => event,
            // The sender is gone.
            _ = stopped.changed() => return,
        };
        spins.store(0, Ordering::Relaxed);
        match event {
            Ok(SubscriptionEvent::EventAppeared(event)) => {
                let Some(event) = &event.event else { continue };
                if let Ok(position) = read::position(event) {
                    state.heard.fetch_max(position.as_u64(), Ordering::AcqRel);
                    tell(head, position);
                }
            }
            Ok(SubscriptionEvent::Confirmed(_)) => {
                state.confirmed.store(true, Ordering::Release);
                state.changed.notify_one();
            }
            // Of a stream that was passed over, or of nothing: no event of ours.
            Ok(
                SubscriptionEvent::Checkpoint(_)
                | SubscriptionEvent::FirstStreamPosition(_)
                | SubscriptionEvent::LastStreamPosition(_)
                | SubscriptionEvent::LastAllPosition(_)
                | SubscriptionEvent::CaughtUp(_)
                | SubscriptionEvent::FellBehind(_),
            ) => {}
            Err(_) => return,
        }
    }
}

/// What the subscription's thread logs to: it unwinds out of the loop that the crate does not leave, and keeps the crate's own words
/// out of our log, where the supervisor says what matters.
struct Breaker {
    spins: Arc<AtomicU32>,
}

impl Subscriber for Breaker {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::WARN)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut spin = IsSpin(false);
        event.record(&mut spin);
        if spin.0 && self.spins.fetch_add(1, Ordering::Relaxed) >= SPINS_MAX {
            // No panic: nothing is wrong here, and nothing is to be printed.
            resume_unwind(Box::new("the subscription was ended by its server"));
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct IsSpin(bool);

impl Visit for IsSpin {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}").contains(SPIN_WARNING);
        }
    }
}
