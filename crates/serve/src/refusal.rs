//! Why a call is refused, and how KurrentDB says so: a status with trailers, or a `google.rpc.Status` with a detail in a batch's answer.

use crate::propose::Expected;
use crate::wire::{
    Any, BadRequest, CurrentRevision, ExpectedPosition, MaximumAppendSizeExceeded, RpcStatus,
    WrongExpectedVersion,
};
use squareoff_store::{AppendError, ReadError};
use thiserror::Error;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    #[error("stream {stream} is at another version than the expected one")]
    Conflict {
        stream: String,
        expected: Expected,
        /// Number of events in the stream.
        version: u64,
    },
    #[error("this server was started to read only: start it with --write to append")]
    ReadOnly,
    #[error("the log is append-only: {what}")]
    AppendOnly { what: &'static str },
    #[error("{what}: more than the limit of {limit}")]
    TooLarge { what: String, limit: usize },
    #[error("{reason}")]
    Bad { reason: String },
    #[error("trying to read from an invalid position")]
    NoSuchPosition,
    #[error("the event log is overloaded")]
    Busy,
    #[error("{reason}")]
    Unavailable { reason: String },
    /// The events may or may not be in the log.
    #[error("{reason}")]
    Unknown { reason: String },
    #[error("Leader info available")]
    NotLeader { host: String, port: u16 },
}

impl Refusal {
    /// What the log answered to an append to a stream.
    pub(crate) fn of_append(error: AppendError, expected: Expected) -> Refusal {
        let bad = |reason: String| Refusal::Bad { reason };
        match error {
            AppendError::WrongVersion { stream, actual, .. } => Refusal::Conflict {
                stream,
                expected,
                version: actual,
            },
            AppendError::TooLarge { what, limit, .. } => Refusal::TooLarge {
                what: what.to_owned(),
                limit,
            },
            AppendError::Overloaded => Refusal::Busy,
            AppendError::Unknown { reason } => Refusal::Unknown { reason },
            error @ (AppendError::EventIdReused { .. }
            | AppendError::EventIdTwice { .. }
            | AppendError::Empty
            | AppendError::StreamReserved { .. }
            | AppendError::StreamUnnamed) => bad(error.to_string()),
            error @ (AppendError::ReadOnly { .. }
            | AppendError::Unavailable { .. }
            | AppendError::Closed) => Refusal::Unavailable {
                reason: error.to_string(),
            },
        }
    }

    /// Of a call that has a status of its own.
    pub(crate) fn status(&self) -> Status {
        let text = self.to_string();
        match self {
            Refusal::Conflict {
                stream,
                expected,
                version,
            } => {
                let actual = version
                    .checked_sub(1)
                    .map_or_else(String::new, |at| at.to_string());
                let text = format!(
                    "Append failed due to WrongExpectedVersion. Stream: {stream}, Expected version: {}, Actual version: {actual}",
                    expected.number()
                );
                let expected = expected.number().to_string();
                exception(
                    Code::FailedPrecondition,
                    text,
                    &[
                        ("exception", "wrong-expected-version"),
                        ("stream-name", stream),
                        ("expected-version", &expected),
                        ("actual-version", &actual),
                    ],
                )
            }
            Refusal::ReadOnly | Refusal::AppendOnly { .. } => exception(
                Code::PermissionDenied,
                text,
                &[("exception", "access-denied")],
            ),
            Refusal::TooLarge { limit, .. } => exception(
                Code::InvalidArgument,
                text,
                &[
                    ("exception", "maximum-append-size-exceeded"),
                    ("maximum-append-size", &limit.to_string()),
                ],
            ),
            Refusal::Bad { .. } | Refusal::NoSuchPosition => Status::invalid_argument(text),
            Refusal::Busy => Status::unavailable("Server Is Too Busy"),
            Refusal::Unavailable { .. } => Status::unavailable(text),
            Refusal::Unknown { .. } => Status::aborted(format!("Operation timed out: {text}")),
            Refusal::NotLeader { host, port } => exception(
                Code::NotFound,
                text,
                &[
                    ("exception", "not-leader"),
                    ("leader-endpoint-host", host),
                    ("leader-endpoint-port", &port.to_string()),
                ],
            ),
        }
    }

