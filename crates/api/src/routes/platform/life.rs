//! The platform's life: from the request for an activation to the hand-back, each step by whom it needs.

use super::{Accepted, Activation, RECORDED, Why, WithoutBook, ask};
use crate::extract::{Json, NoBody, OptionalJson};
use crate::hand_back;
use crate::if_match::Asking;
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::server::{App, date_in_india, now};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use squareoff_domain::platform::PlatformAsk;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(request_activation))
        .routes(routes!(approve_activation))
        .routes(routes!(reject_activation))
        .routes(routes!(start_loading))
        .routes(routes!(activate))
        .routes(routes!(request_hand_back))
        .routes(routes!(approve_hand_back))
        .routes(routes!(reject_hand_back))
        .routes(routes!(complete_hand_back))
        .routes(routes!(stand_down))
}

/// Asks for an activation.
///
/// For today or a day before, in India. When the primary went down is the start of the incident in the regulator's report.
/// Another person approves.
#[utoipa::path(
    post,
    path = "/v1/platform/activation",
    operation_id = "requestActivation",
    tag = "Platform",
    params(Asking),
    request_body = Activation,
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["in-the-future", "reason-missing", "platform-already-active", "activation-pending"]))),
)]
async fn request_activation(
    State(app): State<App>,
    asking: Asking,
    Json(body): Json<Activation>,
) -> Result<Response, Problem> {
    ask(&app, &asking, requested_activation(body)?).await
}

/// Approves the activation that was asked for, as the second person.
#[utoipa::path(
    post,
    path = "/v1/platform/activation/approve",
    operation_id = "approveActivation",
    tag = "Platform",
    params(Asking),
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["no-activation-pending", "own-request"]))),
)]
async fn approve_activation(
    State(app): State<App>,
    asking: Asking,
    _: NoBody,
) -> Result<Response, Problem> {
    ask(&app, &asking, PlatformAsk::ApproveActivation).await
}

/// Turns the activation down, or takes it back; until the platform is active.
#[utoipa::path(
    post,
    path = "/v1/platform/activation/reject",
    operation_id = "rejectActivation",
    tag = "Platform",
    params(Asking),
    request_body = Why,
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["reason-missing", "no-activation-pending"]))),
)]
async fn reject_activation(
    State(app): State<App>,
    asking: Asking,
    Json(body): Json<Why>,
) -> Result<Response, Problem> {
    let reason = body.reason.given()?;
    ask(&app, &asking, PlatformAsk::RejectActivation { reason }).await
}

/// Says that the day's book is being loaded.
#[utoipa::path(
    post,
    path = "/v1/platform/activation/load",
    operation_id = "startLoading",
    tag = "Platform",
    params(Asking),
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["activation-not-approved"]))),
)]
async fn start_loading(
    State(app): State<App>,
    asking: Asking,
    _: NoBody,
) -> Result<Response, Problem> {
    ask(&app, &asking, PlatformAsk::StartLoading).await
}

/// Activates: square-offs are taken, in a new epoch.
///
/// Needs the day's book in the log. `without_book` is the reason to go on without it, which is recorded: only what the
/// exchange or the primary tells of then is open.
#[utoipa::path(
    post,
    path = "/v1/platform/activation/activate",
    operation_id = "activate",
    tag = "Platform",
    params(Asking),
    request_body = Option<WithoutBook>,
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["reason-missing", "activation-not-approved", "book-not-loaded"]))),
)]
async fn activate(
    State(app): State<App>,
    asking: Asking,
    OptionalJson(body): OptionalJson<WithoutBook>,
) -> Result<Response, Problem> {
    let without_book = body.map(|body| body.without_book.given()).transpose()?;
    ask(&app, &asking, PlatformAsk::Activate { without_book }).await
}

