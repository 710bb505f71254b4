//! What settings are written as: each type parses its text, and says what is expected when it can't.

use super::venue::COMP_ID_MAX;
use anyhow::Result;
use squareoff_auditor::tlog::{KeyError, VerifierKey};
use squareoff_domain::{Price, Venue};
use squareoff_store::{EventStore, OpenError};
use std::fmt::Display;
use std::str::FromStr;
use zeroize::Zeroizing;

/// A setting that no message and no debug text shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Zeroizing<String>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(withheld)")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Secret(Zeroizing::new(text.to_owned())))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err("expected text or json"),
        }
    }
}

/// Whether the desk acts for a client only when the caller was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerVerification {
    Required,
    Off,
}

impl CallerVerification {
    pub const fn as_str(self) -> &'static str {
        match self {
            CallerVerification::Required => "required",
            CallerVerification::Off => "off",
        }
    }
}

impl FromStr for CallerVerification {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "required" => Ok(CallerVerification::Required),
            "off" => Ok(CallerVerification::Off),
            _ => Err("expected required or off"),
        }
    }
}

/// What one person may place at once, in 1/10,000 rupee; `None` where nobody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApprovalNotional(pub Option<u64>);

impl ApprovalNotional {
    /// Five crore rupees.
    pub const DEFAULT: ApprovalNotional = ApprovalNotional(Some(500_000_000_000));
}

impl Display for ApprovalNotional {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(limit) => Price(i64::try_from(limit).unwrap_or(i64::MAX)).fmt(f),
            None => f.pad("off"),
        }
    }
}

impl FromStr for ApprovalNotional {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(ApprovalNotional(None));
        }
        let rupees: Option<Price> = text.parse().ok();
        let limit = rupees.and_then(|rupees| u64::try_from(rupees.0).ok());
        match limit {
            Some(limit) if limit > 0 => Ok(ApprovalNotional(Some(limit))),
            Some(_) | None => Err("expected rupees such as 50000000.00, or off"),
        }
    }
}

/// A connection string that the event store takes. It may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct EventStoreAddress(String);

impl EventStoreAddress {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for EventStoreAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventStoreAddress")
    }
}

impl FromStr for EventStoreAddress {
    type Err = OpenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        EventStore::check_address(text)?;
        Ok(EventStoreAddress(text.to_owned()))
    }
}

/// Comma separated; an empty text is an empty list.
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T: FromStr<Err: Display>> FromStr for List<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let parsed = parts.map(|part| part.parse().map_err(|error: T::Err| error.to_string()));
        Ok(List(parsed.collect::<Result<_, _>>()?))
    }
}

/// A log's vkey.
pub(super) struct LogKey(pub(super) VerifierKey);

impl FromStr for LogKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        VerifierKey::parse(text).map(LogKey)
    }
}

/// What may name a key in a signed note.
pub(super) fn key_name(name: &str) -> Option<&'static str> {
    let fits = !name.is_empty()
        && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+');
    (!fits).then_some("expected a name without spaces and plus, such as example.com/log")
}

pub(super) fn joined<T: Display>(list: &[T]) -> String {
    list.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}

/// A setting that is on or off.
pub(super) struct YesNo(pub(super) bool);

impl FromStr for YesNo {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "yes" => Ok(YesNo(true)),
            "no" => Ok(YesNo(false)),
            _ => Err("expected yes or no"),
        }
    }
}

/// Sessions to one venue: NSE gives a member some, and each is a thread's work.
pub(super) const SESSIONS_MAX: usize = 16;

/// CompIDs, comma separated, each once.
pub(super) struct CompIds(pub(super) Vec<String>);

impl FromStr for CompIds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut ids: Vec<String> = Vec::new();
        for id in text.split(',').map(str::trim) {
            if !is_comp_id(id, b"_") {
                return Err("expected 1 to 20 letters, digits and underscores".to_owned());
            }
            if ids.iter().any(|known| known == id) {
                return Err(format!("{id} stands twice"));
            }
            ids.push(id.to_owned());
        }
        if ids.len() > SESSIONS_MAX {
            return Err(format!("expected at most {SESSIONS_MAX}"));
        }
        Ok(CompIds(ids))
    }
}

/// 1 to 20 letters, digits and some more.
pub(super) fn is_comp_id(text: &str, more: &[u8]) -> bool {
    (1..=COMP_ID_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
}

/// Venues, comma separated, each once.
pub(super) struct Venues(pub(super) Vec<Venue>);

impl FromStr for Venues {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut venues = Vec::new();
        for part in text.split(',') {
            let venue: Venue = part.trim().parse().map_err(|error| format!("{error}"))?;
            if venues.contains(&venue) {
                return Err(format!("{venue} stands twice"));
            }
            venues.push(venue);
        }
        Ok(Venues(venues))
    }
}

/// host:port.
pub(super) fn is_address(text: &str) -> Option<&'static str> {
    let port = text
        .rsplit_once(':')
        .and_then(|(host, port)| (!host.is_empty()).then(|| port.parse::<u16>().ok())?);
    port.is_none().then_some("expected host:port")
}
