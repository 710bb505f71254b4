//! The rules of the module's doc over generated histories: three people, few ids and scopes, so that they meet.

use super::*;
use crate::id::{Segment, Venue};
use crate::time::{Timestamp, TradingDate};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
enum Step {
    Ask(PlatformRequest),
    Tell(PlatformReport),
}

fn scope() -> impl Strategy<Value = HaltScope> {
    prop::sample::select(vec![
        HaltScope::All,
        HaltScope::Venue(Venue::Nse),
        HaltScope::Venue(Venue::Bse),
        HaltScope::Segment {
            venue: Venue::Nse,
            segment: Segment::Derivatives,
        },
    ])
}

fn venue() -> impl Strategy<Value = Venue> {
    prop::sample::select(vec![Venue::Nse, Venue::Bse])
}

fn date() -> impl Strategy<Value = TradingDate> {
    (19_u8..22).prop_map(|day| TradingDate::new(2026, 11, day).unwrap())
}

fn without_book() -> impl Strategy<Value = Option<String>> {
    prop::option::weighted(0.3, Just(String::from("reason")))
}

fn ask() -> impl Strategy<Value = PlatformAsk> {
    let reason = || String::from("reason");
    let id = || (0_u128..40).prop_map(request_id);
    prop_oneof![
        2 => date().prop_map(move |trading_date| PlatformAsk::RequestActivation {
            trading_date,
            reason: reason(),
            outage_began_at: Timestamp(1),
        }),
        3 => Just(PlatformAsk::ApproveActivation),
        1 => Just(PlatformAsk::RejectActivation { reason: reason() }),
        1 => Just(PlatformAsk::StartLoading),
        3 => without_book().prop_map(|without_book| PlatformAsk::Activate { without_book }),
        1 => (date(), without_book()).prop_map(move |(trading_date, without_book)| PlatformAsk::ActivateAlone {
            trading_date,
            reason: reason(),
            without_book,
        }),
        1 => Just(PlatformAsk::RequestHandback { reason: reason() }),
        1 => Just(PlatformAsk::RejectHandback { reason: reason() }),
        2 => Just(PlatformAsk::ApproveHandback),
        2 => Just(PlatformAsk::CompleteHandback { package: package() }),
        1 => Just(PlatformAsk::StandDown { reason: reason() }),
        1 => scope().prop_map(move |scope| PlatformAsk::Halt { scope, reason: reason() }),
        2 => scope().prop_map(move |scope| PlatformAsk::RequestResume { scope, reason: reason() }),
        3 => scope().prop_map(|scope| PlatformAsk::ApproveResume { scope }),
        1 => scope().prop_map(move |scope| PlatformAsk::RejectResume { scope, reason: reason() }),
        1 => scope().prop_map(move |scope| PlatformAsk::RequestCancelAll { scope, reason: reason() }),
        2 => id().prop_map(|kill_id| PlatformAsk::ApproveCancelAll { kill_id }),
        1 => id().prop_map(move |kill_id| PlatformAsk::RejectCancelAll { kill_id, reason: reason() }),
        3 => venue().prop_map(move |venue| PlatformAsk::RequestDisconnect { venue, reason: reason() }),
        3 => venue().prop_map(|venue| PlatformAsk::ApproveDisconnect { venue }),
        1 => venue().prop_map(move |venue| PlatformAsk::RejectDisconnect { venue, reason: reason() }),
        1 => venue().prop_map(move |venue| PlatformAsk::Reconnect { venue, reason: reason() }),
    ]
}

fn report() -> impl Strategy<Value = PlatformReport> {
    let venue = prop::sample::select(vec![Venue::Nse, Venue::Bse]);
    let segment = prop::sample::select(vec![Segment::Cash, Segment::Derivatives]);
    let phase = prop::sample::select(vec![MarketPhase::Open, MarketPhase::Closed]);
    let market =
        (venue, segment, date(), phase).prop_map(|(venue, segment, trading_date, phase)| {
            PlatformReport::MarketPhase {
                venue,
                segment,
                trading_date,
                phase,
                source: "test".into(),
            }
        });
    let book = (date(), 0..3_u8).prop_map(|(trading_date, file)| {
        PlatformReport::Book(BookLoaded {
            trading_date,
            contracts: 1,
            clients: 1,
            positions: 1,
            source: file.to_string(),
        })
    });
    prop_oneof![2 => market, 1 => book]
}

