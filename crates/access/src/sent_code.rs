//! Investors come in with a one-time code that is sent to their registered phone and e-mail. They are enrolled as they come in first.

use crate::access::{Access, Visit};
use crate::error::AccessError;
use crate::log_in::{Granted, Opening};
use crate::password::Place;
use crate::secrets::{Answered, Attempt, challenges};
use crate::token;
use rusqlite::Transaction;
use secrecy::{ExposeSecret, SecretString};
use squareoff_domain::ClientCode;
use squareoff_domain::people::{
    LogInKind, PersonAsk, PersonRefusal, Role, SecondFactor, investor_id,
};

/// Ten to the eighth are guessed by nobody: five tries a challenge, and few challenges an address.
const DIGITS: u32 = 8;

/// A log-in that waits for the code. Given to whoever asks, also where there is no such client.
pub struct Challenge {
    /// Comes back with the code.
    pub id: SecretString,
    /// Held while the client is looked for, which a storm must not do without a bound.
    pub place: Place,
}

impl Access {
    /// # Errors
    /// [`AccessError::Busy`], [`AccessError::Locked`].
    pub async fn begin_sent_code(
        &self,
        subject: &str,
        visit: &Visit,
    ) -> Result<Challenge, AccessError> {
        let place = self.hashing.place(&visit.address)?;
        let attempt = Attempt::from(&subject.trim().to_ascii_lowercase(), &visit.address);
        self.begin(attempt, visit.now).await?;
        let id = token::new();
        let (digest, now) = (token::digest(id.expose_secret()), visit.now);
        let begin = move |transaction: &Transaction<'_>| {
            challenges::begin(transaction, &digest, attempt, now)
        };
        self.secrets.write(begin).await?;
        Ok(Challenge { id, place })
    }

    /// The code to send to this client, who was found; `None` when they were sent one a moment ago, which counts for this challenge too.
    ///
    /// # Errors
    /// [`AccessError::Secrets`].
    pub async fn code_to_send(
        &self,
        challenge: &SecretString,
        client: &ClientCode,
        visit: &Visit,
    ) -> Result<Option<SecretString>, AccessError> {
        let code = new_code();
        let (digest, now) = (token::digest(challenge.expose_secret()), visit.now);
        let (kept, client) = (token::digest(code.expose_secret()), client.clone());
        let name = move |transaction: &Transaction<'_>| {
            challenges::name(transaction, &digest, &client, &kept, now)
        };
        let sent = self.secrets.write(name).await?;
        Ok(sent.then_some(code))
    }

    /// # Errors
    /// [`AccessError::Refused`], for whatever is not right.
    pub async fn log_in_with_sent_code(
        &self,
        challenge: &str,
        code: &SecretString,
        kind: LogInKind,
        visit: &Visit,
    ) -> Result<Granted, AccessError> {
        let digest = token::digest_of_given(challenge).ok_or(AccessError::Refused)?;
        let code = token::digest_of_given(&code.expose_secret().replace(' ', ""));
        let code = code.ok_or(AccessError::Refused)?;
        let now = visit.now;
        let answer = move |transaction: &Transaction<'_>| {
            challenges::answer(transaction, &digest, &code, now)
        };
        let Answered::Right { client, attempt } = self.secrets.write(answer).await? else {
            return Err(AccessError::Refused);
        };
        let operator = investor_id(&client);
        self.enrol_investor(&client, visit).await?;
        let person = self.person(&operator).await?;
        let enrolled = person.admitted().cloned().ok_or(AccessError::Refused)?;
        let open = Opening {
            operator,
            enrolled,
            kind,
            address: visit.address.clone(),
            now,
        };
        let insert = move |transaction: &Transaction<'_>| {
            attempt.succeed(transaction)?;
            open.insert(transaction)
        };
        let (log_in, minted) = self.secrets.write(insert).await?;
        self.enter(log_in, minted, SecondFactor::SentCode, visit)
            .await
    }

    /// Once: whoever has the client's phone is let in as the client.
    async fn enrol_investor(&self, client: &ClientCode, visit: &Visit) -> Result<(), AccessError> {
        let operator = investor_id(client);
        if self.person(&operator).await?.enrolled.is_some() {
            return Ok(());
        }
        let ask = PersonAsk::Enrol {
            name: format!("client {client}"),
            role: Role::Investor,
            client: Some(client.clone()),
            reason: "came in with a code that was sent to the registered phone and e-mail".into(),
        };
        let caller = visit.caller_of_ours();
        match self.ask(&operator, ask, (&caller).into()).await {
            // Two came at once.
            Ok(_) | Err(AccessError::Person(PersonRefusal::AlreadyEnrolled { .. })) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Every number of so many digits is as likely.
fn new_code() -> SecretString {
    let limit = 10_u64.pow(DIGITS);
    let fair = u64::MAX - u64::MAX % limit;
    loop {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("the system has randomness");
        let number = u64::from_be_bytes(bytes);
        if number < fair {
            let width = DIGITS as usize;
            return SecretString::from(format!("{:0width$}", number % limit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_eight_digits() {
        for _ in 0..100 {
            let code = new_code();
            let code = code.expose_secret();
            assert!(
                code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit()),
                "{code}"
            );
        }
    }
}
