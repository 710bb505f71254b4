//! Why an identity could not be recorded, shown or forgotten. No message holds a value or a part of a key.

use crate::master::MasterKeyId;
use squareoff_domain::client::{ClientRefusal, IdentityField};
use squareoff_domain::{ClientCode, KeyId};
use squareoff_store::{LoadError, TransactError};
use std::path::Path;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum IdentityError {
    #[error(
        "there is no master key at {place} ({reason}): set master_key_file to the file that has it, or SQUAREOFF_MASTER_KEY"
    )]
    MasterKeyMissing { place: String, reason: String },
    #[error(
        "{place} holds no master key: expected 32 bytes, as 64 hexadecimal digits or in Base64"
    )]
    MasterKeyMalformed { place: String },
    #[error(
        "the master key of {place} is {found}, the key store is wrapped by {wrapped_by}: set the one it was wrapped by"
    )]
    WrongMasterKey {
        place: String,
        found: MasterKeyId,
        wrapped_by: MasterKeyId,
    },
    #[error(
        "there is no key store in {folder}: it is made by the first import of identities, or restored from a backup"
    )]
    NoKeyStore { folder: String },
    #[error("the key store {path} is of format {found}, this release knows format {known}")]
    OtherFormat {
        path: String,
        found: u16,
        known: u16,
    },
    #[error("{path} is no key store, or its first page is damaged: restore it from a backup")]
    Damaged { path: String },
    #[error(
        "another process has been changing the key store for {seconds} seconds: try again when it has finished"
    )]
    Busy { seconds: u64 },
    #[error("{path}: {reason}")]
    Io { path: String, reason: String },
    #[error(
        "the key store has no key {key_id} of {client}: restore the backup that has it; the next import of the client records the identity anew"
    )]
    KeyMissing { client: ClientCode, key_id: KeyId },
    #[error(
        "the {field} of {client} does not open under its key: it was altered, or belongs to another client, field or key"
    )]
    Unopened {
        client: ClientCode,
        field: IdentityField,
    },
    #[error("{0}")]
    Refused(ClientRefusal),
    /// The log could not be read or appended to.
    #[error(transparent)]
    Log(TransactError<std::convert::Infallible>),
}

impl IdentityError {
    pub(crate) fn io(path: &Path, error: &std::io::Error) -> IdentityError {
        IdentityError::Io {
            path: path.display().to_string(),
            reason: error.to_string(),
        }
    }
}

impl From<LoadError> for IdentityError {
    fn from(error: LoadError) -> Self {
        IdentityError::Log(error.into())
    }
}

impl From<TransactError<IdentityError>> for IdentityError {
    fn from(error: TransactError<IdentityError>) -> Self {
        match error {
            TransactError::Refused(refused) => refused,
            TransactError::Load(error) => IdentityError::Log(TransactError::Load(error)),
            TransactError::Append(error) => IdentityError::Log(TransactError::Append(error)),
            TransactError::Contended { stream, attempts } => {
                IdentityError::Log(TransactError::Contended { stream, attempts })
            }
        }
    }
}
