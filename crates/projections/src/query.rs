//! What every query of the read models has in common: the log position it reflects, and a bounded page.

use crate::units::stored_position;
use sqlx::{Connection, PgConnection, PgPool};
use squareoff_store::Position;

/// Rows of a page when the caller doesn't say.
pub const PAGE_ROWS_DEFAULT: i64 = 100;
/// A larger page is cut to this, so that no request holds more than a few hundred kilobytes.
pub const PAGE_ROWS_MAX: i64 = 500;

/// A query is repeated when a rebuild's swap falls into it; swaps are minutes apart, so the second try is the last in practice.
const TRIES_MAX: usize = 3;

/// An answer and the log position it reflects: every event up to there is in it, none behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reflecting<T> {
    pub value: T,
    pub position: Position,
}

/// The position up to which the live read models reflect the log.
///
/// # Errors
/// When Postgres is away.
pub async fn checkpoint(pool: &PgPool) -> Result<Position, sqlx::Error> {
    let position = sqlx::query_scalar!("SELECT position FROM checkpoint")
        .fetch_one(pool)
        .await?;
    Ok(stored_position(position))
}

pub(crate) fn page_size(limit: Option<i64>) -> i64 {
    limit.unwrap_or(PAGE_ROWS_DEFAULT).clamp(1, PAGE_ROWS_MAX)
}

/// Runs `read` and reads the checkpoint in one snapshot.
///
/// A snapshot covers rows, not names: after a swap the same name means another table, whose rows the snapshot can't see. So the
/// name is looked up before and after, and the whole read is done again when it changed its meaning.
pub(crate) async fn reflecting<T>(
    pool: &PgPool,
    read: impl AsyncFn(&mut PgConnection) -> Result<T, sqlx::Error>,
) -> Result<Reflecting<T>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    for _ in 0..TRIES_MAX {
        let mut snapshot = connection
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        let before = sqlx::query!(
            r#"SELECT position, 'checkpoint'::regclass::oid AS "table!" FROM checkpoint"#
        )
        .fetch_one(&mut *snapshot)
        .await?;
        let value = read(&mut snapshot).await?;
        let after = sqlx::query_scalar!(r#"SELECT to_regclass('checkpoint')::oid AS "table""#)
            .fetch_one(&mut *snapshot)
            .await?;
        snapshot.commit().await?;
        if after == Some(before.table) {
            return Ok(Reflecting {
                value,
                position: stored_position(before.position),
            });
        }
    }
    Err(sqlx::Error::Protocol(
        "the read models were replaced during each of several tries".into(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_never_empty_and_never_unbounded() {
        for (asked, rows) in [
            (None, 100),
            (Some(0), 1),
            (Some(-5), 1),
            (Some(7), 7),
            (Some(500), 500),
            (Some(i64::MAX), 500),
        ] {
            assert_eq!(page_size(asked), rows);
        }
    }
}
