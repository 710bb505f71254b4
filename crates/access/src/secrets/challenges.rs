//! Codes that were sent to clients, and the log-ins that wait for one.
//!
//! Whoever asks for a code gets a challenge, whether or not there is such a client; a client has one code at a time, which answers every
//! challenge of theirs. So somebody who asks again and again has the client sent nothing more, and takes no code away from them.

use super::SecretsError;
use super::failures::Attempt;
use super::log_ins::nanoseconds;
use rusqlite::{OptionalExtension, Transaction, params};
use squareoff_domain::{ClientCode, Timestamp};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How long a code and a challenge live.
pub const CODE_LIFETIME: Duration = Duration::from_secs(5 * 60);
/// A client is sent no code sooner behind another.
const SENT_EVERY: Duration = Duration::from_secs(60);
/// Codes that may be tried on one challenge.
const TRIES_MAX: u32 = 5;

/// What became of a code that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    Right {
        client: ClientCode,
        attempt: Attempt,
    },
    Wrong,
}

/// A challenge that no client is named for yet.
pub fn begin(
    transaction: &Transaction<'_>,
    challenge: &[u8; 32],
    attempt: Attempt,
    now: Timestamp,
) -> Result<(), SecretsError> {
    transaction.execute("delete from challenges where ends_at <= ?1", [now.0])?;
    transaction.execute("delete from sent_codes where ends_at <= ?1", [now.0])?;
    let ends_at = now.0.saturating_add(nanoseconds(CODE_LIFETIME));
    transaction.execute(
        "insert into challenges (challenge, attempt, ends_at) values (?1, ?2, ?3)",
        params![challenge, attempt.bytes(), ends_at],
    )?;
    Ok(())
}

/// Says whose challenge it is. Whether `code` is theirs now and is to be sent: not if they were sent one a moment ago.
pub fn name(
    transaction: &Transaction<'_>,
    challenge: &[u8; 32],
    client: &ClientCode,
    code: &[u8; 32],
    now: Timestamp,
) -> Result<bool, SecretsError> {
    transaction.execute(
        "update challenges set client = ?2 where challenge = ?1",
        params![challenge, client.as_str()],
    )?;
    let sent = transaction.execute(
        "insert into sent_codes (client, code, sent_at, ends_at) values (?1, ?2, ?3, ?4)
         on conflict (client) do update set code = excluded.code, sent_at = excluded.sent_at, ends_at = excluded.ends_at
         where sent_at <= ?5 or sent_at > ?3",
        params![
            client.as_str(),
            code,
            now.0,
            now.0.saturating_add(nanoseconds(CODE_LIFETIME)),
            now.0.saturating_sub(nanoseconds(SENT_EVERY)),
        ],
    )?;
    Ok(sent == 1)
}

/// Tries a code on a challenge. A right one ends both.
pub fn answer(
    transaction: &Transaction<'_>,
    challenge: &[u8; 32],
    code: &[u8; 32],
    now: Timestamp,
) -> Result<Answered, SecretsError> {
    let tried = transaction.execute(
        "update challenges set tries = tries + 1 where challenge = ?1 and ends_at > ?2 and tries < ?3",
        params![challenge, now.0, TRIES_MAX],
    )?;
    if tried == 0 {
        return Ok(Answered::Wrong);
    }
    let found = transaction
        .prepare_cached(
            "select challenges.attempt, sent_codes.client, sent_codes.code
             from challenges join sent_codes on sent_codes.client = challenges.client
             where challenges.challenge = ?1 and sent_codes.ends_at > ?2",
        )?
        .query_row(params![challenge, now.0], |row| {
            Ok((
                row.get::<_, [u8; 32]>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, [u8; 32]>(2)?,
            ))
        })
        .optional()?;
    let Some((attempt, client, kept)) = found else {
        return Ok(Answered::Wrong);
    };
    if !bool::from(kept.ct_eq(code)) {
        return Ok(Answered::Wrong);
    }
    transaction.execute("delete from sent_codes where client = ?1", [&client])?;
    transaction.execute("delete from challenges where challenge = ?1", [challenge])?;
    let client = client.parse();
    Ok(Answered::Right {
        client: client.map_err(|error: squareoff_domain::id::IdError| {
            SecretsError::Damaged(error.to_string())
        })?,
        attempt: Attempt::of_bytes(attempt),
    })
}
