//! The exchange's rules: what a request leads to ([`Exchange::decide`]), what market control leads to
//! ([`Exchange::control`]), and what a fact changes ([`Exchange::evolve`]).
//!
//! Called by the engine thread, and by the rebuild on start. No IO, no clock: time comes in as an argument.
//!
//! 1. State is the fold of facts and nothing else, so a rebuilt exchange equals the one that was killed.
//! 2. `decide` and `control` change nothing. Their facts are applied at once and made durable before anyone hears of
//!    them.
//! 3. A message the ledger already has leads to nothing: its ClOrdID is known, and its sequence number is not above
//!    the highest recorded in its generation of the session.
//! 4. Any other message whose ClOrdID its session used on this trading day is refused and counted, whatever it asks.
//! 5. An acknowledgement comes before its fills; every working order has leaves above zero and is in its book, every
//!    frozen one in none.
//! 6. An order answers to every id that was accepted for it, the newest as well as the first.
//!
//! Facts of other trading days only move the counters: DAY orders don't live overnight. Market orders are not here.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash, Hasher};

use squareoff_fix::Timestamp;

use crate::book::{Book, Resting};
use crate::contracts::{Contracts, Instrument};
use crate::fact::{Cause, Fact, HOUSE, Happening, OrderImage, REASON_DUPLICATE};
use crate::liquidity::Maker;
use crate::phase::Phase;
use crate::price::Price;

mod control;
mod decide;
mod facts;

pub use decide::Decision;

pub struct Exchange {
    contracts: Contracts,
    makers: Vec<Option<Maker>>,
    trade_date: String,
    books: Vec<Book>,
    /// Orders that entered the book today, per instrument: the maker quotes anew for each.
    rounds: Vec<u64>,
    /// By order number; finished orders stay for the day (late cancels and status questions name them).
    orders: HashMap<u64, Order>,
    /// Carried orders by the OrderID they were given, and their venue; all others are found by their number.
    given: BTreeMap<(String, String), u64>,
    /// The day's executions by ordinal.
    executions: BTreeMap<u64, Execution>,
    sessions: HashMap<String, SessionState>,
    /// By venue and segment; a segment that is missing is open.
    phases: BTreeMap<String, BTreeMap<String, Turn>>,
    /// How many of the next orders go to control, by symbol or (`None`) whatever they are in.
    freezes: BTreeMap<Option<String>, u32>,
    next_ordinal: u64,
}

#[derive(Hash)]
struct Order {
    venue: String,
    session: String,
    /// `None` when a restart's contract file no longer lists it.
    instrument: Option<usize>,
    image: OrderImage,
}

/// An execution as it stands: after corrections.
#[derive(Clone, Hash)]
struct Execution {
    order: u64,
    units: i64,
    price: Price,
    /// The order on the other side; `None` is the seeded liquidity.
    against: Option<u64>,
    /// The ordinal of the other side's execution of the same trade.
    counterpart: Option<u64>,
    busted: bool,
}

/// Since when a segment is in its phase.
#[derive(Hash)]
struct Turn {
    phase: Phase,
    since: Timestamp,
}

#[derive(Default)]
struct SessionState {
    /// Every ClOrdID of the day, those of requests about orders and refused ones too; with its order where it is one's id.
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
            given: BTreeMap::new(),
            executions: BTreeMap::new(),
            sessions: HashMap::new(),
            phases: BTreeMap::new(),
            freezes: BTreeMap::new(),
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

    /// The phase of a venue's segment.
    #[must_use]
    pub fn phase(&self, venue: &str, segment: &str) -> Phase {
        let turn = self.phases.get(venue).and_then(|turns| turns.get(segment));
        turn.map_or(Phase::Open, |turn| turn.phase)
    }

    /// The trading day that this life of the exchange is of, `YYYY-MM-DD`.
    #[must_use]
    pub fn trade_date(&self) -> &str {
        &self.trade_date
    }

    /// The phase of each segment of a venue.
    #[must_use]
    pub fn phases(&self, venue: &str) -> Vec<(String, Phase)> {
        let segments = self.contracts.segments(venue).into_iter();
        segments
            .map(|segment| (segment.to_owned(), self.phase(venue, segment)))
            .collect()
    }

