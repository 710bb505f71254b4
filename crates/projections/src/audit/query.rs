//! Searches of the audit trail, newest first, and the reports of executions as they came.

use crate::query::{Reflecting, page_size, reflecting};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

/// A row of `audit`: one event of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// In the log: the row's identity and the cursor of a list.
    pub position: i64,
    /// `ask`, `fact` or `refusal`: see [`super::AuditKind`].
    pub kind: String,
    pub event_type: String,
    pub occurred_at: OffsetDateTime,
    pub recorded_at: OffsetDateTime,
    /// The person or process.
    pub actor: String,
    pub stream: String,
    pub client_code: Option<String>,
    pub order_id: Option<Uuid>,
    /// The request that the event answers; `None` for a fact.
    pub request_id: Option<Uuid>,
    /// The request that all this goes back to.
    pub correlation_id: Option<Uuid>,
    /// In words: see [`squareoff_domain::describe()`].
    pub summary: String,
}

/// Which events of a search; every field that is set must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The person or process. Searches only what was asked or refused, unless `facts` is set.
    pub actor: Option<String>,
    pub client_code: Option<String>,
    /// Everything about one order, with the request it came from.
    pub order_id: Option<Uuid>,
    /// What was asked under this id, and every fact that goes back to it.
    pub request_id: Option<Uuid>,
    pub stream: Option<String>,
    /// As in the log: `OrderPlaced`.
    pub event_type: Option<String>,
    /// `ask`, `fact` or `refusal`.
    pub kind: Option<String>,
    /// Whether facts of exchange and gateway are wanted too, when `kind` is `None`.
    pub facts: bool,
    /// By the time an event was recorded: from the first, up to but not with the second.
    pub from: Option<OffsetDateTime>,
    pub to: Option<OffsetDateTime>,
    /// The cursor: only events before this log position, the `position` of the last row of the page before.
    pub before: Option<i64>,
    /// Rows of a page, as in every list.
    pub limit: Option<i64>,
}

/// A report of an execution as it came: told by the order session, the primary or the drop copy, busted, corrected or in conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionRow {
    /// In the log: the row's identity and the cursor of a list.
    pub position: i64,
    /// `Executed`, `PrimaryTradeApplied`, `TradeConfirmed`, `ExecutionBusted`, `ExecutionCorrected` or `ExecutionConflicted`.
    pub event_type: String,
    /// `<venue>|<trade date>|<ExecID>`: of what is busted or corrected, not of the report that says so.
    pub execution_key: String,
    pub order_id: Option<Uuid>,
    pub stream: String,
    pub client_code: Option<String>,
    /// `None` where the report has none.
    pub side: Option<String>,
    /// Units.
    pub quantity: Option<i64>,
    /// In 1/10,000 rupee.
    pub price: Option<i64>,
    pub occurred_at: OffsetDateTime,
    pub recorded_at: OffsetDateTime,
    pub actor: String,
    /// A fill that came after its order had ended here.
    pub late: bool,
    /// In words; `None` for a plain fill or trade, which the fields above say in full.
    pub summary: Option<String>,
}

/// Which reports of a list; every field that is set must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionFilter {
    pub client_code: Option<String>,
    pub order_id: Option<Uuid>,
    /// Found among the reports of the clients that have a trade of this key.
    pub execution_key: Option<String>,
    pub event_type: Option<String>,
    pub from: Option<OffsetDateTime>,
    pub to: Option<OffsetDateTime>,
    /// The cursor: the `position` of the last row of the page before.
    pub before: Option<i64>,
    /// Rows of a page, as in every list.
    pub limit: Option<i64>,
}

/// Events, newest first.
///
/// # Errors
/// When Postgres is away.
pub async fn audit(
    pool: &PgPool,
    filter: &AuditFilter,
) -> Result<Reflecting<Vec<AuditRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        AuditRow,
        "src/audit/list.sql",
        filter.actor.as_deref(),
        filter.client_code.as_deref(),
        filter.order_id,
        filter.request_id,
        filter.stream.as_deref(),
        filter.event_type.as_deref(),
        filter.kind.as_deref(),
        filter.facts,
        filter.from,
        filter.to,
        filter.before,
        page_size(filter.limit),
    )
    .fetch_all(connection))
}

/// The event at this log position.
///
/// # Errors
/// When Postgres is away.
pub async fn audit_event(
    pool: &PgPool,
    position: i64,
) -> Result<Reflecting<Option<AuditRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        AuditRow,
        "src/audit/by_position.sql",
        position
    )
    .fetch_optional(connection))
}

/// Reports of executions, newest first.
///
/// # Errors
/// When Postgres is away.
pub async fn executions(
    pool: &PgPool,
    filter: &ExecutionFilter,
) -> Result<Reflecting<Vec<ExecutionRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        ExecutionRow,
        "src/audit/executions.sql",
        filter.client_code.as_deref(),
        filter.order_id,
        filter.execution_key.as_deref(),
        filter.event_type.as_deref(),
        filter.from,
        filter.to,
        filter.before,
        page_size(filter.limit),
    )
    .fetch_all(connection))
}
