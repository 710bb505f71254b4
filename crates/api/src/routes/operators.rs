//! Who may come in: enrolled, given another role, disabled, reset. An administrator's business.

use super::log_in::{access, not_stored};
use super::{parameter, rfc3339};
use crate::auth::{At, Who};
use crate::document::values;
use crate::extract::{Json, Path, Reason};
use crate::problem::Problem;
use crate::server::{App, now};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use squareoff_access::{FirstSecret, NewPerson, Visit};
use squareoff_domain::people::Role;
use squareoff_domain::{ClientCode, OperatorId};
use squareoff_store::Caller;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(enrol))
        .routes(routes!(change_role))
        .routes(routes!(disable))
        .routes(routes!(reinstate))
        .routes(routes!(reset))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Enrol {
    #[schema(value_type = values::OperatorName)]
    operator: OperatorId,
    name: String,
    #[schema(value_type = values::RoleName)]
    role: Role,
    /// Of an investor alone.
    #[serde(default)]
    #[schema(value_type = Option<values::ClientCode>)]
    client_code: Option<ClientCode>,
    #[schema(value_type = values::ReasonText)]
    reason: Reason,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeRole {
    #[schema(value_type = values::RoleName)]
    role: Role,
    #[schema(value_type = values::ReasonText)]
    reason: Reason,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Because {
    #[schema(value_type = values::ReasonText)]
    reason: Reason,
}

#[derive(Serialize, utoipa::ToSchema)]
struct Operators {
    operators: Vec<Row>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Operator)]
struct Row {
    operator: String,
    name: String,
    #[schema(value_type = values::RoleName)]
    role: &'static str,
    #[schema(value_type = Option<values::ClientCode>, required = true)]
    client_code: Option<String>,
    disabled: bool,
    /// Whether they have set up what they come in with.
    ready: bool,
    sessions: usize,
    /// Of the sessions that live.
    #[schema(value_type = Option<values::Instant>, required = true)]
    seen_at: Option<String>,
}

/// What is handed over, shown once: a secret that sets a password, or a program's password.
#[derive(Serialize, utoipa::ToSchema)]
struct HandOver {
    operator: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = values::Instant, required = false)]
    secret_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    password: Option<String>,
}

/// Everybody who was enrolled.
#[utoipa::path(
    get,
    path = "/v1/operators",
    operation_id = "listOperators",
    tag = "People",
    responses((status = 200, description = "All of them", body = Operators)),
    extensions(("x-problems" = json!(["log-in-unavailable", "event-log-unavailable"]))),
)]
async fn list(State(app): State<App>) -> Result<Response, Problem> {
    let everybody = access(&app)?.everybody(now()).await?;
    let row = |somebody: squareoff_access::Somebody| Row {
        operator: somebody.operator.to_string(),
        name: somebody.name,
        role: somebody.role.as_str(),
        client_code: somebody.client.map(|client| client.to_string()),
        disabled: somebody.disabled,
        ready: somebody.ready,
        sessions: somebody.log_ins,
        seen_at: somebody.seen_at.map(rfc3339),
    };
    Ok(not_stored(&Operators {
        operators: everybody.into_iter().map(row).collect(),
    }))
}

/// Enrols somebody; the answer is what to hand over, shown once.
#[utoipa::path(
    post,
    path = "/v1/operators",
    operation_id = "enrolOperator",
    tag = "People",
    request_body = Enrol,
    responses((status = 201, description = "They are enrolled", body = HandOver)),
    extensions(("x-problems" = json!(["reason-missing", "reason-holds-pan", "operator-name-invalid", "operator-exists", "operator-client-mismatch", "own-rights", "log-in-unavailable", "event-log-unavailable", "overloaded", "busy", "outcome-unknown"]))),
)]
async fn enrol(
    State(app): State<App>,
    who: Who,
    At(visit): At,
    Json(body): Json<Enrol>,
) -> Result<Response, Problem> {
    let operator = body.operator.clone();
    let person = NewPerson {
        operator: body.operator,
        name: body.name,
        role: body.role,
        client: body.client_code,
        reason: body.reason.0,
    };
    let secret = access(&app)?.enrol(person, &caller(&who, &visit)).await?;
    Ok((StatusCode::CREATED, handed_over(&operator, &secret)).into_response())
}

