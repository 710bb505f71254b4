//! Approvals that nobody else brings to their end: what was approved by a process that died before it ordered, and what waits in an epoch
//! that is over.
//!
//! It reads the log alone, as the bulks' worker does beside it, and repeats what the API does: whoever is first, the position is asked once.

use super::run::check_busy;
use super::worker::{PACE, Shared, WorkerError};
use crate::approvals::{self, Finished};
use crate::decide::DIRECTORY_WAIT;
use crate::follow::{self, Progress};
use crate::server::now;
use squareoff_domain::approval::{
    self, Approval, ApprovalAsked, ApprovalEvent, ApprovalId, ApprovalOutcome, ApprovalReport,
};
use squareoff_domain::{Event, Refusal};
use squareoff_store::codec::{self, DecodeError};
use squareoff_store::{Caller, EventStore, StoredEvent, Streams};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// Between two tries of what was not done: the log was busy, or the exchange is not connected.
const LOOK: Duration = Duration::from_millis(250);
/// For so long an approved order is left to the process that recorded the approval, which orders in the same breath: both at once would
/// do all of it twice.
const GRACE: Duration = Duration::from_secs(1);
/// How long an approved order waits for the exchange to be connected: a gateway that was started again takes some seconds. Then it is not
/// ordered, and a person asks anew.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is not at its end.
#[derive(Default)]
struct Open {
    /// By their ids, those that wait and those that are approved.
    asked: BTreeMap<ApprovalId, Arc<ApprovalAsked>>,
    /// Approved, and since when this process knows it.
    given: BTreeMap<ApprovalId, Instant>,
}

/// Never ends by itself.
pub async fn run(store: EventStore, shared: &Shared) -> Result<(), WorkerError> {
    let approvals = Streams::new(store.clone());
    let open = Arc::new(Mutex::new(Open::default()));
    let (progress, mut read) = watch::channel(Progress::default());
    let learned = Arc::clone(&open);
    let learn = move |events: &[StoredEvent]| {
        let mut open = learned.lock().unwrap_or_else(PoisonError::into_inner);
        open.learn(events)
    };
    let followed = follow::follow(store, PACE, progress, learn);
    let stopped = read.clone();
    let worked = async {
        loop {
            let Progress {
                position,
                caught_up,
                ..
            } = read.borrow_and_update().clone();
            // What looks open in half of the log may be over in the other, and the platform must be known as far as the approvals are.
            let knows = caught_up && shared.directory.reach(position, DIRECTORY_WAIT).await;
            let left = !knows || work(shared, &approvals, &open).await?;
            tokio::select! {
                // A sender that is gone has said why.
                changed = read.changed() => if changed.is_err() { std::future::pending::<()>().await },
                () = sleep(LOOK), if left => {}
            }
        }
    };
    tokio::select! {
        () = followed => {
            let reason = stopped.borrow().stopped.clone();
            Err(WorkerError::Stopped(reason.unwrap_or_default()))
        }
        worked = worked => worked,
    }
}

/// Brings to an end what is due; whether something is left to be looked at again.
async fn work(
    shared: &Shared,
    approvals: &Streams<Approval>,
    open: &Mutex<Open>,
) -> Result<bool, WorkerError> {
    let (asked, given) = {
        let open = open.lock().unwrap_or_else(PoisonError::into_inner);
        (open.asked.clone(), open.given.clone())
    };
    let mut left = false;
    for (id, asked) in &asked {
        let done = match given.get(id) {
            Some(since) if since.elapsed() < GRACE => Ok(false),
            Some(since) => finish(shared, approvals, asked, *since).await,
            None => lapse(shared, approvals, asked).await,
        };
        match done {
            Ok(done) => left |= !done,
            Err(error) => {
                check_busy(error)?;
                left = true;
            }
        }
    }
    Ok(left)
}

type Done = Result<bool, squareoff_store::TransactError<Infallible>>;

async fn finish(
    shared: &Shared,
    approvals: &Streams<Approval>,
    asked: &ApprovalAsked,
    since: Instant,
) -> Done {
    let gathered = shared.gathered(&asked.key);
    match approvals::finish(&shared.positions, approvals, &gathered, asked).await? {
        Finished::Concluded => Ok(true),
        Finished::NotYet if since.elapsed() < PATIENCE => Ok(false),
        Finished::NotYet => {
            let refusal = Refusal::SessionNotReady;
            let outcome = ApprovalOutcome::Refused {
                code: refusal.code().to_owned(),
                detail: refusal.to_string(),
            };
            approvals::conclude(approvals, &gathered, asked, outcome).await?;
            Ok(true)
        }
    }
}

async fn lapse(shared: &Shared, approvals: &Streams<Approval>, asked: &ApprovalAsked) -> Done {
    let platform = shared.directory.platform();
    let epoch = platform.epoch_in_force();
    if epoch == Some(asked.epoch) {
        return Ok(true);
    }
    let stream = asked.approval_id.stream();
    let caller = Caller {
        actor: stream.as_str().into(),
        // Repetitions are known by what they say, not by an id.
        request_id: Uuid::now_v7(),
        correlation_id: asked.approval_id.0,
        epoch: platform.epoch,
        now: now(),
    };
    let report = ApprovalReport::EpochInForce { epoch };
    let record = |approval: &Approval| Ok((approval::record(approval, report.clone()), ()));
    approvals
        .transact(&stream, &caller, record)
        .await
        .map(|_| true)
}

impl Open {
    fn learn(&mut self, events: &[StoredEvent]) -> Result<(), DecodeError> {
        for stored in events {
            let Some(id) = ApprovalId::of_stream(&stored.stream) else {
                continue;
            };
            let Event::Approval(event) = codec::decode(stored)? else {
                continue;
            };
            match event {
                ApprovalEvent::ApprovalAsked(asked) => {
                    self.asked.insert(id, Arc::new(asked));
                }
                ApprovalEvent::ApprovalGiven(_) => {
                    self.given.insert(id, Instant::now());
                }
                ApprovalEvent::ApprovalRefused(_)
                | ApprovalEvent::ApprovalWithdrawn(_)
                | ApprovalEvent::ApprovalLapsed(_)
                | ApprovalEvent::ApprovalConcluded(_) => {
                    self.asked.remove(&id);
                    self.given.remove(&id);
                }
            }
        }
        Ok(())
    }
}
