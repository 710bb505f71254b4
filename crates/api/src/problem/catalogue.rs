//! Every refusal there is, with an example: docs/API.md has to show each of them, in this order, in its own words and values.

use super::Problem;
use super::known::{SECTIONS, known};
use squareoff_domain::approval::{ApprovalRefusal, ApprovalStatus};
use squareoff_domain::bulk::{BulkRefusal, BulkStatus};
use squareoff_domain::client::{ClientRefusal, IdentityField};
use squareoff_domain::people::{PersonRefusal, Role};
use squareoff_domain::platform::{HaltScope, Phase, PlatformRefusal};
use squareoff_domain::position::OrderStatus;
use squareoff_domain::suspense::SuspenseRefusal;
use squareoff_domain::{Price, Product, Quantity, Refusal, RequestId, Segment, Venue};
use std::collections::HashMap;
use uuid::Uuid;

const PAGE: &str = include_str!("../../../../docs/API.md");

fn units(units: u64) -> Quantity {
    Quantity::new(units).unwrap()
}

fn rupees(text: &str) -> Price {
    text.parse().unwrap()
}

/// One of each, in order of precedence.
fn refusals() -> Vec<Refusal> {
    vec![
        Refusal::RequestIdReused,
        Refusal::ReasonMissing,
        Refusal::PlatformNotActive,
        Refusal::UnknownPosition,
        Refusal::UnknownInstrument,
        Refusal::Halted {
            reason: "prices look wrong".into(),
        },
        Refusal::MarketNotOpen { phase: "pre-open" },
        Refusal::SessionNotReady,
        Refusal::HandedBack,
        Refusal::Frozen {
            reason: "the fill is disputed".into(),
        },
        Refusal::InstrumentRestricted {
            reason: "it is suspended",
        },
        Refusal::QuantityNotPositive,
        Refusal::NothingToClose {
            open: units(40),
            working: units(40),
        },
        Refusal::ExceedsOpenQuantity {
            requested: 300,
            closable: units(250),
        },
        Refusal::OddLot {
            closable: units(7),
            lot: units(5),
            whole: units(5),
        },
        Refusal::NotWholeLots {
            requested: 12,
            lot: units(5),
        },
        Refusal::FreezeBelowLot {
            freeze: units(4),
            lot: units(5),
        },
        Refusal::TooManySlices {
            slices: 201,
            limit: 200,
        },
        Refusal::UnknownOrder,
        Refusal::NotOurOrder,
        Refusal::OrderEnded {
            status: OrderStatus::Filled,
        },
        Refusal::NotInDoubt,
        Refusal::OrderInDoubt,
        Refusal::CancelPending,
        Refusal::ReplacePending,
        Refusal::NotAcknowledged,
        Refusal::TooManyCancels { limit: 128 },
        Refusal::TooManyReplaces { limit: 128 },
        Refusal::NothingToChange,
        Refusal::QuantityNotLower {
            requested: 25,
            quantity: units(20),
        },
        Refusal::QuantityNotAboveFilled {
            requested: 5,
            filled: units(10),
        },
        Refusal::NothingToCancel,
        Refusal::StaleReference {
            age_s: 90_000,
            limit_s: 86_400,
        },
        Refusal::PriceOffTick {
            price: rupees("100.03"),
            tick: rupees("0.05"),
        },
        Refusal::PriceOutOfBand {
            price: rupees("110.05"),
            low: rupees("90"),
            high: rupees("110"),
        },
        Refusal::PriceOutOfProtection {
            price: rupees("106"),
            low: rupees("95"),
            high: rupees("105"),
        },
        Refusal::NotFrozen,
        Refusal::OrdersWorking { orders: 2 },
    ]
}

