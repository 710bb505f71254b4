//! What a decision needs from beside the position, kept from the log: the platform, the sessions, the day's contracts, who the
//! clients are, which positions they have, and which stream an order or a request stands in. It lives off the log alone, so that a lost read database stops no order.

use crate::follow;
use squareoff_domain::client::{ClientEvent, IdentityField, SealedField, SealedIdentity};
use squareoff_domain::platform::Platform;
use squareoff_domain::reference::ContractEvent;
use squareoff_domain::session::Session;
use squareoff_domain::{
    ClientCode, Contract, Event, KeyId, OrderId, PositionKey, RequestId, Symbol, Timestamp,
    TradingDate, Venue, platform, session,
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
    "BookLoaded",
    "CancelAllOrdered",
    "CancelAllRejected",
    "CancelAllRequested",
    "ClientErased",
    "ClientIdentityRecorded",
    "ClientKeyRotated",
    "ClientRegistered",
    "ContractListed",
    "DisconnectRejected",
    "DisconnectRequested",
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
    "SessionKept",
    "SessionReady",
    "VenueDisconnected",
    "VenueReconnected",
];

/// What people ask of a position, of a client or of one another, or have wait for a second person, and nothing else: the request of each
/// stands on that one stream.
const ASKED: &[&str] = &[
    "ApprovalAsked",
    "CallerVerificationFailed",
    "CallerVerified",
    "CancelRequested",
    "ClientIdentityRevealed",
    "CredentialsReset",
    "InDoubtResolved",
    "OperatorDisabled",
    "OperatorEnrolled",
    "OperatorReinstated",
    "PositionHandedBack",
    "PositionUnfrozen",
    "ReplaceRequested",
    "RoleChanged",
    "SquareOffAccepted",
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
    /// And when the gateway last said how it is.
    sessions: HashMap<Arc<str>, (Session, Timestamp)>,
    serving: HashMap<Venue, Serving>,
    contracts: HashMap<(TradingDate, Venue, Symbol), Arc<Contract>>,
    clients: HashSet<ClientCode>,
    /// Name and phone as the log has them, encrypted: what a search opens.
    sealed: HashMap<ClientCode, Arc<SealedIdentity>>,
    orders: HashMap<OrderId, Arc<str>>,
    requests: HashMap<RequestId, Arc<str>>,
    positions: BTreeMap<(TradingDate, ClientCode), Vec<Arc<str>>>,
}

/// The sessions of a venue that its gateway claimed last.
#[derive(Default)]
struct Serving {
    of: u32,
    /// Their streams by their numbers.
    streams: BTreeMap<u32, Arc<str>>,
}

