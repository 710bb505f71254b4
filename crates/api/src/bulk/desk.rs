//! From a person's request to a bulk's stream. It needs the log alone, but for what a proposal is made of.

use super::plan::Plan;
use crate::auth::Actor;
use crate::decide::{Answer, DIRECTORY_WAIT, first_answer, problem, unread};
use crate::if_match::{self, Asking, IfMatch};
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::server::{App, now};
use squareoff_domain::bulk::{
    self, Bulk, BulkAsk, BulkEvent, BulkId, BulkItem, BulkProposal, BulkRefusal, BulkRequest,
    ITEMS_PER_EVENT_MAX,
};
use squareoff_domain::{RequestId, TradingDate};
use squareoff_store::Caller;
use std::sync::Arc;
use uuid::Uuid;

/// Chunks of the list in one append: 40 of some 90 kB stay below the log's 4 MiB. So a bulk of up to 20,000 items is proposed in one
/// piece; a longer list that is cut off can't be approved until it is completed.
const CHUNKS_PER_APPEND: usize = 40;

/// The bulk as it is now.
///
/// # Errors
/// `event-log-unavailable`.
pub async fn load(app: &App, id: BulkId) -> Result<Arc<Bulk>, Problem> {
    let loaded = app.bulks.load(&id.stream()).await.map_err(unread)?;
    Ok(loaded.state)
}

/// The first answer to a proposal.
///
/// # Errors
/// `event-log-unavailable`.
pub async fn first(
    app: &App,
    id: BulkId,
    request_id: RequestId,
) -> Result<Answer<BulkEvent>, Problem> {
    let first = first_answer(app, &id.stream(), request_id).await?;
    first.ok_or_else(|| Problem::bug(format!("{id} is proposed and its proposal is missing")))
}

/// Decides what a person asks of a bulk, if it is as it was seen; a refusal goes into the audit trail.
///
/// # Errors
/// A problem for every refusal and outage.
pub async fn ask(
    app: &App,
    asking: &Asking,
    id: BulkId,
    ask: BulkAsk,
) -> Result<Answer<BulkEvent>, Problem> {
    let (actor, request_id) = (&asking.actor, asking.request_id());
    let asked = Asked::of_desk(what(&ask), request_id);
    let request = BulkRequest {
        request_id,
        by: actor.0.to_string(),
        ask,
    };
    let answer = async {
        let stream = id.stream();
        let seen = match asking.seen {
            IfMatch(Some(version)) => {
                let seen = if_match::seen::<Bulk>(app, &stream, version).await?;
                Some((seen, version))
            }
            IfMatch(None) => None,
        };
        let decide = |bulk: &Bulk| {
            let events = bulk::decide(bulk, request.clone());
            // A repetition gets its first answer, which itself changed what was seen.
            let repeated = events.as_ref().is_ok_and(Vec::is_empty);
            let other = seen
                .as_ref()
                .filter(|(seen, _)| !repeated && !if_match::is_bulk_as_seen(seen, bulk));
            if let Some((_, version)) = other {
                return Err(if_match::changed(&stream, *version));
            }
            Ok(events?)
        };
        append(app, actor, id, request_id, decide).await
    };
    let answer = answer.await;
    let answer = app.keep(actor, &asked, answer)?;
    app.book.reach(answer.position, DIRECTORY_WAIT).await;
    Ok(answer)
}

