//! `/v1/platform`: the platform's life, the kill switch, and the markets' phases. The two-person rule is the domain's.

use super::rfc3339;
use crate::auth::Actor;
use crate::decide::{Answer, accepted};
use crate::extract::{IdempotencyKey, Json, NoBody, OptionalJson, Path, Reason, Scope, Time};
use crate::hand_back;
use crate::platform;
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::server::{App, date_in_india, now};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use squareoff_domain::platform::{
    Halt, HaltScope, MarketPhase, Platform, PlatformAsk, PlatformEvent, PlatformReport, Wish,
};
use squareoff_domain::{RequestId, Segment, TradingDate, Venue};
use squareoff_store::Position;
use squareoff_store::codec::LogEvent;
use uuid::Uuid;

pub fn router() -> Router<App> {
    use PlatformAsk::*;
    Router::new()
        .route("/", get(show))
        .route("/activation", of(requested_activation))
        .route("/activation/approve", plain(|| ApproveActivation))
        .route(
            "/activation/reject",
            why(|reason| RejectActivation { reason }),
        )
        .route("/activation/load", plain(|| StartLoading))
        .route("/activation/activate", post(activate))
        .route("/hand-back", why(|reason| RequestHandback { reason }))
        .route("/hand-back/approve", plain(|| ApproveHandback))
        .route("/hand-back/reject", why(|reason| RejectHandback { reason }))
        .route("/hand-back/complete", post(complete_hand_back))
        .route("/stand-down", why(|reason| StandDown { reason }))
        .route("/halt", scoped(|scope, reason| Halt { scope, reason }))
        .route(
            "/resume",
            scoped(|scope, reason| RequestResume { scope, reason }),
        )
        .route("/resume/approve", of(approved_resume))
        .route(
            "/resume/reject",
            scoped(|scope, reason| RejectResume { scope, reason }),
        )
        .route(
            "/cancel-all",
            scoped(|scope, reason| RequestCancelAll { scope, reason }),
        )
        .route("/cancel-all/{kill_id}/approve", post(approve_cancel_all))
        .route("/cancel-all/{kill_id}/reject", post(reject_cancel_all))
        .route(
            "/disconnect",
            of_venue(|venue, reason| RequestDisconnect { venue, reason }),
        )
        .route("/disconnect/approve", of(approved_disconnect))
        .route(
            "/disconnect/reject",
            of_venue(|venue, reason| RejectDisconnect { venue, reason }),
        )
        .route(
            "/reconnect",
            of_venue(|venue, reason| Reconnect { venue, reason }),
        )
        .route("/market-phase", post(market_phase))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activation {
    trading_date: TradingDate,
    reason: Reason,
    outage_began_at: Time,
}

/// Of an activation whose book is not loaded.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithoutBook {
    /// Why it has to be all the same.
    without_book: Reason,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Why {
    reason: Reason,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scoped {
    scope: Scope,
    reason: Reason,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeAlone {
    scope: Scope,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfVenue {
    venue: Venue,
    reason: Reason,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenueAlone {
    venue: Venue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    venue: Venue,
    segment: Segment,
    phase: MarketPhase,
    /// Absent: the platform's.
    trading_date: Option<TradingDate>,
}

#[derive(Serialize)]
struct Accepted {
    request_id: Uuid,
    /// What was recorded, as it stands in the log; absent when a phase was told that was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    stream: String,
    version: u64,
    position: String,
}

#[derive(Serialize)]
pub struct Shown {
    platform: &'static str,
    epoch: u32,
    trading_date: Option<TradingDate>,
    activation: Option<PendingActivation>,
    handback_requested_by: Option<String>,
    halts: Vec<Switch>,
    resumes: Vec<Pending>,
    cancel_alls: Vec<Pending>,
    /// Venues that no session is connected to.
    disconnects: Vec<Switch>,
    disconnect_requests: Vec<Pending>,
    markets: Vec<Market>,
    version: u64,
    position: String,
}

#[derive(Serialize)]
struct PendingActivation {
    trading_date: TradingDate,
    reason: String,
    outage_began_at: String,
    requested_by: String,
    approved_by: Option<String>,
}

#[derive(Serialize)]
struct Switch {
    scope: String,
    reason: String,
    by: String,
}

/// What waits for a second person.
#[derive(Serialize)]
struct Pending {
    #[serde(skip_serializing_if = "Option::is_none")]
    kill_id: Option<Uuid>,
    scope: String,
    reason: String,
    requested_by: String,
}

#[derive(Serialize)]
struct Market {
    venue: Venue,
    segment: Segment,
    trading_date: TradingDate,
    phase: MarketPhase,
    source: String,
    /// New orders go: it is open, and on the platform's trading date.
    open: bool,
}

async fn show(State(app): State<App>, _: Actor) -> Result<axum::Json<Shown>, Problem> {
    let loaded = platform::load(&app).await?;
    let position = loaded.position.unwrap_or(Position::START);
    Ok(axum::Json(Shown::of(
        &loaded.state,
        loaded.version,
        position,
    )))
}

impl Shown {
    pub(crate) fn of(platform: &Platform, version: u64, position: Position) -> Self {
        let activation = platform.activation.as_ref();
        let markets = platform.markets.iter();
        Shown {
            platform: platform.phase.as_str(),
            epoch: platform.epoch,
            trading_date: platform.trading_date,
            activation: activation.map(|activation| PendingActivation {
                trading_date: activation.trading_date,
                reason: activation.reason.clone(),
                outage_began_at: rfc3339(activation.outage_began_at),
                requested_by: activation.requested_by.clone(),
                approved_by: activation.approved_by.clone(),
            }),
            handback_requested_by: platform.handback_requested_by.clone(),
            halts: platform.halts.iter().map(switch).collect(),
            resumes: platform
                .resumes
                .values()
                .map(|wish| pending(None, wish))
                .collect(),
            cancel_alls: platform
                .cancel_alls
                .iter()
                .map(|(id, wish)| pending(Some(id.0), wish))
                .collect(),
            disconnects: platform
                .disconnects
                .iter()
                .map(|(venue, halt)| switch((&HaltScope::Venue(*venue), halt)))
                .collect(),
            disconnect_requests: platform
                .disconnect_wishes
                .values()
                .map(|wish| pending(None, wish))
                .collect(),
            markets: markets
                .map(|((venue, segment), market)| Market {
                    venue: *venue,
                    segment: *segment,
                    trading_date: market.trading_date,
                    phase: market.phase,
                    source: market.source.clone(),
                    open: platform.is_market_open(*venue, *segment),
                })
                .collect(),
            version,
            position: position.to_string(),
        }
    }
}

fn switch((scope, halt): (&HaltScope, &Halt)) -> Switch {
    Switch {
        scope: scope.to_string(),
        reason: halt.reason.clone(),
        by: halt.by.clone(),
    }
}

fn pending(kill_id: Option<Uuid>, wish: &Wish) -> Pending {
    Pending {
        kill_id,
        scope: wish.scope.to_string(),
        reason: wish.reason.clone(),
        requested_by: wish.by.clone(),
    }
}

/// Asks, and answers with what was recorded.
async fn ask(
    app: &App,
    actor: &Actor,
    key: &IdempotencyKey,
    ask: PlatformAsk,
) -> Result<Response, Problem> {
    let request_id = key.request_id(&actor.0);
    let answer = platform::ask(app, actor, request_id, ask).await?;
    done(request_id, answer)
}

fn done(request_id: RequestId, answer: Answer<PlatformEvent>) -> Result<Response, Problem> {
    let encoded = answer.events.first().map(LogEvent::encode);
    let data = encoded.as_ref().map(|encoded| {
        let text = String::from_utf8(encoded.body.clone()).map_err(Problem::bug)?;
        RawValue::from_string(text).map_err(Problem::bug)
    });
    let body = Accepted {
        request_id: request_id.0,
        event: encoded.map(|encoded| encoded.event_type),
        data: data.transpose()?,
        stream: answer.stream,
        version: answer.version,
        position: answer.position.to_string(),
    };
    Ok(accepted(&body, None, answer.replayed))
}

/// A request without a body.
fn plain(wanted: fn() -> PlatformAsk) -> MethodRouter<App> {
    post(
        async move |State(app): State<App>, actor: Actor, key: IdempotencyKey, _: NoBody| {
            ask(&app, &actor, &key, wanted()).await
        },
    )
}

/// A request that this body makes.
fn of<B>(wanted: fn(B) -> Result<PlatformAsk, Problem>) -> MethodRouter<App>
where
    B: DeserializeOwned + Send + 'static,
{
    post(
        async move |State(app): State<App>,
                    actor: Actor,
                    key: IdempotencyKey,
                    Json(body): Json<B>| { ask(&app, &actor, &key, wanted(body)?).await },
    )
}

fn why(wanted: fn(String) -> PlatformAsk) -> MethodRouter<App> {
    post(
        async move |State(app): State<App>,
                    actor: Actor,
                    key: IdempotencyKey,
                    Json(body): Json<Why>| {
            ask(&app, &actor, &key, wanted(body.reason.given()?)).await
        },
    )
}

fn scoped(wanted: fn(HaltScope, String) -> PlatformAsk) -> MethodRouter<App> {
    post(
        async move |State(app): State<App>,
                    actor: Actor,
                    key: IdempotencyKey,
                    Json(body): Json<Scoped>| {
            let wanted = wanted(body.scope.0, body.reason.given()?);
            ask(&app, &actor, &key, wanted).await
        },
    )
}

fn of_venue(wanted: fn(Venue, String) -> PlatformAsk) -> MethodRouter<App> {
    post(
        async move |State(app): State<App>,
                    actor: Actor,
                    key: IdempotencyKey,
                    Json(body): Json<OfVenue>| {
            let wanted = wanted(body.venue, body.reason.given()?);
            ask(&app, &actor, &key, wanted).await
        },
    )
}

fn requested_activation(body: Activation) -> Result<PlatformAsk, Problem> {
    let outage_began_at = body.outage_began_at.0;
    if outage_began_at > now() {
        return Err(Problem::malformed("`outage_began_at` is in the future"));
    }
    // In the gateway's eyes a later day ends what works of today, which the exchange would still hold.
    if body.trading_date > date_in_india(now()) {
        return Err(Problem::malformed("`trading_date` is in the future"));
    }
    let (trading_date, reason) = (body.trading_date, body.reason.given()?);
    Ok(PlatformAsk::RequestActivation {
        trading_date,
        reason,
        outage_began_at,
    })
}

fn approved_resume(body: ScopeAlone) -> Result<PlatformAsk, Problem> {
    let scope = body.scope.0;
    Ok(PlatformAsk::ApproveResume { scope })
}

fn approved_disconnect(body: VenueAlone) -> Result<PlatformAsk, Problem> {
    let venue = body.venue;
    Ok(PlatformAsk::ApproveDisconnect { venue })
}

async fn activate(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    OptionalJson(body): OptionalJson<WithoutBook>,
) -> Result<Response, Problem> {
    let without_book = body.map(|body| body.without_book.given()).transpose()?;
    ask(&app, &actor, &key, PlatformAsk::Activate { without_book }).await
}

async fn complete_hand_back(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    _: NoBody,
) -> Result<Response, Problem> {
    let request_id = key.request_id(&actor.0);
    let asked = Asked::of_desk("complete-hand-back", request_id);
    let package = hand_back::package(&app, &actor, request_id).await;
    let package = app.keep(&actor, &asked, package)?;
    let wanted = PlatformAsk::CompleteHandback { package };
    ask(&app, &actor, &key, wanted).await
}

async fn approve_cancel_all(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    Path(text): Path<String>,
    _: NoBody,
) -> Result<Response, Problem> {
    let kill_id = kill_id(&text)?;
    ask(
        &app,
        &actor,
        &key,
        PlatformAsk::ApproveCancelAll { kill_id },
    )
    .await
}

async fn reject_cancel_all(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    Path(text): Path<String>,
    Json(body): Json<Why>,
) -> Result<Response, Problem> {
    let (kill_id, reason) = (kill_id(&text)?, body.reason.given()?);
    let wanted = PlatformAsk::RejectCancelAll { kill_id, reason };
    ask(&app, &actor, &key, wanted).await
}

fn kill_id(text: &str) -> Result<RequestId, Problem> {
    let id = text.parse().map(RequestId);
    id.map_err(|_| Problem::invalid_parameter(format!("`kill_id`: `{text}` is not a UUID")))
}

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
