//! What somebody sets up by themselves: a password, an authenticator app, recovery codes.

use crate::access::{Access, Visit};
use crate::error::AccessError;
use crate::password::{self, Cost};
use crate::secrets::{Account, Attempt, LogIn};
use crate::{token, totp};
use rusqlite::Transaction;
use secrecy::{ExposeSecret, SecretString};
use squareoff_domain::OperatorId;
use squareoff_domain::people::{Enrolled, PersonReport};

impl Access {
    /// Sets a password with the secret that an administrator handed over, and answers with what the authenticator app is set up with.
    /// Nothing counts before [`Access::confirm_enrolment`]; the same again begins anew.
    ///
    /// # Errors
    /// [`AccessError::Refused`] for whatever is not right with account or secret; [`AccessError::Password`].
    pub async fn begin_enrolment(
        &self,
        account: &str,
        secret: &str,
        password: SecretString,
        visit: &Visit,
    ) -> Result<totp::Enrolment, AccessError> {
        let place = self.hashing.place(&visit.address)?;
        let (operator, enrolled, _, attempt) = self.invited(account, secret, visit).await?;
        let Enrolled { name, role, .. } = enrolled;
        let checked = {
            let operator = operator.clone();
            let make = move || {
                password::check(&password, &operator, &name)?;
                Ok::<_, password::PasswordRefusal>(Cost::of(role).hash(&password))
            };
            place.run(make).await
        };
        let hash = match checked {
            Ok(hash) => hash,
            // The secret was right: another password is no further attempt.
            Err(refusal) => {
                self.succeed(attempt).await?;
                return Err(AccessError::Password(refusal));
            }
        };
        let seed = totp::new_seed();
        let enrolment = totp::enrolment(&operator, &seed);
        let sealer = self.secrets.sealer();
        self.secrets
            .write(move |transaction| {
                Account::set_password(transaction, &operator, &hash)?;
                Account::set_pending(transaction, &sealer, &operator, &seed)?;
                attempt.succeed(transaction)
            })
            .await?;
        Ok(enrolment)
    }

