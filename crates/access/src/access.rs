//! The keeper of the door: what it holds, and how a request that was let in is known again.

use crate::checked::Checked;
use crate::error::AccessError;
use crate::jwt::{self, Jwk};
use crate::password::{Hashing, Place, verify};
use crate::secrets::{Account, Attempt, LogIn, Opened, Secrets, SecretsError, StoredKey};
use crate::token;
use rusqlite::Connection;
use secrecy::SecretString;
use squareoff_domain::people::{
    self, Enrolled, LogInKind, Person, PersonAsk, PersonRefusal, PersonReport, PersonRequest,
    operator_stream,
};
use squareoff_domain::{LogInId, OperatorId, RequestId, Timestamp};
use squareoff_store::{Caller, EventStore, Streams};
use std::time::Duration;
use uuid::Uuid;

/// The log's name for what nobody asked.
const OURSELVES: &str = "access";

/// Cheap to clone; one per process.
#[derive(Clone)]
pub struct Access {
    pub(crate) secrets: Secrets,
    pub(crate) hashing: Hashing,
    pub(crate) people: Streams<Person>,
    checked: Checked,
}

/// Who asks something about somebody, and what they saw of them, with the version of the stream that it was; nothing is compared without.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    pub caller: &'a Caller,
    pub seen: Option<(&'a Person, u64)>,
}

impl<'a> From<&'a Caller> for By<'a> {
    fn from(caller: &'a Caller) -> Self {
        By { caller, seen: None }
    }
}

/// Somebody at the door.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The network address they come from.
    pub address: String,
    /// The platform's, for the log.
    pub epoch: u32,
    pub now: Timestamp,
}

impl Visit {
    pub(crate) fn caller(&self, actor: &str) -> Caller {
        let id = Uuid::now_v7();
        Caller {
            actor: actor.into(),
            request_id: id,
            correlation_id: id,
            epoch: self.epoch,
            now: self.now,
        }
    }

    pub(crate) fn caller_of_ours(&self) -> Caller {
        self.caller(OURSELVES)
    }
}

impl Access {
    pub fn new(secrets: Secrets, hashing: Hashing, store: EventStore) -> Self {
        Access {
            secrets,
            hashing,
            people: Streams::new(store),
            checked: Checked::new(),
        }
    }

