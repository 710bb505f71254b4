//! What administrators do about others.

use crate::access::{Access, By};
use crate::error::AccessError;
use crate::password::{Cost, verify};
use crate::secrets::{Account, Invitation, LogIn, SecretsError, salt};
use crate::token;
use rusqlite::{Connection, Transaction};
use secrecy::{ExposeSecret, SecretString};
use squareoff_domain::people::{PersonAsk, Role, operator_stream};
use squareoff_domain::{ClientCode, OperatorId, RequestId, Timestamp};
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

/// What a request gives out, and whether the request had been made before.
pub struct HandOver {
    pub secret: FirstSecret,
    pub replayed: bool,
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
    /// Of their stream.
    pub version: u64,
}

fn invitation_end(now: Timestamp) -> Timestamp {
    let lifetime = i64::try_from(INVITATION_LIFETIME.as_nanos()).unwrap_or(i64::MAX);
    Timestamp(now.0.saturating_add(lifetime))
}

impl Access {
    /// The same request again hands the same secret over, as long as it counts, and finishes what broke off between log and secrets.
    ///
    /// # Errors
    /// [`AccessError::Person`], [`AccessError::FirstSecretGone`].
    pub async fn enrol(
        &self,
        person: NewPerson,
        by: impl Into<By<'_>>,
    ) -> Result<HandOver, AccessError> {
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
        let by = by.into();
        let replayed = self.ask(&operator, ask, by).await?;
        let secret = self.first_secret(&operator, by.caller).await?;
        Ok(HandOver { secret, replayed })
    }

    /// Throws password, second factor and recovery codes away, ends the log-ins, and gives out a new first secret. The same request again
    /// does as that of [`Access::enrol`].
    ///
    /// # Errors
    /// [`AccessError::Person`], [`AccessError::FirstSecretGone`].
    pub async fn reset(
        &self,
        operator: &OperatorId,
        reason: String,
        by: impl Into<By<'_>>,
    ) -> Result<HandOver, AccessError> {
        let by = by.into();
        let replayed = self.ask(operator, PersonAsk::Reset { reason }, by).await?;
        if !replayed {
            // At once, also where the new secret has to wait.
            self.end_log_ins(operator, replayed, by.caller.now).await?;
        }
        let secret = self.first_secret(operator, by.caller).await?;
        Ok(HandOver { secret, replayed })
    }

    /// Their log-ins end: they come again as what they are now. Whether it was asked before.
    ///
    /// # Errors
    /// [`AccessError::Person`].
    pub async fn change_role(
        &self,
        operator: &OperatorId,
        role: Role,
        reason: String,
        by: impl Into<By<'_>>,
    ) -> Result<bool, AccessError> {
        let by = by.into();
        let ask = PersonAsk::ChangeRole { role, reason };
        let replayed = self.ask(operator, ask, by).await?;
        self.end_log_ins(operator, replayed, by.caller.now).await?;
        Ok(replayed)
    }

    /// Whether it was asked before.
    ///
    /// # Errors
    /// [`AccessError::Person`].
    pub async fn disable(
        &self,
        operator: &OperatorId,
        reason: String,
        by: impl Into<By<'_>>,
    ) -> Result<bool, AccessError> {
        let by = by.into();
        let ask = PersonAsk::Disable { reason };
        let replayed = self.ask(operator, ask, by).await?;
        self.end_log_ins(operator, replayed, by.caller.now).await?;
        Ok(replayed)
    }

    /// They come in with what they had. Whether it was asked before.
    ///
    /// # Errors
    /// [`AccessError::Person`].
    pub async fn reinstate(
        &self,
        operator: &OperatorId,
        reason: String,
        by: impl Into<By<'_>>,
    ) -> Result<bool, AccessError> {
        self.ask(operator, PersonAsk::Reinstate { reason }, by.into())
            .await
    }

