//! One position and its contract, for the tests.

use crate::amount::{Price, Quantity};
use crate::id::{PositionKey, Product, Segment, Venue};
use crate::platform::{Phase, Platform};
use crate::reference::{Contract, InstrumentKind};
use crate::time::{Timestamp, TradingDate};

pub(crate) fn date() -> TradingDate {
    "2026-11-20".parse().unwrap()
}

pub(crate) fn key() -> PositionKey {
    PositionKey {
        date: date(),
        client: "C00001".parse().unwrap(),
        venue: Venue::Nse,
        symbol: "NIFTY26NOVFUT".parse().unwrap(),
        product: Product::Nrml,
    }
}

/// Lots of 5, at most 22 in an order (so 20), tick 0.05, reference 100.00, band 90.00 to 110.00, protection 3.00.
pub(crate) fn contract() -> Contract {
    Contract {
        trading_date: date(),
        venue: Venue::Nse,
        segment: Segment::Derivatives,
        symbol: key().symbol,
        kind: InstrumentKind::IndexFuture,
        expiry: None,
        strike: None,
        option_type: None,
        lot: Quantity::new(5).unwrap(),
        tick: Price(500),
        freeze: Quantity::new(22).unwrap(),
        band_low: Price(900_000),
        band_high: Price(1_100_000),
        reference_price: Price(1_000_000),
        reference_at: Timestamp(0),
        price_protection: Price(30_000),
        version: "2026-11-20/sample".into(),
    }
}

pub(crate) fn active() -> Platform {
    Platform {
        phase: Phase::Active,
        epoch: 7,
        trading_date: Some(date()),
        ..Platform::default()
    }
}
