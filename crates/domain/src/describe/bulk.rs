//! What became of a bulk, in words.

use crate::Price;
use crate::bulk::{BulkEvent, BulkFilter, BulkOutcome};

pub(super) fn bulk(event: &BulkEvent) -> String {
    match event {
        BulkEvent::BulkProposed(event) => format!(
            "proposed to square off {} positions ({}), {} rupees, {} messages in {} s: {}",
            event.items,
            filter(&event.filter),
            Price(i64::try_from(event.notional).unwrap_or(i64::MAX)),
            event.messages,
            event.estimated_seconds,
            event.reason
        ),
        BulkEvent::BulkItemsListed(event) => {
            format!(
                "listed {} positions from number {}",
                event.items.len(),
                event.first
            )
        }
        BulkEvent::BulkApproved(_) => "approved the bulk".to_owned(),
        BulkEvent::BulkRejected(event) => format!("rejected the bulk: {}", event.reason),
        BulkEvent::BulkPaused(event) => format!("paused the bulk: {}", event.reason),
        BulkEvent::BulkResumed(_) => "resumed the bulk".to_owned(),
        BulkEvent::BulkAborted(event) => format!("aborted the bulk: {}", event.reason),
        BulkEvent::BulkPhaseEntered(event) => {
            format!("the bulk goes on to {}", event.phase.as_str())
        }
        BulkEvent::BulkCancelsDone(event) => {
            format!("no order works any more on {} positions", event.items.len())
        }
        BulkEvent::BulkItemsSettled(event) => {
            let closed = |outcome: &BulkOutcome| match outcome {
                BulkOutcome::Closed { .. } | BulkOutcome::NothingToDo => true,
                BulkOutcome::Refused { .. } | BulkOutcome::Failed { .. } | BulkOutcome::Skipped => {
                    false
                }
            };
            let (all, flat) = (event.outcomes.len(), event.outcomes.iter());
            let flat = flat.filter(|(_, outcome)| closed(outcome)).count();
            format!("settled {all} positions, {flat} of them flat")
        }
        BulkEvent::BulkCompleted(event) => format!(
            "the bulk is complete: {} closed, {} had nothing to do, {} refused, {} failed",
            event.closed, event.nothing_to_do, event.refused, event.failed
        ),
    }
}

/// `client C00001, FO, expiring 2026-11-26`; `all` without any part.
fn filter(filter: &BulkFilter) -> String {
    let parts = [
        filter
            .client
            .as_ref()
            .map(|client| format!("client {client}")),
        filter.venue.map(|venue| venue.to_string()),
        filter.symbol.as_ref().map(|symbol| symbol.to_string()),
        filter.product.map(|product| product.to_string()),
        filter.segment.map(|segment| segment.to_string()),
        filter.expiry.map(|expiry| format!("expiring {expiry}")),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        "all".to_owned()
    } else {
        parts.join(", ")
    }
}
