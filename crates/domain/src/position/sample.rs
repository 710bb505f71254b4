//! One position and its contract, for the tests.

use crate::amount::{Price, Quantity};
use crate::id::{PositionKey, Product, Segment, Venue};
use crate::platform::{Market, MarketPhase, Phase, Platform};
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
        protection_range: None,
        restriction: None,
        version: "2026-11-20/sample".into(),
    }
}

/// The instant that decisions are made at; the contract's reference price is a second old then.
pub(crate) fn now() -> Timestamp {
    Timestamp(1_000_000_000)
}

/// Active on the sample's day, its market open.
pub(crate) fn active() -> Platform {
    let (venue, segment) = (Venue::Nse, Segment::Derivatives);
    let market = Market {
        trading_date: date(),
        phase: MarketPhase::Open,
        source: "test".into(),
    };
    Platform {
        phase: Phase::Active,
        epoch: 7,
        trading_date: Some(date()),
        markets: [((venue, segment), market)].into(),
        ..Platform::default()
    }
}
