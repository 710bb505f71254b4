//! Rupees as integers: one unit is 1/10,000 rupee, because currency futures tick in 0.0025.
//!
//! Called wherever a price enters (contract file, FIX) or leaves (FIX, refusal texts). No floats: a price that
//! has more than four decimals is not a price here, and the parser says so.

use std::fmt;

use squareoff_fix::PriceE4;

/// A price in 1/10,000 rupee. Zero and below can be parsed (the wire may carry them); the order checks refuse them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(pub i64);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a rupee amount with at most 4 decimals")]
pub struct NotAPrice {
    pub text: String,
}

impl Price {
    /// Reads `1234`, `1234.5` or `-0.0025`, by the rules of a FIX price.
    ///
    /// # Errors
    /// When the text is anything else, has more than four significant decimals, or does not fit.
    pub fn parse(text: &str) -> Result<Self, NotAPrice> {
        let units = PriceE4::parse(text.as_bytes()).ok_or_else(|| NotAPrice {
            text: text.to_owned(),
        })?;
        Ok(Self(units.0))
    }

    /// The largest multiple of `tick` not above this price. `tick` is positive.
    #[must_use]
    pub fn floor_to(self, tick: Price) -> Self {
        Self(self.0 - self.0.rem_euclid(tick.0))
    }

    /// The smallest multiple of `tick` not below this price. `tick` is positive.
    #[must_use]
    pub fn ceil_to(self, tick: Price) -> Self {
        let floor = self.floor_to(tick);
        if floor == self {
            self
        } else {
            Self(floor.0 + tick.0)
        }
    }
}

impl fmt::Display for Price {
    /// As on the wire: `1500`, `1500.5`, `83.0025`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        PriceE4(self.0).fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rupees_are_read_and_written_without_loss() {
        for (text, units, shown) in [
            ("1500", 15_000_000, "1500"),
            ("1500.5", 15_005_000, "1500.5"),
            ("0.05", 500, "0.05"),
            ("83.0025", 830_025, "83.0025"),
            ("-2.50", -25_000, "-2.5"),
            ("10.500000", 105_000, "10.5"),
            ("0", 0, "0"),
        ] {
            let price = Price::parse(text).unwrap();
            assert_eq!(
                (price.0, price.to_string().as_str()),
                (units, shown),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_an_amount_is_refused() {
        for text in [
            "",
            ".",
            "-",
            "1.00001",
            "1e5",
            "1,000",
            " 1",
            "+1",
            "--1",
            "1.2.3",
            "999999999999999999999",
            "NaN",
        ] {
            assert!(Price::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rounding_stays_on_the_tick() {
        let tick = Price(500);
        assert_eq!(
            (Price(1_499).floor_to(tick), Price(1_499).ceil_to(tick)),
            (Price(1_000), Price(1_500))
        );
        assert_eq!(
            (Price(1_500).floor_to(tick), Price(1_500).ceil_to(tick)),
            (Price(1_500), Price(1_500))
        );
    }
}
