//! The day's contracts as its files last listed them: what positions are joined with for segment, expiry and reference price.

mod query;

pub(crate) use query::contracts_of;
pub use query::{ContractFilter, contract, contracts};

use crate::cell::table_row;
use crate::units::{self, instant, position, units, whole};
use squareoff_domain::reference::{ContractEvent, InstrumentKind, OptionType, Restriction};
use squareoff_domain::{Contract, Price, Quantity, Timestamp};
use squareoff_store::StoredEvent;
use time::{Date, OffsetDateTime};

table_row! {
    /// A row of `contracts`. Quantities in units, prices in 1/10,000 rupee.
    pub struct ContractRow in "contracts" by "src/contracts/upsert.sql" {
        pub trading_date: Date,
        pub venue: String,
        pub symbol: String,
        /// `CM`, `FO`, `CD`, `COM`.
        pub segment: String,
        /// `equity`, `index-future`, `stock-future`, `index-option`, `stock-option`.
        pub kind: String,
        /// Last trading day of a derivative.
        pub expiry: Option<Date>,
        pub strike: Option<i64>,
        /// `CE` or `PE`.
        pub option_type: Option<String>,
        pub lot: i64,
        pub tick: i64,
        pub freeze_quantity: i64,
        pub band_low: i64,
        pub band_high: i64,
        pub reference_price: i64,
        pub reference_at: OffsetDateTime,
        pub price_protection: i64,
        pub protection_low: Option<i64>,
        pub protection_high: Option<i64>,
        /// `trade-for-trade` or `suspended`.
        pub restriction: Option<String>,
        /// Version of the file.
        pub reference_version: String,
        /// Version of the contracts' stream, and log position, that the row reflects.
        pub version: i64,
        pub updated_position: i64,
    }
}

/// What a position shows of its contract.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    pub segment: &'static str,
    pub kind: &'static str,
    pub expiry: Option<Date>,
    pub option_type: Option<&'static str>,
    pub reference_price: i64,
    pub reference_at: OffsetDateTime,
}

impl Listing {
    pub(crate) fn of(contract: &Contract) -> Self {
        Listing {
            segment: contract.segment.as_str(),
            kind: kind(contract.kind),
            expiry: contract.expiry.map(units::date),
            option_type: contract.option_type.map(option_type),
            reference_price: contract.reference_price.0,
            reference_at: instant(contract.reference_at),
        }
    }
}

pub(crate) fn row(stored: &StoredEvent, event: ContractEvent) -> ContractRow {
    let ContractEvent::ContractListed(listed) = event;
    let contract = listed.contract;
    ContractRow {
        trading_date: units::date(contract.trading_date),
        venue: contract.venue.as_str().to_owned(),
        symbol: contract.symbol.as_str().to_owned(),
        segment: contract.segment.as_str().to_owned(),
        kind: kind(contract.kind).to_owned(),
        expiry: contract.expiry.map(units::date),
        strike: contract.strike.map(|price| price.0),
        option_type: contract
            .option_type
            .map(|option| option_type(option).to_owned()),
        lot: units(contract.lot),
        tick: contract.tick.0,
        freeze_quantity: units(contract.freeze),
        band_low: contract.band_low.0,
        band_high: contract.band_high.0,
        reference_price: contract.reference_price.0,
        reference_at: instant(contract.reference_at),
        price_protection: contract.price_protection.0,
        protection_low: contract.protection_range.map(|(low, _)| low.0),
        protection_high: contract.protection_range.map(|(_, high)| high.0),
        restriction: contract.restriction.map(|why| restriction(why).to_owned()),
        reference_version: contract.version,
        version: whole(stored.version),
        updated_position: position(stored.position),
    }
}

impl ContractRow {
    /// The contract as the domain knows it; its reference time is cut to microseconds. `None` for a row that no contract was ever
    /// written as.
    pub fn contract(&self) -> Option<Contract> {
        let quantity = |units: i64| Quantity::new(u64::try_from(units).ok()?).ok();
        Some(Contract {
            trading_date: units::trading_date(self.trading_date)?,
            venue: self.venue.parse().ok()?,
            segment: self.segment.parse().ok()?,
            symbol: self.symbol.parse().ok()?,
            kind: KINDS
                .iter()
                .copied()
                .find(|known| kind(*known) == self.kind)?,
            expiry: parsed(self.expiry, units::trading_date)?,
            strike: self.strike.map(Price),
            option_type: parsed(self.option_type.as_deref(), |text| {
                [OptionType::Call, OptionType::Put]
                    .into_iter()
                    .find(|known| option_type(*known) == text)
            })?,
            lot: quantity(self.lot)?,
            tick: Price(self.tick),
            freeze: quantity(self.freeze_quantity)?,
            band_low: Price(self.band_low),
            band_high: Price(self.band_high),
            reference_price: Price(self.reference_price),
            reference_at: timestamp(self.reference_at),
            price_protection: Price(self.price_protection),
            protection_range: self
                .protection_low
                .zip(self.protection_high)
                .map(|(low, high)| (Price(low), Price(high))),
            restriction: parsed(self.restriction.as_deref(), |text| {
                [Restriction::TradeForTrade, Restriction::Suspended]
                    .into_iter()
                    .find(|known| restriction(*known) == text)
            })?,
            version: self.reference_version.clone(),
        })
    }
}

/// Absent stays absent; what is there must parse.
fn parsed<T, U>(found: Option<T>, parse: impl FnOnce(T) -> Option<U>) -> Option<Option<U>> {
    match found {
        None => Some(None),
        Some(found) => parse(found).map(Some),
    }
}

const KINDS: [InstrumentKind; 5] = [
    InstrumentKind::Equity,
    InstrumentKind::IndexFuture,
    InstrumentKind::StockFuture,
    InstrumentKind::IndexOption,
    InstrumentKind::StockOption,
];

/// As the events spell it, and so the next two.
const fn kind(kind: InstrumentKind) -> &'static str {
    match kind {
        InstrumentKind::Equity => "equity",
        InstrumentKind::IndexFuture => "index-future",
        InstrumentKind::StockFuture => "stock-future",
        InstrumentKind::IndexOption => "index-option",
        InstrumentKind::StockOption => "stock-option",
    }
}

const fn option_type(option: OptionType) -> &'static str {
    match option {
        OptionType::Call => "CE",
        OptionType::Put => "PE",
    }
}

const fn restriction(restriction: Restriction) -> &'static str {
    match restriction {
        Restriction::TradeForTrade => "trade-for-trade",
        Restriction::Suspended => "suspended",
    }
}

fn timestamp(at: OffsetDateTime) -> Timestamp {
    Timestamp(i64::try_from(at.unix_timestamp_nanos()).unwrap_or(i64::MAX))
}
