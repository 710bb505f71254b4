//! What happens in the stream of a person or program, `operator-<id>`.

use super::Role;
use crate::id::{ClientCode, LogInId, OperatorId, RequestId};
use serde::{Deserialize, Serialize};

/// Somebody was let in for the first time, and given a secret to set a password with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorEnrolled {
    pub operator: OperatorId,
    /// What colleagues call them; of a program, what it does.
    pub name: String,
    pub role: Role,
    /// Whose positions an investor sees; absent for everybody else.
    pub client: Option<ClientCode>,
    pub by: String,
    pub reason: String,
    pub request_id: RequestId,
}

/// Somebody may do something else from now on; their log-ins ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleChanged {
    pub operator: OperatorId,
    pub role: Role,
    pub by: String,
    pub reason: String,
    pub request_id: RequestId,
}

/// Somebody may no longer log in; their log-ins ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorDisabled {
    pub operator: OperatorId,
    pub by: String,
    pub reason: String,
    pub request_id: RequestId,
}

/// Somebody who was disabled may log in again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorReinstated {
    pub operator: OperatorId,
    pub by: String,
    pub reason: String,
    pub request_id: RequestId,
}

/// Password, second factor and recovery codes were thrown away and a new secret to set them with was given out; the log-ins ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialsReset {
    pub operator: OperatorId,
    pub by: String,
    pub reason: String,
    pub request_id: RequestId,
}

/// They set a password of their own; other log-ins of theirs ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordSet {
    pub operator: OperatorId,
    pub request_id: RequestId,
}

/// A new source of one-time codes was confirmed by a code of it; the one before no longer counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactorEnrolled {
    pub operator: OperatorId,
    pub request_id: RequestId,
}

/// New recovery codes were shown once; those before no longer count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryCodesMade {
    pub operator: OperatorId,
    /// How many.
    pub count: u32,
    pub request_id: RequestId,
}

/// What came beside the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecondFactor {
    /// A time-based one-time code (RFC 6238).
    Totp,
    /// One of the codes for the day the phone is lost.
    RecoveryCode,
    /// A one-time code that was sent to the registered phone and e-mail.
    SentCode,
    /// Nothing: a program, whose password was made by us.
    None,
}

/// How a log-in is carried from request to request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogInKind {
    /// A browser's cookie.
    Cookie,
    /// A program's tokens.
    Token,
}

/// Somebody was let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedIn {
    pub operator: OperatorId,
    pub log_in: LogInId,
    pub kind: LogInKind,
    /// As what they were let in.
    pub role: Role,
    pub second_factor: SecondFactor,
    /// The network address it came from.
    pub address: String,
    pub request_id: RequestId,
}

/// They ended their own log-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedOut {
    pub operator: OperatorId,
    pub log_in: LogInId,
    pub request_id: RequestId,
}

/// A log-in was ended from elsewhere: by its own person in another log-in, or by an administrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogInRevoked {
    pub operator: OperatorId,
    pub log_in: LogInId,
    pub by: String,
    pub request_id: RequestId,
}

/// A refresh token came a second time, so one of the two who hold it stole it: the log-in ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshTokenReused {
    pub operator: OperatorId,
    pub log_in: LogInId,
    /// Where the second one came from.
    pub address: String,
    pub request_id: RequestId,
}

/// So many attempts failed from one address that the next ones from there have to wait. At most one in a minute is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogInLockedOut {
    /// Whom somebody tried to be.
    pub operator: OperatorId,
    /// The network address that the attempts came from.
    pub address: String,
    /// In a row.
    pub failures: u32,
    /// Seconds.
    pub wait_s: u32,
    pub request_id: RequestId,
}

/// Every event of somebody's stream, `operator-<id>`. The variant's name is the event's type in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonEvent {
    OperatorEnrolled(OperatorEnrolled),
    RoleChanged(RoleChanged),
    OperatorDisabled(OperatorDisabled),
    OperatorReinstated(OperatorReinstated),
    CredentialsReset(CredentialsReset),
    PasswordSet(PasswordSet),
    SecondFactorEnrolled(SecondFactorEnrolled),
    RecoveryCodesMade(RecoveryCodesMade),
    LoggedIn(LoggedIn),
    LoggedOut(LoggedOut),
    LogInRevoked(LogInRevoked),
    RefreshTokenReused(RefreshTokenReused),
    LogInLockedOut(LogInLockedOut),
}