    /// Everybody, by name.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn everybody(&self, now: Timestamp) -> Result<Vec<Somebody>, AccessError> {
        let all = |transaction: &Transaction<'_>| Account::all(transaction);
        let mut everybody = Vec::new();
        for operator in self.secrets.write(all).await? {
            everybody.extend(self.somebody(&operator, now).await?);
        }
        Ok(everybody)
    }

    /// One of them; `None` of somebody who was never enrolled.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn somebody(
        &self,
        operator: &OperatorId,
        now: Timestamp,
    ) -> Result<Option<Somebody>, AccessError> {
        let loaded = self.people.load(&operator_stream(operator)).await?;
        let Some(enrolled) = loaded.state.enrolled.clone() else {
            return Ok(None);
        };
        let (sealer, of) = (self.secrets.sealer(), operator.clone());
        let read = move |transaction: &Transaction<'_>| {
            let account = Account::find(transaction, &sealer, &of, now)?;
            let log_ins = LogIn::living(transaction, Some(&of), now)?;
            Ok((account.unwrap_or_default(), log_ins))
        };
        let (account, log_ins) = self.secrets.write(read).await?;
        let has_factor = account.totp_seed.is_some() || enrolled.role == Role::Machine;
        Ok(Some(Somebody {
            operator: operator.clone(),
            name: enrolled.name,
            role: enrolled.role,
            client: enrolled.client,
            disabled: loaded.state.disabled,
            ready: account.password.is_some() && has_factor,
            seen_at: log_ins.iter().map(|log_in| log_in.seen_at).max(),
            log_ins: log_ins.len(),
            version: loaded.version,
        }))
    }

    /// What the request gives out, which is in the log: kept unless it is kept already, and then as long as it counts.
    async fn first_secret(
        &self,
        operator: &OperatorId,
        caller: &Caller,
    ) -> Result<FirstSecret, AccessError> {
        let person = self.person(operator).await?;
        let request_id = RequestId(caller.request_id);
        let of_last = person.secret_of == Some(request_id);
        let enrolled = person.enrolled.as_ref().filter(|_| of_last);
        let role = enrolled.ok_or(AccessError::FirstSecretGone)?.role;
        let salt = self.secrets.look_up(salt)?;
        let sealer = self.secrets.sealer();
        let secret = token::first_secret(&sealer, &salt, operator, caller.request_id);
        if role == Role::Machine {
            self.give_password(operator, &secret, caller).await?;
            return Ok(FirstSecret::Password(secret));
        }
        let until = self.invite(operator, &secret, caller.now).await?;
        Ok(FirstSecret::Invitation { secret, until })
    }

    /// Until when the secret sets a password.
    async fn invite(
        &self,
        operator: &OperatorId,
        secret: &SecretString,
        now: Timestamp,
    ) -> Result<Timestamp, AccessError> {
        let digest = token::digest(secret.expose_secret());
        let (operator, end) = (operator.clone(), invitation_end(now));
        let keep = move |transaction: &Transaction<'_>| {
            if let Some(kept) = given(transaction, &operator, &digest)? {
                return Ok(kept.until);
            }
            // Behind the event: a log-in that comes now is refused by the account, so what is there is all there is.
            LogIn::end_all(transaction, &operator, None, now)?;
            Account::invite(transaction, &operator, &digest, end)?;
            Ok(end)
        };
        let until = self.secrets.write(keep).await?;
        if until > now {
            Ok(until)
        } else {
            Err(AccessError::FirstSecretGone)
        }
    }

    async fn give_password(
        &self,
        operator: &OperatorId,
        secret: &SecretString,
        caller: &Caller,
    ) -> Result<(), AccessError> {
        let (digest, now) = (token::digest(secret.expose_secret()), caller.now);
        let place = self.hashing.place(caller.actor.as_ref())?;
        let known = self.secrets.look_up(|connection| {
            let given = given(connection, operator, &digest)?;
            let account = Account::find(connection, &self.secrets.sealer(), operator, now)?;
            Ok(given.and(account))
        })?;
        let password = secret.clone();
        if let Some(account) = known {
            let stored = account.password.unwrap_or_default();
            let counts = place.run(move || verify(&password, &stored)).await;
            return counts.then_some(()).ok_or(AccessError::FirstSecretGone);
        }
        let hash = place.run(move || Cost::of(Role::Machine).hash(&password));
        let (operator, hash) = (operator.clone(), hash.await);
        let keep = move |transaction: &Transaction<'_>| {
            // Who asks the same at the same moment may have been faster.
            if given(transaction, &operator, &digest)?.is_none() {
                LogIn::end_all(transaction, &operator, None, now)?;
                Account::invite(transaction, &operator, &digest, Timestamp(0))?;
                Account::set_password(transaction, &operator, &hash)?;
            }
            Ok(())
        };
        Ok(self.secrets.write(keep).await?)
    }

    /// Behind the event: a log-in that comes now is refused by the log, so what is there is all there is. A crash in between is made good
    /// by [`Access::settle`]. Behind a repetition they may have come again since, as what they are now.
    async fn end_log_ins(
        &self,
        operator: &OperatorId,
        replayed: bool,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        if replayed {
            return self.end_strays(Some(operator), now).await;
        }
        let operator = operator.clone();
        let end =
            move |transaction: &Transaction<'_>| LogIn::end_all(transaction, &operator, None, now);
        self.secrets.write(end).await?;
        Ok(())
    }
}

/// What was given out last, if it is this.
fn given(
    connection: &Connection,
    operator: &OperatorId,
    digest: &[u8; 32],
) -> Result<Option<Invitation>, SecretsError> {
    let kept = Account::invitation(connection, operator)?;
    Ok(kept.filter(|kept| kept.digest == *digest))
}
