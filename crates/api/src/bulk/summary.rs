//! One bulk as the desk follows it: where it is, how many items are in which state, and when it will be over.

use squareoff_domain::Timestamp;
use squareoff_domain::bulk::{
    BulkCounts, BulkEvent, BulkOutcome, BulkPhase, BulkProposed, BulkStatus,
};
use squareoff_store::Position;
use std::collections::VecDeque;
use std::sync::Arc;

/// Batches of outcomes that the speed is measured over: at four a second some sixteen seconds, so that a stall is soon seen.
const MARKS_MAX: usize = 64;

#[derive(Debug, Clone)]
pub struct Summary {
    pub proposed: Arc<BulkProposed>,
    pub proposed_at: Timestamp,
    /// Of its stream.
    pub version: u64,
    /// Where the proposal stands in the log.
    pub proposed_position: Position,
    pub status: BulkStatus,
    /// What is being worked off; `None` before the first.
    pub phase: Option<BulkPhase>,
    pub approved_by: Option<String>,
    pub approved_at: Option<Timestamp>,
    /// When nothing more was to come: rejected, or every item settled.
    pub ended_at: Option<Timestamp>,
    /// Who paused, aborted or rejected it last, and why.
    pub stopped_by: Option<String>,
    pub stopped_because: Option<String>,
    pub counts: BulkCounts,
    /// Items whose closing was asked for, whatever became of it.
    pub asked: u32,
    /// How many were settled when, since the work last began.
    marks: VecDeque<(Timestamp, u32)>,
}

/// How fast it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Settled items in 1,000 seconds.
    pub items_per_1000_s: u64,
    pub seconds_left: u64,
}

impl Summary {
    pub fn new(proposed: BulkProposed, at: Timestamp, position: Position) -> Self {
        Summary {
            proposed: Arc::new(proposed),
            proposed_at: at,
            version: 1,
            proposed_position: position,
            status: BulkStatus::Proposed,
            phase: None,
            approved_by: None,
            approved_at: None,
            ended_at: None,
            stopped_by: None,
            stopped_because: None,
            counts: BulkCounts::default(),
            asked: 0,
            marks: VecDeque::new(),
        }
    }

    /// `at` is when the log recorded the event.
    pub fn learn(&mut self, event: BulkEvent, at: Timestamp) {
        match event {
            // The stream takes a second proposal from nobody.
            BulkEvent::BulkProposed(_) => {}
            BulkEvent::BulkItemsListed(listed) => {
                count(&mut self.counts.listed, listed.items.len())
            }
            BulkEvent::BulkApproved(approved) => {
                (self.approved_by, self.approved_at) = (Some(approved.by), Some(at));
                self.begin(at);
            }
            BulkEvent::BulkRejected(rejected) => {
                self.stop(BulkStatus::Rejected, rejected.by, rejected.reason);
                self.ended_at = Some(at);
            }
            BulkEvent::BulkPaused(paused) => {
                self.stop(BulkStatus::Paused, paused.by, paused.reason)
            }
            BulkEvent::BulkResumed(_) => self.begin(at),
            BulkEvent::BulkAborted(aborted) => {
                self.stop(BulkStatus::Aborted, aborted.by, aborted.reason)
            }
            BulkEvent::BulkPhaseEntered(entered) => self.phase = Some(entered.phase),
            BulkEvent::BulkCancelsDone(done) => count(&mut self.counts.cancelled, done.items.len()),
            BulkEvent::BulkItemsSettled(settled) => self.settle(&settled.outcomes, at),
            BulkEvent::BulkCompleted(_) => {
                (self.status, self.ended_at) = (BulkStatus::Completed, Some(at))
            }
        }
    }

    /// Whether a worker has something to do for it.
    pub fn is_under_way(&self) -> bool {
        match self.status {
            BulkStatus::Running | BulkStatus::Paused => true,
            BulkStatus::Aborted => self.left() > 0,
            BulkStatus::Unproposed
            | BulkStatus::Proposed
            | BulkStatus::Rejected
            | BulkStatus::Completed => false,
        }
    }

    /// Items that nothing is settled of.
    pub fn left(&self) -> u32 {
        self.proposed.items.saturating_sub(self.counts.settled())
    }

    /// The speed of the last batches and what it means for the rest; before anything is settled, what was estimated. `None` unless it is
    /// running.
    pub fn pace(&self) -> Option<Pace> {
        if self.status != BulkStatus::Running {
            return None;
        }
        let (first, last) = (self.marks.front()?, self.marks.back()?);
        let settled = u128::from(last.1.saturating_sub(first.1));
        let took_ns = u128::try_from(last.0.0.saturating_sub(first.0.0)).unwrap_or(0);
        let left = u128::from(self.left());
        if settled == 0 || took_ns == 0 {
            let estimated = u128::from(self.proposed.estimated_seconds);
            let seconds = (estimated * left).div_ceil(u128::from(self.proposed.items.max(1)));
            return Some(Pace {
                items_per_1000_s: 0,
                seconds_left: u64::try_from(seconds).unwrap_or(u64::MAX),
            });
        }
        let seconds = (left * took_ns).div_ceil(settled * 1_000_000_000);
        Some(Pace {
            items_per_1000_s: u64::try_from(settled * 1_000_000_000_000 / took_ns)
                .unwrap_or(u64::MAX),
            seconds_left: u64::try_from(seconds).unwrap_or(u64::MAX),
        })
    }

    fn begin(&mut self, at: Timestamp) {
        self.status = BulkStatus::Running;
        (self.stopped_by, self.stopped_because) = (None, None);
        // What was done before a pause says nothing of the speed now.
        self.marks.clear();
        self.marks.push_back((at, self.counts.settled()));
    }

    fn stop(&mut self, status: BulkStatus, by: String, reason: String) {
        self.status = status;
        (self.stopped_by, self.stopped_because) = (Some(by), Some(reason));
    }

    fn settle(&mut self, outcomes: &[(u32, BulkOutcome)], at: Timestamp) {
        for (_, outcome) in outcomes {
            let counts = &mut self.counts;
            let counter = match outcome {
                BulkOutcome::Closed { .. } => &mut counts.closed,
                BulkOutcome::NothingToDo => &mut counts.nothing_to_do,
                BulkOutcome::Refused { .. } => &mut counts.refused,
                BulkOutcome::Failed { .. } => &mut counts.failed,
                BulkOutcome::Skipped => &mut counts.skipped,
            };
            count(counter, 1);
        }
        self.marks.push_back((at, self.counts.settled()));
        if self.marks.len() > MARKS_MAX {
            self.marks.pop_front();
        }
        if self.status == BulkStatus::Aborted && self.left() == 0 {
            self.ended_at = Some(at);
        }
    }
}

fn count(counter: &mut u32, by: usize) {
    *counter = counter.saturating_add(u32::try_from(by).unwrap_or(u32::MAX));
}
