//! Bulks as they stand: lists, one with its progress, its phases, its items.

use super::{What, bulk_id, known};
use crate::auth::Actor;
use crate::bulk::{MeasuredPace, Summary};
use crate::document::values;
use crate::extract::{Path, Query};
use crate::if_match::etag;
use crate::problem::Problem;
use crate::routes::rows::Wanted;
use crate::routes::{
    cursor, next, one_of, outage, page_rows, parameter, rfc3339, rupees, wait_for,
};
use crate::server::{App, now};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use squareoff_domain::bulk::{BulkId, BulkPhase, BulkRefusal, BulkStatus};
use squareoff_domain::position::TimeInForce;
use squareoff_domain::{ClientCode, Timestamp, TradingDate};
use squareoff_projections::bulks::{
    BulkItemFilter, BulkItemShown, PhaseProgress, bulk_items, bulk_progress,
};
use squareoff_store::Position;
use time::OffsetDateTime;
use uuid::Uuid;

/// Every state an item can be in, as the read model writes them.
pub const STATES: &[&str] = &[
    "planned",
    "cancelling",
    "sent",
    "partly-filled",
    "closed",
    "nothing-to-do",
    "refused",
    "failed",
    "skipped",
];

pub const STATUSES: &[BulkStatus] = &[
    BulkStatus::Proposed,
    BulkStatus::Running,
    BulkStatus::Paused,
    BulkStatus::Rejected,
    BulkStatus::Aborted,
    BulkStatus::Completed,
];

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    #[param(value_type = values::BulkState, required = false)]
    status: Option<String>,
    /// `next` of the page before.
    #[param(value_type = values::LogPosition, required = false)]
    before: Option<String>,
    #[param(value_type = u32, minimum = 1, maximum = 500, default = 100, required = false)]
    limit: Option<String>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ItemsQuery {
    #[param(value_type = values::BulkPhaseName, required = false)]
    phase: Option<String>,
    #[param(value_type = values::ClientCode, required = false)]
    client_code: Option<String>,
    #[param(value_type = values::ItemState, required = false)]
    state: Option<String>,
    /// `next` of the page before.
    #[param(value_type = u32, required = false)]
    after: Option<String>,
    #[param(value_type = u32, minimum = 1, maximum = 500, default = 100, required = false)]
    limit: Option<String>,
    #[param(value_type = values::LogPosition, required = false)]
    at_least: Option<String>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    #[param(value_type = values::LogPosition, required = false)]
    at_least: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BulkShown)]
pub(crate) struct Shown {
    #[serde(flatten)]
    bulk: Listed,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

impl Shown {
    /// As the log has it up to `position`.
    pub(crate) fn of(id: BulkId, summary: &Summary, position: Position) -> Self {
        Shown {
            bulk: Listed::of(id, summary),
            position: position.to_string(),
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BulkPage)]
pub(super) struct Page {
    bulks: Vec<Listed>,
    /// `before` of the next page; absent when this one was not full.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = values::LogPosition, required = false)]
    next: Option<String>,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Bulk)]
struct Listed {
    bulk_id: Uuid,
    #[schema(value_type = values::BulkState)]
    status: &'static str,
    #[schema(value_type = Option<values::BulkPhaseName>, required = true)]
    phase: Option<&'static str>,
    #[serde(flatten)]
    what: What,
    #[schema(value_type = values::Instant)]
    proposed_at: String,
    #[schema(required = true)]
    approved_by: Option<String>,
    #[schema(value_type = Option<values::Instant>, required = true)]
    approved_at: Option<String>,
    #[schema(required = true)]
    stopped_by: Option<String>,
    #[schema(required = true)]
    stopped_because: Option<String>,
    #[schema(value_type = Option<values::Instant>, required = true)]
    ended_at: Option<String>,
    /// Of its stream: the `ETag`, for `If-Match`.
    version: u64,
    progress: Progress,
}

/// Items by what became of them; together they are `items`.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BulkProgress)]
struct Progress {
    /// Not begun.
    planned: u32,
    /// Asked for, and not ended.
    sent: u32,
    closed: u32,
    nothing_to_do: u32,
    refused: u32,
    failed: u32,
    skipped: u32,
    /// Items without working orders, of those that the cancelling came to.
    cancelled: u32,
    /// Over the last seconds; null unless it is running.
    #[schema(required = true)]
    items_per_s: Option<f64>,
    #[schema(required = true)]
    estimated_seconds_left: Option<u64>,
    #[schema(value_type = Option<values::Instant>, required = true)]
    estimated_end_at: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BulkPhases)]
