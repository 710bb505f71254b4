//! When a session may be connected: every day between two times, or once a week from one day to another.
//!
//! Called by `session` (log-on, log-out, reset at the start) and by the loop that dials. Pure: the time is an argument.
//! A session of the schedule is the stretch from a start to the next end; numbers that belong to an older one are old.

use super::SECOND;
use crate::value::Timestamp;

const DAY_S: i64 = 86_400;
const WEEK_S: i64 = 7 * DAY_S;

/// A day of the week; 1970-01-01 was a Thursday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weekday {
    Monday = 0,
    Tuesday = 1,
    Wednesday = 2,
    Thursday = 3,
    Friday = 4,
    Saturday = 5,
    Sunday = 6,
}

/// A time of the day in seconds from midnight; up to 86,400.
pub type OfDay = u32;

/// When a session is to be connected, in the venue's own time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// How far the venue's clock is ahead of UTC, in seconds: 19,800 in India. A zone without summer time.
    pub utc_offset_s: i32,
    pub hours: Hours,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hours {
    /// From `start` on each of these days; to `end` of the same day, or of the next when it is not later than `start`.
    Daily {
        days: Vec<Weekday>,
        start: OfDay,
        end: OfDay,
    },
    /// From one moment of the week to another.
    Weekly {
        start: (Weekday, OfDay),
        end: (Weekday, OfDay),
    },
}

/// One session of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub start: Timestamp,
    /// The first moment after it.
    pub end: Timestamp,
}

impl Schedule {
    /// The session that `now` is in; `None` between two.
    pub fn current(&self, now: Timestamp) -> Option<Stretch> {
        let stretches = self.stretches(now);
        stretches
            .into_iter()
            .find(|one| one.start <= now && now < one.end)
    }

    /// When the next session starts, strictly after `now`; `None` when there is never one.
    pub fn next_start(&self, now: Timestamp) -> Option<Timestamp> {
        let starts = self.stretches(now).into_iter().map(|one| one.start);
        starts.filter(|start| *start > now).min()
    }

    /// Every session that touches the week around `now`, and the neighbouring weeks.
    fn stretches(&self, now: Timestamp) -> Vec<Stretch> {
        let offset = i64::from(self.utc_offset_s);
        let local_s = now.0.div_euclid(SECOND) + offset;
        // Monday, midnight, of the week before: 1970-01-05 was a Monday.
        let monday = (local_s - 4 * DAY_S).div_euclid(WEEK_S) * WEEK_S + 4 * DAY_S - WEEK_S;
        let at = |second: i64| Timestamp((second - offset).saturating_mul(SECOND));
        let mut stretches = Vec::new();
        for week in 0..3 {
            let from = monday + week * WEEK_S;
            for (start, end) in self.of_week() {
                stretches.push(Stretch {
                    start: at(from + start),
                    end: at(from + end),
                });
            }
        }
        stretches
    }

    /// Start and end of each session that starts in a week, in seconds from its Monday.
    fn of_week(&self) -> Vec<(i64, i64)> {
        let moment = |day: Weekday, of_day: OfDay| day as i64 * DAY_S + i64::from(of_day);
        match &self.hours {
            Hours::Daily { days, start, end } => {
                let length = i64::from(*end) - i64::from(*start);
                let length = if length <= 0 { length + DAY_S } else { length };
                let starts = days.iter().map(|day| moment(*day, *start));
                starts.map(|start| (start, start + length)).collect()
            }
            Hours::Weekly { start, end } => {
                let (start, end) = (moment(start.0, start.1), moment(end.0, end.1));
                let end = if end <= start { end + WEEK_S } else { end };
                vec![(start, end)]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Weekday::*;

    const IST: i32 = 19_800;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text.as_bytes()).expect("an instant")
    }

    fn daily(days: &[Weekday], start: OfDay, end: OfDay) -> Schedule {
        let days = days.to_vec();
        let hours = Hours::Daily { days, start, end };
        Schedule {
            utc_offset_s: IST,
            hours,
        }
    }

    /// 2026-11-27 was a Friday. 03:30 UTC is 09:00 in India.
    #[test]
    fn the_session_of_a_moment_is_the_one_it_lies_in() {
        let market = daily(
            &[Monday, Tuesday, Wednesday, Thursday, Friday],
            9 * 3600,
            16 * 3600,
        );
        let night = daily(&[Monday, Friday], 18 * 3600, 6 * 3600);
        let week = Schedule {
            utc_offset_s: 0,
            hours: Hours::Weekly {
                start: (Sunday, 61_200),
                end: (Friday, 61_200),
            },
        };
        let always = Schedule {
            utc_offset_s: 0,
            hours: Hours::Weekly {
                start: (Saturday, 0),
                end: (Saturday, 0),
            },
        };
        let never = daily(&[], 0, 3600);
        for (schedule, now, session, next) in [
            (
                &market,
                "20261127-03:29:59",
                None,
                Some("20261127-03:30:00"),
            ),
            (
                &market,
                "20261127-03:30:00",
                Some(("20261127-03:30:00", "20261127-10:30:00")),
                Some("20261130-03:30:00"),
            ),
            (
                &market,
                "20261127-10:29:59",
                Some(("20261127-03:30:00", "20261127-10:30:00")),
                Some("20261130-03:30:00"),
            ),
            (
                &market,
                "20261127-10:30:00",
                None,
                Some("20261130-03:30:00"),
            ),
            (
                &market,
                "20261129-12:00:00",
                None,
                Some("20261130-03:30:00"),
            ),
            (
                &night,
                "20261127-20:00:00",
                Some(("20261127-12:30:00", "20261128-00:30:00")),
                Some("20261130-12:30:00"),
            ),
            (&night, "20261128-00:30:00", None, Some("20261130-12:30:00")),
            (&week, "20261129-16:59:59", None, Some("20261129-17:00:00")),
            (
                &week,
                "20261129-17:00:00",
                Some(("20261129-17:00:00", "20261204-17:00:00")),
                Some("20261206-17:00:00"),
            ),
            (
                &week,
                "20261204-16:59:59",
                Some(("20261129-17:00:00", "20261204-17:00:00")),
                Some("20261206-17:00:00"),
            ),
            (&week, "20261204-17:00:00", None, Some("20261206-17:00:00")),
            (
                &always,
                "20261128-00:00:00",
                Some(("20261128-00:00:00", "20261205-00:00:00")),
                Some("20261205-00:00:00"),
            ),
            (&never, "20261128-00:00:00", None, None),
        ] {
            let wanted = session.map(|(start, end)| Stretch {
                start: at(start),
                end: at(end),
            });
            assert_eq!(schedule.current(at(now)), wanted, "{now} {schedule:?}");
            assert_eq!(
                schedule.next_start(at(now)),
                next.map(at),
                "{now} {schedule:?}"
            );
        }
    }
}
