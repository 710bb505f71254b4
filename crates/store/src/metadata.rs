//! An event's envelope as KurrentDB carries it: JSON in the event's metadata, while the body is its data.
//!
//! The adapter writes and reads it, and `squareoff store serve` hands out the same: what is read over the protocol makes the same
//! entry bytes, whichever of the two stored it.
//!
//! 1. One envelope has one rendering: these keys, all of them but a trace that is none, in this order, without blanks.
//! 2. [`Metadata::parse`] takes nothing else, so a metadata that was altered is found even where it means the same.
//!
//! Times are written as text with all nine digits (a number of nanoseconds is rounded by readers that know only doubles); causation and
//! correlation have the names that KurrentDB's own projections look for. Stream, version, id and type are the protocol's own.

use crate::{NotATrace, StoredEvent, TraceId};
use serde::{Deserialize, Serialize};
use squareoff_domain::Timestamp;
use std::sync::Arc;
use thiserror::Error;
use time::OffsetDateTime;
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use uuid::Uuid;

const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:9]Z");

/// The envelope of an event that is in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    pub schema_version: u16,
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
    pub actor: Arc<str>,
    pub request_id: Uuid,
    pub correlation_id: Uuid,
    pub trace_id: Option<TraceId>,
    pub epoch: u32,
    /// Leaf hash of the stream's event before this one.
    pub previous: [u8; 32],
}

/// The envelope of an event that somebody wants appended: what is not said, the log says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proposed {
    pub schema_version: Option<u16>,
    pub occurred_at: Option<Timestamp>,
    pub actor: Option<Arc<str>>,
    pub request_id: Option<Uuid>,
    pub correlation_id: Option<Uuid>,
    pub trace_id: Option<TraceId>,
    pub epoch: Option<u32>,
}

/// Why bytes are no envelope.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MetadataError {
    #[error("the metadata is not the envelope of an event: {reason}")]
    NotAnEnvelope { reason: String },
    /// It means an envelope, but no release of ours wrote it so.
    #[error("the metadata is an envelope in another rendering than ours")]
    Rendering,
}

#[derive(Serialize)]
struct Written<'a> {
    schema_version: u16,
    occurred_at: &'a str,
    recorded_at: &'a str,
    actor: &'a str,
    #[serde(rename = "$causationId")]
    request_id: Uuid,
    #[serde(rename = "$correlationId")]
    correlation_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    epoch: u32,
    previous: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    schema_version: Option<u16>,
    occurred_at: Option<String>,
    recorded_at: Option<String>,
    actor: Option<String>,
    #[serde(rename = "$causationId")]
    request_id: Option<Uuid>,
    #[serde(rename = "$correlationId")]
    correlation_id: Option<Uuid>,
    trace_id: Option<String>,
    epoch: Option<u32>,
    previous: Option<String>,
}

impl Metadata {
    pub fn of(event: &StoredEvent) -> Metadata {
        Metadata {
            schema_version: event.schema_version,
            occurred_at: event.occurred_at,
            recorded_at: event.recorded_at,
            actor: event.actor.clone(),
            request_id: event.request_id,
            correlation_id: event.correlation_id,
            trace_id: event.trace_id,
            epoch: event.epoch,
            previous: event.previous,
        }
    }

    /// The one rendering.
    pub fn render(&self) -> Vec<u8> {
        let written = Written {
            schema_version: self.schema_version,
            occurred_at: &written_time(self.occurred_at),
            recorded_at: &written_time(self.recorded_at),
            actor: &self.actor,
            request_id: self.request_id,
            correlation_id: self.correlation_id,
            trace_id: self.trace_id.map(|trace| trace.to_string()),
            epoch: self.epoch,
            previous: &hex(&self.previous),
        };
        serde_json::to_vec(&written).expect("numbers and texts are always JSON")
    }

    /// The envelope that `bytes` are the rendering of.
    ///
    /// # Errors
    /// [`MetadataError`], also when they mean an envelope but are not its rendering.
    pub fn parse(bytes: &[u8]) -> Result<Metadata, MetadataError> {
        let read: Read = read(bytes)?;
        let missing = |field| refuse(format!("`{field}` is missing"));
        let metadata = Metadata {
            schema_version: read
                .schema_version
                .ok_or_else(|| missing("schema_version"))?,
            occurred_at: time(read.occurred_at.ok_or_else(|| missing("occurred_at"))?)?,
            recorded_at: time(read.recorded_at.ok_or_else(|| missing("recorded_at"))?)?,
            actor: read.actor.ok_or_else(|| missing("actor"))?.into(),
            request_id: read.request_id.ok_or_else(|| missing("$causationId"))?,
            correlation_id: read
                .correlation_id
                .ok_or_else(|| missing("$correlationId"))?,
            trace_id: read.trace_id.map(trace).transpose()?,
            epoch: read.epoch.ok_or_else(|| missing("epoch"))?,
            previous: unhex(&read.previous.ok_or_else(|| missing("previous"))?)
                .ok_or_else(|| refuse("`previous` is no hash".to_owned()))?,
        };
        if metadata.render() == bytes {
            Ok(metadata)
        } else {
            Err(MetadataError::Rendering)
        }
    }
}

