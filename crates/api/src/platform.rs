//! From a person's request to the platform's stream. It needs that stream alone: a halt is taken while the rest of the log is still read.

use crate::auth::Actor;
use crate::decide::{Answer, DIRECTORY_WAIT, first_answer, is_of_another, problem, unread};
use crate::if_match::{self, Asking, IfMatch};
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::server::{App, now};
use squareoff_domain::RequestId;
use squareoff_domain::platform::{
    self, Platform, PlatformAsk, PlatformEvent, PlatformRefusal, PlatformReport, PlatformRequest,
    STREAM,
};
use squareoff_store::{Caller, Loaded, Position};
use std::convert::Infallible;

/// The platform as it is now.
///
/// # Errors
/// `event-log-unavailable`.
pub async fn load(app: &App) -> Result<Loaded<Platform>, Problem> {
    app.platform.load(STREAM).await.map_err(unread)
}

/// Decides what a person asks, if the platform is as it was seen; a refusal goes into the audit trail. What follows on this node is decided
/// with it.
///
/// # Errors
/// A problem for every refusal and outage.
pub async fn ask(
    app: &App,
    asking: &Asking,
    ask: PlatformAsk,
) -> Result<Answer<PlatformEvent>, Problem> {
    let (actor, request_id) = (&asking.actor, asking.request_id());
    let asked = Asked::of_desk(what(&ask), request_id);
    let request = PlatformRequest {
        request_id,
        by: actor.0.to_string(),
        ask,
    };
    let answer = async {
        check_unused(app, request_id).await?;
        let caller = caller(app, actor, request_id).await?;
        let seen = match asking.seen {
            IfMatch(Some(version)) => {
                let seen = if_match::seen::<Platform>(app, STREAM, version).await?;
                Some((seen, version))
            }
            IfMatch(None) => None,
        };
        let decide = |platform: &Platform| {
            let events = platform::decide(platform, request.clone());
            // A repetition gets its first answer, which itself changed what was seen.
            let repeated = events.as_ref().is_ok_and(Vec::is_empty);
            let other = seen
                .as_ref()
                .filter(|(seen, _)| !repeated && !if_match::is_platform_as_seen(seen, platform));
            if let Some((_, version)) = other {
                return Err(if_match::changed(STREAM, *version));
            }
            let events = events.map_err(Problem::from)?;
            Ok((events.clone(), events))
        };
        let committed = app
            .platform
            .transact(STREAM, &caller, decide)
            .await
            .map_err(|error| problem(error, |problem| problem))?;
        match committed.position {
            Some(position) if committed.appended > 0 => Ok(Answer {
                stream: STREAM.to_owned(),
                events: committed.value,
                version: committed.version,
                position,
                replayed: false,
            }),
            _ => {
                let first = first_answer(app, STREAM, request_id).await?;
                first.ok_or_else(|| {
                    Problem::bug(format!("the platform knows {request_id} but lacks it"))
                })
            }
        }
    };
    let answer = app.keep(actor, &asked, answer.await)?;
    app.directory.reach(answer.position, DIRECTORY_WAIT).await;
    Ok(answer)
}

/// Records what the desk tells of a market. What is told again gives an answer without events.
///
/// # Errors
/// A problem for every outage; a fact can't be refused, but its key can belong to another request.
pub async fn tell(
    app: &App,
    actor: &Actor,
    request_id: RequestId,
    report: PlatformReport,
) -> Result<Answer<PlatformEvent>, Problem> {
    // Told before, and told otherwise since: the repetition is no news.
    if let Some(answer) = first_answer::<PlatformEvent>(app, STREAM, request_id).await? {
        let same = answer
            .events
            .iter()
            .all(|event| platform::record(&Platform::default(), report.clone()) == [event.clone()]);
        return if same {
            Ok(answer)
        } else {
            Err(PlatformRefusal::RequestIdReused.into())
        };
    }
    let caller = caller(app, actor, request_id).await?;
    let record = |platform: &Platform| {
        let events = platform::record(platform, report.clone());
        Ok::<_, Infallible>((events.clone(), events))
    };
    let committed = app
        .platform
        .transact(STREAM, &caller, record)
        .await
        .map_err(|error| problem(error, |never| match never {}))?;
    let position = committed.position.unwrap_or(Position::START);
    app.directory.reach(position, DIRECTORY_WAIT).await;
    Ok(Answer {
        stream: STREAM.to_owned(),
        events: committed.value,
        version: committed.version,
        position,
        replayed: false,
    })
}

/// The platform forgets what was asked under an activation that is over; the log does not.
async fn check_unused(app: &App, request_id: RequestId) -> Result<(), Problem> {
    let forgotten = !load(app).await?.state.requests.contains_key(&request_id)
        && first_answer::<PlatformEvent>(app, STREAM, request_id)
            .await?
            .is_some();
    if forgotten || is_of_another(app, request_id, STREAM) {
        return Err(PlatformRefusal::RequestIdReused.into());
    }
    Ok(())
}

async fn caller(app: &App, actor: &Actor, request_id: RequestId) -> Result<Caller, Problem> {
    Ok(Caller {
        actor: actor.0.clone(),
        request_id: request_id.0,
        correlation_id: request_id.0,
        epoch: load(app).await?.state.epoch,
        now: now(),
    })
}

const fn what(ask: &PlatformAsk) -> &'static str {
    match ask {
        PlatformAsk::RequestActivation { .. } => "request-activation",
        PlatformAsk::ApproveActivation => "approve-activation",
        PlatformAsk::RejectActivation { .. } => "reject-activation",
        PlatformAsk::StartLoading => "start-loading",
        PlatformAsk::Activate { .. } => "activate",
        PlatformAsk::ActivateAlone { .. } => "activate-alone",
        PlatformAsk::RequestHandback { .. } => "request-hand-back",
        PlatformAsk::RejectHandback { .. } => "reject-hand-back",
        PlatformAsk::ApproveHandback => "approve-hand-back",
        PlatformAsk::CompleteHandback { .. } => "complete-hand-back",
        PlatformAsk::StandDown { .. } => "stand-down",
        PlatformAsk::Halt { .. } => "halt",
        PlatformAsk::RequestResume { .. } => "request-resume",
        PlatformAsk::ApproveResume { .. } => "approve-resume",
        PlatformAsk::RejectResume { .. } => "reject-resume",
        PlatformAsk::RequestCancelAll { .. } => "request-cancel-all",
        PlatformAsk::ApproveCancelAll { .. } => "approve-cancel-all",
        PlatformAsk::RejectCancelAll { .. } => "reject-cancel-all",
        PlatformAsk::RequestDisconnect { .. } => "request-disconnect",
        PlatformAsk::ApproveDisconnect { .. } => "approve-disconnect",
        PlatformAsk::RejectDisconnect { .. } => "reject-disconnect",
        PlatformAsk::Reconnect { .. } => "reconnect",
    }
}
