//! Money, prices and quantities: integers in a named unit, never floats.
//!
//! Arithmetic that could overflow saturates: every quantity that enters is bounded by [`Quantity::MAX`], so saturation is only
//! reachable by a history of millions of impossible reports, and even then a fold must not panic.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// What a text or number that is not an amount says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AmountError {
    #[error("`{0}` is not a decimal number of rupees with at most four decimals")]
    NotRupees(String),
    #[error("quantity {0} is above the largest that is accepted, {max}", max = Quantity::MAX.0)]
    QuantityTooLarge(u64),
}

/// A price in 1/10,000 rupee (currency futures tick in 0.0025 rupee). May be zero or negative only in reports.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Price(pub i64);

impl Price {
    /// Ten-thousandths in a rupee.
    pub const PER_RUPEE: i64 = 10_000;

    /// The largest multiple of `tick` that is not above this price; the price itself when `tick` is not positive.
    pub fn floor_to(self, tick: Price) -> Price {
        if tick.0 <= 0 {
            self
        } else {
            Price(self.0.saturating_sub(self.0.rem_euclid(tick.0)))
        }
    }

    /// The smallest multiple of `tick` that is not below this price.
    pub fn ceil_to(self, tick: Price) -> Price {
        if self.is_multiple_of(tick) {
            self
        } else {
            Price(self.floor_to(tick).0.saturating_add(tick.0))
        }
    }

    /// Whether the price is a whole number of ticks.
    pub fn is_multiple_of(self, tick: Price) -> bool {
        tick.0 <= 0 || self.0 % tick.0 == 0
    }
}

/// Rupees with as many decimals as are needed, at least two: `1402.50`, `83.1225`.
impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let unit = Price::PER_RUPEE.unsigned_abs();
        let (rupees, fraction) = (magnitude / unit, magnitude % unit);
        let text = if fraction % 100 == 0 {
            format!("{sign}{rupees}.{:02}", fraction / 100)
        } else {
            format!(
                "{sign}{rupees}.{}",
                format!("{fraction:04}").trim_end_matches('0')
            )
        };
        f.pad(&text)
    }
}

impl FromStr for Price {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || AmountError::NotRupees(text.to_owned());
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || fraction.len() > 4
            || !all_digits(whole)
            || !all_digits(fraction)
            || digits.ends_with('.')
        {
            return Err(refuse());
        }
        let rupees: i64 = whole.parse().map_err(|_| refuse())?;
        let fraction: i64 = format!("{fraction:0<4}").parse().map_err(|_| refuse())?;
        let value = rupees
            .checked_mul(Price::PER_RUPEE)
            .and_then(|units| units.checked_add(fraction))
            .ok_or_else(refuse)?;
        Ok(Price(if negative { -value } else { value }))
    }
}

/// An amount of money in 1/10,000 rupee: a price times a quantity, or a profit. Written as [`Price`] is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Money(pub i64);

impl Money {
    /// The nearest amount there is: some 900 million million rupees either way.
    pub fn saturating(amount: i128) -> Money {
        let nearest = if amount < 0 { i64::MIN } else { i64::MAX };
        Money(i64::try_from(amount).unwrap_or(nearest))
    }

    /// What `quantity` costs at `price`.
    pub fn of(quantity: Quantity, price: Price) -> Money {
        let amount = i128::from(quantity.units()).saturating_mul(i128::from(price.0));
        Money::saturating(amount)
    }

    #[must_use]
    pub const fn plus(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Price(self.0).fmt(f)
    }
}

/// A number of units (never lots), zero or more.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "u64", into = "u64")]
pub struct Quantity(u64);

impl Quantity {
    pub const ZERO: Quantity = Quantity(0);
    /// A million million units: above any real position, and small enough that nine million of them fit an `i64`.
    pub const MAX: Quantity = Quantity(1_000_000_000_000);

    /// # Errors
    /// [`AmountError::QuantityTooLarge`] above [`Quantity::MAX`].
    pub fn new(units: u64) -> Result<Self, AmountError> {
        if units > Self::MAX.0 {
            Err(AmountError::QuantityTooLarge(units))
        } else {
            Ok(Quantity(units))
        }
    }

    pub const fn units(self) -> u64 {
        self.0
    }

    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// What is left of this after `other`, zero when `other` is more.
    pub const fn minus(self, other: Quantity) -> Quantity {
        Quantity(self.0.saturating_sub(other.0))
    }

