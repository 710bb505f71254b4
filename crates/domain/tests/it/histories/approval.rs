//! An approval: people, the platform's epochs, what the position said, and events that nobody decided.

use super::event::{self, any_event};
use super::script::Script;
use super::universe::{self, EPOCH, PEOPLE, REASONS};
use squareoff_domain::approval::*;

any_event! {
    ApprovalEvent: ApprovalAsked ApprovalGiven ApprovalRefused ApprovalWithdrawn ApprovalLapsed ApprovalConcluded
}

pub fn run(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let (mut approval, mut wild) = (Approval::default(), false);
    while let Some(kind) = script.step(14) {
        match kind {
            0..=2 => {
                let Some(mut asked) = event::any::<ApprovalAsked>(&mut script) else {
                    continue;
                };
                asked.epoch = EPOCH;
                if let Ok(events) = ask(&approval, asked.clone()) {
                    approval = events.iter().fold(approval, evolve);
                    assert_eq!(ask(&approval, asked), Ok(vec![]), "asked twice");
                }
            }
            3..=8 => {
                let request = ApprovalRequest {
                    request_id: universe::request_id(&mut script),
                    by: script.pick(PEOPLE).into(),
                    ask: match kind {
                        3..=5 => ApprovalAsk::Approve,
                        6 => ApprovalAsk::Refuse {
                            reason: script.pick(REASONS).into(),
                        },
                        _ => ApprovalAsk::Withdraw,
                    },
                };
                let epoch = epoch(&mut script);
                approval = answered(approval, request, epoch, wild);
            }
            9..=12 => {
                let report = report(kind, &mut script);
                let events = record(&approval, report.clone());
                approval = events.iter().fold(approval, evolve);
                assert_eq!(record(&approval, report), [], "told twice");
            }
            _ => {
                if let Some(event) = any_event(&mut script) {
                    (approval, wild) = (evolve(approval, &event), true);
                }
            }
        }
        if !wild && let Some(asked) = &approval.asked {
            assert_ne!(approval.approved_by.as_ref(), Some(&asked.asked_by));
        }
    }
}

fn answered(
    before: Approval,
    request: ApprovalRequest,
    epoch: Option<u32>,
    wild: bool,
) -> Approval {
    match decide(&before, request.clone(), epoch) {
        Ok(events) => {
            // What was not repeated was answered for the first time: it waited.
            assert!(events.is_empty() || before.status == ApprovalStatus::Waiting);
            let approval = events.iter().fold(before, evolve);
            if !wild {
                let again = decide(&approval, request.clone(), None);
                assert_eq!(again, Ok(vec![]), "asked twice: {request:?}");
            }
            approval
        }
        Err(refusal) => {
            assert!(!refusal.code().is_empty() && !refusal.to_string().is_empty());
            before
        }
    }
}

fn epoch(script: &mut Script) -> Option<u32> {
    match script.below(4) {
        0 => None,
        1 => Some(EPOCH + 1),
        _ => Some(EPOCH),
    }
}

fn report(kind: usize, script: &mut Script) -> ApprovalReport {
    match kind {
        9 => ApprovalReport::EpochInForce {
            epoch: epoch(script),
        },
        10 => ApprovalReport::Concluded {
            outcome: ApprovalOutcome::Refused {
                code: "nothing-to-close".into(),
                detail: "nothing is left to close".into(),
            },
        },
        _ => ApprovalReport::Concluded {
            outcome: ApprovalOutcome::Ordered {
                request_id: universe::request_id(script),
            },
        },
    }
}
