//! The switches: halting and resuming new orders, cancelling everything, disconnecting a venue, and the markets' phases.

use super::{Accepted, OfVenue, RECORDED, ScopeAlone, Scoped, Told, VenueAlone, Why, ask, done};
use crate::auth::Actor;
use crate::extract::{IdempotencyKey, Json, NoBody, Path};
use crate::if_match::Asking;
use crate::platform;
use crate::problem::Problem;
use crate::server::App;
use axum::extract::State;
use axum::response::Response;
use squareoff_domain::RequestId;
use squareoff_domain::platform::{PlatformAsk, PlatformReport};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(halt))
        .routes(routes!(request_resume))
        .routes(routes!(approve_resume))
        .routes(routes!(reject_resume))
        .routes(routes!(request_cancel_all))
        .routes(routes!(approve_cancel_all))
        .routes(routes!(reject_cancel_all))
        .routes(routes!(request_disconnect))
        .routes(routes!(approve_disconnect))
        .routes(routes!(reject_disconnect))
        .routes(routes!(reconnect))
        .routes(routes!(market_phase))
}

/// Halts: the kill switch. No new orders in the scope, by one person; cancels go on.
#[utoipa::path(
    post,
    path = "/v1/platform/halt",
    operation_id = "haltNewOrders",
    tag = "Platform",
    params(Asking),
    request_body = Scoped,
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["reason-missing", "already-halted"]))),
)]
async fn halt(
    State(app): State<App>,
    asking: Asking,
    Json(body): Json<Scoped>,
) -> Result<Response, Problem> {
    let (scope, reason) = (body.scope.0, body.reason.given()?);
    ask(&app, &asking, PlatformAsk::Halt { scope, reason }).await
}

/// Asks to take the halt of this very scope back.
#[utoipa::path(
    post,
    path = "/v1/platform/resume",
    operation_id = "requestResume",
    tag = "Platform",
    params(Asking),
    request_body = Scoped,
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["reason-missing", "not-halted", "resume-pending"]))),
)]
async fn request_resume(
    State(app): State<App>,
    asking: Asking,
    Json(body): Json<Scoped>,
) -> Result<Response, Problem> {
    let (scope, reason) = (body.scope.0, body.reason.given()?);
    ask(&app, &asking, PlatformAsk::RequestResume { scope, reason }).await
}

/// Approves the resume, as the second person.
#[utoipa::path(
    post,
    path = "/v1/platform/resume/approve",
    operation_id = "approveResume",
    tag = "Platform",
    params(Asking),
    request_body = ScopeAlone,
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["no-resume-pending", "own-request"]))),
)]
async fn approve_resume(
    State(app): State<App>,
    asking: Asking,
    Json(body): Json<ScopeAlone>,
) -> Result<Response, Problem> {
    let scope = body.scope.0;
    ask(&app, &asking, PlatformAsk::ApproveResume { scope }).await
}

/// Turns the resume down, or takes it back: the halt stays.
#[utoipa::path(
    post,
    path = "/v1/platform/resume/reject",
    operation_id = "rejectResume",
    tag = "Platform",
    params(Asking),
    request_body = Scoped,
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["reason-missing", "no-resume-pending"]))),
)]
async fn reject_resume(
    State(app): State<App>,
    asking: Asking,
    Json(body): Json<Scoped>,
) -> Result<Response, Problem> {
    let (scope, reason) = (body.scope.0, body.reason.given()?);
    ask(&app, &asking, PlatformAsk::RejectResume { scope, reason }).await
}

/// Asks to cancel every working order in the scope.
///
/// The answer's `request_id` is the `kill_id` that another person approves.
#[utoipa::path(
    post,
    path = "/v1/platform/cancel-all",
    operation_id = "requestCancelAll",
    tag = "Platform",
    params(Asking),
    request_body = Scoped,
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["reason-missing", "too-many-cancel-alls"]))),
)]
async fn request_cancel_all(
    State(app): State<App>,
    asking: Asking,
    Json(body): Json<Scoped>,
) -> Result<Response, Problem> {
    let (scope, reason) = (body.scope.0, body.reason.given()?);
    ask(
        &app,
        &asking,
        PlatformAsk::RequestCancelAll { scope, reason },
    )
    .await
}

/// Approves a cancel-all, as the second person: every working order in it is being cancelled, ours and external.
#[utoipa::path(
    post,
    path = "/v1/platform/cancel-all/{kill_id}/approve",
    operation_id = "approveCancelAll",
    tag = "Platform",
    params(("kill_id" = Uuid, Path, description = "The `request_id` of the answer to the cancel-all that was asked for"), Asking),
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["unknown-cancel-all", "own-request"]))),
)]
async fn approve_cancel_all(
    State(app): State<App>,
    asking: Asking,
    Path(text): Path<String>,
    _: NoBody,
) -> Result<Response, Problem> {
    let kill_id = kill_id(&text)?;
    let wanted = PlatformAsk::ApproveCancelAll { kill_id };
    ask(&app, &asking, wanted).await
}

