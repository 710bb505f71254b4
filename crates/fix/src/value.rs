//! The values that stand in fields: prices, quantities, times; exact both ways, never a float.
//!
//! Called by `message` and `session`. 1. What is written parses back to the same value (times to the
//! millisecond, which is what FIX 4.4 carries). 2. What can't be held exactly is refused, not rounded.

use std::fmt;

const NANOS: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// A price in 1/10,000 of the currency unit: 38650 is "3.865". Negative prices are legal (spreads).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PriceE4(pub i64);

impl PriceE4 {
    /// Reads a FIX decimal. `None`: not a number, finer than 1/10,000, or beyond 64 bits.
    pub fn parse(text: &[u8]) -> Option<PriceE4> {
        decimal(text, 4).map(PriceE4)
    }
}

impl fmt::Display for PriceE4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (
            self.0.unsigned_abs() / 10_000,
            self.0.unsigned_abs() % 10_000,
        );
        if part == 0 {
            return write!(f, "{sign}{whole}");
        }
        let (mut part, mut places) = (part, 4);
        while part % 10 == 0 {
            part /= 10;
            places -= 1;
        }
        write!(f, "{sign}{whole}.{part:0places$}")
    }
}

/// Reads a quantity in units; FIX allows decimals, which must be zero ("100", "002000.00").
pub fn parse_quantity(text: &[u8]) -> Option<i64> {
    decimal(text, 0)
}

/// Reads a decimal as an integer of `places` decimals, rounding the rest to nearest; for averages only,
/// which are information and may be periodic.
pub fn parse_average(text: &[u8]) -> Option<PriceE4> {
    if let Some(exact) = PriceE4::parse(text) {
        return Some(exact);
    }
    let dot = text.iter().position(|b| *b == b'.')?;
    // One digit more than is kept, to round by; with fewer it would have been exact.
    let (kept, rest) = text.split_at_checked(dot + 5)?;
    if rest.is_empty() || !text[dot + 1..].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let away = i64::from(rest[0] >= b'5');
    let away = if text[0] == b'-' { -away } else { away };
    PriceE4::parse(kept)?.0.checked_add(away).map(PriceE4)
}

fn decimal(text: &[u8], places: u32) -> Option<i64> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut value: i64 = 0;
    let mut decimals: Option<u32> = None;
    let mut digits = 0;
    for byte in text {
        match byte {
            b'.' if decimals.is_none() => decimals = Some(0),
            b'0'..=b'9' => {
                digits += 1;
                let digit = i64::from(byte - b'0');
                match &mut decimals {
                    Some(n) if *n == places => {
                        if digit != 0 {
                            return None;
                        }
                        continue;
                    }
                    Some(n) => *n += 1,
                    None => {}
                }
                value = value.checked_mul(10)?.checked_sub(digit)?;
            }
            _ => return None,
        }
    }
    if digits == 0 {
        return None;
    }
    let missing = places - decimals.unwrap_or(0);
    value = value.checked_mul(10_i64.pow(missing))?;
    // Held negative while reading, because i64 reaches one further down than up.
    if negative {
        Some(value)
    } else {
        value.checked_neg()
    }
}

/// Reads a FIX sequence number or other count: digits only, no sign.
pub fn parse_count(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    text.iter().try_fold(0_u64, |sum, b| {
        b.is_ascii_digit().then(|| sum * 10 + u64::from(b - b'0'))
    })
}

/// A day as the market counts it, `YYYYMMDD` on the wire (LocalMktDate). Always a real date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalMktDate {
    year: u16,
    month: u8,
    day: u8,
}

impl LocalMktDate {
    /// `None` when the calendar has no such day.
    pub fn new(year: u16, month: u8, day: u8) -> Option<LocalMktDate> {
        let days = (1..=12)
            .contains(&month)
            .then(|| days_in_month(year.into(), month.into()))?;
        let is_day = year <= 9999 && (1..=days).contains(&i64::from(day));
        is_day.then_some(LocalMktDate { year, month, day })
    }

    /// Reads `YYYYMMDD`.
    pub fn parse(text: &[u8]) -> Option<LocalMktDate> {
        if text.len() != 8 {
            return None;
        }
        let number = |from: usize, to: usize| parse_count(&text[from..to]);
        LocalMktDate::new(
            number(0, 4)?.try_into().ok()?,
            number(4, 6)?.try_into().ok()?,
            number(6, 8)?.try_into().ok()?,
        )
    }

    /// Year, month (1 to 12), day of the month.
    pub fn year_month_day(self) -> (u16, u8, u8) {
        (self.year, self.month, self.day)
    }
}

impl fmt::Display for LocalMktDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}{:02}{:02}", self.year, self.month, self.day)
    }
}

/// An instant in nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The wall clock of this machine.
    pub fn now() -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }

    /// Nanoseconds from `earlier` to here; negative when `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This instant moved by `nanos`.
    pub fn plus(self, nanos: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(nanos))
    }

    /// Reads a FIX UTCTimestamp: `YYYYMMDD-HH:MM:SS` with 0 to 9 decimals. A leap second is the next second.
    pub fn parse(text: &[u8]) -> Option<Timestamp> {
        if text.len() < 17 || text[8] != b'-' || text[11] != b':' || text[14] != b':' {
            return None;
        }
        let number = |from: usize, to: usize| parse_count(&text[from..to]).map(|n| n as i64);
        let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
        let (hour, minute, second) = (number(9, 11)?, number(12, 14)?, number(15, 17)?);
        if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let nanos = match &text[17..] {
            [] => 0,
            [b'.', part @ ..] if (1..=9).contains(&part.len()) => {
                parse_count(part)? as i64 * 10_i64.pow(9 - part.len() as u32)
            }
            _ => return None,
        };
        let seconds = days_from_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
        seconds
            .checked_mul(NANOS)?
            .checked_add(nanos)
            .map(Timestamp)
    }
}

