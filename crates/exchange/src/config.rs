//! What an exchange is started with, as the command line or a test gives it.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use squareoff_fix::Timestamp;

use crate::hours::Hours;

/// Trading days are Indian: UTC+5:30, without daylight saving.
const INDIA_AHEAD_OF_UTC_NS: i64 = (5 * 60 + 30) * 60 * 1_000_000_000;

#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    /// Ledger and FIX journals; made when missing.
    pub data: PathBuf,
    pub contracts: PathBuf,
    pub sessions: Vec<SessionName>,
    /// Moves the seeded liquidity: same seed, same quotes.
    pub seed: u64,
    pub quiet: HashSet<(String, String)>,
    pub trade_date: TradeDate,
    /// When segments are open; those without hours are open all day.
    pub hours: Vec<Hours>,
}

/// One FIX session we accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionName {
    /// Our CompID.
    pub ours: String,
    /// The broker's CompID.
    pub theirs: String,
    /// Whose instruments it trades.
    pub venue: String,
}

impl SessionName {
    /// How the ledger calls it.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}:{}", self.ours, self.theirs)
    }
}

impl FromStr for SessionName {
    type Err = String;

    /// Reads `OURS:THEIRS`; our CompID is the venue.
    fn from_str(text: &str) -> Result<Self, String> {
        let (ours, theirs) = pair(text, "OURS:THEIRS, e.g. NSE:SQUAREOFF")?;
        Ok(Self {
            venue: ours.clone(),
            ours,
            theirs,
        })
    }
}

/// Reads `VENUE:SYMBOL`.
///
/// # Errors
/// When it isn't that.
pub fn instrument(text: &str) -> Result<(String, String), String> {
    pair(text, "VENUE:SYMBOL, e.g. NSE:RELIANCE")
}

/// `YYYY-MM-DD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeDate(String);

impl TradeDate {
    /// The date in India now.
    #[must_use]
    pub fn today() -> Self {
        let text = Timestamp::now().plus(INDIA_AHEAD_OF_UTC_NS).to_string();
        Self(format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..8]))
    }

    /// The instant at which the day begins in India.
    #[must_use]
    pub fn midnight(&self) -> Timestamp {
        Self::utc_midnight(&self.0)
            .expect("only dates are constructed")
            .plus(-INDIA_AHEAD_OF_UTC_NS)
    }

    fn utc_midnight(text: &str) -> Option<Timestamp> {
        Timestamp::parse(format!("{}-00:00:00", text.replace('-', "")).as_bytes())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TradeDate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_shaped = text.len() == 10
            && text.is_ascii()
            && text.as_bytes()[4] == b'-'
            && text.as_bytes()[7] == b'-';
        if is_shaped && Self::utc_midnight(text).is_some() {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("{text:?} is not a date of the form YYYY-MM-DD"))
        }
    }
}

fn pair(text: &str, form: &str) -> Result<(String, String), String> {
    // CompIDs become folder names, so nothing in them may look like a path.
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b':')
    };
    match text.split_once(':') {
        Some((left, right)) if is_word(left) && is_word(right) => {
            Ok((left.to_owned(), right.to_owned()))
        }
        _ => Err(format!("{text:?} is not of the form {form}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_and_dates_are_read_or_refused() {
        let name: SessionName = "NSE:SQUAREOFF".parse().unwrap();
        assert_eq!(
            (name.venue.as_str(), name.label().as_str()),
            ("NSE", "NSE:SQUAREOFF")
        );
        for bad in ["", "NSE", "NSE:", ":A", "A:B:C", "../x:A", "A B:C"] {
            assert!(bad.parse::<SessionName>().is_err(), "{bad}");
        }
        assert!("2026-11-20".parse::<TradeDate>().is_ok());
        for bad in [
            "2026-13-01",
            "2026-02-30",
            "20261120",
            "2026/11/20",
            "2026-11-2",
            "2026-11-200",
        ] {
            assert!(bad.parse::<TradeDate>().is_err(), "{bad}");
        }
        assert_eq!(TradeDate::today().as_str().parse(), Ok(TradeDate::today()));
    }
}
