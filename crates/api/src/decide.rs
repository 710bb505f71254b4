//! From a person's request to the log and its first answer: the one way into a position.

use crate::approvals::{self, Waits};
use crate::auth::Actor;
use crate::gathered::Gathered;
use crate::if_match::{self, IfMatch};
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::server::App;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use squareoff_domain::approval::{self, Worth};
use squareoff_domain::position::{self, PositionEvent, Request};
use squareoff_domain::{OrderId, PositionKey, Refusal, RequestId};
use squareoff_store::codec::DecodeError;
use squareoff_store::codec::LogEvent;
use squareoff_store::{LoadError, Position, StoredEvent, TransactError};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Events of one read while the first answer is looked for.
const PAGE: usize = 1_000;

/// The longest that a request waits until this process has read its own order back from the log; that takes a millisecond.
pub const DIRECTORY_WAIT: Duration = Duration::from_secs(1);

/// What the log holds for an accepted request.
#[derive(Debug)]
pub struct Answer<E = PositionEvent> {
    pub stream: String,
    pub events: Vec<E>,
    /// Of the last event of the request.
    pub version: u64,
    pub position: Position,
    /// The request had been accepted before; this is the answer it got then.
    pub replayed: bool,
}

/// Nothing is decided on half of the log: a platform that was stood down would look active, a client unknown.
///
/// # Errors
/// `event-log-behind` until the log was read to its end, and again when it holds what this release can't read.
pub fn check_knowing(app: &App) -> Result<(), Problem> {
    let progress = app.directory.progress();
    if progress.caught_up {
        Ok(())
    } else {
        let reason = progress.stopped;
        Err(behind(reason.unwrap_or_else(|| {
            "still reading the event log".to_owned()
        })))
    }
}

/// The position stream an order stands in. An order is durable, and its id with the client, before the directory has read it, and
/// another process may have placed it: an id is unknown only when the whole log doesn't hold it.
///
/// # Errors
/// `unknown-order`, `event-log-behind`.
pub async fn stream_of(app: &App, order: OrderId) -> Result<Arc<str>, Problem> {
    if let Some(stream) = app.directory.stream_of(order) {
        return Ok(stream);
    }
    check_knowing(app)?;
    let head = app.store.head().await?;
    if !app.directory.reach(head, DIRECTORY_WAIT).await {
        return Err(behind("this order may be in what is still to be read"));
    }
    let stream = app.directory.stream_of(order);
    stream.ok_or_else(|| unknown_order(order))
}

pub fn unknown_order(order: OrderId) -> Problem {
    Problem {
        detail: format!("no order has the id {order}"),
        ..Refusal::UnknownOrder.into()
    }
}

pub(crate) fn behind(detail: impl Into<String>) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "event-log-behind",
        "The event log is not read to its end yet",
        detail,
    )
}

/// 202: it is durable. The same for each repetition, save for the header that says it is one.
pub fn accepted(body: &impl Serialize, order: Option<Uuid>, replayed: bool) -> Response {
    let mut response = (StatusCode::ACCEPTED, axum::Json(body)).into_response();
    let location = order.and_then(|id| HeaderValue::from_str(&format!("/v1/orders/{id}")).ok());
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    marked(response, replayed)
}

/// Says of an answer that it is the one that the request got before, if it is.
pub fn marked(mut response: Response, replayed: bool) -> Response {
    if replayed {
        let yes = HeaderValue::from_static("true");
        response.headers_mut().insert("idempotency-replayed", yes);
    }
    response
}

/// Decides a request about a position, if it is as it was seen; a refusal goes into the audit trail.
///
/// # Errors
/// A problem for every refusal and outage; in each of these cases nothing was appended, save for `outcome-unknown`. Before all of them
/// `too-many-requests`, which is no refusal of the rules and in no audit trail.
pub async fn decide(
    app: &App,
    actor: &Actor,
    key: &PositionKey,
    request: &Request,
    seen: IfMatch,
) -> Result<Answer, Problem> {
    // Taking risk back is never a matter of how often.
    if !matches!(request, Request::Cancel { .. }) {
        app.limits.acted_on(key.client.as_str())?;
    }
    let asked = Asked::of_position(what(request), request.request_id(), key);
    let answer = attempt_as_seen(app, actor, key, request, seen).await;
    app.keep(actor, &asked, answer)
}

/// What became of a request that may be worth more than one person may place.
pub enum Decided {
    Accepted(Answer),
    /// For a second person to approve; nothing was asked of the position.
    Waits(Box<Waits>),
}