    /// Ends log-ins of people who may no longer have them, where a crash came between the log and the secrets, and forgets old ones.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn settle(&self, now: Timestamp) -> Result<(), AccessError> {
        self.secrets
            .write(move |transaction| LogIn::prune(transaction, now))
            .await?;
        self.end_strays(None, now).await
    }

    /// Ends the log-ins, of one operator or of all, that their people may not have as what they are now.
    pub(crate) async fn end_strays(
        &self,
        of: Option<&OperatorId>,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        for log_in in self.log_ins(of.cloned(), now).await? {
            let person = self.person(&log_in.operator).await?;
            let stays = person
                .admitted()
                .is_some_and(|enrolled| enrolled.role == log_in.role);
            if !stays {
                let end = move |transaction: &rusqlite::Transaction<'_>| {
                    LogIn::end(transaction, log_in.id, now)
                };
                self.secrets.write(end).await?;
            }
        }
        Ok(())
    }

    /// The log-in of a browser's cookie, if it lives.
    ///
    /// # Errors
    /// [`AccessError::Secrets`].
    pub fn of_cookie(&self, cookie: &str, now: Timestamp) -> Result<Option<LogIn>, AccessError> {
        let Some(digest) = token::digest_of_given(cookie) else {
            return Ok(None);
        };
        let find = |connection: &Connection| {
            let found = LogIn::by_token(connection, &digest, now)?;
            Ok(found.map(|log_in| Opened {
                until: log_in.lives_until(),
                log_in,
            }))
        };
        Ok(self
            .secrets
            .log_in((LogInKind::Cookie, digest), now, find)?)
    }

    /// The log-in of a program's access token, if the token and the log-in live.
    ///
    /// # Errors
    /// [`AccessError::Secrets`].
    pub fn of_access_token(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<LogIn>, AccessError> {
        let digest = token::digest(token);
        let find = |connection: &Connection| {
            let Some(kid) = jwt::kid(token) else {
                return Ok(None);
            };
            let trusted = StoredKey::trusted(connection, &self.secrets.sealer(), &kid, now)?;
            let Some((key, distrusted_at)) = trusted else {
                return Ok(None);
            };
            let check = || jwt::verify(token, &key, now);
            let claims = self.checked.claims(digest, check);
            let Some(claims) = claims.filter(|claims| claims.lives(now)) else {
                return Ok(None);
            };
            let found = LogIn::by_id(connection, claims.sid, now)?;
            let is_meant =
                |found: &LogIn| found.operator == claims.sub && found.kind == LogInKind::Token;
            Ok(found.filter(is_meant).map(|log_in| {
                let ends = [claims.lives_until(), distrusted_at, log_in.lives_until()];
                let until = ends.into_iter().min().expect("three ends");
                Opened { log_in, until }
            }))
        };
        Ok(self.secrets.log_in((LogInKind::Token, digest), now, find)?)
    }

    /// Notes that a request was made in the log-in, where that is due. The request does not wait for it.
    pub fn note_seen(&self, log_in: &LogIn, now: Timestamp) {
        if !log_in.is_note_due(now) {
            return;
        }
        let (secrets, id) = (self.secrets.clone(), log_in.id);
        tokio::task::spawn_blocking(move || {
            let noted = secrets.write_here(|transaction| LogIn::note_seen(transaction, id, now));
            if let Err(error) = noted {
                tracing::warn!(%error, "the activity of a log-in was not noted");
            }
        });
    }

    /// Those that live, of one operator or of all, the newest first.
    ///
    /// # Errors
    /// [`AccessError::Secrets`].
    pub async fn log_ins(
        &self,
        operator: Option<OperatorId>,
        now: Timestamp,
    ) -> Result<Vec<LogIn>, AccessError> {
        let living = move |transaction: &rusqlite::Transaction<'_>| {
            LogIn::living(transaction, operator.as_ref(), now)
        };
        Ok(self.secrets.write(living).await?)
    }

    /// What others check our access tokens with.
    ///
    /// # Errors
    /// [`AccessError::Secrets`].
    pub async fn public_keys(&self, now: Timestamp) -> Result<Vec<Jwk>, AccessError> {
        self.signing_key(now).await?;
        let keys = self.secrets.look_up(|connection| {
            StoredKey::all_trusted(connection, &self.secrets.sealer(), now)
        })?;
        Ok(keys.iter().map(jwt::jwk).collect())
    }

    /// Signs with a new key from now on. What the old ones signed counts no longer if they are `distrusted`, else until it ends.
    ///
    /// # Errors
    /// [`AccessError::Secrets`].
    pub async fn rotate_signing_key(
        &self,
        distrusted: bool,
        now: Timestamp,
    ) -> Result<String, AccessError> {
        let grace = if distrusted {
            Duration::ZERO
        } else {
            jwt::KEY_GRACE
        };
        let sealer = self.secrets.sealer();
        let rotate = move |transaction: &rusqlite::Transaction<'_>| {
            let key = jwt::new_key(now);
            StoredKey::replace(transaction, &sealer, &key, grace, now)?;
            Ok(key.kid)
        };
        Ok(self.secrets.write(rotate).await?)
    }

    /// The key that signs; a new one each day.
    pub(crate) async fn signing_key(&self, now: Timestamp) -> Result<StoredKey, AccessError> {
        let is_young = move |key: &StoredKey| {
            let age = now.0.saturating_sub(key.made_at.0);
            age < i64::try_from(jwt::KEY_LIFETIME.as_nanos()).unwrap_or(i64::MAX)
        };
        let sealer = self.secrets.sealer();
        let newest = self
            .secrets
            .look_up(|connection| StoredKey::newest(connection, &sealer))?;
        if let Some(key) = newest.filter(is_young) {
            return Ok(key);
        }
        let make = move |transaction: &rusqlite::Transaction<'_>| {
            // Another process may have been first.
            if let Some(key) = StoredKey::newest(transaction, &sealer)?.filter(is_young) {
                return Ok(key);
            }
            let key = jwt::new_key(now);
            StoredKey::replace(transaction, &sealer, &key, jwt::KEY_GRACE, now)?;
            Ok(key)
        };
        Ok(self.secrets.write(make).await?)
    }

    pub(crate) async fn person(
        &self,
        operator: &OperatorId,
    ) -> Result<std::sync::Arc<Person>, AccessError> {
        Ok(self.people.load(&operator_stream(operator)).await?.state)
    }

    /// Who may come in under this name, with what proves them.
    pub(crate) async fn known(
        &self,
        operator: &OperatorId,
        now: Timestamp,
    ) -> Result<Option<(Enrolled, Account)>, AccessError> {
        let person = self.person(operator).await?;
        let account = self.secrets.look_up(|connection| {
            Account::find(connection, &self.secrets.sealer(), operator, now)
        })?;
        Ok(person.admitted().cloned().zip(account))
    }

    /// Counts the attempt as failed, until it succeeds. The failures with it.
    pub(crate) async fn begin(&self, attempt: Attempt, now: Timestamp) -> Result<u32, AccessError> {
        let begun = self
            .secrets
            .write(move |transaction| attempt.begin(transaction, now))
            .await?;
        Ok(begun?)
    }

    /// Whether it is the password of the account. One that is logged in has tried as often as at the door.
    pub(crate) async fn check_own_password(
        &self,
        place: &Place,
        log_in: &LogIn,
        password: SecretString,
        visit: &Visit,
    ) -> Result<Enrolled, AccessError> {
        let attempt = Attempt::from(log_in.operator.as_str(), &visit.address);
        self.begin(attempt, visit.now).await?;
        let known = self.known(&log_in.operator, visit.now).await?;
        let (enrolled, account) = known.ok_or(AccessError::PasswordWrong)?;
        let stored = account.password.unwrap_or_default();
        if !place.run(move || verify(&password, &stored)).await {
            return Err(AccessError::PasswordWrong);
        }
        self.secrets
            .write(move |transaction| attempt.succeed(transaction))
            .await?;
        Ok(enrolled)
    }

    /// Whether it was asked before: then nothing is appended.
    pub(crate) async fn ask(
        &self,
        operator: &OperatorId,
        ask: PersonAsk,
        by: By<'_>,
    ) -> Result<bool, AccessError> {
        let By { caller, seen } = by;
        let stream = operator_stream(operator);
        let request = PersonRequest {
            request_id: RequestId(caller.request_id),
            by: caller.actor.to_string(),
            operator: operator.clone(),
            ask,
        };
        let decide = |person: &Person| {
            let events = people::decide(person, request.clone());
            // A repetition gets its first answer, which itself changed what was seen.
            let repeated = events.as_ref().is_ok_and(Vec::is_empty);
            let other = seen.filter(|(seen, _)| !repeated && !person.is_as(seen));
            if let Some((_, version)) = other {
                let stream = stream.clone();
                return Err(AccessError::Changed { stream, version });
            }
            Ok((events?, ()))
        };
        let committed = self.people.transact(&stream, caller, decide).await?;
        Ok(committed.appended == 0)
    }

    pub(crate) async fn tell(
        &self,
        operator: &OperatorId,
        reports: Vec<PersonReport>,
        caller: &Caller,
    ) -> Result<(), AccessError> {
        let record = |person: &Person| {
            let events = reports.iter().flat_map(|report| {
                let id = RequestId(caller.request_id);
                people::record(person, operator.clone(), id, report.clone())
            });
            Ok((events.collect(), ()))
        };
        self.people
            .transact::<_, PersonRefusal>(&operator_stream(operator), caller, record)
            .await?;
        Ok(())
    }

    /// Whether it lived until now. Ended is ended, also when the log can't be told.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn log_out(&self, log_in: &LogIn, visit: &Visit) -> Result<bool, AccessError> {
        let told = PersonReport::LoggedOut { log_in: log_in.id };
        self.end(
            log_in.id,
            &log_in.operator,
            told,
            log_in.operator.as_str(),
            visit,
        )
        .await
    }

    /// Ends a log-in from elsewhere. `within` names the one whose log-in it has to be, where not anybody's may be ended.
    ///
    /// # Errors
    /// [`AccessError::NoSuchLogIn`], also for one of somebody else.
    pub async fn revoke(
        &self,
        id: LogInId,
        within: Option<&OperatorId>,
        by: &str,
        visit: &Visit,
    ) -> Result<(), AccessError> {
        let found = self
            .secrets
            .look_up(|connection| LogIn::by_id(connection, id, visit.now))?;
        let log_in = found.filter(|found| within.is_none_or(|own| *own == found.operator));
        let log_in = log_in.ok_or(AccessError::NoSuchLogIn)?;
        let told = PersonReport::LogInRevoked {
            log_in: id,
            by: by.to_owned(),
        };
        match self.end(id, &log_in.operator, told, by, visit).await? {
            true => Ok(()),
            false => Err(AccessError::NoSuchLogIn),
        }
    }

    async fn end(
        &self,
        id: LogInId,
        operator: &OperatorId,
        told: PersonReport,
        by: &str,
        visit: &Visit,
    ) -> Result<bool, AccessError> {
        let now = visit.now;
        let ended = self
            .secrets
            .write(move |transaction| LogIn::end(transaction, id, now))
            .await?;
        if ended {
            self.tell(operator, vec![told], &visit.caller(by)).await?;
        }
        Ok(ended)
    }
}

/// Midnight in India, where the trading day ends: log-ins do not outlive it.
pub fn end_of_day_in_india(now: Timestamp) -> Timestamp {
    const DAY: i64 = 24 * 3600 * 1_000_000_000;
    const AHEAD: i64 = (5 * 3600 + 1800) * 1_000_000_000;
    let day = now.0.saturating_add(AHEAD).div_euclid(DAY);
    Timestamp(
        day.saturating_add(1)
            .saturating_mul(DAY)
            .saturating_sub(AHEAD),
    )
}

/// What a transaction of the secrets file comes to.
pub(crate) type Written<T> = Result<T, SecretsError>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trading_day_ends_at_midnight_in_india() {
        let at = |seconds: i64| Timestamp(seconds * 1_000_000_000);
        // 2026-11-20 in India begins at 2026-11-19T18:30Z.
        let begins = 1_795_113_000;
        for (now, ends) in [
            (begins, begins + 86_400),
            (begins - 1, begins),
            (begins + 86_399, begins + 86_400),
        ] {
            assert_eq!(end_of_day_in_india(at(now)), at(ends));
        }
    }
}
