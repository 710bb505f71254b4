//! The platform's life as a table. A step is `<id> <person> <verb> [<scope> | #<kill id>] -> <outcome>`, or `market <segment> <day> <phase>`,
//! or `gate <segment> -> <outcome>`, or `book <day> <source>`; the book of the 20th is loaded unless a scenario speaks of books. An outcome is the phase the platform is in then, `=` for "nothing new", or `!` and a refusal's code.

use super::*;
use crate::id::{Segment, Venue};
use crate::time::{Timestamp, TradingDate};
use std::collections::BTreeSet;

const SCENARIOS: &[(&str, &str)] = &[
    (
        "no activation without the day's book, unless somebody says why",
        "book 19 first -> dormant
         1 asha request-activation -> requested
         2 ravi approve-activation -> approved
         3 ravi start-loading -> loading
         4 ravi activate -> !book-not-loaded
         book 20 first -> loading
         book 20 first -> =
         book 20 second -> loading
         4 ravi activate -> active
         book 21 first -> active
         5 asha stand-down -> dormant
         6 up activate-alone -> active",
    ),
    (
        "what was activated without a book is so for good",
        "1 up activate-alone -> !book-not-loaded
         2 up activate-alone-anyhow -> active
         2 up activate-alone-anyhow -> =
         2 up activate-alone -> !idempotency-key-reused
         3 asha stand-down -> dormant
         4 asha request-activation -> requested
         5 ravi activate-anyhow -> !activation-not-approved
         6 ravi approve-activation -> approved
         7 ravi activate -> !book-not-loaded
         8 ravi activate-anyhow -> active
         8 ravi activate-anyhow -> =
         book 20 late -> active",
    ),
    (
        "an activation is asked for by one, approved by another, loaded, and handed back",
        "1 asha request-activation -> requested
         2 ravi approve-activation -> approved
         3 ravi start-loading -> loading
         4 asha activate -> active
         5 asha request-handback -> handback-requested
         gate NSE/FO -> !platform-not-active
         6 ravi approve-handback -> draining
         7 asha complete-handback -> handed-back
         8 ravi request-activation -> requested",
    ),
    (
        "nobody approves their own",
        "1 asha request-activation -> requested
         2 asha approve-activation -> !own-request
         3 ravi approve-activation -> approved
         4 ravi activate -> active
         5 asha request-handback -> handback-requested
         6 asha approve-handback -> !own-request
         7 asha halt all -> handback-requested
         8 asha request-resume all -> handback-requested
         9 asha approve-resume all -> !own-request
         10 asha request-cancel-all all -> handback-requested
         11 asha approve-cancel-all #10 -> !own-request",
    ),
    (
        "an activation is rejected or withdrawn until it is active",
        "1 asha request-activation -> requested
         2 asha reject-activation -> dormant
         3 asha request-activation -> requested
         4 ravi approve-activation -> approved
         5 ravi reject-activation -> dormant
         6 asha request-activation -> requested
         7 ravi approve-activation -> approved
         8 ravi start-loading -> loading
         9 meera reject-activation -> dormant
         10 meera activate -> !activation-not-approved",
    ),
    (
        "each step has its place",
        "1 asha approve-activation -> !no-activation-pending
         2 asha reject-activation -> !no-activation-pending
         3 asha start-loading -> !activation-not-approved
         4 asha activate -> !activation-not-approved
         5 asha request-handback -> !platform-not-active
         6 asha approve-handback -> !no-handback-pending
         7 asha reject-handback -> !no-handback-pending
         8 asha complete-handback -> !platform-not-draining
         9 asha stand-down -> !platform-not-active
         10 asha request-activation -> requested
         11 ravi request-activation -> !activation-pending
         12 ravi activate-alone -> !activation-pending
         13 ravi activate -> !activation-not-approved
         14 ravi start-loading -> !activation-not-approved
         15 ravi approve-activation -> approved
         16 ravi approve-activation -> !no-activation-pending
         17 ravi start-loading -> loading
         18 ravi start-loading -> !activation-not-approved
         19 ravi activate -> active
         20 ravi request-activation -> !platform-already-active
         21 ravi reject-activation -> !no-activation-pending
         22 ravi approve-handback -> !no-handback-pending
         23 ravi request-handback -> handback-requested
         24 asha request-handback -> !platform-not-active
         25 asha complete-handback -> !platform-not-draining
         26 asha request-activation -> !platform-already-active
         27 asha reject-handback -> active
         28 asha reject-handback -> !no-handback-pending
         29 asha request-handback -> handback-requested
         30 ravi approve-handback -> draining
         31 ravi approve-handback -> !no-handback-pending
         32 ravi activate-alone -> !platform-already-active
         33 ravi complete-handback -> handed-back
         34 ravi complete-handback -> !platform-not-draining
         35 ravi stand-down -> !platform-not-active",
    ),
    (
        "one person alone activates from the machine, and stands down at once from wherever",
        "1 up activate-alone -> active
         2 up activate-alone -> !platform-already-active
         3 asha stand-down -> dormant
         4 up activate-alone -> active
         5 asha request-handback -> handback-requested
         6 asha stand-down -> dormant
         7 up activate-alone -> active
         8 asha request-handback -> handback-requested
         9 ravi approve-handback -> draining
         10 asha stand-down -> dormant",
    ),
    (
        "a request repeated gets its first answer, and its id serves nothing else",
        "1 asha request-activation -> requested
         1 asha request-activation -> =
         1 ravi request-activation -> !idempotency-key-reused
         1 asha activate-alone -> !idempotency-key-reused
         2 ravi approve-activation -> approved
         2 ravi approve-activation -> =
         3 ravi start-loading -> loading
         4 ravi activate -> active
         4 ravi activate -> =
         1 asha request-activation -> =
         5 asha halt NSE -> active
         5 asha halt NSE -> =
         5 asha halt BSE -> !idempotency-key-reused
         6 asha request-resume NSE -> active
         6 asha request-resume NSE -> =
         7 ravi reject-resume NSE -> active
         7 ravi reject-resume NSE -> =
         8 asha request-resume NSE -> active
         9 ravi approve-resume NSE -> active
         9 ravi approve-resume NSE -> =
         10 asha request-cancel-all all -> active
         10 asha request-cancel-all all -> =
         11 ravi approve-cancel-all #10 -> active
         11 ravi approve-cancel-all #10 -> =
         12 asha request-cancel-all all -> active
         13 ravi reject-cancel-all #12 -> active
         13 ravi reject-cancel-all #12 -> =
         14 asha request-handback -> handback-requested
         14 asha request-handback -> =
         15 asha reject-handback -> active
         15 asha reject-handback -> =
         16 asha request-handback -> handback-requested
         17 ravi approve-handback -> draining
         17 ravi approve-handback -> =
         18 ravi complete-handback -> handed-back
         18 ravi complete-handback -> =
         3 ravi start-loading -> =",
    ),
    (
        "alone too, and a withdrawn request",
        "1 up activate-alone -> active
         1 up activate-alone -> =
         2 up stand-down -> dormant
         2 up stand-down -> =
         1 up activate-alone -> =
         3 asha request-activation -> requested
         4 asha reject-activation -> dormant
         4 asha reject-activation -> =",
    ),
    (
        "the kill switch halts at once, in any phase, and needs two to be taken back",
        "1 asha halt all -> dormant
         2 ravi halt all -> !already-halted
         3 up activate-alone -> active
         market NSE/FO 20 open
         market BSE/CM 20 open
         gate NSE/FO -> !new-orders-halted
         4 ravi request-resume NSE -> !not-halted
         5 ravi request-resume all -> active
         6 asha request-resume all -> !resume-pending
         7 asha approve-resume NSE -> !no-resume-pending
         8 asha approve-resume all -> active
         gate NSE/FO -> ok
         9 asha approve-resume all -> !no-resume-pending
         10 asha halt NSE/FO -> active
         gate NSE/FO -> !new-orders-halted
         gate BSE/CM -> ok
         11 asha halt NSE -> active
         12 asha request-resume NSE -> active
         13 ravi approve-resume NSE -> active
         gate NSE/FO -> !new-orders-halted
         14 asha request-resume NSE/FO -> active
         15 asha reject-resume NSE/FO -> active
         16 asha reject-resume NSE/FO -> !no-resume-pending
         gate NSE/FO -> !new-orders-halted",
    ),
    (
        "a cancel-all is asked for, approved or rejected, each once",
        "1 asha request-cancel-all NSE -> dormant
         2 ravi request-cancel-all NSE -> dormant
         3 ravi approve-cancel-all #1 -> dormant
         4 ravi approve-cancel-all #1 -> !unknown-cancel-all
         5 ravi reject-cancel-all #2 -> dormant
         6 asha approve-cancel-all #2 -> !unknown-cancel-all
         7 asha reject-cancel-all #9 -> !unknown-cancel-all",
    ),
    (
        "a venue that is halted is disconnected by two, and reconnected by one",
        "1 asha request-disconnect NSE -> !halt-first
         2 asha halt NSE/FO -> dormant
         3 asha request-disconnect NSE -> !halt-first
         4 asha halt NSE -> dormant
         5 asha request-disconnect BSE -> !halt-first
         6 asha request-disconnect NSE -> dormant
         6 asha request-disconnect NSE -> =
         7 ravi request-disconnect NSE -> !disconnect-pending
         8 asha approve-disconnect NSE -> !own-request
         9 ravi approve-disconnect BSE -> !no-disconnect-pending
         10 meera reject-disconnect NSE -> dormant
         11 ravi approve-disconnect NSE -> !no-disconnect-pending
         12 asha reconnect NSE -> !not-disconnected
         13 asha request-disconnect NSE -> dormant
         14 ravi approve-disconnect NSE -> dormant
         14 ravi approve-disconnect NSE -> =
         15 ravi request-disconnect NSE -> !already-disconnected
         16 up activate-alone -> active
         17 asha request-resume NSE -> active
         18 asha reconnect NSE -> active
         18 asha reconnect NSE -> =
         19 asha reconnect NSE -> !not-disconnected
         market NSE/CM 20 open
         gate NSE/CM -> !new-orders-halted",
    ),
    (
        "a halt that was taken back meanwhile lets nobody disconnect",
        "1 asha halt all -> dormant
         2 asha request-disconnect NSE -> dormant
         3 asha request-resume all -> dormant
         4 ravi approve-resume all -> dormant
         5 ravi approve-disconnect NSE -> !halt-first",
    ),
    (
        "what waited for a second person is not approved in the next life",
        "1 up activate-alone -> active
         2 asha request-cancel-all all -> active
         3 asha halt all -> active
         4 asha request-resume all -> active
         5 up stand-down -> dormant
         6 ravi approve-cancel-all #2 -> !unknown-cancel-all
         7 ravi approve-resume all -> !no-resume-pending
         8 asha request-cancel-all all -> dormant
         20 asha request-disconnect NSE -> dormant
         9 up activate-alone -> active
         21 ravi approve-disconnect NSE -> !no-disconnect-pending
         10 ravi approve-cancel-all #8 -> !unknown-cancel-all
         11 asha request-cancel-all all -> active
         12 asha request-handback -> handback-requested
         13 ravi approve-handback -> draining
         14 ravi complete-handback -> handed-back
         15 ravi approve-cancel-all #11 -> !unknown-cancel-all
         gate NSE/FO -> !platform-not-active",
    ),
    (
        "a segment counts as open only when somebody said so of the day",
        "1 up activate-alone -> active
         gate NSE/FO -> !market-not-open
         market NSE/FO 19 open
         gate NSE/FO -> !market-not-open
         market NSE/FO 20 pre-open
         gate NSE/FO -> !market-not-open
         market NSE/FO 20 open
         market NSE/FO 20 open -> =
         market NSE/FO 19 closed -> =
         gate NSE/FO -> ok
         gate NSE/CM -> !market-not-open
         gate BSE/FO -> !market-not-open
         market NSE/FO 20 halted
         gate NSE/FO -> !market-not-open
         market NSE/FO 20 pre-close
         gate NSE/FO -> !market-not-open
         market NSE/FO 21 open
         gate NSE/FO -> !market-not-open",
    ),
];

