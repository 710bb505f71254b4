//! Sixty instruments of two venues: 22 in the cash market, 16 futures, 22 options.
//!
//! Lots and index freeze quantities are those in force at NSE in January 2026 (NSE/FAOP/70616 and its freeze circular), ticks those
//! in force since April 2025; stock freezes, BSE's figures and all prices are round numbers of about that time. None of it is
//! looked up anywhere else: whoever reads it reads it from the dated file.

use super::SOURCE;
use super::calendar::{monthly_expiry, previous_close, year_and_month};
use super::dice::Dice;
use crate::book::ContractLine;
use crate::format::{option_text, segment_of};
use squareoff_domain::reference::{InstrumentKind, OptionType};
use squareoff_domain::{Contract, Price, Quantity, Timestamp, TradingDate, Venue};
use std::collections::BTreeMap;

/// What the cash market trades, or futures and options are written on.
struct Underlying {
    venue: Venue,
    symbol: &'static str,
    /// Around which the day's price is drawn.
    rupees: i64,
    kind: UnderlyingKind,
    /// Of its futures and options.
    lot_units: u64,
    freeze_units: u64,
    /// Months of futures that are listed here, from the nearest.
    futures: u8,
    strike_step_rupees: i64,
    /// Steps from the money.
    options: &'static [(i64, OptionType)],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum UnderlyingKind {
    Index,
    /// With the band of its cash price, in per cent.
    Stock {
        band: i64,
    },
}

use OptionType::{Call, Put};
use UnderlyingKind::{Index, Stock};
use Venue::{Bse, Nse};

const NONE: &[(i64, OptionType)] = &[];
const AT_THE_MONEY: &[(i64, OptionType)] = &[(0, Call), (0, Put)];
const NARROW: &[(i64, OptionType)] = &[(-2, Put), (0, Call), (0, Put), (2, Call)];
const WIDE: &[(i64, OptionType)] = &[
    (-4, Put),
    (-2, Put),
    (0, Call),
    (0, Put),
    (2, Call),
    (4, Call),
];

#[rustfmt::skip]
const UNDERLYINGS: &[Underlying] = &[
    underlying(Nse, "NIFTY",      26_000, Index,                65,   1_800, 2, 100, WIDE),
    underlying(Nse, "BANKNIFTY",  58_000, Index,                30,     600, 1, 500, NARROW),
    underlying(Nse, "FINNIFTY",   27_500, Index,                60,   1_800, 1, 100, AT_THE_MONEY),
    underlying(Nse, "MIDCPNIFTY", 13_800, Index,               120,   2_800, 1, 100, NONE),
    underlying(Nse, "NIFTYNXT50", 69_000, Index,                25,     600, 1, 500, NONE),
    underlying(Bse, "SENSEX",     85_000, Index,                20,   1_000, 1, 500, NARROW),
    underlying(Bse, "BANKEX",     66_000, Index,                30,     600, 1, 500, NONE),
    underlying(Nse, "RELIANCE",    1_490, Stock { band: 10 },  500,  20_000, 1,  20, AT_THE_MONEY),
    underlying(Nse, "SBIN",          965, Stock { band: 10 },  750,  30_000, 1,  10, AT_THE_MONEY),
    underlying(Nse, "TATASTEEL",     172, Stock { band: 10 }, 5_500, 110_000, 1, 5, AT_THE_MONEY),
    underlying(Nse, "HDFCBANK",      990, Stock { band: 10 },  550,  27_500, 1,  10, NONE),
    underlying(Nse, "ICICIBANK",   1_370, Stock { band: 10 },  700,  28_000, 1,  20, NONE),
    underlying(Nse, "INFY",        1_520, Stock { band: 10 },  400,  20_000, 1,  20, NONE),
    underlying(Nse, "BAJAJ-AUTO",  9_050, Stock { band: 10 },   75,   3_000, 1, 100, NONE),
    underlying(Nse, "M&M",         3_700, Stock { band: 10 },  200,   8_000, 1,  50, NONE),
    cash(Nse, "TCS",          3_100, 10),
    cash(Nse, "ITC",            405, 10),
    cash(Nse, "BHARTIARTL",   2_120, 10),
    cash(Nse, "LT",           4_010, 10),
    cash(Nse, "MARUTI",      15_900, 10),
    cash(Nse, "MRF",        152_000, 20),
    cash(Nse, "IDEA",            11, 20),
    cash(Nse, "SUZLON",          57, 20),
    cash(Bse, "RELIANCE",     1_490, 10),
    cash(Bse, "SBIN",           965, 10),
    cash(Bse, "TATASTEEL",      172, 10),
    cash(Bse, "HDFCBANK",       990, 10),
    cash(Bse, "INFY",         1_520, 10),
    cash(Bse, "ITC",            405, 10),
];

