//! The sessions that live: one's own, and for administrators everybody's. Each can be ended.

use super::log_in::{access, not_stored};
use super::rfc3339;
use crate::auth::{At, Own, Who, logged_in};
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

#[derive(Serialize)]
struct Sessions {
    sessions: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    session_id: String,
    operator: String,
    role: &'static str,
    /// `cookie` or `token`.
    mode: &'static str,
    address: String,
    begun_at: String,
    /// To within half a minute.
    seen_at: String,
    ends_at: String,
    /// The one that asks.
    current: bool,
}

pub async fn list(State(app): State<App>, who: Who, parts: Parts) -> Result<Response, Problem> {
    let access = access(&app)?;
    let own = logged_in::of(&app, &parts)?;
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
            session_id: log_in.id.to_string(),
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
    Ok(not_stored(&Sessions {
        sessions: rows.collect(),
    }))
}

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
