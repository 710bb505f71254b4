//! The seeded market maker: quotes around the reference price that every marketable order finds.
//!
//! Called by the exchange state for every incoming order. Quotes are a pure function of seed, instrument and round
//! (how many orders the instrument accepted today), so a rebuild from the ledger re-quotes exactly what was quoted.
//!
//! 1. Quoted prices are on the tick, inside the band, and the same all day; only sizes change with the round. So an
//!    order that rests is never crossed by a later quote.
//! 2. The inner quotes are at most [`HALF_SPREAD_BASIS_POINTS`] from the reference, or at it where a tick is wider:
//!    a protection band of a few basis points closes even a five-paise option.
//! 3. An order that crosses the inner quote is filled whole, in at most [`PIECES_MAX`] pieces from the maker.
//!
//! The maker never takes: a resting order is hit only by another order. It has no inventory and no ledger entries.

use crate::book::Side;
use crate::contracts::Instrument;
use crate::price::Price;

/// Prices quoted per side.
const LEVELS: usize = 5;
/// After this many pieces the maker takes the whole rest, so that one order can't make unbounded facts.
pub const PIECES_MAX: u64 = 8;
/// 5 basis points: the spread of a liquid Indian contract, and well inside any protection band a broker would use.
pub const HALF_SPREAD_BASIS_POINTS: i64 = 5;
const HALF_SPREAD_TICKS_MAX: i64 = 2;
/// Levels further out are 1 to this many ticks apart.
const STEP_TICKS_MAX: u64 = 3;

/// One instrument's maker.
#[derive(Clone, Debug)]
pub struct Maker {
    seed: u64,
    asks: [Price; LEVELS],
    bids: [Price; LEVELS],
    lot_units: i64,
    freeze_lots: i64,
}

impl Maker {
    #[must_use]
    pub fn new(seed: u64, instrument: &Instrument) -> Self {
        let name = instrument
            .venue
            .bytes()
            .chain([b':'])
            .chain(instrument.symbol.bytes());
        let seed = name.fold(mix(seed), |hash, byte| mix(hash ^ u64::from(byte)));
        let tick = instrument.tick;
        let spread_ticks = (instrument.reference.0 * HALF_SPREAD_BASIS_POINTS / 10_000 / tick.0)
            .min(HALF_SPREAD_TICKS_MAX);
        let low = instrument.band_low.ceil_to(tick);
        let high = instrument.band_high.floor_to(tick);
        let (mut asks, mut bids) = ([high; LEVELS], [low; LEVELS]);
        let mut distance = spread_ticks;
        for (level, (ask, bid)) in asks.iter_mut().zip(&mut bids).enumerate() {
            *ask = Price(instrument.reference.ceil_to(tick).0 + distance * tick.0).clamp(low, high);
            *bid =
                Price(instrument.reference.floor_to(tick).0 - distance * tick.0).clamp(low, high);
            distance += 1 + (mix(seed ^ level as u64) % STEP_TICKS_MAX) as i64;
        }
        Self {
            seed,
            asks,
            bids,
            lot_units: instrument.lot_units,
            freeze_lots: instrument.freeze_units / instrument.lot_units,
        }
    }

