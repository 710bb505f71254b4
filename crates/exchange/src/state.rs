//! The exchange's rules: what a request leads to ([`Exchange::decide`]) and what a fact changes ([`Exchange::evolve`]).
//!
//! Called by the engine thread, and by the rebuild on start. No IO, no clock: time comes in as an argument.
//!
//! 1. State is the fold of facts and nothing else, so a rebuilt exchange equals the one that was killed.
//! 2. `decide` changes nothing. Its facts are applied at once and made durable before anyone hears of them.
//! 3. A message the ledger already has leads to nothing: its ClOrdID is known, and its sequence number is not above
//!    the highest recorded in its generation of the session.
//! 4. Any other message whose ClOrdID its session used on this trading day is refused and counted, whatever it asks.
//! 5. An acknowledgement comes before its fills; every working order has leaves above zero and is in its book.
//!
//! Facts of other trading days only move the counters: DAY orders don't live overnight. Phases, modification and
//! market orders are not here.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash, Hasher};

use crate::book::{Book, Resting};
use crate::contracts::{Contracts, Instrument};
use crate::fact::{Cause, Fact, Happening, OrderImage, REASON_DUPLICATE};
use crate::liquidity::Maker;

mod decide;

pub use decide::Decision;

pub struct Exchange {
    contracts: Contracts,
    makers: Vec<Option<Maker>>,
    trade_date: String,
    books: Vec<Book>,
    /// Orders accepted today, per instrument: the maker quotes anew for each.
    rounds: Vec<u64>,
    /// By order number; finished orders stay for the day (late cancels and status questions name them).
    orders: HashMap<u64, Order>,
    sessions: HashMap<String, SessionState>,
    next_ordinal: u64,
}

#[derive(Hash)]
struct Order {
    session: String,
    /// `None` when a restart's contract file no longer lists it.
    instrument: Option<usize>,
    image: OrderImage,
}

#[derive(Default)]
struct SessionState {
    /// Every ClOrdID of the day, requests to cancel and refused ones too; with its order where there is one.
    used: HashMap<String, Option<u64>>,
    /// ClOrdIDs of earlier days: no duplicates any more, but still known when their message comes again.
    earlier: HashSet<String>,
    /// The highest sequence number the ledger holds, per generation.
    recorded: BTreeMap<u64, u64>,
}

impl SessionState {
    /// A low number alone proves nothing: a session whose journal was lost counts from 1 again.
    fn has_recorded(&self, cause: &Cause, cl_ord_id: &str) -> bool {
        let reached = self
            .recorded
            .get(&cause.generation)
            .is_some_and(|last| cause.msg_seq_num <= *last);
        reached && (self.used.contains_key(cl_ord_id) || self.earlier.contains(cl_ord_id))
    }
}

impl Exchange {
    /// An empty exchange. `quiet` instruments (venue, symbol) have no seeded liquidity.
    #[must_use]
    pub fn new(
        contracts: Contracts,
        seed: u64,
        quiet: &HashSet<(String, String)>,
        trade_date: &str,
    ) -> Self {
        let maker = |instrument: &Instrument| {
            let is_quiet = quiet.contains(&(instrument.venue.clone(), instrument.symbol.clone()));
            (!is_quiet).then(|| Maker::new(seed, instrument))
        };
        let count = contracts.all().len();
        Self {
            makers: contracts.all().iter().map(maker).collect(),
            contracts,
            trade_date: trade_date.to_owned(),
            books: vec![Book::default(); count],
            rounds: vec![0; count],
            orders: HashMap::new(),
            sessions: HashMap::new(),
            next_ordinal: 1,
        }
    }

    /// The highest sequence number the ledger holds, by session and generation.
    #[must_use]
    pub(crate) fn recorded(&self) -> HashMap<(String, u64), u64> {
        let of = |(name, session): (&String, &SessionState)| {
            let name = name.clone();
            session
                .recorded
                .clone()
                .into_iter()
                .map(move |(generation, last)| ((name.clone(), generation), last))
        };
        self.sessions.iter().flat_map(of).collect()
    }

    /// Takes a fact in; never fails. Facts come in ordinal order, each once.
    pub fn evolve(&mut self, fact: &Fact) {
        self.next_ordinal = fact.ordinal + 1;
        let session = self.sessions.entry(fact.cause.session.clone()).or_default();
        let recorded = session.recorded.entry(fact.cause.generation).or_default();
        *recorded = fact.cause.msg_seq_num.max(*recorded);
        let image = &fact.order;
        if fact.trade_date != self.trade_date {
            session.earlier.insert(fact.requested_by().to_owned());
            return;
        }
        match &fact.happening {
            Happening::Accepted => {
                session
                    .used
                    .insert(image.cl_ord_id.clone(), Some(image.order));
                self.open(fact);
            }
            Happening::Rejected { reason, .. } if *reason == REASON_DUPLICATE => {}
            Happening::Rejected { .. } => {
                session.used.insert(image.cl_ord_id.clone(), None);
            }
            Happening::Executed { last_units, .. } => self.update(fact, |book| {
                book.reduce(image.side, image.price, image.order, *last_units);
            }),
            Happening::Canceled { request } => {
                if let Some(request) = request {
                    session.used.insert(request.clone(), None);
                }
                self.update(fact, |book| {
                    book.remove(image.side, image.price, image.order)
                });
            }
            Happening::CancelRejected { reason, .. } if *reason == REASON_DUPLICATE => {}
            Happening::CancelRejected { request, .. } => {
                session.used.insert(request.clone(), None);
            }
        }
    }

    /// The ordinal of the last fact taken in; 0 before the first.
    #[must_use]
    pub fn last_ordinal(&self) -> u64 {
        self.next_ordinal - 1
    }

    /// Equal for equal state, within one build of the program.
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        let mut hasher = std::collections::hash_map::DefaultHasher::new();
        (
            self.next_ordinal,
            &self.trade_date,
            &self.books,
            &self.rounds,
        )
            .hash(&mut hasher);
        self.orders
            .iter()
            .collect::<BTreeMap<_, _>>()
            .hash(&mut hasher);
        for (name, session) in self.sessions.iter().collect::<BTreeMap<_, _>>() {
            (
                name,
                session.used.iter().collect::<BTreeMap<_, _>>(),
                &session.recorded,
            )
                .hash(&mut hasher);
        }
        hasher.finish()
    }

    fn open(&mut self, fact: &Fact) {
        let image = fact.order.clone();
        let instrument = self.contracts.find(&fact.venue, &image.symbol);
        if let Some(at) = instrument {
            self.rounds[at] += 1;
            let resting = Resting {
                price: image.price,
                order: image.order,
                leaves_units: image.leaves_units,
            };
            self.books[at].insert(image.side, resting);
        }
        self.orders.insert(
            image.order,
            Order {
                session: fact.session.clone(),
                instrument,
                image,
            },
        );
    }

    fn update(&mut self, fact: &Fact, change: impl FnOnce(&mut Book)) {
        if let Some(order) = self.orders.get_mut(&fact.order.order) {
            order.image.clone_from(&fact.order);
            if let Some(at) = order.instrument {
                change(&mut self.books[at]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
