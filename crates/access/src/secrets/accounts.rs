//! What somebody proves who they are with.

use super::SecretsError;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use squareoff_domain::{OperatorId, Timestamp};

/// What is kept of an account. Never printed.
#[derive(Clone, Default)]
pub struct Account {
    /// PHC string.
    pub password: Option<String>,
    pub totp_seed: Option<Vec<u8>>,
    pub totp_pending: Option<Vec<u8>>,
    /// SHA-256, while it may be used.
    pub invitation: Option<[u8; 32]>,
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
        operator: &OperatorId,
        now: Timestamp,
    ) -> Result<Option<Account>, SecretsError> {
        let mut statement = connection.prepare_cached(
            "select password, totp_seed, totp_pending,
                    case when invitation_until > ?2 then invitation end
             from accounts where operator = ?1",
        )?;
        let found = statement.query_row(params![operator.as_str(), now.0], |row| {
            Ok(Account {
                password: row.get(0)?,
                totp_seed: row.get(1)?,
                totp_pending: row.get(2)?,
                invitation: row.get(3)?,
            })
        });
        Ok(found.optional()?)
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
        operator: &OperatorId,
        seed: &[u8],
    ) -> Result<(), SecretsError> {
        transaction.execute(
            "update accounts set totp_pending = ?2 where operator = ?1",
            params![operator.as_str(), seed],
        )?;
        Ok(())
    }

    /// The seed that waited counts from now on, the invitation no longer.
    pub(crate) fn confirm_pending(
        transaction: &Transaction<'_>,
        operator: &OperatorId,
        seed: &[u8],
        step: u64,
    ) -> Result<bool, SecretsError> {
        let changed = transaction.execute(
            "update accounts set totp_seed = totp_pending, totp_step = ?3, totp_pending = null,
                 invitation = null, invitation_until = 0
             where operator = ?1 and totp_pending = ?2",
            params![
                operator.as_str(),
                seed,
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
