//! The clock that times are shown in, and times as an auditor writes them.

use squareoff_domain::Timestamp;
use std::fmt;
use std::str::FromStr;
use time::format_description::FormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::{format_description, offset};
use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime, UtcOffset};

const SHOWN: &[FormatItem] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3]");
const OF_DAY: &[FormatItem] = format_description!("[hour]:[minute]:[second].[subsecond digits:3]");
const DAY: &[FormatItem] = format_description!("[year]-[month]-[day]");
/// As people write a time of a day; `T` or a space between them.
const WRITTEN: &[&[FormatItem]] = &[
    format_description!("[year]-[month]-[day] [hour]:[minute]"),
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]"),
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond]"),
];

/// An offset from UTC and what it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(UtcOffset);

impl Zone {
    /// The exchanges' own: +05:30, all the year.
    pub const IST: Zone = Zone(offset!(+5:30));
    pub const UTC: Zone = Zone(UtcOffset::UTC);

    fn of(self, at: Timestamp) -> Option<OffsetDateTime> {
        let utc = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0)).ok()?;
        utc.checked_to_offset(self.0)
    }

    fn write(self, at: Timestamp, format: &[FormatItem]) -> Option<String> {
        self.of(at)?.format(format).ok()
    }

    /// `2026-11-20 14:05:07.123`, without the zone's name.
    pub fn time(self, at: Timestamp) -> String {
        self.write(at, SHOWN)
            .unwrap_or_else(|| format!("{} ns", at.0))
    }

    /// `2026-11-20 14:05:07.123 IST`.
    pub fn show(self, at: Timestamp) -> String {
        format!("{} {self}", self.time(at))
    }

    /// `14:05:07.123`.
    pub fn time_of_day(self, at: Timestamp) -> String {
        self.write(at, OF_DAY)
            .unwrap_or_else(|| format!("{} ns", at.0))
    }

    /// `2026-11-20`.
    pub fn day(self, at: Timestamp) -> String {
        self.write(at, DAY).unwrap_or_default()
    }

    /// To the nanosecond.
    pub fn rfc3339(self, at: Timestamp) -> String {
        let written = self.of(at).and_then(|time| time.format(&Rfc3339).ok());
        written.unwrap_or_else(|| format!("{} ns", at.0))
    }
}

/// `IST`, `UTC`, or the offset itself.
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, minutes, _) = self.0.as_hms();
        if *self == Zone::IST {
            f.write_str("IST")
        } else if *self == Zone::UTC {
            f.write_str("UTC")
        } else {
            let sign = if self.0.is_negative() { '-' } else { '+' };
            write!(f, "{sign}{:02}:{:02}", hours.abs(), minutes.abs())
        }
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_uppercase().as_str() {
            "IST" => return Ok(Zone::IST),
            "UTC" | "Z" => return Ok(Zone::UTC),
            _ => {}
        }
        let offset = format_description!("[offset_hour sign:mandatory]:[offset_minute]");
        UtcOffset::parse(text, offset)
            .map(Zone)
            .map_err(|_| "a zone is IST, UTC, or an offset such as +04:00".to_owned())
    }
}

/// A place in the log, as a person says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Position(u64),
    /// With its zone.
    Time(Timestamp),
    /// In the zone that is shown.
    Local(PrimitiveDateTime),
    Day(Date),
}

/// What of a day is meant where only a day is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    First,
    Last,
}

/// A [`Moment`] with its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instant {
    Position(u64),
    Time(Timestamp),
}

impl Moment {
    pub fn at(self, zone: Zone, edge: Edge) -> Instant {
        let local = match self {
            Moment::Position(position) => return Instant::Position(position),
            Moment::Time(time) => return Instant::Time(time),
            Moment::Local(local) => local,
            Moment::Day(day) => match edge {
                Edge::First => day.midnight(),
                Edge::Last => day
                    .midnight()
                    .saturating_add(Duration::days(1) - Duration::nanoseconds(1)),
            },
        };
        let nanos = local.assume_offset(zone.0).unix_timestamp_nanos();
        let nearest = if nanos < 0 { i64::MIN } else { i64::MAX };
        Instant::Time(Timestamp(i64::try_from(nanos).unwrap_or(nearest)))
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(position) = text.parse::<squareoff_store::Position>() {
            return Ok(Moment::Position(position.as_u64()));
        }
        if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339)
            && let Ok(nanos) = i64::try_from(time.unix_timestamp_nanos())
        {
            return Ok(Moment::Time(Timestamp(nanos)));
        }
        if let Ok(day) = Date::parse(text, DAY) {
            return Ok(Moment::Day(day));
        }
        let spaced = text.replacen('T', " ", 1);
        let local = WRITTEN
            .iter()
            .find_map(|format| PrimitiveDateTime::parse(&spaced, format).ok());
        if let Some(local) = local {
            return Ok(Moment::Local(local));
        }
        Err(if text.contains(':') && !text.contains('-') {
            format!("a time needs its day: `2026-11-20 {text}`")
        } else {
            "neither a log position such as 4711 nor a time such as `2026-11-20 14:05` or 2026-11-20T14:05:07+05:30"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ist(text: &str) -> Instant {
        text.parse::<Moment>().unwrap().at(Zone::IST, Edge::Last)
    }

    #[test]
    fn a_moment_is_a_position_a_time_or_a_day() {
        let time = |nanos| Instant::Time(Timestamp(nanos));
        for (text, meant) in [
            ("0", Instant::Position(0)),
            ("4711", Instant::Position(4711)),
            ("1970-01-01 05:30", time(0)),
            ("1970-01-01T05:30:01", time(1_000_000_000)),
            ("1970-01-01 05:30:00.5", time(500_000_000)),
            ("1970-01-01T00:00:00.000000007Z", time(7)),
            ("1970-01-01", time(66_599_999_999_999)),
        ] {
            assert_eq!(ist(text), meant, "{text}");
        }
        let day: Moment = "1970-01-01".parse().unwrap();
        assert_eq!(day.at(Zone::UTC, Edge::First), time(0));
        for (text, said) in [
            ("14:05", "a time needs its day: `2026-11-20 14:05`"),
            ("yesterday", "neither a log position"),
            ("20-11-2026", "neither a log position"),
            ("", "neither a log position"),
            ("-1", "neither a log position"),
            ("9999-12-31T23:59:59Z", "neither a log position"),
        ] {
            let error = text.parse::<Moment>().unwrap_err();
            assert!(error.starts_with(said), "{text}: {error}");
        }
        // The end of a day that no clock of ours reaches is the end of time.
        assert_eq!(ist("9999-12-31"), time(i64::MAX));
    }

    #[test]
    fn a_time_is_shown_in_its_zone_with_the_zones_name() {
        let at = Timestamp(1_795_163_707_123_456_789);
        for (zone, shown) in [
            ("IST", "2026-11-20 14:05:07.123 IST"),
            ("utc", "2026-11-20 08:35:07.123 UTC"),
            ("+04:00", "2026-11-20 12:35:07.123 +04:00"),
            ("-03:30", "2026-11-20 05:05:07.123 -03:30"),
        ] {
            assert_eq!(zone.parse::<Zone>().unwrap().show(at), shown);
        }
        assert_eq!(Zone::UTC.rfc3339(at), "2026-11-20T08:35:07.123456789Z");
        assert_eq!(Zone::IST.day(at), "2026-11-20");
        assert!("Mumbai".parse::<Zone>().unwrap_err().contains("IST, UTC"));
    }
}