    /// The sum, capped at `u64::MAX`; sums may pass [`Quantity::MAX`].
    pub const fn plus(self, other: Quantity) -> Quantity {
        Quantity(self.0.saturating_add(other.0))
    }

    pub const fn is_multiple_of(self, lot: Quantity) -> bool {
        lot.0 != 0 && self.0.is_multiple_of(lot.0)
    }

    /// The largest whole number of lots in this quantity, in units; zero for a lot of zero.
    pub const fn whole_lots(self, lot: Quantity) -> Quantity {
        match self.0.checked_div(lot.0) {
            Some(lots) => Quantity(lots * lot.0),
            None => Quantity::ZERO,
        }
    }
}

impl std::iter::Sum for Quantity {
    fn sum<I: Iterator<Item = Quantity>>(iter: I) -> Self {
        iter.fold(Quantity::ZERO, Quantity::plus)
    }
}

impl TryFrom<u64> for Quantity {
    type Error = AmountError;

    fn try_from(units: u64) -> Result<Self, Self::Error> {
        Quantity::new(units)
    }
}

impl From<Quantity> for u64 {
    fn from(quantity: Quantity) -> u64 {
        quantity.0
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

/// A signed number of units: positive is long, negative is short.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct NetQuantity(pub i64);

impl NetQuantity {
    /// How much is open, whichever way.
    pub const fn open(self) -> Quantity {
        Quantity(self.0.unsigned_abs())
    }

    #[must_use]
    pub const fn plus(self, other: NetQuantity) -> NetQuantity {
        NetQuantity(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for NetQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rupees_are_read_and_written_exactly() {
        for (text, units, canonical) in [
            ("1402.50", 14_025_000, "1402.50"),
            ("83.1225", 831_225, "83.1225"),
            ("0.05", 500, "0.05"),
            ("7", 70_000, "7.00"),
            ("-37.6", -376_000, "-37.60"),
            ("0.0025", 25, "0.0025"),
        ] {
            let price: Price = text.parse().unwrap();
            assert_eq!(price, Price(units), "{text}");
            assert_eq!(price.to_string(), canonical);
        }
    }

    #[test]
    fn the_lowest_and_highest_price_there_is_round_without_a_panic() {
        for price in [Price(i64::MIN), Price(i64::MAX)] {
            assert!(!price.is_multiple_of(Price(500)));
            assert_eq!(price.ceil_to(Price(500)).0.signum(), price.0.signum());
            assert_eq!(price.floor_to(Price(500)).0.signum(), price.0.signum());
        }
    }

    #[test]
    fn what_is_no_amount_of_rupees_is_refused_with_its_text() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "1.23456",
            "1e3",
            "+1",
            "1,000",
            "--1",
            "99999999999999999999",
            "1 ",
        ] {
            assert_eq!(
                text.parse::<Price>(),
                Err(AmountError::NotRupees(text.to_owned())),
                "{text:?}"
            );
        }
    }

    #[test]
    fn whole_lots_never_exceed_the_quantity() {
        let quantity = |units| Quantity::new(units).unwrap();
        assert_eq!(quantity(1800).whole_lots(quantity(65)), quantity(1755));
        assert_eq!(quantity(64).whole_lots(quantity(65)), Quantity::ZERO);
        assert_eq!(quantity(64).whole_lots(Quantity::ZERO), Quantity::ZERO);
        assert!(Quantity::new(Quantity::MAX.units() + 1).is_err());
    }

    proptest! {
        #[test]
        fn a_price_survives_its_own_text(units in any::<i32>()) {
            let price = Price(i64::from(units));
            prop_assert_eq!(price.to_string().parse::<Price>().unwrap(), price);
        }

        #[test]
        fn rounding_lands_on_a_tick_within_one_tick(units in -1_000_000_i64..1_000_000, tick in 1_i64..5_000) {
            let (price, tick) = (Price(units), Price(tick));
            prop_assert!(price.floor_to(tick).is_multiple_of(tick) && price.ceil_to(tick).is_multiple_of(tick));
            prop_assert!(price.floor_to(tick) <= price && price <= price.ceil_to(tick));
            prop_assert!(price.ceil_to(tick).0 - price.floor_to(tick).0 <= tick.0);
        }
    }
}
