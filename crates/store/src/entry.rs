//! An event as the bytes that are stored and sealed: what the file holds, what an auditor gets, what a Merkle leaf covers.
//!
//! All numbers are big-endian; a text is a u16 length and that many bytes of UTF-8:
//!
//! | bytes | field | | bytes | field |
//! |---|---|---|---|---|
//! | 1 | layout, 1 or 2 | | 2 + n | actor |
//! | 2 + n | stream | | 16 | request id |
//! | 8 | version | | 16 | correlation id |
//! | 16 | event id | | 16 | trace id, in layout 2 alone; never zeros |
//! | 2 + n | event type | | 4 | epoch |
//! | 2 | schema version | | 32 | `previous` |
//! | 8 + 8 | occurred at, recorded at, nanoseconds | | 4 + n | body |
//!
//! 1. One event has one entry: what decodes encodes to the same bytes again, and bytes left over are an error.
//! 2. `previous` is the leaf hash of the stream's event before it, zeros for the first: each stream is a chain.
//! 3. Decoding never panics and takes no memory that the bytes don't fill, whatever they are.
//!
//! The position is not part of it: it is the adapter's, and two adapters number the same events differently.

use crate::{NewEvent, Position, StoredEvent, TraceId};
use sha2::{Digest, Sha256};
use squareoff_domain::Timestamp;
use std::sync::Arc;
use thiserror::Error;
use uuid::Uuid;

/// The first byte of every entry without a trace.
const LAYOUT: u8 = 1;
/// The same of one with a trace.
const LAYOUT_TRACED: u8 = 2;
/// Tells a leaf from an inner node of the tree (RFC 6962, 2.1).
const LEAF_PREFIX: [u8; 1] = [0];
/// `previous` of a stream's first event.
pub const NO_PREVIOUS: [u8; 32] = [0; 32];
/// What an entry has beside its texts, its body and its trace.
const FIXED_BYTES: usize = 1 + 2 + 8 + 16 + 2 + 2 + 8 + 8 + 2 + 16 + 16 + 4 + 32 + 4;

/// An event's exact bytes, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub position: Position,
    pub bytes: Vec<u8>,
}

/// Why bytes are no entry. The message ends a sentence that names the position.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EntryError {
    #[error("its layout is {found}, this release knows {LAYOUT} and {LAYOUT_TRACED}")]
    Layout { found: u8 },
    #[error("it ends in the middle of its {field}")]
    Short { field: &'static str },
    #[error("{bytes} bytes are left over behind its body")]
    Long { bytes: usize },
    #[error("its trace is none")]
    NoTrace,
    #[error("its {field} is no text")]
    NotText { field: &'static str },
}

impl Entry {
    /// The entry of an event.
    ///
    /// # Panics
    /// When a text is longer than 65,535 bytes or the body than 4 GiB. No adapter hands out such an event: the limits of an append
    /// are far below.
    pub fn of(event: &StoredEvent) -> Entry {
        let parts = Parts {
            stream: &event.stream,
            version: event.version,
            id: event.id,
            event_type: &event.event_type,
            schema_version: event.schema_version,
            occurred_at: event.occurred_at,
            recorded_at: event.recorded_at,
            actor: &event.actor,
            request_id: event.request_id,
            correlation_id: event.correlation_id,
            trace_id: event.trace_id,
            epoch: event.epoch,
            previous: event.previous,
            body: &event.body,
        };
        Entry {
            position: event.position,
            bytes: parts.encode().bytes,
        }
    }

    /// The event that the bytes say.
    ///
    /// # Errors
    /// [`EntryError`] when they are no entry.
    pub fn event(&self) -> Result<StoredEvent, EntryError> {
        decode(self.position, &self.bytes, None)
    }

    /// What the Merkle tree holds of it: SHA-256 of a zero byte and the bytes (RFC 6962, 2.1).
    pub fn leaf_hash(&self) -> [u8; 32] {
        leaf_hash(&self.bytes)
    }
}

/// See [`Entry::leaf_hash`].
pub(crate) fn leaf_hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(LEAF_PREFIX)
        .chain_update(bytes)
        .finalize()
        .into()
}

/// An entry on its way into the log: all but what only the writer knows, which has its place already.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) bytes: Vec<u8>,
    recorded_at: usize,
    previous: usize,
}

impl Draft {
    pub(crate) fn of(stream: &str, version: u64, event: &NewEvent) -> Self {
        let parts = Parts {
            stream,
            version,
            id: event.id,
            event_type: event.event_type,
            schema_version: event.schema_version,
            occurred_at: event.occurred_at,
            recorded_at: Timestamp(0),
            actor: &event.actor,
            request_id: event.request_id,
            correlation_id: event.correlation_id,
            trace_id: event.trace_id,
            epoch: event.epoch,
            previous: NO_PREVIOUS,
            body: &event.body,
        };
        parts.encode()
    }

    /// As it would be read, but for what [`Draft::seal`] fills in.
    pub(crate) fn event(&self) -> Result<StoredEvent, EntryError> {
        decode(Position::START, &self.bytes, None)
    }

