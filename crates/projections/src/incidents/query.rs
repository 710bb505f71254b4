//! The incidents of a trading day with what was done in each, and the day's story in the order of the log.

use super::IncidentRow;
use crate::query::{Reflecting, page_size, reflecting};
use sqlx::{PgConnection, PgPool};
use time::{Date, OffsetDateTime};

/// Which incidents of a list; every field that is set must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    pub from_date: Option<Date>,
    pub to_date: Option<Date>,
    /// The cursor: the `began_position` of the last row of the page before.
    pub before: Option<i64>,
    /// Rows of a page, as in every list.
    pub limit: Option<i64>,
}

/// Everything of one trading day that a report of the incident needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentDay {
    pub trading_date: Date,
    /// In the order they began; usually one.
    pub incidents: Vec<Incident>,
    /// In the order of the log.
    pub timeline: Vec<TimelineEntry>,
}

/// One incident and what was done between its beginning and its end, or up to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    pub row: IncidentRow,
    pub counts: IncidentCounts,
}

/// What happened in the log from an incident's first event to its last. Quantities in units, money in 1/10,000 rupee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncidentCounts {
    /// Requests to close that were accepted, and the orders they were cut into.
    pub square_offs: i64,
    pub orders: i64,
    pub external_orders: i64,
    /// Live trades of orders, ours and external; what they amount to.
    pub executions: i64,
    pub quantity: i64,
    pub value: i64,
    pub clients: i64,
    /// Requests that were refused.
    pub refused: i64,
    pub bulks: i64,
    pub first_order_at: Option<OffsetDateTime>,
    pub last_order_at: Option<OffsetDateTime>,
    pub first_execution_at: Option<OffsetDateTime>,
    pub last_execution_at: Option<OffsetDateTime>,
}

/// A line of the day's story: an event of platform, sessions or bulks, or the first or last order of the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    pub position: i64,
    pub at: OffsetDateTime,
    /// `platform`, `market`, `session`, `bulk`, `first-order` or `last-order`.
    pub kind: String,
    pub event_type: String,
    pub actor: String,
    pub stream: String,
    /// In words.
    pub detail: String,
}

/// Incidents, newest first.
///
/// # Errors
/// When Postgres is away.
pub async fn incidents(
    pool: &PgPool,
    filter: &IncidentFilter,
) -> Result<Reflecting<Vec<IncidentRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        IncidentRow,
        "src/incidents/list.sql",
        filter.from_date,
        filter.to_date,
        filter.before,
        page_size(filter.limit),
    )
    .fetch_all(connection))
}

/// A trading day's incidents and story; `None` when the platform was never asked for on it.
///
/// # Errors
/// When Postgres is away.
pub async fn incident(
    pool: &PgPool,
    trading_date: Date,
) -> Result<Reflecting<Option<IncidentDay>>, sqlx::Error> {
    reflecting!(pool, |connection| day(connection, trading_date))
}

async fn day(
    connection: &mut PgConnection,
    trading_date: Date,
) -> Result<Option<IncidentDay>, sqlx::Error> {
    let rows = sqlx::query_file_as!(IncidentRow, "src/incidents/of_day.sql", trading_date)
        .fetch_all(&mut *connection)
        .await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut incidents = Vec::with_capacity(rows.len());
    for row in rows {
        let counts = sqlx::query_file_as!(
            IncidentCounts,
            "src/incidents/counts.sql",
            row.began_position,
            row.ended_position
        )
        .fetch_one(&mut *connection)
        .await?;
        incidents.push(Incident { row, counts });
    }
    let timeline = sqlx::query_file_as!(TimelineEntry, "src/incidents/timeline.sql", trading_date)
        .fetch_all(connection)
        .await?;
    Ok(Some(IncidentDay {
        trading_date,
        incidents,
        timeline,
    }))
}
