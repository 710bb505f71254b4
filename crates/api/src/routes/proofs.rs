//! `GET /v1/audit/proofs/{position}`: the tlog-proof file of one event, which carries the event's own bytes.

use super::parameter;
use crate::auth::Who;
use crate::extract::Path;
use crate::problem::Problem;
use crate::server::App;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use squareoff_auditor::proofs::ProofsError;
use squareoff_store::{Entry, Position};

/// Where the proof of the event at a position is got.
pub fn path(position: &str) -> String {
    format!("/v1/audit/proofs/{position}")
}

pub async fn show(
    State(app): State<App>,
    who: Who,
    Path(position): Path<String>,
) -> Result<Response, Problem> {
    let position: Position = parameter("position", &position)?;
    let before = match app.proofs.clone() {
        Some(proofs) => {
            let asked = tokio::task::spawn_blocking(move || proofs.before(position));
            asked
                .await
                .map_err(Problem::bug)?
                .map_err(|error| unproved(error.into()))?
        }
        None => None,
    };
    // An event that is not sealed yet: positions of the embedded log have no gaps.
    let before = before.unwrap_or(Position::from_u64(position.as_u64().saturating_sub(1)));
    let found = app.store.read_entries(before, 1).await?;
    let entry = found.into_iter().find(|entry| entry.position == position);
    let is_own = |entry: &Entry| {
        let event = entry.event();
        event.is_ok_and(|event| who.owns_stream(&event.stream))
    };
    let entry = entry.filter(is_own).ok_or_else(|| {
        Problem::not_found(
            "unknown-event",
            "There is no such event",
            format!("no event stands at position {position}"),
        )
    })?;
    let Some(proofs) = app.proofs.clone() else {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "proofs-unavailable",
            "The proofs cannot be read now",
            "this API runs without the folder of the seal",
        ));
    };
    let proved = tokio::task::spawn_blocking(move || proofs.prove(&entry));
    let proof = proved.await.map_err(Problem::bug)?.map_err(unproved)?;
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    let name = format!("attachment; filename=\"{position}.tlog-proof\"");
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok((headers, proof.to_string()).into_response())
}

fn unproved(error: ProofsError) -> Problem {
    match error {
        ProofsError::NotSealed => Problem::new(
            StatusCode::CONFLICT,
            "not-sealed-yet",
            "The event is not sealed yet",
            error.to_string(),
        ),
        ProofsError::Altered(_) => {
            tracing::error!(%error, "ALARM: an event is not the one that was sealed");
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "event-altered",
                "The event is not the one that was sealed",
                error.to_string(),
            )
        }
        ProofsError::Io(_) | ProofsError::Tiles(_) => {
            tracing::warn!(%error, "a proof cannot be made");
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "proofs-unavailable",
                "The proofs cannot be read now",
                "the folder of the seal cannot be read; orders still go",
            )
        }
    }
}
