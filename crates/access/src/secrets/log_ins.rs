//! Log-ins, from the first token until they end: by their person, by an administrator, idle, or with the trading day.

use super::SecretsError;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use squareoff_domain::people::{LogInKind, Role};
use squareoff_domain::{ClientCode, LogInId, OperatorId, Timestamp};
use std::time::Duration;

/// Without a request for so long a log-in has ended.
pub const IDLE_MAX: Duration = Duration::from_secs(15 * 60);
/// Last activity is kept this coarse: a write for each request would be the dearest part of a read.
pub const SEEN_STEP: Duration = Duration::from_secs(30);

/// A log-in as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogIn {
    pub id: LogInId,
    pub operator: OperatorId,
    pub role: Role,
    pub client: Option<ClientCode>,
    pub kind: LogInKind,
    pub address: String,
    pub begun_at: Timestamp,
    /// To within [`SEEN_STEP`].
    pub seen_at: Timestamp,
    /// Whatever is done in it.
    pub ends_at: Timestamp,
}

pub struct NewLogIn {
    pub log_in: LogIn,
    /// SHA-256 of the cookie's token.
    pub token: Option<[u8; 32]>,
}

/// What became of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    Now(LogIn),
    /// It was used before: the log-in was ended with this.
    Reused(LogIn),
    /// Of no log-in, or of one that has ended.
    No,
}

const COLUMNS: &str = "id, operator, role, client, kind, address, begun_at, seen_at, ends_at";

pub(crate) const fn nanoseconds(duration: Duration) -> i64 {
    duration.as_nanos() as i64
}

impl LogIn {
    /// Whether so much has passed that it has to be noted again.
    pub(crate) fn is_note_due(&self, now: Timestamp) -> bool {
        now.0.saturating_sub(self.seen_at.0) >= nanoseconds(SEEN_STEP)
    }

    /// When it ends if nothing more is done in it.
    pub(crate) fn lives_until(&self) -> Timestamp {
        let idle = self.seen_at.0.saturating_add(nanoseconds(IDLE_MAX));
        self.ends_at.min(Timestamp(idle))
    }

    pub(crate) fn insert(
        transaction: &Transaction<'_>,
        new: &NewLogIn,
    ) -> Result<(), SecretsError> {
        let LogIn {
            id,
            operator,
            role,
            client,
            kind,
            address,
            begun_at,
            seen_at,
            ends_at,
        } = &new.log_in;
        transaction.execute(
            "insert into log_ins (id, operator, role, client, kind, address, begun_at, seen_at, ends_at, token)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                id.to_string(),
                operator.as_str(),
                role.as_str(),
                client.as_ref().map(ClientCode::as_str),
                kind_text(*kind),
                address,
                begun_at.0,
                seen_at.0,
                ends_at.0,
                new.token,
            ],
        )?;
        Ok(())
    }

    /// The one that lives, by its cookie's token.
    pub(crate) fn by_token(
        connection: &Connection,
        token: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<LogIn>, SecretsError> {
        one(connection, "token = ?1", token, now)
    }

    /// The one that lives, by its id.
    pub(crate) fn by_id(
        connection: &Connection,
        id: LogInId,
        now: Timestamp,
    ) -> Result<Option<LogIn>, SecretsError> {
        one(connection, "id = ?1", id.to_string(), now)
    }

    /// Those that live, of one operator or of all, the newest first.
    pub(crate) fn living(
        connection: &Connection,
        operator: Option<&OperatorId>,
        now: Timestamp,
    ) -> Result<Vec<LogIn>, SecretsError> {
        let sql = format!(
            "select {COLUMNS} from log_ins where (?1 is null or operator = ?1)
             and ended_at is null and ends_at > ?2 and seen_at > ?3 order by begun_at desc, id"
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let rows = statement.query_map(
            params![operator.map(OperatorId::as_str), now.0, idle_since(now)],
            |row| Ok(read(row)),
        )?;
        rows.map(|row| row?).collect()
    }

    pub(crate) fn note_seen(
        transaction: &Transaction<'_>,
        id: LogInId,
        now: Timestamp,
    ) -> Result<(), SecretsError> {
        transaction.execute(
            "update log_ins set seen_at = max(seen_at, ?2) where id = ?1 and ended_at is null",
            params![id.to_string(), now.0],
        )?;
        Ok(())
    }

    /// Whether it lived until now.
    pub(crate) fn end(
        transaction: &Transaction<'_>,
        id: LogInId,
        now: Timestamp,
    ) -> Result<bool, SecretsError> {
        let ended = transaction.execute(
            "update log_ins set ended_at = ?2 where id = ?1 and ended_at is null",
            params![id.to_string(), now.0],
        )?;
        Ok(ended == 1)
    }

    /// Ends all of an operator's but one. How many there were.
    pub(crate) fn end_all(
        transaction: &Transaction<'_>,
        operator: &OperatorId,
        but: Option<LogInId>,
        now: Timestamp,
    ) -> Result<usize, SecretsError> {
        let ended = transaction.execute(
            "update log_ins set ended_at = ?3
             where operator = ?1 and ended_at is null and id is not ?2",
            params![operator.as_str(), but.map(|id| id.to_string()), now.0],
        )?;
        Ok(ended)
    }

    /// Forgets those that ended at least a day ago: until then a stolen refresh token is still known as one.
    pub(crate) fn prune(
        transaction: &Transaction<'_>,
        now: Timestamp,
    ) -> Result<usize, SecretsError> {
        const KEPT: Duration = Duration::from_secs(24 * 3600);
        let pruned = transaction.execute(
            "delete from log_ins where ends_at < ?1",
            [now.0.saturating_sub(nanoseconds(KEPT))],
        )?;
        Ok(pruned)
    }

    pub(crate) fn add_refresh_token(
        transaction: &Transaction<'_>,
        id: LogInId,
        token: &[u8; 32],
    ) -> Result<(), SecretsError> {
        transaction.execute(
            "insert into refresh_tokens (token, log_in) values (?1, ?2)",
            params![token, id.to_string()],
        )?;
        Ok(())
    }

    /// Puts `next` in the place of `token`. A token that comes a second time ends the log-in.
    pub(crate) fn refresh(
        transaction: &Transaction<'_>,
        token: &[u8; 32],
        next: &[u8; 32],
        now: Timestamp,
    ) -> Result<Refreshed, SecretsError> {
        let found = transaction
            .prepare_cached("select log_in, used_at from refresh_tokens where token = ?1")?
            .query_row([token], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?))
            })
            .optional()?;
        let Some((id, used_at)) = found else {
            return Ok(Refreshed::No);
        };
        let id = log_in_id(&id)?;
        let Some(log_in) = LogIn::by_id(transaction, id, now)? else {
            return Ok(Refreshed::No);
        };
        if used_at.is_some() {
            LogIn::end(transaction, id, now)?;
            return Ok(Refreshed::Reused(log_in));
        }
        transaction.execute(
            "update refresh_tokens set used_at = ?2 where token = ?1",
            params![token, now.0],
        )?;
        LogIn::add_refresh_token(transaction, id, next)?;
        LogIn::note_seen(transaction, id, now)?;
        Ok(Refreshed::Now(log_in))
    }
}

