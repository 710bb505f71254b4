//! `GET /v1/clients/{client_code}`, its positions, and the cancel of all its orders.

use super::identity::{Identity, of_client};
use super::position_list::Position;
use super::positions::{Outcome, cancel_each};
use super::{outage, parameter, trading_day, wait_for};
use crate::auth::Who;
use crate::decide::{accepted, check_knowing};
use crate::document::values;
use crate::extract::{IdempotencyKey, NoBody, Path, Query};
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::server::App;
use crate::verified;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use squareoff_domain::client::ClientRefusal;
use squareoff_domain::{ClientCode, Refusal};
use squareoff_projections::clients::{ClientRow, client};
use squareoff_projections::positions::positions_of_client;
use squareoff_store::Position as LogPosition;
use uuid::Uuid;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    #[param(value_type = values::LogPosition, required = false)]
    at_least: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct Client {
    #[schema(value_type = values::ClientCode)]
    client_code: String,
    category: String,
    branch: String,
    segments: Vec<String>,
    identity: Identity,
    /// The log position that the answer reflects.
    #[schema(value_type = values::LogPosition)]
    position: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ClientPositions)]
pub struct Positions {
    #[schema(value_type = values::ClientCode)]
    client_code: String,
    positions: Vec<Position>,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ClientCancelAccepted)]
struct CancelAccepted {
    request_id: Uuid,
    #[schema(value_type = values::ClientCode)]
    client_code: String,
    positions: Vec<Outcome>,
    /// Of the last event of the request.
    #[schema(value_type = values::LogPosition)]
    position: String,
}

/// One client, the identity masked.
#[utoipa::path(
    get,
    path = "/v1/clients/{client_code}",
    operation_id = "showClient",
    tag = "Clients",
    params(("client_code" = values::ClientCode, Path, description = "The client"), Reading),
    responses((status = 200, description = "The client", body = Client)),
    extensions(("x-problems" = json!(["unknown-client", "event-log-unavailable"]))),
)]
pub async fn show(
    State(app): State<App>,
    who: Who,
    Path(client_code): Path<String>,
    Query(query): Query<Reading>,
) -> Result<Json<Client>, Problem> {
    let code: ClientCode = parameter("client_code", &client_code)?;
    wait_for(&app, query.at_least.as_deref()).await?;
    who.own(&code, || unknown(&code))?;
    let found = client(&app.reads, code.as_str()).await.map_err(outage)?;
    let ClientRow {
        client_code,
        category,
        branch,
        segments,
        ..
    } = found.value.ok_or_else(|| unknown(&code))?;
    Ok(Json(Client {
        identity: of_client(&app, &code).await?,
        client_code,
        category,
        branch,
        segments,
        position: found.position.to_string(),
    }))
}

/// The client's positions of the platform's trading date.
///
/// Before the first activation: of the latest date there is.
#[utoipa::path(
    get,
    path = "/v1/clients/{client_code}/positions",
    operation_id = "listClientPositions",
    tag = "Clients",
    params(("client_code" = values::ClientCode, Path, description = "The client"), Reading),
    responses((status = 200, description = "The positions", body = Positions)),
    extensions(("x-problems" = json!(["unknown-client"]))),
)]
pub async fn positions(
    State(app): State<App>,
    who: Who,
    Path(client_code): Path<String>,
    Query(query): Query<Reading>,
) -> Result<Json<Positions>, Problem> {
    let code: ClientCode = parameter("client_code", &client_code)?;
    wait_for(&app, query.at_least.as_deref()).await?;
    who.own(&code, || unknown(&code))?;
    let date = app.directory.platform().trading_date;
    let date = date.map(trading_day);
    let found = positions_of_client(&app.reads, code.as_str(), date)
        .await
        .map_err(outage)?;
    if found.value.is_empty()
        && client(&app.reads, code.as_str())
            .await
            .map_err(outage)?
            .value
            .is_none()
    {
        return Err(unknown(&code));
    }
    let positions = found.value.into_iter().map(Position::from).collect();
    Ok(Json(Positions {
        client_code,
        positions,
        position: found.position.to_string(),
    }))
}

/// Cancels every order of the client that works on the platform's trading date, ours and the primary's.
///
/// Each position is an append of its own, so after a lost answer send the same again.
#[utoipa::path(
    post,
    path = "/v1/clients/{client_code}/cancel-all",
    operation_id = "cancelAllOfClient",
    tag = "Clients",
    params(("client_code" = values::ClientCode, Path, description = "The client"), IdempotencyKey),
    responses((status = 202, description = "The cancels are on their way, not done", body = CancelAccepted)),
    extensions(("x-problems" = json!(["event-log-behind", "platform-not-active", "unknown-client", "nothing-to-cancel", "client-erased", "identity-not-recorded", "identity-incomplete", "caller-not-verified"]))),
)]
pub async fn cancel_all(
    State(app): State<App>,
    who: Who,
    key: IdempotencyKey,
    Path(client_code): Path<String>,
    _: NoBody,
) -> Result<Response, Problem> {
    let code: ClientCode = parameter("client_code", &client_code)?;
    // A position that this node has not read about yet would be passed over.
    check_knowing(&app)?;
    let actor = who.actor();
    let request_id = key.request_id(&actor.0);
    let asked = Asked {
        client: Some(&code),
        ..Asked::of_desk("cancel-all", request_id)
    };
    let date = app.directory.platform().trading_date;
    let answer = async {
        let date = date.ok_or(Refusal::PlatformNotActive)?;
        if !app.directory.knows_client(&code) || !who.owns(&code) {
            return Err(unknown(&code));
        }
        verified::check(&app, &who, &code, None).await?;
        let mut streams = app.directory.positions_of(date, &code);
        streams.sort();
        let (positions, position, replayed) =
            cancel_each(&app, &actor, request_id, streams).await?;
        // Nothing was appended anywhere.
        if position == LogPosition::START {
            return Err(Refusal::NothingToCancel.into());
        }
        let body = CancelAccepted {
            request_id: request_id.0,
            client_code: code.to_string(),
            positions,
            position: position.to_string(),
        };
        Ok(accepted(&body, None, replayed))
    };
    app.keep(&actor, &asked, answer.await)
}

pub fn unknown(client_code: &ClientCode) -> Problem {
    let client = client_code.clone();
    ClientRefusal::UnknownClient { client }.into()
}
