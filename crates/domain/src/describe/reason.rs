//! The reason that stands in an event, word for word: what a person gave, or what the outside said of it.

use crate::Event;
use crate::approval::{ApprovalEvent, ApprovalOrder};
use crate::bulk::BulkEvent;
use crate::client::ClientEvent;
use crate::people::PersonEvent;
use crate::platform::PlatformEvent;
use crate::position::PositionEvent;
use crate::refusals::RefusalEvent;
use crate::session::SessionEvent;
use crate::suspense::SuspenseEvent;

/// The reason given in the event; `None` where it has none, or an empty one. A square-off's reason is its evidence: where the client's
/// instruction is kept.
pub fn reason_of(event: &Event) -> Option<&str> {
    let reason = match event {
        Event::Approval(event) => approval(event),
        Event::Bulk(event) => bulk(event),
        Event::Platform(event) => platform(event),
        Event::Position(event) => position(event),
        Event::Refusal(RefusalEvent::RequestRefused(refused)) => Some(refused.detail.as_str()),
        Event::Session(event) => match event {
            SessionEvent::SessionDown(down) => Some(down.reason.as_str()),
            SessionEvent::SessionClaimed(_)
            | SessionEvent::SessionReady(_)
            | SessionEvent::SessionKept(_) => None,
        },
        Event::Suspense(event) => match event {
            SuspenseEvent::ReportSuspended(report) => Some(report.reason.as_str()),
            SuspenseEvent::SuspenseMatchBegun(begun) => Some(begun.reason.as_str()),
            SuspenseEvent::SuspenseMatched(matched) => Some(matched.reason.as_str()),
            SuspenseEvent::SuspenseDismissed(dismissed) => Some(dismissed.reason.as_str()),
            SuspenseEvent::SuspenseContradicted(_) => None,
        },
        Event::Client(event) => match event {
            ClientEvent::ClientKeyRotated(event) => Some(event.reason.as_str()),
            ClientEvent::ClientIdentityRevealed(event) => Some(event.reason.as_str()),
            ClientEvent::ClientErased(event) => Some(event.reason.as_str()),
            ClientEvent::ClientRegistered(_)
            | ClientEvent::ClientIdentityRecorded(_)
            | ClientEvent::CallerVerified(_)
            | ClientEvent::CallerVerificationFailed(_) => None,
        },
        Event::Person(event) => person(event),
        Event::Contract(_) | Event::Seal(_) => None,
    };
    reason.filter(|reason| !reason.is_empty())
}

fn approval(event: &ApprovalEvent) -> Option<&str> {
    match event {
        ApprovalEvent::ApprovalAsked(asked) => match &asked.order {
            ApprovalOrder::SquareOff { terms } => terms.evidence.as_deref(),
            ApprovalOrder::Modify { .. } => None,
        },
        ApprovalEvent::ApprovalRefused(event) => Some(&event.reason),
        ApprovalEvent::ApprovalGiven(_)
        | ApprovalEvent::ApprovalWithdrawn(_)
        | ApprovalEvent::ApprovalLapsed(_)
        | ApprovalEvent::ApprovalConcluded(_) => None,
    }
}

fn bulk(event: &BulkEvent) -> Option<&str> {
    match event {
        BulkEvent::BulkProposed(event) => Some(&event.reason),
        BulkEvent::BulkRejected(event) => Some(&event.reason),
        BulkEvent::BulkPaused(event) => Some(&event.reason),
        BulkEvent::BulkAborted(event) => Some(&event.reason),
        BulkEvent::BulkItemsListed(_)
        | BulkEvent::BulkApproved(_)
        | BulkEvent::BulkResumed(_)
        | BulkEvent::BulkPhaseEntered(_)
        | BulkEvent::BulkCancelsDone(_)
        | BulkEvent::BulkItemsSettled(_)
        | BulkEvent::BulkCompleted(_) => None,
    }
}

fn person(event: &PersonEvent) -> Option<&str> {
    match event {
        PersonEvent::OperatorEnrolled(event) => Some(&event.reason),
        PersonEvent::RoleChanged(event) => Some(&event.reason),
        PersonEvent::OperatorDisabled(event) => Some(&event.reason),
        PersonEvent::OperatorReinstated(event) => Some(&event.reason),
        PersonEvent::CredentialsReset(event) => Some(&event.reason),
        PersonEvent::PasswordSet(_)
        | PersonEvent::SecondFactorEnrolled(_)
        | PersonEvent::RecoveryCodesMade(_)
        | PersonEvent::LoggedIn(_)
        | PersonEvent::LoggedOut(_)
        | PersonEvent::LogInRevoked(_)
        | PersonEvent::RefreshTokenReused(_)
        | PersonEvent::LogInLockedOut(_) => None,
    }
}

