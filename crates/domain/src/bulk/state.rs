//! What decisions need to know of a bulk, folded from its events.

use super::decide::{BulkAsk, BulkRequest};
use super::event::*;
use super::list::{BulkList, ItemStatus, slot};
use super::phase::BulkPhase;
use crate::id::RequestId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a bulk is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BulkStatus {
    #[default]
    Unproposed,
    Proposed,
    /// Approved, and being worked off.
    Running,
    Paused,
    Rejected,
    Aborted,
    Completed,
}

impl BulkStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            BulkStatus::Unproposed => "unproposed",
            BulkStatus::Proposed => "proposed",
            BulkStatus::Running => "running",
            BulkStatus::Paused => "paused",
            BulkStatus::Rejected => "rejected",
            BulkStatus::Aborted => "aborted",
            BulkStatus::Completed => "completed",
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bulk {
    pub status: BulkStatus,
    /// `None` until it is proposed.
    pub proposed: Option<Arc<BulkProposed>>,
    pub approved_by: Option<String>,
    pub items: BulkList,
    /// Of each item: whether its working orders are gone.
    pub cancelled: Vec<bool>,
    /// Of each item: where it is.
    pub statuses: Vec<ItemStatus>,
    pub counts: BulkCounts,
    /// The phase that is being worked off; `None` before the first.
    pub phase: Option<BulkPhase>,
    /// What people asked, to know a repetition. Listings are known by what they list.
    pub requests: BTreeMap<RequestId, BulkRequest>,
}

/// How many items are listed, and settled in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BulkCounts {
    pub listed: u32,
    pub cancelled: u32,
    pub closed: u32,
    pub nothing_to_do: u32,
    pub refused: u32,
    pub failed: u32,
    pub skipped: u32,
}

impl BulkCounts {
    pub const fn settled(self) -> u32 {
        self.closed
            .saturating_add(self.nothing_to_do)
            .saturating_add(self.refused)
            .saturating_add(self.failed)
            .saturating_add(self.skipped)
    }
}

impl Bulk {
    /// Whether a worker may begin the next item.
    pub const fn may_begin(&self) -> bool {
        matches!(self.status, BulkStatus::Running)
    }

    /// Every item that was proposed is listed.
    pub fn is_listed(&self) -> bool {
        let items = self.proposed.as_ref().map(|proposed| proposed.items);
        items == Some(self.counts.listed)
    }

    /// Where the item is; `None` when the list has none such.
    pub fn status_of(&self, index: u32) -> Option<ItemStatus> {
        self.statuses.get(slot(index)).copied()
    }

    /// The items that are not settled, with their indices.
    pub fn open_items(&self) -> impl Iterator<Item = (u32, &BulkItem)> {
        let listed = self.items.iter().zip(&self.statuses);
        listed
            .filter(|(_, status)| **status == ItemStatus::Open)
            .map(|(item, _)| item)
    }
}

/// Total: a history that no decision could have made folds to something too.
#[must_use]
pub fn evolve(mut bulk: Bulk, event: &BulkEvent) -> Bulk {
    match event {
        BulkEvent::BulkProposed(proposed) => {
            bulk.status = BulkStatus::Proposed;
            bulk.remember(
                proposed.request_id,
                &proposed.proposed_by,
                BulkAsk::Propose(proposed.into()),
            );
            bulk.proposed = Some(Arc::new(proposed.clone()));
        }
        BulkEvent::BulkItemsListed(listed) => bulk.list(listed),
        BulkEvent::BulkApproved(event) => {
            bulk.status = BulkStatus::Running;
            bulk.approved_by = Some(event.by.clone());
            bulk.remember(event.request_id, &event.by, BulkAsk::Approve);
        }
        BulkEvent::BulkRejected(event) => {
            bulk.status = BulkStatus::Rejected;
            let reason = event.reason.clone();
            bulk.remember(event.request_id, &event.by, BulkAsk::Reject { reason });
        }
        BulkEvent::BulkPaused(event) => {
            bulk.status = BulkStatus::Paused;
            let reason = event.reason.clone();
            bulk.remember(event.request_id, &event.by, BulkAsk::Pause { reason });
        }
        BulkEvent::BulkResumed(event) => {
            bulk.status = BulkStatus::Running;
            bulk.remember(event.request_id, &event.by, BulkAsk::Resume);
        }
        BulkEvent::BulkAborted(event) => {
            bulk.status = BulkStatus::Aborted;
            let reason = event.reason.clone();
            bulk.remember(event.request_id, &event.by, BulkAsk::Abort { reason });
        }
        BulkEvent::BulkPhaseEntered(entered) => bulk.phase = Some(entered.phase),
        BulkEvent::BulkCancelsDone(done) => {
            for index in &done.items {
                if let Some(cancelled) = bulk.cancelled.get_mut(slot(*index)) {
                    let first = !std::mem::replace(cancelled, true);
                    count(&mut bulk.counts.cancelled, u32::from(first));
                }
            }
        }
        BulkEvent::BulkItemsSettled(settled) => {
            for (index, outcome) in &settled.outcomes {
                bulk.settle(*index, outcome);
            }
        }
        BulkEvent::BulkCompleted(_) => bulk.status = BulkStatus::Completed,
    }
    bulk
}

impl Bulk {
    fn remember(&mut self, request_id: RequestId, by: &str, ask: BulkAsk) {
        let by = by.to_owned();
        let request = BulkRequest {
            request_id,
            by,
            ask,
        };
        self.requests.insert(request_id, request);
    }

    fn list(&mut self, listed: &BulkItemsListed) {
        self.items.push(&listed.items);
        self.cancelled.resize(self.items.len(), false);
        self.statuses.resize(self.items.len(), ItemStatus::Open);
        self.counts.listed = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
    }

    /// The first outcome stands.
    fn settle(&mut self, index: u32, outcome: &BulkOutcome) {
        let Some(status @ ItemStatus::Open) = self.statuses.get_mut(slot(index)) else {
            return;
        };
        *status = outcome.into();
        let counts = &mut self.counts;
        match outcome {
            BulkOutcome::Closed { .. } => count(&mut counts.closed, 1),
            BulkOutcome::NothingToDo => count(&mut counts.nothing_to_do, 1),
            BulkOutcome::Refused { .. } => count(&mut counts.refused, 1),
            BulkOutcome::Failed { .. } => count(&mut counts.failed, 1),
            BulkOutcome::Skipped => count(&mut counts.skipped, 1),
        }
    }
}

fn count(counter: &mut u32, by: u32) {
    *counter = counter.saturating_add(by);
}
