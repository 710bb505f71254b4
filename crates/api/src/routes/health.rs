//! `GET /healthz`: the process answers. `GET /readyz`: it can do its work, part by part. Both are open: they say nothing of clients.

use crate::server::App;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Who asks for readiness asks often, and gives up sooner than a query does.
const READY_WAIT: Duration = Duration::from_secs(1);

#[derive(Serialize)]
pub struct Readiness {
    ready: bool,
    event_log: Part,
    read_model: Part,
    platform: &'static str,
    epoch: u32,
    /// Each exchange session: `ready` or `down`. A session that is down refuses orders, not queries.
    sessions: BTreeMap<String, &'static str>,
}

#[derive(Serialize)]
struct Part {
    ready: bool,
    position: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub async fn alive() -> &'static str {
    "ok\n"
}

pub async fn ready(State(app): State<App>) -> (StatusCode, Json<Readiness>) {
    let progress = app.directory.progress();
    let event_log = Part {
        ready: progress.caught_up,
        position: Some(progress.position.to_string()),
        reason: progress
            .stopped
            .or_else(|| (!progress.caught_up).then(|| "still reading the event log".to_owned())),
    };
    let asked = tokio::time::timeout(READY_WAIT, squareoff_projections::checkpoint(&app.reads));
    let asked = asked
        .await
        .map_err(|_| "the read database does not answer".to_owned())
        .and_then(|answer| answer.map_err(|error| error.to_string()));
    let read_model = match asked {
        Ok(position) => Part {
            ready: true,
            position: Some(position.to_string()),
            reason: None,
        },
        Err(reason) => Part {
            ready: false,
            position: None,
            reason: Some(reason),
        },
    };
    let platform = app.directory.platform();
    let ready = event_log.ready && read_model.ready;
    let readiness = Readiness {
        ready,
        event_log,
        read_model,
        platform: platform.phase.as_str(),
        epoch: platform.epoch,
        sessions: app
            .directory
            .sessions()
            .into_iter()
            .map(|(stream, ready)| (stream, if ready { "ready" } else { "down" }))
            .collect(),
    };
    (
        if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        },
        Json(readiness),
    )
}