    /// The first code of the app: from now on it counts, and the secret does not. The recovery codes, shown once.
    ///
    /// # Errors
    /// [`AccessError::Refused`], [`AccessError::CodeWrong`].
    pub async fn confirm_enrolment(
        &self,
        account: &str,
        secret: &str,
        code: &SecretString,
        visit: &Visit,
    ) -> Result<Vec<SecretString>, AccessError> {
        let (operator, _, account, attempt) = self.invited(account, secret, visit).await?;
        let pending = account.totp_pending.ok_or(AccessError::CodeWrong)?;
        let step = totp::step_of(&pending, code.expose_secret(), visit.now);
        let step = step.ok_or(AccessError::CodeWrong)?;
        let (codes, digests) = token::new_recovery_codes();
        let confirmed = {
            let (sealer, operator) = (self.secrets.sealer(), operator.clone());
            let confirm = move |transaction: &Transaction<'_>| {
                attempt.succeed(transaction)?;
                Account::set_recovery_codes(transaction, &operator, &digests)?;
                Account::confirm_pending(transaction, &sealer, &operator, &pending, step)
            };
            self.secrets.write(confirm).await?
        };
        if !confirmed {
            return Err(AccessError::CodeWrong);
        }
        let told = vec![
            PersonReport::PasswordSet,
            PersonReport::SecondFactorEnrolled,
            PersonReport::RecoveryCodesMade {
                count: token::RECOVERY_CODES,
            },
        ];
        let caller = visit.caller(operator.as_str());
        self.tell(&operator, told, &caller).await?;
        Ok(codes)
    }

    /// Whoever holds the secret of an account that has to be set up.
    async fn invited(
        &self,
        account: &str,
        secret: &str,
        visit: &Visit,
    ) -> Result<(OperatorId, Enrolled, Account, Attempt), AccessError> {
        let account = account.trim().to_ascii_lowercase();
        let attempt = Attempt::from(&account, &visit.address);
        self.begin(attempt, visit.now).await?;
        let operator: OperatorId = account.parse().map_err(|_| AccessError::Refused)?;
        let known = self.known(&operator, visit.now).await?;
        let invited = |(_, account): &(Enrolled, Account)| {
            let kept = account.invitation.as_ref();
            kept.is_some_and(|kept| token::equal(secret.trim(), kept))
        };
        let (enrolled, account) = known.filter(invited).ok_or(AccessError::Refused)?;
        Ok((operator, enrolled, account, attempt))
    }

    async fn succeed(&self, attempt: Attempt) -> Result<(), AccessError> {
        let succeed = move |transaction: &Transaction<'_>| attempt.succeed(transaction);
        Ok(self.secrets.write(succeed).await?)
    }

    /// Sets another password. Their other log-ins end.
    ///
    /// # Errors
    /// [`AccessError::PasswordWrong`] for the old one, [`AccessError::Password`] for the new one.
    pub async fn change_password(
        &self,
        log_in: &LogIn,
        old: SecretString,
        new: SecretString,
        visit: &Visit,
    ) -> Result<(), AccessError> {
        let place = self.hashing.place(&visit.address)?;
        let enrolled = self.check_own_password(&place, log_in, old, visit).await?;
        let hash = {
            let operator = log_in.operator.clone();
            let Enrolled { name, role, .. } = enrolled;
            let make = move || {
                password::check(&new, &operator, &name)?;
                Ok::<_, password::PasswordRefusal>(Cost::of(role).hash(&new))
            };
            place.run(make).await?
        };
        let (operator, id, now) = (log_in.operator.clone(), log_in.id, visit.now);
        self.secrets
            .write(move |transaction| {
                Account::set_password(transaction, &operator, &hash)?;
                // Whoever knew the old one has no more tries at the code to spoil.
                Attempt::at_code(operator.as_str()).succeed(transaction)?;
                LogIn::end_all(transaction, &operator, Some(id), now)
            })
            .await?;
        let caller = visit.caller(log_in.operator.as_str());
        self.tell(&log_in.operator, vec![PersonReport::PasswordSet], &caller)
            .await
    }

    /// Begins with another authenticator app; the one before counts until the new one's first code.
    ///
    /// # Errors
    /// [`AccessError::PasswordWrong`].
    pub async fn begin_second_factor(
        &self,
        log_in: &LogIn,
        password: SecretString,
        visit: &Visit,
    ) -> Result<totp::Enrolment, AccessError> {
        let place = self.hashing.place(&visit.address)?;
        self.check_own_password(&place, log_in, password, visit)
            .await?;
        let seed = totp::new_seed();
        let enrolment = totp::enrolment(&log_in.operator, &seed);
        let (sealer, operator) = (self.secrets.sealer(), log_in.operator.clone());
        let pend = move |transaction: &Transaction<'_>| {
            Account::set_pending(transaction, &sealer, &operator, &seed)
        };
        self.secrets.write(pend).await?;
        Ok(enrolment)
    }

    /// The other app counts from now on. Their other log-ins end.
    ///
    /// # Errors
    /// [`AccessError::CodeWrong`], also when nothing was begun.
    pub async fn confirm_second_factor(
        &self,
        log_in: &LogIn,
        code: &SecretString,
        visit: &Visit,
    ) -> Result<(), AccessError> {
        let known = self.known(&log_in.operator, visit.now).await?;
        let pending = known.and_then(|(_, account)| account.totp_pending);
        let pending = pending.ok_or(AccessError::CodeWrong)?;
        let step = totp::step_of(&pending, code.expose_secret(), visit.now);
        let step = step.ok_or(AccessError::CodeWrong)?;
        let (sealer, operator) = (self.secrets.sealer(), log_in.operator.clone());
        let (id, now) = (log_in.id, visit.now);
        let confirm = move |transaction: &Transaction<'_>| {
            if !Account::confirm_pending(transaction, &sealer, &operator, &pending, step)? {
                return Ok(false);
            }
            // Whoever had the phone before may be logged in by it.
            LogIn::end_all(transaction, &operator, Some(id), now)?;
            Ok(true)
        };
        if !self.secrets.write(confirm).await? {
            return Err(AccessError::CodeWrong);
        }
        let caller = visit.caller(log_in.operator.as_str());
        let told = vec![PersonReport::SecondFactorEnrolled];
        self.tell(&log_in.operator, told, &caller).await
    }

    /// New recovery codes, shown once; those before no longer count.
    ///
    /// # Errors
    /// [`AccessError::PasswordWrong`].
    pub async fn new_recovery_codes(
        &self,
        log_in: &LogIn,
        password: SecretString,
        visit: &Visit,
    ) -> Result<Vec<SecretString>, AccessError> {
        let place = self.hashing.place(&visit.address)?;
        self.check_own_password(&place, log_in, password, visit)
            .await?;
        let (codes, digests) = token::new_recovery_codes();
        let operator = log_in.operator.clone();
        let keep = move |transaction: &Transaction<'_>| {
            Account::set_recovery_codes(transaction, &operator, &digests)
        };
        self.secrets.write(keep).await?;
        let told = PersonReport::RecoveryCodesMade {
            count: token::RECOVERY_CODES,
        };
        let caller = visit.caller(log_in.operator.as_str());
        self.tell(&log_in.operator, vec![told], &caller).await?;
        Ok(codes)
    }

    /// How many recovery codes somebody has left.
    ///
    /// # Errors
    /// [`AccessError::Secrets`].
    pub fn recovery_codes_left(&self, operator: &OperatorId) -> Result<u32, AccessError> {
        let left =
            |connection: &rusqlite::Connection| Account::recovery_codes_left(connection, operator);
        Ok(self.secrets.look_up(left)?)
    }
}
