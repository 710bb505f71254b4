//! Who may come in: enrolled, given another role, disabled, reset. An administrator's business.

use super::log_in::{access, not_stored};
use super::rows::Wanted;
use super::{parameter, rfc3339};
use crate::auth::{Actor, At};
use crate::decide::{is_of_another, marked};
use crate::document::values;
use crate::extract::{IdempotencyKey, Json, Path, Reason};
use crate::if_match::{self, Asking, IfMatch, etag};
use crate::problem::Problem;
use crate::server::{App, now};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use squareoff_access::{
    AccessError, By, FirstSecret, HandOver as Given, NewPerson, Somebody, Visit,
};
use squareoff_domain::people::{Person, PersonRefusal, Role, operator_stream};
use squareoff_domain::{ClientCode, OperatorId, RequestId};
use squareoff_store::Caller;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
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
    /// Of their stream: the `ETag`, for `If-Match`.
    version: u64,
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
    responses((status = 200, description = "All of them; with `Accept: text/csv` their rows", content((Operators = "application/json"), (String = "text/csv")))),
    extensions(("x-problems" = json!(["log-in-unavailable", "event-log-unavailable"]))),
)]
async fn list(State(app): State<App>, rows: Wanted) -> Result<Response, Problem> {
    let everybody = access(&app)?.everybody(now()).await?;
    let operators: Vec<_> = everybody.into_iter().map(Row::from).collect();
    rows.all(operators, |operators| Operators { operators })
}

/// One of them, from the log and the secrets file themselves.
#[utoipa::path(
    get,
    path = "/v1/operators/{operator}",
    operation_id = "showOperator",
    tag = "People",
    params(("operator" = values::OperatorName, Path, description = "Whose account")),
    responses((status = 200, description = "Who they are", body = Row, headers(("ETag" = String, description = "The version of their stream, for `If-Match`")))),
    extensions(("x-problems" = json!(["unknown-operator", "log-in-unavailable", "event-log-unavailable"]))),
)]
async fn show(State(app): State<App>, Path(operator): Path<String>) -> Result<Response, Problem> {
    let operator = parameter("operator", &operator)?;
    let somebody = access(&app)?.somebody(&operator, now()).await?;
    let row = Row::from(somebody.ok_or(PersonRefusal::UnknownOperator { operator })?);
    Ok((etag(row.version), not_stored(&row)).into_response())
}

/// Enrols somebody; the answer is what to hand over.
///
/// The same again hands the same secret over, as long as it counts, and finishes what broke off.
#[utoipa::path(
    post,
    path = "/v1/operators",
    operation_id = "enrolOperator",
    tag = "People",
    params(IdempotencyKey),
    request_body = Enrol,
    responses((status = 201, description = "They are enrolled", body = HandOver)),
    extensions(("x-problems" = json!(["reason-missing", "reason-holds-pan", "operator-name-invalid", "operator-exists", "operator-client-mismatch", "own-rights", "first-secret-gone", "log-in-busy", "log-in-unavailable"]))),
)]
async fn enrol(
    State(app): State<App>,
    actor: Actor,
    At(visit): At,
    key: IdempotencyKey,
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
    let request_id = key.request_id(&actor.0);
    // There is nobody yet whom one could have seen.
    let asked = About::of(&app, &actor, request_id, &operator, IfMatch(None), visit).await?;
    let given = access(&app)?.enrol(person, asked.by()).await;
    let given = asked.done(&app, given)?;
    Ok((StatusCode::CREATED, handed_over(&operator, &given)).into_response())
}

/// Gives somebody another role.
#[utoipa::path(
    post,
    path = "/v1/operators/{operator}/role",
    operation_id = "changeRole",
    tag = "People",
    params(("operator" = values::OperatorName, Path, description = "Whose account"), Asking),
    request_body = ChangeRole,
    responses((status = 204, description = "They have it")),
    extensions(("x-problems" = json!(["reason-missing", "reason-holds-pan", "own-rights", "unknown-operator", "operator-client-mismatch", "operator-disabled", "operator-has-role", "log-in-unavailable"]))),
)]
async fn change_role(
    State(app): State<App>,
    asking: Asking,
    At(visit): At,
    Path(operator): Path<String>,
    Json(body): Json<ChangeRole>,
) -> Result<Response, Problem> {
    let operator = parameter("operator", &operator)?;
    let asked = About::about(&app, &asking, &operator, visit).await?;
    let replayed = access(&app)?
        .change_role(&operator, body.role, body.reason.0, asked.by())
        .await;
    Ok(changed(asked.done(&app, replayed)?))
}

/// Lets somebody in no more; their sessions end.
#[utoipa::path(
    post,
    path = "/v1/operators/{operator}/disable",
    operation_id = "disableOperator",
    tag = "People",
    params(("operator" = values::OperatorName, Path, description = "Whose account"), Asking),
    request_body = Because,
    responses((status = 204, description = "They are disabled")),
    extensions(("x-problems" = json!(["reason-missing", "reason-holds-pan", "own-rights", "unknown-operator", "operator-disabled", "log-in-unavailable"]))),
)]
async fn disable(
    State(app): State<App>,
    asking: Asking,
    At(visit): At,
    Path(operator): Path<String>,
    Json(body): Json<Because>,
) -> Result<Response, Problem> {
    let operator = parameter("operator", &operator)?;
    let asked = About::about(&app, &asking, &operator, visit).await?;
    let replayed = access(&app)?
        .disable(&operator, body.reason.0, asked.by())
        .await;
    Ok(changed(asked.done(&app, replayed)?))
}

