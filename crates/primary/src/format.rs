//! The files of a book's folder: their names, header rows, and how a cell spells an instrument or an instant.
//!
//! Rupees are decimals with at most four places, quantities whole units (never lots), dates `YYYY-MM-DD`, instants RFC 3339.

use sha2::{Digest, Sha256};
use squareoff_domain::reference::{InstrumentKind, OptionType};
use squareoff_domain::{Segment, Timestamp, TradingDate};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset, macros::offset};

pub const CONTRACTS_FILE: &str = "contracts.csv";
pub const CLIENTS_FILE: &str = "clients.csv";
pub const POSITIONS_FILE: &str = "positions.csv";
/// Of the day itself: what the primary did before it went down. Each may be missing.
pub const ORDERS_FILE: &str = "orders.csv";
pub const TRADES_FILE: &str = "trades.csv";

/// The simulated exchange reads this file too, by these names.
pub const CONTRACT_COLUMNS: &[&str] = &[
    "trading_date",
    "venue",
    "segment",
    "symbol",
    "series_or_expiry",
    "instrument_type",
    "strike",
    "option_type",
    "lot_size_units",
    "tick_size_rupees",
    "freeze_quantity_units",
    "price_band_low_rupees",
    "price_band_high_rupees",
    "reference_price_rupees",
    "reference_price_at",
    "source",
    "price_protection_rupees",
    "protection_low_rupees",
    "protection_high_rupees",
    "restriction",
];
/// The last columns of a contract, which a file may leave out: limit price protection (both or none), and `suspended` or nothing.
pub const CONTRACT_COLUMNS_OPTIONAL: usize = 3;
pub const CLIENT_COLUMNS: &[&str] = &[
    "client_code",
    "name",
    "category",
    "branch",
    "segments",
    "pan",
    "email",
    "phone",
    "date_of_birth",
];
/// The last column of a client, which a file may leave out: of a company the date it was founded.
pub const CLIENT_COLUMNS_OPTIONAL: usize = 1;
pub const POSITION_COLUMNS: &[&str] = &[
    "trading_date",
    "client_code",
    "venue",
    "symbol",
    "product",
    "net_quantity_units",
    "average_price_rupees",
];

/// Orders that the primary placed. The simulated exchange reads this file too, by these names.
pub const ORDER_COLUMNS: &[&str] = &[
    "trading_date",
    "client_code",
    "venue",
    "symbol",
    "product",
    "side",
    "quantity",
    "cumulative_quantity",
    "price",
    "cl_ord_id",
    "exchange_order_id",
    "entered_at",
    "state",
];
/// The last column of an order, which a file may leave out: `working` or `ended`, and nothing for working.
pub const ORDER_COLUMNS_OPTIONAL: usize = 1;
/// Trades as a venue lists them: by account, without the broker's products.
pub const VENUE_TRADE_COLUMNS: &[&str] = &[
    "trading_date",
    "venue",
    "account",
    "symbol",
    "side",
    "quantity",
    "price",
    "exec_id",
    "cl_ord_id",
    "traded_at",
];
pub const TRADE_COLUMNS: &[&str] = &[
    "trading_date",
    "client_code",
    "venue",
    "symbol",
    "product",
    "side",
    "quantity",
    "price",
    "exec_id",
    "traded_at",
];

/// The series of a contract of the cash market that can be netted within the day.
pub const CASH_SERIES: &str = "EQ";
/// The series that is settled trade for trade, and so can't be squared off.
pub const TRADE_FOR_TRADE_SERIES: &str = "BE";
/// Between the segments of a client.
pub const SEGMENT_SEPARATOR: char = '|';

const IST: UtcOffset = offset!(+5:30);

/// `instrument_type` of each kind.
pub const KINDS: &[(InstrumentKind, &str)] = &[
    (InstrumentKind::Equity, "EQ"),
    (InstrumentKind::IndexFuture, "FUTIDX"),
    (InstrumentKind::StockFuture, "FUTSTK"),
    (InstrumentKind::IndexOption, "OPTIDX"),
    (InstrumentKind::StockOption, "OPTSTK"),
];

pub fn kind_text(kind: InstrumentKind) -> &'static str {
    let found = KINDS.iter().find(|(known, _)| *known == kind);
    found.expect("the table has every kind").1
}

/// The segment that a kind is traded in.
pub const fn segment_of(kind: InstrumentKind) -> Segment {
    match kind {
        InstrumentKind::Equity => Segment::Cash,
        InstrumentKind::IndexFuture
        | InstrumentKind::StockFuture
        | InstrumentKind::IndexOption
        | InstrumentKind::StockOption => Segment::Derivatives,
    }
}

pub const fn is_option(kind: InstrumentKind) -> bool {
    matches!(
        kind,
        InstrumentKind::IndexOption | InstrumentKind::StockOption
    )
}

pub const fn option_text(option_type: OptionType) -> &'static str {
    match option_type {
        OptionType::Call => "CE",
        OptionType::Put => "PE",
    }
}

/// RFC 3339 in Indian time, as the venues write it.
pub fn instant_text(at: Timestamp) -> String {
    let utc = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0))
        .expect("64 bits of nanoseconds stay within the years that can be written");
    utc.to_offset(IST)
        .format(&Rfc3339)
        .expect("those years have four digits")
}

/// Any offset is read: it is the instant that counts.
pub fn parse_instant(text: &str) -> Option<Timestamp> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos()).ok().map(Timestamp)
}

/// `<date>/<first 16 hex digits of the SHA-256 of the file's bytes>`: which file of which day.
pub fn version(date: TradingDate, bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let hex: String = digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{date}/{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_in_indian_time_and_read_in_any() {
        let at = parse_instant("2026-11-19T15:30:00+05:30").unwrap();
        assert_eq!(parse_instant("2026-11-19T10:00:00Z"), Some(at));
        assert_eq!(instant_text(at), "2026-11-19T15:30:00+05:30");
        for none in [
            "",
            "2026-11-19",
            "2026-11-19T15:30:00",
            "1500-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_instant(none), None, "{none}");
        }
        for extreme in [Timestamp(i64::MIN), Timestamp(i64::MAX)] {
            assert_eq!(parse_instant(&instant_text(extreme)), Some(extreme));
        }
    }
}
