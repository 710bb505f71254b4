//! `GET /v1/incidents` and `GET /v1/incidents/{trading_date}`: when the outage began and ended, what was done in it and by whom. As JSON,
//! and as CSV for the regulator's report.

use super::rows::{Wanted, accepts_csv, plain};
use super::{cursor, day, next, outage, page_rows, parameter, rupees, trading_day, wait_for};
use crate::auth::Actor;
use crate::document::values;
use crate::extract::{Path, Query};
use crate::problem::Problem;
use crate::server::App;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use squareoff_domain::TradingDate;
use squareoff_projections::incidents::{
    Incident, IncidentCounts, IncidentDay, IncidentFilter, IncidentRow, TimelineEntry, incident,
    incidents,
};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Trading dates, both included.
    #[param(value_type = values::TradingDay, required = false)]
    from: Option<String>,
    #[param(value_type = values::TradingDay, required = false)]
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
pub struct DayQuery {
    /// Absent: as the Accept header says.
    #[param(value_type = values::FormatName, required = false)]
    format: Option<Format>,
    #[param(value_type = values::LogPosition, required = false)]
    at_least: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Format {
    Json,
    Csv,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = IncidentPage)]
pub struct Page {
    incidents: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = values::LogPosition, required = false)]
    next: Option<String>,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = IncidentDay)]
struct Day {
    #[schema(value_type = values::TradingDay)]
    trading_date: String,
    incidents: Vec<WithCounts>,
    timeline: Vec<Line>,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = IncidentWithCounts)]
struct WithCounts {
    #[serde(flatten)]
    incident: Shown,
    counts: Counts,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Incident)]
struct Shown {
    #[schema(value_type = values::LogPosition)]
    began_position: String,
    #[schema(value_type = values::TradingDay)]
    trading_date: String,
    reason: String,
    #[schema(value_type = Option<values::Instant>, required = true)]
    outage_began_at: Option<String>,
    #[schema(value_type = Option<values::Instant>, required = true)]
    requested_at: Option<String>,
    #[schema(required = true)]
    requested_by: Option<String>,
    #[schema(value_type = Option<values::Instant>, required = true)]
    approved_at: Option<String>,
    #[schema(required = true)]
    approved_by: Option<String>,
    #[schema(required = true)]
    epoch: Option<i64>,
    #[schema(value_type = Option<values::Instant>, required = true)]
    activated_at: Option<String>,
    #[schema(required = true)]
    activated_by: Option<String>,
    #[schema(value_type = Option<values::Instant>, required = true)]
    handback_requested_at: Option<String>,
    #[schema(required = true)]
    handback_requested_by: Option<String>,
    #[schema(value_type = Option<values::Instant>, required = true)]
    handback_approved_at: Option<String>,
    #[schema(required = true)]
    handback_approved_by: Option<String>,
    /// `handed-back`, `stood-down`, `rejected`; absent while it goes on.
    #[schema(value_type = Option<values::IncidentEnd>, required = true)]
    ended: Option<String>,
    #[schema(value_type = Option<values::Instant>, required = true)]
    ended_at: Option<String>,
    #[schema(required = true)]
    ended_by: Option<String>,
    #[schema(required = true)]
    handed_back_positions: Option<i64>,
    #[schema(required = true)]
    handed_back_orders: Option<i64>,
    #[schema(required = true)]
    handed_back_executions: Option<i64>,
    #[schema(required = true)]
    handed_back_net_digest: Option<String>,
}

/// Quantity in units, value in rupees.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = IncidentCounts)]
struct Counts {
    square_offs: i64,
    orders: i64,
    external_orders: i64,
    executions: i64,
    quantity: i64,
    #[schema(value_type = values::Rupees)]
    value: String,
    clients: i64,
    refused: i64,
    bulks: i64,
    #[schema(value_type = Option<values::Instant>, required = true)]
    first_order_at: Option<String>,
    #[schema(value_type = Option<values::Instant>, required = true)]
    last_order_at: Option<String>,
    #[schema(value_type = Option<values::Instant>, required = true)]
    first_execution_at: Option<String>,
    #[schema(value_type = Option<values::Instant>, required = true)]
    last_execution_at: Option<String>,
}

/// A line of the day's story, in JSON as in CSV.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = TimelineLine)]
struct Line {
    at: String,
    kind: String,
    event_type: String,
    actor: String,
    detail: String,
    #[schema(value_type = values::StreamName)]
    stream: String,
    #[schema(value_type = values::LogPosition)]
    event_position: String,
}

