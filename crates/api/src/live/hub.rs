//! Who listens, and the handing over of each change to those whom it concerns.
//!
//! 1. Every reader is shown each change that it may see once, in the log's order: what it missed comes from the window, and it begins to
//!    listen under the lock that changes are published under, when the window holds nothing more for it.
//! 2. Each reader has a queue of its own. A full one costs that reader its place among those who listen, and nobody else anything: it goes
//!    on from the window, where it was.
//! 3. Memory is bounded: the window, and a queue for each of a bounded number of readers.

use super::access::{Audience, Filter, Gate};
use super::change::Change;
use super::topics::Topics;
use super::window::Window;
use squareoff_domain::ClientCode;
use squareoff_store::Position;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{mpsc, watch};

/// Changes that one look at the window passes, so that nobody holds the lock for long.
const LOOK_MAX: usize = 8_192;

/// What a node gives to its live readers.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub readers_max: usize,
    pub readers_per_person_max: usize,
    /// Changes that wait for one reader.
    pub queue_max: usize,
    /// How many changes further behind the log a reader may fall before it is sent away.
    pub lag_max: usize,
    pub window_changes_max: usize,
    pub window_bytes_max: usize,
    /// Events before the log's end that the window begins with.
    pub window_begin_events: u64,
    pub heartbeat: Duration,
    /// For so long a peer may take nothing of what waits for it, or not answer, before its connection is given up.
    pub silence_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            readers_max: 12_000,
            readers_per_person_max: 16,
            queue_max: 256,
            lag_max: 8_192,
            window_changes_max: 65_536,
            window_bytes_max: 64 << 20,
            window_begin_events: 16_384,
            heartbeat: Duration::from_secs(15),
            silence_max: Duration::from_secs(30),
        }
    }
}

/// Why nobody can listen now.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotNow {
    #[error("still reading the event log")]
    Reading,
    #[error("{0}")]
    Stopped(String),
    #[error("the server is closing")]
    Closing,
    #[error("{0} live connections are open already, as many as this node holds")]
    Full(usize),
    #[error("you have {0} live connections already: close one first")]
    TooManyOfOne(usize),
}

/// What a reader's queue holds.
pub(super) type Shown = (Arc<Change>, Topics);

/// What there is for a reader that does not listen yet.
pub(super) enum Caught {
    /// The next ones, and up to where the window was looked through.
    Changes(Vec<Shown>, Position),
    /// Nothing more: from here on it listens.
    Listening(mpsc::Receiver<Shown>),
    /// The window begins later; the log is at this position.
    OutOfWindow(Position),
    TooSlow,
    Expelled,
    Closing,
}

#[derive(Debug)]
pub struct Hub {
    inner: Mutex<Inner>,
    pub(super) limits: Limits,
    /// How many readers there are.
    open: watch::Sender<usize>,
    /// Whether the log was read to its end, or can't be.
    begun: watch::Sender<bool>,
}

#[derive(Debug)]
enum State {
    Reading,
    Live,
    Stopped(String),
    Closing,
}

#[derive(Debug)]
struct Inner {
    state: State,
    /// Everything up to here is published.
    position: Position,
    window: Window,
    people: HashMap<Arc<str>, usize>,
    next_id: u64,
    /// Everybody who is here, whether they listen or catch up.
    places: HashMap<u64, Place>,
    /// Who listens to every client, and who to one.
    all: HashMap<u64, Ear>,
    clients: HashMap<ClientCode, HashMap<u64, Ear>>,
    /// Of those who listen to one client, who listen to the platform or bulks too.
    wide: HashMap<u64, Ear>,
}

#[derive(Debug)]
struct Place {
    gate: Arc<Gate>,
    filter: Arc<Filter>,
    expelled: Arc<AtomicBool>,
}

#[derive(Debug, Clone)]
struct Ear {
    queue: mpsc::Sender<Shown>,
    filter: Arc<Filter>,
}

impl Hub {
    pub(super) fn new(limits: Limits) -> Self {
        Hub {
            inner: Mutex::new(Inner {
                state: State::Reading,
                position: Position::START,
                window: Window::new(limits.window_changes_max, limits.window_bytes_max),
                people: HashMap::new(),
                next_id: 0,
                places: HashMap::new(),
                all: HashMap::new(),
                clients: HashMap::new(),
                wide: HashMap::new(),
            }),
            limits,
            open: watch::Sender::new(0),
            begun: watch::Sender::new(false),
        }
    }

