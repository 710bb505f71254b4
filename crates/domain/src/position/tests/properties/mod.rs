//! The invariants by their numbers, over generated histories of requests and reports in any order and number: what people ask is in
//! `asked`, what the outside tells in `told`.
//!
//! Each runs 10,000 cases; `PROPTEST_CASES` sets another number (`make soak`).

mod asked;
mod told;

use super::step::step;
use super::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

const CASES: u32 = 10_000;
/// Long enough for two replaces of one order, a bust and an answer to each; longer ones found nothing more and take longer.
const STEPS_MAX: usize = 60;

fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    // A property test's own variable, and so read where it is used.
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config.cases,
        None => CASES,
    };
    ProptestConfig { cases, ..config }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(any::<[u8; 4]>().prop_map(step), 0..STEPS_MAX)
}

/// A position of so many lots, long or short, or with none one that nobody knows yet, and what happens to it.
fn histories() -> impl Strategy<Value = (i64, Vec<Step>)> {
    (-12_i64..=12, steps())
}

fn opened(lots: i64) -> World {
    let mut world = World::new(sample::key(), sample::contract());
    world.now = sample::now();
    if lots != 0 {
        world.go(&Step::Bod(lots));
    }
    world
}

/// Runs a history, calling `check` with the world before each step, what the step came to, and the world after.
fn run(
    lots: i64,
    steps: &[Step],
    mut check: impl FnMut(&World, &Went, &World) -> Result<(), TestCaseError>,
) -> Result<World, TestCaseError> {
    let mut world = opened(lots);
    for step in steps {
        let before = world.clone();
        let went = world.go(step);
        check(&before, &went, &world)?;
    }
    Ok(world)
}

fn ran(lots: i64, steps: &[Step]) -> World {
    let mut world = opened(lots);
    for step in steps {
        world.go(step);
    }
    world
}

/// The histories are worth what they reach: every event, and every refusal that one contract and one day can bring about.
#[test]
fn histories_reach_every_event_and_refusal() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached = std::collections::BTreeSet::new();
    for _ in 0..4_000 {
        let (lots, steps) = histories().new_tree(&mut runner).unwrap().current();
        let mut world = opened(0);
        let bod = (lots != 0).then_some(Step::Bod(lots));
        for step in bod.iter().chain(&steps) {
            let went = world.go(step);
            reached.extend(went.events().iter().map(scenarios::event_name));
            if let Went::Asked(_, Err(refusal)) = went {
                reached.insert(scenarios::refusal_name(&refusal));
            }
        }
    }
    let wanted = scenarios::EVENTS.iter().chain(scenarios::REFUSALS);
    let missing: Vec<_> = wanted.filter(|name| !reached.contains(**name)).collect();
    assert_eq!(missing, NOT_REACHED.iter().collect::<Vec<_>>());
}

/// What only a table shows: other contracts, other days, more slices, cancels or replaces than a short history has.
const NOT_REACHED: &[&str] = &[
    "ReasonMissing",
    "UnknownInstrument",
    "InstrumentRestricted",
    "OddLot",
    "FreezeBelowLot",
    "TooManySlices",
    "TooManyCancels",
    "TooManyReplaces",
    "PriceOutOfProtection",
];

/// What may still fill on the closing side, whoever's the orders are, and what of ours on the other.
fn may_fill(position: &Position) -> (u64, u64) {
    let closing = position.closing_side();
    let sum = |counts: &dyn Fn(&Order) -> bool| -> u64 {
        let orders = position.orders.values().filter(|order| counts(order));
        orders.map(|order| order.leaves().units()).sum()
    };
    (
        sum(&|order| Some(order.side) == closing),
        sum(&|order| Some(order.side) != closing && order.is_ours()),
    )
}