/// Every refusal there is: each has its line above.
const CODES: &[&str] = &[
    "activation-not-approved",
    "activation-pending",
    "already-disconnected",
    "already-halted",
    "book-not-loaded",
    "disconnect-pending",
    "halt-first",
    "idempotency-key-reused",
    "no-activation-pending",
    "no-disconnect-pending",
    "no-handback-pending",
    "no-resume-pending",
    "not-disconnected",
    "not-halted",
    "own-request",
    "platform-already-active",
    "platform-not-active",
    "platform-not-draining",
    "resume-pending",
    "unknown-cancel-all",
];

fn day(day: &str) -> TradingDate {
    format!("2026-11-{day}").parse().unwrap()
}

fn book(of: &str, source: &str) -> PlatformReport {
    PlatformReport::Book(BookLoaded {
        trading_date: day(of),
        contracts: 60,
        clients: 2_000,
        positions: 8_000,
        source: source.to_owned(),
    })
}

/// Dormant, with the book of the 20th.
fn loaded() -> Platform {
    let events = record(&Platform::default(), book("20", "first"));
    events.iter().fold(Platform::default(), evolve)
}

fn segment(text: &str) -> (Venue, Segment) {
    let (venue, segment) = text.split_once('/').unwrap();
    (venue.parse().unwrap(), segment.parse().unwrap())
}

