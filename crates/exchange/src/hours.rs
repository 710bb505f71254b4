//! Session hours: the clock that opens and closes segments, where the settings give it hours.
//!
//! A task of the server. Again and again it tells the engine the phase that is due, and since when; the engine does
//! nothing where the phase was changed since then, so a halt by hand lasts until the next hour, over a restart too. Without
//! hours a segment is open all day.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use squareoff_fix::Timestamp;

use crate::command::{Command, Refused};
use crate::config::TradeDate;
use crate::engine::{Engine, Stopped};
use crate::phase::Phase;

const MINUTE_NS: i64 = 60 * 1_000_000_000;
const DAY_MINUTES: i64 = 24 * 60;
/// The clock is looked at again this often, so that one that is set, or a machine that slept, is noticed.
const LOOK_AGAIN: Duration = Duration::from_secs(20);

/// When a segment is open on the trading day, in minutes after midnight in India. Before it is in pre-open, after it
/// closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    pub segment: String,
    open_minutes: i64,
    close_minutes: i64,
}

impl Hours {
    /// The phase at an instant, and since when it has been due.
    #[must_use]
    pub fn phase(&self, date: &TradeDate, now: Timestamp) -> (Phase, Timestamp) {
        let midnight = date.midnight();
        let at = |minutes: i64| midnight.plus(minutes * MINUTE_NS);
        let (open, close) = (at(self.open_minutes), at(self.close_minutes));
        if now < open {
            (Phase::PreOpen, midnight)
        } else if now < close {
            (Phase::Open, open)
        } else {
            (Phase::Closed, close)
        }
    }
}

impl FromStr for Hours {
    type Err = String;

    /// Reads `SEGMENT=HH:MM-HH:MM`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is not of the form SEGMENT=HH:MM-HH:MM, opening before closing");
        let (segment, hours) = text.split_once('=').ok_or_else(wrong)?;
        let (open, close) = hours.split_once('-').ok_or_else(wrong)?;
        let (open, close) = (
            minutes(open).ok_or_else(wrong)?,
            minutes(close).ok_or_else(wrong)?,
        );
        if segment.is_empty() || open >= close {
            return Err(wrong());
        }
        Ok(Self {
            segment: segment.to_owned(),
            open_minutes: open,
            close_minutes: close,
        })
    }
}

/// Keeps the hours until the engine stops.
pub async fn keep(hours: Arc<Vec<Hours>>, date: TradeDate, engine: Engine) {
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        match look(&hours, &date, &engine).await {
            Ok(Ok(())) => {}
            Ok(Err(refused)) => tracing::error!(%refused, "session hours can't be kept"),
            Err(Stopped) => return,
        }
    }
}

/// Looks at the clock once and makes every phase what it is due to be.
///
/// # Errors
/// When the engine has stopped; inside, when a segment is nowhere.
pub async fn look(
    hours: &[Hours],
    date: &TradeDate,
    engine: &Engine,
) -> Result<Result<(), Refused>, Stopped> {
    for hours in hours {
        let (to, due) = hours.phase(date, engine.clock().now());
        let segment = hours.segment.clone();
        let scheduled = Command::Scheduled { segment, to, due };
        if let Err(refused) = engine.control(scheduled).await? {
            return Ok(Err(refused));
        }
    }
    Ok(Ok(()))
}

fn minutes(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |text: &str| -> Option<i64> {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().ok())?
    };
    let (hour, minute) = (two_digits(hour)?, two_digits(minute)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY_MINUTES).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_or_refused() {
        let hours: Hours = "COM=09:00-23:55".parse().unwrap();
        assert_eq!(
            (
                hours.segment.as_str(),
                hours.open_minutes,
                hours.close_minutes
            ),
            ("COM", 540, 1_435)
        );
        assert!("FO=09:15-24:00".parse::<Hours>().is_ok());
        for bad in [
            "",
            "FO",
            "FO=09:15",
            "=09:15-15:30",
            "FO=15:30-09:15",
            "FO=09:15-09:15",
            "FO=9:15-15:30",
            "FO=09:60-15:30",
            "FO=09:15-24:01",
            "FO=+9:15-15:30",
        ] {
            assert!(bad.parse::<Hours>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_segment_is_in_pre_open_then_open_then_closed() {
        let hours: Hours = "FO=09:15-15:30".parse().unwrap();
        let date: TradeDate = "2026-11-20".parse().unwrap();
        let at = |text: &str| Timestamp::parse(text.as_bytes()).unwrap();
        // India is five and a half hours ahead of UTC.
        for (now, phase, since) in [
            ("20261119-12:00:00", Phase::PreOpen, "20261119-18:30:00"),
            ("20261120-03:44:59", Phase::PreOpen, "20261119-18:30:00"),
            ("20261120-03:45:00", Phase::Open, "20261120-03:45:00"),
            ("20261120-09:59:59", Phase::Open, "20261120-03:45:00"),
            ("20261120-10:00:00", Phase::Closed, "20261120-10:00:00"),
            ("20261201-00:00:00", Phase::Closed, "20261120-10:00:00"),
        ] {
            assert_eq!(hours.phase(&date, at(now)), (phase, at(since)), "{now}");
        }
    }
}
