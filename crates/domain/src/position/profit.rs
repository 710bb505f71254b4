//! What a position has earned: average price of what is open, realized and unrealized profit. Average-cost netting, as positions are
//! kept by the desk; MIS, NRML and CNC are apart because each is a position of its own. Derived, never stored.
//!
//! Exact: what is realized and the cost of what is open always add up to the cash that flowed, whatever was rounded between them.

use super::state::Position;
use crate::amount::{Money, Price, Quantity};
use crate::id::Side;

/// In 1/10,000 rupee. Brokerage, taxes and charges are not in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Profit {
    /// Of the open quantity, rounded to the nearest; `None` when flat.
    pub average_price: Option<Price>,
    pub realized: Money,
    /// Against the mark; `None` without one, zero when flat.
    pub unrealized: Option<Money>,
    /// Bought and sold today, in units: what has been done of the day's turnover.
    pub bought: u64,
    pub sold: u64,
}

impl Position {
    /// `mark` is the price that the open quantity could be closed at.
    pub fn profit(&self, mark: Option<Price>) -> Profit {
        self.netting().profit(mark)
    }

    /// The position's trades as they stand, netted in the order of booking.
    pub fn netting(&self) -> Netting {
        let mut netting = Netting::default();
        netting.book.trade(self.bod.0, self.bod_average_price);
        for (_, trade) in self.trades() {
            netting.add(trade.side, trade.live_quantity(), trade.price);
        }
        netting
    }
}

/// What profit is made of. Who keeps it while trades are booked need not look at all of them again for each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Netting {
    book: Book,
    bought: u64,
    sold: u64,
}

impl Netting {
    /// Takes in a trade that is booked behind the others.
    pub fn add(&mut self, side: Side, quantity: Quantity, price: Price) {
        let turnover = match side {
            Side::Buy => &mut self.bought,
            Side::Sell => &mut self.sold,
        };
        *turnover = turnover.saturating_add(quantity.units());
        let units = i64::try_from(quantity.units()).unwrap_or(i64::MAX);
        self.book.trade(units.saturating_mul(side.sign()), price);
    }

    /// As [`Position::profit`].
    pub fn profit(&self, mark: Option<Price>) -> Profit {
        let Netting { book, bought, sold } = self;
        let unrealized = match mark {
            Some(mark) => Some(Money::saturating(
                i128::from(mark.0)
                    .saturating_mul(book.open)
                    .saturating_sub(book.cost),
            )),
            None if book.open == 0 => Some(Money::default()),
            None => None,
        };
        Profit {
            average_price: book.average_price(),
            realized: Money::saturating(book.realized),
            unrealized,
            bought: *bought,
            sold: *sold,
        }
    }
}

/// Signed: a short position has a negative quantity and a negative cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Book {
    open: i128,
    /// Cash that the open quantity cost.
    cost: i128,
    realized: i128,
}

impl Book {
    fn trade(&mut self, units: i64, price: Price) {
        let (units, price) = (i128::from(units), i128::from(price.0));
        let closes = units.signum() * self.open.signum() < 0;
        let closing = if closes {
            units.abs().min(self.open.abs()) * units.signum()
        } else {
            0
        };
        if closing != 0 {
            let cost = self.cost.saturating_mul(-closing) / self.open;
            let proceeds = price.saturating_mul(-closing);
            self.realized = self.realized.saturating_add(proceeds.saturating_sub(cost));
            self.cost = self.cost.saturating_sub(cost);
            self.open = self.open.saturating_add(closing);
        }
        let opening = units - closing;
        self.cost = self.cost.saturating_add(price.saturating_mul(opening));
        self.open = self.open.saturating_add(opening);
    }

    fn average_price(&self) -> Option<Price> {
        if self.open == 0 {
            return None;
        }
        let (cost, open) = (self.cost.abs(), self.open.abs());
        let average = cost.saturating_add(open / 2) / open;
        let sign = self.cost.signum() * self.open.signum();
        Some(Price(
            i64::try_from(average.saturating_mul(sign)).unwrap_or(i64::MAX),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trades as `(units, rupees)`; the first is the BOD line.
    fn book(trades: &[(i64, i64)]) -> Book {
        let mut book = Book::default();
        for (units, rupees) in trades {
            book.trade(*units, Price(rupees * Price::PER_RUPEE));
        }
        book
    }

    #[test]
    fn profit_is_realized_at_the_average_cost() {
        // trades -> average price, realized, both in 1/10,000 rupee
        for (trades, average, realized) in [
            (&[(40, 100)][..], Some(1_000_000), 0),
            (&[(40, 100), (-10, 110)], Some(1_000_000), 1_000_000),
            (&[(40, 100), (-40, 90)], None, -4_000_000),
            (&[(-40, 100), (40, 90)], None, 4_000_000),
            (&[(-40, 100), (10, 130)], Some(1_000_000), -3_000_000),
            (&[(10, 100), (20, 130)], Some(1_200_000), 0),
            (
                &[(10, 100), (20, 130), (-15, 140)],
                Some(1_200_000),
                3_000_000,
            ),
            // Through zero: what is over opens anew at its own price.
            (&[(10, 100), (-15, 120)], Some(1_200_000), 2_000_000),
            (&[(0, 100), (-5, 120), (5, 100)], None, 1_000_000),
            (&[(3, 100), (-1, 0), (-1, 0), (-1, 0)], None, -3_000_000),
        ] {
            let book = book(trades);
            assert_eq!(book.average_price(), average.map(Price), "{trades:?}");
            assert_eq!(book.realized, realized, "{trades:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost_to_rounding(trades in proptest::collection::vec((-50_i64..50, 1_i64..2_000), 0..30)) {
            let book = book(&trades);
            let cash: i128 = trades.iter().map(|(units, rupees)| -i128::from(units * rupees * Price::PER_RUPEE)).sum();
            proptest::prop_assert_eq!(book.realized - book.cost, cash);
            proptest::prop_assert_eq!(book.open, trades.iter().map(|(units, _)| i128::from(*units)).sum::<i128>());
        }
    }
}
