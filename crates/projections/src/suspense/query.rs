//! Suspended reports, newest first, and one by its place in the log.

use super::SuspenseRow;
use crate::query::{Reflecting, page_size, reflecting};
use sqlx::PgPool;

/// Which reports of a list; every field that is set must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SuspenseFilter {
    /// `open`, `matched` or `dismissed`.
    pub state: Option<String>,
    pub venue: Option<String>,
    pub account: Option<String>,
    pub symbol: Option<String>,
    pub execution_key: Option<String>,
    /// The cursor: only reports before this log position, the `position` of the last row of the page before.
    pub before: Option<i64>,
    /// Rows of a page, as in every list.
    pub limit: Option<i64>,
}

/// Reports, newest first.
///
/// # Errors
/// When Postgres is away.
pub async fn suspense(
    pool: &PgPool,
    filter: &SuspenseFilter,
) -> Result<Reflecting<Vec<SuspenseRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        SuspenseRow,
        "src/suspense/list.sql",
        filter.state.as_deref(),
        filter.venue.as_deref(),
        filter.account.as_deref(),
        filter.symbol.as_deref(),
        filter.execution_key.as_deref(),
        filter.before,
        page_size(filter.limit),
    )
    .fetch_all(connection))
}

/// The report at this log position.
///
/// # Errors
/// When Postgres is away.
pub async fn suspended(
    pool: &PgPool,
    position: i64,
) -> Result<Reflecting<Option<SuspenseRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        SuspenseRow,
        "src/suspense/by_position.sql",
        position
    )
    .fetch_optional(connection))
}