fn one(
    connection: &Connection,
    which: &str,
    key: impl rusqlite::ToSql,
    now: Timestamp,
) -> Result<Option<LogIn>, SecretsError> {
    let sql = format!(
        "select {COLUMNS} from log_ins where {which} and ended_at is null and ends_at > ?2 and seen_at > ?3"
    );
    let found = connection
        .prepare_cached(&sql)?
        .query_row(params![key, now.0, idle_since(now)], |row| Ok(read(row)))
        .optional()?;
    found.transpose()
}

/// Seen last before this, a log-in was left idle too long.
fn idle_since(now: Timestamp) -> i64 {
    now.0.saturating_sub(nanoseconds(IDLE_MAX))
}

fn read(row: &Row<'_>) -> Result<LogIn, SecretsError> {
    let damaged = |error: String| SecretsError::Damaged(error);
    let client = row.get::<_, Option<String>>(3)?;
    let kind: String = row.get(4)?;
    Ok(LogIn {
        id: log_in_id(&row.get::<_, String>(0)?)?,
        operator: row
            .get::<_, String>(1)?
            .parse()
            .map_err(|error: squareoff_domain::id::IdError| damaged(error.to_string()))?,
        role: row
            .get::<_, String>(2)?
            .parse()
            .map_err(|error: squareoff_domain::id::IdError| damaged(error.to_string()))?,
        client: client
            .map(|client| client.parse())
            .transpose()
            .map_err(|error: squareoff_domain::id::IdError| damaged(error.to_string()))?,
        kind: [LogInKind::Cookie, LogInKind::Token]
            .into_iter()
            .find(|known| kind_text(*known) == kind)
            .ok_or_else(|| damaged(format!("`{kind}` is no kind of log-in")))?,
        address: row.get(5)?,
        begun_at: Timestamp(row.get(6)?),
        seen_at: Timestamp(row.get(7)?),
        ends_at: Timestamp(row.get(8)?),
    })
}

fn log_in_id(text: &str) -> Result<LogInId, SecretsError> {
    let id = text.parse().map(LogInId);
    id.map_err(|_| SecretsError::Damaged(format!("`{text}` is no id of a log-in")))
}

const fn kind_text(kind: LogInKind) -> &'static str {
    match kind {
        LogInKind::Cookie => "cookie",
        LogInKind::Token => "token",
    }
}