/// Lets somebody in again who was disabled.
#[utoipa::path(
    post,
    path = "/v1/operators/{operator}/reinstate",
    operation_id = "reinstateOperator",
    tag = "People",
    params(("operator" = values::OperatorName, Path, description = "Whose account"), Asking),
    request_body = Because,
    responses((status = 204, description = "They are reinstated")),
    extensions(("x-problems" = json!(["reason-missing", "reason-holds-pan", "own-rights", "unknown-operator", "operator-not-disabled", "log-in-unavailable"]))),
)]
async fn reinstate(
    State(app): State<App>,
    asking: Asking,
    At(visit): At,
    Path(operator): Path<String>,
    Json(body): Json<Because>,
) -> Result<Response, Problem> {
    let operator = parameter("operator", &operator)?;
    let asked = About::about(&app, &asking, &operator, visit).await?;
    let replayed = access(&app)?
        .reinstate(&operator, body.reason.0, asked.by())
        .await;
    Ok(changed(asked.done(&app, replayed)?))
}

/// Takes password, app and recovery codes away; the answer is what to hand over.
///
/// The same again hands the same secret over, as long as it counts, and finishes what broke off.
#[utoipa::path(
    post,
    path = "/v1/operators/{operator}/reset",
    operation_id = "resetOperator",
    tag = "People",
    params(("operator" = values::OperatorName, Path, description = "Whose account"), Asking),
    request_body = Because,
    responses((status = 200, description = "What to hand over", body = HandOver)),
    extensions(("x-problems" = json!(["reason-missing", "reason-holds-pan", "own-rights", "unknown-operator", "operator-disabled", "first-secret-gone", "log-in-busy", "log-in-unavailable"]))),
)]
async fn reset(
    State(app): State<App>,
    asking: Asking,
    At(visit): At,
    Path(operator): Path<String>,
    Json(body): Json<Because>,
) -> Result<Response, Problem> {
    let operator = parameter("operator", &operator)?;
    let asked = About::about(&app, &asking, &operator, visit).await?;
    let given = access(&app)?
        .reset(&operator, body.reason.0, asked.by())
        .await;
    Ok(handed_over(&operator, &asked.done(&app, given)?))
}

fn changed(replayed: bool) -> Response {
    marked(StatusCode::NO_CONTENT.into_response(), replayed)
}

fn handed_over(operator: &OperatorId, given: &Given) -> Response {
    let (secret, until, password) = match &given.secret {
        FirstSecret::Invitation { secret, until } => {
            (Some(secret.expose_secret().to_owned()), Some(*until), None)
        }
        FirstSecret::Password(password) => (None, None, Some(password.expose_secret().to_owned())),
    };
    let body = not_stored(&HandOver {
        operator: operator.to_string(),
        secret,
        secret_until: until.map(rfc3339),
        password,
    });
    marked(body, given.replayed)
}

/// A request about somebody, and what its caller saw of them.
struct About {
    stream: String,
    caller: Caller,
    seen: Option<(Person, u64)>,
}

impl About {
    async fn about(
        app: &App,
        asking: &Asking,
        operator: &OperatorId,
        visit: Visit,
    ) -> Result<Self, Problem> {
        let request_id = asking.request_id();
        Self::of(app, &asking.actor, request_id, operator, asking.seen, visit).await
    }

    /// # Errors
    /// `idempotency-key-reused` for what the key was used for elsewhere; of what it was used for here the domain knows.
    async fn of(
        app: &App,
        actor: &Actor,
        request_id: RequestId,
        operator: &OperatorId,
        IfMatch(version): IfMatch,
        visit: Visit,
    ) -> Result<Self, Problem> {
        let stream = operator_stream(operator);
        if is_of_another(app, request_id, &stream) {
            return Err(PersonRefusal::RequestIdReused.into());
        }
        let seen = match version {
            Some(version) => Some((if_match::seen(app, &stream, version).await?, version)),
            None => None,
        };
        let caller = Caller {
            actor: actor.0.clone(),
            request_id: request_id.0,
            correlation_id: request_id.0,
            epoch: visit.epoch,
            now: visit.now,
        };
        Ok(About {
            stream,
            caller,
            seen,
        })
    }

    fn by(&self) -> By<'_> {
        By {
            caller: &self.caller,
            seen: self.seen.as_ref().map(|(seen, version)| (seen, *version)),
        }
    }

    /// Whoever uses the key again may be faster than the log is followed.
    fn done<T>(&self, app: &App, done: Result<T, AccessError>) -> Result<T, Problem> {
        let done = done?;
        let request_id = RequestId(self.caller.request_id);
        app.directory.accepted(request_id, &self.stream);
        Ok(done)
    }
}

impl From<Somebody> for Row {
    fn from(somebody: Somebody) -> Self {
        Row {
            operator: somebody.operator.to_string(),
            name: somebody.name,
            role: somebody.role.as_str(),
            client_code: somebody.client.map(|client| client.to_string()),
            disabled: somebody.disabled,
            ready: somebody.ready,
            sessions: somebody.log_ins,
            seen_at: somebody.seen_at.map(rfc3339),
            version: somebody.version,
        }
    }
}
