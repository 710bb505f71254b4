//! A step is `<id> <person> match|booked|dismiss <report> [<position>] -> <outcome>`, `held <report> [<ExecID> <symbol>] -> <outcome>`, or
//! `row|booked-row <ExecID> <position> -> <outcome>`: a match and a row of the primary each come before and after the execution is booked.
//! An outcome is the event's last word small, `=` for nothing new, or `!` and a code. A position is `<venue>:<symbol>`.

use super::*;
use crate::position::sample;
use proptest::prelude::*;
use uuid::Uuid;

const SCENARIOS: &[(&str, &str)] = &[
    (
        "an execution is held once and matched once, by a person",
        "held r1 E1 INFY -> suspended
         held r1 E1 INFY -> =
         1 asha booked r1 NSE:INFY -> =
         1 asha match r1 NSE:INFY -> begun
         1 asha match r1 NSE:INFY -> =
         1 asha booked r1 NSE:INFY -> matched
         1 asha match r1 NSE:INFY -> =
         1 asha booked r1 NSE:INFY -> =
         1 ravi match r1 NSE:INFY -> !idempotency-key-reused
         1 asha match r1 NSE:TCS -> !idempotency-key-reused
         2 ravi match r1 NSE:INFY -> !already-matched
         3 ravi dismiss r1 -> !already-matched
         held r1 E1 INFY -> =",
    ),
    (
        "while a match is begun nothing else is taken, and anybody may conclude it",
        "held r1 E1 ? -> suspended
         1 asha match r1 NSE:INFY -> begun
         2 ravi match r1 NSE:TCS -> !match-begun
         2 ravi dismiss r1 -> !match-begun
         2 ravi booked r1 NSE:TCS -> =
         3 ravi match r1 NSE:INFY -> =
         3 ravi booked r1 NSE:INFY -> matched
         1 asha match r1 NSE:INFY -> =
         1 asha booked r1 NSE:INFY -> =
         3 ravi match r1 NSE:INFY -> =",
    ),
    (
        "by a row of the primary, which may come again",
        "row E1 NSE:INFY -> =
         booked-row E1 NSE:INFY -> =
         held r1 E1 INFY -> suspended
         row E1 NSE:INFY -> begun
         row E1 NSE:INFY -> =
         1 asha dismiss r1 -> !match-begun
         booked-row E1 NSE:INFY -> matched
         booked-row E1 NSE:INFY -> =
         row E1 NSE:INFY -> =
         1 asha match r1 NSE:INFY -> !already-matched",
    ),
    (
        "a row that was only booked concludes what a person began there, and contradicts what was begun elsewhere",
        "held r1 E1 ? -> suspended
         1 asha match r1 NSE:INFY -> begun
         row E1 NSE:TCS -> =
         booked-row E1 NSE:TCS -> contradicted
         booked-row E1 NSE:TCS -> =
         booked-row E1 NSE:INFY -> matched
         1 asha match r1 NSE:INFY -> =",
    ),
    (
        "a row that says otherwise changes nothing and is said once",
        "held r1 E1 INFY -> suspended
         1 asha match r1 NSE:INFY -> begun
         1 asha booked r1 NSE:INFY -> matched
         booked-row E1 NSE:INFY -> =
         booked-row E1 NSE:TCS -> contradicted
         booked-row E1 NSE:TCS -> =
         booked-row E1 NSE:WIPRO -> contradicted
         booked-row E1 NSE:INFY -> =
         2 asha match r1 NSE:TCS -> !already-matched",
    ),
    (
        "what was dismissed can still be matched, because people err",
        "held r1 E1 INFY -> suspended
         1 asha dismiss r1 -> dismissed
         1 asha dismiss r1 -> =
         2 asha dismiss r1 -> !already-dismissed
         row E1 NSE:INFY -> =
         booked-row E1 NSE:INFY -> contradicted
         booked-row E1 NSE:INFY -> =
         3 ravi match r1 NSE:INFY -> begun
         4 ravi dismiss r1 -> !match-begun
         3 ravi booked r1 NSE:INFY -> matched
         4 ravi dismiss r1 -> !already-matched
         1 asha dismiss r1 -> =",
    ),
    (
        "only an execution is matched, and only to its instrument at its venue",
        "1 asha match r1 NSE:INFY -> !unknown-report
         2 asha dismiss r1 -> !unknown-report
         held r1 -> suspended
         3 asha match r1 NSE:INFY -> !no-execution
         4 asha dismiss r1 -> dismissed
         5 asha match r1 NSE:INFY -> !no-execution
         held r2 E2 INFY -> suspended
         6 asha match r2 NSE:TCS -> !other-instrument
         7 asha match r2 BSE:INFY -> !other-instrument
         8 asha match r2 NSE:INFY -> begun
         held r3 E3 ? -> suspended
         9 asha match r3 BSE:INFY -> !other-instrument
         10 asha match r3 NSE:TCS -> begun",
    ),
    (
        "two reports of one execution: a row settles the first, and the other goes nowhere else",
        "held r1 E1 ? -> suspended
         held r2 E1 ? -> suspended
         row E1 NSE:INFY -> begun
         1 asha match r2 NSE:TCS -> !match-begun
         booked-row E1 NSE:INFY -> matched
         booked-row E1 NSE:INFY -> =
         2 asha match r2 NSE:TCS -> !already-matched
         3 asha match r2 NSE:INFY -> begun
         3 asha booked r2 NSE:INFY -> matched",
    ),
    (
        "two reports of one execution: a person has begun with the second, and a row of elsewhere begins nothing with the first",
        "held r1 E1 INFY -> suspended
         held r2 E1 TCS -> suspended
         1 asha match r2 NSE:TCS -> begun
         row E1 NSE:INFY -> =
         2 ravi match r1 NSE:INFY -> !match-begun
         booked-row E1 NSE:INFY -> contradicted
         booked-row E1 NSE:INFY -> =
         1 asha booked r2 NSE:TCS -> matched
         3 ravi match r1 NSE:INFY -> !already-matched",
    ),
];

