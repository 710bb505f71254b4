//! Wakes subscribers. Appends of this process tell at once; those of other processes are found by one thread that looks at the
//! log's head, and only while somebody subscribes.

use super::reader;
use crate::Position;
use rusqlite::Connection;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Between looks while other processes append: one look is some microseconds.
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
}

#[derive(Debug, Default)]
struct Demand {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    watches: usize,
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
        self.demand.update(|state| state.watches += 1);
        Watch {
            head: self.head.subscribe(),
            demand: self.demand.clone(),
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.demand.update(|state| state.closed = true);
    }
}

impl Watch {
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
        self.demand.update(|state| state.watches -= 1);
    }
}

impl Demand {
    fn update(&self, change: impl FnOnce(&mut State)) {
        change(
            &mut self
                .state
                .lock()
                .expect("nothing panics while holding the demand"),
        );
        self.changed.notify_one();
    }

    /// Waits until somebody listens. False when the store is closed.
    fn wait(&self) -> bool {
        let state = self
            .state
            .lock()
            .expect("nothing panics while holding the demand");
        let wanted = self
            .changed
            .wait_while(state, |state| state.watches == 0 && !state.closed);
        !wanted
            .expect("nothing panics while holding the demand")
            .closed
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
    while demand.wait() {
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
        std::thread::sleep(if grown_at.elapsed() < BUSY_FOR {
            BUSY_INTERVAL
        } else {
            IDLE_INTERVAL
        });
    }
}
