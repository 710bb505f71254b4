//! `GET /v1/audit`: who did what. `GET /v1/executions`: what was reported of executions, as it came.

use super::rows::Wanted;
use super::{
    cursor, filter, flag, instant, next, one_of, outage, page_rows, rupees, uuid, wait_for, word,
};
use crate::auth::Actor;
use crate::document::values;
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use squareoff_domain::{ClientCode, ExecutionKey};
use squareoff_projections::audit::{
    AuditFilter, AuditKind, AuditRow, ExecutionFilter, ExecutionRow, audit, executions,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// The reports that the list of executions is made of.
pub const REPORTS: &[&str] = &[
    "Executed",
    "PrimaryTradeApplied",
    "TradeConfirmed",
    "ExecutionBusted",
    "ExecutionCorrected",
    "ExecutionConflicted",
];

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// The person or process.
    #[param(value_type = values::Name, required = false)]
    actor: Option<String>,
    #[param(value_type = values::ClientCode, required = false)]
    client_code: Option<String>,
    #[param(value_type = Uuid, required = false)]
    order_id: Option<String>,
    #[param(value_type = Uuid, required = false)]
    request_id: Option<String>,
    #[param(value_type = values::StreamName, required = false)]
    stream: Option<String>,
    #[param(value_type = values::EventType, required = false)]
    event_type: Option<String>,
    #[param(value_type = values::AuditSort, required = false)]
    kind: Option<String>,
    /// Whether facts are wanted too, when no kind is named.
    #[param(value_type = bool, required = false)]
    facts: Option<String>,
    #[param(value_type = values::Instant, required = false)]
    from: Option<String>,
    #[param(value_type = values::Instant, required = false)]
    to: Option<String>,
    #[param(value_type = values::LogPosition, required = false)]
    before: Option<String>,
    #[param(value_type = u32, minimum = 1, maximum = 500, default = 100, required = false)]
    limit: Option<String>,
    #[param(value_type = values::LogPosition, required = false)]
    at_least: Option<String>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ExecutionQuery {
    #[param(value_type = values::ClientCode, required = false)]
    client_code: Option<String>,
    #[param(value_type = Uuid, required = false)]
    order_id: Option<String>,
    #[param(value_type = values::ExecutionText, required = false)]
    execution_key: Option<String>,
    #[param(value_type = values::ReportType, required = false)]
    event_type: Option<String>,
    #[param(value_type = values::Instant, required = false)]
    from: Option<String>,
    #[param(value_type = values::Instant, required = false)]
    to: Option<String>,
    #[param(value_type = values::LogPosition, required = false)]
    before: Option<String>,
    #[param(value_type = u32, minimum = 1, maximum = 500, default = 100, required = false)]
    limit: Option<String>,
    #[param(value_type = values::LogPosition, required = false)]
    at_least: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct AuditPage {
    audit: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = values::LogPosition, required = false)]
    next: Option<String>,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = AuditEntry)]
struct Entry {
    #[schema(value_type = values::LogPosition)]
    event_position: String,
    #[schema(value_type = values::AuditSort)]
    kind: String,
    event_type: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = values::Instant)]
    occurred_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = values::Instant)]
    recorded_at: OffsetDateTime,
    actor: String,
    #[schema(value_type = values::StreamName)]
    stream: String,
    #[schema(value_type = Option<values::ClientCode>, required = true)]
    client_code: Option<String>,
    #[schema(required = true)]
    order_id: Option<Uuid>,
    #[schema(required = true)]
    request_id: Option<Uuid>,
    #[schema(required = true)]
    correlation_id: Option<Uuid>,
    /// In words.
    summary: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct ExecutionPage {
    executions: Vec<Reported>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = values::LogPosition, required = false)]
    next: Option<String>,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

/// Quantity in units, price in rupees.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ExecutionReported)]
struct Reported {
    #[schema(value_type = values::LogPosition)]
    event_position: String,
    #[schema(value_type = values::ReportType)]
    event_type: String,
    #[schema(value_type = values::ExecutionText)]
    execution_key: String,
    #[schema(required = true)]
    order_id: Option<Uuid>,
    #[schema(value_type = values::StreamName)]
    stream: String,
    #[schema(value_type = Option<values::ClientCode>, required = true)]
    client_code: Option<String>,
    #[schema(value_type = Option<values::SideName>, required = true)]
    side: Option<String>,
    #[schema(required = true)]
    quantity: Option<i64>,
    #[schema(value_type = Option<values::Rupees>, required = true)]
    price: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = values::Instant)]
    occurred_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = values::Instant)]
    recorded_at: OffsetDateTime,
    actor: String,
    /// A fill that came after its order had ended here.
    late: bool,
    /// In words, where there is more to say than the fields do.
    #[schema(required = true)]
    summary: Option<String>,
}

