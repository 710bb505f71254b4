//! Coming in: password and second factor, and going on with a refresh token.

use crate::access::{Access, Visit, Written, end_of_day_in_india};
use crate::error::AccessError;
use crate::jwt::Claims;
use crate::password::{Cost, Place, STAFF, verify, verify_nobodys};
use crate::secrets::{Account, Attempt, CodeTaken, LogIn, NewLogIn, Refreshed};
use crate::{token, totp};
use rusqlite::Transaction;
use secrecy::{ExposeSecret, SecretString};
use squareoff_domain::people::{
    Enrolled, LogInKind, PersonAsk, PersonReport, Role, SecondFactor, is_investor_id,
};
use squareoff_domain::{LogInId, OperatorId, Timestamp};
use uuid::Uuid;

pub struct Credentials {
    pub account: String,
    pub password: SecretString,
    pub factor: Factor,
}

/// What comes beside the password.
pub enum Factor {
    Code(SecretString),
    RecoveryCode(SecretString),
    /// Enough for a program alone, whose password was made by us.
    None,
}

/// Somebody came in.
pub struct Granted {
    pub log_in: LogIn,
    pub carried: Carried,
}

/// What the next requests are sent with. Given out once.
pub enum Carried {
    Cookie {
        cookie: SecretString,
        /// To be sent beside it: see [`token::beside_cookie`].
        beside: SecretString,
    },
    Tokens {
        access: SecretString,
        /// Seconds until the access token ends.
        access_s: i64,
        refresh: SecretString,
    },
}

/// What a log-in is carried by, before it is signed.
pub(crate) enum Minted {
    Cookie(SecretString),
    Refresh(SecretString),
}

impl Access {
    /// # Errors
    /// [`AccessError::Busy`] before anything was counted, [`AccessError::Locked`], and [`AccessError::Refused`] for whatever is not right.
    pub async fn log_in(
        &self,
        credentials: Credentials,
        kind: LogInKind,
        visit: &Visit,
    ) -> Result<Granted, AccessError> {
        let Credentials {
            account,
            password,
            factor,
        } = credentials;
        let account = account.trim().to_ascii_lowercase();
        let place = self.hashing.place(&visit.address)?;
        let attempt = Attempt::from(&account, &visit.address);
        let failures = self.begin(attempt, visit.now).await?;
        let proved = self
            .prove(&place, &account, password, factor, attempt, kind, visit)
            .await;
        match proved {
            Err(AccessError::Refused) => {
                self.note_refused(&account, visit).await;
                self.tell_of_failures(&account, failures, visit).await;
                Err(AccessError::Refused)
            }
            proved => proved,
        }
    }

