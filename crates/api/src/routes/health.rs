//! `GET /healthz`: the process answers. `GET /readyz`: it can do its work, part by part. Both are open: they say nothing of clients.

use crate::document::values;
use crate::server::{App, now};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use squareoff_domain::sealing::STREAM;
use squareoff_store::Position;
use std::collections::BTreeMap;
use std::time::Duration;

/// Who asks for readiness asks often, and gives up sooner than a query does.
const READY_WAIT: Duration = Duration::from_secs(1);

#[derive(Serialize, utoipa::ToSchema)]
pub struct Readiness {
    ready: bool,
    event_log: Part,
    read_model: Part,
    #[schema(value_type = values::PlatformState)]
    platform: &'static str,
    epoch: u32,
    /// How far the log is sealed; not there where nothing is. It does not count towards `ready`: orders go on without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Seal, required = false)]
    seal: Option<Seal>,
    /// Each exchange session: `ready` or `down`. A session that is down refuses orders, not queries.
    #[schema(value_type = BTreeMap<String, values::SessionState>)]
    sessions: BTreeMap<String, &'static str>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ReadinessPart)]
struct Part {
    ready: bool,
    #[schema(value_type = Option<values::LogPosition>, required = true)]
    position: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    reason: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SealStatus)]
struct Seal {
    /// Events under the newest checkpoint.
    size: u64,
    /// Log position of the last of them.
    #[schema(value_type = values::LogPosition)]
    position: String,
    /// Events under the newest checkpoint that a witness signed.
    #[schema(required = true)]
    cosigned: Option<u64>,
    /// How long ago the newest checkpoint was signed. It may be long: a log without news is not signed again.
    age_s: u64,
    /// Events behind it that no checkpoint covers yet, up to the limit that is counted to.
    #[schema(value_type = u64)]
    unsealed: usize,
    /// What is wrong, by who says so.
    alarms: BTreeMap<String, String>,
}

/// Events behind the checkpoint that are counted.
const UNSEALED_MAX: usize = 1_000;

/// The tail of nothing but checkpoints' own events is none.
async fn seal(app: &App) -> Option<Seal> {
    let status = app.sealing()?;
    let position = Position::from_u64(status.position);
    let behind = app.store.read_all(position, UNSEALED_MAX).await;
    let behind = behind.unwrap_or_default();
    let unsealed = behind
        .iter()
        .filter(|event| *event.stream != *STREAM)
        .count();
    let now = u64::try_from(now().0 / 1_000_000_000).unwrap_or_default();
    Some(Seal {
        size: status.size,
        position: position.to_string(),
        cosigned: status.cosigned,
        age_s: now.saturating_sub(status.sealed_at),
        unsealed,
        alarms: status.alarms,
    })
}

/// Whether the process lives.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "isAlive",
    tag = "Health",
    responses((status = 200, description = "`ok`", body = String, content_type = "text/plain")),
    security(()),
)]
pub async fn alive() -> &'static str {
    "ok\n"
}

/// Whether it can do its work, part by part.
///
/// Ready when the event log has been read to its end and the read database answers; exchange sessions that are down are shown
/// and do not change the status.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "isReady",
    tag = "Health",
    responses((status = 200, description = "Ready", body = Readiness), (status = 503, description = "Not ready; the parts say why", body = Readiness)),
    security(()),
)]
pub async fn ready(State(app): State<App>) -> (StatusCode, Json<Readiness>) {
    let progress = app.directory.progress();
    let read_only = app.store.read_only();
    let event_log = Part {
        ready: progress.caught_up && read_only.is_none(),
        position: Some(progress.position.to_string()),
        reason: read_only
            .map(|reason| format!("the event log takes no appends: {reason}"))
            .or(progress.stopped)
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
        seal: seal(&app).await,
        sessions: app
            .directory
            .sessions(now())
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
