//! `/v1/bulk`: many positions squared off at once, proposed by one person and approved by another.

mod propose;
mod show;

use crate::bulk::desk;
use crate::decide::accepted;
use crate::document::values;
use crate::extract::{Json, NoBody, Path, Reason};
use crate::if_match::Asking;
use crate::problem::Problem;
use crate::routes::rupees;
use crate::server::App;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
pub(crate) use show::Shown;
pub use show::{STATES, STATUSES};
use squareoff_domain::bulk::{BulkAsk, BulkFilter, BulkId, BulkProposed, BulkRefusal};
use squareoff_domain::position::TimeInForce;
use squareoff_domain::{ClientCode, Product, Segment, Symbol, TradingDate, Venue};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(show::list, propose::propose))
        .routes(routes!(show::show))
        .routes(routes!(show::phases))
        .routes(routes!(show::items))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(abort))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = Why)]
#[serde(deny_unknown_fields)]
pub struct Why {
    #[schema(value_type = values::ReasonText)]
    reason: Reason,
}

/// Approves a bulk, as another person than the proposer: the work begins.
#[utoipa::path(
    post,
    path = "/v1/bulk/{bulk_id}/approve",
    operation_id = "approveBulk",
    tag = "Bulk",
    params(("bulk_id" = Uuid, Path, description = "The bulk"), Asking),
    responses((status = 202, description = "It is approved", body = Done)),
    extensions(("x-problems" = json!(["unknown-bulk", "bulk-in-another-status", "list-incomplete", "own-request"]))),
)]
async fn approve(
    State(app): State<App>,
    asking: Asking,
    Path(text): Path<String>,
    _: NoBody,
) -> Result<Response, Problem> {
    ask(&app, &asking, &text, BulkAsk::Approve).await
}

/// Turns a bulk down before it is approved, by anybody.
#[utoipa::path(
    post,
    path = "/v1/bulk/{bulk_id}/reject",
    operation_id = "rejectBulk",
    tag = "Bulk",
    params(("bulk_id" = Uuid, Path, description = "The bulk"), Asking),
    request_body = Why,
    responses((status = 202, description = "It is turned down", body = Done)),
    extensions(("x-problems" = json!(["reason-missing", "unknown-bulk", "bulk-in-another-status"]))),
)]
async fn reject(
    State(app): State<App>,
    asking: Asking,
    Path(text): Path<String>,
    Json(body): Json<Why>,
) -> Result<Response, Problem> {
    let reason = body.reason.given()?;
    ask(&app, &asking, &text, BulkAsk::Reject { reason }).await
}

/// Begins no new item; what works goes on.
#[utoipa::path(
    post,
    path = "/v1/bulk/{bulk_id}/pause",
    operation_id = "pauseBulk",
    tag = "Bulk",
    params(("bulk_id" = Uuid, Path, description = "The bulk"), Asking),
    request_body = Why,
    responses((status = 202, description = "It is paused", body = Done)),
    extensions(("x-problems" = json!(["reason-missing", "unknown-bulk", "bulk-in-another-status"]))),
)]
async fn pause(
    State(app): State<App>,
    asking: Asking,
    Path(text): Path<String>,
    Json(body): Json<Why>,
) -> Result<Response, Problem> {
    let reason = body.reason.given()?;
    ask(&app, &asking, &text, BulkAsk::Pause { reason }).await
}

/// Goes on with a bulk that is paused.
#[utoipa::path(
    post,
    path = "/v1/bulk/{bulk_id}/resume",
    operation_id = "resumeBulk",
    tag = "Bulk",
    params(("bulk_id" = Uuid, Path, description = "The bulk"), Asking),
    responses((status = 202, description = "It goes on", body = Done)),
    extensions(("x-problems" = json!(["unknown-bulk", "bulk-in-another-status"]))),
)]
async fn resume(
    State(app): State<App>,
    asking: Asking,
    Path(text): Path<String>,
    _: NoBody,
) -> Result<Response, Problem> {
    ask(&app, &asking, &text, BulkAsk::Resume).await
}

/// Begins no item ever again; what works is followed to its end, the rest is `skipped`.
#[utoipa::path(
    post,
    path = "/v1/bulk/{bulk_id}/abort",
    operation_id = "abortBulk",
    tag = "Bulk",
    params(("bulk_id" = Uuid, Path, description = "The bulk"), Asking),
    request_body = Why,
    responses((status = 202, description = "It is ended", body = Done)),
    extensions(("x-problems" = json!(["reason-missing", "unknown-bulk", "bulk-in-another-status"]))),
)]
async fn abort(
    State(app): State<App>,
    asking: Asking,
    Path(text): Path<String>,
    Json(body): Json<Why>,
) -> Result<Response, Problem> {
    let reason = body.reason.given()?;
    ask(&app, &asking, &text, BulkAsk::Abort { reason }).await
}

