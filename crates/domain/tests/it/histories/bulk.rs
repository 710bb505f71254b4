//! A bulk: people, workers that tell what became of its items, and events that nobody decided.

use super::event::{self, any_event};
use super::script::Script;
use super::universe::{self, PEOPLE, REASONS};
use squareoff_domain::bulk::*;
use squareoff_domain::position::TimeInForce;
use squareoff_domain::{NetQuantity, PositionKey};
use uuid::Uuid;

any_event! {
    BulkEvent:
    BulkProposed BulkItemsListed BulkApproved BulkRejected BulkPaused BulkResumed BulkAborted BulkPhaseEntered BulkCancelsDone
    BulkItemsSettled BulkCompleted
}

/// Items that a proposal has, at most.
const ITEMS: u32 = 6;

pub fn run(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let (mut bulk, mut wild) = (Bulk::default(), false);
    while let Some(kind) = script.step(20) {
        match kind {
            0..=6 => {
                let report = report(kind, &mut script);
                let events = record(&bulk, report.clone());
                bulk = events.iter().fold(bulk, evolve);
                if !wild {
                    assert_eq!(record(&bulk, report.clone()), [], "told twice: {report:?}");
                }
            }
            7..=18 => {
                let request = BulkRequest {
                    request_id: universe::request_id(&mut script),
                    by: script.pick(PEOPLE).into(),
                    ask: ask(kind, &mut script),
                };
                bulk = asked(bulk, request, wild);
            }
            _ => {
                if let Some(event) = any_event(&mut script) {
                    (bulk, wild) = (evolve(bulk, &event), true);
                }
            }
        }
        look(&bulk, wild);
    }
}

fn asked(before: Bulk, request: BulkRequest, wild: bool) -> Bulk {
    match decide(&before, request.clone()) {
        Ok(events) => {
            let bulk = events.iter().fold(before, evolve);
            if !wild {
                assert_eq!(
                    decide(&bulk, request.clone()),
                    Ok(vec![]),
                    "asked twice: {request:?}"
                );
            }
            bulk
        }
        Err(refusal) => {
            assert!(!refusal.code().is_empty() && !refusal.to_string().is_empty());
            before
        }
    }
}

fn look(bulk: &Bulk, wild: bool) {
    assert_eq!(bulk.items.len(), bulk.statuses.len());
    assert_eq!(bulk.items.len(), bulk.cancelled.len());
    let open = bulk.open_items().count();
    if !wild {
        assert_eq!(open + bulk.counts.settled() as usize, bulk.items.len());
        assert!(bulk.approved_by.is_none() || bulk.is_listed());
    }
    for (index, item) in bulk.items.iter() {
        assert_eq!(bulk.items.get(index), Some(item));
        assert!(bulk.status_of(index).is_some());
    }
    let _ = (bulk.may_begin(), bulk.items.last(), bulk.status.as_str());
}

fn report(kind: usize, script: &mut Script) -> BulkReport {
    let some = |script: &mut Script| -> Vec<u32> {
        (0..script.below(5))
            .map(|_| script.below(ITEMS as usize + 2) as u32)
            .collect()
    };
    match kind {
        0 => BulkReport::PhaseEntered {
            phase: script.pick(BulkPhase::ALL),
        },
        1 => BulkReport::CancelsDone {
            items: some(script),
        },
        2 => BulkReport::Completed,
        _ => BulkReport::ItemsSettled {
            outcomes: some(script)
                .into_iter()
                .filter_map(|item| Some((item, event::any(script)?)))
                .collect(),
        },
    }
}

fn ask(kind: usize, script: &mut Script) -> BulkAsk {
    let reason = script.pick(REASONS).to_owned();
    match kind {
        7 | 8 => BulkAsk::Propose(proposal(script)),
        9..=11 => {
            let first = script.below(ITEMS as usize) as u32;
            let count = script.below(4) as u32;
            let odd = script.byte() == 255;
            let items = (first..first + count).filter_map(|number| {
                if odd {
                    event::any(script)
                } else {
                    Some(item(number))
                }
            });
            BulkAsk::ListItems {
                first,
                items: items.collect(),
            }
        }
        12 | 13 => BulkAsk::Approve,
        14 => BulkAsk::Reject { reason },
        15 => BulkAsk::Pause { reason },
        16 | 17 => BulkAsk::Resume,
        _ => BulkAsk::Abort { reason },
    }
}

fn proposal(script: &mut Script) -> Box<BulkProposal> {
    let number = |script: &mut Script| u32::try_from(script.number()).unwrap_or(u32::MAX);
    Box::new(BulkProposal {
        bulk_id: BulkId(Uuid::from_u128(77)),
        filter: BulkFilter::default(),
        terms: BulkTerms {
            price: BulkPrice::MarketableLimit,
            time_in_force: script.pick(&[TimeInForce::Day, TimeInForce::ImmediateOrCancel]),
            cancel_external: script.flag(),
        },
        as_of: script.number(),
        trading_date: universe::date(),
        items: if script.flag() {
            number(script)
        } else {
            script.below(ITEMS as usize + 1) as u32
        },
        orders_to_cancel: number(script),
        slices: number(script),
        notional: script.number(),
        messages: script.number(),
        estimated_seconds: script.number(),
        message_rate_per_s: number(script),
        reason: script.pick(REASONS).into(),
    })
}

fn item(number: u32) -> BulkItem {
    let key: PositionKey = universe::key_of(number as usize);
    BulkItem {
        key,
        phase: BulkPhase::Nrml,
        net: NetQuantity(5),
        notional: 5_000_000,
        working: 1,
    }
}
