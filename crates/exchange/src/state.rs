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
//! 4. Any other message whose ClOrdID its firm used at the venue on this trading day, on whichever session, is refused and
//!    counted, whatever it asks.
//! 5. But for a fault, an acknowledgement comes before its fills; every working order has leaves above zero and is in its book, every
//!    frozen one in none.
//! 6. An order answers to every id that was accepted for it, the newest as well as the first.
//!
//! Facts of other trading days only move the counters: DAY orders don't live overnight. Market orders are not here.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash, Hasher};

use squareoff_fix::Timestamp;

use crate::book::{Book, Resting};
use crate::config::Rules;
use crate::contracts::{Contracts, Instrument};
use crate::fact::{Fact, HOUSE, Happening, MassRefusal, OrderImage, REASON_DUPLICATE};
use crate::fault::Fault;
use crate::liquidity::Maker;
use crate::phase::Phase;
use crate::price::Price;

const SECOND_NS: i64 = 1_000_000_000;

mod control;
mod decide;
mod facts;
mod quotes;
mod script;
mod set;
mod show;

pub use decide::Decision;
pub use quotes::Top;

pub struct Exchange {
    contracts: Contracts,
    makers: Vec<Option<Maker>>,
    rules: Rules,
    books: Vec<Book>,
    /// Orders that entered the book today, per instrument: the maker quotes anew for each.
    rounds: Vec<u64>,
    /// By order number; finished orders stay for the day (late cancels and status questions name them).
    orders: HashMap<u64, Order>,
    /// Carried orders by the OrderID they were given, and their venue; all others are found by their number.
    given: BTreeMap<(String, String), u64>,
    /// The day's executions by ordinal.
    executions: BTreeMap<u64, Execution>,
    /// By firm at a venue, see [`Rules::firms`].
    firms: HashMap<String, Ids>,
    recorded: BTreeMap<String, Recorded>,
    /// By venue and segment; a segment that is missing is open.
    phases: BTreeMap<String, BTreeMap<String, Turn>>,
    /// How many of the next orders go to control, by symbol or (`None`) whatever they are in.
    freezes: BTreeMap<Option<String>, u32>,
    /// How many of the next occasions take a fault, by symbol or (`None`) whatever they are in.
    wishes: BTreeMap<(Fault, Option<String>), u32>,
    /// See [`crate::setting::Setting::Seeded`].
    rates: BTreeMap<Fault, u32>,
    /// See [`crate::setting::Setting::Throttle`].
    limits: BTreeMap<Option<String>, Option<u32>>,
    /// See [`crate::setting::Setting::CancelOnDisconnect`].
    cancels_on_disconnect: BTreeMap<String, bool>,
    /// See [`crate::setting::Setting::Clock`].
    clock_ahead_ms: i64,
    /// The day's last trade of each instrument.
    lasts: Vec<Option<Print>>,
    next_ordinal: u64,
    /// The ordinal of the last fact of another trading day.
    before_today: u64,
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
    /// Lost in a switch to the disaster-recovery site, and not busted yet.
    dropped: bool,
    busted: bool,
    /// The fault that its fact showed.
    fault: Option<Fault>,
}

/// A trade as the market sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Print {
    pub price: Price,
    pub units: i64,
    pub at: Timestamp,
}

/// What the ledger holds of a session's messages.
#[derive(Default, Hash)]
struct Recorded {
    /// The highest sequence number, per generation of the session.
    reached: BTreeMap<u64, u64>,
    /// The second in which its newest message about an order came, and how many came in it that were looked at.
    second: i64,
    in_second: u32,
}

/// Since when a segment is in its phase.
#[derive(Hash)]
struct Turn {
    phase: Phase,
    since: Timestamp,
}

/// The ClOrdIDs of a firm at a venue, over all its sessions: what is sent again on another session is a duplicate too.
#[derive(Default)]
struct Ids {
    /// Every one of the day, those of requests about orders and refused ones too; with its order where it is one's id.
    used: HashMap<String, Option<u64>>,
    /// Those of earlier days: no duplicates any more, but still known when their message comes again.
    earlier: HashSet<String>,
    /// Those of messages that were not looked at, which may be used all the same.
    throttled: HashSet<String>,
}

impl Exchange {
    /// An empty exchange.
    #[must_use]
    pub fn new(contracts: Contracts, rules: Rules) -> Self {
        let maker = |instrument: &Instrument| {
            let name = (instrument.venue.clone(), instrument.symbol.clone());
            (!rules.quiet.contains(&name)).then(|| Maker::new(rules.seed, instrument))
        };
        let count = contracts.all().len();
        Self {
            makers: contracts.all().iter().map(maker).collect(),
            contracts,
            rules,
            books: vec![Book::default(); count],
            rounds: vec![0; count],
            orders: HashMap::new(),
            given: BTreeMap::new(),
            executions: BTreeMap::new(),
            firms: HashMap::new(),
            recorded: BTreeMap::new(),
            phases: BTreeMap::new(),
            freezes: BTreeMap::new(),
            wishes: BTreeMap::new(),
            rates: BTreeMap::new(),
            limits: BTreeMap::new(),
            cancels_on_disconnect: BTreeMap::new(),
            clock_ahead_ms: 0,
            lasts: vec![None; count],
            next_ordinal: 1,
            before_today: 0,
        }
    }

