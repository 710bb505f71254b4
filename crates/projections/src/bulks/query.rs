//! Bulks, newest first; the items of one with what their positions say now; and how far each phase is.

use super::BulkRow;
use crate::query::{Reflecting, page_size, reflecting};
use sqlx::PgPool;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// Which bulks of a list; every field that is set must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BulkListFilter {
    pub trading_date: Option<Date>,
    pub status: Option<String>,
    pub proposed_by: Option<String>,
    /// The cursor: the `proposed_position` of the last row of the page before.
    pub before: Option<i64>,
    /// Rows of a page, as in every list.
    pub limit: Option<i64>,
}

/// Which items of a bulk; every field that is set must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BulkItemFilter {
    /// As in [`super::BulkItemRow::phase`].
    pub phase: Option<String>,
    pub client_code: Option<String>,
    /// As in [`BulkItemShown::state`].
    pub state: Option<String>,
    /// The cursor: the `item` of the last row of the page before.
    pub after: Option<i32>,
    /// Rows of a page, as in every list.
    pub limit: Option<i64>,
}

/// An item, and how its position stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkItemShown {
    pub item: i32,
    pub stream: String,
    pub client_code: String,
    pub venue: String,
    pub symbol: String,
    pub product: String,
    pub phase: String,
    /// `closed`, `nothing-to-do`, `refused`, `failed`, `skipped`; while that is open: `cancelling` with orders still to be cancelled first,
    /// `sent` with orders of ours working, `partly-filled` with less open than was listed, otherwise `planned`.
    pub state: String,
    /// When it was listed.
    pub net_quantity: i64,
    pub notional: i64,
    pub working_orders: i64,
    pub cancelled: bool,
    /// As the position stands now; `None` without one.
    pub net_quantity_now: Option<i64>,
    pub working_quantity_now: Option<i64>,
    pub closable_quantity_now: Option<i64>,
    pub outcome_quantity: Option<i64>,
    pub outcome_reason: Option<String>,
    pub settled_at: Option<OffsetDateTime>,
}

/// How far one phase of a bulk is, in items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseProgress {
    /// As [`squareoff_domain::bulk::BulkPhase::as_str`], in the order of work.
    pub phase: String,
    pub items: i64,
    /// See [`BulkItemShown::state`].
    pub planned: i64,
    pub cancelling: i64,
    pub sent: i64,
    pub partly_filled: i64,
    pub closed: i64,
    pub nothing_to_do: i64,
    pub refused: i64,
    pub failed: i64,
    pub skipped: i64,
    /// Units listed, and of them those that are open no more.
    pub quantity: i64,
    pub quantity_closed: i64,
}

/// How far a bulk is, as the positions stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BulkProgress {
    pub phases: Vec<PhaseProgress>,
}

/// Bulks, newest first.
///
/// # Errors
/// When Postgres is away.
pub async fn bulks(
    pool: &PgPool,
    filter: &BulkListFilter,
) -> Result<Reflecting<Vec<BulkRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        BulkRow,
        "src/bulks/list.sql",
        filter.trading_date,
        filter.status.as_deref(),
        filter.proposed_by.as_deref(),
        filter.before,
        page_size(filter.limit),
    )
    .fetch_all(connection))
}

/// The bulk of this id.
///
/// # Errors
/// When Postgres is away.
pub async fn bulk(
    pool: &PgPool,
    bulk_id: Uuid,
) -> Result<Reflecting<Option<BulkRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        BulkRow,
        "src/bulks/by_id.sql",
        bulk_id
    )
    .fetch_optional(connection))
}

/// Items of a bulk, in the order of their list.
///
/// # Errors
/// When Postgres is away.
pub async fn bulk_items(
    pool: &PgPool,
    bulk_id: Uuid,
    filter: &BulkItemFilter,
) -> Result<Reflecting<Vec<BulkItemShown>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        BulkItemShown,
        "src/bulks/items.sql",
        bulk_id,
        filter.phase.as_deref(),
        filter.client_code.as_deref(),
        filter.state.as_deref(),
        filter.after,
        page_size(filter.limit),
    )
    .fetch_all(connection))
}

/// How far each phase is: one pass over the items, some tenths of a second for 150,000.
///
/// # Errors
/// When Postgres is away.
pub async fn bulk_progress(
    pool: &PgPool,
    bulk_id: Uuid,
) -> Result<Reflecting<BulkProgress>, sqlx::Error> {
    let found: Result<Reflecting<Vec<PhaseProgress>>, sqlx::Error> = reflecting!(
        pool,
        |connection| sqlx::query_file_as!(PhaseProgress, "src/bulks/progress.sql", bulk_id)
            .fetch_all(connection)
    );
    found.map(|found| Reflecting {
        value: BulkProgress {
            phases: found.value,
        },
        position: found.position,
    })
}
