//! Two workers and a few people over one bulk, in any interleaving.

use super::*;
use crate::amount::Quantity;
use proptest::prelude::*;
use std::collections::BTreeMap;

const ITEMS: u32 = 6;

#[derive(Debug, Clone)]
enum Step {
    Ask(BulkRequest),
    Tell(BulkReport),
    /// A worker reads the bulk as it is now.
    Look(usize),
    /// A worker tells what it holds to be new by what it read: as an append at the version it read would, refused when that is over.
    Work(usize, BulkReport),
}

fn outcome() -> impl Strategy<Value = BulkOutcome> {
    prop_oneof![
        (1_u64..9).prop_map(|units| BulkOutcome::Closed {
            quantity: Quantity::new(units).unwrap()
        }),
        Just(BulkOutcome::NothingToDo),
        Just(BulkOutcome::Refused {
            code: "code".into()
        }),
        Just(BulkOutcome::Failed {
            left: Quantity::new(1).unwrap(),
            reason: "reason".into()
        }),
    ]
}

fn report() -> impl Strategy<Value = BulkReport> {
    let index = 0..ITEMS + 2;
    let phase = prop::sample::select(BulkPhase::ALL);
    prop_oneof![
        1 => phase.prop_map(|phase| BulkReport::PhaseEntered { phase }),
        1 => prop::collection::vec(index.clone(), 0..5).prop_map(|items| BulkReport::CancelsDone { items }),
        4 => prop::collection::vec((index, outcome()), 0..5).prop_map(|outcomes| BulkReport::ItemsSettled { outcomes }),
        1 => Just(BulkReport::Completed),
    ]
}