/// The incidents, newest first: when each outage began and ended, and who decided what.
///
/// `from` and `to` are trading dates, both included.
#[utoipa::path(
    get,
    path = "/v1/incidents",
    operation_id = "listIncidents",
    tag = "Incidents",
    params(ListQuery),
    responses((status = 200, description = "A page of incidents; with `Accept: text/csv` its rows, `Link` to the next and `x-log-position`", content((Page = "application/json"), (String = "text/csv")))),
)]
pub async fn list(
    State(app): State<App>,
    _: Actor,
    rows: Wanted,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let limit = page_rows(query.limit.as_deref())?;
    let wanted = IncidentFilter {
        from_date: day("from", query.from.as_deref())?,
        to_date: day("to", query.to.as_deref())?,
        before: cursor(query.before.as_deref())?,
        limit: Some(limit),
    };
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = incidents(&app.reads, &wanted).await.map_err(outage)?;
    let next = next(&found.value, limit, |row| row.began_position);
    let incidents: Vec<_> = found.value.into_iter().map(Shown::from).collect();
    let position = found.position.to_string();
    rows.page(
        incidents,
        "before",
        next,
        position,
        |incidents, next, position| Page {
            incidents,
            next,
            position,
        },
    )
}

/// A trading date's incidents, its numbers and its timeline: as JSON, or as CSV for the regulator's report.
///
/// Without `format` the `Accept` header says which.
#[utoipa::path(
    get,
    path = "/v1/incidents/{trading_date}",
    operation_id = "showIncidents",
    tag = "Incidents",
    params(("trading_date" = values::TradingDay, Path, description = "The trading date"), DayQuery),
    responses((status = 200, description = "The day", content((Day = "application/json"), (String = "text/csv")))),
    extensions(("x-problems" = json!(["unknown-incident"]))),
)]
pub async fn show(
    State(app): State<App>,
    _: Actor,
    headers: HeaderMap,
    Path(text): Path<String>,
    Query(query): Query<DayQuery>,
) -> Result<Response, Problem> {
    let date: TradingDate = parameter("trading_date", &text)?;
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = incident(&app.reads, trading_day(date))
        .await
        .map_err(outage)?;
    let told = found.value.ok_or_else(|| {
        Problem::not_found(
            "unknown-incident",
            "There was no such incident",
            format!("nobody asked to activate the platform for {date}"),
        )
    })?;
    let wanted = query.format.unwrap_or(if accepts_csv(&headers) {
        Format::Csv
    } else {
        Format::Json
    });
    match wanted {
        Format::Csv => as_csv(date, &told),
        Format::Json => {
            let day = Day {
                trading_date: date.to_string(),
                incidents: told.incidents.into_iter().map(WithCounts::from).collect(),
                timeline: told.timeline.into_iter().map(Line::from).collect(),
                position: found.position.to_string(),
            };
            Ok(Json(day).into_response())
        }
    }
}

/// The timeline with the outage's beginning and end as lines of their own, in the order of time, then the day's numbers.
fn as_csv(date: TradingDate, told: &IncidentDay) -> Result<Response, Problem> {
    let mut lines: Vec<(OffsetDateTime, Line)> = told
        .timeline
        .iter()
        .map(|entry| (entry.at, Line::from(entry.clone())))
        .chain(told.incidents.iter().flat_map(|it| bounds(&it.row)))
        .collect();
    lines.sort_by_key(|(at, _)| *at);
    let numbers = told.incidents.iter().flat_map(numbers);
    let mut csv = csv::Writer::from_writer(Vec::new());
    let columns = [
        "at",
        "kind",
        "event_type",
        "actor",
        "detail",
        "stream",
        "event_position",
    ];
    csv.write_record(columns).map_err(Problem::bug)?;
    for line in lines.into_iter().map(|(_, line)| line).chain(numbers) {
        let Line {
            at,
            kind,
            event_type,
            actor,
            detail,
            stream,
            event_position,
        } = line;
        let fields = [at, kind, event_type, actor, detail, stream, event_position];
        csv.write_record(fields.map(|field| plain(&field)))
            .map_err(Problem::bug)?;
    }
    let mut response = csv.into_inner().map_err(Problem::bug)?.into_response();
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, kind);
    let name = format!("attachment; filename=\"incident-{date}.csv\"");
    let name = HeaderValue::from_str(&name).map_err(Problem::bug)?;
    headers.insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}