#[expect(clippy::too_many_arguments, reason = "a row of the table above")]
const fn underlying(
    venue: Venue,
    symbol: &'static str,
    rupees: i64,
    kind: UnderlyingKind,
    lot_units: u64,
    freeze_units: u64,
    futures: u8,
    strike_step_rupees: i64,
    options: &'static [(i64, OptionType)],
) -> Underlying {
    Underlying {
        venue,
        symbol,
        rupees,
        kind,
        lot_units,
        freeze_units,
        futures,
        strike_step_rupees,
        options,
    }
}

const fn cash(venue: Venue, symbol: &'static str, rupees: i64, band: i64) -> Underlying {
    underlying(venue, symbol, rupees, Stock { band }, 1, 1, 0, 1, NONE)
}

/// The most that one order in the cash market may be worth (SEBI, 2012: above 10 crore rupees the venue refuses it).
const CASH_ORDER_RUPEES_MAX: i64 = 100_000_000;
/// Band of futures, in per cent: what derivatives-eligible shares have.
const FUTURES_BAND: i64 = 10;
/// Band of options around the reference, as wide as BSE's limit price protection, which no order passes anyway.
const OPTION_BAND: i64 = 60;
const OPTION_BAND_MIN: Price = rupees(30);
const OPTION_TICK: Price = Price(500);

pub fn list(date: TradingDate, dice: &mut Dice) -> Vec<ContractLine> {
    let day = Day {
        date,
        reference_at: previous_close(date),
    };
    // One price per symbol: the two venues never drift apart.
    let mut spots = BTreeMap::new();
    let mut contracts = Vec::new();
    for underlying in UNDERLYINGS {
        let drawn = || Price(dice.scale(rupees(underlying.rupees).0, 9_800, 10_200));
        let spot = *spots.entry(underlying.symbol).or_insert_with(drawn);
        contracts.extend(day.contracts(underlying, spot, dice));
    }
    contracts.sort_by(|one, other| (one.venue, &one.symbol).cmp(&(other.venue, &other.symbol)));
    let sample = |contract| ContractLine {
        contract,
        source: SOURCE.to_owned(),
    };
    contracts.into_iter().map(sample).collect()
}

struct Day {
    date: TradingDate,
    reference_at: Timestamp,
}

/// What tells the contracts of one underlying apart.
struct Terms {
    symbol: String,
    kind: InstrumentKind,
    expiry: Option<TradingDate>,
    option: Option<(Price, OptionType)>,
}

impl Day {
    fn contracts(&self, underlying: &Underlying, spot: Price, dice: &mut Dice) -> Vec<Contract> {
        let Underlying {
            venue,
            symbol,
            strike_step_rupees: step,
            ..
        } = *underlying;
        let (future, option) = match underlying.kind {
            Index => (InstrumentKind::IndexFuture, InstrumentKind::IndexOption),
            Stock { .. } => (InstrumentKind::StockFuture, InstrumentKind::StockOption),
        };
        let mut contracts = Vec::new();
        if underlying.kind != Index {
            let terms = Terms {
                symbol: symbol.to_owned(),
                kind: InstrumentKind::Equity,
                expiry: None,
                option: None,
            };
            contracts.push(self.contract(underlying, terms, spot));
        }
        for month in 0..underlying.futures {
            let expiry = monthly_expiry(self.date, venue, month);
            // The cost of carry: 30 to 60 basis points a month.
            let months = u64::from(month) + 1;
            let price = Price(dice.scale(spot.0, 10_000 + 30 * months, 10_000 + 60 * months));
            let terms = Terms {
                symbol: format!("{symbol}{}FUT", year_and_month(expiry)),
                kind: future,
                expiry: Some(expiry),
                option: None,
            };
            contracts.push(self.contract(underlying, terms, price));
        }
        let at_the_money = (spot.0 + rupees(step).0 / 2) / rupees(step).0 * step;
        for (steps, option_type) in underlying.options {
            let strike = at_the_money + steps * step;
            let expiry = monthly_expiry(self.date, venue, 0);
            let (month, right) = (year_and_month(expiry), option_text(*option_type));
            let terms = Terms {
                symbol: format!("{symbol}{month}{strike}{right}"),
                kind: option,
                expiry: Some(expiry),
                option: Some((rupees(strike), *option_type)),
            };
            let premium = premium(spot, rupees(strike), *option_type, *steps, dice);
            contracts.push(self.contract(underlying, terms, premium));
        }
        contracts
    }

