//! `GET /v1/live`: what changes, as it changes; over WebSocket when the request asks for it, else as server-sent events.

use super::parameter;
use crate::auth::logged_in::check_origin;
use crate::decide::behind;
use crate::document::values;
use crate::extract::Query;
use crate::live::access::{Filter, Gate};
use crate::live::{Limits, NotNow, Reader, Start, Told, Topics, wire};
use crate::problem::Problem;
use crate::server::App;
use axum::body::Body;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::Deserialize;
use squareoff_domain::ClientCode;
use squareoff_store::Position;
use std::convert::Infallible;
use std::time::{Duration, Instant};

/// Bytes of a message that a reader may send: there is nothing to say but that it is there.
const SAID_BYTES_MAX: usize = 4 * 1024;
/// What each WebSocket holds to read into; the default would be 1.5 GB for all of them.
const READ_BYTES: usize = 4 * 1024;
/// For so long a peer may take to answer a close.
const CLOSE_TIME_LIMIT: Duration = Duration::from_secs(2);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells proxies not to gather what is meant for now.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LiveQuery {
    /// Some of `orders`, `positions`, `platform`, `bulk`, `approvals`, with commas between them; without it all that the role may see.
    #[param(value_type = values::LiveTopics, required = false)]
    topics: Option<String>,
    /// Orders, positions and approvals of this client alone.
    #[param(value_type = values::ClientCode, required = false)]
    client: Option<String>,
    /// A log position: what changed behind it is told first. The Last-Event-ID of a reader that comes back is the newer.
    #[param(value_type = values::LogPosition, required = false)]
    after: Option<String>,
}

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// What changes, as it changes: server-sent events, or a WebSocket when the request asks for one.
///
/// Each change has the log position as its id; a reader that comes back with `Last-Event-ID` gets what it missed, in order and once.
#[utoipa::path(
    get,
    path = "/v1/live",
    operation_id = "listen",
    tag = "Live",
    params(LiveQuery, ("Last-Event-ID" = Option<values::LogPosition>, Header, description = "The id of the last event that was read")),
    responses(
        (status = 200, description = "Events without end", body = String, content_type = "text/event-stream"),
        (status = 101, description = "A WebSocket, where the request asks for one"),
    ),
    extensions(("x-problems" = json!(["malformed-request", "event-log-behind", "event-log-unavailable", "too-many-live-connections", "no-live-connection-free"]))),
)]
pub async fn listen(
    State(app): State<App>,
    gate: Gate,
    headers: HeaderMap,
    Query(query): Query<LiveQuery>,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    if headers.contains_key(header::UPGRADE) {
        return over_websocket(&app, gate, &headers, &query, upgrade).await;
    }
    let filter = filter(&gate, &query)?;
    let reader = open(&app, gate, &headers, &query, &filter).await?;
    Ok(over_events(reader, filter))
}

/// The same over a WebSocket alone.
#[utoipa::path(
    get,
    path = "/v1/live/ws",
    operation_id = "listenOverWebSocket",
    tag = "Live",
    params(LiveQuery, ("Last-Event-ID" = Option<values::LogPosition>, Header, description = "The id of the last event that was read")),
    responses((status = 101, description = "A WebSocket; each message is an event as JSON")),
    extensions(("x-problems" = json!(["malformed-request", "event-log-behind", "event-log-unavailable", "too-many-live-connections", "no-live-connection-free"]))),
)]
pub async fn listen_over_websocket(
    State(app): State<App>,
    gate: Gate,
    headers: HeaderMap,
    Query(query): Query<LiveQuery>,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    over_websocket(&app, gate, &headers, &query, upgrade).await
}

