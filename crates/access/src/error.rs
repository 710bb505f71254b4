//! Why somebody does not come in.

use crate::password::{Busy, PasswordRefusal};
use crate::secrets::{Locked, SecretsError};
use squareoff_domain::people::PersonRefusal;
use squareoff_store::{AppendError, LoadError, TransactError};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum AccessError {
    /// Nothing was counted: the same again in some seconds.
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error("too many attempts failed: the next one in {wait_s} s")]
    Locked { wait_s: u32 },
    /// Which of them is nobody's business.
    #[error("account, password or code is not right")]
    Refused,
    /// Of somebody who is logged in.
    #[error("that is not your password")]
    PasswordWrong,
    /// Of somebody who sets an authenticator app up.
    #[error(
        "that is not the code of now: see that the phone's clock is right, and take the next one"
    )]
    CodeWrong,
    #[error(transparent)]
    Password(#[from] PasswordRefusal),
    #[error(transparent)]
    Person(#[from] PersonRefusal),
    /// It is done, and what the first answer handed over can't be handed over again.
    #[error(
        "the secret that this request gave out was used, was replaced, or its day is over: reset the account under a new key"
    )]
    FirstSecretGone,
    /// Not as whoever asks saw them.
    #[error("{stream} is not as it was at version {version}")]
    Changed { stream: String, version: u64 },
    #[error("there is no such log-in, or it has ended")]
    NoSuchLogIn,
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error("{operator} changed too often while it was decided")]
    Contended { operator: String },
}

impl From<Locked> for AccessError {
    fn from(locked: Locked) -> Self {
        AccessError::Locked {
            wait_s: locked.wait_s,
        }
    }
}

impl<E: Into<AccessError>> From<TransactError<E>> for AccessError {
    fn from(error: TransactError<E>) -> Self {
        match error {
            TransactError::Refused(refusal) => refusal.into(),
            TransactError::Load(error) => AccessError::Load(error),
            TransactError::Append(error) => AccessError::Append(error),
            TransactError::Contended { stream, .. } => AccessError::Contended { operator: stream },
        }
    }
}
