//! The sessions that live: one's own, and for administrators everybody's. Each can be ended.

use super::log_in::access;
use super::rfc3339;
use super::rows::Wanted;
use crate::auth::{Asks, At, Own, Who, logged_in};
use crate::document::values;
use crate::extract::Path;
use crate::problem::Problem;
use crate::server::{App, now};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;
use squareoff_domain::people::{LogInKind, Role};
use squareoff_domain::{LogInId, OperatorId};
use uuid::Uuid;

#[derive(Serialize, utoipa::ToSchema)]
struct Sessions {
    sessions: Vec<Row>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Session)]
struct Row {
    session_id: Uuid,
    operator: String,
    #[schema(value_type = values::RoleName)]
    role: &'static str,
    /// `cookie` or `token`.
    mode: &'static str,
    address: String,
    #[schema(value_type = values::Instant)]
    begun_at: String,
    /// To within half a minute.
    #[schema(value_type = values::Instant)]
    seen_at: String,
    #[schema(value_type = values::Instant)]
    ends_at: String,
    /// The one that asks.
    current: bool,
}

/// The sessions that live: the own ones, and for administrators everybody's.
#[utoipa::path(
    get,
    path = "/v1/sessions",
    operation_id = "listSessions",
    tag = "People",
    responses((status = 200, description = "The sessions; with `Accept: text/csv` their rows", content((Sessions = "application/json"), (String = "text/csv")))),
    extensions(("x-problems" = json!(["log-in-unavailable", "event-log-unavailable"]))),
)]
pub async fn list(
    State(app): State<App>,
    who: Who,
    wanted: Wanted,
    parts: Parts,
) -> Result<Response, Problem> {
    let access = access(&app)?;
    let own = logged_in::of(&app, &parts, Asks::Still)?;
    let of = match who.role {
        Role::Administrator => None,
        Role::Desk | Role::Supervisor | Role::Investor | Role::Auditor | Role::Machine => {
            let named = who.name.parse::<OperatorId>();
            Some(named.map_err(Problem::bug)?)
        }
    };
    let rows = access
        .log_ins(of, now())
        .await?
        .into_iter()
        .map(|log_in| Row {
            session_id: log_in.id.0,
            role: log_in.role.as_str(),
            mode: match log_in.kind {
                LogInKind::Cookie => "cookie",
                LogInKind::Token => "token",
            },
            begun_at: rfc3339(log_in.begun_at),
            seen_at: rfc3339(log_in.seen_at),
            ends_at: rfc3339(log_in.ends_at),
            current: own.as_ref().is_some_and(|own| own.id == log_in.id),
            operator: log_in.operator.into(),
            address: log_in.address,
        });
    wanted.all(rows.collect(), |sessions| Sessions { sessions })
}

/// Ends a session: the next request in it is refused.
#[utoipa::path(
    delete,
    path = "/v1/sessions/{session_id}",
    operation_id = "revokeSession",
    tag = "People",
    params(("session_id" = Uuid, Path, description = "The session")),
    responses((status = 204, description = "It has ended")),
    extensions(("x-problems" = json!(["sample-log-in", "unknown-session", "log-in-unavailable", "event-log-unavailable", "overloaded", "busy", "outcome-unknown"]))),
)]
pub async fn revoke(
    State(app): State<App>,
    At(visit): At,
    Own(own): Own,
    Path(session_id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = session_id.parse().map(LogInId);
    let id = id.map_err(|_| {
        Problem::invalid_parameter(format!("`session_id`: `{session_id}` is not a UUID"))
    })?;
    let within = (own.role != Role::Administrator).then_some(&own.operator);
    let by = own.operator.as_str();
    access(&app)?.revoke(id, within, by, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}
