//! What a client wants appended, as events of our log.
//!
//! The log has a place for its own envelope and for nothing else: what a client's metadata leaves out is said here, and a key that the
//! log can't keep is refused rather than dropped. `recorded_at` and `previous` are the log's own, whatever was sent.

use crate::access::Caller;
use crate::now_ns;
use crate::refusal::Refusal;
use crate::wire::{ExpectedRevision, ProposedMessage};
use squareoff_domain::Timestamp;
use squareoff_store::metadata::Proposed;
use squareoff_store::{NAME_BYTES_MAX, NewEvent, Position, StoredEvent, codec};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

/// Types that are none of ours are kept for ever, because the store takes names that live as long as the program.
const TYPES_MAX: usize = 4_096;
/// Who appended, when the client gave no user name.
const ACTOR: &str = "kurrentdb client";

/// What may be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Write {
    #[default]
    Nothing,
    /// Events of types that this release knows, with bodies that it can read: every role of the platform stops at any other.
    KnownEvents,
    /// Events of any type, for a log that no role of the platform reads.
    AnyEvents,
}

/// Where an append may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    Any,
    Exists,
    /// The number of events before it; 0: there is no such stream yet.
    At(u64),
}

impl Expected {
    pub(crate) fn of(revision: Option<ExpectedRevision>) -> Result<Expected, Refusal> {
        match revision {
            Some(ExpectedRevision::Any(())) => Ok(Expected::Any),
            Some(ExpectedRevision::StreamExists(())) => Ok(Expected::Exists),
            Some(ExpectedRevision::NoStream(())) => Ok(Expected::At(0)),
            // KurrentDB reads the largest number as its -1, "no stream".
            Some(ExpectedRevision::Revision(revision)) => {
                Ok(Expected::At(revision.wrapping_add(1)))
            }
            None => Err(bad("an append needs an expected revision")),
        }
    }

    /// KurrentDB's number for it.
    pub(crate) fn number(self) -> i64 {
        match self {
            Expected::Any => -2,
            Expected::Exists => -4,
            Expected::At(version) => version.cast_signed().wrapping_sub(1),
        }
    }
}

/// Names of types that are none of ours.
#[derive(Debug, Default)]
pub(crate) struct Types {
    seen: Mutex<HashSet<&'static str>>,
}

impl Types {
    fn named(&self, name: &str) -> Result<&'static str, Refusal> {
        if let Some((known, _)) = codec::EVENT_TYPES.iter().find(|(known, _)| *known == name) {
            return Ok(known);
        }
        let mut seen = self.seen.lock().expect("nothing panics while holding it");
        if let Some(seen) = seen.get(name) {
            return Ok(seen);
        }
        if seen.len() >= TYPES_MAX || name.len() > NAME_BYTES_MAX {
            return Err(bad("too many event types, or too long a name for one"));
        }
        let kept: &'static str = Box::leak(name.into());
        seen.insert(kept);
        Ok(kept)
    }
}

/// A stream name that events can be appended to.
pub(crate) fn stream(name: Vec<u8>) -> Result<String, Refusal> {
    let name = String::from_utf8(name).map_err(|_| bad("the stream's name is not UTF-8"))?;
    // KurrentDB cuts or deletes a stream by its metadata, which is such a stream's events.
    if name.starts_with('$') {
        return Err(Refusal::AppendOnly {
            what: "it has no system streams and no stream metadata",
        });
    }
    Ok(name)
}

pub(crate) fn event(
    message: ProposedMessage,
    write: Write,
    types: &Types,
    caller: &Caller,
) -> Result<NewEvent, Refusal> {
    let id = message
        .id
        .and_then(|id| id.id())
        .ok_or_else(|| bad("an event needs an id"))?;
    let said = |key: &str| {
        let missing = || bad(&format!("Required Metadata Property '{key}' is missing"));
        message.metadata.get(key).ok_or_else(missing)
    };
    let name = said("type")?;
    if said("content-type")? != "application/json" {
        return Err(bad("the log holds JSON: send application/json"));
    }
    let known = codec::EVENT_TYPES.iter().find(|(known, _)| known == name);
    if write == Write::KnownEvents && known.is_none() {
        return Err(bad(&format!(
            "{name} is no event type of this release, and every reader of the log would stop at it"
        )));
    }
    let proposed =
        Proposed::parse(&message.custom_metadata).map_err(|error| bad(&error.to_string()))?;
    let request_id = proposed.request_id.unwrap_or(id);
    let event = NewEvent {
        id,
        event_type: types.named(name)?,
        schema_version: proposed
            .schema_version
            .unwrap_or(known.map_or(1, |(_, version)| *version)),
        occurred_at: proposed.occurred_at.unwrap_or_else(|| Timestamp(now_ns())),
        actor: proposed.actor.unwrap_or_else(|| match &caller.user {
            Some(user) => user.as_str().into(),
            None => ACTOR.into(),
        }),
        request_id,
        correlation_id: proposed.correlation_id.unwrap_or(request_id),
        trace_id: proposed.trace_id,
        epoch: proposed.epoch.unwrap_or(0),
        body: message.data,
    };
    if write == Write::KnownEvents {
        readable(&event)?;
    }
    Ok(event)
}

/// Whether this release can read the event back.
fn readable(event: &NewEvent) -> Result<(), Refusal> {
    let stored = StoredEvent {
        event_type: event.event_type.into(),
        schema_version: event.schema_version,
        body: event.body.clone(),
        ..sample()
    };
    match codec::decode(&stored) {
        Ok(_) => Ok(()),
        Err(codec::DecodeError::Body { reason, .. }) => Err(bad(&format!(
            "the body is no {}: {reason}",
            event.event_type
        ))),
        Err(
            codec::DecodeError::UnknownType { .. }
            | codec::DecodeError::NewerVersion { .. }
            | codec::DecodeError::NoUpcast { .. },
        ) => Err(bad(&format!(
            "{} v{} is no event of this release",
            event.event_type, event.schema_version
        ))),
    }
}

/// An event that says nothing, for what is filled in.
pub(crate) fn sample() -> StoredEvent {
    StoredEvent {
        position: Position::START,
        stream: Arc::from(""),
        version: 0,
        recorded_at: Timestamp(0),
        id: uuid::Uuid::nil(),
        event_type: Arc::from(""),
        schema_version: 1,
        occurred_at: Timestamp(0),
        actor: Arc::from(""),
        request_id: uuid::Uuid::nil(),
        correlation_id: uuid::Uuid::nil(),
        trace_id: None,
        epoch: 0,
        previous: [0; 32],
        body: Vec::new(),
    }
}

fn bad(reason: &str) -> Refusal {
    Refusal::Bad {
        reason: reason.to_owned(),
    }
}
