//! What an exchange is started with, as the command line or a test gives it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use squareoff_fix::Timestamp;
use squareoff_fix::driver::tls::Identity;

use crate::hours::Hours;

/// Trading days are Indian: UTC+5:30, without daylight saving.
const INDIA_AHEAD_OF_UTC_NS: i64 = (5 * 60 + 30) * 60 * 1_000_000_000;

#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    /// Ledger and FIX journals; made when missing.
    pub data: PathBuf,
    pub contracts: PathBuf,
    /// Sessions that take orders.
    pub sessions: Vec<SessionName>,
    /// Sessions that are told a firm's executions and nothing else; `None` is one for each firm at each venue, `<FIRM>-DC`.
    pub drop_copies: Option<Vec<SessionName>>,
    /// Moves the seeded liquidity: same seed, same quotes.
    pub seed: u64,
    pub quiet: HashSet<(String, String)>,
    pub trade_date: TradeDate,
    /// When segments are open; those without hours are open all day.
    pub hours: Vec<Hours>,
}

/// What an exchange may be started with besides; the default is none of it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where market control is served, on loopback; port 0 takes a free one.
    pub control: SocketAddr,
    /// Sessions whose working orders are canceled when they drop, by label.
    pub cancel_on_disconnect: BTreeSet<String>,
    /// How many requests about orders a session may send in a second.
    pub messages_per_second: Option<u32>,
    /// Venues whose sessions speak FIX 4.2 instead of 4.4.
    pub fix42: BTreeSet<String>,
    /// What connections are secured with; `None`: they are in the clear.
    pub tls: Option<Tls>,
    /// Lines of the ledger that are lost before the start, as in a crash of a disk that lied.
    pub lose_tail: u64,
}

/// PEM files.
#[derive(Clone, Debug)]
pub struct Tls {
    pub own: Identity,
    /// Who may have signed the brokers' certificates; `None`: they need none.
    pub client_ca: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            control: SocketAddr::from(([127, 0, 0, 1], 0)),
            cancel_on_disconnect: BTreeSet::new(),
            messages_per_second: None,
            fix42: BTreeSet::new(),
            tls: None,
            lose_tail: 0,
        }
    }
}

/// What decides beside the requests: the same rules and requests lead to the same facts.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub seed: u64,
    /// Instruments (venue, symbol) without seeded liquidity.
    pub quiet: HashSet<(String, String)>,
    /// `YYYY-MM-DD`.
    pub trade_date: String,
    /// By a session's label, its firm at the venue ([`SessionName::firm_label`]). A session that isn't here is a firm by itself.
    pub firms: HashMap<String, String>,
    /// Sessions whose working orders are canceled when they drop, unless market control set otherwise.
    pub cancel_on_disconnect: BTreeSet<String>,
    /// How many requests about orders a session may send in a second, unless market control set otherwise.
    pub messages_per_second: Option<u32>,
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
    /// The broker. Sessions of one firm at one venue share their ClOrdIDs and may cancel each other's orders.
    pub firm: String,
}

impl SessionName {
    /// How the ledger calls it.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}:{}", self.ours, self.theirs)
    }

    /// The firm at this venue: the label of a session that was given no firm.
    #[must_use]
    pub fn firm_label(&self) -> String {
        format!("{}:{}", self.venue, self.firm)
    }

    /// The drop-copy session that a firm at a venue has when the settings name none.
    #[must_use]
    pub fn drop_copy(&self) -> Self {
        Self {
            theirs: format!("{}-DC", self.firm),
            ..self.clone()
        }
    }
}

impl FromStr for SessionName {
    type Err = String;

    /// Reads `OURS:THEIRS` or `OURS:THEIRS@FIRM`; our CompID is the venue, the firm is the broker's CompID unless it is given.
    fn from_str(text: &str) -> Result<Self, String> {
        let form = "OURS:THEIRS or OURS:THEIRS@FIRM, e.g. NSE:SQUAREOFF2@SQUAREOFF";
        let (ours, theirs) = pair(text, form)?;
        let (theirs, firm) = match theirs.split_once('@') {
            None => (theirs.clone(), theirs),
            Some((theirs, firm)) => (theirs.to_owned(), firm.to_owned()),
        };
        if theirs.is_empty() || firm.is_empty() || ours.contains('@') || firm.contains('@') {
            return Err(format!("{text:?} is not of the form {form}"));
        }
        Ok(Self {
            venue: ours.clone(),
            ours,
            theirs,
            firm,
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
        let second: SessionName = "NSE:SQUAREOFF2@SQUAREOFF".parse().unwrap();
        assert_eq!(
            (second.label().as_str(), second.firm_label()),
            ("NSE:SQUAREOFF2", name.firm_label())
        );
        assert_eq!(second.drop_copy().label(), "NSE:SQUAREOFF-DC");
        for bad in [
            "", "NSE", "NSE:", ":A", "A:B:C", "../x:A", "A B:C", "A:B@", "A:@B", "A@B:C", "A:B@C@D",
        ] {
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