fn scope(text: &str) -> HaltScope {
    if text == "all" {
        return HaltScope::All;
    }
    match text.split_once('/') {
        None => HaltScope::Venue(text.parse().unwrap()),
        Some(_) => {
            let (venue, segment) = segment(text);
            HaltScope::Segment { venue, segment }
        }
    }
}

fn market_phase(text: &str) -> MarketPhase {
    [
        MarketPhase::PreOpen,
        MarketPhase::Open,
        MarketPhase::PreClose,
        MarketPhase::Closed,
        MarketPhase::Halted,
    ]
    .into_iter()
    .find(|phase| phase.as_str() == text)
    .unwrap()
}

fn ask(verb: &str, about: &str) -> PlatformAsk {
    let reason = || verb.to_owned();
    let kill_id = || request_id(about.strip_prefix('#').unwrap().parse().unwrap());
    match verb {
        "request-activation" => PlatformAsk::RequestActivation {
            trading_date: day("20"),
            reason: reason(),
            outage_began_at: Timestamp(1),
        },
        "approve-activation" => PlatformAsk::ApproveActivation,
        "reject-activation" => PlatformAsk::RejectActivation { reason: reason() },
        "start-loading" => PlatformAsk::StartLoading,
        "activate" => PlatformAsk::Activate { without_book: None },
        "activate-alone" => PlatformAsk::ActivateAlone {
            trading_date: day("20"),
            reason: reason(),
            without_book: None,
        },
        "activate-anyhow" => PlatformAsk::Activate {
            without_book: Some(reason()),
        },
        "activate-alone-anyhow" => PlatformAsk::ActivateAlone {
            trading_date: day("20"),
            reason: reason(),
            without_book: Some(reason()),
        },
        "request-handback" => PlatformAsk::RequestHandback { reason: reason() },
        "reject-handback" => PlatformAsk::RejectHandback { reason: reason() },
        "approve-handback" => PlatformAsk::ApproveHandback,
        "complete-handback" => PlatformAsk::CompleteHandback { package: package() },
        "stand-down" => PlatformAsk::StandDown { reason: reason() },
        "halt" => PlatformAsk::Halt {
            scope: scope(about),
            reason: reason(),
        },
        "request-resume" => PlatformAsk::RequestResume {
            scope: scope(about),
            reason: reason(),
        },
        "approve-resume" => PlatformAsk::ApproveResume {
            scope: scope(about),
        },
        "reject-resume" => PlatformAsk::RejectResume {
            scope: scope(about),
            reason: reason(),
        },
        "request-cancel-all" => PlatformAsk::RequestCancelAll {
            scope: scope(about),
            reason: reason(),
        },
        "approve-cancel-all" => PlatformAsk::ApproveCancelAll { kill_id: kill_id() },
        "reject-cancel-all" => PlatformAsk::RejectCancelAll {
            kill_id: kill_id(),
            reason: reason(),
        },
        "request-disconnect" => PlatformAsk::RequestDisconnect {
            venue: about.parse().unwrap(),
            reason: reason(),
        },
        "approve-disconnect" => PlatformAsk::ApproveDisconnect {
            venue: about.parse().unwrap(),
        },
        "reject-disconnect" => PlatformAsk::RejectDisconnect {
            venue: about.parse().unwrap(),
            reason: reason(),
        },
        "reconnect" => PlatformAsk::Reconnect {
            venue: about.parse().unwrap(),
            reason: reason(),
        },
        other => panic!("`{other}` is no verb"),
    }
}

