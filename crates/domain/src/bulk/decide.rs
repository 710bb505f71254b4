//! What people may ask of a bulk.

use super::event::*;
use super::list::slot;
use super::refusal::BulkRefusal;
use super::state::{Bulk, BulkStatus};
use super::{BulkId, ITEMS_MAX, ITEMS_PER_EVENT_MAX};
use crate::id::RequestId;
use crate::time::TradingDate;

/// A request of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkRequest {
    pub request_id: RequestId,
    /// The person: the operator's id, the actor of the event's envelope.
    pub by: String,
    pub ask: BulkAsk,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkAsk {
    Propose(Box<BulkProposal>),
    /// The next items of the list, by the proposer; the same again gives no events, whatever its request id.
    ListItems {
        first: u32,
        items: Vec<BulkItem>,
    },
    /// By another person than the proposer, when every item is listed.
    Approve,
    /// By anybody, before it is approved: the proposer withdraws.
    Reject {
        reason: String,
    },
    Pause {
        reason: String,
    },
    Resume,
    Abort {
        reason: String,
    },
}

/// What a bulk is to be; the fields are those of [`BulkProposed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkProposal {
    pub bulk_id: BulkId,
    pub filter: BulkFilter,
    pub terms: BulkTerms,
    pub as_of: u64,
    pub trading_date: TradingDate,
    pub items: u32,
    pub orders_to_cancel: u32,
    pub slices: u32,
    pub notional: u64,
    pub messages: u64,
    pub estimated_seconds: u64,
    pub message_rate_per_s: u32,
    pub reason: String,
}

impl From<&BulkProposed> for Box<BulkProposal> {
    fn from(proposed: &BulkProposed) -> Self {
        Box::new(BulkProposal {
            bulk_id: proposed.bulk_id,
            filter: proposed.filter.clone(),
            terms: proposed.terms.clone(),
            as_of: proposed.as_of,
            trading_date: proposed.trading_date,
            items: proposed.items,
            orders_to_cancel: proposed.orders_to_cancel,
            slices: proposed.slices,
            notional: proposed.notional,
            messages: proposed.messages,
            estimated_seconds: proposed.estimated_seconds,
            message_rate_per_s: proposed.message_rate_per_s,
            reason: proposed.reason.clone(),
        })
    }
}

/// # Errors
/// [`BulkRefusal`], in its order of precedence. A request repeated gives no events: its first answer stands.
pub fn decide(bulk: &Bulk, request: BulkRequest) -> Result<Vec<BulkEvent>, BulkRefusal> {
    if let Some(first) = bulk.requests.get(&request.request_id) {
        return if *first == request {
            Ok(vec![])
        } else {
            Err(BulkRefusal::RequestIdReused)
        };
    }
    let BulkRequest {
        request_id,
        by,
        ask,
    } = request;
    let Some(proposed) = &bulk.proposed else {
        return match ask {
            BulkAsk::Propose(proposal) => propose(request_id, by, *proposal),
            BulkAsk::ListItems { .. }
            | BulkAsk::Approve
            | BulkAsk::Reject { .. }
            | BulkAsk::Pause { .. }
            | BulkAsk::Resume
            | BulkAsk::Abort { .. } => Err(BulkRefusal::UnknownBulk),
        };
    };
    let event = match ask {
        BulkAsk::Propose(_) => return Err(BulkRefusal::AlreadyProposed),
        BulkAsk::ListItems { first, items } => return list(bulk, proposed, &by, first, items),
        BulkAsk::Approve => {
            check_status(bulk, &[BulkStatus::Proposed])?;
            if !bulk.is_listed() {
                let (listed, items) = (bulk.counts.listed, proposed.items);
                return Err(BulkRefusal::ListIncomplete { listed, items });
            }
            if proposed.proposed_by == by {
                return Err(BulkRefusal::OwnRequest { by });
            }
            BulkEvent::BulkApproved(BulkApproved { request_id, by })
        }
        BulkAsk::Reject { reason } => {
            check_status(bulk, &[BulkStatus::Proposed])?;
            BulkEvent::BulkRejected(BulkRejected {
                request_id,
                by,
                reason,
            })
        }
        BulkAsk::Pause { reason } => {
            check_status(bulk, &[BulkStatus::Running])?;
            BulkEvent::BulkPaused(BulkPaused {
                request_id,
                by,
                reason,
            })
        }
        BulkAsk::Resume => {
            check_status(bulk, &[BulkStatus::Paused])?;
            BulkEvent::BulkResumed(BulkResumed { request_id, by })
        }
        BulkAsk::Abort { reason } => {
            check_status(bulk, &[BulkStatus::Running, BulkStatus::Paused])?;
            BulkEvent::BulkAborted(BulkAborted {
                request_id,
                by,
                reason,
            })
        }
    };
    Ok(vec![event])
}