fn bounds(row: &IncidentRow) -> Vec<(OffsetDateTime, Line)> {
    let line = |at: OffsetDateTime, kind: &str, actor: &Option<String>, detail: &str| {
        let line = Line {
            at: written(at),
            kind: kind.to_owned(),
            event_type: String::new(),
            actor: actor.clone().unwrap_or_default(),
            detail: detail.to_owned(),
            stream: String::new(),
            event_position: String::new(),
        };
        (at, line)
    };
    let began = row
        .outage_began_at
        .map(|at| line(at, "outage-began", &row.requested_by, &row.reason));
    // Of an activation that nobody said an outage of, no outage can end.
    let ended = row.outage_began_at.and(row.ended_at);
    let ended = ended.zip(row.ended.as_deref());
    let ended = ended.map(|(at, how)| line(at, "outage-ended", &row.ended_by, how));
    began.into_iter().chain(ended).collect()
}

fn numbers(incident: &Incident) -> Vec<Line> {
    let counts = Counts::from(incident.counts);
    let epoch = incident.row.epoch;
    let stream = epoch.map_or_else(String::new, |epoch| format!("epoch {epoch}"));
    let line = |name: &str, value: String| Line {
        at: String::new(),
        kind: "count".to_owned(),
        event_type: name.to_owned(),
        actor: String::new(),
        detail: value,
        stream: stream.clone(),
        event_position: String::new(),
    };
    vec![
        line("square-offs", counts.square_offs.to_string()),
        line("orders", counts.orders.to_string()),
        line("external-orders", counts.external_orders.to_string()),
        line("executions", counts.executions.to_string()),
        line("quantity", counts.quantity.to_string()),
        line("value", counts.value),
        line("clients", counts.clients.to_string()),
        line("refused", counts.refused.to_string()),
        line("bulks", counts.bulks.to_string()),
    ]
}

fn written(at: OffsetDateTime) -> String {
    at.format(&Rfc3339)
        .expect("RFC 3339 writes every year between 0 and 9999")
}

impl From<Incident> for WithCounts {
    fn from(incident: Incident) -> Self {
        WithCounts {
            incident: incident.row.into(),
            counts: incident.counts.into(),
        }
    }
}

impl From<IncidentCounts> for Counts {
    fn from(counts: IncidentCounts) -> Self {
        Counts {
            square_offs: counts.square_offs,
            orders: counts.orders,
            external_orders: counts.external_orders,
            executions: counts.executions,
            quantity: counts.quantity,
            value: rupees(counts.value),
            clients: counts.clients,
            refused: counts.refused,
            bulks: counts.bulks,
            first_order_at: counts.first_order_at.map(written),
            last_order_at: counts.last_order_at.map(written),
            first_execution_at: counts.first_execution_at.map(written),
            last_execution_at: counts.last_execution_at.map(written),
        }
    }
}

impl From<IncidentRow> for Shown {
    fn from(row: IncidentRow) -> Self {
        Shown {
            began_position: row.began_position.to_string(),
            trading_date: row.trading_date.to_string(),
            reason: row.reason,
            outage_began_at: row.outage_began_at.map(written),
            requested_at: row.requested_at.map(written),
            requested_by: row.requested_by,
            approved_at: row.approved_at.map(written),
            approved_by: row.approved_by,
            epoch: row.epoch,
            activated_at: row.activated_at.map(written),
            activated_by: row.activated_by,
            handback_requested_at: row.handback_requested_at.map(written),
            handback_requested_by: row.handback_requested_by,
            handback_approved_at: row.handback_approved_at.map(written),
            handback_approved_by: row.handback_approved_by,
            ended: row.ended,
            ended_at: row.ended_at.map(written),
            ended_by: row.ended_by,
            handed_back_positions: row.handed_back_positions,
            handed_back_orders: row.handed_back_orders,
            handed_back_executions: row.handed_back_executions,
            handed_back_net_digest: row.handed_back_net_digest,
        }
    }
}

impl From<TimelineEntry> for Line {
    fn from(entry: TimelineEntry) -> Self {
        Line {
            at: written(entry.at),
            kind: entry.kind,
            event_type: entry.event_type,
            actor: entry.actor,
            detail: entry.detail,
            stream: entry.stream,
            event_position: entry.position.to_string(),
        }
    }
}