impl Proposed {
    /// What an append says of its event's envelope, in any order and rendering; nothing at all when `bytes` are empty. `recorded_at`
    /// and `previous` may stand in it and are left to the log.
    ///
    /// # Errors
    /// [`MetadataError`] also for a key that is none of ours: the log has no place to keep it.
    pub fn parse(bytes: &[u8]) -> Result<Proposed, MetadataError> {
        if bytes.is_empty() {
            return Ok(Proposed::default());
        }
        let read = read(bytes)?;
        Ok(Proposed {
            schema_version: read.schema_version,
            occurred_at: read.occurred_at.map(time).transpose()?,
            actor: read.actor.map(Into::into),
            request_id: read.request_id,
            correlation_id: read.correlation_id,
            trace_id: read.trace_id.map(trace).transpose()?,
            epoch: read.epoch,
        })
    }
}

fn read(bytes: &[u8]) -> Result<Read, MetadataError> {
    serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))
}

fn refuse(reason: String) -> MetadataError {
    MetadataError::NotAnEnvelope { reason }
}

fn trace(text: String) -> Result<TraceId, MetadataError> {
    let trace = text.parse();
    trace.map_err(|error: NotATrace| refuse(format!("`trace_id`: {error}")))
}

fn written_time(at: Timestamp) -> String {
    // 64 bits of nanoseconds are the years 1677 to 2262.
    OffsetDateTime::from_unix_timestamp_nanos(at.0.into())
        .expect("the calendar has those years")
        .format(TIME)
        .expect("the format names nothing that an instant lacks")
}

fn time(text: String) -> Result<Timestamp, MetadataError> {
    let nanoseconds = PrimitiveDateTime::parse(&text, TIME)
        .ok()
        .and_then(|at| i64::try_from(at.assume_utc().unix_timestamp_nanos()).ok());
    nanoseconds.map(Timestamp).ok_or_else(|| {
        refuse(format!(
            "`{text}` is not a time as 2026-11-21T03:59:01.000000000Z"
        ))
    })
}

fn hex(bytes: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let text = text.as_bytes();
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Metadata {
        Metadata {
            schema_version: 2,
            occurred_at: Timestamp(1_795_258_840_123_456_789),
            recorded_at: Timestamp(1_795_258_840_123_999_000),
            actor: "desk \"A\" ₹".into(),
            request_id: Uuid::from_u128(1),
            correlation_id: Uuid::from_u128(2),
            trace_id: None,
            epoch: 7,
            previous: [0xab; 32],
        }
    }

    #[test]
    fn an_envelope_is_rendered_as_the_page_says() {
        let text = "{\"schema_version\":2,\"occurred_at\":\"2026-11-21T11:00:40.123456789Z\",\
            \"recorded_at\":\"2026-11-21T11:00:40.123999000Z\",\"actor\":\"desk \\\"A\\\" ₹\",\
            \"$causationId\":\"00000000-0000-0000-0000-000000000001\",\
            \"$correlationId\":\"00000000-0000-0000-0000-000000000002\",\"epoch\":7,\
            \"previous\":\"abababababababababababababababababababababababababababababababab\"}";
        assert_eq!(String::from_utf8(sample().render()).unwrap(), text);
        assert_eq!(Metadata::parse(text.as_bytes()), Ok(sample()));
    }

    #[test]
    fn what_means_an_envelope_but_is_written_otherwise_is_found() {
        let text = String::from_utf8(sample().render()).unwrap();
        for (from, to) in [
            ("\"epoch\":7", "\"epoch\": 7"),
            ("123999000Z", "123999Z"),
            ("abab", "ABAB"),
            ("₹", "\\u20b9"),
            ("\"epoch\":7,", ""),
            ("\"epoch\":7", "\"epoch\":7,\"epoch\":7"),
            ("\"epoch\":7", "\"epoch\":7,\"more\":1"),
            (
                "{\"schema_version\":2,",
                "{\"epoch\":7,\"schema_version\":2,",
            ),
        ] {
            let altered = text.replacen(from, to, 1);
            assert_ne!(altered, text);
            assert!(Metadata::parse(altered.as_bytes()).is_err(), "{altered}");
        }
        assert_eq!(
            Metadata::parse(text.replacen(":7", ": 7", 1).as_bytes()),
            Err(MetadataError::Rendering)
        );
    }

    #[test]
    fn a_proposal_says_what_it_likes_and_nothing_unknown() {
        assert_eq!(Proposed::parse(b""), Ok(Proposed::default()));
        assert_eq!(Proposed::parse(b"{}"), Ok(Proposed::default()));
        let whole = Proposed::parse(&sample().render()).unwrap();
        assert_eq!(
            (
                whole.schema_version,
                whole.occurred_at,
                whole.actor,
                whole.epoch
            ),
            (
                Some(2),
                Some(sample().occurred_at),
                Some(sample().actor),
                Some(7)
            )
        );
        for bad in [
            "{\"tenant\":1}",
            "[]",
            "7",
            "{\"epoch\":-1}",
            "{\"occurred_at\":\"now\"}",
            "{\"trace_id\":\"7\"}",
            "\u{0}",
        ] {
            assert!(Proposed::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_rendered_is_parsed(
            schema_version: u16,
            times: (i64, i64),
            actor: String,
            ids: (u128, u128, Option<[u8; 16]>),
            epoch: u32,
            previous: [u8; 32],
        ) {
            let metadata = Metadata {
                schema_version,
                occurred_at: Timestamp(times.0),
                recorded_at: Timestamp(times.1),
                actor: actor.into(),
                request_id: Uuid::from_u128(ids.0),
                correlation_id: Uuid::from_u128(ids.1),
                trace_id: ids.2.and_then(TraceId::of_bytes),
                epoch,
                previous,
            };
            prop_assert_eq!(Metadata::parse(&metadata.render()), Ok(metadata));
        }
    }
}
