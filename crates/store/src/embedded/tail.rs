//! Wakes subscribers. Appends of this process tell at once; those of other processes are found by one thread that looks at the
//! log's head, only while somebody subscribes, and no more often than the most eager of them wants.

use super::reader;
use crate::Position;
use rusqlite::Connection;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Between looks while other processes append, at the least: one look is some ten microseconds, a hundredth of a processor.
const BUSY_INTERVAL: Duration = Duration::from_millis(1);
/// Between looks when nothing has come for [`BUSY_FOR`]; the longest that another process's event waits for us.
const IDLE_INTERVAL: Duration = Duration::from_millis(10);
const BUSY_FOR: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Tail {
    head: Arc<watch::Sender<Position>>,
    demand: Arc<Demand>,
}

/// A subscriber's ear on the log's head.
#[derive(Debug)]
pub(crate) struct Watch {
    head: watch::Receiver<Position>,
    demand: Arc<Demand>,
    /// Between two looks for this one, while other processes append.
    interval: Duration,
}

#[derive(Debug, Default)]
struct Demand {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The interval of each watch.
    intervals: Vec<Duration>,
    closed: bool,
}

impl Tail {
    pub(super) fn start(
        connection: Connection,
        head: Arc<watch::Sender<Position>>,
    ) -> std::io::Result<Self> {
        let demand = Arc::new(Demand::default());
        let (its_head, its_demand) = (head.clone(), demand.clone());
        std::thread::Builder::new()
            .name("store-tail".into())
            .spawn(move || follow(&connection, &its_head, &its_demand))?;
        Ok(Tail { head, demand })
    }

    pub(super) fn watch(&self) -> Watch {
        self.demand.add(BUSY_INTERVAL);
        Watch {
            head: self.head.subscribe(),
            demand: self.demand.clone(),
            interval: BUSY_INTERVAL,
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.demand.update(|state| state.closed = true);
    }
}

impl Watch {
    /// For a subscriber that takes deliveries once in `pace`: it needs to be told no more than twice as often.
    pub(crate) fn paced(&mut self, pace: Duration) {
        let interval = (pace / 2).clamp(BUSY_INTERVAL, IDLE_INTERVAL);
        self.demand.add(interval);
        self.demand.remove(self.interval);
        self.interval = interval;
    }

    /// The log is known to hold events up to here, and may hold more.
    pub(crate) fn known(&self) -> Position {
        *self.head.borrow()
    }

    /// Returns when the log is known to hold an event behind `after`.
    pub(crate) async fn behind(&mut self, after: Position) {
        let grown = self.head.wait_for(|head| *head > after).await;
        grown.expect("the subscription holds the store, the store the sender");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.demand.remove(self.interval);
    }
}

impl Demand {
    fn add(&self, interval: Duration) {
        self.update(|state| state.intervals.push(interval));
    }

    fn remove(&self, interval: Duration) {
        self.update(|state| {
            let mut intervals = state.intervals.iter();
            if let Some(index) = intervals.position(|other| *other == interval) {
                state.intervals.swap_remove(index);
            }
        });
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        change(
            &mut self
                .state
                .lock()
                .expect("nothing panics while holding the demand"),
        );
        self.changed.notify_one();
    }

    /// Waits until somebody listens; the interval of the most eager. `None` when the store is closed.
    fn wait(&self) -> Option<Duration> {
        let state = self
            .state
            .lock()
            .expect("nothing panics while holding the demand");
        let wanted = self
            .changed
            .wait_while(state, |state| state.intervals.is_empty() && !state.closed)
            .expect("nothing panics while holding the demand");
        let eager = wanted.intervals.iter().min().copied();
        eager.filter(|_| !wanted.closed)
    }
}

/// Moves the known head forward, never back: the writer and the tail both tell.
pub(super) fn tell(head: &watch::Sender<Position>, position: Position) -> bool {
    head.send_if_modified(|known| {
        let grown = position > *known;
        *known = position.max(*known);
        grown
    })
}

fn follow(connection: &Connection, head: &watch::Sender<Position>, demand: &Demand) {
    let mut grown_at = Instant::now();
    let mut failing = false;
    while let Some(interval) = demand.wait() {
        match reader::head(connection) {
            Ok(position) => {
                failing = false;
                if tell(head, position) {
                    grown_at = Instant::now();
                }
            }
            Err(error) if !failing => {
                failing = true;
                tracing::error!(%error, "the event log's head could not be read: events of other processes wait");
            }
            Err(_) => {}
        }
        std::thread::sleep(pause(interval, grown_at.elapsed()));
    }
}

/// Until the next look, when the most eager wants one each `interval` and the log last grew so long ago.
fn pause(interval: Duration, unchanged_for: Duration) -> Duration {
    if unchanged_for < BUSY_FOR {
        interval
    } else {
        IDLE_INTERVAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_looked_at_as_often_as_the_most_eager_wants() {
        let (head, _) = watch::channel(Position::START);
        let (head, demand) = (Arc::new(head), Arc::new(Demand::default()));
        let tail = Tail {
            head,
            demand: demand.clone(),
        };
        let mut slow = tail.watch();
        slow.paced(Duration::from_secs(1));
        assert_eq!(demand.wait(), Some(IDLE_INTERVAL));
        let mut medium = tail.watch();
        assert_eq!(demand.wait(), Some(BUSY_INTERVAL));
        medium.paced(Duration::from_millis(6));
        assert_eq!(demand.wait(), Some(Duration::from_millis(3)));
        medium.paced(Duration::ZERO);
        assert_eq!(demand.wait(), Some(BUSY_INTERVAL));
        drop(medium);
        assert_eq!(demand.wait(), Some(IDLE_INTERVAL));
        let eager = Duration::from_millis(3);
        assert_eq!(pause(eager, Duration::ZERO), eager);
        assert_eq!(pause(eager, BUSY_FOR), IDLE_INTERVAL);
        drop(slow);
        drop(tail);
        assert_eq!(demand.wait(), None);
    }
}