impl Directory {
    /// Reads the log from its beginning in a task of its own, and follows it; while much happens, once in `pace`. `seen` is told of each
    /// event before the directory knows it.
    pub fn follow(
        store: EventStore,
        pace: Duration,
        seen: impl Fn(&StoredEvent) -> Result<(), DecodeError> + Send + 'static,
    ) -> Self {
        let known = Arc::new(RwLock::new(Known::default()));
        let (progress, receiver) = watch::channel(Progress::default());
        let learned = Arc::clone(&known);
        let learn = move |events: &[StoredEvent]| {
            events.iter().try_for_each(&seen)?;
            learn(&learned, events)
        };
        tokio::spawn(follow::follow(store, pace, progress, learn));
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

    /// Whether the session is ready that the client's orders go over: its gateway has said so, and not long before `now`.
    pub fn session_ready(&self, venue: Venue, client: &ClientCode, now: Timestamp) -> bool {
        self.read(|known| {
            known.serving.get(&venue).is_some_and(|serving| {
                let number = session::share_of(client, serving.of);
                let stream = serving.streams.get(&number);
                stream.is_some_and(|stream| known.is_ready(stream, now))
            })
        })
    }

    /// The stream of each session that serves, and whether it is ready, by name.
    pub fn sessions(&self, now: Timestamp) -> Vec<(String, bool)> {
        let mut sessions: Vec<_> = self.read(|known| {
            let serving = known.serving.values();
            serving
                .flat_map(|serving| serving.streams.values())
                .map(|stream| (stream.to_string(), known.is_ready(stream, now)))
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

    /// Name and phone of every client who has a recorded identity, encrypted, in the order of their codes.
    pub fn sealed(&self) -> Vec<(ClientCode, Arc<SealedIdentity>)> {
        let mut sealed: Vec<_> = self.read(|known| {
            let sealed = known.sealed.iter();
            sealed
                .map(|(client, identity)| (client.clone(), Arc::clone(identity)))
                .collect()
        });
        sealed.sort_by(|one, other| one.0.cmp(&other.0));
        sealed
    }

    /// The position stream an order stands in.
    pub fn stream_of(&self, order: OrderId) -> Option<Arc<str>> {
        self.read(|known| known.orders.get(&order).cloned())
    }

    /// The stream that a request was accepted on: the platform's, a position's, or that of the approval it waits for.
    pub fn stream_of_request(&self, request: RequestId) -> Option<Arc<str>> {
        self.read(|known| known.requests.get(&request).cloned())
    }

    /// Notes what this process has accepted itself: who uses the key again may be faster than the log is followed.
    pub fn accepted(&self, request: RequestId, stream: &str) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known
            .requests
            .entry(request)
            .or_insert_with(|| stream.into());
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
    let asked: Vec<_> = events
        .iter()
        .filter(|stored| {
            *stored.stream == *platform::STREAM || ASKED.contains(&&*stored.event_type)
        })
        .map(|stored| (RequestId(stored.request_id), Arc::clone(&stored.stream)))
        .collect();
    let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
    for (key, stream) in begun {
        let of_client = known.positions.entry((key.date, key.client));
        of_client.or_default().push(Arc::clone(stream));
    }
    for (request, stream) in asked {
        known.requests.entry(request).or_insert(stream);
    }
    for (stored, event) in decoded {
        known.learn(stored, event);
    }
    Ok(())
}

impl Known {
    fn is_ready(&self, stream: &Arc<str>, now: Timestamp) -> bool {
        let session = self.sessions.get(stream);
        session.is_some_and(|(session, said_at)| session.ready && session::is_kept(*said_at, now))
    }

    /// A gateway claims all its sessions to a venue before it connects the first: a claim of one of another number of them begins anew.
    fn claimed(&mut self, stream: &Arc<str>, claimed: &session::SessionClaimed) {
        let share = claimed.share.unwrap_or(session::Share::ONLY);
        let serving = self.serving.entry(claimed.venue).or_default();
        if serving.of != share.of {
            *serving = Serving::default();
            serving.of = share.of;
        }
        serving.streams.insert(share.number, Arc::clone(stream));
    }

    fn seal(&mut self, client: ClientCode, key_id: KeyId, mut fields: Vec<SealedField>) {
        let sought = |field| matches!(field, IdentityField::Name | IdentityField::Phone);
        fields.retain(|sealed| sought(sealed.field));
        fields.shrink_to_fit();
        let identity = SealedIdentity { key_id, fields };
        self.sealed.insert(client, Arc::new(identity));
    }

    fn learn(&mut self, stored: &StoredEvent, event: Event) {
        match event {
            Event::Client(ClientEvent::ClientRegistered(registered)) => {
                self.clients.insert(registered.client.client);
            }
            Event::Client(ClientEvent::ClientIdentityRecorded(recorded)) => {
                self.seal(recorded.client, recorded.key_id, recorded.fields);
            }
            Event::Client(ClientEvent::ClientKeyRotated(rotated)) => {
                self.seal(rotated.client, rotated.key_id, rotated.fields);
            }
            Event::Client(ClientEvent::ClientErased(erased)) => {
                self.sealed.remove(&erased.client);
            }
            Event::Client(
                ClientEvent::ClientIdentityRevealed(_)
                | ClientEvent::CallerVerified(_)
                | ClientEvent::CallerVerificationFailed(_),
            ) => {}
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
                if let session::SessionEvent::SessionClaimed(claimed) = &event {
                    self.claimed(&stored.stream, claimed);
                }
                let kept = self.sessions.remove(&stored.stream);
                let (session, _) = kept.unwrap_or((Session::default(), Timestamp(0)));
                let session = session::evolve(session, &event);
                let said = (session, stored.recorded_at);
                self.sessions.insert(Arc::clone(&stored.stream), said);
            }
            Event::Position(event) => {
                if let Some(order_id) = event.order_id() {
                    self.orders.insert(order_id, Arc::clone(&stored.stream));
                }
            }
            Event::Approval(_)
            | Event::Bulk(_)
            | Event::Person(_)
            | Event::Refusal(_)
            | Event::Seal(_)
            | Event::Suspense(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squareoff_domain::session::{SessionReport, Share};
    use squareoff_store::{Caller, Streams};
    use uuid::Uuid;

    /// Tells the log what the gateway of this session says.
    async fn tell(store: &EventStore, comp_id: &str, report: SessionReport) {
        let sessions: Streams<Session> = Streams::new(store.clone());
        let request_id = Uuid::new_v4();
        let caller = Caller {
            actor: "gateway".into(),
            request_id,
            correlation_id: request_id,
            epoch: 0,
            now: Timestamp(0),
        };
        let record = |session: &Session| {
            session::record(session, Venue::Nse, report.clone()).map(|events| (events, ()))
        };
        let stream = session::stream(Venue::Nse, comp_id);
        sessions.transact(&stream, &caller, record).await.unwrap();
    }

    /// When the log's last event was recorded, once the directory has it.
    async fn caught_up(directory: &Directory, store: &EventStore) -> Timestamp {
        let head = store.head().await.unwrap();
        assert!(directory.reach(head, Duration::from_secs(20)).await);
        let events = store.read_all(Position::START, 100).await.unwrap();
        events.last().unwrap().recorded_at
    }

    #[tokio::test]
    async fn a_session_whose_gateway_has_said_nothing_for_too_long_is_not_ready() {
        let folder = tempfile::tempdir().unwrap();
        let store = EventStore::open(folder.path()).unwrap();
        let (venue, client) = (Venue::Nse, "C1".parse().unwrap());
        let directory = Directory::follow(store.clone(), Duration::ZERO, |_| Ok(()));
        let reports = [
            SessionReport::Claim { share: Share::ONLY },
            SessionReport::Ready { fence: 1 },
            SessionReport::Keep { fence: 1 },
        ];
        let mut holds = Vec::new();
        for report in reports {
            tell(&store, "BROKER", report).await;
            let said_at = caught_up(&directory, &store).await;
            let at = |seconds: i64| Timestamp(said_at.0 + seconds * 1_000_000_000);
            holds.push([0, 29, 30].map(|after| directory.session_ready(venue, &client, at(after))));
        }
        let ready = [true, true, false];
        assert_eq!(holds, [[false; 3], ready, ready]);
    }

    /// Of several sessions each serves its own clients, and the newest claims say which they are.
    #[tokio::test]
    async fn a_client_is_served_by_the_session_that_its_orders_go_over() {
        let folder = tempfile::tempdir().unwrap();
        let store = EventStore::open(folder.path()).unwrap();
        let directory = Directory::follow(store.clone(), Duration::ZERO, |_| Ok(()));
        let clients =
            Vec::from_iter((0..20).map(|n| format!("C{n}").parse::<ClientCode>().unwrap()));
        let claim = |number, of| SessionReport::Claim {
            share: Share { number, of },
        };
        let served = async || {
            let now = caught_up(&directory, &store).await;
            let ready = |client: &&ClientCode| directory.session_ready(Venue::Nse, client, now);
            Vec::from_iter(clients.iter().filter(ready).cloned())
        };
        let of_share = |number| {
            let is = |client: &&ClientCode| session::share_of(client, 2) == number;
            Vec::from_iter(clients.iter().filter(is).cloned())
        };
        tell(&store, "A", claim(0, 2)).await;
        tell(&store, "B", claim(1, 2)).await;
        assert_eq!(served().await, []);
        tell(&store, "B", SessionReport::Ready { fence: 1 }).await;
        assert_eq!(served().await, of_share(1));
        tell(&store, "A", SessionReport::Ready { fence: 1 }).await;
        assert_eq!(served().await, clients);
        // One session from now on: the other, which nobody took down, serves nobody any more.
        tell(&store, "A", claim(0, 1)).await;
        assert_eq!(served().await, []);
        tell(&store, "A", SessionReport::Ready { fence: 2 }).await;
        assert_eq!(served().await, clients);
        let now = caught_up(&directory, &store).await;
        assert_eq!(
            directory.sessions(now),
            [("session-NSE-A".to_owned(), true)]
        );
    }
}
