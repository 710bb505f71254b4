//! Orders above the value that one person may place: asked for here, answered by a second person, then asked of the position.
//!
//! 1. What is asked is in the log before anybody hears that it waits; what is approved is in the log before it is ordered.
//! 2. Whoever finishes an approval (the request that approved it, a repetition of that, the worker of bulks behind a crash) asks the
//!    position under one id, and says what came of it.
//! 3. An approval that the position would refuse now is refused, and goes on waiting: a halt may be taken back.

use crate::auth::Actor;
use crate::decide::{Answer, first_answer, problem, refused, unread};
use crate::gathered::Gathered;
use crate::if_match::{self, IfMatch};
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::server::{App, now};
use squareoff_domain::approval::{
    self, Approval, ApprovalAsk, ApprovalAsked, ApprovalEvent, ApprovalId, ApprovalOrder,
    ApprovalOutcome, ApprovalRefusal, ApprovalReport, ApprovalRequest, ApprovalStatus, Worth,
};
use squareoff_domain::position::{self, Asked as AskedBefore, Position, Request};
use squareoff_domain::{OrderId, PositionKey, Refusal, RequestId};
use squareoff_store::{Caller, Position as LogPosition, Streams, TransactError};
use std::convert::Infallible;
use std::sync::Arc;
use uuid::Uuid;

/// What waits for a second person.
pub struct Waits {
    pub asked: ApprovalAsked,
    pub answer: Answer<ApprovalEvent>,
}

/// The approval that the request began before, if it did.
pub fn begun_by(app: &App, request_id: RequestId) -> Option<ApprovalId> {
    let stream = app.directory.stream_of_request(request_id)?;
    ApprovalId::of_stream(&stream)
}

/// Has the request wait for a second person, or gives its first answer again, in which what it is worth now is not looked at.
///
/// # Errors
/// `idempotency-key-reused`, and outages.
pub async fn begin(
    app: &App,
    actor: &Actor,
    key: &PositionKey,
    request: &Request,
    (worth, limit): (Worth, u64),
) -> Result<Waits, Problem> {
    let request_id = request.request_id();
    let id = ApprovalId(request_id.0);
    let order = match request {
        Request::SquareOff { terms, .. } => ApprovalOrder::SquareOff {
            terms: terms.clone(),
        },
        Request::Modify { order, change, .. } => ApprovalOrder::Modify {
            order_id: *order,
            change: *change,
        },
        Request::Cancel { .. }
        | Request::ResolveInDoubt { .. }
        | Request::Freeze { .. }
        | Request::Unfreeze { .. }
        | Request::HandBack { .. } => return Err(Problem::bug("nothing of it is worth anything")),
    };
    let asked = ApprovalAsked {
        approval_id: id,
        request_id,
        key: key.clone(),
        order,
        quantity: worth.quantity,
        price: worth.price,
        notional: worth.notional,
        limit,
        epoch: app.directory.platform().epoch,
        asked_by: actor.0.to_string(),
    };
    let ask = |approval: &Approval| Ok(approval::ask(approval, asked.clone())?);
    let answer = append(app, actor, id, request_id, ask).await?;
    app.directory.accepted(request_id, &answer.stream);
    match answer.events.as_slice() {
        [ApprovalEvent::ApprovalAsked(asked)] => {
            let asked = asked.clone();
            Ok(Waits { asked, answer })
        }
        _ => Err(Problem::bug(format!("{id} was asked and is not"))),
    }
}

/// Where an approval stands behind an answer to it.
pub struct Stands {
    pub status: ApprovalStatus,
    pub orders: Vec<OrderId>,
    pub stream: String,
    /// Of the last event of its stream.
    pub version: u64,
    pub position: LogPosition,
    /// The answer had been given before.
    pub replayed: bool,
}

/// Answers an approval, and finishes one that is given; a refusal goes into the audit trail.
///
/// # Errors
/// A problem for every refusal and outage. Of an approval also what the position refuses now: it goes on waiting then.
pub async fn answer(
    app: &App,
    actor: &Actor,
    asked: &ApprovalAsked,
    (request_id, seen): (RequestId, IfMatch),
    ask: ApprovalAsk,
) -> Result<Stands, Problem> {
    let what = match ask {
        ApprovalAsk::Approve => "approve-order",
        ApprovalAsk::Refuse { .. } => "refuse-order",
        ApprovalAsk::Withdraw => "withdraw-order",
    };
    let kept = Asked::of_position(what, request_id, &asked.key);
    let answered = answered(app, actor, asked, (request_id, seen), ask).await;
    app.keep(actor, &kept, answered)
}

