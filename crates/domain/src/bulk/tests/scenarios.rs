//! A bulk's life as a table. A step is `<id> <person> <verb> [<argument>] -> <outcome>`, or a worker's `tell <what> [<argument>] -> <outcome>`.
//! An outcome is the status the bulk has then, `=` for "nothing new", or `!` and a refusal's code. Three items are proposed.

use super::*;
use crate::amount::Quantity;
use std::collections::BTreeSet;

const SCENARIOS: &[(&str, &str)] = &[
    (
        "proposed, listed, approved by another, worked off",
        "1 asha propose 3 -> proposed
         2 asha list 0..2 -> proposed
         3 asha list 2..3 -> proposed
         4 ravi approve -> running
         tell phase cancel-working -> running
         tell cancels 0,1,2 -> running
         tell phase nrml -> running
         tell closed 0,1 -> running
         tell completed -> =
         tell failed 2 -> running
         tell completed -> completed",
    ),
    (
        "nobody approves their own, or a list that is not complete",
        "1 asha propose 3 -> proposed
         2 ravi approve -> !list-incomplete
         3 asha list 0..2 -> proposed
         4 ravi approve -> !list-incomplete
         5 asha list 2..3 -> proposed
         6 asha approve -> !own-request
         7 ravi approve -> running",
    ),
    (
        "what can't be proposed or listed",
        "1 asha list 0..1 -> !unknown-bulk
         2 asha approve -> !unknown-bulk
         3 asha reject -> !unknown-bulk
         4 asha pause -> !unknown-bulk
         5 asha resume -> !unknown-bulk
         6 asha abort -> !unknown-bulk
         7 asha propose 0 -> !nothing-to-square-off
         8 asha propose 1000001 -> !too-many-items
         9 asha propose 3 -> proposed
         10 asha propose 3 -> !bulk-already-proposed
         11 ravi list 0..1 -> !not-the-proposer
         12 asha list 0..0 -> !wrong-item-count
         13 asha list 0..501 -> !wrong-item-count
         14 asha list 1..2 -> !listed-out-of-turn
         15 asha list 0..4 -> !listed-out-of-turn
         16 asha unordered 0 -> !item-out-of-order
         17 asha twice 0 -> !item-out-of-order
         18 asha yesterday 0 -> !item-out-of-order
         19 asha list 0..2 -> proposed
         20 asha list 0..2 -> =
         21 asha list 1..2 -> =
         22 asha list 1..3 -> !listed-out-of-turn
         23 asha again 2 -> !item-out-of-order
         24 asha list 2..3 -> proposed
         25 asha list 3..4 -> !listed-out-of-turn
         26 ravi approve -> running
         27 asha list 0..2 -> =
         28 asha list 3..4 -> !bulk-in-another-status",
    ),
    (
        "rejected by another or withdrawn, and never run",
        "1 asha propose 3 -> proposed
         2 asha list 0..3 -> proposed
         3 asha reject -> rejected
         4 ravi approve -> !bulk-in-another-status
         5 ravi reject -> !bulk-in-another-status
         6 ravi resume -> !bulk-in-another-status
         tell phase cancel-working -> =
         tell cancels 0 -> =
         tell closed 0 -> =
         tell completed -> =",
    ),
    (
        "paused and resumed, and what was asked before is still told",
        "1 asha propose 3 -> proposed
         2 asha list 0..3 -> proposed
         3 asha pause -> !bulk-in-another-status
         4 asha abort -> !bulk-in-another-status
         5 ravi approve -> running
         6 asha resume -> !bulk-in-another-status
         7 asha pause -> paused
         8 asha pause -> !bulk-in-another-status
         tell closed 0 -> paused
         9 meera resume -> running
         10 ravi abort -> aborted
         11 ravi abort -> !bulk-in-another-status
         12 ravi resume -> !bulk-in-another-status
         tell closed 1 -> aborted
         tell cancels 1 -> aborted
         tell phase mis -> =
         tell closed 2 -> aborted
         tell completed -> =",
    ),
    (
        "aborted from a pause",
        "1 asha propose 3 -> proposed
         2 asha list 0..3 -> proposed
         3 ravi approve -> running
         4 ravi pause -> paused
         5 ravi abort -> aborted",
    ),
    (
        "a request repeated gets its first answer, and its id serves nothing else",
        "1 asha propose 3 -> proposed
         1 asha propose 3 -> =
         1 asha propose 4 -> !idempotency-key-reused
         1 ravi propose 3 -> !idempotency-key-reused
         2 asha list 0..3 -> proposed
         3 ravi approve -> running
         3 ravi approve -> =
         3 ravi pause -> !idempotency-key-reused
         4 ravi pause -> paused
         4 ravi pause -> =
         5 ravi resume -> running
         5 ravi resume -> =
         4 ravi pause -> =
         6 ravi abort -> aborted
         6 ravi abort -> =
         1 asha propose 3 -> =",
    ),
    (
        "a rejection repeated",
        "1 asha propose 3 -> proposed
         2 ravi reject -> rejected
         2 ravi reject -> =",
    ),
    (
        "phases only go on, and facts count once",
        "1 asha propose 3 -> proposed
         tell phase cancel-working -> =
         2 asha list 0..3 -> proposed
         3 ravi approve -> running
         tell phase cancel-working -> running
         tell phase cancel-working -> =
         tell phase futures -> running
         tell phase mis -> =
         tell cancels 0,0,2 -> running
         tell cancels 0,2 -> =
         tell cancels 7 -> =
         tell closed 0,0 -> running
         tell failed 0 -> =
         tell closed 3,4294967295 -> =
         tell nothing 1 -> running
         tell refused 2 -> running
         tell completed -> completed
         tell completed -> =
         tell phase cnc -> =",
    ),
];

