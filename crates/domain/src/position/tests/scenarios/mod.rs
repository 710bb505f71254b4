//! The rules as tables: one line a step, `what is asked or told => the events, or the refusal ; the state after`.
//!
//! Asked (a trailing `#n` names the request id): `all`, `close 10`, `ioc 10`, `limit 10 99.95`, `cancel o1`, `cancel all`,
//! `change o1 15 99.95` (`-` leaves price or quantity), `resolve o1 delivered`, `resolve o1 lost`, `freeze`, `unfreeze`, `hand-back`; with
//! `mute` before it without a reason. Told: `bod +40`, `primary sell 5 E1`, `external P1 sell 10 filled 5`, `external-ended P1 ...`,
//! `sent o1`, `dropped o1`, `ack o1`, `held o1`, `fill o1 5 E1` (the venue's own sums are true; `fill o1 5 E1 99.95` at a price),
//! `bust o1 E1`, `correct o1 E1 C1 5 99.95`, `drop-copy E1 sell 5`, `replaced o1` (as asked last; `o1/1` as asked first; `o1 10` to
//! another quantity), `replace-rejected o1`, `cancel-rejected o1` (a code may follow, 1 for an order that is unknown), `replace-lost o1`,
//! `cancel-lost o1`, `canceled o1`, `rejected o1`, `expired o1`, `lost o1`, `doubt o1`, `session-end`, `stranger`.
//! `off`, `on`, `epoch`, `yesterday`, `unready`, `ready`, `no contract`, `halted`, `market closed`, `age 3601` (of the
//! reference price, in seconds), and the contract's `freeze-quantity 4`, `suspended`, `trade-for-trade`, `expiry 2026-11-19`,
//! `protection 99 101` change what is outside. Orders are named in the order they came.
//!
//! Facts: `net 5`, `closable 5`, `frozen`, `free`, `o1 new`, `o1 5/10` (filled of quantity), `o1 leaves 5`, `o1 at 99.95`, `E1 busted`,
//! `E1 is 5`, `o1 cancel C01` (how the last cancel's ClOrdID ends), `o1 replace R01`, `unbooked E1+E2` (what only the drop
//! copy told; `-` for nothing).

mod fix_a_to_e;
mod fix_f_to_k;
mod ours;
mod refusals;
mod world;

use super::*;
use std::collections::BTreeSet;
use world::World;

type Table = &'static [(&'static str, &'static str)];

const TABLES: &[Table] = &[
    ours::OURS,
    fix_a_to_e::A_TO_E,
    fix_f_to_k::F_TO_K,
    refusals::REFUSALS,
];

macro_rules! variants {
    ($list:ident, $name:ident, $enum:ident { $($variant:ident)+ }) => {
        /// Every variant's name. A new one does not compile until it stands here, and then has to be shown.
        pub(super) const $list: &[&str] = &[$(stringify!($variant)),+];

        pub(super) fn $name(of: &$enum) -> &'static str {
            match of {
                $($enum::$variant { .. } => stringify!($variant),)+
            }
        }
    };
}

variants!(EVENTS, event_name, PositionEvent {
    BodLoaded BodContradicted PrimaryTradeApplied ExternalOrderObserved ExternalOrderUpdated SquareOffAccepted OrderPlaced
    OrderDispatched OrderAcknowledged OrderFrozen OrderRejected Executed ExecutionConflicted ExecutionBusted ExecutionCorrected
    TradeConfirmed OverfillDetected CancelRequested CancelQueued CancelRejected CancelNotDelivered ReplaceRequested OrderReplaced
    ReplaceRejected ReplaceNotDelivered OrderCanceled OrderExpired OrderNotDelivered OrderInDoubt InDoubtResolved ExposureBreached
    PositionFrozen PositionUnfrozen PositionHandedBack ReportContradicted UnknownOrderReported
});

variants!(REFUSALS, refusal_name, Refusal {
    RequestIdReused ReasonMissing PlatformNotActive UnknownPosition UnknownInstrument Halted MarketNotOpen SessionNotReady HandedBack
    Frozen InstrumentRestricted QuantityNotPositive NothingToClose ExceedsOpenQuantity OddLot NotWholeLots FreezeBelowLot TooManySlices
    UnknownOrder NotOurOrder OrderEnded NotInDoubt OrderInDoubt CancelPending ReplacePending NotAcknowledged TooManyCancels
    TooManyReplaces NothingToChange QuantityNotLower QuantityNotAboveFilled NothingToCancel StaleReference PriceOffTick PriceOutOfBand
    PriceOutOfProtection NotFrozen OrdersWorking
});

/// The names of the events, a run of more than three written `Name*count`.
fn names(events: &[PositionEvent]) -> String {
    let mut runs: Vec<(&str, usize)> = Vec::new();
    for event in events {
        let name = event_name(event);
        match runs.last_mut() {
            Some((last, count)) if *last == name => *count += 1,
            _ => runs.push((name, 1)),
        }
    }
    let text = |(name, count): (&str, usize)| {
        if count > 3 {
            format!("{name}*{count}")
        } else {
            vec![name; count].join(" ")
        }
    };
    runs.into_iter().map(text).collect::<Vec<_>>().join(" ")
}

/// Runs a scenario; gives the names of what it came to, events and refusals.
fn check(scenario: &str, steps: &str) -> BTreeSet<&'static str> {
    let mut world = World::new();
    let mut shown = BTreeSet::new();
    for line in steps.lines() {
        let (step, expected) = line.split_once("=>").expect("step => events ; facts");
        let (events, facts) = expected.split_once(';').unwrap_or((expected, ""));
        let outcome = world.step(step.trim());
        let said = match &outcome {
            Ok(events) => {
                shown.extend(events.iter().map(event_name));
                names(events)
            }
            Err(refusal) => {
                shown.insert(refusal_name(refusal));
                format!("refused {}", refusal.code())
            }
        };
        assert_eq!(said, events.trim(), "{scenario}: {line}");
        world.learn(outcome.unwrap_or_default());
        for fact in facts.split(',').map(str::trim) {
            assert!(
                fact.is_empty() || world.has(fact),
                "{scenario}: {line}: not `{fact}` but {:#?}",
                world.position
            );
        }
    }
    shown
}

#[test]
fn every_scenario_goes_as_its_table_says() {
    for (scenario, steps) in TABLES.iter().copied().flatten() {
        check(scenario, steps);
    }
}

#[test]
fn every_event_and_every_refusal_is_shown_by_a_scenario() {
    let scenarios = TABLES.iter().copied().flatten();
    let mut shown: BTreeSet<_> = scenarios
        .flat_map(|(scenario, steps)| check(scenario, steps))
        .collect();
    let often = "an order is cancelled and changed only so often";
    shown.extend(check(often, &refusals::often()));
    let all: BTreeSet<_> = EVENTS.iter().chain(REFUSALS).copied().collect();
    assert_eq!(all.difference(&shown).collect::<Vec<_>>(), [&""; 0]);
}