/// As [`decide`], for what places an order or changes one: above the limit of a single person it waits for a second.
///
/// # Errors
/// As [`decide`].
pub async fn decide_within_limit(
    app: &App,
    actor: &Actor,
    key: &PositionKey,
    request: &Request,
    seen: IfMatch,
) -> Result<Decided, Problem> {
    app.limits.acted_on(key.client.as_str())?;
    let asked = Asked::of_position(what(request), request.request_id(), key);
    let decided = within_limit(app, actor, key, request, seen).await;
    app.keep(actor, &asked, decided)
}

/// As [`decide_within_limit`], for one of many positions at a time: a refusal is its caller's to tell, and so is how often the client is
/// acted on.
///
/// # Errors
/// As [`decide`].
pub async fn within_limit(
    app: &App,
    actor: &Actor,
    key: &PositionKey,
    request: &Request,
    seen: IfMatch,
) -> Result<Decided, Problem> {
    let limit = app.settings.approval_notional;
    let waits = async |above| {
        let waits = approvals::begin(app, actor, key, request, above).await?;
        Ok(Decided::Waits(Box::new(waits)))
    };
    // What waits once is not decided again by what it would be worth now, or by another limit.
    if approvals::begun_by(app, request.request_id()).is_some() {
        return waits((Worth::default(), 0)).await;
    }
    match attempt_within(app, actor, key, request, (seen, limit)).await {
        Ok(answer) => Ok(Decided::Accepted(answer)),
        Err(Stop::Above(worth, limit)) => waits((worth, limit)).await,
        Err(Stop::Problem(problem)) => Err(problem),
    }
}

/// As [`decide`], for one of many positions at a time: a refusal is its caller's to tell.
///
/// # Errors
/// As [`decide`].
pub async fn attempt(
    app: &App,
    actor: &Actor,
    key: &PositionKey,
    request: &Request,
) -> Result<Answer, Problem> {
    attempt_as_seen(app, actor, key, request, IfMatch(None)).await
}

async fn attempt_as_seen(
    app: &App,
    actor: &Actor,
    key: &PositionKey,
    request: &Request,
    seen: IfMatch,
) -> Result<Answer, Problem> {
    let answer = attempt_within(app, actor, key, request, (seen, None)).await;
    answer.map_err(Problem::from)
}

/// What a request that was never made would come to now, and what that would be worth; nothing is appended.
///
/// # Errors
/// As [`decide`].
pub async fn try_out(
    app: &App,
    key: &PositionKey,
    request: &Request,
) -> Result<(Vec<PositionEvent>, Option<Worth>), Problem> {
    let gathered = Gathered::of(&app.directory, key, app.settings);
    let context = gathered.context();
    let loaded = app.positions.load(&key.stream()).await.map_err(unread)?;
    let events = position::decide(&loaded.state, request, &context);
    let events = events.map_err(|refusal| refused(refusal, key))?;
    let contract = context.contract;
    let worth = contract.and_then(|contract| approval::worth(&loaded.state, &events, contract));
    Ok((events, worth))
}

/// Why a request is not accepted at once.
enum Stop {
    Problem(Problem),
    /// It is worth more than one person may place.
    Above(Worth, u64),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Stop::Problem(problem)
    }
}

impl From<Stop> for Problem {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Problem(problem) => problem,
            Stop::Above(_, limit) => Problem::bug(format!("nobody looks at the limit {limit}")),
        }
    }
}

async fn attempt_within(
    app: &App,
    actor: &Actor,
    key: &PositionKey,
    request: &Request,
    (IfMatch(version), limit): (IfMatch, Option<u64>),
) -> Result<Answer, Stop> {
    let request_id = request.request_id();
    let gathered = Gathered::of(&app.directory, key, app.settings);
    let context = gathered.context();
    let stream = key.stream();
    if is_of_another(app, request_id, &stream) {
        return Err(refused(Refusal::RequestIdReused, key).into());
    }
    let caller = gathered.caller(&actor.0, request_id, request_id.0);
    let seen = match version {
        Some(version) => Some((if_match::seen(app, &stream, version).await?, version)),
        None => None,
    };
    let decide = |position: &position::Position| {
        let events = position::decide(position, request, &context);
        // A repetition gets its first answer, which itself changed what was seen.
        let repeated = events.as_ref().is_ok_and(Vec::is_empty);
        let other = seen
            .as_ref()
            .filter(|(seen, _)| !repeated && !if_match::is_as_seen(seen, position, request));
        if let Some((_, version)) = other {
            return Err(if_match::changed(&stream, *version).into());
        }
        let events = events.map_err(|refusal| refused(refusal, key))?;
        if let (Some(limit), Some(contract)) = (limit, context.contract)
            && let Some(worth) = approval::worth(position, &events, contract)
            && worth.notional > limit
        {
            return Err(Stop::Above(worth, limit));
        }
        Ok((events.clone(), events))
    };
    let committed = match app.positions.transact(&stream, &caller, decide).await {
        Err(TransactError::Refused(stop)) => return Err(stop),
        committed => committed.map_err(|error| problem(error, Problem::from))?,
    };
    match committed.position {
        Some(position) if committed.appended > 0 => {
            app.directory.accepted(request_id, &stream);
            Ok(Answer {
                stream,
                events: committed.value,
                version: committed.version,
                position,
                replayed: false,
            })
        }
        _ => {
            let first = first_answer(app, &stream, request_id).await?;
            let lost = || format!("request {request_id} was accepted but {stream} lacks it");
            Ok(first.ok_or_else(|| Problem::bug(lost()))?)
        }
    }
}

