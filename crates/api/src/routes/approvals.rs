//! `/v1/approvals`: orders above the value that one person may place, and what a second one says.

use super::rows::Wanted as Rows;
use super::{cursor, filter, next, one_of, outage, page_rows, rupees, wait_for, word};
use crate::approvals::{self, Stands, Waits};
use crate::auth::Who;
use crate::decide::{accepted, check_knowing};
use crate::document::values;
use crate::extract::{Json, NoBody, Path, Query, Reason};
use crate::if_match::{Asking, etag};
use crate::problem::Problem;
use crate::server::App;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use squareoff_domain::approval::{
    ApprovalAsk, ApprovalAsked, ApprovalId, ApprovalRefusal, ApprovalStatus,
};
use squareoff_domain::{ClientCode, Price};
use squareoff_projections::approvals::{ApprovalFilter, ApprovalRow, approval, approvals as asked};
use std::sync::Arc;
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(approve))
        .routes(routes!(refuse))
        .routes(routes!(withdraw))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    #[param(value_type = values::ApprovalState, required = false)]
    state: Option<String>,
    #[param(value_type = values::ClientCode, required = false)]
    client_code: Option<String>,
    #[param(value_type = values::Name, required = false)]
    asked_by: Option<String>,
    /// `next` of the page before.
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
struct Reading {
    #[param(value_type = values::LogPosition, required = false)]
    at_least: Option<String>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = Why)]
#[serde(deny_unknown_fields)]
pub struct Why {
    #[schema(value_type = values::ReasonText)]
    reason: Reason,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ApprovalPage)]
struct Page {
    approvals: Vec<Approval>,
    /// `before` of the next page; absent when this one was not full.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = values::LogPosition, required = false)]
    next: Option<String>,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

/// Quantities in units, money in rupees.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Approval {
    approval_id: Uuid,
    #[schema(value_type = values::StreamName)]
    stream: String,
    #[schema(value_type = values::ApprovalState)]
    status: String,
    #[schema(value_type = values::ApprovalKind)]
    what: String,
    /// The request that asked for it.
    request_id: Uuid,
    #[schema(value_type = values::PositionStream)]
    position_stream: String,
    #[schema(value_type = values::TradingDay)]
    trading_date: String,
    #[schema(value_type = values::ClientCode)]
    client_code: String,
    #[schema(value_type = values::VenueName)]
    venue: String,
    #[schema(value_type = values::Symbol)]
    symbol: String,
    #[schema(value_type = values::ProductName)]
    product: String,
    /// The order that is to be changed; absent of a square-off.
    #[schema(required = true)]
    order_id: Option<Uuid>,
    quantity: i64,
    /// Absent where the market makes the price.
    #[schema(value_type = Option<values::Rupees>, required = true)]
    limit_price: Option<String>,
    /// What a unit was counted at.
    #[schema(value_type = values::Rupees)]
    counted_price: String,
    #[schema(value_type = Option<values::TimeInForceName>, required = true)]
    time_in_force: Option<String>,
    #[schema(value_type = Option<values::Evidence>, required = true)]
    evidence: Option<String>,
    #[schema(value_type = values::Rupees)]
    notional: String,
    /// What one person might place when it was asked.
    #[schema(value_type = values::Rupees)]
    limit: String,
    epoch: i64,
    #[schema(value_type = values::Name)]
    asked_by: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = values::Instant)]
    asked_at: OffsetDateTime,
    #[schema(value_type = Option<values::Name>, required = true)]
    answered_by: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<values::Instant>, required = true)]
    answered_at: Option<OffsetDateTime>,
    #[schema(required = true)]
    reason: Option<String>,
    /// The request that the position accepted: `request_id` of its orders.
    #[schema(required = true)]
    order_request_id: Option<Uuid>,
    /// Why the position refused what was approved: the code of a problem.
    #[schema(required = true)]
    refusal_code: Option<String>,
    #[schema(required = true)]
    refusal_detail: Option<String>,
    version: i64,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ApprovalShown)]
