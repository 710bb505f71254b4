//! Why a request about a person or program can't be.

use super::Role;
use crate::id::OperatorId;
use thiserror::Error;

/// In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PersonRefusal {
    /// The id came before with another request, or from another person.
    #[error("this request id was used before for another request")]
    RequestIdReused,
    #[error("a reason is needed")]
    ReasonMissing,
    /// Both stay in the log, in the clear and for ever.
    #[error(
        "the reason or the name holds what looks like a PAN, and it stays in the log for ever: leave it out"
    )]
    HoldsPan,
    #[error("a name has 1 to 120 characters and none that controls a terminal")]
    NotAName,
    /// Whoever administers can't take the last way in away by mistake, nor give themselves more.
    #[error("nobody changes their own rights: another administrator does")]
    OwnRights,
    #[error("{operator} is enrolled already")]
    AlreadyEnrolled { operator: OperatorId },
    #[error("nobody is enrolled as {operator}")]
    UnknownOperator { operator: OperatorId },
    #[error(
        "an investor has a client code and is named after it, as investor-c00042; nobody else has one or is named so"
    )]
    ClientMismatch,
    #[error("{operator} is disabled")]
    Disabled { operator: OperatorId },
    #[error("{operator} is not disabled")]
    NotDisabled { operator: OperatorId },
    #[error("{operator} is {role} already")]
    SameRole { operator: OperatorId, role: Role },
}

impl PersonRefusal {
    /// A stable name for programs: the last part of the problem type's URI.
    pub const fn code(&self) -> &'static str {
        match self {
            PersonRefusal::RequestIdReused => "idempotency-key-reused",
            PersonRefusal::ReasonMissing => "reason-missing",
            PersonRefusal::HoldsPan => "reason-holds-pan",
            PersonRefusal::NotAName => "operator-name-invalid",
            PersonRefusal::OwnRights => "own-rights",
            PersonRefusal::AlreadyEnrolled { .. } => "operator-exists",
            PersonRefusal::UnknownOperator { .. } => "unknown-operator",
            PersonRefusal::ClientMismatch => "operator-client-mismatch",
            PersonRefusal::Disabled { .. } => "operator-disabled",
            PersonRefusal::NotDisabled { .. } => "operator-not-disabled",
            PersonRefusal::SameRole { .. } => "operator-has-role",
        }
    }
}
