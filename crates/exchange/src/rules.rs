//! The checks an order passes before it may touch a book, in order of precedence.
//!
//! Called by the exchange state only. A refusal carries the FIX code and a sentence whose first word names the rule
//! (`lot: ...`), because FIX 4.4 has no code of its own for a tick, a lot or a band.

use crate::contracts::Instrument;
use crate::price::Price;

/// OrdRejReason(103), FIX 4.4.
pub const UNKNOWN_SYMBOL: u32 = 1;
pub const EXCHANGE_CLOSED: u32 = 2;
pub const EXCEEDS_LIMIT: u32 = 3;
pub const UNKNOWN_ORDER: u32 = 5;
pub const UNSUPPORTED: u32 = 11;
pub const INCORRECT_QUANTITY: u32 = 13;
pub const OTHER: u32 = 99;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: u32,
    pub text: String,
}

impl Refusal {
    #[must_use]
    pub fn new(reason: u32, text: String) -> Self {
        Self { reason, text }
    }
}

/// # Errors
/// The first rule broken: quantity, freeze, lot, band, tick.
pub fn check(instrument: &Instrument, units: i64, price: Price) -> Result<(), Refusal> {
    let Instrument {
        lot_units,
        freeze_units,
        tick,
        band_low,
        band_high,
        ..
    } = instrument;
    if units <= 0 {
        return Err(Refusal::new(
            INCORRECT_QUANTITY,
            format!("quantity: {units} is not above zero"),
        ));
    }
    if units > *freeze_units {
        let text = format!("freeze: {units} exceeds the freeze quantity {freeze_units}");
        return Err(Refusal::new(EXCEEDS_LIMIT, text));
    }
    if units % lot_units != 0 {
        let text = format!("lot: {units} is not a multiple of the lot {lot_units}");
        return Err(Refusal::new(INCORRECT_QUANTITY, text));
    }
    if price < *band_low || price > *band_high {
        let text = format!("band: {price} is outside {band_low} to {band_high}");
        return Err(Refusal::new(OTHER, text));
    }
    if price.0 % tick.0 != 0 {
        let text = format!("tick: {price} is not a multiple of the tick {tick}");
        return Err(Refusal::new(OTHER, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_broken_rule_is_named() {
        let instrument = Instrument {
            venue: "NSE".to_owned(),
            segment: "CM".to_owned(),
            symbol: "NIFTY26NOVFUT".to_owned(),
            lot_units: 65,
            tick: Price(1_000),
            freeze_units: 1_800,
            band_low: Price(234_000_000),
            band_high: Price(286_000_000),
            reference: Price(260_000_000),
        };
        for (units, price, expected) in [
            (65, 260_000_000, None),
            (1_755, 286_000_000, None),
            (0, 260_000_000, Some((13, "quantity: 0 is not above zero"))),
            (
                -65,
                260_000_000,
                Some((13, "quantity: -65 is not above zero")),
            ),
            (
                1_820,
                1,
                Some((3, "freeze: 1820 exceeds the freeze quantity 1800")),
            ),
            (64, 1, Some((13, "lot: 64 is not a multiple of the lot 65"))),
            (
                65,
                233_999_000,
                Some((99, "band: 23399.9 is outside 23400 to 28600")),
            ),
            (
                65,
                286_000_500,
                Some((99, "band: 28600.05 is outside 23400 to 28600")),
            ),
            (
                65,
                260_000_500,
                Some((99, "tick: 26000.05 is not a multiple of the tick 0.1")),
            ),
        ] {
            let refusal = check(&instrument, units, Price(price)).err();
            assert_eq!(
                refusal,
                expected.map(|(reason, text)| Refusal::new(reason, text.to_owned()))
            );
        }
    }
}
