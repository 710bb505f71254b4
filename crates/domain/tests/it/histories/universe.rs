//! The few ids, dates and people that scripts speak of.

use super::script::Script;
use squareoff_domain::platform::{Market, MarketPhase, Phase, Platform};
use squareoff_domain::reference::{Contract, InstrumentKind};
use squareoff_domain::{
    ClOrdId, ExchangeOrderId, ExecutionKey, OrderId, PositionKey, Price, Product, Quantity,
    RequestId, Segment, Timestamp, TradingDate, Venue,
};
use uuid::Uuid;

pub const PEOPLE: &[&str] = &["asha", "ravi", "vikram"];
/// An empty one is refused; it must not be folded into something either.
pub const REASONS: &[&str] = &["reason", "another reason", " "];
pub const EPOCH: u32 = 7;

pub fn date() -> TradingDate {
    TradingDate::new(2026, 11, 20).unwrap()
}

pub fn any_date(script: &mut Script) -> TradingDate {
    let day = 19 + script.byte() % 3;
    TradingDate::new(2026, 11, day).unwrap()
}

pub fn key() -> PositionKey {
    key_of(1)
}

pub fn key_of(client: usize) -> PositionKey {
    PositionKey {
        date: date(),
        client: format!("C{client:05}").parse().unwrap(),
        venue: Venue::Nse,
        symbol: "NIFTY26NOVFUT".parse().unwrap(),
        product: Product::Nrml,
    }
}

pub fn any_key(script: &mut Script) -> PositionKey {
    key_of(1 + script.below(3))
}

pub fn request_id(script: &mut Script) -> RequestId {
    RequestId(Uuid::from_u128(script.below(16) as u128))
}

/// An id that a request, one of its orders, or an order of the primary has.
pub fn uuid(script: &mut Script) -> Uuid {
    let number = script.below(16);
    let request = RequestId(Uuid::from_u128(number as u128));
    match script.below(4) {
        0 => request.0,
        1 => OrderId::of_slice(&key(), request, 0).0,
        2 => OrderId::of_slice(&key(), request, 1).0,
        _ => OrderId::of_external(&key(), &exchange_order_id(number)).0,
    }
}

pub fn exchange_order_id(number: usize) -> ExchangeOrderId {
    format!("X{number}").parse().unwrap()
}

/// Of an order, or of one of its first cancels and replaces; or one that nobody minted.
pub fn cl_ord_id(script: &mut Script) -> ClOrdId {
    let request = request_id(script);
    let id = ClOrdId::mint(
        EPOCH,
        OrderId::of_slice(&key(), request, script.below(2) as u32),
    );
    match script.below(5) {
        0 => id,
        1 => id.cancel(1 + script.below(2) as u32),
        2 => id.replace(1 + script.below(2) as u32),
        3 => format!("EXT{}", script.below(3)).parse().unwrap(),
        _ => "STRANGER".parse().unwrap(),
    }
}

pub fn execution(script: &mut Script) -> ExecutionKey {
    ExecutionKey::new(Venue::Nse, date(), &format!("E{}", script.below(12))).unwrap()
}

pub fn quantity(script: &mut Script) -> Quantity {
    Quantity::new(script.number().min(Quantity::MAX.units())).unwrap()
}

/// Near the reference as a rule.
pub fn price(script: &mut Script) -> Price {
    match script.byte() {
        near @ ..200 => Price(900_000 + i64::from(near) * 1_000),
        _ => Price(script.signed()),
    }
}

pub fn timestamp(script: &mut Script) -> Timestamp {
    Timestamp(script.signed())
}

/// Lots of 5, at most 22 in an order, tick 0.05, reference 100.00, band 90.00 to 110.00, protection 3.00.
pub fn contract() -> Contract {
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
        version: "2026-11-20/universe".into(),
    }
}

pub fn active() -> Platform {
    let market = Market {
        trading_date: date(),
        phase: MarketPhase::Open,
        source: "NSE-SQUAREOFF".into(),
    };
    Platform {
        phase: Phase::Active,
        epoch: EPOCH,
        trading_date: Some(date()),
        markets: [((Venue::Nse, Segment::Derivatives), market)].into(),
        ..Platform::default()
    }
}