    /// A line for whoever watches. What was tried in vain may be a password in the wrong field, so only names that there are are named.
    async fn note_refused(&self, account: &str, visit: &Visit) {
        let operator = account.parse::<OperatorId>().ok();
        let known = match &operator {
            Some(operator) => {
                let person = self.person(operator).await;
                person.is_ok_and(|person| person.enrolled.is_some())
            }
            None => false,
        };
        let named = operator.filter(|_| known);
        let named = named.as_ref().map_or("unknown", OperatorId::as_str);
        tracing::info!(operator.id = named, address = %visit.address, "a log-in was refused");
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "one caller, which has taken them apart"
    )]
    async fn prove(
        &self,
        place: &Place,
        account: &str,
        password: SecretString,
        factor: Factor,
        attempt: Attempt,
        kind: LogInKind,
        visit: &Visit,
    ) -> Result<Granted, AccessError> {
        let now = visit.now;
        let known = match account.parse::<OperatorId>() {
            Ok(operator) => {
                let known = self.known(&operator, visit.now).await?;
                known.map(|(enrolled, account)| (operator, enrolled, account))
            }
            Err(_) => None,
        };
        let stored = known
            .as_ref()
            .and_then(|(.., account)| account.password.clone());
        let password = std::sync::Arc::new(password);
        let right = {
            let password = std::sync::Arc::clone(&password);
            let (stored, nobodys) = (stored.clone(), cost_of_name(account));
            let verify = move || match stored {
                Some(stored) => verify(&password, &stored),
                None => verify_nobodys(&password, nobodys),
            };
            place.run(verify).await
        };
        let Some((operator, enrolled, account)) = known.filter(|_| right) else {
            // As much for the disk as a wrong code behind the right password, so that time does not tell the two apart.
            let nothing = Attempt::at_no_code(account);
            let count = move |transaction: &Transaction<'_>| nothing.begin(transaction, now);
            // Nobody waits for this count.
            let _ = self.secrets.write(count).await?;
            return Err(AccessError::Refused);
        };
        let cost = Cost::of(enrolled.role);
        if let Some(old) = stored.filter(|stored| cost.differs(stored)) {
            let hash = place.run(move || cost.hash(&password)).await;
            let operator = operator.clone();
            let replace = move |transaction: &Transaction<'_>| {
                Account::replace_password(transaction, &operator, &old, &hash)
            };
            self.secrets.write(replace).await?;
        }
        let open = Opening {
            operator,
            enrolled,
            kind,
            address: visit.address.clone(),
            now: visit.now,
        };
        let opened = self
            .secrets
            .write(move |transaction| {
                let taken = take_factor(transaction, &open, &account, &factor)?;
                let Some(second_factor) = taken else {
                    return Ok(None);
                };
                attempt.succeed(transaction)?;
                let (log_in, minted) = open.insert(transaction)?;
                Ok(Some((log_in, minted, second_factor)))
            })
            .await?;
        let (log_in, minted, second_factor) = opened.ok_or(AccessError::Refused)?;
        self.enter(log_in, minted, second_factor, visit).await
    }

    /// Tells the log; without that it is no log-in.
    pub(crate) async fn enter(
        &self,
        log_in: LogIn,
        minted: Minted,
        second_factor: SecondFactor,
        visit: &Visit,
    ) -> Result<Granted, AccessError> {
        let ask = PersonAsk::LogIn {
            log_in: log_in.id,
            kind: log_in.kind,
            role: log_in.role,
            second_factor,
            address: log_in.address.clone(),
        };
        let caller = visit.caller(log_in.operator.as_str());
        if let Err(error) = self.ask(&log_in.operator, ask, (&caller).into()).await {
            let (id, now) = (log_in.id, visit.now);
            self.secrets
                .write(move |transaction| LogIn::end(transaction, id, now))
                .await?;
            return Err(match error {
                // They were disabled, or their role changed, while they came in.
                AccessError::Person(_) => AccessError::Refused,
                error => error,
            });
        }
        self.granted(log_in, minted, visit.now).await
    }

    async fn granted(
        &self,
        log_in: LogIn,
        minted: Minted,
        now: Timestamp,
    ) -> Result<Granted, AccessError> {
        let carried = match minted {
            Minted::Cookie(cookie) => Carried::Cookie {
                beside: SecretString::from(token::beside_cookie(cookie.expose_secret())),
                cookie,
            },
            Minted::Refresh(refresh) => {
                let key = self.signing_key(now).await?;
                let claims = Claims::new(
                    log_in.operator.clone(),
                    log_in.id,
                    log_in.role,
                    log_in.client.clone(),
                    now,
                    log_in.ends_at,
                );
                Carried::Tokens {
                    access: SecretString::from(claims.sign(&key)),
                    access_s: claims.exp - claims.iat,
                    refresh,
                }
            }
        };
        Ok(Granted { log_in, carried })
    }

    /// New tokens for a refresh token, which counts once. One that comes again was stolen, by whoever came first or second: the log-in ends.
    ///
    /// # Errors
    /// [`AccessError::Refused`].
    pub async fn refresh(&self, given: &str, visit: &Visit) -> Result<Granted, AccessError> {
        let digest = token::digest_of_given(given).ok_or(AccessError::Refused)?;
        let next = token::new();
        let next_digest = token::digest(next.expose_secret());
        let now = visit.now;
        let refreshed = self
            .secrets
            .write(move |transaction| LogIn::refresh(transaction, &digest, &next_digest, now))
            .await?;
        let log_in = match refreshed {
            Refreshed::Now(log_in) => log_in,
            Refreshed::No => return Err(AccessError::Refused),
            Refreshed::Reused(log_in) => {
                tracing::warn!(operator.id = %log_in.operator, log_in.id = %log_in.id, "a refresh token came a second time: its log-in was ended");
                let told = PersonReport::RefreshTokenReused {
                    log_in: log_in.id,
                    address: visit.address.clone(),
                };
                let caller = visit.caller_of_ours();
                self.tell(&log_in.operator, vec![told], &caller).await?;
                return Err(AccessError::Refused);
            }
        };
        self.granted(log_in, Minted::Refresh(next), now).await
    }

    /// At most once a minute for an account, and for those that there are: the log keeps it for ever.
    async fn tell_of_failures(&self, account: &str, failures: u32, visit: &Visit) {
        let wait = crate::secrets::wait(failures);
        let Some(operator) = account
            .parse::<OperatorId>()
            .ok()
            .filter(|_| !wait.is_zero())
        else {
            return;
        };
        let told = async {
            let (account, now) = (account.to_owned(), visit.now);
            let due = self
                .secrets
                .write(move |transaction| Attempt::tell(transaction, &account, now))
                .await?;
            if due {
                let locked = PersonReport::LockedOut {
                    address: visit.address.clone(),
                    failures,
                    wait_s: u32::try_from(wait.as_secs()).unwrap_or(u32::MAX),
                };
                let caller = visit.caller_of_ours();
                self.tell(&operator, vec![locked], &caller).await?;
            }
            Ok::<_, AccessError>(())
        };
        // Who tried is refused either way.
        if let Err(error) = told.await {
            tracing::warn!(%error, "a lock-out was not recorded");
        }
    }
}