fn step() -> impl Strategy<Value = Step> {
    let person = prop::sample::select(vec!["asha", "ravi", "meera"]);
    let request = (0_u128..40, person, ask()).prop_map(|(id, by, ask)| {
        Step::Ask(PlatformRequest {
            request_id: request_id(id),
            by: by.to_owned(),
            ask,
        })
    });
    prop_oneof![5 => request, 1 => report().prop_map(Step::Tell)]
}

/// What the steps lead to, each event with the phase before and after it.
fn history(steps: &[Step]) -> Vec<(Phase, PlatformEvent, Phase)> {
    let mut platform = Platform::default();
    let mut history = Vec::new();
    for step in steps {
        let events = match step {
            Step::Ask(request) => decide(&platform, request.clone()).unwrap_or_default(),
            Step::Tell(report) => record(&platform, report.clone()),
        };
        for event in events {
            let before = platform.phase;
            platform = evolve(platform, &event);
            history.push((before, event, platform.phase));
        }
    }
    history
}

/// The transition table: from, and where to. Every other event leaves the phase as it is.
fn transition(event: &PlatformEvent) -> Option<(&'static [Phase], Phase)> {
    const IN_FORCE: &[Phase] = &[Phase::Active, Phase::HandbackRequested, Phase::Draining];
    const AT_REST: &[Phase] = &[Phase::Dormant, Phase::HandedBack];
    const PENDING: &[Phase] = &[Phase::Requested, Phase::Approved, Phase::Loading];
    match event {
        PlatformEvent::ActivationRequested(_) => Some((AT_REST, Phase::Requested)),
        PlatformEvent::ActivationApproved(_) => Some((&[Phase::Requested], Phase::Approved)),
        PlatformEvent::ActivationRejected(_) => Some((PENDING, Phase::Dormant)),
        PlatformEvent::LoadingStarted(_) => Some((&[Phase::Approved], Phase::Loading)),
        PlatformEvent::PlatformActivated(event) if event.approved_by.is_some() => {
            Some((&[Phase::Approved, Phase::Loading], Phase::Active))
        }
        PlatformEvent::PlatformActivated(_) => Some((AT_REST, Phase::Active)),
        PlatformEvent::PlatformStoodDown(_) => Some((IN_FORCE, Phase::Dormant)),
        PlatformEvent::HandbackRequested(_) => Some((&[Phase::Active], Phase::HandbackRequested)),
        PlatformEvent::HandbackRejected(_) => Some((&[Phase::HandbackRequested], Phase::Active)),
        PlatformEvent::HandbackApproved(_) => Some((&[Phase::HandbackRequested], Phase::Draining)),
        PlatformEvent::HandbackCompleted(_) => Some((&[Phase::Draining], Phase::HandedBack)),
        PlatformEvent::NewOrdersHalted(_)
        | PlatformEvent::ResumeRequested(_)
        | PlatformEvent::ResumeRejected(_)
        | PlatformEvent::NewOrdersResumed(_)
        | PlatformEvent::CancelAllRequested(_)
        | PlatformEvent::CancelAllOrdered(_)
        | PlatformEvent::CancelAllRejected(_)
        | PlatformEvent::DisconnectRequested(_)
        | PlatformEvent::DisconnectRejected(_)
        | PlatformEvent::VenueDisconnected(_)
        | PlatformEvent::VenueReconnected(_)
        | PlatformEvent::BookLoaded(_)
        | PlatformEvent::MarketPhaseChanged(_) => None,
    }
}

/// Who asked for what an event grants, and who granted it: read from the history alone.
#[derive(Default)]
struct Asked {
    activation: Option<String>,
    handback: Option<String>,
    resumes: BTreeMap<HaltScope, String>,
    kills: BTreeMap<RequestId, String>,
    disconnects: BTreeMap<Venue, String>,
}

