//! From the domain's and the log's types to Postgres' integers and microseconds.

use squareoff_domain::{Quantity, Timestamp, TradingDate};
use squareoff_store::Position;
use time::{Date, Month, OffsetDateTime};

/// Sums of quantities may pass what a `bigint` holds only after millions of impossible reports; then they stay at its end.
pub(crate) fn units(quantity: Quantity) -> i64 {
    whole(quantity.units())
}

/// Versions and positions, which are at most `i64::MAX`.
pub(crate) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn position(position: Position) -> i64 {
    whole(position.as_u64())
}

/// A position that was stored; never negative.
pub(crate) fn stored_position(number: i64) -> Position {
    Position::from_u64(u64::try_from(number).unwrap_or(0))
}

/// Postgres keeps microseconds: cut here, once, so that every way into a table gives the same row.
pub(crate) fn instant(timestamp: Timestamp) -> OffsetDateTime {
    const NANOS_PER_S: i64 = 1_000_000_000;
    let second = timestamp.0.div_euclid(NANOS_PER_S);
    let micros = timestamp.0.rem_euclid(NANOS_PER_S) / 1_000;
    let micros = u32::try_from(micros).expect("less than a second");
    OffsetDateTime::from_unix_timestamp(second)
        .and_then(|second| second.replace_microsecond(micros))
        .expect("64 bits of nanoseconds reach from 1677 to 2262")
}

pub(crate) fn date(date: TradingDate) -> Date {
    let month = Month::try_from(date.month()).expect("a trading date has a month of the calendar");
    Date::from_calendar_date(i32::from(date.year()), month, date.day())
        .expect("a trading date is a day of the calendar")
}

/// A number of things in memory.
pub(crate) fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A date that was stored; `None` for one that no trading date was.
pub(crate) fn trading_date(date: Date) -> Option<TradingDate> {
    let year = u16::try_from(date.year()).ok()?;
    TradingDate::new(year, u8::from(date.month()), date.day()).ok()
}

/// Counters of what a person could count.
pub(crate) fn small(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub(crate) fn small_count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