fn over_events(reader: Reader, filter: Filter) -> Response {
    let events = stream::unfold((reader, filter), async |(mut reader, filter)| {
        let told = reader.next().await?;
        let event = Ok::<_, Infallible>(wire::sse(&told, &filter));
        Some((event, (reader, filter)))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (X_ACCEL_BUFFERING, "no"),
    ];
    (headers, Body::from_stream(events)).into_response()
}

async fn over_websocket(
    app: &App,
    gate: Gate,
    headers: &HeaderMap,
    query: &LiveQuery,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    // A browser lets any page open a WebSocket to us, in the name of who is logged in here.
    check_origin(headers)?;
    let filter = filter(&gate, query)?;
    let upgrade =
        upgrade.map_err(|rejection| Problem::malformed(format!("no WebSocket: {rejection}")))?;
    let reader = open(app, gate, headers, query, &filter).await?;
    let upgrade = upgrade
        .max_message_size(SAID_BYTES_MAX)
        .max_frame_size(SAID_BYTES_MAX)
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0);
    let limits = app.live.limits();
    Ok(upgrade.on_upgrade(async move |mut socket| {
        let mut reader = reader;
        let end = tell(&mut socket, &mut reader, &filter, limits).await;
        if let Some(frame) = end {
            // A peer that is gone needs no goodbye.
            let _ = tokio::time::timeout(CLOSE_TIME_LIMIT, close(&mut socket, frame)).await;
        }
    }))
}

/// Waits for the answer: what is on its way would be lost if the connection ended before.
async fn close(socket: &mut WebSocket, frame: CloseFrame) {
    if socket.send(Message::Close(Some(frame))).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}

fn filter(gate: &Gate, query: &LiveQuery) -> Result<Filter, Problem> {
    let topics = query.topics.as_deref();
    let topics: Option<Topics> = topics.map(|text| parameter("topics", text)).transpose()?;
    let client = query.client.as_deref();
    let client: Option<ClientCode> = client.map(|text| parameter("client", text)).transpose()?;
    Filter::of(&gate.who, client, topics)
}

async fn open(
    app: &App,
    gate: Gate,
    headers: &HeaderMap,
    query: &LiveQuery,
    filter: &Filter,
) -> Result<Reader, Problem> {
    let start = match last_seen(headers, query)? {
        None => Start::Now,
        Some(position) if position <= app.store.head().await? => Start::Behind(position),
        Some(_) => Start::Unknown,
    };
    Ok(app.live.open(gate, filter.clone(), start)?)
}

/// What a reader that comes back has seen; an empty id is none.
fn last_seen(headers: &HeaderMap, query: &LiveQuery) -> Result<Option<Position>, Problem> {
    let id = headers.get(LAST_EVENT_ID).filter(|id| !id.is_empty());
    let (name, text) = match (id, query.after.as_deref()) {
        (Some(id), _) => {
            let text = id
                .to_str()
                .map_err(|_| Problem::invalid_parameter("`Last-Event-ID` is not a log position"))?;
            ("Last-Event-ID", text)
        }
        (None, Some(after)) => ("after", after),
        (None, None) => return Ok(None),
    };
    parameter(name, text).map(Some)
}

/// Until one of the two ends; what is said at the close, when the reader ended.
async fn tell(
    socket: &mut WebSocket,
    reader: &mut Reader,
    filter: &Filter,
    limits: Limits,
) -> Option<CloseFrame> {
    // Of the end the last message says why.
    let mut code = close_code::AGAIN;
    let mut beat = tokio::time::interval(limits.heartbeat);
    beat.reset();
    let mut heard = Instant::now();
    loop {
        let message = tokio::select! {
            told = reader.next() => match told {
                Some(told) => {
                    if matches!(told, Told::Expelled(_)) {
                        code = close_code::POLICY;
                    }
                    let text = wire::text(&told, filter);
                    Message::Text(Utf8Bytes::try_from(text).ok()?)
                }
                None => {
                    let reason = Utf8Bytes::from_static("the last message says why");
                    return Some(CloseFrame { code, reason });
                }
            },
            said = socket.recv() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {
                    heard = Instant::now();
                    continue;
                }
            },
            _ = beat.tick() => {
                if heard.elapsed() > limits.silence_max {
                    return None;
                }
                Message::Ping(axum::body::Bytes::new())
            }
        };
        let sent = tokio::time::timeout(limits.silence_max, socket.send(message)).await;
        if !matches!(sent, Ok(Ok(()))) {
            return None;
        }
    }
}

impl From<NotNow> for Problem {
    fn from(not_now: NotNow) -> Self {
        let detail = not_now.to_string();
        match not_now {
            NotNow::Reading | NotNow::Stopped(_) => behind(detail),
            NotNow::Closing | NotNow::Full(_) => Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "no-live-connection-free",
                "No more live connections can be held now",
                detail,
            ),
            NotNow::TooManyOfOne(_) => Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-live-connections",
                "You have too many live connections",
                detail,
            ),
        }
    }
}