impl Asked {
    /// The two people of an event that needs two.
    fn pair(&mut self, event: &PlatformEvent) -> Option<(String, String)> {
        match event {
            PlatformEvent::ActivationRequested(event) => self.activation = Some(event.by.clone()),
            PlatformEvent::HandbackRequested(event) => self.handback = Some(event.by.clone()),
            PlatformEvent::ResumeRequested(event) => {
                self.resumes.insert(event.scope, event.by.clone());
            }
            PlatformEvent::CancelAllRequested(event) => {
                self.kills.insert(event.kill_id, event.by.clone());
            }
            PlatformEvent::ActivationApproved(event) => {
                return Some((self.activation.clone()?, event.by.clone()));
            }
            PlatformEvent::HandbackApproved(event) => {
                return Some((self.handback.clone()?, event.by.clone()));
            }
            PlatformEvent::NewOrdersResumed(event) => {
                assert_eq!(self.resumes[&event.scope], event.requested_by);
                return Some((event.requested_by.clone(), event.approved_by.clone()));
            }
            PlatformEvent::CancelAllOrdered(event) => {
                assert_eq!(self.kills[&event.kill_id], event.requested_by);
                return Some((event.requested_by.clone(), event.approved_by.clone()));
            }
            PlatformEvent::DisconnectRequested(event) => {
                self.disconnects.insert(event.venue, event.by.clone());
            }
            PlatformEvent::VenueDisconnected(event) => {
                assert_eq!(self.disconnects[&event.venue], event.requested_by);
                return Some((event.requested_by.clone(), event.approved_by.clone()));
            }
            PlatformEvent::PlatformActivated(event) => {
                return Some((event.requested_by.clone()?, event.approved_by.clone()?));
            }
            PlatformEvent::ActivationRejected(_)
            | PlatformEvent::LoadingStarted(_)
            | PlatformEvent::PlatformStoodDown(_)
            | PlatformEvent::HandbackRejected(_)
            | PlatformEvent::HandbackCompleted(_)
            | PlatformEvent::NewOrdersHalted(_)
            | PlatformEvent::ResumeRejected(_)
            | PlatformEvent::CancelAllRejected(_)
            | PlatformEvent::DisconnectRejected(_)
            | PlatformEvent::VenueReconnected(_)
            | PlatformEvent::BookLoaded(_)
            | PlatformEvent::MarketPhaseChanged(_) => {}
        }
        None
    }
}

