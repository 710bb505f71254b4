//! What every query of the read models has in common: the log position it reflects, and a bounded page.

use crate::units::stored_position;
use sqlx::postgres::types::Oid;
use sqlx::{PgPool, Postgres, Transaction};
use squareoff_store::Position;
use std::ops::ControlFlow;

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

/// One snapshot of rows and checkpoint: read in it, then ask [`Snapshot::answer`] whether the reading holds.
///
/// A snapshot covers rows, not names: after a swap the same name means another table, whose rows the snapshot can't see. So the
/// name is looked up before and after, and the whole read is done again when it changed its meaning.
pub(crate) struct Snapshot {
    pool: PgPool,
    pub(crate) transaction: Transaction<'static, Postgres>,
    position: Position,
    table: Oid,
    tries: usize,
}

impl Snapshot {
    pub(crate) async fn begin(pool: &PgPool) -> Result<Self, sqlx::Error> {
        Self::begin_again(pool.clone(), 1).await
    }

    async fn begin_again(pool: PgPool, tries: usize) -> Result<Self, sqlx::Error> {
        let mut transaction = pool
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        let found = sqlx::query!(
            r#"SELECT position, 'checkpoint'::regclass::oid AS "table!" FROM checkpoint"#
        )
        .fetch_one(&mut *transaction)
        .await?;
        Ok(Snapshot {
            pool,
            transaction,
            position: stored_position(found.position),
            table: found.table,
            tries,
        })
    }

    /// The value that was read, or a new snapshot to read it in again.
    pub(crate) async fn answer<T>(
        mut self,
        value: T,
    ) -> Result<ControlFlow<Reflecting<T>, Self>, sqlx::Error> {
        let table = sqlx::query_scalar!(r#"SELECT to_regclass('checkpoint')::oid AS "table""#)
            .fetch_one(&mut *self.transaction)
            .await?;
        self.transaction.commit().await?;
        if table == Some(self.table) {
            let position = self.position;
            return Ok(ControlFlow::Break(Reflecting { value, position }));
        }
        if self.tries == TRIES_MAX {
            let reason = "the read models were replaced during each of several tries";
            return Err(sqlx::Error::Protocol(reason.into()));
        }
        let again = Self::begin_again(self.pool, self.tries + 1).await?;
        Ok(ControlFlow::Continue(again))
    }
}

/// Reads `$query` and the checkpoint in one snapshot; `$connection` names the connection in it.
macro_rules! reflecting {
    ($pool:expr, |$connection:ident| $query:expr) => {{
        let mut snapshot = $crate::query::Snapshot::begin($pool).await?;
        loop {
            let $connection = &mut *snapshot.transaction;
            let value = $query.await?;
            match snapshot.answer(value).await? {
                std::ops::ControlFlow::Break(answer) => break Ok(answer),
                std::ops::ControlFlow::Continue(again) => snapshot = again,
            }
        }
    }};
}
pub(crate) use reflecting;

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
