//! Who may come in: enrolled, given another role, disabled, reset. An administrator's business.

use super::log_in::{access, not_stored};
use super::{parameter, rfc3339};
use crate::auth::{At, Who};
use crate::extract::{Json, Path, Reason};
use crate::problem::Problem;
use crate::server::{App, now};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use squareoff_access::{FirstSecret, NewPerson, Visit};
use squareoff_domain::people::Role;
use squareoff_domain::{ClientCode, OperatorId};
use squareoff_store::Caller;
use uuid::Uuid;

pub fn router() -> Router<App> {
    Router::new()
        .route("/", get(list).post(enrol))
        .route("/{operator}/role", post(change_role))
        .route("/{operator}/disable", post(disable))
        .route("/{operator}/reinstate", post(reinstate))
        .route("/{operator}/reset", post(reset))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrol {
    operator: OperatorId,
    name: String,
    role: Role,
    #[serde(default)]
    client_code: Option<ClientCode>,
    reason: Reason,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeRole {
    role: Role,
    reason: Reason,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Because {
    reason: Reason,
}

#[derive(Serialize)]
struct Operators {
    operators: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    operator: String,
    name: String,
    role: &'static str,
    client_code: Option<String>,
    disabled: bool,
    /// Whether they have set up what they come in with.
    ready: bool,
    sessions: usize,
    /// Of the sessions that live.
    seen_at: Option<String>,
}

/// What is handed over, shown once: a secret that sets a password, or a program's password.
#[derive(Serialize)]
struct HandOver<'a> {
    operator: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
}

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
            (Some(secret.expose_secret()), Some(*until), None)
        }
        FirstSecret::Password(password) => (None, None, Some(password.expose_secret())),
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
