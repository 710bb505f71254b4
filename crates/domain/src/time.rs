//! Instants and trading dates as values: read from no clock, only carried and compared.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Nanoseconds since 1970-01-01T00:00:00Z, from a clock kept by NTP.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A text that is not a calendar date.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a date of the form YYYY-MM-DD")]
pub struct NotADate(pub String);

/// A trading day at the venue, in the venue's own calendar (IST). Ordered; written `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TradingDate {
    year: u16,
    month: u8,
    day: u8,
}

impl TradingDate {
    /// # Errors
    /// [`NotADate`] when there is no such day.
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self, NotADate> {
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u8::from(leap),
            _ => 0,
        };
        if !(1900..=9999).contains(&year) || day == 0 || day > days {
            return Err(NotADate(format!("{year:04}-{month:02}-{day:02}")));
        }
        Ok(TradingDate { year, month, day })
    }

    pub const fn year(self) -> u16 {
        self.year
    }

    pub const fn month(self) -> u8 {
        self.month
    }

    pub const fn day(self) -> u8 {
        self.day
    }
}

impl fmt::Display for TradingDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for TradingDate {
    type Err = NotADate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || NotADate(text.to_owned());
        let bytes = text.as_bytes();
        let digits = |range: std::ops::Range<usize>| bytes[range].iter().all(u8::is_ascii_digit);
        if bytes.len() != 10
            || bytes[4] != b'-'
            || bytes[7] != b'-'
            || !(digits(0..4) && digits(5..7) && digits(8..10))
        {
            return Err(refuse());
        }
        let number =
            |range: std::ops::Range<usize>| text[range].parse::<u16>().map_err(|_| refuse());
        let small =
            |range| number(range).and_then(|value| u8::try_from(value).map_err(|_| refuse()));
        TradingDate::new(number(0..4)?, small(5..7)?, small(8..10)?).map_err(|_| refuse())
    }
}

impl TryFrom<String> for TradingDate {
    type Error = NotADate;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TradingDate> for String {
    fn from(date: TradingDate) -> String {
        date.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_only_when_the_calendar_has_it() {
        for good in ["2026-11-20", "2024-02-29", "2000-02-29"] {
            assert_eq!(good.parse::<TradingDate>().unwrap().to_string(), good);
        }
        for bad in [
            "2026-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-11-00",
            "26-11-20",
            "2026/11/20",
            "2026-11-2x",
            "",
            "२०२६-11-20",
        ] {
            assert!(bad.parse::<TradingDate>().is_err(), "{bad}");
        }
    }
}
