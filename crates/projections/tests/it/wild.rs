//! Histories that no decision could have made: every type of event, about a handful of orders, executions, bulks and reports, in any
//! order. The folds are total, so live and rebuilt rows must agree on these too.

use crate::story::{Desk, date, key};
use rand::RngExt;
use squareoff_domain::approval::*;
use squareoff_domain::bulk::*;
use squareoff_domain::client::{
    CallerVerificationFailed, CallerVerified, ClientErased, ClientEvent, ClientIdentityRecorded,
    ClientIdentityRevealed, ClientKeyRotated, ClientRegistered, IdentityField, SealedField,
};
use squareoff_domain::people::{self, *};
use squareoff_domain::platform::*;
use squareoff_domain::position::*;
use squareoff_domain::reference::{ContractEvent, ContractListed};
use squareoff_domain::refusals::{RefusalEvent, RequestRefused};
use squareoff_domain::sealing::{self, CheckpointSealed, SealEvent};
use squareoff_domain::session::*;
use squareoff_domain::suspense::*;
use squareoff_domain::{
    ClOrdId, Client, ClientCode, Event, ExchangeOrderId, ExecutionKey, KeyId, LogInId, NetQuantity,
    OperatorId, OrderId, PositionKey, Price, Product, Quantity, RequestId, Segment, Side,
    Timestamp, Venue,
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Events of one append.
const APPENDED_MAX: u32 = 4;

/// Versions of the streams it writes to.
#[derive(Default)]
pub struct Wild {
    versions: BTreeMap<String, u64>,
}

impl Wild {
    pub async fn many_things(&mut self, desk: &mut Desk, number: usize) {
        for _ in 0..number {
            let (name, event) = any(desk);
            let mut events = vec![event];
            for _ in 1..desk.random.random_range(1..=APPENDED_MAX) {
                let (other, event) = any(desk);
                if other == name {
                    events.push(event);
                }
            }
            let version = self.versions.entry(name.clone()).or_default();
            let before = *version;
            *version += u64::try_from(events.len()).unwrap();
            desk.append(&name, before, events).await;
        }
    }
}

fn client(desk: &mut Desk) -> ClientEvent {
    let client: ClientCode = "C00091".parse().unwrap();
    let key_id = KeyId(request(desk).0);
    let sealed = SealedField {
        field: IdentityField::Name,
        sealed: text(desk),
    };
    let (by, reason) = (text(desk), text(desk));
    let request_id = request(desk);
    match desk.random.random_range(0..7) {
        0 => ClientEvent::ClientRegistered(ClientRegistered {
            client: Client {
                client,
                category: text(desk),
                branch: text(desk),
                segments: vec![Segment::Cash],
            },
        }),
        1 => ClientEvent::ClientIdentityRecorded(ClientIdentityRecorded {
            client,
            key_id,
            fields: vec![sealed],
            source: text(desk),
        }),
        2 => ClientEvent::ClientKeyRotated(ClientKeyRotated {
            client,
            key_id,
            fields: vec![sealed],
            by,
            reason,
            request_id,
        }),
        3 => ClientEvent::ClientIdentityRevealed(ClientIdentityRevealed {
            client,
            fields: vec![IdentityField::Name],
            by,
            reason,
            request_id,
        }),
        4 => ClientEvent::CallerVerified(CallerVerified {
            client,
            call_reference: reason,
            valid_until: Timestamp(1),
            by,
            request_id,
        }),
        5 => ClientEvent::CallerVerificationFailed(CallerVerificationFailed {
            client,
            call_reference: reason,
            at: Timestamp(1),
            by,
            request_id,
        }),
        _ => ClientEvent::ClientErased(ClientErased {
            client,
            key_id: Some(key_id),
            fields: vec![IdentityField::Name],
            by,
            reason,
            request_id,
        }),
    }
}

fn person(desk: &mut Desk, operator: OperatorId) -> PersonEvent {
    let (by, reason, address) = (text(desk), text(desk), text(desk));
    let (request_id, log_in) = (request(desk), LogInId(request(desk).0));
    let role = if chance(desk) {
        Role::Desk
    } else {
        Role::Auditor
    };
    match desk.random.random_range(0..13) {
        0 => PersonEvent::OperatorEnrolled(OperatorEnrolled {
            operator,
            name: text(desk),
            role,
            client: None,
            by,
            reason,
            request_id,
        }),
        1 => PersonEvent::RoleChanged(RoleChanged {
            operator,
            role,
            by,
            reason,
            request_id,
        }),
        2 => PersonEvent::OperatorDisabled(OperatorDisabled {
            operator,
            by,
            reason,
            request_id,
        }),
        3 => PersonEvent::OperatorReinstated(OperatorReinstated {
            operator,
            by,
            reason,
            request_id,
        }),
        4 => PersonEvent::CredentialsReset(CredentialsReset {
            operator,
            by,
            reason,
            request_id,
        }),
        5 => PersonEvent::PasswordSet(PasswordSet {
            operator,
            request_id,
        }),
        6 => PersonEvent::SecondFactorEnrolled(SecondFactorEnrolled {
            operator,
            request_id,
        }),
        7 => PersonEvent::RecoveryCodesMade(RecoveryCodesMade {
            operator,
            count: 10,
            request_id,
        }),
        8 => PersonEvent::LoggedIn(LoggedIn {
            operator,
            log_in,
            kind: LogInKind::Cookie,
            role,
            second_factor: SecondFactor::Totp,
            address,
            request_id,
        }),
        9 => PersonEvent::LoggedOut(LoggedOut {
            operator,
            log_in,
            request_id,
        }),
        10 => PersonEvent::LogInRevoked(LogInRevoked {
            operator,
            log_in,
            by,
            request_id,
        }),
        11 => PersonEvent::RefreshTokenReused(RefreshTokenReused {
            operator,
            log_in,
            address,
            request_id,
        }),
        _ => PersonEvent::LogInLockedOut(LogInLockedOut {
            operator,
            address,
            failures: 5,
            wait_s: 60,
            request_id,
        }),
    }
}

/// An event and the stream it goes to.
fn any(desk: &mut Desk) -> (String, Event) {
    match desk.random.random_range(0..23) {
        0 => ("client-C00091".into(), Event::Client(client(desk))),
        1 => {
            let key = position_key(desk);
            let contract = squareoff_domain::Contract {
                reference_price: price(desk),
                ..crate::story::contract(&key)
            };
            (
                squareoff_domain::reference::contracts_stream(date(), Venue::Nse),
                Event::Contract(ContractEvent::ContractListed(ContractListed { contract })),
            )
        }
        2 => {
            let position = chance(desk).then(|| position_key(desk));
            let client = position.as_ref().map(|key| &key.client);
            (
                squareoff_domain::refusals::stream(date(), client),
                Event::Refusal(RefusalEvent::RequestRefused(RequestRefused {
                    what: "square-off".into(),
                    request_id: request(desk),
                    position,
                    code: "nothing-to-close".into(),
                    detail: text(desk),
                })),
            )
        }
        3 => ("session-NSE-WILD".into(), Event::Session(session(desk))),
        4 | 5 => ("platform".into(), Event::Platform(platform(desk))),
        6 | 7 => {
            let bulk = bulk_id(desk);
            (bulk.stream(), Event::Bulk(bulk_event(desk, bulk)))
        }
        8 => (
            squareoff_domain::suspense::stream(Venue::Nse, date()),
            Event::Suspense(suspense(desk)),
        ),
        9 => (
            sealing::STREAM.into(),
            Event::Seal(SealEvent::CheckpointSealed(CheckpointSealed {
                size: desk.random.random_range(0..1_000),
                root: text(desk),
                note: text(desk),
            })),
        ),
        22 => {
            let id = ApprovalId(Uuid::from_u128(desk.random.random_range(700..703)));
            (id.stream(), Event::Approval(approval(desk, id)))
        }
        10 => {
            let operator: OperatorId = "desk-wild".parse().unwrap();
            (
                people::operator_stream(&operator),
                Event::Person(person(desk, operator)),
            )
        }
        _ => {
            let key = position_key(desk);
            (key.stream(), Event::Position(position(desk, &key)))
        }
    }
}

fn chance(desk: &mut Desk) -> bool {
    desk.random.random()
}

fn text(desk: &mut Desk) -> String {
    let texts = ["a", "RMS:\tblocked\\N \u{20b9} 'x'\n", "margin", ""];
    texts[desk.random.random_range(0..texts.len())].into()
}

fn price(desk: &mut Desk) -> Price {
    Price(desk.random.random_range(900_000..1_100_000))
}

fn quantity(desk: &mut Desk) -> Quantity {
    Quantity::new(desk.random.random_range(0..200)).unwrap()
}

fn net(desk: &mut Desk) -> NetQuantity {
    NetQuantity(desk.random.random_range(-200..200))
}

fn side(desk: &mut Desk) -> Side {
    Side::ALL[desk.random.random_range(0..2)]
}

/// Not those that the desk itself writes about.
fn position_key(desk: &mut Desk) -> PositionKey {
    PositionKey {
        product: Product::Nrml,
        ..key(desk.random.random_range(91..94), "RELIANCE")
    }
}

fn request(desk: &mut Desk) -> RequestId {
    RequestId(Uuid::from_u128(desk.random.random_range(1..50)))
}

fn maybe_request(desk: &mut Desk) -> Option<RequestId> {
    chance(desk).then(|| request(desk))
}

/// Of each position a few orders of its own: an order is in one stream.
fn order(desk: &mut Desk, key: &PositionKey) -> OrderId {
    let number = desk.random.random_range(0..4_u8);
    OrderId(Uuid::new_v5(
        &Uuid::NAMESPACE_OID,
        format!("{}{number}", key.stream()).as_bytes(),
    ))
}

fn cl_ord_id(desk: &mut Desk) -> ClOrdId {
    format!("WILD{}", desk.random.random_range(0..6))
        .parse()
        .unwrap()
}

fn exchange_order_id(desk: &mut Desk) -> ExchangeOrderId {
    format!("X{}", desk.random.random_range(0..6))
        .parse()
        .unwrap()
}

fn execution(desk: &mut Desk) -> ExecutionKey {
    let id = format!("W{}", desk.random.random_range(0..8));
    ExecutionKey::new(Venue::Nse, date(), &id).unwrap()
}

fn asked(desk: &mut Desk) -> RequestedCancel {
    let scope = [Scope::ThisOrder, Scope::EveryOrder][desk.random.random_range(0..2)];
    maybe_request(desk).map(|request| (request, scope))
}

fn position(desk: &mut Desk, key: &PositionKey) -> PositionEvent {
    use PositionEvent as Is;
    let order_id = order(desk, key);
    let key = key.clone();
    let exchange_order_id = exchange_order_id(desk);
    let (cl_ord_id, original_cl_ord_id) = (cl_ord_id(desk), cl_ord_id(desk));
    let (execution, correction) = (execution(desk), execution(desk));
    let (side, quantity, price, text) = (side(desk), quantity(desk), price(desk), text(desk));
    let (request_id, maybe, asked) = (request(desk), maybe_request(desk), asked(desk));
    let (net, late, source) = (net(desk), chance(desk), String::from("wild"));
    let reason = text.clone();
    match desk.random.random_range(0..41) {
        0 => Is::BodLoaded(BodLoaded {
            key,
            quantity: net,
            average_price: price,
            source,
        }),
        1 => Is::BodContradicted(BodContradicted {
            quantity: net,
            average_price: price,
            source,
        }),
        2 => Is::PrimaryTradeApplied(PrimaryTradeApplied {
            key,
            execution,
            side,
            quantity,
            price,
            traded_at: Timestamp(1_795_000_000_000_000_001),
            source,
        }),
        3 => Is::ExternalOrderObserved(ExternalOrderObserved {
            order_id,
            cl_ord_id,
            exchange_order_id,
            key,
            side,
            quantity,
            cumulative: Quantity::ZERO,
            price,
            source,
        }),
        4 => Is::ExternalOrderUpdated(ExternalOrderUpdated {
            order_id,
            cumulative: quantity,
            source,
        }),
        5 => Is::SquareOffAccepted(SquareOffAccepted {
            request_id,
            terms: SquareOffTerms {
                quantity: Wanted::All,
                price: PricePolicy::Limit(price),
                time_in_force: TimeInForce::ImmediateOrCancel,
                evidence: Some(text),
            },
            side,
            quantity,
            slices: 1,
            reference_version: source,
        }),
        6 => Is::OrderDispatched(OrderDispatched {
            order_id,
            session: "NSE-WILD".into(),
            sequence: 7,
        }),
        7 => Is::OrderAcknowledged(OrderAcknowledged {
            order_id,
            exchange_order_id,
        }),
        8 => Is::OrderFrozen(OrderFrozen {
            order_id,
            exchange_order_id,
            text,
        }),
        9 => Is::OrderRejected(OrderRejected {
            order_id,
            code: 99,
            text,
        }),
        10 => Is::ExecutionConflicted(ExecutionConflicted {
            order_id,
            execution,
            quantity,
            price,
        }),
        11 | 12 => Is::ExecutionBusted(ExecutionBusted {
            order_id,
            execution,
        }),
        13 | 14 => Is::ExecutionCorrected(ExecutionCorrected {
            order_id,
            execution,
            correction,
            quantity,
            price,
            at: Timestamp(desk.random.random_range(0..3)),
        }),
        15 | 16 => Is::TradeConfirmed(TradeConfirmed {
            execution,
            side,
            quantity,
            price,
            source,
        }),
        17 => Is::OverfillDetected(OverfillDetected {
            order_id,
            excess: quantity,
        }),
        18 => Is::CancelRequested(CancelRequested {
            order_id,
            asked,
            cl_ord_id,
            original_cl_ord_id,
            key,
            side,
            quantity,
            exchange_order_id: None,
        }),
        19 => Is::CancelQueued(CancelQueued { order_id, asked }),
        20 => Is::CancelRejected(CancelRejected {
            order_id,
            cl_ord_id,
            code: 1,
            text,
        }),
        21 => Is::CancelNotDelivered(CancelNotDelivered {
            order_id,
            cl_ord_id,
        }),
        22 => Is::ReplaceRequested(ReplaceRequested {
            order_id,
            request_id,
            change: Change {
                price: Some(price),
                quantity: None,
            },
            cl_ord_id,
            original_cl_ord_id,
            exchange_order_id: Some(exchange_order_id),
            key,
            side,
            quantity,
            price,
            time_in_force: TimeInForce::Day,
            reference_version: source,
        }),
        23 => Is::OrderReplaced(OrderReplaced {
            order_id,
            cl_ord_id,
            quantity,
            price,
        }),
        24 => Is::ReplaceRejected(ReplaceRejected {
            order_id,
            cl_ord_id,
            code: 2,
            text,
        }),
        25 => Is::ReplaceNotDelivered(ReplaceNotDelivered {
            order_id,
            cl_ord_id,
        }),
        26 => Is::OrderCanceled(OrderCanceled {
            order_id,
            by: CanceledBy::Primary,
        }),
        27 => Is::OrderExpired(OrderExpired {
            order_id,
            by: ExpiredBy::SessionEnd,
        }),
        28 => Is::OrderNotDelivered(OrderNotDelivered { order_id }),
        29 => Is::OrderInDoubt(OrderInDoubt { order_id, reason }),
        30 => Is::InDoubtResolved(InDoubtResolved {
            order_id,
            outcome: Outcome::Delivered,
            request_id: maybe,
            reason,
        }),
        31 => Is::ExposureBreached(ExposureBreached { excess: quantity }),
        32 => Is::PositionFrozen(PositionFrozen {
            request_id: maybe,
            reason,
        }),
        33 => Is::PositionUnfrozen(PositionUnfrozen { request_id, reason }),
        34 => Is::PositionHandedBack(PositionHandedBack {
            request_id,
            epoch: 1,
            net,
            executions: 3,
        }),
        35 => Is::UnknownOrderReported(UnknownOrderReported {
            cl_ord_id,
            report: text,
        }),
        36 => Is::ReportContradicted(ReportContradicted {
            order_id,
            report: text,
        }),
        37 | 38 => Is::OrderPlaced(OrderPlaced {
            order_id,
            request_id,
            cl_ord_id,
            key,
            side,
            quantity,
            price,
            time_in_force: TimeInForce::Day,
            slice: 1,
            slices: 1,
        }),
        _ => Is::Executed(Executed {
            order_id,
            execution,
            exchange_order_id,
            side,
            quantity,
            price,
            venue_cumulative: 0,
            venue_leaves: 1,
            late,
        }),
    }
}

fn platform(desk: &mut Desk) -> PlatformEvent {
    use PlatformEvent as Is;
    let (request_id, kill_id, reason) = (request(desk), request(desk), text(desk));
    let (by, requested_by, approved_by) = (text(desk), text(desk), text(desk));
    let trading_date = date();
    let epoch = desk.random.random_range(1..9);
    let scopes = [HaltScope::All, HaltScope::Venue(Venue::Nse)];
    let scope = scopes[desk.random.random_range(0..2)];
    match desk.random.random_range(0..23) {
        0 => Is::ActivationRequested(ActivationRequested {
            request_id,
            trading_date,
            reason,
            outage_began_at: Timestamp(1_795_000_000_000_000_000),
            by,
        }),
        1 => Is::ActivationApproved(ActivationApproved { request_id, by }),
        2 => Is::ActivationRejected(ActivationRejected {
            request_id,
            reason,
            by,
        }),
        3 => Is::LoadingStarted(LoadingStarted { request_id, by }),
        4 => Is::PlatformActivated(PlatformActivated {
            epoch,
            trading_date,
            reason,
            requested_by: None,
            approved_by: Some(approved_by),
            activated_by: Some(by),
            request_id: None,
            without_book: chance(desk).then_some(requested_by),
        }),
        5 => Is::PlatformStoodDown(PlatformStoodDown {
            epoch,
            reason,
            by: None,
            request_id: None,
        }),
        6 => Is::HandbackRequested(HandbackRequested {
            request_id,
            epoch,
            reason,
            by,
        }),
        7 => Is::HandbackRejected(HandbackRejected {
            request_id,
            epoch,
            reason,
            by,
        }),
        8 => Is::HandbackApproved(HandbackApproved {
            request_id,
            epoch,
            by,
        }),
        9 => Is::HandbackCompleted(HandbackCompleted {
            request_id,
            epoch,
            package: HandbackPackage {
                positions: 1,
                orders: 2,
                executions: u64::MAX,
                net_digest: "00".into(),
                last_position: 9,
            },
            by,
        }),
        10 => Is::NewOrdersHalted(NewOrdersHalted {
            request_id,
            scope,
            reason,
            by,
        }),
        11 => Is::ResumeRequested(ResumeRequested {
            request_id,
            scope,
            reason,
            by,
        }),
        12 => Is::ResumeRejected(ResumeRejected {
            request_id,
            scope,
            reason,
            by,
        }),
        13 => Is::NewOrdersResumed(NewOrdersResumed {
            request_id,
            scope,
            reason,
            requested_by,
            approved_by,
        }),
        14 => Is::CancelAllRequested(CancelAllRequested {
            kill_id,
            scope,
            reason,
            by,
        }),
        15 => Is::CancelAllOrdered(CancelAllOrdered {
            request_id,
            kill_id,
            scope,
            reason,
            requested_by,
            approved_by,
        }),
        16 => Is::CancelAllRejected(CancelAllRejected {
            request_id,
            kill_id,
            reason,
            by,
        }),
        17 => Is::DisconnectRequested(DisconnectRequested {
            request_id,
            venue: Venue::Nse,
            reason,
            by,
        }),
        18 => Is::DisconnectRejected(DisconnectRejected {
            request_id,
            venue: Venue::Nse,
            reason,
            by,
        }),
        19 => Is::VenueDisconnected(VenueDisconnected {
            request_id,
            venue: Venue::Nse,
            reason,
            requested_by,
            approved_by,
        }),
        20 => Is::VenueReconnected(VenueReconnected {
            request_id,
            venue: Venue::Nse,
            reason,
            by,
        }),
        21 => Is::BookLoaded(BookLoaded {
            trading_date,
            contracts: 1,
            clients: 1,
            positions: 1,
            source: by,
        }),
        _ => Is::MarketPhaseChanged(MarketPhaseChanged {
            venue: Venue::Nse,
            segment: Segment::ALL[desk.random.random_range(0..Segment::ALL.len())],
            trading_date,
            phase: MarketPhase::PreClose,
            source: by,
        }),
    }
}

fn session(desk: &mut Desk) -> SessionEvent {
    let (venue, fence, reason) = (Venue::Nse, 1, text(desk));
    match desk.random.random_range(0..4) {
        0 => SessionEvent::SessionClaimed(SessionClaimed {
            venue,
            fence,
            share: None,
        }),
        1 => SessionEvent::SessionReady(SessionReady { venue, fence }),
        2 => SessionEvent::SessionKept(SessionKept { venue, fence }),
        _ => SessionEvent::SessionDown(SessionDown {
            venue,
            fence,
            reason,
        }),
    }
}

fn bulk_id(desk: &mut Desk) -> BulkId {
    BulkId(Uuid::from_u128(desk.random.random_range(1..4)))
}

fn bulk_event(desk: &mut Desk, bulk_id: BulkId) -> BulkEvent {
    use BulkEvent as Is;
    let (request_id, by, reason) = (request(desk), text(desk), text(desk));
    let index = desk.random.random_range(0..6);
    match desk.random.random_range(0..14) {
        0 | 1 => Is::BulkProposed(BulkProposed {
            bulk_id,
            request_id,
            filter: BulkFilter {
                segment: Some(Segment::Cash),
                expiry: Some(date()),
                ..BulkFilter::default()
            },
            terms: BulkTerms {
                price: BulkPrice::MarketableLimit,
                time_in_force: TimeInForce::Day,
                cancel_external: true,
            },
            as_of: 3,
            trading_date: date(),
            items: index,
            orders_to_cancel: 1,
            slices: 2,
            notional: u64::MAX,
            messages: 3,
            estimated_seconds: 40,
            message_rate_per_s: 10,
            reason,
            proposed_by: by,
        }),
        2 | 3 => {
            let item = BulkItem {
                key: position_key(desk),
                phase: BulkPhase::Nrml,
                net: net(desk),
                notional: 77,
                working: index,
            };
            Is::BulkItemsListed(BulkItemsListed {
                first: index,
                items: vec![item.clone(), item],
            })
        }
        4 => Is::BulkApproved(BulkApproved { request_id, by }),
        5 => Is::BulkRejected(BulkRejected {
            request_id,
            by,
            reason,
        }),
        6 => Is::BulkPaused(BulkPaused {
            request_id,
            by,
            reason,
        }),
        7 => Is::BulkResumed(BulkResumed { request_id, by }),
        8 => Is::BulkAborted(BulkAborted {
            request_id,
            by,
            reason,
        }),
        9 => Is::BulkPhaseEntered(BulkPhaseEntered {
            phase: BulkPhase::ALL[desk.random.random_range(0..BulkPhase::ALL.len())],
        }),
        10 => Is::BulkCancelsDone(BulkCancelsDone {
            items: vec![index, index],
        }),
        11 | 12 => {
            let outcomes = [
                BulkOutcome::Closed {
                    quantity: quantity(desk),
                },
                BulkOutcome::NothingToDo,
                BulkOutcome::Refused { code: text(desk) },
                BulkOutcome::Failed {
                    left: quantity(desk),
                    reason,
                },
                BulkOutcome::Skipped,
            ];
            let outcome = outcomes[desk.random.random_range(0..outcomes.len())].clone();
            Is::BulkItemsSettled(BulkItemsSettled {
                outcomes: vec![(index, outcome), (index + 1, BulkOutcome::NothingToDo)],
            })
        }
        _ => Is::BulkCompleted(BulkCompleted {
            closed: 1,
            nothing_to_do: 2,
            refused: 3,
            failed: 4,
        }),
    }
}

fn suspense(desk: &mut Desk) -> SuspenseEvent {
    let report_key = format!("R{}", desk.random.random_range(0..5));
    let (by, reason, position) = (text(desk), text(desk), position_key(desk));
    match desk.random.random_range(0..6) {
        0 | 1 => {
            let told = SuspendedExecution {
                execution: execution(desk),
                account: chance(desk).then(|| "ACC1".parse().unwrap()),
                symbol: None,
                side: side(desk),
                quantity: quantity(desk),
                price: price(desk),
            };
            SuspenseEvent::ReportSuspended(ReportSuspended {
                venue: Venue::Nse,
                report_key,
                reason,
                message: "35=8|".into(),
                execution: chance(desk).then_some(told),
            })
        }
        2 => SuspenseEvent::SuspenseMatched(SuspenseMatched {
            report_key,
            position,
            by,
            reason,
            request_id: maybe_request(desk),
        }),
        3 => SuspenseEvent::SuspenseMatchBegun(SuspenseMatchBegun {
            report_key,
            position,
            by,
            reason,
            request_id: maybe_request(desk),
        }),
        4 => SuspenseEvent::SuspenseDismissed(SuspenseDismissed {
            report_key,
            by,
            reason,
            request_id: request(desk),
        }),
        _ => SuspenseEvent::SuspenseContradicted(SuspenseContradicted {
            report_key,
            position,
            source: by,
        }),
    }
}

fn approval(desk: &mut Desk, approval_id: ApprovalId) -> ApprovalEvent {
    let (by, reason, request_id) = (text(desk), text(desk), request(desk));
    match desk.random.random_range(0..7) {
        0 | 1 => {
            let key = position_key(desk);
            let order_id = order(desk, &key);
            let change = Change {
                price: Some(price(desk)),
                quantity: None,
            };
            let limit = chance(desk).then(|| price(desk));
            let terms = SquareOffTerms {
                quantity: Wanted::All,
                price: limit.map_or(PricePolicy::MarketableLimit, PricePolicy::Limit),
                time_in_force: TimeInForce::Day,
                evidence: chance(desk).then(|| text(desk)),
            };
            let order = if chance(desk) {
                ApprovalOrder::SquareOff { terms }
            } else {
                ApprovalOrder::Modify { order_id, change }
            };
            ApprovalEvent::ApprovalAsked(ApprovalAsked {
                approval_id,
                request_id,
                key,
                order,
                quantity: quantity(desk),
                price: price(desk),
                notional: u64::MAX,
                limit: 5,
                epoch: 1,
                asked_by: by,
            })
        }
        2 => ApprovalEvent::ApprovalGiven(ApprovalGiven { request_id, by }),
        3 => ApprovalEvent::ApprovalRefused(ApprovalRefused {
            request_id,
            by,
            reason,
        }),
        4 => ApprovalEvent::ApprovalWithdrawn(ApprovalWithdrawn { request_id, by }),
        5 => ApprovalEvent::ApprovalLapsed(ApprovalLapsed { epoch: 1 }),
        _ => {
            let outcome = if chance(desk) {
                ApprovalOutcome::Ordered { request_id }
            } else {
                ApprovalOutcome::Refused {
                    code: "nothing-to-close".into(),
                    detail: reason,
                }
            };
            ApprovalEvent::ApprovalConcluded(ApprovalConcluded { outcome })
        }
    }
}
