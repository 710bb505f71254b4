//! What somebody proves who they are with.

use super::SecretsError;
use super::sealing::{Sealer, pending_place, seed_place};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use squareoff_domain::{OperatorId, Timestamp};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What is kept of an account. Never printed.
#[derive(Clone, Default)]
pub struct Account {
    /// PHC string.
    pub password: Option<String>,
    pub totp_seed: Option<Zeroizing<Vec<u8>>>,
    pub totp_pending: Option<Zeroizing<Vec<u8>>>,
    /// SHA-256, while it may be used.
    pub invitation: Option<[u8; 32]>,
}

/// What an account was given out to be set up with. The digest stays when it is used: whoever repeats the request is told so.
pub(crate) struct Invitation {
    /// SHA-256.
    pub digest: [u8; 32],
    /// Zero when it was used, or is a program's password and no invitation at all.
    pub until: Timestamp,
}

/// Whether a code of a step counts, which it does once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeTaken {
    Now,
    Before,
}

impl Account {
    pub(crate) fn find(
        connection: &Connection,
        sealer: &Sealer,
        operator: &OperatorId,
        now: Timestamp,
    ) -> Result<Option<Account>, SecretsError> {
        let mut statement = connection.prepare_cached(
            "select password, totp_seed, totp_pending,
                    case when invitation_until > ?2 then invitation end
             from accounts where operator = ?1",
        )?;
        let found = statement.query_row(params![operator.as_str(), now.0], |row| {
            let sealed: [Option<Vec<u8>>; 2] = [row.get(1)?, row.get(2)?];
            Ok((row.get(0)?, sealed, row.get(3)?))
        });
        let Some((password, [seed, pending], invitation)) = found.optional()? else {
            return Ok(None);
        };
        let open = |place: String, sealed: Option<Vec<u8>>| {
            let opened = sealed.map(|sealed| sealer.open(&place, &sealed));
            opened.transpose()
        };
        Ok(Some(Account {
            password,
            totp_seed: open(seed_place(operator), seed)?,
            totp_pending: open(pending_place(operator), pending)?,
            invitation,
        }))
    }