async fn answered(
    app: &App,
    actor: &Actor,
    asked: &ApprovalAsked,
    (request_id, IfMatch(version)): (RequestId, IfMatch),
    ask: ApprovalAsk,
) -> Result<Stands, Problem> {
    let id = asked.approval_id;
    let seen = match version {
        Some(version) => Some((if_match::seen(app, &id.stream(), version).await?, version)),
        None => None,
    };
    let request = ApprovalRequest {
        request_id,
        by: actor.0.to_string(),
        ask,
    };
    let decide = |approval: &Approval| {
        let epoch = app.directory.platform().epoch_in_force();
        let events = approval::decide(approval, request.clone(), epoch);
        // A repetition gets its first answer, which itself changed what was seen.
        let repeated = events.as_ref().is_ok_and(Vec::is_empty);
        let other = seen
            .as_ref()
            .filter(|(seen, _)| !repeated && !if_match::is_approval_as_seen(seen, approval));
        if let Some((_, version)) = other {
            return Err(if_match::changed(&id.stream(), *version));
        }
        Ok(events?)
    };
    if request.ask == ApprovalAsk::Approve {
        // People hear first what speaks against their answer, then what against the order.
        let approval = load(app, id).await?;
        if !decide(&approval)?.is_empty() {
            check_order(app, asked).await?;
        }
    }
    let given = append(app, actor, id, request_id, decide).await?;
    if request.ask == ApprovalAsk::Approve {
        let gathered = Gathered::of(&app.directory, &asked.key, app.settings);
        let finished = finish(&app.positions, &app.approvals, &gathered, asked).await;
        // It is approved: what is not finished now is by the worker, or by the same request again.
        if let Err(error) = finished {
            tracing::warn!(%error, approval.id = %id, "an approved order is not placed yet");
        }
    }
    stands(app, asked, given.replayed).await
}

/// Whether the position would take the order now.
async fn check_order(app: &App, asked: &ApprovalAsked) -> Result<(), Problem> {
    let gathered = Gathered::of(&app.directory, &asked.key, app.settings);
    let loaded = app.positions.load(&asked.key.stream()).await;
    let position = loaded.map_err(unread)?.state;
    let request = asked.request(&position);
    position::decide(&position, &request, &gathered.context())
        .map(drop)
        .map_err(|refusal| refused(refusal, &asked.key))
}

/// The approval as it is now.
///
/// # Errors
/// Outages.
pub async fn load(app: &App, id: ApprovalId) -> Result<Arc<Approval>, Problem> {
    let loaded = app.approvals.load(&id.stream()).await.map_err(unread)?;
    Ok(loaded.state)
}

async fn stands(app: &App, asked: &ApprovalAsked, replayed: bool) -> Result<Stands, Problem> {
    let stream = asked.approval_id.stream();
    let loaded = app.approvals.load(&stream).await.map_err(unread)?;
    let position = app.positions.load(&asked.key.stream()).await;
    let position = position.map_err(unread)?.state;
    let orders = match position.requests.get(&asked.approval_id.order_request()) {
        Some(AskedBefore::SquareOff { orders, .. }) => orders.clone(),
        Some(AskedBefore::Modify { order, .. }) => vec![*order],
        Some(
            AskedBefore::Cancel { .. }
            | AskedBefore::ResolveInDoubt { .. }
            | AskedBefore::Freeze
            | AskedBefore::Unfreeze
            | AskedBefore::HandBack { .. },
        )
        | None => vec![],
    };
    Ok(Stands {
        status: loaded.state.status,
        orders,
        stream,
        version: loaded.version,
        position: loaded.position.unwrap_or(LogPosition::START),
        replayed,
    })
}

/// What finishing an approval came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finished {
    Concluded,
    /// The exchange is not connected, which passes: nothing is said of the order yet.
    NotYet,
}

/// Why the position does not take an approved order.
enum No {
    EpochOver,
    Refused(Refusal),
}

