// A test names the variants it is about; a new one must not break every table.
#![allow(clippy::wildcard_enum_match_arm)]

mod properties;
mod rules;
mod scenarios;

use super::*;
use crate::amount::NetQuantity;
use crate::id::{PositionKey, RequestId};
use crate::position::{TimeInForce, sample};
use uuid::Uuid;

pub(super) fn request_id(number: u128) -> RequestId {
    RequestId(Uuid::from_u128(number))
}

pub(super) fn bulk_id() -> BulkId {
    BulkId(Uuid::from_u128(77))
}

pub(super) fn key(number: u32) -> PositionKey {
    PositionKey {
        client: format!("C{number:07}").parse().unwrap(),
        ..sample::key()
    }
}

/// Items in the order of their numbers, all of one phase.
pub(super) fn items(numbers: impl IntoIterator<Item = u32>) -> Vec<BulkItem> {
    let item = |number| BulkItem {
        key: key(number),
        phase: BulkPhase::Nrml,
        net: NetQuantity(5),
        notional: 5_000_000,
        working: 1,
    };
    numbers.into_iter().map(item).collect()
}

pub(super) fn proposal(items: u32) -> Box<BulkProposal> {
    Box::new(BulkProposal {
        bulk_id: bulk_id(),
        filter: BulkFilter::default(),
        terms: BulkTerms {
            price: BulkPrice::MarketableLimit,
            time_in_force: TimeInForce::Day,
            cancel_external: true,
        },
        as_of: 1_000,
        trading_date: sample::date(),
        items,
        orders_to_cancel: items,
        slices: items,
        notional: 5_000_000,
        messages: 4,
        estimated_seconds: 1,
        message_rate_per_s: 100,
        reason: "primary down".into(),
    })
}

/// What a person asks comes to.
pub(super) fn ask(bulk: &Bulk, id: u128, by: &str, ask: BulkAsk) -> Result<Bulk, BulkRefusal> {
    let request = BulkRequest {
        request_id: request_id(id),
        by: by.to_owned(),
        ask,
    };
    let events = decide(bulk, request)?;
    Ok(events.iter().fold(bulk.clone(), evolve))
}

pub(super) fn tell(bulk: &Bulk, report: BulkReport) -> Bulk {
    record(bulk, report).iter().fold(bulk.clone(), evolve)
}

/// Proposed, listed and approved.
pub(super) fn running(count: u32) -> Bulk {
    let propose = BulkAsk::Propose(proposal(count));
    let mut bulk = ask(&Bulk::default(), 1, "asha", propose).unwrap();
    let chunk = u32::try_from(ITEMS_PER_EVENT_MAX).unwrap();
    for first in (0..count).step_by(ITEMS_PER_EVENT_MAX) {
        let items = items(first..count.min(first + chunk));
        bulk = ask(&bulk, 2, "asha", BulkAsk::ListItems { first, items }).unwrap();
    }
    ask(&bulk, 3, "ravi", BulkAsk::Approve).unwrap()
}