/// Where a refusal stands in the list above: a new one does not compile until it has its place, and its example with it.
fn place(refusal: &Refusal) -> usize {
    match refusal {
        Refusal::RequestIdReused => 0,
        Refusal::ReasonMissing => 1,
        Refusal::PlatformNotActive => 2,
        Refusal::UnknownPosition => 3,
        Refusal::UnknownInstrument => 4,
        Refusal::Halted { .. } => 5,
        Refusal::MarketNotOpen { .. } => 6,
        Refusal::SessionNotReady => 7,
        Refusal::HandedBack => 8,
        Refusal::Frozen { .. } => 9,
        Refusal::InstrumentRestricted { .. } => 10,
        Refusal::QuantityNotPositive => 11,
        Refusal::NothingToClose { .. } => 12,
        Refusal::ExceedsOpenQuantity { .. } => 13,
        Refusal::OddLot { .. } => 14,
        Refusal::NotWholeLots { .. } => 15,
        Refusal::FreezeBelowLot { .. } => 16,
        Refusal::TooManySlices { .. } => 17,
        Refusal::UnknownOrder => 18,
        Refusal::NotOurOrder => 19,
        Refusal::OrderEnded { .. } => 20,
        Refusal::NotInDoubt => 21,
        Refusal::OrderInDoubt => 22,
        Refusal::CancelPending => 23,
        Refusal::ReplacePending => 24,
        Refusal::NotAcknowledged => 25,
        Refusal::TooManyCancels { .. } => 26,
        Refusal::TooManyReplaces { .. } => 27,
        Refusal::NothingToChange => 28,
        Refusal::QuantityNotLower { .. } => 29,
        Refusal::QuantityNotAboveFilled { .. } => 30,
        Refusal::NothingToCancel => 31,
        Refusal::StaleReference { .. } => 32,
        Refusal::PriceOffTick { .. } => 33,
        Refusal::PriceOutOfBand { .. } => 34,
        Refusal::PriceOutOfProtection { .. } => 35,
        Refusal::NotFrozen => 36,
        Refusal::OrdersWorking { .. } => 37,
    }
}

fn platform_refusals() -> Vec<PlatformRefusal> {
    let scope = HaltScope::Segment {
        venue: Venue::Nse,
        segment: Segment::Derivatives,
    };
    let asha = || "desk-asha".to_owned();
    vec![
        PlatformRefusal::RequestIdReused,
        PlatformRefusal::AlreadyActive { epoch: 3 },
        PlatformRefusal::ActivationPending {
            requested_by: asha(),
        },
        PlatformRefusal::NoActivationPending {
            phase: Phase::Dormant,
        },
        PlatformRefusal::NotApproved {
            phase: Phase::Requested,
        },
        PlatformRefusal::BookNotLoaded {
            date: "2026-11-20".parse().unwrap(),
        },
        PlatformRefusal::NotActive {
            phase: Phase::Dormant,
        },
        PlatformRefusal::NoHandbackPending {
            phase: Phase::Active,
        },
        PlatformRefusal::NotDraining {
            phase: Phase::Active,
        },
        PlatformRefusal::AlreadyHalted { scope },
        PlatformRefusal::NotHalted {
            scope: HaltScope::Venue(Venue::Nse),
        },
        PlatformRefusal::ResumePending {
            scope,
            requested_by: asha(),
        },
        PlatformRefusal::NoResumePending {
            scope: HaltScope::All,
        },
        PlatformRefusal::TooManyCancelAlls { limit: 16 },
        PlatformRefusal::UnknownCancelAll {
            kill_id: RequestId(Uuid::from_u128(7)),
        },
        PlatformRefusal::HaltFirst { venue: Venue::Nse },
        PlatformRefusal::AlreadyDisconnected { venue: Venue::Nse },
        PlatformRefusal::DisconnectPending {
            venue: Venue::Nse,
            requested_by: asha(),
        },
        PlatformRefusal::NoDisconnectPending { venue: Venue::Nse },
        PlatformRefusal::NotDisconnected { venue: Venue::Nse },
        PlatformRefusal::OwnRequest { by: asha() },
    ]
}

