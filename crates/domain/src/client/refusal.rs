//! Why a request about a client can't be.

use crate::id::ClientCode;
use thiserror::Error;

/// In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClientRefusal {
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
}

impl ClientRefusal {
    /// A stable name for programs: the last part of the problem type's URI.
    pub const fn code(&self) -> &'static str {
        match self {
            ClientRefusal::ReasonMissing => "reason-missing",
            ClientRefusal::ReasonHoldsPan => "reason-holds-pan",
            ClientRefusal::UnknownClient { .. } => "unknown-client",
            ClientRefusal::Erased { .. } => "client-erased",
            ClientRefusal::IdentityNotRecorded { .. } => "identity-not-recorded",
        }
    }
}