/// Does what a line says; gives the platform then and what came of it.
fn check(platform: Platform, line: &str) -> (Platform, String) {
    let words: Vec<_> = line.split_whitespace().collect();
    let events = match words.as_slice() {
        ["gate", about] => {
            let (venue, segment) = segment(about);
            let said = match platform.gate(day("20"), venue, segment) {
                Ok(()) => "ok".to_owned(),
                Err(gate) => format!("!{}", gate.code()),
            };
            return (platform, said);
        }
        ["market", about, of, phase] => {
            let (venue, segment) = segment(about);
            let report = PlatformReport::MarketPhase {
                venue,
                segment,
                trading_date: day(of),
                phase: market_phase(phase),
                source: "test".into(),
            };
            record(&platform, report)
        }
        ["book", of, source] => record(&platform, book(of, source)),
        [id, by, verb, about @ ..] => {
            let request = PlatformRequest {
                request_id: request_id(id.parse().unwrap()),
                by: (*by).to_owned(),
                ask: ask(verb, about.first().copied().unwrap_or_default()),
            };
            match decide(&platform, request) {
                Ok(events) => events,
                Err(refusal) => return (platform, format!("!{}", refusal.code())),
            }
        }
        other => panic!("{other:?} is no step"),
    };
    if events.is_empty() {
        return (platform, "=".into());
    }
    let platform = events.iter().fold(platform, evolve);
    let phase = platform.phase.as_str().to_owned();
    (platform, phase)
}