/// Every refusal there is: each has its line above.
const CODES: &[&str] = &[
    "bulk-already-proposed",
    "bulk-in-another-status",
    "idempotency-key-reused",
    "item-out-of-order",
    "list-incomplete",
    "listed-out-of-turn",
    "not-the-proposer",
    "nothing-to-square-off",
    "own-request",
    "too-many-items",
    "unknown-bulk",
    "wrong-item-count",
];

fn verb(verb: &str, about: &str) -> BulkAsk {
    let reason = || verb.to_owned();
    let number = || about.parse().unwrap();
    let list = |first, items| BulkAsk::ListItems { first, items };
    match verb {
        "propose" => BulkAsk::Propose(proposal(number())),
        "list" => {
            let (from, to) = about.split_once("..").unwrap();
            let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
            list(from, items(from..to))
        }
        "unordered" => list(number(), items([1, 0])),
        "twice" => list(number(), items([0, 0])),
        "again" => list(number(), items([1])),
        "yesterday" => {
            let mut items = items([0]);
            items[0].key.date = "2026-11-19".parse().unwrap();
            list(number(), items)
        }
        "approve" => BulkAsk::Approve,
        "reject" => BulkAsk::Reject { reason: reason() },
        "pause" => BulkAsk::Pause { reason: reason() },
        "resume" => BulkAsk::Resume,
        "abort" => BulkAsk::Abort { reason: reason() },
        other => panic!("`{other}` is no verb"),
    }
}

fn report(what: &str, about: &str) -> BulkReport {
    let indices = || about.split(',').map(|index| index.parse().unwrap());
    let settled = |outcome: BulkOutcome| BulkReport::ItemsSettled {
        outcomes: indices().map(|index| (index, outcome.clone())).collect(),
    };
    let five = Quantity::new(5).unwrap();
    match what {
        "phase" => {
            let phase = BulkPhase::ALL.iter().find(|phase| phase.as_str() == about);
            BulkReport::PhaseEntered {
                phase: *phase.unwrap(),
            }
        }
        "cancels" => BulkReport::CancelsDone {
            items: indices().collect(),
        },
        "closed" => settled(BulkOutcome::Closed { quantity: five }),
        "nothing" => settled(BulkOutcome::NothingToDo),
        "refused" => settled(BulkOutcome::Refused {
            code: "not-whole-lots".into(),
        }),
        "failed" => settled(BulkOutcome::Failed {
            left: five,
            reason: "no liquidity".into(),
        }),
        "completed" => BulkReport::Completed,
        other => panic!("`{other}` is no report"),
    }
}

fn check(bulk: &mut Bulk, step: &str) -> String {
    let words: Vec<_> = step.split_whitespace().collect();
    let about = |rest: &[&str]| rest.first().copied().unwrap_or_default().to_owned();
    let events = match words.as_slice() {
        ["tell", what, rest @ ..] => record(bulk, report(what, &about(rest))),
        [id, by, asked, rest @ ..] => {
            let request = BulkRequest {
                request_id: request_id(id.parse().unwrap()),
                by: (*by).to_owned(),
                ask: verb(asked, &about(rest)),
            };
            match decide(bulk, request) {
                Ok(events) => events,
                Err(refusal) => return format!("!{}", refusal.code()),
            }
        }
        other => panic!("{other:?} is no step"),
    };
    if events.is_empty() {
        return "=".into();
    }
    *bulk = events.iter().fold(std::mem::take(bulk), evolve);
    bulk.status.as_str().to_owned()
}

#[test]
fn every_scenario_goes_as_its_table_says() {
    let mut refused = BTreeSet::new();
    for (name, steps) in SCENARIOS {
        let mut bulk = Bulk::default();
        for line in steps.lines().map(str::trim) {
            let (step, wanted) = line.split_once(" -> ").unwrap();
            let came = check(&mut bulk, step);
            assert_eq!(came, wanted, "{name}: {line}");
            assert_eq!(bulk.may_begin(), bulk.status == BulkStatus::Running);
            refused.extend(came.strip_prefix('!').map(str::to_owned));
        }
    }
    let refused: Vec<_> = refused.iter().map(String::as_str).collect();
    assert_eq!(refused, CODES);
}

#[test]
fn a_bulk_that_is_done_says_what_became_of_each_item() {
    let mut bulk = running(5);
    for line in [
        "tell cancels 0,4",
        "tell closed 0,1",
        "tell nothing 2",
        "tell refused 3",
    ] {
        check(&mut bulk, line);
    }
    let open: Vec<_> = bulk.open_items().map(|(index, _)| index).collect();
    assert_eq!((open, bulk.counts.settled()), (vec![4], 4));
    check(&mut bulk, "tell failed 4");
    let completed = BulkCompleted {
        closed: 2,
        nothing_to_do: 1,
        refused: 1,
        failed: 1,
    };
    let events = record(&bulk, BulkReport::Completed);
    assert_eq!(events, [BulkEvent::BulkCompleted(completed)]);
    assert_eq!((bulk.counts.listed, bulk.counts.cancelled), (5, 2));
    let statuses: Vec<_> = (0..6).map(|index| bulk.status_of(index)).collect();
    let wanted = [
        Some(ItemStatus::Closed),
        Some(ItemStatus::Closed),
        Some(ItemStatus::NothingToDo),
        Some(ItemStatus::Refused),
        Some(ItemStatus::Failed),
        None,
    ];
    assert_eq!(statuses, wanted);
}