fn platform_place(refusal: &PlatformRefusal) -> usize {
    match refusal {
        PlatformRefusal::RequestIdReused => 0,
        PlatformRefusal::AlreadyActive { .. } => 1,
        PlatformRefusal::ActivationPending { .. } => 2,
        PlatformRefusal::NoActivationPending { .. } => 3,
        PlatformRefusal::NotApproved { .. } => 4,
        PlatformRefusal::BookNotLoaded { .. } => 5,
        PlatformRefusal::NotActive { .. } => 6,
        PlatformRefusal::NoHandbackPending { .. } => 7,
        PlatformRefusal::NotDraining { .. } => 8,
        PlatformRefusal::AlreadyHalted { .. } => 9,
        PlatformRefusal::NotHalted { .. } => 10,
        PlatformRefusal::ResumePending { .. } => 11,
        PlatformRefusal::NoResumePending { .. } => 12,
        PlatformRefusal::TooManyCancelAlls { .. } => 13,
        PlatformRefusal::UnknownCancelAll { .. } => 14,
        PlatformRefusal::HaltFirst { .. } => 15,
        PlatformRefusal::AlreadyDisconnected { .. } => 16,
        PlatformRefusal::DisconnectPending { .. } => 17,
        PlatformRefusal::NoDisconnectPending { .. } => 18,
        PlatformRefusal::NotDisconnected { .. } => 19,
        PlatformRefusal::OwnRequest { .. } => 20,
    }
}

fn approval_refusals() -> Vec<ApprovalRefusal> {
    vec![
        ApprovalRefusal::RequestIdReused,
        ApprovalRefusal::UnknownApproval,
        ApprovalRefusal::Lapsed,
        ApprovalRefusal::WrongStatus {
            status: ApprovalStatus::Ordered,
        },
        ApprovalRefusal::OwnRequest {
            by: "desk-asha".into(),
        },
        ApprovalRefusal::NotTheAsker {
            asked_by: "desk-asha".into(),
        },
    ]
}

fn approval_place(refusal: &ApprovalRefusal) -> usize {
    match refusal {
        ApprovalRefusal::RequestIdReused => 0,
        ApprovalRefusal::UnknownApproval => 1,
        ApprovalRefusal::Lapsed => 2,
        ApprovalRefusal::WrongStatus { .. } => 3,
        ApprovalRefusal::OwnRequest { .. } => 4,
        ApprovalRefusal::NotTheAsker { .. } => 5,
    }
}

fn suspense_refusals() -> Vec<SuspenseRefusal> {
    let position = squareoff_domain::PositionKey {
        date: "2026-11-20".parse().unwrap(),
        client: "C00001".parse().unwrap(),
        venue: Venue::Nse,
        symbol: "RELIANCE".parse().unwrap(),
        product: Product::Mis,
    };
    vec![
        SuspenseRefusal::RequestIdReused,
        SuspenseRefusal::UnknownReport,
        SuspenseRefusal::AlreadyMatched {
            position: Box::new(position.clone()),
        },
        SuspenseRefusal::MatchBegun {
            position: Box::new(position),
        },
        SuspenseRefusal::AlreadyDismissed,
        SuspenseRefusal::NoExecution,
        SuspenseRefusal::OtherInstrument,
    ]
}

fn suspense_place(refusal: &SuspenseRefusal) -> usize {
    match refusal {
        SuspenseRefusal::RequestIdReused => 0,
        SuspenseRefusal::UnknownReport => 1,
        SuspenseRefusal::AlreadyMatched { .. } => 2,
        SuspenseRefusal::MatchBegun { .. } => 3,
        SuspenseRefusal::AlreadyDismissed => 4,
        SuspenseRefusal::NoExecution => 5,
        SuspenseRefusal::OtherInstrument => 6,
    }
}

fn client_refusals() -> Vec<ClientRefusal> {
    let client = || "C00042".parse().unwrap();
    vec![
        ClientRefusal::RequestIdReused,
        ClientRefusal::ReasonMissing,
        ClientRefusal::ReasonHoldsPan,
        ClientRefusal::UnknownClient { client: client() },
        ClientRefusal::Erased { client: client() },
        ClientRefusal::IdentityNotRecorded { client: client() },
        ClientRefusal::IdentityIncomplete {
            client: client(),
            missing: IdentityField::DateOfBirth,
        },
        ClientRefusal::TooManyVerifications {
            client: client(),
            by: "desk-asha".into(),
        },
        ClientRefusal::CallerNotVerified {
            client: client(),
            by: "desk-asha".into(),
        },
    ]
}