    /// What was given out last, whether or not it counts still.
    pub(crate) fn invitation(
        connection: &Connection,
        operator: &OperatorId,
    ) -> Result<Option<Invitation>, SecretsError> {
        let mut statement = connection.prepare_cached(
            "select invitation, invitation_until from accounts
             where operator = ?1 and invitation is not null",
        )?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Invitation {
                digest: row.get(0)?,
                until: Timestamp(row.get(1)?),
            })
        };
        Ok(statement.query_row([operator.as_str()], read).optional()?)
    }

    /// A new account, or one that loses all it had: it can only be entered by this invitation.
    pub(crate) fn invite(
        transaction: &Transaction<'_>,
        operator: &OperatorId,
        invitation: &[u8; 32],
        until: Timestamp,
    ) -> Result<(), SecretsError> {
        transaction.execute(
            "insert into accounts (operator, invitation, invitation_until) values (?1, ?2, ?3)
             on conflict (operator) do update set password = null, totp_seed = null, totp_step = 0,
                 totp_pending = null, invitation = excluded.invitation,
                 invitation_until = excluded.invitation_until",
            params![operator.as_str(), invitation, until.0],
        )?;
        Self::forget_recovery_codes(transaction, operator)
    }

    pub(crate) fn set_password(
        transaction: &Transaction<'_>,
        operator: &OperatorId,
        password: &str,
    ) -> Result<(), SecretsError> {
        transaction.execute(
            "insert into accounts (operator, password) values (?1, ?2)
             on conflict (operator) do update set password = excluded.password",
            params![operator.as_str(), password],
        )?;
        Ok(())
    }

    /// The same password's hash at another cost, unless it is another's by now.
    pub(crate) fn replace_password(
        transaction: &Transaction<'_>,
        operator: &OperatorId,
        old: &str,
        new: &str,
    ) -> Result<(), SecretsError> {
        transaction.execute(
            "update accounts set password = ?3 where operator = ?1 and password = ?2",
            params![operator.as_str(), old, new],
        )?;
        Ok(())
    }

    /// The seed that waits for its first code; one that waited before no longer does.
    pub(crate) fn set_pending(
        transaction: &Transaction<'_>,
        sealer: &Sealer,
        operator: &OperatorId,
        seed: &[u8],
    ) -> Result<(), SecretsError> {
        transaction.execute(
            "update accounts set totp_pending = ?2 where operator = ?1",
            params![
                operator.as_str(),
                sealer.seal(&pending_place(operator), seed)
            ],
        )?;
        Ok(())
    }

    /// The seed that waited counts from now on, the invitation no longer.
    pub(crate) fn confirm_pending(
        transaction: &Transaction<'_>,
        sealer: &Sealer,
        operator: &OperatorId,
        seed: &[u8],
        step: u64,
    ) -> Result<bool, SecretsError> {
        let pending: Option<Option<Vec<u8>>> = transaction
            .prepare_cached("select totp_pending from accounts where operator = ?1")?
            .query_row([operator.as_str()], |row| row.get(0))
            .optional()?;
        let Some(pending) = pending.flatten() else {
            return Ok(false);
        };
        let pending = sealer.open(&pending_place(operator), &pending)?;
        if !bool::from(pending.ct_eq(seed)) {
            return Ok(false);
        }
        let changed = transaction.execute(
            "update accounts set totp_seed = ?2, totp_step = ?3, totp_pending = null,
                 invitation_until = 0
             where operator = ?1",
            params![
                operator.as_str(),
                sealer.seal(&seed_place(operator), seed),
                i64::try_from(step).unwrap_or(i64::MAX)
            ],
        )?;
        Ok(changed == 1)
    }

    /// Steps only go forward, whichever process is asked.
    pub(crate) fn take_step(
        transaction: &Transaction<'_>,
        operator: &OperatorId,
        step: u64,
    ) -> Result<CodeTaken, SecretsError> {
        let changed = transaction.execute(
            "update accounts set totp_step = ?2 where operator = ?1 and totp_step < ?2",
            params![operator.as_str(), i64::try_from(step).unwrap_or(i64::MAX)],
        )?;
        Ok(if changed == 1 {
            CodeTaken::Now
        } else {
            CodeTaken::Before
        })
    }

    pub(crate) fn set_recovery_codes(
        transaction: &Transaction<'_>,
        operator: &OperatorId,
        codes: &[[u8; 32]],
    ) -> Result<(), SecretsError> {
        Self::forget_recovery_codes(transaction, operator)?;
        for code in codes {
            transaction.execute(
                "insert into recovery_codes (operator, code) values (?1, ?2)",
                params![operator.as_str(), code],
            )?;
        }
        Ok(())
    }

    fn forget_recovery_codes(
        transaction: &Transaction<'_>,
        operator: &OperatorId,
    ) -> Result<(), SecretsError> {
        transaction.execute(
            "delete from recovery_codes where operator = ?1",
            [operator.as_str()],
        )?;
        Ok(())
    }

    /// Each opens once.
    pub(crate) fn take_recovery_code(
        transaction: &Transaction<'_>,
        operator: &OperatorId,
        code: &[u8; 32],
    ) -> Result<CodeTaken, SecretsError> {
        let changed = transaction.execute(
            "delete from recovery_codes where operator = ?1 and code = ?2",
            params![operator.as_str(), code],
        )?;
        Ok(if changed == 1 {
            CodeTaken::Now
        } else {
            CodeTaken::Before
        })
    }

    pub(crate) fn recovery_codes_left(
        connection: &Connection,
        operator: &OperatorId,
    ) -> Result<u32, SecretsError> {
        let mut statement =
            connection.prepare_cached("select count(*) from recovery_codes where operator = ?1")?;
        Ok(statement.query_row([operator.as_str()], |row| row.get(0))?)
    }

    /// Everybody who was ever enrolled, by name.
    pub(crate) fn all(connection: &Connection) -> Result<Vec<OperatorId>, SecretsError> {
        let mut statement =
            connection.prepare_cached("select operator from accounts order by operator")?;
        let names = statement.query_map([], |row| row.get::<_, String>(0))?;
        names
            .map(|name| {
                let name = name?;
                name.parse::<OperatorId>()
                    .map_err(|error| SecretsError::Damaged(error.to_string()))
            })
            .collect()
    }
}