    fn contract(&self, underlying: &Underlying, terms: Terms, near: Price) -> Contract {
        let Terms {
            symbol,
            kind,
            expiry,
            option,
        } = terms;
        let tick = tick(kind, near);
        let reference = near.floor_to(tick).max(tick);
        let width = match (kind, underlying.kind) {
            (InstrumentKind::Equity, Stock { band }) => percent(reference, band),
            (InstrumentKind::IndexOption | InstrumentKind::StockOption, _) => {
                percent(reference, OPTION_BAND).max(OPTION_BAND_MIN)
            }
            (
                InstrumentKind::Equity | InstrumentKind::IndexFuture | InstrumentKind::StockFuture,
                _,
            ) => percent(reference, FUTURES_BAND),
        };
        let band_low = Price(reference.0 - width.0).ceil_to(tick).max(tick);
        let band_high = Price(reference.0 + width.0).floor_to(tick);
        let (lot, freeze) = match kind {
            InstrumentKind::Equity => (1, rupees(CASH_ORDER_RUPEES_MAX).0 / band_high.0),
            InstrumentKind::IndexFuture
            | InstrumentKind::StockFuture
            | InstrumentKind::IndexOption
            | InstrumentKind::StockOption => {
                let freeze = i64::try_from(underlying.freeze_units).expect("a figure of the table");
                (underlying.lot_units, freeze)
            }
        };
        let freeze = Quantity::new(freeze.unsigned_abs()).expect("a few million units at most");
        Contract {
            trading_date: self.date,
            venue: underlying.venue,
            segment: segment_of(kind),
            symbol: symbol.parse().expect("capital letters, digits, & and -"),
            kind,
            expiry,
            strike: option.map(|(strike, _)| strike),
            option_type: option.map(|(_, option_type)| option_type),
            lot: Quantity::new(lot).expect("a figure of the table"),
            tick,
            freeze,
            band_low,
            band_high,
            reference_price: reference,
            reference_at: self.reference_at,
            price_protection: protection(kind, reference).floor_to(tick).max(tick),
            protection_range: None,
            restriction: None,
            version: String::new(),
        }
    }
}

/// Intrinsic value and a time value that shrinks with the distance from the money.
fn premium(
    spot: Price,
    strike: Price,
    option_type: OptionType,
    steps: i64,
    dice: &mut Dice,
) -> Price {
    let intrinsic = match option_type {
        Call => spot.0 - strike.0,
        Put => strike.0 - spot.0,
    };
    let at_the_money = dice.scale(spot.0, 80, 120);
    Price(intrinsic.max(0) + at_the_money * 4 / (4 + steps.abs()))
}

/// NSE's ticks since 15 April 2025, and the same at BSE.
fn tick(kind: InstrumentKind, price: Price) -> Price {
    let below = |limits: &[(i64, i64)], above| {
        let found = limits.iter().find(|(limit, _)| price < rupees(*limit));
        Price(found.map_or(above, |(_, tick)| *tick))
    };
    match kind {
        InstrumentKind::Equity | InstrumentKind::StockFuture => {
            let limits = [
                (250, 100),
                (1_000, 500),
                (5_000, 1_000),
                (10_000, 5_000),
                (20_000, 10_000),
            ];
            below(&limits, 50_000)
        }
        InstrumentKind::IndexFuture => below(&[(15_000, 500), (30_000, 1_000)], 2_000),
        InstrumentKind::IndexOption | InstrumentKind::StockOption => OPTION_TICK,
    }
}

/// How far from the reference an order may go: market price protection for shares (2.50 rupees up to 50, 5 % above) and options (20 %,
/// at least 10 rupees), the tighter limit price protection for futures (3 %).
fn protection(kind: InstrumentKind, reference: Price) -> Price {
    match kind {
        InstrumentKind::Equity if reference <= rupees(50) => Price(25_000),
        InstrumentKind::Equity => percent(reference, 5),
        InstrumentKind::IndexFuture | InstrumentKind::StockFuture => percent(reference, 3),
        InstrumentKind::IndexOption | InstrumentKind::StockOption => {
            percent(reference, 20).max(rupees(10))
        }
    }
}

const fn rupees(whole: i64) -> Price {
    Price(whole * Price::PER_RUPEE)
}

const fn percent(price: Price, percent: i64) -> Price {
    Price(price.0 * percent / 100)
}
