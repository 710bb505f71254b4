//! What can go wrong at the log, one enum per call, one variant per thing a caller can do differently.

use crate::Position;
use std::path::PathBuf;
use thiserror::Error;
use uuid::Uuid;

/// Why an append was not done, or not known to be done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AppendError {
    /// Somebody else appended: read the newer events and decide again.
    #[error("stream {stream} is at version {actual}, not at the expected {expected}")]
    WrongVersion {
        stream: String,
        expected: u64,
        actual: u64,
    },
    /// The id stands elsewhere in the log, or with another type, schema version or body.
    #[error(
        "event {id} is already in the log as version {version} of stream {stream}, at position {position}"
    )]
    EventIdReused {
        id: Uuid,
        stream: String,
        version: u64,
        position: Position,
    },
    #[error("event id {id} stands twice in one append")]
    EventIdTwice { id: Uuid },
    #[error("{what}: {actual} is more than the limit of {limit}")]
    TooLarge {
        what: &'static str,
        actual: usize,
        limit: usize,
    },
    #[error("an append needs at least one event")]
    Empty,
    #[error("a stream needs a name")]
    StreamUnnamed,
    /// Nothing was written; try again later.
    #[error("the event log is overloaded")]
    Overloaded,
    /// Nothing was written. The log answers reads and repeats only, until it is opened again.
    #[error("the event log takes no appends: {reason}")]
    ReadOnly { reason: String },
    /// The commit failed half way: the events may or may not be in the log. The same append again tells.
    #[error("it is unknown whether the events were appended: {reason}")]
    Unknown { reason: String },
    #[error("the event log is closed")]
    Closed,
}

/// Why a read gave nothing. Reading again is always safe.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    #[error("the event log could not be read: {reason}")]
    Io { reason: String },
}

/// Why a folder could not be opened as an event log. Nothing in it was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    #[error("{path} is not a Squareoff event log", path = path.display())]
    NotOurs { path: PathBuf },
    #[error("{path} was written by a newer release: its format is {found}, this release knows {known}", path = path.display())]
    Newer {
        path: PathBuf,
        found: i32,
        known: i32,
    },
    #[error("the event log at {path} could not be opened: {reason}", path = path.display())]
    Io { path: PathBuf, reason: String },
}
