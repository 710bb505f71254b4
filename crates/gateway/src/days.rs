//! Trading days out of what a message carries.

use squareoff_domain::TradingDate;
use squareoff_fix::{LocalMktDate, Timestamp};
use time::OffsetDateTime;

/// TradeDate (75).
///
/// # Errors
/// When no trading day of ours can be so long ago.
pub fn of_market(date: LocalMktDate) -> Result<TradingDate, String> {
    let (year, month, day) = date.year_month_day();
    TradingDate::new(year, month, day).map_err(|error| format!("TradeDate (75): {error}"))
}

/// The day in India (UTC+05:30) at an instant.
pub fn in_india(instant: Timestamp) -> TradingDate {
    const INDIA: time::UtcOffset = time::macros::offset!(+5:30);
    let instant = OffsetDateTime::from_unix_timestamp_nanos(i128::from(instant.0))
        .expect("an i64 of nanoseconds is between 1677 and 2262");
    let date = instant.to_offset(INDIA).date();
    let year = u16::try_from(date.year()).expect("between 1677 and 2262");
    TradingDate::new(year.max(1900), date.month().into(), date.day())
        .expect("a calendar's day, and no clock is before 1900")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_the_one_in_india() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (1_772_323_199 - 19_800, "2026-02-28"),
            (1_772_323_200 - 19_800, "2026-03-01"),
            (951_782_400, "2000-02-29"),
        ] {
            let instant = Timestamp(seconds * 1_000_000_000);
            assert_eq!(in_india(instant).to_string(), day);
        }
    }
}