    /// The window begins behind this position.
    pub(super) fn begin(&self, from: Position) {
        let mut inner = self.lock();
        inner.window.begin(from);
        inner.position = from;
    }

    /// Every event up to here was published: readers are let in.
    pub(super) fn caught_up(&self) {
        let mut inner = self.lock();
        if matches!(inner.state, State::Reading) {
            inner.state = State::Live;
            self.begun.send_replace(true);
        }
    }

    /// An event was read, and this is what it changed.
    pub(super) fn publish(&self, position: Position, change: Option<Change>) {
        let mut inner = self.lock();
        inner.position = position;
        if let Some(change) = change {
            inner.publish(&Arc::new(change));
        }
    }

    /// Nothing more will be published: readers are sent away, and no new ones let in.
    pub(super) fn stop(&self, reason: String) {
        self.end(State::Stopped(reason));
    }

    /// The same when the server ends.
    pub fn close(&self) {
        self.end(State::Closing);
    }

    /// Waits until the log was read to its end: from then on readers are let in.
    pub async fn begun(&self) {
        let mut begun = self.begun.subscribe();
        // The sender lives as long as `self`.
        let _ = begun.wait_for(|begun| *begun).await;
    }

    /// Waits until the last reader has left.
    pub async fn emptied(&self) {
        let mut open = self.open.subscribe();
        // The sender lives as long as `self`.
        let _ = open.wait_for(|open| *open == 0).await;
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// How many readers there are.
    pub fn readers(&self) -> usize {
        *self.open.borrow()
    }

    /// The last event that was published.
    pub(super) fn position(&self) -> Position {
        self.lock().position
    }

    /// Gives a reader its place, and the position that is published now.
    pub(super) fn admit(
        self: &Arc<Self>,
        gate: Gate,
        filter: Filter,
    ) -> Result<(Seat, Position), NotNow> {
        let mut inner = self.lock();
        match &inner.state {
            State::Live => {}
            State::Reading => return Err(NotNow::Reading),
            State::Stopped(reason) => return Err(NotNow::Stopped(reason.clone())),
            State::Closing => return Err(NotNow::Closing),
        }
        if inner.places.len() >= self.limits.readers_max {
            return Err(NotNow::Full(self.limits.readers_max));
        }
        let person = gate.who.name.clone();
        let of_one = inner.people.entry(person.clone()).or_default();
        if *of_one >= self.limits.readers_per_person_max {
            return Err(NotNow::TooManyOfOne(*of_one));
        }
        *of_one += 1;
        inner.next_id += 1;
        let place = Place {
            gate: Arc::new(gate),
            filter: Arc::new(filter),
            expelled: Arc::new(AtomicBool::new(false)),
        };
        let seat = Seat {
            hub: self.clone(),
            id: inner.next_id,
            person,
            filter: place.filter.clone(),
            expelled: place.expelled.clone(),
        };
        inner.places.insert(seat.id, place);
        self.open.send_replace(inner.places.len());
        Ok((seat, inner.position))
    }

    /// Everybody who is here.
    pub(super) fn gates(&self) -> Vec<(u64, Arc<Gate>)> {
        let inner = self.lock();
        let places = inner.places.iter();
        places
            .map(|(id, place)| (*id, place.gate.clone()))
            .collect()
    }

    /// This one may be told nothing more.
    pub(super) fn expel(&self, id: u64) {
        let mut inner = self.lock();
        if let Some(place) = inner.places.get(&id) {
            place.expelled.store(true, Ordering::Release);
            let filter = place.filter.clone();
            inner.leave(id, &filter);
        }
    }

    /// `allowance` is how far behind the reader may be; it is set when it first asks, and when it begins to listen.
    pub(super) fn catch_up(
        &self,
        seat: &Seat,
        after: Position,
        allowance: &mut Option<usize>,
    ) -> Caught {
        let mut inner = self.lock();
        if seat.is_expelled() {
            return Caught::Expelled;
        }
        if matches!(inner.state, State::Stopped(_) | State::Closing) {
            return Caught::Closing;
        }
        if !inner.window.reaches(after) {
            return Caught::OutOfWindow(inner.position);
        }
        let mut missed = inner.window.behind(after);
        let lag = missed.len();
        if lag > *allowance.get_or_insert(lag.saturating_add(self.limits.lag_max)) {
            return Caught::TooSlow;
        }
        let (mut changes, mut up_to) = (Vec::new(), inner.position.max(after));
        for (looked, change) in missed.by_ref().enumerate() {
            let shown = seat.filter.shown(change);
            if !shown.is_empty() {
                changes.push((change.clone(), shown));
            }
            if changes.len() >= self.limits.queue_max || looked + 1 >= LOOK_MAX {
                up_to = change.position;
                break;
            }
        }
        let more = missed.len() > 0;
        drop(missed);
        if more || !changes.is_empty() {
            return Caught::Changes(changes, up_to);
        }
        *allowance = Some(self.limits.lag_max);
        let (queue, changes) = mpsc::channel(self.limits.queue_max);
        let filter = seat.filter.clone();
        inner.listen(seat.id, Ear { queue, filter });
        Caught::Listening(changes)
    }

    fn end(&self, state: State) {
        let mut inner = self.lock();
        if !matches!(inner.state, State::Closing) {
            inner.state = state;
        }
        // Who listens finds the queue closed, and asks why.
        inner.all.clear();
        inner.clients.clear();
        inner.wide.clear();
        self.begun.send_replace(true);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn publish(&mut self, change: &Arc<Change>) {
        self.window.push(change.clone());
        let mut left = Vec::new();
        offer(&self.all, change, &mut left);
        let of_client = change.client.as_ref();
        if let Some(ears) = of_client.and_then(|client| self.clients.get(client)) {
            offer(ears, change, &mut left);
        }
        if !change.topics.and(Topics::OF_PLATFORM).is_empty() {
            let told = |ear: &Ear| match &ear.filter.audience {
                Audience::Client(client) => Some(client) == of_client,
                Audience::All => true,
            };
            let others = self.wide.iter().filter(|(_, ear)| !told(ear));
            offer(others, change, &mut left);
        }
        for (id, filter) in left {
            self.leave(id, &filter);
        }
    }

    fn listen(&mut self, id: u64, ear: Ear) {
        match &ear.filter.audience {
            Audience::All => {
                self.all.insert(id, ear);
            }
            Audience::Client(client) => {
                if !ear.filter.topics.and(Topics::OF_PLATFORM).is_empty() {
                    self.wide.insert(id, ear.clone());
                }
                let of_client = self.clients.entry(client.clone()).or_default();
                of_client.insert(id, ear);
            }
        }
    }

    /// Closes the reader's queue. What is in it, the reader gets.
    fn leave(&mut self, id: u64, filter: &Filter) {
        match &filter.audience {
            Audience::All => {
                self.all.remove(&id);
            }
            Audience::Client(client) => {
                self.wide.remove(&id);
                if let Some(of_client) = self.clients.get_mut(client) {
                    of_client.remove(&id);
                    if of_client.is_empty() {
                        self.clients.remove(client);
                    }
                }
            }
        }
    }
}

/// Puts the change into each queue; names those that took no more.
fn offer<'a>(
    ears: impl IntoIterator<Item = (&'a u64, &'a Ear)>,
    change: &Arc<Change>,
    left: &mut Vec<(u64, Arc<Filter>)>,
) {
    for (id, ear) in ears {
        let shown = ear.filter.shown(change);
        if !shown.is_empty() && ear.queue.try_send((change.clone(), shown)).is_err() {
            left.push((*id, ear.filter.clone()));
        }
    }
}

/// One reader's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) hub: Arc<Hub>,
    id: u64,
    person: Arc<str>,
    pub(super) filter: Arc<Filter>,
    expelled: Arc<AtomicBool>,
}

impl Seat {
    pub(super) fn is_expelled(&self) -> bool {
        self.expelled.load(Ordering::Acquire)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inner = self.hub.lock();
        inner.leave(self.id, &self.filter);
        inner.places.remove(&self.id);
        if let Some(of_one) = inner.people.get_mut(&self.person) {
            *of_one -= 1;
            if *of_one == 0 {
                inner.people.remove(&self.person);
            }
        }
        self.hub.open.send_replace(inner.places.len());
    }
}