fn client_place(refusal: &ClientRefusal) -> usize {
    match refusal {
        ClientRefusal::RequestIdReused => 0,
        ClientRefusal::ReasonMissing => 1,
        ClientRefusal::ReasonHoldsPan => 2,
        ClientRefusal::UnknownClient { .. } => 3,
        ClientRefusal::Erased { .. } => 4,
        ClientRefusal::IdentityNotRecorded { .. } => 5,
        ClientRefusal::IdentityIncomplete { .. } => 6,
        ClientRefusal::TooManyVerifications { .. } => 7,
        ClientRefusal::CallerNotVerified { .. } => 8,
    }
}

fn person_refusals() -> Vec<PersonRefusal> {
    let operator = || "desk-asha".parse().unwrap();
    vec![
        PersonRefusal::RequestIdReused,
        PersonRefusal::ReasonMissing,
        PersonRefusal::HoldsPan,
        PersonRefusal::NotAName,
        PersonRefusal::OwnRights,
        PersonRefusal::AlreadyEnrolled {
            operator: operator(),
        },
        PersonRefusal::UnknownOperator {
            operator: operator(),
        },
        PersonRefusal::ClientMismatch,
        PersonRefusal::Disabled {
            operator: operator(),
        },
        PersonRefusal::NotDisabled {
            operator: operator(),
        },
        PersonRefusal::SameRole {
            operator: operator(),
            role: Role::Desk,
        },
    ]
}

fn person_place(refusal: &PersonRefusal) -> usize {
    match refusal {
        PersonRefusal::RequestIdReused => 0,
        PersonRefusal::ReasonMissing => 1,
        PersonRefusal::HoldsPan => 2,
        PersonRefusal::NotAName => 3,
        PersonRefusal::OwnRights => 4,
        PersonRefusal::AlreadyEnrolled { .. } => 5,
        PersonRefusal::UnknownOperator { .. } => 6,
        PersonRefusal::ClientMismatch => 7,
        PersonRefusal::Disabled { .. } => 8,
        PersonRefusal::NotDisabled { .. } => 9,
        PersonRefusal::SameRole { .. } => 10,
    }
}

/// Those that a caller can get: the rest are about lists that are made here.
fn bulk_refusals() -> Vec<BulkRefusal> {
    vec![
        BulkRefusal::RequestIdReused,
        BulkRefusal::UnknownBulk,
        BulkRefusal::AlreadyProposed,
        BulkRefusal::NothingToSquareOff,
        BulkRefusal::TooManyItems {
            items: 1_000_001,
            limit: 1_000_000,
        },
        BulkRefusal::WrongStatus {
            status: BulkStatus::Completed,
        },
        BulkRefusal::NotTheProposer {
            proposed_by: "desk-asha".into(),
        },
        BulkRefusal::ListIncomplete {
            listed: 20_000,
            items: 150_000,
        },
        BulkRefusal::OwnRequest {
            by: "desk-asha".into(),
        },
    ]
}

fn bulk_place(refusal: &BulkRefusal) -> Option<usize> {
    match refusal {
        BulkRefusal::RequestIdReused => Some(0),
        BulkRefusal::UnknownBulk => Some(1),
        BulkRefusal::AlreadyProposed => Some(2),
        BulkRefusal::NothingToSquareOff => Some(3),
        BulkRefusal::TooManyItems { .. } => Some(4),
        BulkRefusal::WrongStatus { .. } => Some(5),
        BulkRefusal::NotTheProposer { .. } => Some(6),
        BulkRefusal::ListIncomplete { .. } => Some(7),
        BulkRefusal::OwnRequest { .. } => Some(8),
        BulkRefusal::WrongItemCount { .. }
        | BulkRefusal::ListedOutOfTurn { .. }
        | BulkRefusal::ItemOutOfOrder { .. } => None,
    }
}