#[test]
fn every_scenario_goes_as_its_table_says() {
    let mut refused = BTreeSet::new();
    for (name, steps) in SCENARIOS {
        let mut platform = if steps.contains("book ") {
            Platform::default()
        } else {
            loaded()
        };
        for line in steps.lines().map(str::trim) {
            let (step, wanted) = line.split_once(" -> ").unwrap_or((line, ""));
            let came;
            (platform, came) = check(platform, step);
            if wanted.is_empty() {
                assert_ne!(came, "=", "{name}: {line}");
            } else {
                assert_eq!(came, wanted, "{name}: {line}");
            }
            let gated = step.starts_with("gate");
            refused.extend(came.strip_prefix('!').filter(|_| !gated).map(str::to_owned));
        }
    }
    let refused: Vec<_> = refused.iter().map(String::as_str).collect();
    assert_eq!(refused, CODES);
}

#[test]
fn no_more_cancel_alls_wait_than_the_limit() {
    let mut platform = Platform::default();
    for id in 0..=CANCEL_ALLS_PENDING_MAX {
        let line = format!("{id} asha request-cancel-all all");
        let came;
        (platform, came) = check(platform, &line);
        let refused = came == "!too-many-cancel-alls";
        assert_eq!(refused, id == CANCEL_ALLS_PENDING_MAX, "{id}: {came}");
    }
}

#[test]
fn the_gate_says_the_first_that_applies() {
    let (venue, segment) = (Venue::Nse, Segment::Derivatives);
    let gate = |platform: &Platform, date| platform.gate(day(date), venue, segment);
    let does = |platform, line| check(platform, line).0;
    // Everything is wrong at once, and one after the other is put right.
    let platform = does(loaded(), "1 asha halt NSE");
    let platform = does(platform, "2 asha halt all");
    let state = Phase::Dormant;
    assert_eq!(gate(&platform, "19"), Err(Gate::NotActive { state }));
    let platform = does(platform, "3 up activate-alone");
    let date = day("19");
    assert_eq!(gate(&platform, "19"), Err(Gate::OtherDate { date }));
    let halted = |scope| {
        Err(Gate::Halted {
            scope,
            reason: "halt".into(),
        })
    };
    assert_eq!(gate(&platform, "20"), halted(HaltScope::All));
    let platform = does(platform, "4 asha request-resume all");
    let platform = does(platform, "5 ravi approve-resume all");
    assert_eq!(gate(&platform, "20"), halted(HaltScope::Venue(venue)));
    let platform = does(platform, "6 asha request-resume NSE");
    let platform = does(platform, "7 ravi approve-resume NSE");
    let closed = |phase| Err(Gate::MarketNotOpen { phase });
    assert_eq!(gate(&platform, "20"), closed(None));
    let platform = does(platform, "market NSE/FO 20 halted");
    assert_eq!(gate(&platform, "20"), closed(Some(MarketPhase::Halted)));
    let platform = does(platform, "market NSE/FO 20 open");
    assert_eq!(gate(&platform, "20"), Ok(()));
}

#[test]
fn an_activation_says_who_asked_approved_and_did_it_and_is_a_new_epoch() {
    let mut platform = loaded();
    for epoch in 1..=3 {
        let id = |step: u32| 10 * epoch + step;
        (platform, _) = check(platform, &format!("{} asha request-activation", id(1)));
        (platform, _) = check(platform, &format!("{} ravi approve-activation", id(2)));
        let request = PlatformRequest {
            request_id: request_id(id(3).into()),
            by: "meera".into(),
            ask: PlatformAsk::Activate { without_book: None },
        };
        let events = decide(&platform, request).unwrap();
        let said = PlatformActivated {
            epoch,
            trading_date: day("20"),
            reason: "request-activation".into(),
            requested_by: Some("asha".into()),
            approved_by: Some("ravi".into()),
            activated_by: Some("meera".into()),
            request_id: Some(request_id(id(3).into())),
            without_book: None,
        };
        assert_eq!(events, [PlatformEvent::PlatformActivated(said)]);
        platform = events.iter().fold(platform, evolve);
        assert_eq!(platform.epoch_in_force(), Some(epoch));
        (platform, _) = check(platform, &format!("{} asha stand-down", id(4)));
        assert_eq!(platform.epoch_in_force(), None);
    }
}
