//! A suspense stream: reports that fit nothing, people and rows of the primary that settle them, and events that nobody decided.

use super::event::{self, any_event};
use super::script::Script;
use super::universe::{self, PEOPLE, REASONS};
use squareoff_domain::suspense::*;

any_event! {
    SuspenseEvent: ReportSuspended SuspenseMatchBegun SuspenseMatched SuspenseDismissed SuspenseContradicted
}

pub fn run(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let (mut suspense, mut wild) = (Suspense::default(), false);
    while let Some(kind) = script.step(12) {
        match kind {
            0..=4 => {
                let Some(report) = report(kind, &mut script) else {
                    continue;
                };
                let events = record(&suspense, report.clone());
                suspense = events.iter().fold(suspense, evolve);
                if !wild {
                    assert_eq!(
                        record(&suspense, report.clone()),
                        [],
                        "told twice: {report:?}"
                    );
                }
            }
            5..=10 => {
                let request = request(kind, &mut script);
                // A person's next word may be that the execution is booked, or come before it is.
                if kind == 8 {
                    let concluded = conclude(&suspense, request.clone());
                    suspense = concluded.iter().fold(suspense, evolve);
                    assert_eq!(
                        conclude(&suspense, request.clone()),
                        [],
                        "concluded twice: {request:?}"
                    );
                }
                match decide(&suspense, request.clone()) {
                    Ok(events) => {
                        suspense = events.iter().fold(suspense, evolve);
                        if !wild {
                            let again = decide(&suspense, request.clone());
                            assert_eq!(again, Ok(vec![]), "asked twice: {request:?}");
                        }
                    }
                    Err(refusal) => {
                        assert!(!refusal.code().is_empty() && !refusal.to_string().is_empty());
                    }
                }
            }
            _ => {
                if let Some(event) = any_event(&mut script) {
                    (suspense, wild) = (evolve(suspense, &event), true);
                }
            }
        }
        // Every report that is held can be found again by its execution.
        assert!(
            suspense
                .executions
                .values()
                .all(|key| suspense.held.contains_key(key))
        );
    }
}

fn report(kind: usize, script: &mut Script) -> Option<SuspenseReport> {
    Some(match kind {
        0..=2 => SuspenseReport::Suspended(event::any(script)?),
        3 => SuspenseReport::Syncing {
            execution: universe::execution(script),
            position: universe::any_key(script),
            source: "source".into(),
        },
        _ => SuspenseReport::Synced {
            execution: universe::execution(script),
            position: universe::any_key(script),
            source: "source".into(),
        },
    })
}

fn request(kind: usize, script: &mut Script) -> SuspenseRequest {
    SuspenseRequest {
        request_id: universe::request_id(script),
        by: script.pick(PEOPLE).into(),
        // As `event` spells the keys of reports.
        report_key: format!("TEXT{}", script.below(4)),
        reason: script.pick(REASONS).into(),
        ask: match kind {
            5..=8 => SuspenseAsk::Match {
                position: universe::any_key(script),
            },
            _ => SuspenseAsk::Dismiss,
        },
    }
}