    /// Takes a fact in; never fails. Facts come in ordinal order, each once.
    pub fn evolve(&mut self, fact: &Fact) {
        self.next_ordinal = fact.ordinal + 1;
        if !fact.cause.is_house() {
            let session = self.sessions.entry(fact.cause.session.clone()).or_default();
            let recorded = session.recorded.entry(fact.cause.generation).or_default();
            *recorded = fact.cause.msg_seq_num.max(*recorded);
        }
        let image = &fact.order;
        if fact.trade_date != self.trade_date {
            if fact.session != HOUSE {
                let session = self.sessions.entry(fact.session.clone()).or_default();
                session.earlier.insert(fact.requested_by().to_owned());
            }
            return;
        }
        match &fact.happening {
            Happening::Accepted => {
                self.note_id(fact, Some(image.order));
                let entered = match self.orders.contains_key(&image.order) {
                    true => self.restate(fact),
                    false => self.open(fact),
                };
                self.count_round(entered);
            }
            Happening::Carried => {
                self.note_id(fact, Some(image.order));
                self.open(fact);
            }
            Happening::Suspended => {
                self.note_id(fact, Some(image.order));
                self.open(fact);
                self.spend_freeze(&image.symbol);
            }
            Happening::Rejected { reason, .. } if *reason == REASON_DUPLICATE => {}
            Happening::Rejected { .. } if image.order == 0 => self.note_id(fact, None),
            Happening::Rejected { .. } => {
                self.restate(fact);
            }
            Happening::Executed {
                last_units,
                last_price,
                against,
            } => self.execute(fact, *last_units, *last_price, *against),
            Happening::Canceled { request } => {
                if request.is_some() {
                    self.note_id(fact, None);
                }
                self.restate(fact);
            }
            Happening::Replaced { .. } => {
                self.note_id(fact, Some(image.order));
                let entered = self.restate(fact);
                self.count_round(entered.filter(|_| image.priority == fact.ordinal));
            }
            Happening::CancelRejected { reason, .. } if *reason == REASON_DUPLICATE => {}
            Happening::CancelRejected { .. } => self.note_id(fact, None),
            Happening::Expired => {
                self.restate(fact);
            }
            Happening::Busted { execution, .. } => {
                if let Some(execution) = self.executions.get_mut(execution) {
                    execution.busted = true;
                }
                self.restate(fact);
            }
            Happening::Corrected {
                execution,
                last_units,
                last_price,
                ..
            } => {
                if let Some(execution) = self.executions.get_mut(execution) {
                    (execution.units, execution.price) = (*last_units, *last_price);
                }
                self.restate(fact);
            }
            Happening::PhaseChanged { segment, to } => {
                let turn = Turn {
                    phase: *to,
                    since: fact.transact_time,
                };
                let turns = self.phases.entry(fact.venue.clone()).or_default();
                turns.insert(segment.clone(), turn);
            }
            Happening::FreezeArmed { orders: 0, .. } => self.freezes.clear(),
            Happening::FreezeArmed { symbol, orders } => {
                let armed = self.freezes.entry(symbol.clone()).or_default();
                *armed = armed.saturating_add(*orders);
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
        (
            self.orders.iter().collect::<BTreeMap<_, _>>(),
            &self.given,
            &self.executions,
            &self.phases,
            &self.freezes,
        )
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

    /// The session used up the id that asked for this; `order` is whose id it is from now on.
    fn note_id(&mut self, fact: &Fact, order: Option<u64>) {
        let session = self.sessions.entry(fact.session.clone()).or_default();
        session.used.insert(fact.requested_by().to_owned(), order);
    }

    /// A new order; answers where it is traded.
    fn open(&mut self, fact: &Fact) -> Option<usize> {
        let image = fact.order.clone();
        let instrument = self.contracts.find(&fact.venue, &image.symbol);
        if let Some(at) = instrument
            && image.rests()
        {
            self.books[at].insert(image.side, resting(&image));
        }
        if let Some(given) = &image.given_order_id {
            let key = (given.clone(), fact.venue.clone());
            self.given.insert(key, image.order);
        }
        self.orders.insert(
            image.order,
            Order {
                venue: fact.venue.clone(),
                session: fact.session.clone(),
                instrument,
                image,
            },
        );
        instrument
    }

    /// An order known already, as the fact says it stands; answers where it is traded.
    fn restate(&mut self, fact: &Fact) -> Option<usize> {
        let order = self.orders.get_mut(&fact.order.order)?;
        let before = std::mem::replace(&mut order.image, fact.order.clone());
        let at = order.instrument?;
        if before.rests() {
            self.books[at].remove(before.side, before.price, before.priority);
        }
        if fact.order.rests() {
            self.books[at].insert(fact.order.side, resting(&fact.order));
        }
        Some(at)
    }

    fn execute(&mut self, fact: &Fact, last_units: i64, last_price: Price, against: Option<u64>) {
        let image = &fact.order;
        if let Some(order) = self.orders.get_mut(&image.order) {
            order.image.clone_from(image);
            if let Some(at) = order.instrument {
                self.books[at].reduce(image.side, image.price, image.priority, last_units);
            }
        }
        // The two sides of a trade are told one right after the other.
        let other = fact.ordinal - 1;
        let counterpart = self.executions.get_mut(&other).filter(|execution| {
            against == Some(execution.order)
                && execution.against == Some(image.order)
                && execution.counterpart.is_none()
        });
        let counterpart = counterpart.map(|execution| {
            execution.counterpart = Some(fact.ordinal);
            other
        });
        let execution = Execution {
            order: image.order,
            units: last_units,
            price: last_price,
            against,
            counterpart,
            busted: false,
        };
        self.executions.insert(fact.ordinal, execution);
    }

    fn count_round(&mut self, instrument: Option<usize>) {
        if let Some(at) = instrument {
            self.rounds[at] += 1;
        }
    }

    /// A wish for one symbol is served before one for any.
    fn spend_freeze(&mut self, symbol: &str) {
        for wish in [Some(symbol.to_owned()), None] {
            if let Some(left) = self.freezes.get_mut(&wish) {
                *left -= 1;
                if *left == 0 {
                    self.freezes.remove(&wish);
                }
                return;
            }
        }
    }
}

fn resting(image: &OrderImage) -> Resting {
    Resting {
        price: image.price,
        priority: image.priority,
        order: image.order,
        leaves_units: image.leaves_units,
    }
}

#[cfg(test)]
mod tests;