impl Timestamp {
    /// UTCTimestamp with milliseconds, `YYYYMMDD-HH:MM:SS.mmm`. Its years are 1677 to 2262, so it always has these bytes.
    pub fn text(self) -> [u8; 21] {
        let seconds = self.0.div_euclid(NANOS);
        let millis = self.0.rem_euclid(NANOS) / 1_000_000;
        let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
        let of_day = seconds.rem_euclid(DAY);
        let mut text = *b"00000000-00:00:00.000";
        let parts = [
            (year, 0..4),
            (month, 4..6),
            (day, 6..8),
            (of_day / 3600, 9..11),
            (of_day / 60 % 60, 12..14),
            (of_day % 60, 15..17),
            (millis, 18..21),
        ];
        for (mut part, places) in parts {
            for place in places.rev() {
                text[place] = b'0' + (part % 10) as u8;
                part /= 10;
            }
        }
        text
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        f.write_str(std::str::from_utf8(&text).expect("digits and separators"))
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The same source, `civil_from_days`.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_price_is_read_exactly_or_refused() {
        for (text, price) in [
            ("3.865", Some(38_650)),
            ("3.8650000", Some(38_650)),
            ("-0.0025", Some(-25)),
            ("0", Some(0)),
            ("23.", Some(230_000)),
            (".5", Some(5_000)),
            ("007", Some(70_000)),
            ("922337203685477.5807", Some(i64::MAX)),
            ("-922337203685477.5808", Some(i64::MIN)),
            ("922337203685477.5808", None),
            ("1.00001", None),
            ("+1", None),
            ("1e3", None),
            ("1.2.3", None),
            ("", None),
            ("-", None),
            (".", None),
        ] {
            assert_eq!(
                PriceE4::parse(text.as_bytes()).map(|p| p.0),
                price,
                "{text}"
            );
        }
    }

    #[test]
    fn an_average_is_rounded_to_a_ten_thousandth() {
        for (text, price) in [
            ("10.33333333", 103_333),
            ("10.66666", 106_667),
            ("-10.66666", -106_667),
            ("10.5", 105_000),
        ] {
            assert_eq!(
                parse_average(text.as_bytes()),
                Some(PriceE4(price)),
                "{text}"
            );
        }
        for text in ["10.33333x", "1.2x", "x", "1.", ".", "10"] {
            assert_eq!(
                parse_average(text.as_bytes()),
                PriceE4::parse(text.as_bytes()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_quantity_may_have_zero_decimals_only() {
        for (text, quantity) in [
            ("002000.00", Some(2000)),
            ("100", Some(100)),
            ("+200.00", None),
            ("1.5", None),
        ] {
            assert_eq!(parse_quantity(text.as_bytes()), quantity, "{text}");
        }
    }

    #[test]
    fn a_timestamp_is_a_real_instant_or_refused() {
        for (text, nanos) in [
            ("19700101-00:00:00", Some(0)),
            ("20260430-09:15:00.250", Some(1_777_540_500_250_000_000)),
            ("20240229-23:59:60", Some(1_709_251_200_000_000_000)),
            ("20230229-00:00:00", None),
            ("20260430-24:00:00", None),
            ("20260430 09:15:00", None),
            ("20260430-09:15:00.", None),
            ("2026043", None),
        ] {
            assert_eq!(
                Timestamp::parse(text.as_bytes()).map(|t| t.0),
                nanos,
                "{text}"
            );
        }
    }

    #[test]
    fn a_date_is_a_real_day_or_refused() {
        for text in ["20261120", "20240229", "00010101", "99991231"] {
            let date = LocalMktDate::parse(text.as_bytes()).expect(text);
            assert_eq!(date.to_string(), text);
        }
        let date = LocalMktDate::new(2026, 11, 20).map(LocalMktDate::year_month_day);
        assert_eq!(date, Some((2026, 11, 20)));
        for text in [
            "",
            "2026112",
            "202611200",
            "20261320",
            "20260230",
            "20260200",
            "2026-1-1",
            "+2026120",
        ] {
            assert_eq!(LocalMktDate::parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_price_survives_the_wire(price in any::<i64>()) {
            let price = PriceE4(price);
            prop_assert_eq!(PriceE4::parse(price.to_string().as_bytes()), Some(price));
        }

        #[test]
        fn a_time_survives_the_wire(millis in -9_000_000_000_000_i64..9_000_000_000_000) {
            let time = Timestamp(millis * 1_000_000);
            let text = time.to_string();
            prop_assert_eq!(Timestamp::parse(text.as_bytes()), Some(time));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = (PriceE4::parse(&bytes), parse_average(&bytes), Timestamp::parse(&bytes), parse_quantity(&bytes), LocalMktDate::parse(&bytes));
        }
    }
}
