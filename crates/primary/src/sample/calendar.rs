//! Trading days and expiries as the venues set them since September 2025: NSE Tuesdays, BSE Thursdays.
//!
//! Holidays are not known here: a sample's expiry or previous close may fall on one.

use squareoff_domain::{Timestamp, TradingDate, Venue};
use time::{Date, Duration, Month, Time, Weekday, macros::offset, macros::time};

/// The cash market's close, when the previous day's reference prices were current.
const CLOSE: Time = time!(15:30);
const SUPPORTED: &str = "the caller keeps to years that have such days";

/// The close of the last weekday before `date`.
pub fn previous_close(date: TradingDate) -> Timestamp {
    let mut day = calendar(date) - Duration::DAY;
    while matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
        day -= Duration::DAY;
    }
    let at = day.with_time(CLOSE).assume_offset(offset!(+5:30));
    Timestamp(i64::try_from(at.unix_timestamp_nanos()).expect(SUPPORTED))
}

/// The monthly expiry at `venue`, the `further`-th behind the first that is not before `date`.
pub fn monthly_expiry(date: TradingDate, venue: Venue, further: u8) -> TradingDate {
    let weekday = match venue {
        Venue::Nse => Weekday::Tuesday,
        Venue::Bse | Venue::Mcx => Weekday::Thursday,
    };
    let today = calendar(date);
    let mut first = today.replace_day(1).expect("every month has a first");
    let mut left = further;
    loop {
        let next = first_of_next_month(first);
        let mut last = next - Duration::DAY;
        while last.weekday() != weekday {
            last -= Duration::DAY;
        }
        if last >= today {
            if left == 0 {
                return trading_date(last);
            }
            left -= 1;
        }
        first = next;
    }
}

/// `26NOV`, as symbols spell the month of an expiry.
pub fn year_and_month(expiry: TradingDate) -> String {
    const MONTHS: [&str; 12] = [
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ];
    let month = MONTHS[usize::from(expiry.month()) - 1];
    format!("{:02}{month}", expiry.year() % 100)
}

fn first_of_next_month(first: Date) -> Date {
    (first + Duration::days(31))
        .replace_day(1)
        .expect("every month has a first")
}

fn calendar(date: TradingDate) -> Date {
    let month = Month::try_from(date.month()).expect("a trading date has a month");
    Date::from_calendar_date(i32::from(date.year()), month, date.day())
        .expect("a trading date is a day of the calendar")
}

fn trading_date(date: Date) -> TradingDate {
    let year = u16::try_from(date.year()).expect(SUPPORTED);
    TradingDate::new(year, date.month().into(), date.day()).expect(SUPPORTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::instant_text;

    #[test]
    fn expiries_fall_on_the_venues_last_weekday_of_the_month() {
        for (date, venue, further, expiry, month) in [
            ("2026-11-20", Venue::Nse, 0, "2026-11-24", "26NOV"),
            ("2026-11-24", Venue::Nse, 0, "2026-11-24", "26NOV"),
            ("2026-11-25", Venue::Nse, 0, "2026-12-29", "26DEC"),
            ("2026-11-25", Venue::Nse, 1, "2027-01-26", "27JAN"),
            ("2026-11-25", Venue::Bse, 0, "2026-11-26", "26NOV"),
            ("2024-02-29", Venue::Bse, 0, "2024-02-29", "24FEB"),
        ] {
            let found = monthly_expiry(date.parse().unwrap(), venue, further);
            assert_eq!(found, expiry.parse().unwrap(), "{date} {venue} {further}");
            assert_eq!(year_and_month(found), month);
        }
    }

    #[test]
    fn reference_prices_are_those_of_the_previous_weekdays_close() {
        for (date, close) in [
            ("2026-11-20", "2026-11-19T15:30:00+05:30"),
            ("2026-11-23", "2026-11-20T15:30:00+05:30"),
            ("2027-01-01", "2026-12-31T15:30:00+05:30"),
        ] {
            assert_eq!(instant_text(previous_close(date.parse().unwrap())), close);
        }
    }
}