/// Turns a cancel-all down, or takes it back.
#[utoipa::path(
    post,
    path = "/v1/platform/cancel-all/{kill_id}/reject",
    operation_id = "rejectCancelAll",
    tag = "Platform",
    params(("kill_id" = Uuid, Path, description = "The `request_id` of the answer to the cancel-all that was asked for"), Asking),
    request_body = Why,
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["reason-missing", "unknown-cancel-all"]))),
)]
async fn reject_cancel_all(
    State(app): State<App>,
    asking: Asking,
    Path(text): Path<String>,
    Json(body): Json<Why>,
) -> Result<Response, Problem> {
    let (kill_id, reason) = (kill_id(&text)?, body.reason.given()?);
    let wanted = PlatformAsk::RejectCancelAll { kill_id, reason };
    ask(&app, &asking, wanted).await
}

/// Asks to log every session to the venue out; new orders have to be halted there.
#[utoipa::path(
    post,
    path = "/v1/platform/disconnect",
    operation_id = "requestDisconnect",
    tag = "Platform",
    params(Asking),
    request_body = OfVenue,
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["reason-missing", "already-disconnected", "disconnect-pending", "halt-first"]))),
)]
async fn request_disconnect(
    State(app): State<App>,
    asking: Asking,
    Json(body): Json<OfVenue>,
) -> Result<Response, Problem> {
    let (venue, reason) = (body.venue, body.reason.given()?);
    ask(
        &app,
        &asking,
        PlatformAsk::RequestDisconnect { venue, reason },
    )
    .await
}

/// Approves the disconnect, as the second person: the sessions log out and stay away.
///
/// With `cancel_on_disconnect` the venue cancels what works there.
#[utoipa::path(
    post,
    path = "/v1/platform/disconnect/approve",
    operation_id = "approveDisconnect",
    tag = "Platform",
    params(Asking),
    request_body = VenueAlone,
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["no-disconnect-pending", "halt-first", "own-request"]))),
)]
async fn approve_disconnect(
    State(app): State<App>,
    asking: Asking,
    Json(body): Json<VenueAlone>,
) -> Result<Response, Problem> {
    let venue = body.venue;
    ask(&app, &asking, PlatformAsk::ApproveDisconnect { venue }).await
}

/// Turns the disconnect down, or takes it back: the sessions stay.
#[utoipa::path(
    post,
    path = "/v1/platform/disconnect/reject",
    operation_id = "rejectDisconnect",
    tag = "Platform",
    params(Asking),
    request_body = OfVenue,
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["reason-missing", "no-disconnect-pending"]))),
)]
async fn reject_disconnect(
    State(app): State<App>,
    asking: Asking,
    Json(body): Json<OfVenue>,
) -> Result<Response, Problem> {
    let (venue, reason) = (body.venue, body.reason.given()?);
    ask(
        &app,
        &asking,
        PlatformAsk::RejectDisconnect { venue, reason },
    )
    .await
}

/// Lets the sessions log on again, by one person: the halt stays.
#[utoipa::path(
    post,
    path = "/v1/platform/reconnect",
    operation_id = "reconnect",
    tag = "Platform",
    params(Asking),
    request_body = OfVenue,
    responses((status = 202, description = RECORDED, body = Accepted)),
    extensions(("x-problems" = json!(["reason-missing", "not-disconnected"]))),
)]
async fn reconnect(
    State(app): State<App>,
    asking: Asking,
    Json(body): Json<OfVenue>,
) -> Result<Response, Problem> {
    let (venue, reason) = (body.venue, body.reason.given()?);
    ask(&app, &asking, PlatformAsk::Reconnect { venue, reason }).await
}

fn kill_id(text: &str) -> Result<RequestId, Problem> {
    let id = text.parse().map(RequestId);
    id.map_err(|_| Problem::invalid_parameter(format!("`kill_id`: `{text}` is not a UUID")))
}

/// Tells a market's phase where the exchange sends none.
///
/// Without `trading_date` of the platform's. A phase that was known already, or is of a day before the last one told of that
/// segment, changes nothing and answers without `event` and `data`.
#[utoipa::path(
    post,
    path = "/v1/platform/market-phase",
    operation_id = "tellMarketPhase",
    tag = "Platform",
    params(IdempotencyKey),
    request_body = Told,
    responses((status = 202, description = RECORDED, body = Accepted)),
)]
async fn market_phase(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    Json(body): Json<Told>,
) -> Result<Response, Problem> {
    let trading_date = match body.trading_date {
        Some(date) => date,
        None => platform::load(&app)
            .await?
            .state
            .trading_date
            .ok_or_else(|| {
                Problem::malformed("`trading_date` is missing: the platform was never activated")
            })?,
    };
    let report = PlatformReport::MarketPhase {
        venue: body.venue,
        segment: body.segment,
        trading_date,
        phase: body.phase,
        // Who at the desk stands in the event's envelope.
        source: "desk".to_owned(),
    };
    let request_id = key.request_id(&actor.0);
    let answer = platform::tell(&app, &actor, request_id, report).await?;
    done(request_id, answer)
}