#[test]
fn no_refusal_is_missing_from_the_examples() {
    let places: Vec<_> = refusals().iter().map(place).collect();
    assert_eq!(places, (0..38).collect::<Vec<_>>());
    let places: Vec<_> = platform_refusals().iter().map(platform_place).collect();
    assert_eq!(places, (0..21).collect::<Vec<_>>());
    let places: Vec<_> = suspense_refusals().iter().map(suspense_place).collect();
    assert_eq!(places, (0..7).collect::<Vec<_>>());
    let places: Vec<_> = approval_refusals().iter().map(approval_place).collect();
    assert_eq!(places, (0..6).collect::<Vec<_>>());
    let places: Vec<_> = client_refusals().iter().map(client_place).collect();
    assert_eq!(places, (0..9).collect::<Vec<_>>());
    let places: Vec<_> = person_refusals().iter().map(person_place).collect();
    assert_eq!(places, (0..11).collect::<Vec<_>>());
    let places: Vec<_> = bulk_refusals().iter().filter_map(bulk_place).collect();
    assert_eq!(places, (0..9).collect::<Vec<_>>());
}

#[test]
fn each_refusal_has_a_type_a_title_and_an_example_in_the_docs() {
    let of_platform = platform_refusals().into_iter().map(Problem::from);
    let of_approvals = approval_refusals().into_iter().map(Problem::from);
    let of_suspense = suspense_refusals().into_iter().map(Problem::from);
    let of_clients = client_refusals().into_iter().map(Problem::from);
    let of_people = person_refusals().into_iter().map(Problem::from);
    let of_bulk = bulk_refusals().into_iter().map(Problem::from);
    let problems = refusals().into_iter().map(Problem::from);
    let problems = problems
        .chain(of_platform)
        .chain(of_suspense)
        .chain(of_clients)
        .chain(of_people)
        .chain(of_bulk)
        .chain(of_approvals);
    let problems: Vec<_> = problems.collect();
    let (mut titles, mut codes) = (HashMap::new(), HashMap::new());
    for problem in &problems {
        let Problem {
            status,
            code,
            title,
            detail,
            retry_after_s: _,
        } = problem;
        assert!(status.is_client_error() || *code == "exchange-not-connected");
        // One meaning, one name: what is refused alike in two places has one type, one title and one status.
        assert_eq!(*titles.entry(*code).or_insert(*title), *title, "{code}");
        assert_eq!(*codes.entry(*title).or_insert(*code), *code, "{title}");
        // What another list has an example of already is documented there.
        let row = format!("| `{code}` | {} | {detail} |", status.as_u16());
        let elsewhere = format!("| `{code}` | {} |", status.as_u16());
        let known = known(code).unwrap();
        assert_eq!(
            (known.status, known.title),
            (status.as_u16(), *title),
            "{code}"
        );
        let first = problems.iter().find(|other| other.code == *code);
        if first == Some(problem) {
            assert!(PAGE.contains(&row), "docs/API.md has no row {row}");
        } else {
            assert!(
                PAGE.contains(&elsewhere),
                "docs/API.md has no row {elsewhere}"
            );
        }
    }
}

#[test]
fn the_docs_list_the_refusals_in_their_order_of_precedence() {
    let rows: Vec<_> = refusals()
        .into_iter()
        .map(|refusal| PAGE.find(&format!("| `{}` |", refusal.code())).unwrap())
        .collect();
    assert!(rows.is_sorted(), "{rows:?}");
}

/// Row by row, and no more in either.
#[test]
fn the_docs_and_the_page_of_problems_say_the_same() {
    let mut codes = std::collections::HashSet::new();
    for known in SECTIONS.iter().flat_map(|section| section.known) {
        assert!(
            codes.insert(known.code),
            "{} stands there twice",
            known.code
        );
        let cells = [known.when, known.then].join(" | ");
        let row = format!(
            "| `{}` | {} | {} |",
            known.code,
            known.status,
            cells.trim_end()
        );
        assert!(
            PAGE.contains(&row.replace("| |", "|")),
            "docs/API.md has no row {row}"
        );
    }
    let (_, problems) = PAGE.split_once("\n## Problems\n").unwrap();
    let rows = problems.lines().filter(|line| line.starts_with("| `"));
    assert_eq!(rows.count(), codes.len());
}