    /// Fills in when it is recorded and what stands before it; returns its leaf hash.
    pub(crate) fn seal(&mut self, recorded_at: Timestamp, previous: [u8; 32]) -> [u8; 32] {
        self.bytes[self.recorded_at..][..8].copy_from_slice(&recorded_at.0.to_be_bytes());
        self.bytes[self.previous..][..32].copy_from_slice(&previous);
        leaf_hash(&self.bytes)
    }
}

/// An entry's fields, in its order.
struct Parts<'a> {
    stream: &'a str,
    version: u64,
    id: Uuid,
    event_type: &'a str,
    schema_version: u16,
    occurred_at: Timestamp,
    recorded_at: Timestamp,
    actor: &'a str,
    request_id: Uuid,
    correlation_id: Uuid,
    trace_id: Option<TraceId>,
    epoch: u32,
    previous: [u8; 32],
    body: &'a [u8],
}

impl Parts<'_> {
    fn encode(&self) -> Draft {
        let texts = self.stream.len() + self.event_type.len() + self.actor.len();
        let mut bytes = Vec::with_capacity(FIXED_BYTES + 16 + texts + self.body.len());
        bytes.push(match self.trace_id {
            None => LAYOUT,
            Some(_) => LAYOUT_TRACED,
        });
        put_text(&mut bytes, self.stream);
        bytes.extend(self.version.to_be_bytes());
        bytes.extend(self.id.as_bytes());
        put_text(&mut bytes, self.event_type);
        bytes.extend(self.schema_version.to_be_bytes());
        bytes.extend(self.occurred_at.0.to_be_bytes());
        let recorded_at = bytes.len();
        bytes.extend(self.recorded_at.0.to_be_bytes());
        put_text(&mut bytes, self.actor);
        bytes.extend(self.request_id.as_bytes());
        bytes.extend(self.correlation_id.as_bytes());
        bytes.extend(self.trace_id.iter().flat_map(|trace| trace.bytes()));
        bytes.extend(self.epoch.to_be_bytes());
        let previous = bytes.len();
        bytes.extend(self.previous);
        let length = u32::try_from(self.body.len()).expect("a body is at most BODY_BYTES_MAX");
        bytes.extend(length.to_be_bytes());
        bytes.extend(self.body);
        Draft {
            bytes,
            recorded_at,
            previous,
        }
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).expect("a name is at most NAME_BYTES_MAX");
    bytes.extend(length.to_be_bytes());
    bytes.extend(text.as_bytes());
}

/// The event of `bytes`. Neighbours often share stream, type or actor: the text of `neighbour` is shared then, which saves three
/// allocations of four.
pub(crate) fn decode(
    position: Position,
    bytes: &[u8],
    neighbour: Option<&StoredEvent>,
) -> Result<StoredEvent, EntryError> {
    let mut rest = Rest(bytes);
    let [found] = rest.array("layout")?;
    if ![LAYOUT, LAYOUT_TRACED].contains(&found) {
        return Err(EntryError::Layout { found });
    }
    let event = StoredEvent {
        position,
        stream: rest.text("stream", neighbour.map(|event| &event.stream))?,
        version: u64::from_be_bytes(rest.array("version")?),
        id: Uuid::from_bytes(rest.array("event id")?),
        event_type: rest.text("event type", neighbour.map(|event| &event.event_type))?,
        schema_version: u16::from_be_bytes(rest.array("schema version")?),
        occurred_at: Timestamp(i64::from_be_bytes(rest.array("time of occurrence")?)),
        recorded_at: Timestamp(i64::from_be_bytes(rest.array("time of recording")?)),
        actor: rest.text("actor", neighbour.map(|event| &event.actor))?,
        request_id: Uuid::from_bytes(rest.array("request id")?),
        correlation_id: Uuid::from_bytes(rest.array("correlation id")?),
        trace_id: match found {
            LAYOUT_TRACED => {
                let trace = TraceId::of_bytes(rest.array("trace id")?);
                Some(trace.ok_or(EntryError::NoTrace)?)
            }
            _ => None,
        },
        epoch: u32::from_be_bytes(rest.array("epoch")?),
        previous: rest.array("hash of the previous event")?,
        body: rest.body()?.to_vec(),
    };
    match rest.0.len() {
        0 => Ok(event),
        bytes => Err(EntryError::Long { bytes }),
    }
}

/// What is left to decode.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], EntryError> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(EntryError::Short { field })?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], EntryError> {
        let (taken, rest) = self
            .0
            .split_first_chunk()
            .ok_or(EntryError::Short { field })?;
        self.0 = rest;
        Ok(*taken)
    }

    fn text(
        &mut self,
        field: &'static str,
        same: Option<&Arc<str>>,
    ) -> Result<Arc<str>, EntryError> {
        let length = u16::from_be_bytes(self.array(field)?);
        let bytes = self.take(length.into(), field)?;
        if let Some(same) = same.filter(|same| same.as_bytes() == bytes) {
            return Ok(same.clone());
        }
        let text = std::str::from_utf8(bytes).map_err(|_| EntryError::NotText { field })?;
        Ok(text.into())
    }

    fn body(&mut self) -> Result<&'a [u8], EntryError> {
        let length = u32::from_be_bytes(self.array("body")?);
        let length = usize::try_from(length).map_err(|_| EntryError::Short { field: "body" })?;
        self.take(length, "body")
    }
}

#[cfg(test)]
mod tests;
