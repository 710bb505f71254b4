//! When each segment's session closes, as the operator sets it: what a bulk's duration is measured against.

use squareoff_domain::{Segment, Timestamp, TradingDate};
use std::fmt;
use std::str::FromStr;
use time::{Date, Month, PrimitiveDateTime, Time, UtcOffset};

/// Indian exchanges speak of Indian time, which knows no summer time.
const IST: (i8, i8, i8) = (5, 30, 0);

/// Minutes after midnight in India, by segment; `None` where nobody said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionClose([Option<u16>; Segment::ALL.len()]);

impl Default for SessionClose {
    /// The exchanges' own hours; commodities by those of the longer half of the year.
    fn default() -> Self {
        SessionClose([
            Some(15 * 60 + 30),
            Some(15 * 60 + 30),
            Some(17 * 60),
            Some(23 * 60 + 30),
        ])
    }
}

impl SessionClose {
    /// When the segment closes on `date`.
    pub fn of(&self, segment: Segment, date: TradingDate) -> Option<Timestamp> {
        let minutes = self.0[place(segment)]?;
        let month = Month::try_from(date.month()).ok()?;
        let date = Date::from_calendar_date(i32::from(date.year()), month, date.day()).ok()?;
        let (hour, minute) = (
            u8::try_from(minutes / 60).ok()?,
            u8::try_from(minutes % 60).ok()?,
        );
        let time = Time::from_hms(hour, minute, 0).ok()?;
        let offset = UtcOffset::from_hms(IST.0, IST.1, IST.2).ok()?;
        let close = PrimitiveDateTime::new(date, time).assume_offset(offset);
        i64::try_from(close.unix_timestamp_nanos())
            .ok()
            .map(Timestamp)
    }
}

fn place(segment: Segment) -> usize {
    match segment {
        Segment::Cash => 0,
        Segment::Derivatives => 1,
        Segment::Currency => 2,
        Segment::Commodity => 3,
    }
}

/// `CM=15:30,FO=15:30`: each segment at most once, one that is left out has no known close.
impl FromStr for SessionClose {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut closes = SessionClose([None; Segment::ALL.len()]);
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let expected = || format!("`{part}` is not a segment and its close, such as CM=15:30");
            let (segment, time) = part.split_once('=').ok_or_else(expected)?;
            let segment: Segment = segment.trim().parse().map_err(|_| expected())?;
            let minutes = minutes(time.trim()).ok_or_else(expected)?;
            if closes.0[place(segment)].replace(minutes).is_some() {
                return Err(format!("{segment} stands twice"));
            }
        }
        Ok(closes)
    }
}

/// Minutes of `HH:MM`.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

impl fmt::Display for SessionClose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let closes = Segment::ALL.iter().filter_map(|segment| {
            let minutes = self.0[place(*segment)]?;
            Some(format!("{segment}={:02}:{:02}", minutes / 60, minutes % 60))
        });
        f.write_str(&closes.collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_is_in_indian_time_on_the_trading_date() {
        let closes: SessionClose = "CM=15:30, COM=23:55".parse().unwrap();
        let date = "2026-11-20".parse().unwrap();
        // 2026-11-20T10:00:00Z.
        let close = Timestamp(1_795_168_800_000_000_000);
        assert_eq!(closes.of(Segment::Cash, date), Some(close));
        assert_eq!(closes.of(Segment::Currency, date), None);
        assert_eq!(closes.to_string(), "CM=15:30,COM=23:55");
        let default = SessionClose::default();
        assert_eq!(default.to_string().parse(), Ok(default));
    }

    #[test]
    fn what_is_no_close_is_refused() {
        for bad in [
            "CM",
            "CM=1530",
            "CM=24:00",
            "CM=15:60",
            "XX=15:30",
            "CM=15:30,CM=16:00",
            "CM=+5:30",
        ] {
            assert!(bad.parse::<SessionClose>().is_err(), "{bad}");
        }
    }
}
