//! The facts of one message or command, numbered as they are told; the matching of an order that enters a book; and which
//! faults strike.

use squareoff_fix::Timestamp;

use super::{Exchange, Order};
use crate::book::{Against, Fill};
use crate::fact::{Cause, Ended, Fact, HOUSE, Happening, OrderImage, TimeInForce};
use crate::fault::Fault;
use crate::liquidity::mix;
use crate::price::Price;
use crate::setting::RATE_ONE;

/// Whose order it is.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    pub venue: &'a str,
    pub session: &'a str,
}

impl Order {
    pub(super) fn owner(&self) -> Owner<'_> {
        Owner {
            venue: &self.venue,
            session: &self.session,
        }
    }
}

pub(super) struct Facts<'a> {
    exchange: &'a Exchange,
    cause: Cause,
    now: Timestamp,
    facts: Vec<Fact>,
    /// The wishes that this message takes up; the state forgets them with its facts.
    taken: Vec<(Fault, Option<String>)>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(exchange: &'a Exchange, cause: Cause, now: Timestamp) -> Self {
        Self {
            exchange,
            cause,
            now,
            facts: Vec::new(),
            taken: Vec::new(),
        }
    }

    /// The ordinal of the fact told next.
    pub(super) fn next_ordinal(&self) -> u64 {
        self.exchange.next_ordinal + self.facts.len() as u64
    }

    pub(super) fn tell(&mut self, owner: Owner<'_>, order: OrderImage, happening: Happening) {
        self.facts.push(Fact {
            ordinal: self.next_ordinal(),
            venue: owner.venue.to_owned(),
            session: owner.session.to_owned(),
            cause: self.cause.clone(),
            completes: false,
            trade_date: self.exchange.rules.trade_date.clone(),
            transact_time: self.now,
            order,
            happening,
            fault: None,
        });
    }

    /// A fact about no order.
    pub(super) fn tell_all(&mut self, venue: &str, happening: Happening) {
        let owner = Owner {
            venue,
            session: HOUSE,
        };
        self.tell(owner, OrderImage::none(), happening);
    }

    /// The fact told last shows a fault.
    pub(super) fn mark(&mut self, fault: Fault) {
        if let Some(last) = self.facts.last_mut() {
            last.fault = Some(fault);
        }
    }

    /// Whether a fault strikes at this occasion: because control asked for it, or by the seed's draw. Whoever asks shows it
    /// with [`Facts::mark`].
    pub(super) fn strikes(&mut self, fault: Fault, symbol: &str) -> bool {
        if self.exchange.is_calm() {
            return false;
        }
        for wish in [Some(symbol.to_owned()), None] {
            let key = (fault, wish);
            let taken = self.taken.iter().filter(|taken| **taken == key).count();
            let left = self.exchange.wishes.get(&key).copied().unwrap_or(0);
            if left as usize > taken {
                self.taken.push(key);
                return true;
            }
        }
        let rate = self.exchange.rates.get(&fault).copied().unwrap_or(0);
        let drawn = mix(mix(self.exchange.rules.seed ^ self.next_ordinal()) ^ fault as u64);
        drawn % u64::from(RATE_ONE) < u64::from(rate)
    }

    /// A new order comes in: acknowledged, then filled as far as it is met, unless a fault says otherwise.
    pub(super) fn place(&mut self, owner: Owner<'_>, instrument: usize, image: OrderImage) {
        let exchange = self.exchange;
        let lot_units = exchange.contracts.all()[instrument].lot_units;
        let symbol = image.symbol.clone();
        let half = half_lots(image.leaves_units, lot_units);
        let met = |fills: &[Fill]| fills.iter().map(|fill| fill.units).sum::<i64>();
        let mut fills = exchange.fills(instrument, &image, i64::MAX);
        let mut is_partial = false;
        if half > 0 && !fills.is_empty() && !exchange.is_calm() {
            let some = exchange.fills(instrument, &image, half);
            is_partial = met(&some) < met(&fills) && self.strikes(Fault::PartialFill, &symbol);
            if is_partial {
                fills = some;
            }
        }
        let is_late = !fills.is_empty() && self.strikes(Fault::FillBeforeAck, &symbol);
        if !is_late {
            self.tell(owner, image.clone(), Happening::Accepted);
        }
        let last = fills.last().copied();
        let mut image = image;
        for (at, fill) in fills.into_iter().enumerate() {
            image = self.fill(owner, image, fill);
            if is_partial && at == 0 {
                self.mark(Fault::PartialFill);
            }
            if is_late && at == 0 {
                self.tell(owner, image.clone(), Happening::AcknowledgedLate);
                self.mark(Fault::FillBeforeAck);
            }
        }
        if let Some(last) = last
            && image.leaves_units == 0
            && self.strikes(Fault::OverFill, &symbol)
        {
            let more = Fill {
                against: Against::Liquidity,
                price: last.price,
                units: lot_units,
            };
            image = self.fill(owner, image, more);
            self.mark(Fault::OverFill);
        }
        self.end_if_immediate(owner, image);
    }

    /// Matches an order, just told of, against the book as it stands: the fills, then the end of what an IOC leaves.
    pub(super) fn enter(&mut self, owner: Owner<'_>, instrument: usize, mut image: OrderImage) {
        for fill in self.exchange.fills(instrument, &image, i64::MAX) {
            image = self.fill(owner, image, fill);
        }
        self.end_if_immediate(owner, image);
    }

    /// One fill, told to the resting side first; answers the order after it.
    pub(super) fn fill(&mut self, owner: Owner<'_>, image: OrderImage, fill: Fill) -> OrderImage {
        let executed = |against| Happening::Executed {
            last_units: fill.units,
            last_price: fill.price,
            against,
        };
        let mut against = None;
        if let Against::Order(number) = fill.against
            && let Some(resting) = self.exchange.orders.get(&number)
        {
            against = Some(number);
            let hit = filled(resting.image.clone(), fill.units, fill.price);
            self.tell(resting.owner(), hit, executed(Some(image.order)));
        }
        let image = filled(image, fill.units, fill.price);
        self.tell(owner, image.clone(), executed(against));
        image
    }

    fn end_if_immediate(&mut self, owner: Owner<'_>, image: OrderImage) {
        if image.leaves_units > 0 && image.time_in_force == TimeInForce::ImmediateOrCancel {
            let canceled = Happening::Canceled { request: None };
            self.tell(owner, image.done(Ended::Canceled), canceled);
        }
    }

    /// All of them, the last one marked as such; with the faults that strike what was executed.
    pub(super) fn whole(mut self) -> Vec<Fact> {
        for at in 0..self.facts.len() {
            let fact = &self.facts[at];
            let is_executed = matches!(fact.happening, Happening::Executed { .. });
            if !is_executed || fact.fault.is_some() {
                continue;
            }
            let (execution, symbol) = (fact.ordinal, fact.order.symbol.clone());
            for fault in [Fault::WithholdReport, Fault::WithholdCopy] {
                if self.facts[at].fault.is_none() && self.strikes(fault, &symbol) {
                    self.facts[at].fault = Some(fault);
                }
            }
            if self.facts[at].fault.is_none() && self.strikes(Fault::DuplicateReport, &symbol) {
                let of = self.facts[at].clone();
                let owner = Owner {
                    venue: &of.venue,
                    session: &of.session,
                };
                let repeated = Happening::Repeated {
                    execution,
                    to_copy: false,
                };
                self.tell(owner, of.order.clone(), repeated);
                self.mark(Fault::DuplicateReport);
            }
        }
        if let Some(last) = self.facts.last_mut() {
            last.completes = true;
        }
        self.facts
    }
}

