//! From a person's request to the log and its first answer: the one way into a position.

use crate::auth::Actor;
use crate::problem::Problem;
use crate::server::{App, now};
use squareoff_domain::position::{self, Context, PositionEvent, Request};
use squareoff_domain::{PositionKey, Refusal, RequestId};
use squareoff_store::codec::LogEvent;
use squareoff_store::{Caller, LoadError, Position, TransactError};

/// Events of one read while the first answer is looked for.
const PAGE: usize = 1_000;

/// What the log holds for an accepted request.
pub struct Answer {
    pub stream: String,
    pub events: Vec<PositionEvent>,
    /// Of the last event of the request.
    pub version: u64,
    pub position: Position,
    /// The request had been accepted before; this is the answer it got then.
    pub replayed: bool,
}

/// # Errors
/// A problem for every refusal and outage; in each of these cases nothing was appended, save for `outcome-unknown`.
pub async fn decide(app: &App, actor: &Actor, key: &PositionKey, request_id: RequestId, request: &Request) -> Result<Answer, Problem> {
    let platform = app.directory.platform();
    let contract = app.directory.contract(key.date, key.venue, &key.symbol);
    let context =
        Context { platform: &platform, session_ready: app.directory.session_ready(key.venue), contract: contract.as_deref() };
    let stream = key.stream();
    let caller = Caller {
        actor: actor.0.clone(),
        request_id: request_id.0,
        correlation_id: request_id.0,
        epoch: platform.epoch,
        now: now(),
    };
    let decide = |position: &position::Position| {
        let events = position::decide(position, request, &context)?;
        Ok::<_, Refusal>((events.clone(), events))
    };
    let committed = app.positions.transact(&stream, &caller, decide).await.map_err(problem)?;
    match committed.position {
        Some(position) if committed.appended > 0 => {
            Ok(Answer { stream, events: committed.value, version: committed.version, position, replayed: false })
        }
        _ => first_answer(app, stream, request_id).await,
    }
}

/// The events that the log holds for a request that was accepted before.
async fn first_answer(app: &App, stream: String, request_id: RequestId) -> Result<Answer, Problem> {
    let mut answer = Answer { stream, events: vec![], version: 0, position: Position::START, replayed: true };
    let mut from = 1;
    loop {
        let page = app.store.read_stream(&answer.stream, from, PAGE).await?;
        let Some(last) = page.last() else { break };
        from = last.version + 1;
        for stored in page.iter().filter(|stored| stored.request_id == request_id.0) {
            answer.events.push(PositionEvent::decode(stored).map_err(Problem::bug)?);
            (answer.version, answer.position) = (stored.version, stored.position);
        }
    }
    if answer.events.is_empty() {
        return Err(Problem::bug(format!("request {request_id} was accepted but {} does not hold it", answer.stream)));
    }
    Ok(answer)
}

fn problem(error: TransactError<Refusal>) -> Problem {
    match error {
        TransactError::Refused(refusal) => refusal.into(),
        TransactError::Append(error) => error.into(),
        TransactError::Load(LoadError::Read(error)) => error.into(),
        TransactError::Load(LoadError::Decode(error)) => Problem::bug(error),
        TransactError::Contended { .. } => Problem::new(
            axum::http::StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "Others are changing the same position",
            error.to_string(),
        ),
    }
}
