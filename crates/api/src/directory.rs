//! What a decision needs from beside the position, kept from the log: the platform, the sessions, the day's contracts, who the
//! clients are, which positions they have, and which position an order stands in. It lives off the log alone, so that a lost read database stops no order.

use crate::follow;
use squareoff_domain::platform::Platform;
use squareoff_domain::reference::{ClientEvent, ContractEvent};
use squareoff_domain::session::Session;
use squareoff_domain::{
    ClientCode, Contract, Event, OrderId, PositionKey, Symbol, TradingDate, Venue, platform,
    session,
};
use squareoff_store::codec::{self, DecodeError};
use squareoff_store::{EventStore, Position, StoredEvent};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// The types of event that the directory is made of; others are passed over undecoded.
const READ: &[&str] = &[
    "ActivationApproved",
    "ActivationRejected",
    "ActivationRequested",
    "CancelAllOrdered",
    "CancelAllRejected",
    "CancelAllRequested",
    "ClientRegistered",
    "ContractListed",
    "ExternalOrderObserved",
    "HandbackApproved",
    "HandbackCompleted",
    "HandbackRejected",
    "HandbackRequested",
    "LoadingStarted",
    "MarketPhaseChanged",
    "NewOrdersHalted",
    "NewOrdersResumed",
    "OrderPlaced",
    "PlatformActivated",
    "PlatformStoodDown",
    "ResumeRejected",
    "ResumeRequested",
    "SessionClaimed",
    "SessionDown",
    "SessionReady",
];

pub use crate::follow::Progress;

/// Cheap to clone; clones see the same.
#[derive(Clone)]
pub struct Directory {
    known: Arc<RwLock<Known>>,
    /// Where the directory is in the log, and whether it has caught up once.
    progress: watch::Receiver<Progress>,
}

#[derive(Default)]
struct Known {
    platform: Platform,
    sessions: HashMap<Arc<str>, (Venue, Session)>,
    contracts: HashMap<(TradingDate, Venue, Symbol), Arc<Contract>>,
    clients: HashSet<ClientCode>,
    orders: HashMap<OrderId, Arc<str>>,
    positions: BTreeMap<(TradingDate, ClientCode), Vec<Arc<str>>>,
}

impl Directory {
    /// Reads the log from its beginning in a task of its own, and follows it.
    pub fn follow(store: EventStore) -> Self {
        let known = Arc::new(RwLock::new(Known::default()));
        let (progress, receiver) = watch::channel(Progress::default());
        let learned = Arc::clone(&known);
        let learn = move |events: &[StoredEvent]| learn(&learned, events);
        tokio::spawn(follow::follow(store, progress, learn));
        Directory {
            known,
            progress: receiver,
        }
    }

    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Changes with each batch of events.
    pub fn changed(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Waits until the directory holds the log up to `position`, at most `patience`; says whether it does.
    pub async fn reach(&self, position: Position, patience: Duration) -> bool {
        follow::reach(&self.progress, position, patience).await
    }

    pub fn platform(&self) -> Platform {
        self.read(|known| known.platform.clone())
    }

    /// Whether a session of the venue is logged on.
    pub fn session_ready(&self, venue: Venue) -> bool {
        self.read(|known| {
            known
                .sessions
                .values()
                .any(|(of, session)| *of == venue && session.ready)
        })
    }

    /// Each session's stream and whether it is ready, by name.
    pub fn sessions(&self) -> Vec<(String, bool)> {
        let mut sessions: Vec<_> = self.read(|known| {
            known
                .sessions
                .iter()
                .map(|(stream, (_, session))| (stream.to_string(), session.ready))
                .collect()
        });
        sessions.sort();
        sessions
    }

    pub fn contract(
        &self,
        date: TradingDate,
        venue: Venue,
        symbol: &Symbol,
    ) -> Option<Arc<Contract>> {
        self.read(|known| known.contracts.get(&(date, venue, symbol.clone())).cloned())
    }

    pub fn knows_client(&self, client: &ClientCode) -> bool {
        self.read(|known| known.clients.contains(client))
    }

    /// The position stream an order stands in.
    pub fn stream_of(&self, order: OrderId) -> Option<Arc<str>> {
        self.read(|known| known.orders.get(&order).cloned())
    }

    /// The position streams of one client and day, in the order in which they began.
    pub fn positions_of(&self, date: TradingDate, client: &ClientCode) -> Vec<Arc<str>> {
        let key = (date, client.clone());
        self.read(|known| known.positions.get(&key).cloned().unwrap_or_default())
    }

    /// Every position stream of a day, client by client.
    pub fn positions_on(&self, date: TradingDate) -> Vec<Arc<str>> {
        self.read(|known| {
            let of_date = known.positions.iter().filter(|((day, _), _)| *day == date);
            of_date.flat_map(|(_, streams)| streams.clone()).collect()
        })
    }

    fn read<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn learn(known: &RwLock<Known>, events: &[StoredEvent]) -> Result<(), DecodeError> {
    // Decoded before the lock is taken: whoever decides an order waits for the changes only.
    let read = events
        .iter()
        .filter(|stored| READ.contains(&&*stored.event_type));
    let decoded: Vec<_> = read
        .map(|stored| Ok((stored, codec::decode(stored)?)))
        .collect::<Result<_, _>>()?;
    let begun: Vec<_> = events
        .iter()
        .filter(|stored| stored.version == 1)
        .filter_map(|stored| Some((PositionKey::of_stream(&stored.stream)?, &stored.stream)))
        .collect();
    let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
    for (key, stream) in begun {
        let of_client = known.positions.entry((key.date, key.client));
        of_client.or_default().push(Arc::clone(stream));
    }
    for (stored, event) in decoded {
        known.learn(stored, event);
    }
    Ok(())
}

impl Known {
    fn learn(&mut self, stored: &StoredEvent, event: Event) {
        match event {
            Event::Client(ClientEvent::ClientRegistered(registered)) => {
                self.clients.insert(registered.client.client);
            }
            Event::Contract(ContractEvent::ContractListed(listed)) => {
                let contract = listed.contract;
                self.contracts.insert(
                    (
                        contract.trading_date,
                        contract.venue,
                        contract.symbol.clone(),
                    ),
                    Arc::new(contract),
                );
            }
            Event::Platform(event) => {
                self.platform = platform::evolve(std::mem::take(&mut self.platform), &event)
            }
            Event::Session(event) => {
                let venue = match &event {
                    session::SessionEvent::SessionClaimed(event) => event.venue,
                    session::SessionEvent::SessionReady(event) => event.venue,
                    session::SessionEvent::SessionDown(event) => event.venue,
                };
                let entry = self
                    .sessions
                    .entry(stored.stream.clone())
                    .or_insert((venue, Session::default()));
                entry.1 = session::evolve(std::mem::take(&mut entry.1), &event);
            }
            Event::Position(event) => {
                if let Some(order_id) = event.order_id() {
                    self.orders.insert(order_id, Arc::clone(&stored.stream));
                }
            }
            Event::Bulk(_) | Event::Refusal(_) | Event::Suspense(_) => {}
        }
    }
}