/// Gives somebody another role.
#[utoipa::path(
    post,
    path = "/v1/operators/{operator}/role",
    operation_id = "changeRole",
    tag = "People",
    params(("operator" = values::OperatorName, Path, description = "Whose account")),
    request_body = ChangeRole,
    responses((status = 204, description = "They have it")),
    extensions(("x-problems" = json!(["reason-missing", "reason-holds-pan", "own-rights", "unknown-operator", "operator-client-mismatch", "operator-disabled", "operator-has-role", "log-in-unavailable", "event-log-unavailable", "overloaded", "busy", "outcome-unknown"]))),
)]
async fn change_role(
    State(app): State<App>,
    who: Who,
    At(visit): At,
    Path(operator): Path<String>,
    Json(body): Json<ChangeRole>,
) -> Result<StatusCode, Problem> {
    let operator = parameter("operator", &operator)?;
    access(&app)?
        .change_role(&operator, body.role, body.reason.0, &caller(&who, &visit))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets somebody in no more; their sessions end.
#[utoipa::path(
    post,
    path = "/v1/operators/{operator}/disable",
    operation_id = "disableOperator",
    tag = "People",
    params(("operator" = values::OperatorName, Path, description = "Whose account")),
    request_body = Because,
    responses((status = 204, description = "They are disabled")),
    extensions(("x-problems" = json!(["reason-missing", "reason-holds-pan", "own-rights", "unknown-operator", "operator-disabled", "log-in-unavailable", "event-log-unavailable", "overloaded", "busy", "outcome-unknown"]))),
)]
async fn disable(
    State(app): State<App>,
    who: Who,
    At(visit): At,
    Path(operator): Path<String>,
    Json(body): Json<Because>,
) -> Result<StatusCode, Problem> {
    let operator = parameter("operator", &operator)?;
    access(&app)?
        .disable(&operator, body.reason.0, &caller(&who, &visit))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets somebody in again who was disabled.
#[utoipa::path(
    post,
    path = "/v1/operators/{operator}/reinstate",
    operation_id = "reinstateOperator",
    tag = "People",
    params(("operator" = values::OperatorName, Path, description = "Whose account")),
    request_body = Because,
    responses((status = 204, description = "They are reinstated")),
    extensions(("x-problems" = json!(["reason-missing", "reason-holds-pan", "own-rights", "unknown-operator", "operator-not-disabled", "log-in-unavailable", "event-log-unavailable", "overloaded", "busy", "outcome-unknown"]))),
)]
async fn reinstate(
    State(app): State<App>,
    who: Who,
    At(visit): At,
    Path(operator): Path<String>,
    Json(body): Json<Because>,
) -> Result<StatusCode, Problem> {
    let operator = parameter("operator", &operator)?;
    access(&app)?
        .reinstate(&operator, body.reason.0, &caller(&who, &visit))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes password, app and recovery codes away; the answer is what to hand over, shown once.
#[utoipa::path(
    post,
    path = "/v1/operators/{operator}/reset",
    operation_id = "resetOperator",
    tag = "People",
    params(("operator" = values::OperatorName, Path, description = "Whose account")),
    request_body = Because,
    responses((status = 200, description = "What to hand over", body = HandOver)),
    extensions(("x-problems" = json!(["reason-missing", "reason-holds-pan", "own-rights", "unknown-operator", "operator-disabled", "operator-client-mismatch", "log-in-unavailable", "event-log-unavailable", "overloaded", "busy", "outcome-unknown"]))),
)]
async fn reset(
    State(app): State<App>,
    who: Who,
    At(visit): At,
    Path(operator): Path<String>,
    Json(body): Json<Because>,
) -> Result<Response, Problem> {
    let operator = parameter("operator", &operator)?;
    let caller = caller(&who, &visit);
    let secret = access(&app)?
        .reset(&operator, body.reason.0, &caller)
        .await?;
    Ok(handed_over(&operator, &secret))
}

fn handed_over(operator: &OperatorId, secret: &FirstSecret) -> Response {
    let (secret, until, password) = match secret {
        FirstSecret::Invitation { secret, until } => {
            (Some(secret.expose_secret().to_owned()), Some(*until), None)
        }
        FirstSecret::Password(password) => (None, None, Some(password.expose_secret().to_owned())),
    };
    not_stored(&HandOver {
        operator: operator.to_string(),
        secret,
        secret_until: until.map(rfc3339),
        password,
    })
}

/// Each is a request of its own: a second one is refused by what the first one did.
fn caller(who: &Who, visit: &Visit) -> Caller {
    let id = Uuid::now_v7();
    Caller {
        actor: who.name.clone(),
        request_id: id,
        correlation_id: id,
        epoch: visit.epoch,
        now: visit.now,
    }
}