/// Proposes a bulk of the plan's items, or completes a list that was cut off.
///
/// # Errors
/// A problem for every refusal and outage; what was listed by then stays, and can't be approved before the rest is.
pub async fn propose(
    app: &App,
    actor: &Actor,
    proposal: BulkProposal,
    plan: &Plan,
    request_id: RequestId,
) -> Result<Answer<BulkEvent>, Problem> {
    let id = proposal.bulk_id;
    let by = actor.0.to_string();
    let first = plan
        .items
        .len()
        .min(CHUNKS_PER_APPEND * ITEMS_PER_EVENT_MAX);
    let propose = |bulk: &Bulk| -> Result<_, BulkRefusal> {
        if bulk.proposed.is_some() {
            return Ok(vec![]);
        }
        let ask = BulkAsk::Propose(Box::new(proposal.clone()));
        let request = BulkRequest {
            request_id,
            by: by.clone(),
            ask,
        };
        let mut events = bulk::decide(bulk, request)?;
        let mut bulk = events.iter().fold(bulk.clone(), bulk::evolve);
        events.extend(list(&mut bulk, &by, 0, &plan.items[..first])?);
        Ok(events)
    };
    let mut answer = append(app, actor, id, request_id, propose).await?;
    for (number, items) in plan.items[first..]
        .chunks(CHUNKS_PER_APPEND * ITEMS_PER_EVENT_MAX)
        .enumerate()
    {
        let at = first + number * CHUNKS_PER_APPEND * ITEMS_PER_EVENT_MAX;
        let of_list = RequestId(Uuid::new_v5(&request_id.0, format!("list {at}").as_bytes()));
        let go_on = |bulk: &Bulk| list(&mut bulk.clone(), &by, at, items);
        let listed = append(app, actor, id, of_list, go_on).await?;
        (answer.version, answer.position) = (listed.version, listed.position);
    }
    app.book.reach(answer.position, DIRECTORY_WAIT).await;
    Ok(answer)
}

/// The events that list the items from `first` on; those that are listed already give none.
fn list(
    bulk: &mut Bulk,
    by: &str,
    first: usize,
    items: &[BulkItem],
) -> Result<Vec<BulkEvent>, BulkRefusal> {
    let mut events = Vec::new();
    for (number, items) in items.chunks(ITEMS_PER_EVENT_MAX).enumerate() {
        let first = first + number * ITEMS_PER_EVENT_MAX;
        let request = BulkRequest {
            request_id: RequestId(Uuid::nil()),
            by: by.to_owned(),
            ask: BulkAsk::ListItems {
                first: u32::try_from(first).unwrap_or(u32::MAX),
                items: items.to_vec(),
            },
        };
        for event in bulk::decide(bulk, request)? {
            *bulk = bulk::evolve(std::mem::take(bulk), &event);
            events.push(event);
        }
    }
    Ok(events)
}

/// The trading date that bulks are of now.
///
/// # Errors
/// `platform-not-active` before the first activation.
pub fn trading_date(app: &App) -> Result<TradingDate, Problem> {
    let date = app.directory.platform().trading_date;
    date.ok_or_else(|| squareoff_domain::Refusal::PlatformNotActive.into())
}

async fn append<E: Into<Problem>>(
    app: &App,
    actor: &Actor,
    id: BulkId,
    request_id: RequestId,
    mut decide: impl FnMut(&Bulk) -> Result<Vec<BulkEvent>, E>,
) -> Result<Answer<BulkEvent>, Problem> {
    let stream = id.stream();
    let caller = Caller {
        actor: actor.0.clone(),
        request_id: request_id.0,
        correlation_id: id.0,
        epoch: app.directory.platform().epoch,
        now: now(),
    };
    let decide = |bulk: &Bulk| {
        let events = decide(bulk)?;
        Ok::<_, E>((events.clone(), events))
    };
    let committed = app.bulks.transact(&stream, &caller, decide).await;
    let committed = committed.map_err(|error| problem(error, E::into))?;
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

const fn what(ask: &BulkAsk) -> &'static str {
    match ask {
        BulkAsk::Propose(_) | BulkAsk::ListItems { .. } => "propose-bulk",
        BulkAsk::Approve => "approve-bulk",
        BulkAsk::Reject { .. } => "reject-bulk",
        BulkAsk::Pause { .. } => "pause-bulk",
        BulkAsk::Resume => "resume-bulk",
        BulkAsk::Abort { .. } => "abort-bulk",
    }
}