struct Shown {
    #[serde(flatten)]
    approval: Approval,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

/// What an answer to an approval came to.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ApprovalAnswered)]
struct Answered {
    request_id: Uuid,
    approval_id: Uuid,
    /// `ordered` once the orders are placed; `approved` while they are about to be.
    #[schema(value_type = values::ApprovalState)]
    status: &'static str,
    order_ids: Vec<Uuid>,
    #[schema(value_type = values::StreamName)]
    stream: String,
    version: u64,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

/// What waits for a second person, as the answer to the request says it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ApprovalWanted)]
pub struct Wanted {
    approval_id: Uuid,
    #[schema(value_type = values::Rupees)]
    notional: String,
    /// What one person may place.
    #[schema(value_type = values::Rupees)]
    limit: String,
}

impl Wanted {
    pub fn of(waits: &Waits) -> Wanted {
        Wanted {
            approval_id: waits.asked.approval_id.0,
            notional: money(waits.asked.notional),
            limit: money(waits.asked.limit),
        }
    }
}

/// 202, and where what waits is looked at.
pub fn waiting(body: &impl Serialize, waits: &Waits) -> Response {
    let mut response = accepted(body, None, waits.answer.replayed);
    let path = format!("/v1/approvals/{}", waits.asked.approval_id);
    if let Ok(location) = HeaderValue::from_str(&path) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Orders that wait for a second person, and what became of those before, newest first.
#[utoipa::path(
    get,
    path = "/v1/approvals",
    operation_id = "listApprovals",
    tag = "Approvals",
    params(ListQuery),
    responses((status = 200, description = "A page of approvals; with `Accept: text/csv` its rows, `Link` to the next and `x-log-position`", content((Page = "application/json"), (String = "text/csv")))),
)]
async fn list(
    State(app): State<App>,
    who: Who,
    rows: Rows,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let limit = page_rows(query.limit.as_deref())?;
    let state = query.state.map(|state| {
        let known = ApprovalStatus::ALL.iter().map(|known| known.as_str());
        one_of("state", state, &known.collect::<Vec<_>>())
    });
    let wanted = ApprovalFilter {
        state: state.transpose()?,
        client_code: who.own_list(filter::<ClientCode>("client_code", query.client_code)?),
        asked_by: word("asked_by", query.asked_by)?,
        before: cursor(query.before.as_deref())?,
        limit: Some(limit),
    };
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = asked(&app.reads, &wanted).await.map_err(outage)?;
    let next = next(&found.value, limit, |row| row.position);
    let approvals: Vec<_> = found.value.into_iter().map(Approval::from).collect();
    let position = found.position.to_string();
    rows.page(
        approvals,
        "before",
        next,
        position,
        |approvals, next, position| Page {
            approvals,
            next,
            position,
        },
    )
}

/// One approval.
#[utoipa::path(
    get,
    path = "/v1/approvals/{approval_id}",
    operation_id = "showApproval",
    tag = "Approvals",
    params(("approval_id" = Uuid, Path, description = "The approval"), Reading),
    responses((status = 200, description = "The approval", body = Shown, headers(("ETag" = String, description = "The version of its stream, for `If-Match`")))),
    extensions(("x-problems" = json!(["unknown-approval"]))),
)]
async fn show(
    State(app): State<App>,
    who: Who,
    Path(text): Path<String>,
    Query(query): Query<Reading>,
) -> Result<Response, Problem> {
    let id = approval_id(&text)?;
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = approval(&app.reads, id.0).await.map_err(outage)?;
    let is_own = |row: &ApprovalRow| {
        let client = row.client_code.parse::<ClientCode>();
        client.is_ok_and(|client| who.owns(&client))
    };
    let row = found.value.filter(is_own);
    let row = row.ok_or(ApprovalRefusal::UnknownApproval)?;
    let version = etag(row.version);
    let shown = Shown {
        approval: row.into(),
        position: found.position.to_string(),
    };
    Ok((version, axum::Json(shown)).into_response())
}

/// Approves an order, as another person than who asked: it is placed, if its position takes it now.
///
/// What the position refuses at this moment is not approved, and goes on waiting.
#[utoipa::path(
    post,
    path = "/v1/approvals/{approval_id}/approve",
    operation_id = "approveOrder",
    tag = "Approvals",
    params(("approval_id" = Uuid, Path, description = "The approval"), Asking),
    responses((status = 202, description = "It is approved, and ordered as `status` says", body = Answered)),
    extensions(("x-problems" = json!([
        "event-log-behind", "unknown-approval", "approval-lapsed", "approval-in-another-status", "own-request",
        "platform-not-active", "unknown-position", "unknown-instrument",
        "new-orders-halted", "market-not-open", "exchange-not-connected", "position-handed-back",
        "position-frozen", "instrument-restricted", "quantity-not-positive", "nothing-to-close",
        "exceeds-open-quantity", "odd-lot", "not-whole-lots", "freeze-below-lot", "too-many-slices",
        "unknown-order", "not-our-order", "order-ended", "order-in-doubt", "cancel-pending", "replace-pending",
        "order-not-acknowledged", "too-many-replaces", "nothing-to-change", "quantity-not-lower", "quantity-not-above-filled",
        "stale-reference", "price-off-tick", "price-out-of-band", "price-out-of-protection"]))),
)]
async fn approve(
    State(app): State<App>,
    who: Who,
    asking: Asking,
    Path(text): Path<String>,
    _: NoBody,
) -> Result<Response, Problem> {
    ask(&app, &who, &asking, &text, ApprovalAsk::Approve).await
}