/// Who did what: each event a line in words, newest first.
///
/// What every order has alike is not here: its placing, dispatch and acknowledgement show in the orders, its fills in the
/// executions. `from` and `to` are times, up to but not with `to`.
#[utoipa::path(
    get,
    path = "/v1/audit",
    operation_id = "searchAudit",
    tag = "Audit",
    params(AuditQuery),
    responses((status = 200, description = "A page of the audit trail; with `Accept: text/csv` its rows, `Link` to the next and `x-log-position`", content((AuditPage = "application/json"), (String = "text/csv")))),
)]
pub async fn search(
    State(app): State<App>,
    _: Actor,
    rows: Wanted,
    Query(query): Query<AuditQuery>,
) -> Result<Response, Problem> {
    let limit = page_rows(query.limit.as_deref())?;
    let kinds: Vec<_> = AuditKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let kind = query.kind.map(|kind| one_of("kind", kind, &kinds));
    let wanted = AuditFilter {
        actor: word("actor", query.actor)?,
        client_code: filter::<ClientCode>("client_code", query.client_code)?,
        order_id: uuid("order_id", query.order_id.as_deref())?,
        request_id: uuid("request_id", query.request_id.as_deref())?,
        stream: word("stream", query.stream)?,
        event_type: word("event_type", query.event_type)?,
        kind: kind.transpose()?,
        facts: flag("facts", query.facts)?,
        from: instant("from", query.from.as_deref())?,
        to: instant("to", query.to.as_deref())?,
        before: cursor(query.before.as_deref())?,
        limit: Some(limit),
    };
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = audit(&app.reads, &wanted).await.map_err(outage)?;
    let next = next(&found.value, limit, |row| row.position);
    let audit: Vec<_> = found.value.into_iter().map(Entry::from).collect();
    let position = found.position.to_string();
    rows.page(audit, "before", next, position, |audit, next, position| {
        AuditPage {
            audit,
            next,
            position,
        }
    })
}

/// Reports of executions as they came, one row for each, newest first.
///
/// `from` and `to` are times, up to but not with `to`.
#[utoipa::path(
    get,
    path = "/v1/executions",
    operation_id = "listExecutions",
    tag = "Audit",
    params(ExecutionQuery),
    responses((status = 200, description = "A page of reports; with `Accept: text/csv` its rows, `Link` to the next and `x-log-position`", content((ExecutionPage = "application/json"), (String = "text/csv")))),
)]
pub async fn reports(
    State(app): State<App>,
    _: Actor,
    rows: Wanted,
    Query(query): Query<ExecutionQuery>,
) -> Result<Response, Problem> {
    let limit = page_rows(query.limit.as_deref())?;
    let event_type = query.event_type;
    let event_type = event_type.map(|text| one_of("event_type", text, REPORTS));
    let wanted = ExecutionFilter {
        client_code: filter::<ClientCode>("client_code", query.client_code)?,
        order_id: uuid("order_id", query.order_id.as_deref())?,
        execution_key: filter::<ExecutionKey>("execution_key", query.execution_key)?,
        event_type: event_type.transpose()?,
        from: instant("from", query.from.as_deref())?,
        to: instant("to", query.to.as_deref())?,
        before: cursor(query.before.as_deref())?,
        limit: Some(limit),
    };
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = executions(&app.reads, &wanted).await.map_err(outage)?;
    let next = next(&found.value, limit, |row| row.position);
    let executions: Vec<_> = found.value.into_iter().map(Reported::from).collect();
    let position = found.position.to_string();
    rows.page(
        executions,
        "before",
        next,
        position,
        |executions, next, position| ExecutionPage {
            executions,
            next,
            position,
        },
    )
}

impl From<AuditRow> for Entry {
    fn from(row: AuditRow) -> Self {
        Entry {
            event_position: row.position.to_string(),
            kind: row.kind,
            event_type: row.event_type,
            occurred_at: row.occurred_at,
            recorded_at: row.recorded_at,
            actor: row.actor,
            stream: row.stream,
            client_code: row.client_code,
            order_id: row.order_id,
            request_id: row.request_id,
            correlation_id: row.correlation_id,
            summary: row.summary,
        }
    }
}

impl From<ExecutionRow> for Reported {
    fn from(row: ExecutionRow) -> Self {
        Reported {
            event_position: row.position.to_string(),
            event_type: row.event_type,
            execution_key: row.execution_key,
            order_id: row.order_id,
            stream: row.stream,
            client_code: row.client_code,
            side: row.side,
            quantity: row.quantity,
            price: row.price.map(rupees),
            occurred_at: row.occurred_at,
            recorded_at: row.recorded_at,
            actor: row.actor,
            late: row.late,
            summary: row.summary,
        }
    }
}
