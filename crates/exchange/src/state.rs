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

use squareoff_fix::Timestamp;

use crate::book::{Against, Book, Resting};
use crate::contracts::{Contracts, Instrument};
use crate::fact::{Cause, Fact, Happening, OrderImage, REASON_DUPLICATE, TimeInForce};
use crate::liquidity::Maker;
use crate::price::Price;
use crate::request::{Cancel, Inbound, NewOrder, Query, Request, StatusReport};
use crate::rules::{self, Refusal};

/// CxlRejReason(102), FIX 4.4.
const TOO_LATE_TO_CANCEL: u32 = 0;
const CANCEL_OF_UNKNOWN_ORDER: u32 = 1;

/// What a request leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The ledger has it; its reports are on their way or were sent.
    Redelivered,
    /// To be applied in order and made durable together; never empty.
    Facts(Vec<Fact>),
    /// Answers that change nothing and are not kept.
    Reports(Vec<StatusReport>),
}

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

    /// What a request leads to now. Two calls without an `evolve` between them give the same answer.
    #[must_use]
    pub fn decide(&self, inbound: &Inbound, now: Timestamp) -> Decision {
        let cl_ord_id = match &inbound.request {
            Request::Query(query) => {
                return Decision::Reports(self.answer(&inbound.cause.session, query));
            }
            Request::New(order) => &order.cl_ord_id,
            Request::Cancel(cancel) => &cancel.cl_ord_id,
        };
        let session = self.sessions.get(&inbound.cause.session);
        if session.is_some_and(|session| session.has_recorded(&inbound.cause, cl_ord_id)) {
            return Decision::Redelivered;
        }
        let mut facts = match &inbound.request {
            Request::Query(_) => Vec::new(),
            Request::New(order) => self.place(inbound, order, now),
            Request::Cancel(cancel) => self.cancel(inbound, cancel, now),
        };
        if let Some(last) = facts.last_mut() {
            last.completes = true;
        }
        Decision::Facts(facts)
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

    fn place(&self, inbound: &Inbound, new: &NewOrder, now: Timestamp) -> Vec<Fact> {
        let asked = OrderImage {
            order: 0,
            cl_ord_id: new.cl_ord_id.clone(),
            account: new.account.clone(),
            symbol: new.symbol.clone(),
            side: new.side,
            time_in_force: new.time_in_force,
            quantity_units: new.quantity_units,
            price: new.price,
            leaves_units: 0,
            cum_units: 0,
            notional: 0,
        };
        let mut facts = Facts {
            exchange: self,
            inbound,
            now,
            facts: Vec::new(),
        };
        let instrument = match self.check(inbound, new) {
            Ok(instrument) => instrument,
            Err(Refusal { reason, text }) => {
                facts.tell(
                    &inbound.cause.session,
                    asked,
                    Happening::Rejected { reason, text },
                );
                return facts.facts;
            }
        };
        let mut image = OrderImage {
            order: self.next_ordinal,
            leaves_units: new.quantity_units,
            ..asked
        };
        facts.tell(&inbound.cause.session, image.clone(), Happening::Accepted);
        let quotes = self.makers[instrument]
            .iter()
            .flat_map(|maker| maker.quotes(self.rounds[instrument], new.side, new.price));
        for fill in self.books[instrument].fills(new.side, new.price, new.quantity_units, quotes) {
            let executed = |against| Happening::Executed {
                last_units: fill.units,
                last_price: fill.price,
                against,
            };
            let mut against = None;
            if let Against::Order(number) = fill.against
                && let Some(resting) = self.orders.get(&number)
            {
                against = Some(number);
                let image = filled(resting.image.clone(), fill.units, fill.price);
                facts.tell(&resting.session, image, executed(Some(self.next_ordinal)));
            }
            image = filled(image, fill.units, fill.price);
            facts.tell(&inbound.cause.session, image.clone(), executed(against));
        }
        if image.leaves_units > 0 && new.time_in_force == TimeInForce::ImmediateOrCancel {
            let image = OrderImage {
                leaves_units: 0,
                ..image
            };
            facts.tell(
                &inbound.cause.session,
                image,
                Happening::Canceled { request: None },
            );
        }
        facts.facts
    }

    fn check(&self, inbound: &Inbound, new: &NewOrder) -> Result<usize, Refusal> {
        if self.is_used(&inbound.cause, &new.cl_ord_id) {
            return Err(Refusal::new(
                REASON_DUPLICATE,
                format!("duplicate: ClOrdID {} was used today", new.cl_ord_id),
            ));
        }
        if let Some(text) = &new.unsupported {
            return Err(Refusal::new(
                rules::UNSUPPORTED,
                format!("unsupported: {text}"),
            ));
        }
        let Some(instrument) = self.contracts.find(&inbound.venue, &new.symbol) else {
            let text = format!("symbol: {} does not list {}", inbound.venue, new.symbol);
            return Err(Refusal::new(rules::UNKNOWN_SYMBOL, text));
        };
        rules::check(
            &self.contracts.all()[instrument],
            new.quantity_units,
            new.price,
        )?;
        Ok(instrument)
    }

    fn cancel(&self, inbound: &Inbound, cancel: &Cancel, now: Timestamp) -> Vec<Fact> {
        let session = &inbound.cause.session;
        let request = cancel.cl_ord_id.clone();
        let order = self.order_of(session, &cancel.orig_cl_ord_id);
        let refusal = if self.is_used(&inbound.cause, &request) {
            Some((
                REASON_DUPLICATE,
                format!("duplicate: ClOrdID {request} was used today"),
            ))
        } else {
            match order {
                None => Some((
                    CANCEL_OF_UNKNOWN_ORDER,
                    format!("order: {} is not known here", cancel.orig_cl_ord_id),
                )),
                Some(order) if order.image.leaves_units == 0 => {
                    Some((TOO_LATE_TO_CANCEL, "order: is done already".to_owned()))
                }
                Some(_) => None,
            }
        };
        let image = order.map_or_else(|| cancel.unknown_order(), |order| order.image.clone());
        let mut facts = Facts {
            exchange: self,
            inbound,
            now,
            facts: Vec::new(),
        };
        match refusal {
            Some((reason, text)) => facts.tell(
                session,
                image,
                Happening::CancelRejected {
                    request,
                    reason,
                    text,
                },
            ),
            None => {
                let image = OrderImage {
                    leaves_units: 0,
                    ..image
                };
                facts.tell(
                    session,
                    image,
                    Happening::Canceled {
                        request: Some(request),
                    },
                );
            }
        }
        facts.facts
    }

    fn answer(&self, session: &str, query: &Query) -> Vec<StatusReport> {
        match query {
            Query::Order(asked) => vec![StatusReport::one(
                asked,
                self.order_of(session, &asked.cl_ord_id)
                    .map(|order| &order.image),
            )],
            Query::AllWorking {
                request_id,
                account,
            } => {
                let of_session = self
                    .orders
                    .values()
                    .filter(|order| order.session == session);
                let mut working: Vec<&OrderImage> = of_session
                    .map(|order| &order.image)
                    .filter(|image| {
                        image.leaves_units > 0
                            && account
                                .as_ref()
                                .is_none_or(|account| *account == image.account)
                    })
                    .collect();
                working.sort_by_key(|image| image.order);
                StatusReport::all(request_id, &working)
            }
        }
    }

    fn is_used(&self, cause: &Cause, cl_ord_id: &str) -> bool {
        self.sessions
            .get(&cause.session)
            .is_some_and(|session| session.used.contains_key(cl_ord_id))
    }

    fn order_of(&self, session: &str, cl_ord_id: &str) -> Option<&Order> {
        let number = self
            .sessions
            .get(session)?
            .used
            .get(cl_ord_id)
            .copied()
            .flatten()?;
        self.orders.get(&number)
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

fn filled(image: OrderImage, units: i64, price: Price) -> OrderImage {
    OrderImage {
        leaves_units: image.leaves_units - units,
        cum_units: image.cum_units + units,
        // A price is far below 2^40 and a quantity below 2^20; past i64 the average price is all that would suffer.
        notional: image.notional.saturating_add(price.0.saturating_mul(units)),
        ..image
    }
}

/// The facts of one message, numbered as they are told.
struct Facts<'a> {
    exchange: &'a Exchange,
    inbound: &'a Inbound,
    now: Timestamp,
    facts: Vec<Fact>,
}

impl Facts<'_> {
    fn tell(&mut self, session: &str, order: OrderImage, happening: Happening) {
        self.facts.push(Fact {
            ordinal: self.exchange.next_ordinal + self.facts.len() as u64,
            venue: self.inbound.venue.clone(),
            session: session.to_owned(),
            cause: self.inbound.cause.clone(),
            completes: false,
            trade_date: self.exchange.trade_date.clone(),
            transact_time: self.now,
            order,
            happening,
        });
    }
}

#[cfg(test)]
mod tests;
