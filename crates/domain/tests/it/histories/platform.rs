//! The platform: people of whom each may approve another's request, phases of the market, and events that nobody decided.

use super::event::any_event;
use super::script::Script;
use super::universe::{self, PEOPLE, REASONS};
use squareoff_domain::platform::*;
use squareoff_domain::{Segment, Venue};

any_event! {
    PlatformEvent:
    ActivationRequested ActivationApproved ActivationRejected LoadingStarted BookLoaded PlatformActivated PlatformStoodDown HandbackRequested
    HandbackRejected HandbackApproved HandbackCompleted NewOrdersHalted ResumeRequested ResumeRejected NewOrdersResumed
    CancelAllRequested CancelAllOrdered CancelAllRejected DisconnectRequested DisconnectRejected VenueDisconnected
    VenueReconnected MarketPhaseChanged
}

pub fn run(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let (mut platform, mut wild) = (Platform::default(), false);
    while let Some(kind) = script.step(28) {
        match kind {
            0..=2 => {
                let report = report(&mut script);
                let events = record(&platform, report.clone());
                platform = events.iter().fold(platform, evolve);
                if !wild {
                    assert_eq!(
                        record(&platform, report.clone()),
                        [],
                        "told twice: {report:?}"
                    );
                }
            }
            3..=26 => {
                let request = PlatformRequest {
                    request_id: universe::request_id(&mut script),
                    by: script.pick(PEOPLE).into(),
                    ask: ask(kind, &mut script),
                };
                platform = asked(platform, request, wild);
            }
            _ => {
                if let Some(event) = any_event(&mut script) {
                    (platform, wild) = (evolve(platform, &event), true);
                }
            }
        }
        look(&platform, &mut script);
    }
}

fn asked(before: Platform, request: PlatformRequest, wild: bool) -> Platform {
    match decide(&before, request.clone()) {
        Ok(events) => {
            let epoch = before.epoch;
            let platform = events.iter().fold(before, evolve);
            if !wild {
                assert!(platform.epoch >= epoch, "{request:?}");
                assert_eq!(
                    decide(&platform, request.clone()),
                    Ok(vec![]),
                    "asked twice: {request:?}"
                );
            }
            platform
        }
        Err(refusal) => {
            assert!(!refusal.code().is_empty() && !refusal.to_string().is_empty());
            before
        }
    }
}

fn look(platform: &Platform, script: &mut Script) {
    let (venue, segment) = (script.pick(Venue::ALL), script.pick(Segment::ALL));
    match platform.gate(universe::date(), venue, segment) {
        Ok(()) => {
            assert!(platform.phase == Phase::Active && platform.is_market_open(venue, segment))
        }
        Err(gate) => assert!(!gate.code().is_empty() && !gate.to_string().is_empty()),
    }
    let _ = (platform.epoch_in_force(), platform.phase.as_str());
}

fn report(script: &mut Script) -> PlatformReport {
    if script.below(4) == 0 {
        return PlatformReport::Book(BookLoaded {
            trading_date: universe::any_date(script),
            contracts: script.number(),
            clients: script.number(),
            positions: script.number(),
            source: script.pick(REASONS).into(),
        });
    }
    PlatformReport::MarketPhase {
        venue: script.pick(Venue::ALL),
        segment: script.pick(Segment::ALL),
        trading_date: universe::any_date(script),
        phase: script.pick(&[
            MarketPhase::Open,
            MarketPhase::PreOpen,
            MarketPhase::PreClose,
            MarketPhase::Closed,
            MarketPhase::Halted,
        ]),
        source: "NSE-SQUAREOFF".into(),
    }
}

fn scope(script: &mut Script) -> HaltScope {
    let (venue, segment) = (Venue::Nse, Segment::Derivatives);
    script.pick(&[
        HaltScope::All,
        HaltScope::Venue(venue),
        HaltScope::Segment { venue, segment },
    ])
}

fn ask(kind: usize, script: &mut Script) -> PlatformAsk {
    let reason = script.pick(REASONS).to_owned();
    match kind {
        3 => PlatformAsk::RequestActivation {
            trading_date: universe::any_date(script),
            reason,
            outage_began_at: universe::timestamp(script),
        },
        4 | 5 => PlatformAsk::ApproveActivation,
        6 => PlatformAsk::RejectActivation { reason },
        7 => PlatformAsk::StartLoading,
        8 | 9 => PlatformAsk::Activate {
            without_book: (kind == 9).then_some(reason),
        },
        10 => PlatformAsk::ActivateAlone {
            trading_date: universe::any_date(script),
            without_book: Some(reason.clone()),
            reason,
        },
        11 => PlatformAsk::RequestHandback { reason },
        12 => PlatformAsk::RejectHandback { reason },
        13 => PlatformAsk::ApproveHandback,
        14 => PlatformAsk::CompleteHandback {
            package: HandbackPackage {
                positions: script.number(),
                orders: script.number(),
                executions: script.number(),
                net_digest: "ab12".into(),
                last_position: script.number(),
            },
        },
        15 => PlatformAsk::StandDown { reason },
        16 => PlatformAsk::Halt {
            scope: scope(script),
            reason,
        },
        17 => PlatformAsk::RequestResume {
            scope: scope(script),
            reason,
        },
        18 => PlatformAsk::ApproveResume {
            scope: scope(script),
        },
        19 => PlatformAsk::RejectResume {
            scope: scope(script),
            reason,
        },
        20 => PlatformAsk::RequestCancelAll {
            scope: scope(script),
            reason,
        },
        21 => PlatformAsk::ApproveCancelAll {
            kill_id: universe::request_id(script),
        },
        22 => PlatformAsk::RejectCancelAll {
            kill_id: universe::request_id(script),
            reason,
        },
        23 => PlatformAsk::RequestDisconnect {
            venue: script.pick(Venue::ALL),
            reason,
        },
        24 => PlatformAsk::ApproveDisconnect {
            venue: script.pick(Venue::ALL),
        },
        25 => PlatformAsk::RejectDisconnect {
            venue: script.pick(Venue::ALL),
            reason,
        },
        _ => PlatformAsk::Reconnect {
            venue: script.pick(Venue::ALL),
            reason,
        },
    }
}
