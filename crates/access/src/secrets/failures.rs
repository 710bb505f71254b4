//! Failed attempts, and how long the next one has to wait.
//!
//! 1. What is counted is an account *from an address*: whoever fails elsewhere makes nobody wait here.
//! 2. The wait grows and is bounded, an attempt that was refused for it does not lengthen it, and an hour of quiet forgets all.
//! 3. An attempt counts as failed from its beginning, so that many at once are as many as one behind the other.

use super::SecretsError;
use super::log_ins::nanoseconds;
use rusqlite::{OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};
use squareoff_domain::Timestamp;
use std::time::Duration;

/// Slips of the hand that cost nothing.
pub const FREE: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_secs(60);
/// A person who waits so long is not kept out for ever; a guesser gets some ninety tries a day.
pub const WAIT_MAX: Duration = Duration::from_secs(15 * 60);
const FORGOTTEN_BEHIND: Duration = Duration::from_secs(3600);
/// How often a lock-out of one account is told to the log, which keeps it for ever.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// What failures are counted of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt([u8; 32]);

/// Too many failed; the next attempt is worth making behind the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked {
    pub failures: u32,
    pub wait_s: u32,
}

impl Attempt {
    /// At an account from an address, whether or not there is such an account.
    pub(crate) fn from(account: &str, address: &str) -> Self {
        Self::named("from", &[account, address])
    }

    /// At the one-time code of an account, by somebody who knew its password.
    pub(crate) fn at_code(account: &str) -> Self {
        Self::named("code", &[account])
    }

    /// At no code, by somebody who did not know the password: counted like the other and never asked.
    pub(crate) fn at_no_code(account: &str) -> Self {
        Self::named("no code", &[account])
    }

    /// As it is kept.
    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) const fn of_bytes(bytes: [u8; 32]) -> Self {
        Attempt(bytes)
    }

    fn told(account: &str) -> Self {
        Self::named("told", &[account])
    }

    fn named(kind: &str, parts: &[&str]) -> Self {
        let mut hash = Sha256::new_with_prefix(kind);
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Attempt(hash.finalize().into())
    }

    /// Counts the attempt as failed, unless it has to wait. The failures with it.
    pub(crate) fn begin(
        self,
        transaction: &Transaction<'_>,
        now: Timestamp,
    ) -> Result<Result<u32, Locked>, SecretsError> {
        let forgotten = now.0.saturating_sub(nanoseconds(FORGOTTEN_BEHIND));
        transaction.execute("delete from failures where last_at <= ?1", [forgotten])?;
        let (failures, last_at) = transaction
            .prepare_cached("select count, last_at from failures where attempt = ?1")?
            .query_row([self.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?
            .unwrap_or((0_u32, now.0));
        // A clock that was set back makes nobody wait longer than the wait.
        let over = last_at
            .min(now.0)
            .saturating_add(nanoseconds(wait(failures)));
        if now.0 < over {
            let left = Duration::from_nanos(over.abs_diff(now.0));
            let wait_s = u32::try_from(left.as_secs()).unwrap_or(u32::MAX) + 1;
            return Ok(Err(Locked { failures, wait_s }));
        }
        let failures = failures.saturating_add(1);
        transaction.execute(
            "insert into failures (attempt, count, last_at) values (?1, ?2, ?3)
             on conflict (attempt) do update set count = excluded.count, last_at = excluded.last_at",
            params![self.0, failures, now.0],
        )?;
        Ok(Ok(failures))
    }

    /// It was right: what failed before is forgotten.
    pub(crate) fn succeed(self, transaction: &Transaction<'_>) -> Result<(), SecretsError> {
        transaction.execute("delete from failures where attempt = ?1", [self.0])?;
        Ok(())
    }

    /// Whether a lock-out of the account may be told to the log now, which this counts as done.
    pub(crate) fn tell(
        transaction: &Transaction<'_>,
        account: &str,
        now: Timestamp,
    ) -> Result<bool, SecretsError> {
        let due = transaction.execute(
            "insert into failures (attempt, count, last_at) values (?1, 0, ?2)
             on conflict (attempt) do update set last_at = excluded.last_at
             where last_at <= ?3 or last_at > ?2",
            params![
                Self::told(account).0,
                now.0,
                now.0.saturating_sub(nanoseconds(TOLD_EVERY))
            ],
        )?;
        Ok(due == 1)
    }
}

/// How long the next attempt waits behind so many that failed in a row.
pub fn wait(failures: u32) -> Duration {
    match failures.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(more) => FIRST_WAIT
            .saturating_mul(2_u32.saturating_pow(more))
            .min(WAIT_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::{KeySource, Secrets};

    #[test]
    fn the_wait_grows_and_is_bounded() {
        let seconds = |failures| wait(failures).as_secs();
        let first = [0, 4, 5, 6, 7, 8].map(seconds);
        assert_eq!(first, [0, 0, 60, 120, 240, 480]);
        assert_eq!([9, 40, u32::MAX].map(seconds), [900; 3]);
    }

    /// Seconds of a made-up clock.
    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000_000_000)
    }

    fn open(folder: &std::path::Path) -> Secrets {
        let key = KeySource::FileMadeOnce(folder.join("access.key"));
        Secrets::open(folder, &key).unwrap()
    }

    #[test]
    fn a_refused_attempt_does_not_lengthen_the_wait_and_an_hour_forgets() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = open(folder.path());
        let attempt = Attempt::from("asha", "192.0.2.7");
        let begin = |attempt: Attempt, now| {
            secrets
                .write_here(|transaction| attempt.begin(transaction, at(now)))
                .unwrap()
        };
        for failures in 1..=FREE {
            assert_eq!(begin(attempt, 1_000), Ok(failures));
        }
        let locked = |wait_s| {
            Err(Locked {
                failures: FREE,
                wait_s,
            })
        };
        assert_eq!(begin(attempt, 1_000), locked(61));
        assert_eq!(begin(attempt, 1_059), locked(2));
        // Neither another address nor another account waits with it.
        assert_eq!(begin(Attempt::from("asha", "192.0.2.8"), 1_001), Ok(1));
        assert_eq!(begin(Attempt::from("ravi", "192.0.2.7"), 1_001), Ok(1));
        // A clock set back a day is no wait of a day.
        assert_eq!(begin(attempt, -85_000), locked(61));
        assert_eq!(begin(attempt, 1_060), Ok(FREE + 1));
        assert!(begin(attempt, 1_179).is_err());
        assert_eq!(begin(attempt, 1_060 + 3_600), Ok(1));
    }

    #[test]
    fn a_lock_out_is_told_once_in_a_minute() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = open(folder.path());
        let tell = |account: &str, now| {
            let account = account.to_owned();
            secrets
                .write_here(move |transaction| Attempt::tell(transaction, &account, at(now)))
                .unwrap()
        };
        assert_eq!(
            [1_000, 1_059, 1_060, 1_061].map(|now| tell("asha", now)),
            [true, false, true, false]
        );
        assert!(tell("ravi", 1_061));
    }
}
