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
    /// The id stands at the very place that was expected to be free, with another type, schema version or body: the same request,
    /// answered otherwise. That an id stands elsewhere is not noticed.
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
    /// KurrentDB's own streams begin so, and its readers pass over them.
    #[error("a stream's name can't begin with `$`: {stream}")]
    StreamReserved { stream: String },
    /// Nothing was written; try again later.
    #[error("the event log is overloaded")]
    Overloaded,
    /// Nothing was written: the log's server can't be reached. Try again later.
    #[error("the event log is not available: {reason}")]
    Unavailable { reason: String },
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
    /// Somebody else appended it, or it was altered. Reading again gives the same: stop there, an event is never skipped.
    #[error("version {version} of stream {stream} is no event as we write them: {reason}")]
    NotOurs {
        stream: String,
        version: u64,
        reason: String,
    },
}

/// Why an event log could not be opened. No event of it was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    #[error("{path} is not a Squareoff event log", path = path.display())]
    NotOurs { path: PathBuf },
    #[error("there is no event log at {path}", path = path.display())]
    Missing { path: PathBuf },
    #[error("the event log at {path} is empty, so it was cut off: restore a backup, or move it away to begin a new one", path = path.display())]
    Empty { path: PathBuf },
    #[error("the event log at {path} is cut off: it ends in the middle of a page, behind {bytes} bytes; restore a backup", path = path.display())]
    CutOff { path: PathBuf, bytes: u64 },
    #[error("{path} was written by a newer release: its format is {found}, this release knows {known}", path = path.display())]
    Newer {
        path: PathBuf,
        found: i32,
        known: i32,
    },
    #[error("{path} was written by a development version: its format is {found}, this release knows {known} and does not convert it", path = path.display())]
    Older {
        path: PathBuf,
        found: i32,
        known: i32,
    },
    #[error("the event log at {path} could not be opened: {reason}", path = path.display())]
    Io { path: PathBuf, reason: String },
    /// The connection string itself. It is not repeated: it may hold a password.
    #[error("the address of the event log is wrong: {reason}")]
    Address { reason: String },
    #[error("the event log at {address} can't be used: {reason}")]
    Unreachable { address: String, reason: String },
    #[error(
        "the server at {address} is of version {found}; this release works with KurrentDB {known}"
    )]
    ServerVersion {
        address: String,
        found: String,
        known: String,
    },
}