/// Turns an order down, as another person than who asked: it is never placed.
#[utoipa::path(
    post,
    path = "/v1/approvals/{approval_id}/refuse",
    operation_id = "refuseOrder",
    tag = "Approvals",
    params(("approval_id" = Uuid, Path, description = "The approval"), Asking),
    request_body = Why,
    responses((status = 202, description = "It is turned down", body = Answered)),
    extensions(("x-problems" = json!(["event-log-behind", "reason-missing", "unknown-approval", "approval-lapsed", "approval-in-another-status", "own-request"]))),
)]
async fn refuse(
    State(app): State<App>,
    who: Who,
    asking: Asking,
    Path(text): Path<String>,
    Json(body): Json<Why>,
) -> Result<Response, Problem> {
    let reason = body.reason.given()?;
    ask(&app, &who, &asking, &text, ApprovalAsk::Refuse { reason }).await
}

/// Takes back what one has asked oneself, before it is answered.
#[utoipa::path(
    post,
    path = "/v1/approvals/{approval_id}/withdraw",
    operation_id = "withdrawOrder",
    tag = "Approvals",
    params(("approval_id" = Uuid, Path, description = "The approval"), Asking),
    responses((status = 202, description = "It is taken back", body = Answered)),
    extensions(("x-problems" = json!(["event-log-behind", "unknown-approval", "approval-lapsed", "approval-in-another-status", "not-the-asker"]))),
)]
async fn withdraw(
    State(app): State<App>,
    who: Who,
    asking: Asking,
    Path(text): Path<String>,
    _: NoBody,
) -> Result<Response, Problem> {
    ask(&app, &who, &asking, &text, ApprovalAsk::Withdraw).await
}

async fn ask(
    app: &App,
    who: &Who,
    asking: &Asking,
    text: &str,
    wanted: ApprovalAsk,
) -> Result<Response, Problem> {
    // Whether its epoch is over has to be known of the platform's present state.
    check_knowing(app)?;
    let id = approval_id(text)?;
    let asked = known(app, who, id).await?;
    let request_id = asking.request_id();
    let Stands {
        status,
        orders,
        stream,
        version,
        position,
        replayed,
    } = approvals::answer(
        app,
        &asking.actor,
        &asked,
        (request_id, asking.seen),
        wanted,
    )
    .await?;
    let body = Answered {
        request_id: request_id.0,
        approval_id: id.0,
        status: status.as_str(),
        order_ids: orders.into_iter().map(|order| order.0).collect(),
        stream,
        version,
        position: position.to_string(),
    };
    Ok(accepted(&body, body.order_ids.first().copied(), replayed))
}

/// What was asked, from the log itself; of another client's it does not exist.
async fn known(app: &App, who: &Who, id: ApprovalId) -> Result<Arc<ApprovalAsked>, Problem> {
    let asked = approvals::load(app, id).await?.asked.clone();
    let asked = asked.ok_or(ApprovalRefusal::UnknownApproval)?;
    who.own(&asked.key.client, || {
        ApprovalRefusal::UnknownApproval.into()
    })?;
    Ok(asked)
}

fn approval_id(text: &str) -> Result<ApprovalId, Problem> {
    text.parse().map(ApprovalId).map_err(|_| {
        let expected = format!("`approval_id`: `{text}` is not an approval's id: a UUID");
        Problem::invalid_parameter(expected)
    })
}

fn money(ten_thousandths: u64) -> String {
    Price(i64::try_from(ten_thousandths).unwrap_or(i64::MAX)).to_string()
}

impl From<ApprovalRow> for Approval {
    fn from(row: ApprovalRow) -> Self {
        Approval {
            approval_id: row.approval_id,
            stream: row.stream,
            status: row.state.into_owned(),
            what: row.what.into_owned(),
            request_id: row.request_id,
            position_stream: row.position_stream,
            trading_date: row.trading_date.to_string(),
            client_code: row.client_code,
            venue: row.venue.into_owned(),
            symbol: row.symbol,
            product: row.product.into_owned(),
            order_id: row.order_id,
            quantity: row.quantity,
            limit_price: row.limit_price.map(rupees),
            counted_price: rupees(row.counted_price),
            time_in_force: row.time_in_force,
            evidence: row.evidence,
            notional: rupees(row.notional),
            limit: rupees(row.limit_notional),
            epoch: row.epoch,
            asked_by: row.asked_by,
            asked_at: row.asked_at,
            answered_by: row.answered_by,
            answered_at: row.answered_at,
            reason: row.reason,
            order_request_id: row.order_request_id,
            refusal_code: row.refusal_code,
            refusal_detail: row.refusal_detail,
            version: row.version,
        }
    }
}
