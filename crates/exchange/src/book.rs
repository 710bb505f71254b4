//! One instrument's resting orders in price-time priority, and the matching of an incoming order against them.
//!
//! Called by the exchange state. Matching only *reads*: it says which fills would happen; the facts made of them
//! change the book when they are applied. So the live path and the rebuild from the ledger are the same code.
//!
//! 1. A better price fills first; at one price the order that took its place first (the lower priority) fills first.
//! 2. A fill happens at the resting price, never at the incoming one.
//! 3. Seeded liquidity is quoted anew for every incoming order, so at one price it stands behind every order.
//!
//! Each side is one ordered map from (price, priority) to the order rather than levels with queues: the key *is* its
//! place, and a cancel deep in a level costs the same as one at its head. It knows nothing of lots or bands.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::price::Price;

#[cfg(test)]
mod naive;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Buy,
    Sell,
}

impl Side {
    /// Whether an order of this side with this limit trades against a quote at `price`.
    #[must_use]
    pub fn crosses(self, limit: Price, price: Price) -> bool {
        match self {
            Self::Buy => price <= limit,
            Self::Sell => price >= limit,
        }
    }

    /// Whether, for an incoming order of this side, `price` is a better one to trade at than `other`.
    fn prefers(self, price: Price, other: Price) -> bool {
        match self {
            Self::Buy => price < other,
            Self::Sell => price > other,
        }
    }
}

/// A resting order as the book sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    pub price: Price,
    /// Its place in the queue of its price, lower is earlier: a ledger ordinal, that of its acceptance or of the
    /// replacement that sent it to the end.
    pub priority: u64,
    /// The order's number.
    pub order: u64,
    pub leaves_units: i64,
}

impl Resting {
    /// The order replaced at the ordinal `at`: one that only gets smaller keeps its place, any other goes to the end of
    /// the queue.
    #[must_use]
    pub fn replaced(self, price: Price, leaves_units: i64, at: u64) -> Self {
        let keeps = price == self.price && leaves_units <= self.leaves_units;
        Self {
            price,
            priority: if keeps { self.priority } else { at },
            leaves_units,
            ..self
        }
    }
}

/// Who stands on the other side of a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    Order(u64),
    /// The seeded market maker.
    Liquidity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    pub against: Against,
    pub price: Price,
    pub units: i64,
}

/// An order's number and leaves.
type Entered = (u64, i64);

#[derive(Clone, Debug, Default)]
pub struct Book {
    bids: BTreeMap<(Reverse<Price>, u64), Entered>,
    asks: BTreeMap<(Price, u64), Entered>,
}

impl Book {
    pub fn insert(&mut self, side: Side, resting: Resting) {
        let Resting {
            price,
            priority,
            order,
            leaves_units,
        } = resting;
        let entered = (order, leaves_units);
        match side {
            Side::Buy => self.bids.insert((Reverse(price), priority), entered),
            Side::Sell => self.asks.insert((price, priority), entered),
        };
    }

    /// Takes `units` off a resting order; at zero it leaves the book. An order that isn't there changes nothing.
    pub fn reduce(&mut self, side: Side, price: Price, priority: u64, units: i64) {
        match side {
            Side::Buy => reduce(self.bids.entry((Reverse(price), priority)), units),
            Side::Sell => reduce(self.asks.entry((price, priority)), units),
        }
    }

    pub fn remove(&mut self, side: Side, price: Price, priority: u64) {
        match side {
            Side::Buy => self.bids.remove(&(Reverse(price), priority)),
            Side::Sell => self.asks.remove(&(price, priority)),
        };
    }

    /// One side in priority order.
    pub fn resting(&self, side: Side) -> Box<dyn Iterator<Item = Resting> + '_> {
        let resting = |price, priority, (order, leaves_units)| Resting {
            price,
            priority,
            order,
            leaves_units,
        };
        match side {
            Side::Buy => Box::new(
                self.bids
                    .iter()
                    .map(move |((Reverse(price), at), entered)| resting(*price, *at, *entered)),
            ),
            Side::Sell => Box::new(
                self.asks
                    .iter()
                    .map(move |((price, at), entered)| resting(*price, *at, *entered)),
            ),
        }
    }

    /// The fills of an incoming order, best first. `liquidity` gives the maker's quotes that the order crosses, in
    /// the order they are offered; what is left over after the last fill is the caller's to rest or cancel.
    pub fn fills(
        &self,
        side: Side,
        limit: Price,
        units: i64,
        liquidity: impl Iterator<Item = (Price, i64)>,
    ) -> Vec<Fill> {
        let opposite = match side {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        };
        let mut resting = self
            .resting(opposite)
            .take_while(|resting| side.crosses(limit, resting.price))
            .peekable();
        let mut quotes = liquidity.peekable();
        let (mut fills, mut left) = (Vec::new(), units);
        while left > 0 {
            let order_first = match (resting.peek(), quotes.peek()) {
                (None, None) => break,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (Some(order), Some((quoted, _))) => !side.prefers(*quoted, order.price),
            };
            let (against, price, available) = if order_first {
                let Some(order) = resting.next() else { break };
                (Against::Order(order.order), order.price, order.leaves_units)
            } else {
                let Some((price, available)) = quotes.next() else {
                    break;
                };
                (Against::Liquidity, price, available)
            };
            let units = available.min(left);
            left -= units;
            fills.push(Fill {
                against,
                price,
                units,
            });
        }
        fills
    }
}

impl Hash for Book {
    /// What stands in it, in priority order; the numbers that make the order are not part of it.
    fn hash<H: Hasher>(&self, state: &mut H) {
        for side in [Side::Buy, Side::Sell] {
            side.hash(state);
            self.resting(side).for_each(|resting| {
                (resting.price, resting.order, resting.leaves_units).hash(state);
            });
        }
    }
}

fn reduce<K: Ord>(entry: Entry<'_, K, Entered>, units: i64) {
    if let Entry::Occupied(mut entered) = entry {
        entered.get_mut().1 -= units;
        if entered.get().1 <= 0 {
            entered.remove();
        }
    }
}

#[cfg(test)]
mod tests;
