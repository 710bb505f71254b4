//! Lists of approvals, newest first, and one by its id.

use super::ApprovalRow;
use crate::query::{Reflecting, page_size, reflecting};
use sqlx::PgPool;
use uuid::Uuid;

/// Which approvals of a list; every field that is set must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApprovalFilter {
    /// As [`squareoff_domain::approval::ApprovalStatus::as_str`].
    pub state: Option<String>,
    pub client_code: Option<String>,
    pub asked_by: Option<String>,
    /// The cursor: only what was asked before this log position, the `position` of the last row of the page before.
    pub before: Option<i64>,
    /// Rows of a page, as in every list.
    pub limit: Option<i64>,
}

/// Approvals, newest first.
///
/// # Errors
/// When Postgres is away.
pub async fn approvals(
    pool: &PgPool,
    filter: &ApprovalFilter,
) -> Result<Reflecting<Vec<ApprovalRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        ApprovalRow,
        "src/approvals/list.sql",
        filter.state.as_deref(),
        filter.client_code.as_deref(),
        filter.asked_by.as_deref(),
        filter.before,
        page_size(filter.limit),
    )
    .fetch_all(connection))
}

/// The approval of this id.
///
/// # Errors
/// When Postgres is away.
pub async fn approval(
    pool: &PgPool,
    approval_id: Uuid,
) -> Result<Reflecting<Option<ApprovalRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        ApprovalRow,
        "src/approvals/by_id.sql",
        approval_id
    )
    .fetch_optional(connection))
}