pub(super) struct Phases {
    bulk_id: Uuid,
    phases: Vec<PhaseShown>,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

/// Items, and quantities in units.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BulkPhaseShown)]
struct PhaseShown {
    #[schema(value_type = values::BulkPhaseName)]
    phase: String,
    items: i64,
    planned: i64,
    cancelling: i64,
    sent: i64,
    partly_filled: i64,
    closed: i64,
    nothing_to_do: i64,
    refused: i64,
    failed: i64,
    skipped: i64,
    quantity: i64,
    quantity_closed: i64,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BulkItemPage)]
pub(super) struct Items {
    bulk_id: Uuid,
    items: Vec<Item>,
    /// `after` of the next page; absent when this one was not full.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = values::LogPosition, required = false)]
    next: Option<String>,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BulkItem)]
struct Item {
    item: i32,
    #[schema(value_type = values::PositionStream)]
    stream: String,
    #[schema(value_type = values::ClientCode)]
    client_code: String,
    #[schema(value_type = values::VenueName)]
    venue: String,
    #[schema(value_type = values::Symbol)]
    symbol: String,
    #[schema(value_type = values::ProductName)]
    product: String,
    #[schema(value_type = values::BulkPhaseName)]
    phase: String,
    #[schema(value_type = values::ItemState)]
    state: String,
    net_quantity: i64,
    #[schema(value_type = values::Rupees)]
    notional: String,
    #[schema(required = true)]
    net_quantity_now: Option<i64>,
    #[schema(required = true)]
    working_quantity_now: Option<i64>,
    #[schema(required = true)]
    outcome_quantity: Option<i64>,
    #[schema(required = true)]
    outcome_reason: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<values::Instant>, required = true)]
    settled_at: Option<OffsetDateTime>,
}

/// The bulks, newest first, from the log itself.
#[utoipa::path(
    get,
    path = "/v1/bulk",
    operation_id = "listBulks",
    tag = "Bulk",
    params(ListQuery),
    responses((status = 200, description = "A page of bulks; with `Accept: text/csv` its rows, `Link` to the next and `x-log-position`", content((Page = "application/json"), (String = "text/csv")))),
)]
pub(super) async fn list(
    State(app): State<App>,
    _: Actor,
    rows: Wanted,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let statuses: Vec<_> = STATUSES.iter().map(|status| status.as_str()).collect();
    let status = query
        .status
        .map(|text| one_of("status", text, &statuses))
        .transpose()?;
    let limit = page_rows(query.limit.as_deref())?;
    let before = cursor(query.before.as_deref())?.unwrap_or(i64::MAX);
    let position = app.book.progress().position;
    let wanted = |(_, summary): &(BulkId, Summary)| {
        place(summary) < before
            && status
                .as_deref()
                .is_none_or(|status| summary.status.as_str() == status)
    };
    let found = app.book.summaries().into_iter().filter(wanted);
    let found: Vec<_> = found.take(usize::try_from(limit).unwrap_or(0)).collect();
    let next = next(&found, limit, |(_, summary)| place(summary));
    let bulks: Vec<_> = found
        .iter()
        .map(|(id, summary)| Listed::of(*id, summary))
        .collect();
    let at = ("before", next, position.to_string());
    rows.page_in_lines(bulks, Line::of, at, |bulks, next, position| Page {
        bulks,
        next,
        position,
    })
}

/// One bulk with its progress, from the log itself.
#[utoipa::path(
    get,
    path = "/v1/bulk/{bulk_id}",
    operation_id = "showBulk",
    tag = "Bulk",
    params(("bulk_id" = Uuid, Path, description = "The bulk")),
    responses((status = 200, description = "The bulk", body = Shown, headers(("ETag" = String, description = "The version of its stream, for `If-Match`")))),
    extensions(("x-problems" = json!(["unknown-bulk"]))),
)]
pub(super) async fn show(
    State(app): State<App>,
    _: Actor,
    Path(text): Path<String>,
) -> Result<Response, Problem> {
    let id = bulk_id(&text)?;
    let position = app.book.progress().position;
    let summary = app.book.summary(id).ok_or(BulkRefusal::UnknownBulk)?;
    let shown = Shown::of(id, &summary, position);
    Ok((etag(summary.version), axum::Json(shown)).into_response())
}