    /// What an incoming order of this side and limit meets, best price first, then quoted anew from the best, without
    /// end as long as the best price crosses. The order takes as much as it needs.
    pub fn quotes(
        &self,
        round: u64,
        taker: Side,
        limit: Price,
    ) -> impl Iterator<Item = (Price, i64)> + '_ {
        let levels = match taker {
            Side::Buy => &self.asks,
            Side::Sell => &self.bids,
        };
        let crossed = levels
            .iter()
            .take_while(|price| taker.crosses(limit, **price))
            .count();
        let pieces = if crossed == 0 { 0 } else { PIECES_MAX };
        (0..pieces).map(move |piece| {
            let price = levels[piece as usize % crossed];
            let rest = piece + 1 == PIECES_MAX;
            (
                price,
                if rest {
                    i64::MAX
                } else {
                    self.size_units(round, piece)
                },
            )
        })
    }

    /// What it buys (or sells) first, and how much of it.
    #[must_use]
    pub fn best(&self, round: u64, side: Side) -> (Price, i64) {
        let levels = match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        };
        (levels[0], self.size_units(round, 0))
    }

    /// Log-uniform between one lot and the freeze quantity: many small quotes, few large, as books look.
    fn size_units(&self, round: u64, piece: u64) -> i64 {
        let random = mix(mix(self.seed ^ round) ^ piece);
        let exponent = random % u64::from(self.freeze_lots.max(1).ilog2() + 1);
        let lots = (1_i64 << exponent) + (mix(random) % (1 << exponent)) as i64;
        lots.min(self.freeze_lots) * self.lot_units
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): one step is enough to spread a counter, and it is the same everywhere.
pub(crate) fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Book;
    use proptest::prelude::*;

    fn instrument(
        lot_units: i64,
        freeze_lots: i64,
        tick: i64,
        ticks: (i64, i64, i64),
    ) -> Instrument {
        let (low, above_low, above) = ticks;
        Instrument {
            venue: "NSE".to_owned(),
            segment: "CM".to_owned(),
            symbol: "ANY".to_owned(),
            lot_units,
            tick: Price(tick),
            freeze_units: freeze_lots * lot_units,
            band_low: Price(low * tick),
            band_high: Price((low + above_low + above) * tick),
            reference: Price((low + above_low) * tick + tick / 3),
        }
    }

    proptest! {
        #[test]
        fn a_marketable_order_is_always_filled_whole_on_tick_inside_the_band(
            seed: u64, lot in 1_i64..3_000, freeze in 1_i64..5_000, tick in 1_i64..5_000,
            ticks in (1_i64..200_000, 0_i64..500, 1_i64..500), round in 0_u64..50, lots in 1_i64..5_000, buy: bool,
        ) {
            let instrument = instrument(lot, freeze, tick, ticks);
            let maker = Maker::new(seed, &instrument);
            let side = if buy { Side::Buy } else { Side::Sell };
            let limit = if buy { instrument.band_high } else { instrument.band_low };
            let units = lots.min(freeze) * lot;
            let fills = Book::default().fills(side, limit, units, maker.quotes(round, side, limit));
            prop_assert_eq!(fills.iter().map(|fill| fill.units).sum::<i64>(), units);
            prop_assert!(fills.len() as u64 <= PIECES_MAX);
            for fill in &fills {
                prop_assert!(fill.price >= instrument.band_low && fill.price <= instrument.band_high);
                prop_assert_eq!(fill.price.0 % tick, 0);
                prop_assert_eq!(fill.units % lot, 0);
            }
        }
    }

    #[test]
    fn the_same_seed_quotes_the_same_and_another_does_not() {
        let instrument = instrument(65, 27, 500, (10_000, 3_000, 3_000));
        let quoted = |seed| {
            let maker = Maker::new(seed, &instrument);
            (0..20)
                .flat_map(|round| {
                    maker
                        .quotes(round, Side::Buy, instrument.band_high)
                        .collect::<Vec<_>>()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(quoted(7), quoted(7));
        assert_ne!(quoted(7), quoted(8));
    }

    #[test]
    fn a_limit_at_or_behind_the_reference_is_not_met_where_the_tick_is_fine() {
        let instrument = instrument(1, 100, 500, (20_000, 3_000, 3_000));
        let maker = Maker::new(1, &instrument);
        assert_eq!(maker.quotes(0, Side::Buy, instrument.reference).count(), 0);
        assert_eq!(maker.quotes(0, Side::Sell, instrument.reference).count(), 0);
    }

    #[test]
    fn a_five_paise_option_is_met_at_its_reference() {
        let mut instrument = instrument(65, 27, 500, (1, 0, 100));
        instrument.reference = Price(500);
        let maker = Maker::new(1, &instrument);
        for side in [Side::Buy, Side::Sell] {
            assert!(maker.quotes(0, side, Price(500)).count() > 0);
        }
    }
}