fn propose(
    request_id: RequestId,
    by: String,
    proposal: BulkProposal,
) -> Result<Vec<BulkEvent>, BulkRefusal> {
    let items = proposal.items;
    if items == 0 {
        return Err(BulkRefusal::NothingToSquareOff);
    }
    if items > ITEMS_MAX {
        let limit = ITEMS_MAX;
        return Err(BulkRefusal::TooManyItems { items, limit });
    }
    Ok(vec![BulkEvent::BulkProposed(BulkProposed {
        bulk_id: proposal.bulk_id,
        request_id,
        filter: proposal.filter,
        terms: proposal.terms,
        as_of: proposal.as_of,
        trading_date: proposal.trading_date,
        items,
        orders_to_cancel: proposal.orders_to_cancel,
        slices: proposal.slices,
        notional: proposal.notional,
        messages: proposal.messages,
        estimated_seconds: proposal.estimated_seconds,
        message_rate_per_s: proposal.message_rate_per_s,
        reason: proposal.reason,
        proposed_by: by,
    })])
}

/// A chunk that is listed already gives no event, also when the bulk has gone on since.
fn list(
    bulk: &Bulk,
    proposed: &BulkProposed,
    by: &str,
    first: u32,
    items: Vec<BulkItem>,
) -> Result<Vec<BulkEvent>, BulkRefusal> {
    let listed = |(index, item)| bulk.items.get(index) == Some(item);
    if !items.is_empty() && (first..).zip(&items).all(listed) {
        return Ok(vec![]);
    }
    check_status(bulk, &[BulkStatus::Proposed])?;
    if proposed.proposed_by != by {
        let proposed_by = proposed.proposed_by.clone();
        return Err(BulkRefusal::NotTheProposer { proposed_by });
    }
    let limit = ITEMS_PER_EVENT_MAX;
    if !(1..=limit).contains(&items.len()) {
        let items = items.len();
        return Err(BulkRefusal::WrongItemCount { items, limit });
    }
    let expected = bulk.counts.listed;
    if first != expected || items.len() > slot(proposed.items.saturating_sub(expected)) {
        let items = proposed.items;
        return Err(BulkRefusal::ListedOutOfTurn { expected, items });
    }
    // Ascending strictly: no position is listed twice, and each phase is one stretch of the list.
    let mut last = bulk.items.last();
    for (index, item) in (first..).zip(&items) {
        let ascends = last.is_none_or(|last| (last.phase, &last.key) < (item.phase, &item.key));
        if !ascends || item.key.date != proposed.trading_date {
            return Err(BulkRefusal::ItemOutOfOrder { index });
        }
        last = Some(item);
    }
    let listed = BulkItemsListed { first, items };
    Ok(vec![BulkEvent::BulkItemsListed(listed)])
}

fn check_status(bulk: &Bulk, wanted: &[BulkStatus]) -> Result<(), BulkRefusal> {
    let status = bulk.status;
    if wanted.contains(&status) {
        Ok(())
    } else {
        Err(BulkRefusal::WrongStatus { status })
    }
}