    /// The highest sequence number the ledger holds, by session and generation.
    #[must_use]
    pub(crate) fn recorded(&self) -> HashMap<(String, u64), u64> {
        let of = |(name, session): (&String, &Recorded)| {
            let name = name.clone();
            session
                .reached
                .clone()
                .into_iter()
                .map(move |(generation, last)| ((name.clone(), generation), last))
        };
        self.recorded.iter().flat_map(of).collect()
    }

    /// The ordinal of the last fact of another trading day; 0 where all are of this one.
    #[must_use]
    pub fn before_today(&self) -> u64 {
        self.before_today
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
        &self.rules.trade_date
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
            self.note_message(fact);
        }
        let image = &fact.order;
        if fact.trade_date != self.rules.trade_date {
            self.before_today = fact.ordinal;
            if fact.session != HOUSE && !matches!(fact.happening, Happening::Throttled { .. }) {
                let ids = self.ids_of(&fact.session);
                ids.earlier.insert(fact.requested_by().to_owned());
            }
            return;
        }
        if let Some(fault) = fact.fault {
            self.spend_wish(fault, &image.symbol);
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
                    (execution.busted, execution.dropped) = (true, false);
                }
                self.restate(fact);
            }
            Happening::Dropped { execution, .. } => {
                if let Some(execution) = self.executions.get_mut(execution) {
                    execution.dropped = true;
                }
                self.restate(fact);
            }
            Happening::Vanished => {
                self.restate(fact);
            }
            Happening::Set(setting) => self.set(setting),
            Happening::AcknowledgedLate
            | Happening::Repeated { .. }
            | Happening::TailLost { .. } => {}
            Happening::MassCanceled {
                refused: Some(MassRefusal::Duplicate),
                ..
            } => {}
            Happening::MassCanceled { .. } => self.note_id(fact, None),
            Happening::Throttled { request, .. } => {
                let ids = self.ids_of(&fact.session);
                ids.throttled.insert(request.clone());
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
            &self.rules.trade_date,
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
        (
            &self.wishes,
            &self.rates,
            &self.limits,
            &self.cancels_on_disconnect,
            self.clock_ahead_ms,
        )
            .hash(&mut hasher);
        self.recorded.hash(&mut hasher);
        for (name, ids) in self.firms.iter().collect::<BTreeMap<_, _>>() {
            let used = ids.used.iter().collect::<BTreeMap<_, _>>();
            (name, used).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// The firm used up the id that asked for this; `order` is whose id it is from now on.
    fn note_id(&mut self, fact: &Fact, order: Option<u64>) {
        let ids = self.ids_of(&fact.session);
        ids.used.insert(fact.requested_by().to_owned(), order);
    }

    fn note_message(&mut self, fact: &Fact) {
        let session = self.recorded.entry(fact.cause.session.clone());
        let session = session.or_default();
        let reached = session.reached.entry(fact.cause.generation).or_default();
        *reached = fact.cause.msg_seq_num.max(*reached);
        let is_looked_at = !matches!(fact.happening, Happening::Throttled { .. });
        if fact.completes && is_looked_at {
            let second = fact.transact_time.0.div_euclid(SECOND_NS);
            if session.second != second {
                (session.second, session.in_second) = (second, 0);
            }
            session.in_second += 1;
        }
    }

    fn ids_of(&mut self, session: &str) -> &mut Ids {
        let firm = self.firm_of(session).to_owned();
        self.firms.entry(firm).or_default()
    }

    /// The firm that a session is of.
    fn firm_of<'a>(&'a self, session: &'a str) -> &'a str {
        self.rules
            .firms
            .get(session)
            .map_or(session, String::as_str)
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
        match self.orders.get_mut(&image.order) {
            Some(order) => {
                order.image.clone_from(image);
                if let Some(at) = order.instrument {
                    self.books[at].reduce(image.side, image.price, image.priority, last_units);
                }
            }
            // A fill before the acknowledgement: the order is known by it.
            None => {
                self.note_id(fact, Some(image.order));
                let entered = self.open(fact);
                self.count_round(entered);
            }
        }
        if let Some(at) = self.contracts.find(&fact.venue, &image.symbol) {
            self.lasts[at] = Some(Print {
                price: last_price,
                units: last_units,
                at: fact.transact_time,
            });
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
            dropped: false,
            busted: false,
            fault: fact.fault,
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