fn position(text: &str) -> PositionKey {
    let (venue, symbol) = text.split_once(':').unwrap();
    PositionKey {
        venue: venue.parse().unwrap(),
        symbol: symbol.parse().unwrap(),
        ..sample::key()
    }
}

fn execution_key(id: &str) -> ExecutionKey {
    ExecutionKey::new(Venue::Nse, sample::date(), id).unwrap()
}

fn held(report_key: &str, execution: Option<(&str, &str)>) -> SuspenseReport {
    let execution = execution.map(|(id, symbol)| SuspendedExecution {
        execution: execution_key(id),
        account: None,
        symbol: (symbol != "?").then(|| symbol.parse().unwrap()),
        side: Side::Buy,
        quantity: Quantity::new(5).unwrap(),
        price: Price(1_000_000),
    });
    SuspenseReport::Suspended(ReportSuspended {
        venue: Venue::Nse,
        report_key: report_key.to_owned(),
        reason: "unknown order".into(),
        message: "35=8|".into(),
        execution,
    })
}

fn request(id: &str, by: &str, report_key: &str, ask: SuspenseAsk) -> SuspenseRequest {
    SuspenseRequest {
        request_id: RequestId(Uuid::from_u128(id.parse().unwrap())),
        by: by.to_owned(),
        report_key: report_key.to_owned(),
        reason: "looked into".into(),
        ask,
    }
}

fn outcome(suspense: &Suspense, step: &str) -> Result<Vec<SuspenseEvent>, SuspenseRefusal> {
    let words: Vec<_> = step.split_whitespace().collect();
    match words.as_slice() {
        ["held", key] => Ok(record(suspense, held(key, None))),
        ["held", key, id, symbol] => Ok(record(suspense, held(key, Some((id, symbol))))),
        ["row", id, to] => {
            let report = SuspenseReport::Syncing {
                execution: execution_key(id),
                position: position(to),
                source: "trades.csv".into(),
            };
            Ok(record(suspense, report))
        }
        ["booked-row", id, to] => {
            let report = SuspenseReport::Synced {
                execution: execution_key(id),
                position: position(to),
                source: "trades.csv".into(),
            };
            Ok(record(suspense, report))
        }
        [id, by, what @ ("match" | "booked"), key, to] => {
            let position = position(to);
            let ask = SuspenseAsk::Match { position };
            let request = request(id, by, key, ask);
            if *what == "match" {
                decide(suspense, request)
            } else {
                Ok(conclude(suspense, request))
            }
        }
        [id, by, "dismiss", key] => decide(suspense, request(id, by, key, SuspenseAsk::Dismiss)),
        other => panic!("{other:?} is no step"),
    }
}

#[test]
fn every_scenario_goes_as_its_table_says() {
    for (name, steps) in SCENARIOS {
        let mut suspense = Suspense::default();
        for line in steps.lines().map(str::trim) {
            let (step, wanted) = line.split_once(" -> ").unwrap();
            let came = match outcome(&suspense, step) {
                Err(refusal) => format!("!{}", refusal.code()),
                Ok(events) => {
                    suspense = events.iter().fold(suspense, evolve);
                    match events.as_slice() {
                        [] => "=",
                        [SuspenseEvent::ReportSuspended(_)] => "suspended",
                        [SuspenseEvent::SuspenseMatchBegun(_)] => "begun",
                        [SuspenseEvent::SuspenseMatched(_)] => "matched",
                        [SuspenseEvent::SuspenseDismissed(_)] => "dismissed",
                        [SuspenseEvent::SuspenseContradicted(_)] => "contradicted",
                        more => panic!("{more:?}"),
                    }
                    .to_owned()
                }
            };
            assert_eq!(came, wanted, "{name}: {line}");
        }
    }
}

