//! The envelope of an event, on its way into the log and out of it, and the limits that hold for every adapter.

use crate::{AppendError, TraceId};
use squareoff_domain::Timestamp;
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use thiserror::Error;
use uuid::Uuid;

/// The longest body of one event. The largest we write is under 2 KiB; KurrentDB's own default limit is 1 MiB too.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Events of one append. The largest decision we know, a square-off cut into slices at the freeze quantity, stays under 200.
pub const APPEND_EVENTS_MAX: usize = 1_024;
/// All bodies of one append together, so that one request can't hold the writer for long.
pub const APPEND_BYTES_MAX: usize = 4 << 20;
/// The longest stream name, event type and actor.
pub const NAME_BYTES_MAX: usize = 512;
/// Events of one read: a larger `max` is lowered to this.
pub const READ_EVENTS_MAX: usize = 16_384;
/// Entries of one read: it ends early, after at least one event, when they reach this.
pub const READ_BYTES_MAX: usize = 16 << 20;

/// An event to append. The log adds stream, version, position and `recorded_at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// The same id at the same place with the same content is a repeat. Unique in its stream, if its maker wants to be told from a
    /// repeat; the log looks for it only at the place where it was to go.
    pub id: Uuid,
    /// Which event it is; its name in code and docs.
    pub event_type: &'static str,
    /// Version of the body's schema, per event type.
    pub schema_version: u16,
    /// When it was decided, or when the outside told it.
    pub occurred_at: Timestamp,
    /// Who caused it: an operator, an investor, a session.
    pub actor: Arc<str>,
    /// Causation: the request or report this event answers.
    pub request_id: Uuid,
    /// The same for all that follows from one cause, over streams and processes.
    pub correlation_id: Uuid,
    /// The W3C trace of the request that caused it; absent where none was told, and of what no request caused.
    pub trace_id: Option<TraceId>,
    /// Activation of the platform under which it was decided; fences old processes.
    pub epoch: u32,
    /// JSON; the log carries it as bytes.
    pub body: Vec<u8>,
}

/// An event of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place in the log's one order over all streams.
    pub position: Position,
    /// What it is about: the aggregate's name.
    pub stream: Arc<str>,
    /// Number of events in the stream up to and with this one: the first has 1.
    pub version: u64,
    /// When the log made it durable, by the clock of the machine that appended it; never less than that of the event before it in
    /// the log, so that the log up to a time is the log up to a position.
    pub recorded_at: Timestamp,
    pub id: Uuid,
    pub event_type: Arc<str>,
    pub schema_version: u16,
    pub occurred_at: Timestamp,
    pub actor: Arc<str>,
    pub request_id: Uuid,
    pub correlation_id: Uuid,
    pub trace_id: Option<TraceId>,
    pub epoch: u32,
    /// Leaf hash ([`Entry::leaf_hash`](crate::Entry::leaf_hash)) of the stream's event before it; zeros for the stream's first.
    pub previous: [u8; 32],
    pub body: Vec<u8>,
}

/// A place in the log's one global order. Compare and store it; its arithmetic is the adapter's own business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(u64);

/// A text that no position was ever written as.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a log position")]
pub struct NotAPosition(pub String);

impl Position {
    /// Before the first event.
    pub const START: Position = Position(0);

    /// From a number got by [`Position::as_u64`], such as a stored checkpoint.
    pub const fn from_u64(number: u64) -> Self {
        Position(number)
    }

    /// As an ordered number, for checkpoints and wire formats. At most `i64::MAX`.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| text.parse::<u64>().ok()).flatten();
        number
            .filter(|number| i64::try_from(*number).is_ok())
            .map(Position)
            .ok_or_else(|| NotAPosition(text.to_owned()))
    }
}

/// The answer to an append: durable, and the same however often it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    pub first_version: u64,
    /// Version of the stream's last event of this append.
    pub last_version: u64,
    /// Position of the last event of this append.
    pub position: Position,
    /// These events had been appended before; nothing was written now.
    pub repeated: bool,
}

/// What every adapter refuses before anything is queued.
pub(crate) fn check_append(stream: &str, events: &[NewEvent]) -> Result<(), AppendError> {
    let limit = |what, actual, limit| {
        if actual > limit {
            Err(AppendError::TooLarge {
                what,
                actual,
                limit,
            })
        } else {
            Ok(())
        }
    };
    if stream.is_empty() {
        return Err(AppendError::StreamUnnamed);
    }
    if stream.starts_with('$') {
        let stream = stream.chars().take(NAME_BYTES_MAX).collect();
        return Err(AppendError::StreamReserved { stream });
    }
    if events.is_empty() {
        return Err(AppendError::Empty);
    }
    limit("stream name in bytes", stream.len(), NAME_BYTES_MAX)?;
    limit("append in events", events.len(), APPEND_EVENTS_MAX)?;
    for event in events {
        limit("event body in bytes", event.body.len(), BODY_BYTES_MAX)?;
        limit(
            "event type in bytes",
            event.event_type.len(),
            NAME_BYTES_MAX,
        )?;
        limit("actor in bytes", event.actor.len(), NAME_BYTES_MAX)?;
    }
    limit("append in bytes", body_bytes(events), APPEND_BYTES_MAX)?;
    if events.len() > 1 {
        let mut seen = HashSet::with_capacity(events.len());
        if let Some(twice) = events.iter().find(|event| !seen.insert(event.id)) {
            return Err(AppendError::EventIdTwice { id: twice.id });
        }
    }
    Ok(())
}

pub(crate) fn body_bytes(events: &[NewEvent]) -> usize {
    events.iter().map(|event| event.body.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_as_it_was_written_and_nothing_else_is_one() {
        for number in [0, 1, 42, i64::MAX as u64] {
            let position = Position::from_u64(number);
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        for bad in [
            "",
            "-1",
            "+1",
            " 1",
            "1.0",
            "0x1",
            "9223372036854775808",
            "99999999999999999999",
        ] {
            assert_eq!(bad.parse::<Position>(), Err(NotAPosition(bad.to_owned())));
        }
    }
}
