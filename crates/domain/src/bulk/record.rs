//! What the workers tell of a bulk. Facts: they can't be refused, also after a pause or an abort. What is known gives no event.

use super::ITEMS_PER_EVENT_MAX;
use super::event::*;
use super::list::{ItemStatus, slot};
use super::phase::BulkPhase;
use super::state::{Bulk, BulkStatus};
use std::collections::BTreeSet;

/// Items are named by their index in the list; one that the list does not have names nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkReport {
    /// A worker goes on to this phase. An earlier one, or the same, says nothing new.
    PhaseEntered { phase: BulkPhase },
    /// On these items no order works any more.
    CancelsDone { items: Vec<u32> },
    /// What became of items. The first outcome of an item stands.
    ItemsSettled { outcomes: Vec<(u32, BulkOutcome)> },
    /// The worker finds nothing more to do; an event only when every item is settled.
    Completed,
}

pub fn record(bulk: &Bulk, report: BulkReport) -> Vec<BulkEvent> {
    if bulk.approved_by.is_none() {
        return vec![];
    }
    let under_way = matches!(bulk.status, BulkStatus::Running | BulkStatus::Paused);
    match report {
        BulkReport::PhaseEntered { phase } => {
            let new = under_way && bulk.phase.is_none_or(|current| current < phase);
            let entered = BulkEvent::BulkPhaseEntered(BulkPhaseEntered { phase });
            new.then_some(entered).into_iter().collect()
        }
        BulkReport::CancelsDone { items } => {
            let mut told = BTreeSet::new();
            let new: Vec<u32> = items
                .into_iter()
                .filter(|index| bulk.cancelled.get(slot(*index)) == Some(&false))
                .filter(|index| told.insert(*index))
                .collect();
            let done = |items: &[u32]| BulkCancelsDone {
                items: items.to_vec(),
            };
            new.chunks(ITEMS_PER_EVENT_MAX)
                .map(|items| BulkEvent::BulkCancelsDone(done(items)))
                .collect()
        }
        BulkReport::ItemsSettled { outcomes } => {
            let mut told = BTreeSet::new();
            let new: Vec<_> = outcomes
                .into_iter()
                .filter(|(index, _)| bulk.status_of(*index) == Some(ItemStatus::Open))
                .filter(|(index, _)| told.insert(*index))
                .collect();
            let settled = |outcomes: &[(u32, BulkOutcome)]| BulkItemsSettled {
                outcomes: outcomes.to_vec(),
            };
            new.chunks(ITEMS_PER_EVENT_MAX)
                .map(|outcomes| BulkEvent::BulkItemsSettled(settled(outcomes)))
                .collect()
        }
        BulkReport::Completed => {
            let counts = bulk.counts;
            if !under_way || counts.settled() < counts.listed {
                return vec![];
            }
            vec![BulkEvent::BulkCompleted(BulkCompleted {
                closed: counts.closed,
                nothing_to_do: counts.nothing_to_do,
                refused: counts.refused,
                failed: counts.failed,
            })]
        }
    }
}
