//! `GET /v1/events` and `GET /v1/streams/{stream}`: the log as it is, for auditors.

use super::{parameter, rfc3339, whole};
use crate::auth::Actor;
use crate::document::values;
use crate::extract::{Path, Query};
use crate::problem::Problem;
use crate::server::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use squareoff_store::{Position, StoredEvent};
use uuid::Uuid;

/// Events of a page; the largest is some megabytes.
const LIMIT_DEFAULT: i64 = 100;
const LIMIT_MAX: i64 = 1_000;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LogQuery {
    /// Events behind this position; absent: from the beginning.
    #[param(value_type = values::LogPosition, required = false)]
    from: Option<String>,
    #[param(value_type = u32, minimum = 1, maximum = 1_000, default = 100, required = false)]
    limit: Option<String>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StreamQuery {
    /// Events from this version on, the first is 1.
    #[param(value_type = u64, minimum = 1, default = 1, required = false)]
    from_version: Option<String>,
    #[param(value_type = u32, minimum = 1, maximum = 1_000, default = 100, required = false)]
    limit: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct LogPage {
    events: Vec<Event>,
    /// `from` of the next page; asked again when the log has grown.
    #[schema(value_type = values::LogPosition)]
    next: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct StreamPage {
    #[schema(value_type = values::StreamName)]
    stream: String,
    events: Vec<Event>,
    /// `from_version` of the next page.
    next_version: u64,
}

#[derive(Serialize, utoipa::ToSchema)]
struct Event {
    #[schema(value_type = values::LogPosition)]
    position: String,
    #[schema(value_type = values::StreamName)]
    stream: String,
    version: u64,
    id: Uuid,
    r#type: String,
    schema_version: u16,
    #[schema(value_type = values::Instant)]
    occurred_at: String,
    #[schema(value_type = values::Instant)]
    recorded_at: String,
    actor: String,
    request_id: Uuid,
    correlation_id: Uuid,
    /// The W3C trace of the request that caused it; absent where none was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = values::TraceText, required = false)]
    trace_id: Option<String>,
    epoch: u32,
    #[schema(value_type = Object)]
    data: Box<RawValue>,
}

/// The event log as it is, for auditors.
#[utoipa::path(
    get,
    path = "/v1/events",
    operation_id = "readLog",
    tag = "Log",
    params(LogQuery),
    responses((status = 200, description = "Events in the order of the log", body = LogPage)),
    extensions(("x-problems" = json!(["event-log-unavailable"]))),
)]
pub async fn log(
    State(app): State<App>,
    _: Actor,
    Query(query): Query<LogQuery>,
) -> Result<Json<LogPage>, Problem> {
    let from = query.from.as_deref().unwrap_or("0");
    let from: Position = parameter("from", from)?;
    let stored = app
        .store
        .read_all(from, limit(query.limit.as_deref())?)
        .await?;
    let next = stored.last().map_or(from, |last| last.position);
    Ok(Json(LogPage {
        events: events(stored)?,
        next: next.to_string(),
    }))
}

/// One stream, from a version on.
///
/// The stream's name is percent-encoded where the path needs it.
#[utoipa::path(
    get,
    path = "/v1/streams/{stream}",
    operation_id = "readStream",
    tag = "Log",
    params(("stream" = values::StreamName, Path, description = "The stream"), StreamQuery),
    responses((status = 200, description = "Events in the order of the stream", body = StreamPage)),
    extensions(("x-problems" = json!(["unknown-stream", "event-log-unavailable"]))),
)]
pub async fn stream(
    State(app): State<App>,
    _: Actor,
    Path(stream): Path<String>,
    Query(query): Query<StreamQuery>,
) -> Result<Json<StreamPage>, Problem> {
    let from = whole("from_version", query.from_version.as_deref(), 1, i64::MAX)?;
    let from = u64::try_from(from).expect("at least 1");
    let limit = limit(query.limit.as_deref())?;
    let stored = app.store.read_stream(&stream, from, limit).await?;
    if stored.is_empty() && app.store.read_stream(&stream, 1, 1).await?.is_empty() {
        return Err(Problem::not_found(
            "unknown-stream",
            "There is no such stream",
            format!("no event was ever appended to `{stream}`"),
        ));
    }
    let next_version = stored.last().map_or(from, |last| last.version + 1);
    Ok(Json(StreamPage {
        stream,
        events: events(stored)?,
        next_version,
    }))
}

fn limit(asked: Option<&str>) -> Result<usize, Problem> {
    let limit = whole("limit", asked, LIMIT_DEFAULT, LIMIT_MAX)?;
    Ok(usize::try_from(limit).expect("1 to LIMIT_MAX"))
}

fn events(stored: Vec<StoredEvent>) -> Result<Vec<Event>, Problem> {
    let event = |stored: StoredEvent| {
        let text = String::from_utf8(stored.body).map_err(Problem::bug)?;
        Ok(Event {
            position: stored.position.to_string(),
            stream: stored.stream.to_string(),
            version: stored.version,
            id: stored.id,
            r#type: stored.event_type.to_string(),
            schema_version: stored.schema_version,
            occurred_at: rfc3339(stored.occurred_at),
            recorded_at: rfc3339(stored.recorded_at),
            actor: stored.actor.to_string(),
            request_id: stored.request_id,
            correlation_id: stored.correlation_id,
            trace_id: stored.trace_id.map(|trace| trace.to_string()),
            epoch: stored.epoch,
            data: RawValue::from_string(text).map_err(Problem::bug)?,
        })
    };
    stored.into_iter().map(event).collect()
}
