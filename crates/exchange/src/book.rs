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
        let resting = Resting {
            price: limit,
            priority: order,
            order,
            leaves_units: units,
        };
        enter(book, side, resting, quotes)
    }

    /// Replaces what rests of an order at a price and leaves; `None` when nothing does.
    fn replace(
        book: &mut Book,
        order: u64,
        limit: Price,
        leaves_units: i64,
        at: u64,
        quotes: &[(Price, i64)],
    ) -> Option<Vec<Fill>> {
        let find = |side| book.resting(side).find(|resting| resting.order == order);
        let found = [Side::Buy, Side::Sell].map(|side| find(side).map(|resting| (side, resting)));
        let (side, resting) = found.into_iter().flatten().next()?;
        let replaced = resting.replaced(limit, leaves_units, at);
        book.remove(side, resting.price, resting.priority);
        if replaced.priority == resting.priority {
            book.insert(side, replaced);
            return Some(Vec::new());
        }
        Some(enter(book, side, replaced, quotes))
    }

    fn enter(book: &mut Book, side: Side, entering: Resting, quotes: &[(Price, i64)]) -> Vec<Fill> {
        let (limit, units) = (entering.price, entering.leaves_units);
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
            if let Against::Order(order) = fill.against {
                let hit = book
                    .resting(opposite)
                    .find(|resting| resting.order == order);
                book.reduce(opposite, fill.price, hit.unwrap().priority, fill.units);
            }
        }
        let leaves_units = units - fills.iter().map(|fill| fill.units).sum::<i64>();
        if leaves_units > 0 {
            book.insert(
                side,
                Resting {
                    leaves_units,
                    ..entering
                },
            );
        }
        fills
    }

    /// A scenario is lines of `buy|sell PRICE UNITS` (numbered from 1 in order), `cancel NUMBER`, `replace NUMBER PRICE
    /// LEAVES` or `quote PRICE UNITS` (liquidity for the next order only); the last line is what the last order must trade: `against@price x units`.
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
            "an order made smaller keeps its place",
            &["sell 100 5", "sell 100 5", "replace 1 100 3", "buy 100 4"],
            "1@100x3 2@100x1",
        ),
        (
            "an order made larger goes behind",
            &["sell 100 5", "sell 100 5", "replace 1 100 6", "buy 100 6"],
            "2@100x5 1@100x1",
        ),
        (
            "an order at a new price goes behind those that are there",
            &["sell 101 5", "sell 100 5", "replace 1 100 5", "buy 100 6"],
            "2@100x5 1@100x1",
        ),
        (
            "an order moved away and back has lost its place",
            &[
                "sell 100 5",
                "sell 100 5",
                "replace 1 101 5",
                "replace 1 100 5",
                "buy 100 6",
            ],
            "2@100x5 1@100x1",
        ),
        (
            "an order replaced across the market trades at once",
            &["sell 101 5", "buy 99 8", "replace 2 101 8"],
            "1@101x5",
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
                    "replace" => {
                        placed.push(placed[number(1) as usize - 1]);
                        let (order, at) = (number(1) as u64, 100 + placed.len() as u64);
                        let (limit, leaves) = (Price(number(2)), number(3));
                        fills = replace(&mut book, order, limit, leaves, at, &quotes).unwrap();
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
        Replace {
            nth: usize,
            limit: i64,
            leaves: i64,
            quotes: Vec<(i64, i64)>,
        },
    }

    fn step() -> impl Strategy<Value = Step> {
        let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
        let quotes = || prop::collection::vec((95_i64..106, 1_i64..20), 0..4);
        prop_oneof![
            4 => (side, 90_i64..111, 1_i64..50, quotes())
                .prop_map(|(side, limit, units, quotes)| Step::Submit { side, limit, units, quotes }),
            1 => (0_usize..64).prop_map(|nth| Step::Cancel { nth }),
            2 => (0_usize..64, 90_i64..111, 1_i64..50, quotes())
                .prop_map(|(nth, limit, leaves, quotes)| Step::Replace { nth, limit, leaves, quotes }),
        ]
    }

    proptest! {
        #[test]
        fn the_fast_book_does_what_the_naive_one_says(steps in prop::collection::vec(step(), 1..120)) {
            let (mut book, mut naive, mut placed) = (Book::default(), Naive::default(), 0);
            let priced = |quotes: Vec<(i64, i64)>| -> Vec<(Price, i64)> {
                quotes.into_iter().map(|(price, units)| (Price(price), units)).collect()
            };
            for (step, at) in steps.into_iter().zip(1_000..) {
                match step {
                    Step::Submit { side, limit, units, quotes } => {
                        placed += 1;
                        let quotes = priced(quotes);
                        let entering = Resting { price: Price(limit), priority: at, order: placed, leaves_units: units };
                        let fast = enter(&mut book, side, entering, &quotes);
                        prop_assert_eq!(fast, naive.submit(side, placed, Price(limit), units, &quotes));
                    }
                    Step::Cancel { .. } | Step::Replace { .. } if placed == 0 => {}
                    Step::Cancel { nth } => {
                        let order = nth as u64 % placed + 1;
                        for side in [Side::Buy, Side::Sell] {
                            let found = book.resting(side).find(|resting| resting.order == order);
                            if let Some(resting) = found {
                                book.remove(side, resting.price, resting.priority);
                            }
                        }
                        naive.cancel(order);
                    }
                    Step::Replace { nth, limit, leaves, quotes } => {
                        let (order, quotes) = (nth as u64 % placed + 1, priced(quotes));
                        let fast = replace(&mut book, order, Price(limit), leaves, at, &quotes);
                        prop_assert_eq!(fast, naive.replace(order, Price(limit), leaves, &quotes));
                    }
                }
                prop_assert_eq!(hash_of(&book), naive.hash());
            }
        }
    }
}