const fn what(request: &Request) -> &'static str {
    match request {
        Request::SquareOff { .. } => "square-off",
        Request::Cancel { order: Some(_), .. } => "cancel",
        Request::Cancel { order: None, .. } => "cancel-all",
        Request::Modify { .. } => "modify",
        Request::ResolveInDoubt { .. } => "resolve",
        Request::Freeze { .. } => "freeze",
        Request::Unfreeze { .. } => "unfreeze",
        Request::HandBack { .. } => "hand-back",
    }
}

/// The events that the log holds for a request that was accepted before; `None` when it holds none.
///
/// # Errors
/// `event-log-unavailable`.
pub async fn first_answer<E: LogEvent>(
    app: &App,
    stream: &str,
    request_id: RequestId,
) -> Result<Option<Answer<E>>, Problem> {
    let events = events_of(app, stream, request_id).await?;
    let Some(last) = events.last() else {
        return Ok(None);
    };
    let decoded = events.iter().map(E::decode).collect::<Result<_, _>>();
    Ok(Some(Answer {
        stream: stream.to_owned(),
        events: decoded.map_err(Problem::bug)?,
        version: last.version,
        position: last.position,
        replayed: true,
    }))
}

/// What a request put into a stream.
pub async fn events_of(
    app: &App,
    stream: &str,
    request_id: RequestId,
) -> Result<Vec<StoredEvent>, Problem> {
    let (mut events, mut from) = (Vec::new(), 1);
    loop {
        let page = app.store.read_stream(stream, from, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(events);
        };
        from = last.version + 1;
        let of_request = |stored: &StoredEvent| stored.request_id == request_id.0;
        events.extend(page.into_iter().filter(of_request));
    }
}

/// Whether the request was accepted on another stream. The log itself looks for a repetition only where the request would stand, so
/// two requests under one key on two streams at the same moment are both accepted; nothing they make has an id in common.
pub fn is_of_another(app: &App, request_id: RequestId, stream: &str) -> bool {
    let of = app.directory.stream_of_request(request_id);
    of.is_some_and(|of| *of != *stream)
}

/// What a failed call into the log is to its caller; `refused` says what the domain's no is.
pub fn problem<E>(error: TransactError<E>, refused: impl FnOnce(E) -> Problem) -> Problem {
    match error {
        TransactError::Refused(refusal) => refused(refusal),
        TransactError::Append(error) => error.into(),
        TransactError::Load(error) => unread(error),
        TransactError::Contended { stream, attempts } => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "Others are changing the same position",
            format!("{stream} changed {attempts} times while a decision was made"),
        ),
    }
}

/// What a stream that could not be folded is to its caller.
pub fn unread(error: LoadError) -> Problem {
    match error {
        LoadError::Read(error) => error.into(),
        LoadError::Decode(
            error @ (DecodeError::NewerVersion { .. } | DecodeError::UnknownType { .. }),
        ) => behind(error.to_string()),
        LoadError::Decode(error @ (DecodeError::NoUpcast { .. } | DecodeError::Body { .. })) => {
            Problem::bug(error)
        }
    }
}

/// A refusal with what it is about named.
pub fn refused(refusal: Refusal, key: &PositionKey) -> Problem {
    match refusal {
        Refusal::UnknownPosition => unknown_position(key),
        Refusal::SessionNotReady => Problem {
            detail: format!("the session with the {} is not ready", key.venue),
            ..Refusal::SessionNotReady.into()
        },
        refusal => refusal.into(),
    }
}

pub fn unknown_position(key: &PositionKey) -> Problem {
    let PositionKey {
        date,
        client,
        venue,
        symbol,
        product,
    } = key;
    Problem {
        detail: format!("{client} has no {product} position in {venue}:{symbol} on {date}"),
        ..Refusal::UnknownPosition.into()
    }
}
