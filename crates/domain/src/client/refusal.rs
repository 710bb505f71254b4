//! Why a request about a client can't be.

use super::{FAILURE_WINDOW_NS, FAILURES_MAX, IdentityField};
use crate::id::ClientCode;
use thiserror::Error;

/// In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClientRefusal {
    /// The id came before with another request, or from another person.
    #[error("this request id was used before for another request")]
    RequestIdReused,
    #[error("a reason is needed")]
    ReasonMissing,
    /// The reason is kept in the clear and for ever.
    #[error(
        "the reason holds what looks like a PAN, and it stays in the log for ever: leave it out"
    )]
    ReasonHoldsPan,
    #[error("no client has the code {client}")]
    UnknownClient { client: ClientCode },
    #[error("the identity of {client} was erased")]
    Erased { client: ClientCode },
    #[error("no identity of {client} was ever recorded")]
    IdentityNotRecorded { client: ClientCode },
    /// Nobody can be verified without it.
    #[error("no {missing} of {client} is recorded")]
    IdentityIncomplete {
        client: ClientCode,
        missing: IdentityField,
    },
    #[error(
        "{by} has failed to verify a caller as {client} {FAILURES_MAX} times within {} minutes: somebody else verifies, or wait",
        FAILURE_WINDOW_NS / 60_000_000_000
    )]
    TooManyVerifications { client: ClientCode, by: String },
    #[error(
        "{by} has verified nobody who calls as {client}: POST /v1/clients/{client}/verifications with what the caller tells"
    )]
    CallerNotVerified { client: ClientCode, by: String },
}

impl ClientRefusal {
    /// A stable name for programs: the last part of the problem type's URI.
    pub const fn code(&self) -> &'static str {
        match self {
            ClientRefusal::RequestIdReused => "idempotency-key-reused",
            ClientRefusal::ReasonMissing => "reason-missing",
            ClientRefusal::ReasonHoldsPan => "reason-holds-pan",
            ClientRefusal::UnknownClient { .. } => "unknown-client",
            ClientRefusal::Erased { .. } => "client-erased",
            ClientRefusal::IdentityNotRecorded { .. } => "identity-not-recorded",
            ClientRefusal::IdentityIncomplete { .. } => "identity-incomplete",
            ClientRefusal::TooManyVerifications { .. } => "too-many-verifications",
            ClientRefusal::CallerNotVerified { .. } => "caller-not-verified",
        }
    }
}
