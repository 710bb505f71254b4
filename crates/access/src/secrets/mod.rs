//! The secrets file: a SQLite database of its own in the data folder, its owner's alone, shared by every API process of the machine.
//!
//! What one process commits the next one reads, so a log-in that ended is refused everywhere at once. Calls wait for the disk: callers of
//! the runtime go through [`Secrets::write`]; only a look-up by key is short enough to be made in place.

mod accounts;
pub(crate) mod challenges;
mod failures;
mod found;
mod keys;
mod log_ins;
mod sealing;

pub(crate) use accounts::{Account, CodeTaken, Invitation};
pub(crate) use challenges::Answered;
pub use challenges::CODE_LIFETIME;
pub(crate) use failures::{Attempt, Locked, wait};
pub(crate) use found::Opened;
pub(crate) use keys::StoredKey;
pub use log_ins::LogIn;
pub(crate) use log_ins::{NewLogIn, Refreshed};
pub use sealing::KeySource;
pub(crate) use sealing::{Sealer, salt};

use found::Found;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use squareoff_domain::Timestamp;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use thiserror::Error;

const FILE_NAME: &str = "secrets.db";
/// "SqAc": marks the file as ours.
const APPLICATION_ID: i32 = 0x5371_4163;
const FORMAT: i32 = 2;
/// Seeds stood in it as they are.
const FORMAT_UNSEALED: i32 = 1;
/// How long a connection waits for another process's transaction, which takes milliseconds.
const BUSY_MAX: Duration = Duration::from_secs(5);
const STATEMENTS_MAX: usize = 64;

#[derive(Debug, Error)]
pub enum SecretsError {
    #[error("the secrets file {path} cannot be used: {source}")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the secrets file failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("{path} is not a secrets file of this release")]
    Foreign { path: PathBuf },
    #[error("the secrets file holds what this release cannot read: {0}")]
    Damaged(String),
    #[error(
        "the key of the secrets file is not there ({place}: {reason}): put it back; without it nobody's one-time codes can be checked"
    )]
    KeyMissing { place: String, reason: String },
    #[error("{place} holds no key of 32 bytes in hexadecimal or Base64")]
    KeyMalformed { place: String },
    #[error("the key in {place} is not the one that {path} is sealed with")]
    WrongKey { place: String, path: PathBuf },
    #[error("the secrets file was altered: what stands in {place} was not put there by us")]
    Altered { place: String },
    #[error("a call of the secrets file panicked")]
    Panicked,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Secrets {
    writer: Arc<Mutex<Connection>>,
    reader: Arc<Mutex<Reader>>,
    sealer: Sealer,
}

struct Reader {
    connection: Connection,
    found: Found,
}

impl Secrets {
    /// Opens the file in `folder`, or makes it; one that an older release wrote is sealed first.
    ///
    /// # Errors
    /// [`SecretsError`]; of the key [`SecretsError::KeyMissing`], [`SecretsError::KeyMalformed`], [`SecretsError::WrongKey`].
    pub fn open(folder: &Path, key: &KeySource) -> Result<Self, SecretsError> {
        let path = folder.join(FILE_NAME);
        let io = |source| SecretsError::Io {
            path: path.clone(),
            source,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(io)?;
        // SQLite gives the files it makes beside this one the same rights.
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        let mut writer = connect(&path)?;
        let sealer = prepare(&mut writer, &path, key)?;
        let reader = Reader {
            connection: connect(&path)?,
            found: Found::new(),
        };
        Ok(Secrets {
            writer: Arc::new(Mutex::new(writer)),
            reader: Arc::new(Mutex::new(reader)),
            sealer,
        })
    }

    /// What opens the seeds.
    pub(crate) fn sealer(&self) -> Sealer {
        self.sealer.clone()
    }

    /// One transaction, on a thread that may wait for the disk.
    ///
    /// # Errors
    /// What `work` says; [`SecretsError`] when it does not commit, and then nothing of it is done.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, SecretsError> + Send + 'static,
    ) -> Result<T, SecretsError> {
        let secrets = self.clone();
        let done = tokio::task::spawn_blocking(move || secrets.write_here(work));
        done.await.map_err(|_| SecretsError::Panicked)?
    }

    /// The same, on this thread.
    ///
    /// # Errors
    /// As [`Secrets::write`].
    pub(crate) fn write_here<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, SecretsError>,
    ) -> Result<T, SecretsError> {
        let mut connection = lock(&self.writer);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// A look-up by key, on this thread: some microseconds, because a reader waits for no writer.
    ///
    /// # Errors
    /// [`SecretsError`].
    pub(crate) fn look_up<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, SecretsError>,
    ) -> Result<T, SecretsError> {
        work(&lock(&self.reader).connection)
    }

    /// The log-in that a cookie or token opens, by `find` where it is not known from before.
    ///
    /// # Errors
    /// [`SecretsError`].
    pub(crate) fn log_in(
        &self,
        key: found::Key,
        now: Timestamp,
        find: impl FnOnce(&Connection) -> Result<Option<Opened>, SecretsError>,
    ) -> Result<Option<LogIn>, SecretsError> {
        let Reader { connection, found } = &mut *lock(&self.reader);
        found.open(connection, key, now, find)
    }
}

/// A transaction that a panic left is rolled back as it is dropped: the connection is whole.
fn lock<T>(connection: &Mutex<T>) -> MutexGuard<'_, T> {
    connection
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn connect(path: &Path) -> Result<Connection, SecretsError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_MAX)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.pragma_update(None, "foreign_keys", true)?;
    // What was deleted is overwritten, not only let go of.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // A revocation or a used code must not come back after a power loss.
    connection.pragma_update(None, "synchronous", "full")?;
    Ok(connection)
}

fn prepare(
    connection: &mut Connection,
    path: &Path,
    key: &KeySource,
) -> Result<Sealer, SecretsError> {
    // Two processes may start at once: the second finds what the first made.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let sealer = match (number("application_id")?, number("user_version")?) {
        (APPLICATION_ID, FORMAT) => sealing::go_on(&transaction, key, path)?,
        (APPLICATION_ID, FORMAT_UNSEALED) => {
            let sealer = sealing::seal_all(&transaction, key)?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
            transaction.commit()?;
            // The write-ahead log holds the pages of before too.
            connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
            return Ok(sealer);
        }
        (0, 0) => {
            transaction.execute_batch(include_str!("schema.sql"))?;
            transaction.execute_batch(include_str!("sealing.sql"))?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
            sealing::begin(&transaction, key)?
        }
        _ => {
            return Err(SecretsError::Foreign {
                path: path.to_owned(),
            });
        }
    };
    transaction.commit()?;
    Ok(sealer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_file_is_its_owners_alone_and_another_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("access");
        let key = KeySource::FileMadeOnce(folder.path().join("keys/access.key"));
        let secrets = Secrets::open(&place, &key).unwrap();
        secrets
            .write_here(|transaction| {
                transaction.execute("insert into accounts (operator) values ('asha')", [])?;
                Ok(())
            })
            .unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&place), 0o700);
        for entry in fs::read_dir(&place).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
        assert_eq!(mode(&folder.path().join("keys/access.key")), 0o600);
        Secrets::open(&place, &key).unwrap();
        let other = folder.path().join("other");
        fs::create_dir(&other).unwrap();
        let foreign = Connection::open(other.join(FILE_NAME)).unwrap();
        foreign.pragma_update(None, "user_version", 7).unwrap();
        assert!(matches!(
            Secrets::open(&other, &key),
            Err(SecretsError::Foreign { .. })
        ));
    }
}