fn platform(event: &PlatformEvent) -> Option<&str> {
    match event {
        PlatformEvent::ActivationRequested(event) => Some(&event.reason),
        PlatformEvent::ActivationRejected(event) => Some(&event.reason),
        PlatformEvent::PlatformActivated(event) => Some(&event.reason),
        PlatformEvent::PlatformStoodDown(event) => Some(&event.reason),
        PlatformEvent::HandbackRequested(event) => Some(&event.reason),
        PlatformEvent::HandbackRejected(event) => Some(&event.reason),
        PlatformEvent::NewOrdersHalted(event) => Some(&event.reason),
        PlatformEvent::ResumeRequested(event) => Some(&event.reason),
        PlatformEvent::ResumeRejected(event) => Some(&event.reason),
        PlatformEvent::NewOrdersResumed(event) => Some(&event.reason),
        PlatformEvent::CancelAllRequested(event) => Some(&event.reason),
        PlatformEvent::CancelAllOrdered(event) => Some(&event.reason),
        PlatformEvent::CancelAllRejected(event) => Some(&event.reason),
        PlatformEvent::DisconnectRequested(event) => Some(&event.reason),
        PlatformEvent::DisconnectRejected(event) => Some(&event.reason),
        PlatformEvent::VenueDisconnected(event) => Some(&event.reason),
        PlatformEvent::VenueReconnected(event) => Some(&event.reason),
        PlatformEvent::ActivationApproved(_)
        | PlatformEvent::LoadingStarted(_)
        | PlatformEvent::BookLoaded(_)
        | PlatformEvent::HandbackApproved(_)
        | PlatformEvent::HandbackCompleted(_)
        | PlatformEvent::MarketPhaseChanged(_) => None,
    }
}

fn position(event: &PositionEvent) -> Option<&str> {
    match event {
        PositionEvent::SquareOffAccepted(event) => event.terms.evidence.as_deref(),
        PositionEvent::OrderFrozen(event) => Some(&event.text),
        PositionEvent::OrderRejected(event) => Some(&event.text),
        PositionEvent::CancelRejected(event) => Some(&event.text),
        PositionEvent::ReplaceRejected(event) => Some(&event.text),
        PositionEvent::OrderInDoubt(event) => Some(&event.reason),
        PositionEvent::InDoubtResolved(event) => Some(&event.reason),
        PositionEvent::PositionFrozen(event) => Some(&event.reason),
        PositionEvent::PositionUnfrozen(event) => Some(&event.reason),
        PositionEvent::ReportContradicted(event) => Some(&event.report),
        PositionEvent::UnknownOrderReported(event) => Some(&event.report),
        PositionEvent::BodLoaded(_)
        | PositionEvent::BodContradicted(_)
        | PositionEvent::PrimaryTradeApplied(_)
        | PositionEvent::ExternalOrderObserved(_)
        | PositionEvent::ExternalOrderUpdated(_)
        | PositionEvent::OrderPlaced(_)
        | PositionEvent::OrderDispatched(_)
        | PositionEvent::OrderAcknowledged(_)
        | PositionEvent::Executed(_)
        | PositionEvent::ExecutionConflicted(_)
        | PositionEvent::ExecutionBusted(_)
        | PositionEvent::ExecutionCorrected(_)
        | PositionEvent::TradeConfirmed(_)
        | PositionEvent::OverfillDetected(_)
        | PositionEvent::CancelRequested(_)
        | PositionEvent::CancelQueued(_)
        | PositionEvent::CancelNotDelivered(_)
        | PositionEvent::ReplaceRequested(_)
        | PositionEvent::OrderReplaced(_)
        | PositionEvent::ReplaceNotDelivered(_)
        | PositionEvent::OrderCanceled(_)
        | PositionEvent::OrderExpired(_)
        | PositionEvent::OrderNotDelivered(_)
        | PositionEvent::ExposureBreached(_)
        | PositionEvent::PositionHandedBack(_) => None,
    }
}