/// How far each phase of a bulk is.
#[utoipa::path(
    get,
    path = "/v1/bulk/{bulk_id}/phases",
    operation_id = "listBulkPhases",
    tag = "Bulk",
    params(("bulk_id" = Uuid, Path, description = "The bulk"), Reading),
    responses((status = 200, description = "The phases, in their order", body = Phases)),
    extensions(("x-problems" = json!(["unknown-bulk"]))),
)]
pub(super) async fn phases(
    State(app): State<App>,
    _: Actor,
    Path(text): Path<String>,
    Query(query): Query<Reading>,
) -> Result<axum::Json<Phases>, Problem> {
    let id = known(&app, &text)?;
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = bulk_progress(&app.reads, id.0).await.map_err(outage)?;
    Ok(axum::Json(Phases {
        bulk_id: id.0,
        phases: found
            .value
            .phases
            .into_iter()
            .map(PhaseShown::from)
            .collect(),
        position: found.position.to_string(),
    }))
}

/// The items of a bulk, in their order.
#[utoipa::path(
    get,
    path = "/v1/bulk/{bulk_id}/items",
    operation_id = "listBulkItems",
    tag = "Bulk",
    params(("bulk_id" = Uuid, Path, description = "The bulk"), ItemsQuery),
    responses((status = 200, description = "A page of items; with `Accept: text/csv` its rows, `Link` to the next and `x-log-position`", content((Items = "application/json"), (String = "text/csv")))),
    extensions(("x-problems" = json!(["unknown-bulk"]))),
)]
pub(super) async fn items(
    State(app): State<App>,
    _: Actor,
    rows: Wanted,
    Path(text): Path<String>,
    Query(query): Query<ItemsQuery>,
) -> Result<Response, Problem> {
    let id = known(&app, &text)?;
    let phases: Vec<_> = BulkPhase::ALL.iter().map(|phase| phase.as_str()).collect();
    let limit = page_rows(query.limit.as_deref())?;
    let after = query.after.as_deref();
    let wanted = BulkItemFilter {
        phase: query
            .phase
            .map(|text| one_of("phase", text, &phases))
            .transpose()?,
        client_code: crate::routes::filter::<ClientCode>("client_code", query.client_code)?,
        state: query
            .state
            .map(|text| one_of("state", text, STATES))
            .transpose()?,
        after: after.map(|text| parameter("after", text)).transpose()?,
        limit: Some(limit),
    };
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = bulk_items(&app.reads, id.0, &wanted)
        .await
        .map_err(outage)?;
    let next = next(&found.value, limit, |row| i64::from(row.item));
    let items: Vec<_> = found.value.into_iter().map(Item::from).collect();
    let position = found.position.to_string();
    rows.page(items, "after", next, position, |items, next, position| {
        Items {
            bulk_id: id.0,
            items,
            next,
            position,
        }
    })
}

/// A bulk in CSV: all of it side by side, and its filter as JSON.
#[derive(Serialize)]
struct Line {
    bulk_id: Uuid,
    status: &'static str,
    phase: Option<&'static str>,
    trading_date: TradingDate,
    as_of: String,
    filter: String,
    time_in_force: TimeInForce,
    reason: String,
    proposed_by: String,
    items: u32,
    orders_to_cancel: u32,
    slices: u32,
    notional: String,
    messages: u64,
    message_rate_per_s: u32,
    estimated_seconds: u64,
    proposed_at: String,
    approved_by: Option<String>,
    approved_at: Option<String>,
    stopped_by: Option<String>,
    stopped_because: Option<String>,
    ended_at: Option<String>,
    version: u64,
    planned: u32,
    sent: u32,
    closed: u32,
    nothing_to_do: u32,
    refused: u32,
    failed: u32,
    skipped: u32,
    cancelled: u32,
    items_per_s: Option<f64>,
    estimated_seconds_left: Option<u64>,
    estimated_end_at: Option<String>,
}

