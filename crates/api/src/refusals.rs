//! Refused requests go into the audit trail, behind the answer: a refusal is told to the caller at once and written down a moment later.
//!
//! 1. What is written here never changes an answer, nor delays one: when the queue is full the refusal is dropped and counted.
//! 2. The same request refused for the same reason is one event, however often it was asked.
//! 3. Only what could be read as a request and was refused by a rule is kept: no outage, no mistake in the form.
//!
//! A process that ends loses what it has not written: at most the queue, in practice some milliseconds.

use crate::auth::Actor;
use crate::problem::Problem;
use crate::server::{App, date_in_india, now};
use futures::future::join_all;
use squareoff_domain::platform::Platform;
use squareoff_domain::refusals::{self, Refusals, RequestRefused};
use squareoff_domain::{ClientCode, PositionKey, Refusal, RequestId, Timestamp};
use squareoff_store::{Caller, Streams, TraceId, traced};
use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;
use uuid::Uuid;

/// Refusals that wait to be written, half a kilobyte each. A desk makes some a minute; thousands come from a program that does not
/// read its answers, of which the first say enough.
pub const WAITING_MAX: usize = 4_096;
/// Refusals written at once: the log makes one durable commit of them.
const BATCH: usize = 128;

/// What was asked, for the audit trail.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// `square-off`, `cancel`, `approve-activation`.
    pub what: &'static str,
    pub request_id: RequestId,
    /// The client it was about; that of the position when there is one.
    pub client: Option<&'a ClientCode>,
    pub position: Option<&'a PositionKey>,
}

impl<'a> Asked<'a> {
    pub fn of_position(
        what: &'static str,
        request_id: RequestId,
        position: &'a PositionKey,
    ) -> Self {
        Asked {
            what,
            request_id,
            client: Some(&position.client),
            position: Some(position),
        }
    }

    /// A request that is about no single client.
    pub fn of_desk(what: &'static str, request_id: RequestId) -> Self {
        Asked {
            what,
            request_id,
            client: None,
            position: None,
        }
    }
}

/// Cheap to clone; clones write to one queue.
#[derive(Debug, Clone)]
pub struct RefusalLog {
    queue: mpsc::Sender<Kept>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Kept {
    stream: String,
    actor: Arc<str>,
    epoch: u32,
    now: Timestamp,
    trace: Option<TraceId>,
    refused: RequestRefused,
}

impl RefusalLog {
    /// Begins to write in a task of its own; it ends when every clone is gone and all is written.
    pub fn start(streams: Streams<Refusals>) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        tokio::spawn(write(streams, waiting, Arc::clone(&dropped)));
        RefusalLog { queue, dropped }
    }

    fn enqueue(&self, actor: &Actor, asked: &Asked, platform: &Platform, problem: &Problem) {
        let now = now();
        let date = asked.position.map(|position| position.date);
        let date = date.or(platform.trading_date);
        let date = date.unwrap_or_else(|| date_in_india(now));
        let kept = Kept {
            stream: refusals::stream(date, asked.client),
            actor: actor.0.clone(),
            epoch: platform.epoch,
            now,
            trace: TraceId::current(),
            refused: RequestRefused {
                what: asked.what.to_owned(),
                request_id: asked.request_id,
                position: asked.position.cloned(),
                code: problem.code.to_owned(),
                detail: problem.detail.clone(),
            },
        };
        if self.queue.try_send(kept).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl App {
    /// Keeps what was refused, and passes every answer on as it is.
    ///
    /// # Errors
    /// The answer's own.
    pub(crate) fn keep<T>(
        &self,
        actor: &Actor,
        asked: &Asked,
        answer: Result<T, Problem>,
    ) -> Result<T, Problem> {
        if let Err(problem) = &answer
            && is_refusal(problem)
        {
            let platform = self.directory.platform();
            self.refusals.enqueue(actor, asked, &platform, problem);
        }
        answer
    }
}

/// Told apart by the answer: a refusal is 4xx, save that of an exchange that is not connected, which is worth another try.
fn is_refusal(problem: &Problem) -> bool {
    problem.status.is_client_error() || problem.code == Refusal::SessionNotReady.code()
}

async fn write(
    streams: Streams<Refusals>,
    mut waiting: mpsc::Receiver<Kept>,
    dropped: Arc<AtomicU64>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        // Twice in one batch is the same event twice.
        let mut seen = HashSet::new();
        batch.retain(|kept: &Kept| seen.insert(kept.refused.append_id()));
        let written = join_all(batch.iter().map(|kept| append(&streams, kept))).await;
        batch.clear();
        let failed = written.iter().filter(|written| !**written).count();
        let lost = dropped.swap(0, Ordering::Relaxed) + u64::try_from(failed).unwrap_or(u64::MAX);
        if lost > 0 {
            tracing::error!(
                refusals.lost = lost,
                "refused requests are missing from the audit trail"
            );
        }
    }
}

async fn append(streams: &Streams<Refusals>, kept: &Kept) -> bool {
    let request_id: Uuid = kept.refused.append_id();
    let caller = Caller {
        actor: kept.actor.clone(),
        request_id,
        correlation_id: kept.refused.request_id.0,
        epoch: kept.epoch,
        now: kept.now,
    };
    let record = |refusals: &Refusals| {
        let events = refusals::record(refusals, kept.refused.clone());
        Ok::<_, Infallible>((events, ()))
    };
    let written = streams.transact(&kept.stream, &caller, record);
    let written = traced(kept.trace, written).await;
    if let Err(error) = &written {
        tracing::debug!(%error, request.id = %kept.refused.request_id, "a refused request could not be written down");
    }
    written.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[tokio::test]
    async fn what_the_queue_does_not_take_is_counted_and_nobody_waits() {
        let (queue, mut waiting) = mpsc::channel(2);
        let dropped = Arc::new(AtomicU64::new(0));
        let log = RefusalLog { queue, dropped };
        let (actor, platform) = (Actor("desk-asha".into()), Platform::default());
        for number in 0..5 {
            let asked = Asked::of_desk("halt", RequestId(Uuid::from_u128(number)));
            log.enqueue(&actor, &asked, &platform, &Refusal::ReasonMissing.into());
        }
        assert_eq!(log.dropped.load(Ordering::Relaxed), 3);
        let kept = waiting.recv().await.unwrap();
        assert!(kept.stream.starts_with("refusals-") && kept.stream.ends_with("-desk"));
        assert_eq!(kept.refused.code, "reason-missing");
    }

    #[test]
    fn only_what_a_rule_refused_is_kept() {
        let outage = Problem::read_model_unavailable("away");
        assert!(!is_refusal(&outage) && !is_refusal(&Problem::bug("oh")));
        assert!(is_refusal(&Refusal::SessionNotReady.into()));
        assert!(is_refusal(&Refusal::UnknownOrder.into()));
    }
}
