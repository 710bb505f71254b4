//! `GET /v1/audit`: who did what. `GET /v1/executions`: what was reported of executions, as it came.

use super::{
    cursor, filter, flag, instant, next, one_of, outage, page_rows, rupees, uuid, wait_for, word,
};
use crate::auth::Actor;
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use squareoff_domain::{ClientCode, ExecutionKey};
use squareoff_projections::audit::{
    AuditFilter, AuditKind, AuditRow, ExecutionFilter, ExecutionRow, audit, executions,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// The reports that the list of executions is made of.
const REPORTS: &[&str] = &[
    "Executed",
    "PrimaryTradeApplied",
    "TradeConfirmed",
    "ExecutionBusted",
    "ExecutionCorrected",
    "ExecutionConflicted",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// The person or process.
    actor: Option<String>,
    client_code: Option<String>,
    order_id: Option<String>,
    request_id: Option<String>,
    stream: Option<String>,
    event_type: Option<String>,
    kind: Option<String>,
    /// Whether facts are wanted too, when no kind is named.
    facts: Option<String>,
    from: Option<String>,
    to: Option<String>,
    before: Option<String>,
    limit: Option<String>,
    at_least: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutionQuery {
    client_code: Option<String>,
    order_id: Option<String>,
    execution_key: Option<String>,
    event_type: Option<String>,
    from: Option<String>,
    to: Option<String>,
    before: Option<String>,
    limit: Option<String>,
    at_least: Option<String>,
}

#[derive(Serialize)]
pub struct AuditPage {
    audit: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    position: String,
}

#[derive(Serialize)]
struct Entry {
    event_position: String,
    kind: String,
    event_type: String,
    #[serde(with = "time::serde::rfc3339")]
    occurred_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    recorded_at: OffsetDateTime,
    actor: String,
    stream: String,
    client_code: Option<String>,
    order_id: Option<Uuid>,
    request_id: Option<Uuid>,
    correlation_id: Option<Uuid>,
    /// In words.
    summary: String,
}

#[derive(Serialize)]
pub struct ExecutionPage {
    executions: Vec<Reported>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    position: String,
}

/// Quantity in units, price in rupees.
#[derive(Serialize)]
struct Reported {
    event_position: String,
    event_type: String,
    execution_key: String,
    order_id: Option<Uuid>,
    stream: String,
    client_code: Option<String>,
    side: Option<String>,
    quantity: Option<i64>,
    price: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    occurred_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    recorded_at: OffsetDateTime,
    actor: String,
    /// A fill that came after its order had ended here.
    late: bool,
    /// In words, where there is more to say than the fields do.
    summary: Option<String>,
}

pub async fn search(
    State(app): State<App>,
    _: Actor,
    Query(query): Query<AuditQuery>,
) -> Result<Json<AuditPage>, Problem> {
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
    Ok(Json(AuditPage {
        audit: found.value.into_iter().map(Entry::from).collect(),
        next,
        position: found.position.to_string(),
    }))
}

pub async fn reports(
    State(app): State<App>,
    _: Actor,
    Query(query): Query<ExecutionQuery>,
) -> Result<Json<ExecutionPage>, Problem> {
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
    Ok(Json(ExecutionPage {
        executions: found.value.into_iter().map(Reported::from).collect(),
        next,
        position: found.position.to_string(),
    }))
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
