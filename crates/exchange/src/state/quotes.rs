//! What the market sees of a book: its best prices and its trades.

use super::{Exchange, Print};
use crate::book::Side;
use crate::contracts::Instrument;
use crate::fact::{Fact, Happening};
use crate::price::Price;

/// The top of one book, the seeded liquidity included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Top {
    /// Price and units; `None` where nobody buys.
    pub bid: Option<(Price, i64)>,
    /// `None` where nobody sells.
    pub ask: Option<(Price, i64)>,
    /// The day's last trade.
    pub last: Option<Print>,
}

impl Exchange {
    /// Every instrument; the position in the slice is what [`Exchange::top`] takes.
    #[must_use]
    pub fn instruments(&self) -> &[Instrument] {
        self.contracts.all()
    }

    /// What a fact's book is, where it is one's.
    #[must_use]
    pub fn instrument_of(&self, fact: &Fact) -> Option<usize> {
        self.contracts.find(&fact.venue, &fact.order.symbol)
    }

    #[must_use]
    pub fn top(&self, instrument: usize) -> Top {
        Top {
            bid: self.best(instrument, Side::Buy),
            ask: self.best(instrument, Side::Sell),
            last: self.lasts[instrument],
        }
    }

    /// Whether a fact is a trade's one line on the tape: of two sides the second.
    #[must_use]
    pub fn is_print(&self, fact: &Fact) -> bool {
        let Happening::Executed { against, .. } = fact.happening else {
            return false;
        };
        let execution = self.executions.get(&fact.ordinal);
        let counterpart = execution.and_then(|execution| execution.counterpart);
        against.is_none() || counterpart.is_some_and(|other| other < fact.ordinal)
    }

    fn best(&self, instrument: usize, side: Side) -> Option<(Price, i64)> {
        let book = &self.books[instrument];
        let first = book.resting(side).next().map(|resting| resting.price);
        let quoted = self.makers[instrument].as_ref();
        let quoted = quoted.map(|maker| maker.best(self.rounds[instrument], side));
        let price = match (first, quoted) {
            (Some(first), Some((price, _))) if side == Side::Buy => first.max(price),
            (Some(first), Some((price, _))) => first.min(price),
            (Some(price), None) | (None, Some((price, _))) => price,
            (None, None) => return None,
        };
        let resting = book.resting(side);
        let resting = resting.take_while(|resting| resting.price == price);
        let units: i64 = resting.map(|resting| resting.leaves_units).sum();
        let quoted = quoted.filter(|(at, _)| *at == price);
        Some((price, units + quoted.map_or(0, |(_, units)| units)))
    }
}