/// A log-in that is about to be.
pub(crate) struct Opening {
    pub operator: OperatorId,
    pub enrolled: Enrolled,
    pub kind: LogInKind,
    pub address: String,
    pub now: Timestamp,
}

impl Opening {
    pub(crate) fn insert(&self, transaction: &Transaction<'_>) -> Written<(LogIn, Minted)> {
        let log_in = LogIn {
            id: LogInId(Uuid::now_v7()),
            operator: self.operator.clone(),
            role: self.enrolled.role,
            client: self.enrolled.client.clone(),
            kind: self.kind,
            address: self.address.clone(),
            begun_at: self.now,
            seen_at: self.now,
            ends_at: end_of_day_in_india(self.now),
        };
        let minted = token::new();
        let digest = token::digest(minted.expose_secret());
        let (token, minted) = match self.kind {
            LogInKind::Cookie => (Some(digest), Minted::Cookie(minted)),
            LogInKind::Token => (None, Minted::Refresh(minted)),
        };
        let new = NewLogIn { log_in, token };
        LogIn::insert(transaction, &new)?;
        if token.is_none() {
            LogIn::add_refresh_token(transaction, new.log_in.id, &digest)?;
        }
        Ok((new.log_in, minted))
    }
}

/// Takes what came beside the right password, once.
fn take_factor(
    transaction: &Transaction<'_>,
    open: &Opening,
    account: &Account,
    factor: &Factor,
) -> Written<Option<SecondFactor>> {
    let Opening { operator, now, .. } = open;
    if open.enrolled.role == Role::Machine {
        return Ok((open.kind == LogInKind::Token).then_some(SecondFactor::None));
    }
    let Some(seed) = &account.totp_seed else {
        return Ok(None);
    };
    match factor {
        Factor::Code(code) => {
            // Whoever knows the password has few tries at the code, from wherever they come. Recovery codes can't be guessed and stay
            // open, so that a victim whose password is known gets in all the same, and changes it.
            let attempt = Attempt::at_code(operator.as_str());
            if attempt.begin(transaction, *now)?.is_err() {
                return Ok(None);
            }
            let Some(step) = totp::step_of(seed, code.expose_secret(), *now) else {
                return Ok(None);
            };
            if Account::take_step(transaction, operator, step)? == CodeTaken::Before {
                return Ok(None);
            }
            attempt.succeed(transaction)?;
            Ok(Some(SecondFactor::Totp))
        }
        Factor::RecoveryCode(code) => {
            let Some(digest) = token::recovery_digest(code.expose_secret()) else {
                return Ok(None);
            };
            let taken = Account::take_recovery_code(transaction, operator, &digest)?;
            Ok((taken == CodeTaken::Now).then_some(SecondFactor::RecoveryCode))
        }
        Factor::None => Ok(None),
    }
}

/// What the password of such an account would cost to check, so that one that is not there costs the same. An investor's id says that
/// it is one.
fn cost_of_name(account: &str) -> Cost {
    if is_investor_id(account) {
        Cost::of(Role::Investor)
    } else {
        STAFF
    }
}
