//! The specification of the fast book: a plain list, searched from end to end for every single fill. Tests only.
//!
//! It shares nothing with the fast book but the words; equality is judged by fills and by a state hash.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use super::{Against, Fill, Side};
use crate::price::Price;

#[derive(Default)]
pub struct Naive {
    /// In order of time: a replacement that loses its place stands at the end.
    orders: Vec<(Side, Listed)>,
}

#[derive(Clone, Copy)]
struct Listed {
    price: Price,
    order: u64,
    leaves_units: i64,
}

impl Naive {
    pub fn submit(
        &mut self,
        side: Side,
        order: u64,
        limit: Price,
        units: i64,
        quotes: &[(Price, i64)],
    ) -> Vec<Fill> {
        let (mut left, mut fills) = (units, Vec::new());
        let mut quotes = quotes
            .iter()
            .filter(|(price, _)| acceptable(side, limit, *price))
            .copied()
            .collect::<Vec<_>>();
        while left > 0 {
            let best = self
                .best_opposite(side)
                .filter(|at| acceptable(side, limit, self.orders[*at].1.price));
            let fill = match (best, quotes.first().copied()) {
                (None, None) => break,
                (Some(at), None) => self.hit(at, left),
                (None, Some(quote)) => hit_quote(&mut quotes, quote, left),
                // The queue of quotes is taken in the order it is offered; only its head competes with the orders.
                (Some(at), Some(quote)) if better(side, quote.0, self.orders[at].1.price) => {
                    hit_quote(&mut quotes, quote, left)
                }
                (Some(at), Some(_)) => self.hit(at, left),
            };
            left -= fill.units;
            fills.push(fill);
        }
        if left > 0 {
            self.orders.push((
                side,
                Listed {
                    price: limit,
                    order,
                    leaves_units: left,
                },
            ));
        }
        fills
    }

    pub fn cancel(&mut self, order: u64) {
        self.orders.retain(|(_, resting)| resting.order != order);
    }

    /// `None` when the order isn't there.
    pub fn replace(
        &mut self,
        order: u64,
        limit: Price,
        leaves_units: i64,
        quotes: &[(Price, i64)],
    ) -> Option<Vec<Fill>> {
        let at = self
            .orders
            .iter()
            .position(|(_, resting)| resting.order == order)?;
        let (side, resting) = self.orders[at];
        if resting.price == limit && leaves_units <= resting.leaves_units {
            self.orders[at].1.leaves_units = leaves_units;
            return Some(Vec::new());
        }
        self.orders.remove(at);
        Some(self.submit(side, order, limit, leaves_units, quotes))
    }

    /// Equal to [`hash_of`] a fast book with the same orders.
    pub fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for side in [Side::Buy, Side::Sell] {
            side.hash(&mut hasher);
            let mut resting: Vec<Listed> = self
                .orders
                .iter()
                .filter(|(of, _)| *of == side)
                .map(|(_, resting)| *resting)
                .collect();
            // The sort is stable: at one price the list's order of time stays.
            resting.sort_by_key(|resting| {
                if side == Side::Buy {
                    -resting.price.0
                } else {
                    resting.price.0
                }
            });
            for listed in resting {
                (listed.price, listed.order, listed.leaves_units).hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    fn best_opposite(&self, side: Side) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (at, (of, resting)) in self.orders.iter().enumerate() {
            if *of != side
                && best.is_none_or(|best| better(side, resting.price, self.orders[best].1.price))
            {
                best = Some(at);
            }
        }
        best
    }

    fn hit(&mut self, at: usize, left: i64) -> Fill {
        let resting = &mut self.orders[at].1;
        let units = resting.leaves_units.min(left);
        resting.leaves_units -= units;
        let fill = Fill {
            against: Against::Order(resting.order),
            price: resting.price,
            units,
        };
        if self.orders[at].1.leaves_units == 0 {
            self.orders.remove(at);
        }
        fill
    }
}

pub fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn hit_quote(quotes: &mut Vec<(Price, i64)>, quote: (Price, i64), left: i64) -> Fill {
    quotes.remove(0);
    Fill {
        against: Against::Liquidity,
        price: quote.0,
        units: quote.1.min(left),
    }
}

fn acceptable(side: Side, limit: Price, price: Price) -> bool {
    if side == Side::Buy {
        price.0 <= limit.0
    } else {
        price.0 >= limit.0
    }
}

fn better(side: Side, price: Price, than: Price) -> bool {
    if side == Side::Buy {
        price.0 < than.0
    } else {
        price.0 > than.0
    }
}