impl Exchange {
    /// Whether no fault can strike: nearly always, and every order asks.
    fn is_calm(&self) -> bool {
        self.wishes.is_empty() && self.rates.is_empty()
    }

    /// What an order would trade now, of the liquidity at most so much.
    fn fills(&self, instrument: usize, image: &OrderImage, liquidity_units_max: i64) -> Vec<Fill> {
        let round = self.rounds[instrument];
        let maker = self.makers[instrument].iter();
        let quotes = maker.flat_map(|maker| maker.quotes(round, image.side, image.price));
        let quotes = quotes.scan(liquidity_units_max, |left, (price, units)| {
            let units = units.min(*left);
            *left -= units;
            (units > 0).then_some((price, units))
        });
        self.books[instrument].fills(image.side, image.price, image.leaves_units, quotes)
    }
}

/// The whole lots nearest below half of a quantity; 0 where that is none.
pub(super) fn half_lots(units: i64, lot_units: i64) -> i64 {
    units / lot_units / 2 * lot_units
}

pub(super) fn filled(image: OrderImage, units: i64, price: Price) -> OrderImage {
    OrderImage {
        // An order that is done, or gets more than it asked for, has nothing left.
        leaves_units: (image.leaves_units - units).max(0),
        cum_units: image.cum_units + units,
        notional: image.notional.saturating_add(worth(units, price)),
        ..image
    }
}

/// A price is far below 2^40 and a quantity below 2^20; past i64 the average price is all that would suffer.
pub(super) fn worth(units: i64, price: Price) -> i64 {
    price.0.saturating_mul(units)
}