fn request() -> impl Strategy<Value = BulkRequest> {
    let reason = || String::from("reason");
    let list = (0..ITEMS, 0..4_u32).prop_map(|(first, count)| BulkAsk::ListItems {
        first,
        items: items(first..first + count),
    });
    let ask = prop_oneof![
        1 => Just(BulkAsk::Propose(proposal(ITEMS))),
        2 => list,
        2 => Just(BulkAsk::Approve),
        1 => Just(BulkAsk::Pause { reason: reason() }),
        2 => Just(BulkAsk::Resume),
        1 => Just(BulkAsk::Reject { reason: reason() }),
        1 => Just(BulkAsk::Abort { reason: reason() }),
    ];
    let person = prop::sample::select(vec!["asha", "ravi"]);
    (0_u128..30, person, ask).prop_map(|(id, by, ask)| BulkRequest {
        request_id: request_id(id),
        by: by.to_owned(),
        ask,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => request().prop_map(Step::Ask),
        1 => report().prop_map(Step::Tell),
        2 => (0_usize..2).prop_map(Step::Look),
        4 => (0_usize..2, report()).prop_map(|(worker, report)| Step::Work(worker, report)),
    ]
}

/// The events of a history that begins with `bulk`.
fn history(bulk: &Bulk, steps: &[Step]) -> Vec<BulkEvent> {
    let mut bulk = bulk.clone();
    let mut history = Vec::new();
    let mut seen = [(0, bulk.clone()), (0, bulk.clone())];
    for step in steps {
        let events = match step {
            Step::Ask(request) => decide(&bulk, request.clone()).unwrap_or_default(),
            Step::Tell(report) => record(&bulk, report.clone()),
            Step::Look(worker) => {
                seen[*worker] = (history.len(), bulk.clone());
                vec![]
            }
            Step::Work(worker, report) => {
                let (version, read) = &seen[*worker];
                let events = record(read, report.clone());
                if *version == history.len() {
                    events
                } else {
                    // The conflict: it reads on and records again.
                    record(&bulk, report.clone())
                }
            }
        };
        bulk = events.iter().fold(bulk, evolve);
        history.extend(events);
    }
    history
}

/// A bulk at some point of its life: from nothing, or approved.
fn start() -> impl Strategy<Value = Bulk> {
    prop_oneof![Just(Bulk::default()), Just(running(ITEMS))]
}

proptest! {
    #[test]
    fn each_item_is_settled_at_most_once_whatever_two_workers_do(
        start in start(),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let (mut settled, mut cancelled) = (BTreeMap::new(), BTreeMap::new());
        let mut bulk = start.clone();
        for event in history(&start, &steps) {
            bulk = evolve(bulk, &event);
            match event {
                BulkEvent::BulkItemsSettled(event) => {
                    prop_assert!((1..=ITEMS_PER_EVENT_MAX).contains(&event.outcomes.len()));
                    for (index, outcome) in event.outcomes {
                        prop_assert!(index < bulk.counts.listed);
                        prop_assert_eq!(bulk.status_of(index), Some((&outcome).into()));
                        prop_assert_eq!(settled.insert(index, outcome), None);
                    }
                }
                BulkEvent::BulkCancelsDone(event) => {
                    for index in event.items {
                        prop_assert_eq!(cancelled.insert(index, ()), None);
                    }
                }
                _ => {}
            }
        }
        let counts = bulk.counts;
        prop_assert_eq!(counts.settled(), u32::try_from(settled.len()).unwrap());
        prop_assert_eq!(counts.cancelled, u32::try_from(cancelled.len()).unwrap());
        prop_assert_eq!(counts.settled() + u32::try_from(bulk.open_items().count()).unwrap(), counts.listed);
    }

    #[test]
    fn nothing_is_worked_off_before_another_person_approved_the_whole_list(
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let (mut proposed_by, mut approved, mut listed) = (None, false, 0);
        for event in history(&Bulk::default(), &steps) {
            match event {
                BulkEvent::BulkProposed(event) => {
                    prop_assert_eq!(proposed_by.replace(event.proposed_by), None);
                }
                BulkEvent::BulkItemsListed(event) => {
                    prop_assert!(!approved && event.first == listed);
                    listed += u32::try_from(event.items.len()).unwrap();
                }
                BulkEvent::BulkApproved(event) => {
                    prop_assert!(!approved && listed == ITEMS);
                    prop_assert_ne!(Some(event.by), proposed_by.clone());
                    approved = true;
                }
                BulkEvent::BulkRejected(_) => prop_assert!(!approved),
                _ => prop_assert!(approved),
            }
        }
    }

    #[test]
    fn a_report_or_request_repeated_gives_no_event(start in start(), steps in prop::collection::vec(step(), 0..40)) {
        let mut bulk = start;
        for step in steps {
            match step {
                Step::Ask(request) => {
                    let Ok(events) = decide(&bulk, request.clone()) else { continue };
                    bulk = events.iter().fold(bulk, evolve);
                    prop_assert_eq!(decide(&bulk, request), Ok(vec![]));
                }
                Step::Tell(report) | Step::Work(_, report) => {
                    bulk = tell(&bulk, report.clone());
                    prop_assert_eq!(record(&bulk, report), vec![]);
                }
                Step::Look(_) => {}
            }
        }
    }

    /// Events of several histories, cut, mixed and repeated.
    #[test]
    fn a_history_no_one_thought_of_folds_without_panic(
        steps in prop::collection::vec(step(), 0..60),
        others in prop::collection::vec(step(), 0..60),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let mut pool = history(&Bulk::default(), &steps);
        pool.extend(history(&running(ITEMS), &others));
        pool.push(BulkEvent::BulkItemsListed(BulkItemsListed { first: 9, items: vec![] }));
        let mut bulk = Bulk::default();
        for pick in picks {
            bulk = evolve(bulk, pick.get(&pool));
            let sizes = (bulk.statuses.len(), bulk.cancelled.len(), bulk.items.iter().count());
            let listed = bulk.items.len();
            prop_assert_eq!(sizes, (listed, listed, listed));
            for step in &others {
                match step {
                    Step::Ask(request) => drop(decide(&bulk, request.clone())),
                    Step::Tell(report) | Step::Work(_, report) => drop(record(&bulk, report.clone())),
                    Step::Look(_) => {}
                }
            }
        }
    }
}
