//! When a venue's sessions are to be connected, as the operator writes it.

use squareoff_fix::{Hours, Schedule, Weekday};
use std::fmt::{self, Display};
use std::str::FromStr;

/// Indian exchanges speak of Indian time, which knows no summer time.
const INDIA_AHEAD_OF_UTC_S: i32 = (5 * 60 + 30) * 60;

const ALWAYS: &str = "always";

const EXPECTED: &str = "expected always, days and hours such as Mon-Fri 08:45-16:15 or Mon,Sat 09:00-12:00, or one stretch of the week such as Sun 17:00-Fri 17:00";

const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

/// In Indian time; the default is always.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionHours(pub Option<Schedule>);

impl FromStr for SessionHours {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<_> = text.split_whitespace().collect();
        let hours = match words[..] {
            [ALWAYS] => return Ok(SessionHours(None)),
            [days, times] => daily(days, times),
            [from, middle, to] => weekly(from, middle, to),
            _ => None,
        };
        let schedule = |hours| Schedule {
            utc_offset_s: INDIA_AHEAD_OF_UTC_S,
            hours,
        };
        Ok(SessionHours(Some(hours.map(schedule).ok_or(EXPECTED)?)))
    }
}

fn daily(days: &str, times: &str) -> Option<Hours> {
    let (start, end) = times.split_once('-')?;
    let mut listed = Vec::new();
    for part in days.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut at, last) = (place(first)?, place(last)?);
        loop {
            let day = DAYS[at].1;
            if listed.contains(&day) {
                return None;
            }
            listed.push(day);
            if at == last {
                break;
            }
            at = (at + 1) % DAYS.len();
        }
    }
    listed.sort();
    Some(Hours::Daily {
        days: listed,
        start: of_day(start)?,
        end: of_day(end)?,
    })
}

fn weekly(from: &str, middle: &str, to: &str) -> Option<Hours> {
    let (start, last) = middle.split_once('-')?;
    Some(Hours::Weekly {
        start: (DAYS[place(from)?].1, of_day(start)?),
        end: (DAYS[place(last)?].1, of_day(to)?),
    })
}

fn place(day: &str) -> Option<usize> {
    DAYS.iter().position(|(name, _)| *name == day)
}

/// Seconds of `HH:MM`, up to 24:00.
fn of_day(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u32>().ok())?
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    let seconds = (hours * 60 + minutes) * 60;
    (minutes < 60 && seconds <= 86_400).then_some(seconds)
}

impl Display for SessionHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |day: &Weekday| {
            let found = DAYS.iter().find(|(_, known)| known == day);
            found.map_or("", |(name, _)| *name)
        };
        let time = |of_day: u32| format!("{:02}:{:02}", of_day / 3600, of_day / 60 % 60);
        match self.0.as_ref().map(|schedule| &schedule.hours) {
            None => f.write_str(ALWAYS),
            Some(Hours::Daily { days, start, end }) => {
                let days: Vec<_> = days.iter().map(name).collect();
                write!(f, "{} {}-{}", days.join(","), time(*start), time(*end))
            }
            Some(Hours::Weekly { start, end }) => {
                let (from, to) = (name(&start.0), name(&end.0));
                write!(f, "{from} {}-{to} {}", time(start.1), time(end.1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_written_and_refused() {
        for (text, written) in [
            ("always", "always"),
            ("Mon-Wed 08:45-16:15", "Mon,Tue,Wed 08:45-16:15"),
            ("Sat-Mon 18:00-06:00", "Mon,Sat,Sun 18:00-06:00"),
            ("Mon,Sat 00:00-24:00", "Mon,Sat 00:00-24:00"),
            ("Sun 17:00-Fri 17:00", "Sun 17:00-Fri 17:00"),
        ] {
            let hours: SessionHours = text.parse().unwrap();
            assert_eq!(hours.to_string(), written);
            assert_eq!(written.parse(), Ok(hours));
        }
        for bad in [
            "",
            "never",
            "Mon",
            "Mon 09:00",
            "Mon 9:00-10:00",
            "Mon 09:00-24:01",
            "Mon 09:60-10:00",
            "Mon,Mon 09:00-10:00",
            "Mon-Sun,Tue 09:00-10:00",
            "Mo 09:00-10:00",
            "Sun 17:00 Fri 17:00",
            "Sun 17:00-Fri 17:00 x",
        ] {
            assert_eq!(bad.parse::<SessionHours>(), Err(EXPECTED), "{bad}");
        }
    }
}