    /// Of one append of a batch session, which goes on. `None` ends the session with [`Refusal::status`].
    pub(crate) fn rpc_status(&self) -> Option<RpcStatus> {
        let status = |code: Code, message: &str, detail: Option<Any>| {
            Some(RpcStatus {
                code: code as i32,
                message: message.to_owned(),
                details: Some(detail.unwrap_or_else(|| Any::of("google.protobuf.Empty", &()))),
            })
        };
        let named = |name: &str| Some(Any::of(&format!("event_store.client.{name}"), &()));
        match self {
            Refusal::Conflict {
                expected, version, ..
            } => {
                let detail = Any::of(
                    "event_store.client.WrongExpectedVersion",
                    &conflict(*expected, *version),
                );
                status(Code::AlreadyExists, "WrongExpectedVersion", Some(detail))
            }
            Refusal::ReadOnly | Refusal::AppendOnly { .. } => status(
                Code::PermissionDenied,
                "AccessDenied",
                named("AccessDenied"),
            ),
            Refusal::TooLarge { limit, .. } => {
                let detail = MaximumAppendSizeExceeded {
                    max_append_size: u32::try_from(*limit).unwrap_or(u32::MAX),
                };
                let detail = Any::of("event_store.client.MaximumAppendSizeExceeded", &detail);
                status(
                    Code::InvalidArgument,
                    "MaximumAppendSizeExceeded",
                    Some(detail),
                )
            }
            Refusal::Bad { reason } => {
                let detail = BadRequest {
                    message: reason.clone(),
                };
                let detail = Any::of("event_store.client.BadRequest", &detail);
                // Clients show the message and not the detail: it says the reason too.
                let message = format!("BadRequest: {reason}");
                status(Code::InvalidArgument, &message, Some(detail))
            }
            Refusal::Busy => status(Code::Unavailable, "Server Is Busy", None),
            Refusal::Unavailable { reason } => status(Code::Unavailable, reason, None),
            Refusal::Unknown { .. } => status(Code::DeadlineExceeded, "Timeout", named("Timeout")),
            Refusal::NotLeader { .. } | Refusal::NoSuchPosition => None,
        }
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Refusal::Unavailable {
            reason: error.to_string(),
        }
    }
}

fn conflict(expected: Expected, version: u64) -> WrongExpectedVersion {
    WrongExpectedVersion {
        current: Some(match version.checked_sub(1) {
            Some(revision) => CurrentRevision::Revision(revision),
            None => CurrentRevision::NoStream(()),
        }),
        expected: Some(match expected {
            Expected::Any => ExpectedPosition::Any(()),
            Expected::Exists => ExpectedPosition::StreamExists(()),
            Expected::At(version) => match version.checked_sub(1) {
                Some(revision) => ExpectedPosition::Position(revision),
                None => ExpectedPosition::NoStream(()),
            },
        }),
    }
}

/// A status whose trailers name what happened, as KurrentDB's clients look for it.
fn exception(code: Code, message: String, trailers: &[(&'static str, &str)]) -> Status {
    let mut metadata = MetadataMap::with_capacity(trailers.len());
    for (key, value) in trailers {
        // A header is ASCII; a stream name need not be, and the message has it anyway.
        let ascii: String = value
            .chars()
            .map(|letter| {
                if letter.is_ascii_graphic() || letter == ' ' {
                    letter
                } else {
                    '?'
                }
            })
            .collect();
        let value = MetadataValue::try_from(ascii).expect("printable ASCII is a header's value");
        metadata.insert(*key, value);
    }
    Status::with_metadata(code, message, metadata)
}
