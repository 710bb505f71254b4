//! `/v1/platform`: the platform's life, the kill switch, and the markets' phases. The two-person rule is the domain's.

mod life;
mod switches;

use super::rfc3339;
use crate::auth::Actor;
use crate::decide::{Answer, accepted};
use crate::document::values;
use crate::extract::{Reason, Scope, Time};
use crate::if_match::{Asking, etag};
use crate::platform;
use crate::problem::Problem;
use crate::server::App;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use squareoff_domain::platform::{
    Halt, HaltScope, MarketPhase, Platform, PlatformAsk, PlatformEvent, Wish,
};
use squareoff_domain::{RequestId, Segment, TradingDate, Venue};
use squareoff_store::Position;
use squareoff_store::codec::LogEvent;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// What every request here is answered with.
const RECORDED: &str = "Recorded: the event, its body as it stands in the log";

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .merge(life::router())
        .merge(switches::router())
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = ActivationAsked)]
#[serde(deny_unknown_fields)]
pub struct Activation {
    #[schema(value_type = values::TradingDay)]
    trading_date: TradingDate,
    #[schema(value_type = values::ReasonText)]
    reason: Reason,
    #[schema(value_type = values::Instant)]
    outage_began_at: Time,
}

/// Of an activation whose book is not loaded.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WithoutBook {
    /// Why it has to be all the same.
    #[schema(value_type = values::ReasonText)]
    without_book: Reason,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = Why)]
#[serde(deny_unknown_fields)]
pub struct Why {
    #[schema(value_type = values::ReasonText)]
    reason: Reason,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Scoped {
    #[schema(value_type = values::ScopeText)]
    scope: Scope,
    #[schema(value_type = values::ReasonText)]
    reason: Reason,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopeAlone {
    #[schema(value_type = values::ScopeText)]
    scope: Scope,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OfVenue {
    #[schema(value_type = values::VenueName)]
    venue: Venue,
    #[schema(value_type = values::ReasonText)]
    reason: Reason,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VenueAlone {
    #[schema(value_type = values::VenueName)]
    venue: Venue,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = MarketPhaseTold)]
#[serde(deny_unknown_fields)]
pub struct Told {
    #[schema(value_type = values::VenueName)]
    venue: Venue,
    #[schema(value_type = values::SegmentName)]
    segment: Segment,
    #[schema(value_type = values::MarketPhaseName)]
    phase: MarketPhase,
    /// Absent: the platform's.
    #[schema(value_type = Option<values::TradingDay>)]
    trading_date: Option<TradingDate>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = PlatformAccepted)]
struct Accepted {
    request_id: Uuid,
    /// What was recorded, as it stands in the log; absent when a phase was told that was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    event: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false)]
    data: Option<Box<RawValue>>,
    #[schema(value_type = values::StreamName)]
    stream: String,
    version: u64,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = PlatformShown)]
pub struct Shown {
    #[schema(value_type = values::PlatformState)]
    platform: &'static str,
    epoch: u32,
    #[schema(value_type = Option<values::TradingDay>, required = true)]
    trading_date: Option<TradingDate>,
    #[schema(required = true)]
    activation: Option<PendingActivation>,
    #[schema(required = true)]
    handback_requested_by: Option<String>,
    halts: Vec<Switch>,
    resumes: Vec<Pending>,
    cancel_alls: Vec<Pending>,
    /// Venues that no session is connected to.
    disconnects: Vec<Switch>,
    disconnect_requests: Vec<Pending>,
    markets: Vec<Market>,
    version: u64,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

#[derive(Serialize, utoipa::ToSchema)]
struct PendingActivation {
    #[schema(value_type = values::TradingDay)]
    trading_date: TradingDate,
    reason: String,
    #[schema(value_type = values::Instant)]
    outage_began_at: String,
    requested_by: String,
    #[schema(required = true)]
    approved_by: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct Switch {
    #[schema(value_type = values::ScopeText)]
    scope: String,
    reason: String,
    by: String,
}

/// What waits for a second person.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = PendingWish)]
struct Pending {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Uuid, required = false)]
    kill_id: Option<Uuid>,
    #[schema(value_type = values::ScopeText)]
    scope: String,
    reason: String,
    requested_by: String,
}

#[derive(Serialize, utoipa::ToSchema)]
struct Market {
    #[schema(value_type = values::VenueName)]
    venue: Venue,
    #[schema(value_type = values::SegmentName)]
    segment: Segment,
    #[schema(value_type = values::TradingDay)]
    trading_date: TradingDate,
    #[schema(value_type = values::MarketPhaseName)]
    phase: MarketPhase,
    source: String,
    /// New orders go: it is open, and on the platform's trading date.
    open: bool,
}

/// The platform as it stands, from the log itself.
#[utoipa::path(
    get,
    path = "/v1/platform",
    operation_id = "showPlatform",
    tag = "Platform",
    responses((status = 200, description = "All of it", body = Shown, headers(("ETag" = String, description = "The version of the platform's stream, for `If-Match`")))),
)]
async fn show(State(app): State<App>, _: Actor) -> Result<Response, Problem> {
    let loaded = platform::load(&app).await?;
    let position = loaded.position.unwrap_or(Position::START);
    let shown = Shown::of(&loaded.state, loaded.version, position);
    Ok((etag(loaded.version), axum::Json(shown)).into_response())
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
async fn ask(app: &App, asking: &Asking, ask: PlatformAsk) -> Result<Response, Problem> {
    let answer = platform::ask(app, asking, ask).await?;
    done(asking.request_id(), answer)
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
