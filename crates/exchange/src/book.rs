//! One instrument's resting orders in price-time priority, and the matching of an incoming order against them.
//!
//! Called by the exchange state. Matching only *reads*: it says which fills would happen; the facts made of them
//! change the book when they are applied. So the live path and the rebuild from the ledger are the same code.
//!
//! 1. A better price fills first; at one price the order accepted first (the lower number) fills first.
//! 2. A fill happens at the resting price, never at the incoming one.
//! 3. Seeded liquidity is quoted anew for every incoming order, so at one price it stands behind every order.
//!
//! Each side is one ordered map from (price, order number) to leaves rather than levels with queues: the key *is*
//! the priority, and a cancel deep in a level costs the same as one at its head. It knows nothing of lots or bands.

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resting {
    pub price: Price,
    /// The order's number: the ledger ordinal of its acceptance, so lower is earlier.
    pub order: u64,
    pub leaves_units: i64,
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

#[derive(Clone, Debug, Default)]
pub struct Book {
    bids: BTreeMap<(Reverse<Price>, u64), i64>,
    asks: BTreeMap<(Price, u64), i64>,
}

impl Book {
    pub fn insert(&mut self, side: Side, resting: Resting) {
        let Resting {
            price,
            order,
            leaves_units,
        } = resting;
        match side {
            Side::Buy => self.bids.insert((Reverse(price), order), leaves_units),
            Side::Sell => self.asks.insert((price, order), leaves_units),
        };
    }

    /// Takes `units` off a resting order; at zero it leaves the book. An order that isn't there changes nothing.
    pub fn reduce(&mut self, side: Side, price: Price, order: u64, units: i64) {
        match side {
            Side::Buy => reduce(self.bids.entry((Reverse(price), order)), units),
            Side::Sell => reduce(self.asks.entry((price, order)), units),
        }
    }

    pub fn remove(&mut self, side: Side, price: Price, order: u64) {
        match side {
            Side::Buy => self.bids.remove(&(Reverse(price), order)),
            Side::Sell => self.asks.remove(&(price, order)),
        };
    }

    /// One side in priority order.
    pub fn resting(&self, side: Side) -> Box<dyn Iterator<Item = Resting> + '_> {
        let resting = |price, order, leaves_units| Resting {
            price,
            order,
            leaves_units,
        };
        match side {
            Side::Buy => Box::new(
                self.bids
                    .iter()
                    .map(move |((Reverse(price), order), leaves)| resting(*price, *order, *leaves)),
            ),
            Side::Sell => Box::new(
                self.asks
                    .iter()
                    .map(move |((price, order), leaves)| resting(*price, *order, *leaves)),
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
    fn hash<H: Hasher>(&self, state: &mut H) {
        for side in [Side::Buy, Side::Sell] {
            side.hash(state);
            self.resting(side).for_each(|resting| resting.hash(state));
        }
    }
}

fn reduce<K: Ord>(entry: Entry<'_, K, i64>, units: i64) {
    if let Entry::Occupied(mut leaves) = entry {
        *leaves.get_mut() -= units;
        if *leaves.get() <= 0 {
            leaves.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::naive::{Naive, hash_of};
    use super::*;
    use proptest::prelude::*;

    /// Applies an order the way the exchange does: fills first, then the rest rests.
    fn submit(
        book: &mut Book,
        side: Side,
        order: u64,
        limit: Price,
        units: i64,
        quotes: &[(Price, i64)],
    ) -> Vec<Fill> {
        let crossed = quotes
            .iter()
            .copied()
            .filter(|(price, _)| side.crosses(limit, *price));
        let fills = book.fills(side, limit, units, crossed);
        let opposite = if side == Side::Buy {
            Side::Sell
        } else {
            Side::Buy
        };
        for fill in &fills {
            if let Against::Order(resting) = fill.against {
                book.reduce(opposite, fill.price, resting, fill.units);
            }
        }
        let leaves_units = units - fills.iter().map(|fill| fill.units).sum::<i64>();
        if leaves_units > 0 {
            book.insert(
                side,
                Resting {
                    price: limit,
                    order,
                    leaves_units,
                },
            );
        }
        fills
    }

    /// A scenario is lines of `buy|sell PRICE UNITS` (numbered from 1 in order), `cancel NUMBER` or `quote PRICE UNITS`
    /// (liquidity for the next order only); the last line is what the last order must trade: `against@price x units`.
    const SCENARIOS: &[(&str, &[&str], &str)] = &[
        (
            "an order away from the market rests",
            &["sell 101 10", "buy 100 10"],
            "",
        ),
        (
            "a fill happens at the resting price",
            &["sell 100 10", "buy 105 4"],
            "1@100x4",
        ),
        (
            "a better price fills first",
            &["sell 101 5", "sell 100 5", "buy 101 8"],
            "2@100x5 1@101x3",
        ),
        (
            "at one price the earlier order fills first",
            &["sell 100 5", "sell 100 5", "buy 100 7"],
            "1@100x5 2@100x2",
        ),
        (
            "a partly filled order keeps its place",
            &["sell 100 5", "sell 100 5", "buy 100 2", "buy 100 4"],
            "1@100x3 2@100x1",
        ),
        (
            "a cancelled order does not fill",
            &["sell 100 5", "sell 100 5", "cancel 1", "buy 100 7"],
            "2@100x5",
        ),
        (
            "what is left over rests and can be hit",
            &["sell 100 5", "buy 100 8", "sell 99 9"],
            "2@100x3",
        ),
        (
            "bids are best first too",
            &["buy 99 5", "buy 100 5", "sell 99 8"],
            "2@100x5 1@99x3",
        ),
        (
            "liquidity behind an order at the same price",
            &["sell 100 5", "quote 100 50", "buy 100 9"],
            "1@100x5 L@100x4",
        ),
        (
            "liquidity before a worse order",
            &["sell 101 5", "quote 100 3", "buy 101 9"],
            "L@100x3 1@101x5",
        ),
        (
            "liquidity that isn't crossed isn't hit",
            &["quote 101 50", "buy 100 9"],
            "",
        ),
        (
            "a sell hits liquidity at the bid",
            &["quote 100 2", "quote 99 9", "sell 99 5"],
            "L@100x2 L@99x3",
        ),
    ];

    #[test]
    fn scenarios() {
        for (name, lines, expected) in SCENARIOS {
            let (mut book, mut placed, mut quotes, mut fills) =
                (Book::default(), Vec::new(), Vec::new(), Vec::new());
            for line in *lines {
                let words: Vec<&str> = line.split(' ').collect();
                let number = |at: usize| words[at].parse::<i64>().unwrap();
                match words[0] {
                    "quote" => quotes.push((Price(number(1)), number(2))),
                    "cancel" => {
                        let order = number(1) as u64;
                        let (side, price) = placed[order as usize - 1];
                        book.remove(side, price, order);
                    }
                    word => {
                        let side = if word == "buy" { Side::Buy } else { Side::Sell };
                        placed.push((side, Price(number(1))));
                        fills = submit(
                            &mut book,
                            side,
                            placed.len() as u64,
                            Price(number(1)),
                            number(2),
                            &quotes,
                        );
                        quotes.clear();
                    }
                }
            }
            let shown = fills.iter().map(|fill| match fill.against {
                Against::Order(order) => format!("{order}@{}x{}", fill.price.0, fill.units),
                Against::Liquidity => format!("L@{}x{}", fill.price.0, fill.units),
            });
            assert_eq!(shown.collect::<Vec<_>>().join(" "), *expected, "{name}");
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Submit {
            side: Side,
            limit: i64,
            units: i64,
            quotes: Vec<(i64, i64)>,
        },
        Cancel {
            nth: usize,
        },
    }

    fn step() -> impl Strategy<Value = Step> {
        let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
        let quotes = prop::collection::vec((95_i64..106, 1_i64..20), 0..4);
        prop_oneof![
            4 => (side, 90_i64..111, 1_i64..50, quotes)
                .prop_map(|(side, limit, units, quotes)| Step::Submit { side, limit, units, quotes }),
            1 => (0_usize..64).prop_map(|nth| Step::Cancel { nth }),
        ]
    }

    proptest! {
        #[test]
        fn the_fast_book_does_what_the_naive_one_says(steps in prop::collection::vec(step(), 1..120)) {
            let (mut book, mut naive, mut placed) = (Book::default(), Naive::default(), Vec::new());
            for step in steps {
                match step {
                    Step::Submit { side, limit, units, quotes } => {
                        placed.push((side, Price(limit)));
                        let order = placed.len() as u64;
                        let quotes: Vec<(Price, i64)> = quotes.into_iter().map(|(price, units)| (Price(price), units)).collect();
                        let fast = submit(&mut book, side, order, Price(limit), units, &quotes);
                        prop_assert_eq!(fast, naive.submit(side, order, Price(limit), units, &quotes));
                    }
                    Step::Cancel { .. } if placed.is_empty() => {}
                    Step::Cancel { nth } => {
                        let at = nth % placed.len();
                        let (side, price) = placed[at];
                        book.remove(side, price, at as u64 + 1);
                        naive.cancel(at as u64 + 1);
                    }
                }
                prop_assert_eq!(hash_of(&book), naive.hash());
            }
        }
    }
}