proptest! {
    #[test]
    fn the_platform_never_leaves_its_table_of_transitions(steps in prop::collection::vec(step(), 0..60)) {
        for (before, event, after) in history(&steps) {
            match transition(&event) {
                Some((from, to)) => prop_assert!(from.contains(&before) && after == to, "{before:?} {event:?} {after:?}"),
                None => prop_assert_eq!(before, after),
            }
        }
    }

    /// Nobody gets around the book but by saying why.
    #[test]
    fn an_activation_has_the_days_book_or_a_reason(steps in prop::collection::vec(step(), 0..60)) {
        let mut books = BTreeSet::new();
        for (_, event, _) in history(&steps) {
            match event {
                PlatformEvent::BookLoaded(book) => {
                    books.insert(book.trading_date);
                }
                PlatformEvent::PlatformActivated(activated) => {
                    prop_assert!(books.contains(&activated.trading_date) || activated.without_book.is_some());
                }
                _ => {}
            }
        }
    }

    #[test]
    fn epochs_strictly_increase(steps in prop::collection::vec(step(), 0..60)) {
        let mut last = 0;
        for (_, event, _) in history(&steps) {
            if let PlatformEvent::PlatformActivated(activated) = event {
                prop_assert_eq!(activated.epoch, last + 1);
                last = activated.epoch;
            }
        }
    }

    #[test]
    fn nobody_approves_their_own(steps in prop::collection::vec(step(), 0..60)) {
        let mut asked = Asked::default();
        for (_, event, _) in history(&steps) {
            if let Some((requested_by, approved_by)) = asked.pair(&event) {
                prop_assert_ne!(requested_by, approved_by);
            }
        }
    }

    /// Whatever was asked is asked once more at the end of an epoch's life: it gives nothing, and the same id serves nothing else.
    #[test]
    fn a_request_repeated_gives_no_event(steps in prop::collection::vec(step(), 0..60)) {
        let mut platform = Platform::default();
        for step in &steps {
            let Step::Ask(request) = step else { continue };
            let Ok(events) = decide(&platform, request.clone()) else { continue };
            platform = events.iter().fold(platform, evolve);
            prop_assert_eq!(decide(&platform, request.clone()), Ok(vec![]));
            let other = PlatformRequest { by: "somebody else".into(), ..request.clone() };
            prop_assert_eq!(decide(&platform, other), Err(PlatformRefusal::RequestIdReused));
            for known in platform.requests.values() {
                prop_assert_eq!(decide(&platform, known.clone()), Ok(vec![]));
            }
        }
    }

    #[test]
    fn a_report_repeated_gives_no_event(steps in prop::collection::vec(report(), 0..30)) {
        let mut platform = Platform::default();
        for report in steps {
            let events = record(&platform, report.clone());
            platform = events.iter().fold(platform, evolve);
            prop_assert_eq!(record(&platform, report), vec![]);
        }
    }

    /// Against what the history says, read from its end.
    #[test]
    fn the_gate_is_open_only_in_an_active_epoch_of_the_day_without_a_halt_in_an_open_market(
        steps in prop::collection::vec(step(), 0..60),
        date in date(),
    ) {
        let (venue, segment) = (Venue::Nse, Segment::Derivatives);
        let history = history(&steps);
        let events = || history.iter().map(|(_, event, _)| event);
        let platform = events().fold(Platform::default(), evolve);
        let mut activated = events().filter_map(|event| match event {
            PlatformEvent::PlatformActivated(activated) => Some(activated.trading_date),
            _ => None,
        });
        let mut market = events().filter_map(|event| match event {
            PlatformEvent::MarketPhaseChanged(changed)
                if (changed.venue, changed.segment) == (venue, segment) =>
            {
                Some((changed.trading_date, changed.phase))
            }
            _ => None,
        });
        let mut halts = BTreeSet::new();
        for event in events() {
            match event {
                PlatformEvent::NewOrdersHalted(event) => {
                    halts.insert(event.scope);
                }
                PlatformEvent::NewOrdersResumed(event) => {
                    halts.remove(&event.scope);
                }
                _ => {}
            }
        }
        let phase = history.last().map_or(Phase::Dormant, |(_, _, after)| *after);
        let open = phase == Phase::Active
            && activated.next_back() == Some(date)
            && !halts.iter().any(|scope| scope.covers(venue, segment))
            && market.next_back() == Some((date, MarketPhase::Open));
        prop_assert_eq!(platform.gate(date, venue, segment).is_ok(), open);
    }

    /// Events of several histories, cut, mixed and repeated: no fold panics, no epoch comes back, and the gate answers.
    #[test]
    fn a_history_no_one_thought_of_folds_without_panic(
        steps in prop::collection::vec(step(), 0..60),
        others in prop::collection::vec(step(), 0..60),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let pool: Vec<_> = history(&steps).into_iter().chain(history(&others)).collect();
        prop_assume!(!pool.is_empty());
        let mut platform = Platform::default();
        for pick in picks {
            let epoch = platform.epoch;
            platform = evolve(platform, &pick.get(&pool).1);
            prop_assert!(platform.epoch >= epoch);
            let date = TradingDate::new(2026, 11, 20).unwrap();
            prop_assert!(platform.phase == Phase::Active || platform.gate(date, Venue::Nse, Segment::Derivatives).is_err());
            for step in &steps {
                match step {
                    Step::Ask(request) => drop(decide(&platform, request.clone())),
                    Step::Tell(report) => drop(record(&platform, report.clone())),
                }
            }
        }
    }
}