/// Asks the position for what was approved, if that was not done yet, and records what came of it. Whoever does it at the same moment, or
/// again, does the same.
///
/// # Errors
/// When the log fails; nothing is lost by it.
pub async fn finish(
    positions: &Streams<Position>,
    approvals: &Streams<Approval>,
    gathered: &Gathered,
    asked: &ApprovalAsked,
) -> Result<Finished, TransactError<Infallible>> {
    let outcome = match order(positions, approvals, gathered, asked).await? {
        Some(Ok(())) => ApprovalOutcome::Ordered {
            request_id: asked.approval_id.order_request(),
        },
        Some(Err(No::Refused(Refusal::SessionNotReady))) => return Ok(Finished::NotYet),
        Some(Err(No::Refused(refusal))) => ApprovalOutcome::Refused {
            code: refusal.code().to_owned(),
            detail: refusal.to_string(),
        },
        Some(Err(No::EpochOver)) => ApprovalOutcome::Refused {
            code: ApprovalRefusal::Lapsed.code().to_owned(),
            detail: ApprovalRefusal::Lapsed.to_string(),
        },
        None => return Ok(Finished::Concluded),
    };
    conclude(approvals, gathered, asked, outcome).await?;
    Ok(Finished::Concluded)
}

/// Records what came of an approved order. What is known already gives no event.
///
/// # Errors
/// When the log fails.
pub async fn conclude(
    approvals: &Streams<Approval>,
    gathered: &Gathered,
    asked: &ApprovalAsked,
    outcome: ApprovalOutcome,
) -> Result<(), TransactError<Infallible>> {
    let stream = asked.approval_id.stream();
    let caller = Caller {
        actor: stream.as_str().into(),
        // Repetitions are known by what they say, not by an id.
        request_id: Uuid::now_v7(),
        correlation_id: asked.approval_id.0,
        epoch: gathered.platform.epoch,
        now: now(),
    };
    let report = ApprovalReport::Concluded { outcome };
    let record = |approval: &Approval| Ok((approval::record(approval, report.clone()), ()));
    approvals.transact(&stream, &caller, record).await.map(drop)
}

/// `None` where the approval does not wait for it.
async fn order(
    positions: &Streams<Position>,
    approvals: &Streams<Approval>,
    gathered: &Gathered,
    asked: &ApprovalAsked,
) -> Result<Option<Result<(), No>>, LoadOrAppend> {
    let id = asked.approval_id;
    let approval = approvals.load(&id.stream()).await?.state;
    if approval.status != ApprovalStatus::Approved {
        return Ok(None);
    }
    // The order is that of who asked; who approved stands beside it under the same correlation.
    let actor: Arc<str> = asked.asked_by.as_str().into();
    let request_id = id.order_request();
    let caller = gathered.caller(&actor, request_id, id.0);
    let decide = |position: &Position| {
        if position.requests.contains_key(&request_id) {
            return Ok((vec![], ()));
        }
        if gathered.platform.epoch_in_force() != Some(asked.epoch) {
            return Err(No::EpochOver);
        }
        let request = asked.request(position);
        let events = position::decide(position, &request, &gathered.context());
        Ok((events.map_err(No::Refused)?, ()))
    };
    let stream = asked.key.stream();
    match positions.transact(&stream, &caller, decide).await {
        Ok(_) => Ok(Some(Ok(()))),
        Err(TransactError::Refused(no)) => Ok(Some(Err(no))),
        Err(TransactError::Load(error)) => Err(TransactError::Load(error)),
        Err(TransactError::Append(error)) => Err(TransactError::Append(error)),
        Err(TransactError::Contended { stream, attempts }) => {
            Err(TransactError::Contended { stream, attempts })
        }
    }
}

type LoadOrAppend = TransactError<Infallible>;

async fn append(
    app: &App,
    actor: &Actor,
    id: ApprovalId,
    request_id: RequestId,
    mut decide: impl FnMut(&Approval) -> Result<Vec<ApprovalEvent>, Problem>,
) -> Result<Answer<ApprovalEvent>, Problem> {
    let stream = id.stream();
    let caller = Caller {
        actor: actor.0.clone(),
        request_id: request_id.0,
        correlation_id: id.0,
        epoch: app.directory.platform().epoch,
        now: now(),
    };
    let decide = |approval: &Approval| {
        let events = decide(approval)?;
        Ok::<_, Problem>((events.clone(), events))
    };
    let committed = app.approvals.transact(&stream, &caller, decide).await;
    let committed = committed.map_err(|error| problem(error, |problem| problem))?;
    match committed.position {
        Some(position) if committed.appended > 0 => Ok(Answer {
            stream,
            events: committed.value,
            version: committed.version,
            position,
            replayed: false,
        }),
        _ => {
            let first = first_answer(app, &stream, request_id).await?;
            first.ok_or_else(|| Problem::bug(format!("{stream} knows {request_id} but lacks it")))
        }
    }
}