impl Line {
    fn of(bulk: &Listed) -> Self {
        let (what, progress) = (&bulk.what, &bulk.progress);
        let cost = &what.cost;
        Line {
            bulk_id: bulk.bulk_id,
            status: bulk.status,
            phase: bulk.phase,
            trading_date: what.trading_date,
            as_of: what.as_of.clone(),
            filter: serde_json::to_string(&what.filter).unwrap_or_default(),
            time_in_force: what.time_in_force,
            reason: what.reason.clone(),
            proposed_by: what.proposed_by.clone(),
            items: cost.items,
            orders_to_cancel: cost.orders_to_cancel,
            slices: cost.slices,
            notional: cost.notional.clone(),
            messages: cost.messages,
            message_rate_per_s: cost.message_rate_per_s,
            estimated_seconds: cost.estimated_seconds,
            proposed_at: bulk.proposed_at.clone(),
            approved_by: bulk.approved_by.clone(),
            approved_at: bulk.approved_at.clone(),
            stopped_by: bulk.stopped_by.clone(),
            stopped_because: bulk.stopped_because.clone(),
            ended_at: bulk.ended_at.clone(),
            version: bulk.version,
            planned: progress.planned,
            sent: progress.sent,
            closed: progress.closed,
            nothing_to_do: progress.nothing_to_do,
            refused: progress.refused,
            failed: progress.failed,
            skipped: progress.skipped,
            cancelled: progress.cancelled,
            items_per_s: progress.items_per_s,
            estimated_seconds_left: progress.estimated_seconds_left,
            estimated_end_at: progress.estimated_end_at.clone(),
        }
    }
}

/// The cursor of a list: where the proposal stands in the log.
fn place(summary: &Summary) -> i64 {
    i64::try_from(summary.proposed_position.as_u64()).unwrap_or(i64::MAX)
}

impl Listed {
    fn of(id: BulkId, summary: &Summary) -> Self {
        let (counts, pace) = (summary.counts, summary.pace());
        // What was asked for ends as closed or failed.
        let sent = summary
            .asked
            .saturating_sub(counts.closed.saturating_add(counts.failed));
        let sent = sent.min(summary.left());
        Listed {
            bulk_id: id.0,
            status: summary.status.as_str(),
            phase: summary.phase.map(BulkPhase::as_str),
            what: What::of(&summary.proposed),
            proposed_at: rfc3339(summary.proposed_at),
            approved_by: summary.approved_by.clone(),
            approved_at: summary.approved_at.map(rfc3339),
            stopped_by: summary.stopped_by.clone(),
            stopped_because: summary.stopped_because.clone(),
            ended_at: summary.ended_at.map(rfc3339),
            version: summary.version,
            progress: Progress {
                planned: summary.left() - sent,
                sent,
                closed: counts.closed,
                nothing_to_do: counts.nothing_to_do,
                refused: counts.refused,
                failed: counts.failed,
                skipped: counts.skipped,
                cancelled: counts.cancelled,
                items_per_s: pace.and_then(items_per_s),
                estimated_seconds_left: pace.map(|pace| pace.seconds_left),
                estimated_end_at: pace.map(|pace| rfc3339(end(pace))),
            },
        }
    }
}

/// `None` before anything is measured.
fn items_per_s(pace: MeasuredPace) -> Option<f64> {
    let thousandths = u32::try_from(pace.items_per_1000_s).unwrap_or(u32::MAX);
    (thousandths > 0).then(|| f64::from(thousandths) / 1_000.0)
}

fn end(pace: MeasuredPace) -> Timestamp {
    let left = i64::try_from(pace.seconds_left).unwrap_or(i64::MAX);
    Timestamp(now().0.saturating_add(left.saturating_mul(1_000_000_000)))
}

impl From<PhaseProgress> for PhaseShown {
    fn from(row: PhaseProgress) -> Self {
        PhaseShown {
            phase: row.phase,
            items: row.items,
            planned: row.planned,
            cancelling: row.cancelling,
            sent: row.sent,
            partly_filled: row.partly_filled,
            closed: row.closed,
            nothing_to_do: row.nothing_to_do,
            refused: row.refused,
            failed: row.failed,
            skipped: row.skipped,
            quantity: row.quantity,
            quantity_closed: row.quantity_closed,
        }
    }
}

impl From<BulkItemShown> for Item {
    fn from(row: BulkItemShown) -> Self {
        Item {
            item: row.item,
            stream: row.stream,
            client_code: row.client_code,
            venue: row.venue,
            symbol: row.symbol,
            product: row.product,
            phase: row.phase,
            state: row.state,
            net_quantity: row.net_quantity,
            notional: rupees(row.notional),
            net_quantity_now: row.net_quantity_now,
            working_quantity_now: row.working_quantity_now,
            outcome_quantity: row.outcome_quantity,
            outcome_reason: row.outcome_reason,
            settled_at: row.settled_at,
        }
    }
}
