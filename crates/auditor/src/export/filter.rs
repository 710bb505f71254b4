//! Which entries an export takes.

use crate::verify;
use squareoff_domain::{ClientCode, Timestamp};
use squareoff_store::{Position, StoredEvent};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// All of what is named has to hold; nothing named takes everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The first event, itself taken.
    pub from: Option<Bound>,
    /// The last event, itself taken.
    pub to: Option<Bound>,
    /// Streams that bear the client's code: its positions, its identity, its refusals.
    pub client: Option<ClientCode>,
    pub stream: Option<String>,
}

/// A place in the log: a position, or a time by which an event was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    Position(Position),
    Time(Timestamp),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is neither a log position nor a time such as 2026-11-20T09:15:00+05:30")]
pub struct BoundError(String);

impl FromStr for Bound {
    type Err = BoundError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(position) = text.parse() {
            return Ok(Bound::Position(position));
        }
        let time = OffsetDateTime::parse(text, &Rfc3339).ok();
        let time = time.and_then(|time| i64::try_from(time.unix_timestamp_nanos()).ok());
        time.map(|ns| Bound::Time(Timestamp(ns)))
            .ok_or_else(|| BoundError(text.to_owned()))
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Position(position) => position.fmt(f),
            Bound::Time(Timestamp(ns)) => {
                let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(*ns));
                let text = time.ok().and_then(|time| time.format(&Rfc3339).ok());
                f.write_str(&text.unwrap_or_default())
            }
        }
    }
}

impl Filter {
    pub fn is_whole(&self) -> bool {
        *self == Filter::default()
    }

    pub(super) fn takes(&self, event: &StoredEvent) -> bool {
        let from = self.from.is_none_or(|from| match from {
            Bound::Position(position) => event.position >= position,
            Bound::Time(time) => event.recorded_at >= time,
        });
        let to = self.to.is_none_or(|to| match to {
            Bound::Position(position) => event.position <= position,
            Bound::Time(time) => event.recorded_at <= time,
        });
        let stream = self
            .stream
            .as_deref()
            .is_none_or(|stream| *event.stream == *stream);
        let client = self
            .client
            .as_ref()
            .is_none_or(|client| is_of(&event.stream, client.as_str()));
        from && to && stream && client
    }

    pub(super) fn for_manifest(&self) -> Option<verify::Filter> {
        (!self.is_whole()).then(|| verify::Filter {
            from: self.from.map(|bound| bound.to_string()),
            to: self.to.map(|bound| bound.to_string()),
            client: self.client.as_ref().map(|client| client.to_string()),
            stream: self.stream.clone(),
        })
    }
}

/// Whether a stream is the client's, by its name: `client-<client>`, `position-<date>-<client>-…`, `refusals-<date>-<client>`.
fn is_of(stream: &str, client: &str) -> bool {
    /// `YYYY-MM-DD-`.
    const DATE_BYTES: usize = 11;
    if let Some(named) = stream.strip_prefix("client-") {
        return named == client;
    }
    let dated = |prefix: &str| {
        stream
            .strip_prefix(prefix)
            .and_then(|rest| rest.get(DATE_BYTES..))
    };
    if let Some(named) = dated("refusals-") {
        return named == client;
    }
    dated("position-").is_some_and(|rest| {
        rest.strip_prefix(client)
            .is_some_and(|rest| rest.starts_with('-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_found_in_the_names_of_its_streams_and_in_no_others() {
        for (stream, is) in [
            ("client-C00042", true),
            ("client-C000421", false),
            ("position-2026-11-20-C00042-NSE:NIFTY26NOVFUT-NRML", true),
            ("position-2026-11-20-C000421-NSE:NIFTY26NOVFUT-NRML", false),
            ("refusals-2026-11-20-C00042", true),
            ("refusals-2026-11-20-desk", false),
            ("platform", false),
            ("position-", false),
            ("bulk-C00042", false),
        ] {
            assert_eq!(is_of(stream, "C00042"), is, "{stream}");
        }
    }

    #[test]
    fn a_bound_is_a_position_or_a_time_and_is_written_as_it_is_read() {
        for text in ["0", "17", "2026-11-20T03:45:00Z"] {
            assert_eq!(text.parse::<Bound>().unwrap().to_string(), text);
        }
        assert_eq!(
            "2026-11-20T09:15:00+05:30".parse::<Bound>(),
            "2026-11-20T03:45:00Z".parse()
        );
        for bad in ["", "-1", "yesterday", "2026-11-20"] {
            assert!(bad.parse::<Bound>().is_err(), "{bad}");
        }
    }
}