async fn ask(app: &App, asking: &Asking, text: &str, wanted: BulkAsk) -> Result<Response, Problem> {
    let id = bulk_id(text)?;
    let answer = desk::ask(app, asking, id, wanted).await?;
    let body = Done {
        request_id: asking.request_id().0,
        bulk_id: id.0,
        stream: answer.stream,
        version: answer.version,
        position: answer.position.to_string(),
    };
    Ok(accepted(&body, None, answer.replayed))
}

fn bulk_id(text: &str) -> Result<BulkId, Problem> {
    text.parse().map(BulkId).map_err(|_| {
        Problem::invalid_parameter(format!("`bulk_id`: `{text}` is not a bulk's id: a UUID"))
    })
}

fn known(app: &App, text: &str) -> Result<BulkId, Problem> {
    let id = bulk_id(text)?;
    let known = app.book.summary(id).is_some();
    known
        .then_some(id)
        .ok_or_else(|| BulkRefusal::UnknownBulk.into())
}

fn money(ten_thousandths: u64) -> String {
    rupees(i64::try_from(ten_thousandths).unwrap_or(i64::MAX))
}

/// Which positions; every field that is there must match.
#[derive(Deserialize, Serialize, utoipa::ToSchema)]
#[schema(as = BulkFilter, min_properties = 1)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<values::ClientCode>)]
    client_code: Option<ClientCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<values::VenueName>)]
    venue: Option<Venue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<values::Symbol>)]
    symbol: Option<Symbol>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<values::ProductName>)]
    product: Option<Product>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<values::SegmentName>)]
    segment: Option<Segment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<values::TradingDay>)]
    expiry: Option<TradingDate>,
    /// Every position: said, not left out by a slip of the hand.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    all: bool,
}

impl Filter {
    /// # Errors
    /// `filter-unclear` when it says neither what nor all, or both.
    fn given(self) -> Result<BulkFilter, Problem> {
        let filter = BulkFilter {
            client: self.client_code,
            venue: self.venue,
            symbol: self.symbol,
            product: self.product,
            segment: self.segment,
            expiry: self.expiry,
        };
        let all = filter == BulkFilter::default();
        match (self.all, all) {
            (true, true) | (false, false) => Ok(filter),
            (false, true) => Err(unclear(
                "`filter` is empty: for every position say \"all\": true",
            )),
            (true, false) => Err(unclear(
                "`filter` says \"all\" and names something: which is meant?",
            )),
        }
    }

    fn of(filter: &BulkFilter) -> Self {
        Filter {
            all: *filter == BulkFilter::default(),
            client_code: filter.client.clone(),
            venue: filter.venue,
            symbol: filter.symbol.clone(),
            product: filter.product,
            segment: filter.segment,
            expiry: filter.expiry,
        }
    }
}

fn unclear(detail: &str) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "filter-unclear",
        "The filter does not say which positions",
        detail,
    )
}

/// What a proposal costs; money in rupees.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BulkCost)]
struct Cost {
    items: u32,
    orders_to_cancel: u32,
    slices: u32,
    #[schema(value_type = values::Rupees)]
    notional: String,
    messages: u64,
    message_rate_per_s: u32,
    estimated_seconds: u64,
}

/// A bulk as it was proposed.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BulkWhat)]
struct What {
    #[schema(value_type = values::TradingDay)]
    trading_date: TradingDate,
    #[schema(value_type = values::LogPosition)]
    as_of: String,
    filter: Filter,
    #[schema(value_type = values::TimeInForceName)]
    time_in_force: TimeInForce,
    reason: String,
    proposed_by: String,
    #[serde(flatten)]
    cost: Cost,
}

impl What {
    fn of(proposed: &BulkProposed) -> Self {
        What {
            trading_date: proposed.trading_date,
            as_of: proposed.as_of.to_string(),
            filter: Filter::of(&proposed.filter),
            time_in_force: proposed.terms.time_in_force,
            reason: proposed.reason.clone(),
            proposed_by: proposed.proposed_by.clone(),
            cost: Cost {
                items: proposed.items,
                orders_to_cancel: proposed.orders_to_cancel,
                slices: proposed.slices,
                notional: money(proposed.notional),
                messages: proposed.messages,
                message_rate_per_s: proposed.message_rate_per_s,
                estimated_seconds: proposed.estimated_seconds,
            },
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BulkAccepted)]
struct Done {
    request_id: Uuid,
    bulk_id: Uuid,
    #[schema(value_type = values::StreamName)]
    stream: String,
    version: u64,
    #[schema(value_type = values::LogPosition)]
    position: String,
}