/// Asks to hand the positions back to the primary: no new square-offs from here on.
#[utoipa::path(
    post,
    path = "/v1/platform/hand-back",
    operation_id = "requestHandBack",
    tag = "Platform",
    params(Asking),
    request_body = Why,
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["reason-missing", "platform-not-active"]))),
)]
async fn request_hand_back(
    State(app): State<App>,
    asking: Asking,
    Json(body): Json<Why>,
) -> Result<Response, Problem> {
    let reason = body.reason.given()?;
    ask(&app, &asking, PlatformAsk::RequestHandback { reason }).await
}

/// Approves the hand-back, as the second person: what works finishes or is cancelled.
#[utoipa::path(
    post,
    path = "/v1/platform/hand-back/approve",
    operation_id = "approveHandBack",
    tag = "Platform",
    params(Asking),
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["no-handback-pending", "own-request"]))),
)]
async fn approve_hand_back(
    State(app): State<App>,
    asking: Asking,
    _: NoBody,
) -> Result<Response, Problem> {
    ask(&app, &asking, PlatformAsk::ApproveHandback).await
}

/// Turns the hand-back down, or takes it back: active as before.
#[utoipa::path(
    post,
    path = "/v1/platform/hand-back/reject",
    operation_id = "rejectHandBack",
    tag = "Platform",
    params(Asking),
    request_body = Why,
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["reason-missing", "no-handback-pending"]))),
)]
async fn reject_hand_back(
    State(app): State<App>,
    asking: Asking,
    Json(body): Json<Why>,
) -> Result<Response, Problem> {
    let reason = body.reason.given()?;
    ask(&app, &asking, PlatformAsk::RejectHandback { reason }).await
}

/// Hands every position of the day back, and records the package.
///
/// Refused while an order of ours may still fill or is in doubt. The package's `net_digest` is the SHA-256 of one line
/// `<stream> <net quantity>` for each position of the day, in the order of client, venue, symbol and product, each line ended by
/// a line feed.
#[utoipa::path(
    post,
    path = "/v1/platform/hand-back/complete",
    operation_id = "completeHandBack",
    tag = "Platform",
    params(Asking),
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["platform-not-draining", "orders-working", "event-log-behind"]))),
)]
async fn complete_hand_back(
    State(app): State<App>,
    asking: Asking,
    _: NoBody,
) -> Result<Response, Problem> {
    let request_id = asking.request_id();
    let asked = Asked::of_desk("complete-hand-back", request_id);
    let package = hand_back::package(&app, &asking.actor, request_id).await;
    let package = app.keep(&asking.actor, &asked, package)?;
    let wanted = PlatformAsk::CompleteHandback { package };
    ask(&app, &asking, wanted).await
}

/// Stands the platform down: dormant at once, by one person.
#[utoipa::path(
    post,
    path = "/v1/platform/stand-down",
    operation_id = "standDown",
    tag = "Platform",
    params(Asking),
    request_body = Why,
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["reason-missing", "platform-not-active"]))),
)]
async fn stand_down(
    State(app): State<App>,
    asking: Asking,
    Json(body): Json<Why>,
) -> Result<Response, Problem> {
    let reason = body.reason.given()?;
    ask(&app, &asking, PlatformAsk::StandDown { reason }).await
}

fn requested_activation(body: Activation) -> Result<PlatformAsk, Problem> {
    let outage_began_at = body.outage_began_at.0;
    if outage_began_at > now() {
        return Err(in_the_future("`outage_began_at` is in the future"));
    }
    // In the gateway's eyes a later day ends what works of today, which the exchange would still hold.
    if body.trading_date > date_in_india(now()) {
        return Err(in_the_future("`trading_date` is in the future"));
    }
    let (trading_date, reason) = (body.trading_date, body.reason.given()?);
    Ok(PlatformAsk::RequestActivation {
        trading_date,
        reason,
        outage_began_at,
    })
}

fn in_the_future(detail: &str) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "in-the-future",
        "What happened lies in the future",
        detail,
    )
}