#[test]
fn a_match_says_who_and_why() {
    let held = record(&Suspense::default(), held("r1", Some(("E1", "INFY"))))
        .iter()
        .fold(Suspense::default(), evolve);
    let steps = [
        (
            ["7 asha match r1 NSE:INFY", "7 asha booked r1 NSE:INFY"],
            "asha",
            "looked into",
            Some(RequestId(Uuid::from_u128(7))),
        ),
        (
            ["row E1 NSE:INFY", "booked-row E1 NSE:INFY"],
            "trades.csv",
            "a row of the primary names the position",
            None,
        ),
    ];
    for ([before, after], by, reason, request_id) in steps {
        let begun = outcome(&held, before).unwrap();
        let (report_key, position) = ("r1".to_owned(), position("NSE:INFY"));
        let (by, reason) = (by.to_owned(), reason.to_owned());
        let matched = SuspenseMatched {
            report_key: report_key.clone(),
            position: position.clone(),
            by: by.clone(),
            reason: reason.clone(),
            request_id,
        };
        let wanted = SuspenseMatchBegun {
            report_key,
            position,
            by,
            reason,
            request_id,
        };
        assert_eq!(begun, [SuspenseEvent::SuspenseMatchBegun(wanted)]);
        let suspense = begun.iter().fold(held.clone(), evolve);
        let concluded = outcome(&suspense, after).unwrap();
        assert_eq!(concluded, [SuspenseEvent::SuspenseMatched(matched)]);
    }
}

fn step() -> impl Strategy<Value = String> {
    let symbols = || prop::sample::select(vec!["INFY", "TCS"]);
    let person = || prop::sample::select(vec!["asha", "ravi"]);
    prop_oneof![
        (0..4, 0..3, symbols()).prop_map(|(key, id, symbol)| format!("held r{key} E{id} {symbol}")),
        (0..4).prop_map(|key| format!("held r{key}")),
        (0..3, symbols()).prop_map(|(id, symbol)| format!("row E{id} NSE:{symbol}")),
        (0..3, symbols()).prop_map(|(id, symbol)| format!("booked-row E{id} NSE:{symbol}")),
        (0..20, person(), 0..4, symbols())
            .prop_map(|(id, by, key, symbol)| format!("{id} {by} match r{key} NSE:{symbol}")),
        (0..20, person(), 0..4, symbols())
            .prop_map(|(id, by, key, symbol)| format!("{id} {by} booked r{key} NSE:{symbol}")),
        (0..20, person(), 0..4).prop_map(|(id, by, key)| format!("{id} {by} dismiss r{key}")),
    ]
}

proptest! {
    /// What a person books is what a decision let through: whatever breaks off and comes again, no execution goes to two positions.
    #[test]
    fn people_book_an_execution_on_one_position(steps in prop::collection::vec(step(), 0..60)) {
        let mut suspense = Suspense::default();
        let mut booked: BTreeMap<ExecutionKey, PositionKey> = BTreeMap::new();
        for step in steps {
            let Ok(events) = outcome(&suspense, &step) else { continue };
            suspense = events.iter().fold(suspense, evolve);
            let words: Vec<_> = step.split_whitespace().collect();
            if let [_, _, "match", key, to] = words.as_slice() {
                let execution = suspense.held[*key].execution.clone().unwrap().execution;
                let to = position(to);
                let first = booked.entry(execution).or_insert_with(|| to.clone());
                prop_assert_eq!(&*first, &to);
            }
        }
    }

    #[test]
    fn a_report_is_matched_at_most_once_and_a_repetition_says_nothing_new(steps in prop::collection::vec(step(), 0..40)) {
        let mut suspense = Suspense::default();
        let mut matched = BTreeSet::new();
        for step in steps {
            let Ok(events) = outcome(&suspense, &step) else { continue };
            suspense = events.iter().fold(suspense, evolve);
            prop_assert_eq!(outcome(&suspense, &step), Ok(vec![]));
            for event in events {
                if let SuspenseEvent::SuspenseMatched(event) = event {
                    prop_assert!(matched.insert(event.report_key));
                }
            }
        }
    }

    #[test]
    fn a_history_no_one_thought_of_folds_without_panic(
        steps in prop::collection::vec(step(), 0..40),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let mut pool = Vec::new();
        let mut suspense = Suspense::default();
        for step in &steps {
            let events = outcome(&suspense, step).unwrap_or_default();
            suspense = events.iter().fold(suspense, evolve);
            pool.extend(events);
        }
        prop_assume!(!pool.is_empty());
        let mut suspense = Suspense::default();
        for pick in picks {
            suspense = evolve(suspense, pick.get(&pool));
            for step in &steps {
                drop(outcome(&suspense, step));
            }
        }
    }
}
