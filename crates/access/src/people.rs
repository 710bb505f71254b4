//! What administrators do about others.

use crate::access::Access;
use crate::error::AccessError;
use crate::secrets::{Account, LogIn};
use rusqlite::Transaction;
use secrecy::SecretString;
use squareoff_domain::people::{PersonAsk, Role};
use squareoff_domain::{ClientCode, OperatorId, Timestamp};
use squareoff_store::Caller;
use std::time::Duration;

/// How long the first secret may be used: somebody is told it, and goes to their desk.
const INVITATION_LIFETIME: Duration = Duration::from_secs(24 * 3600);

pub struct NewPerson {
    pub operator: OperatorId,
    pub name: String,
    pub role: Role,
    pub client: Option<ClientCode>,
    pub reason: String,
}

/// What is handed over to somebody who was enrolled or reset. Shown once.
pub enum FirstSecret {
    /// Sets a password, once, until then.
    Invitation {
        secret: SecretString,
        until: Timestamp,
    },
    /// A program's password itself.
    Password(SecretString),
}

/// Somebody who is enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Somebody {
    pub operator: OperatorId,
    pub name: String,
    pub role: Role,
    pub client: Option<ClientCode>,
    pub disabled: bool,
    /// Whether they have set up what they come in with.
    pub ready: bool,
    pub log_ins: usize,
    /// Of their log-ins that live, to within half a minute.
    pub seen_at: Option<Timestamp>,
}

pub(crate) fn invitation_end(now: Timestamp) -> Timestamp {
    let lifetime = i64::try_from(INVITATION_LIFETIME.as_nanos()).unwrap_or(i64::MAX);
    Timestamp(now.0.saturating_add(lifetime))
}

impl Access {
    /// # Errors
    /// [`AccessError::Person`]. Broken off between log and secrets, [`Access::reset`] goes on.
    pub async fn enrol(
        &self,
        person: NewPerson,
        caller: &Caller,
    ) -> Result<FirstSecret, AccessError> {
        let NewPerson {
            operator,
            name,
            role,
            client,
            reason,
        } = person;
        let ask = PersonAsk::Enrol {
            name,
            role,
            client,
            reason,
        };
        self.ask(&operator, ask, caller).await?;
        self.first_secret(&operator, role, caller).await
    }

    /// Throws password, second factor and recovery codes away, ends the log-ins, and gives out a new first secret.
    ///
    /// # Errors
    /// [`AccessError::Person`].
    pub async fn reset(
        &self,
        operator: &OperatorId,
        reason: String,
        caller: &Caller,
    ) -> Result<FirstSecret, AccessError> {
        self.ask(operator, PersonAsk::Reset { reason }, caller)
            .await?;
        self.end_all(operator, caller.now).await?;
        let person = self.person(operator).await?;
        let role = person.enrolled.as_ref().map(|enrolled| enrolled.role);
        // Whoever may be reset is enrolled.
        let role = role.unwrap_or(Role::Auditor);
        self.first_secret(operator, role, caller).await
    }

    /// Their log-ins end: they come again as what they are now.
    ///
    /// # Errors
    /// [`AccessError::Person`].
    pub async fn change_role(
        &self,
        operator: &OperatorId,
        role: Role,
        reason: String,
        caller: &Caller,
    ) -> Result<(), AccessError> {
        self.ask(operator, PersonAsk::ChangeRole { role, reason }, caller)
            .await?;
        self.end_all(operator, caller.now).await
    }

    /// # Errors
    /// [`AccessError::Person`].
    pub async fn disable(
        &self,
        operator: &OperatorId,
        reason: String,
        caller: &Caller,
    ) -> Result<(), AccessError> {
        self.ask(operator, PersonAsk::Disable { reason }, caller)
            .await?;
        self.end_all(operator, caller.now).await
    }

    /// They come in with what they had.
    ///
    /// # Errors
    /// [`AccessError::Person`].
    pub async fn reinstate(
        &self,
        operator: &OperatorId,
        reason: String,
        caller: &Caller,
    ) -> Result<(), AccessError> {
        self.ask(operator, PersonAsk::Reinstate { reason }, caller)
            .await
    }

    /// Everybody, by name.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn everybody(&self, now: Timestamp) -> Result<Vec<Somebody>, AccessError> {
        let sealer = self.secrets.sealer();
        let read = move |transaction: &Transaction<'_>| {
            let mut accounts = Vec::new();
            for operator in Account::all(transaction)? {
                let account =
                    Account::find(transaction, &sealer, &operator, now)?.unwrap_or_default();
                let log_ins = LogIn::living(transaction, Some(&operator), now)?;
                accounts.push((operator, account, log_ins));
            }
            Ok(accounts)
        };
        let mut everybody = Vec::new();
        for (operator, account, log_ins) in self.secrets.write(read).await? {
            let person = self.person(&operator).await?;
            let Some(enrolled) = person.enrolled.clone() else {
                continue;
            };
            let has_factor = account.totp_seed.is_some() || enrolled.role == Role::Machine;
            everybody.push(Somebody {
                operator,
                name: enrolled.name,
                role: enrolled.role,
                client: enrolled.client,
                disabled: person.disabled,
                ready: account.password.is_some() && has_factor,
                seen_at: log_ins.iter().map(|log_in| log_in.seen_at).max(),
                log_ins: log_ins.len(),
            });
        }
        Ok(everybody)
    }

    async fn first_secret(
        &self,
        operator: &OperatorId,
        role: Role,
        caller: &Caller,
    ) -> Result<FirstSecret, AccessError> {
        let secret = self.new_first_secret(operator, role, caller).await?;
        Ok(if role == Role::Machine {
            FirstSecret::Password(secret)
        } else {
            FirstSecret::Invitation {
                secret,
                until: invitation_end(caller.now),
            }
        })
    }

    /// Behind the event: a log-in that comes now is refused by the log, so what is there is all there is. A crash in between is made good
    /// by [`Access::settle`].
    async fn end_all(&self, operator: &OperatorId, now: Timestamp) -> Result<(), AccessError> {
        let operator = operator.clone();
        let end =
            move |transaction: &Transaction<'_>| LogIn::end_all(transaction, &operator, None, now);
        self.secrets.write(end).await?;
        Ok(())
    }
}
