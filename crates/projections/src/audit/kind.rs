//! What an event is to the audit trail.

use squareoff_domain::Event;
use squareoff_domain::approval::ApprovalEvent;
use squareoff_domain::bulk::BulkEvent;
use squareoff_domain::client::ClientEvent;
use squareoff_domain::people::PersonEvent;
use squareoff_domain::platform::PlatformEvent;
use squareoff_domain::position::PositionEvent;
use squareoff_domain::session::SessionEvent;
use squareoff_domain::suspense::SuspenseEvent;

/// Who is behind an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditKind {
    /// Somebody asked, and it was done.
    Ask,
    /// The exchange, the primary, the drop copy or a process of ours told.
    Fact,
    /// Somebody asked, and it was refused.
    Refusal,
}

impl AuditKind {
    pub const ALL: &'static [AuditKind] = &[AuditKind::Ask, AuditKind::Fact, AuditKind::Refusal];

    pub const fn as_str(self) -> &'static str {
        match self {
            AuditKind::Ask => "ask",
            AuditKind::Fact => "fact",
            AuditKind::Refusal => "refusal",
        }
    }
}

pub fn kind_of(event: &Event) -> AuditKind {
    let asked = match event {
        Event::Refusal(_) => return AuditKind::Refusal,
        Event::Approval(event) => approval_asked(event),
        Event::Bulk(event) => bulk_asked(event),
        Event::Platform(event) => !matches!(
            event,
            PlatformEvent::BookLoaded(_) | PlatformEvent::MarketPhaseChanged(_)
        ),
        Event::Position(event) => position_asked(event),
        Event::Suspense(event) => match event {
            SuspenseEvent::SuspenseMatchBegun(begun) => begun.request_id.is_some(),
            SuspenseEvent::SuspenseMatched(matched) => matched.request_id.is_some(),
            SuspenseEvent::SuspenseDismissed(_) => true,
            SuspenseEvent::ReportSuspended(_) | SuspenseEvent::SuspenseContradicted(_) => false,
        },
        Event::Client(event) => client_asked(event),
        Event::Person(event) => person_asked(event),
        Event::Contract(_) | Event::Seal(_) | Event::Session(_) => false,
    };
    if asked {
        AuditKind::Ask
    } else {
        AuditKind::Fact
    }
}

/// Whether the trail has a row of the event. What every order has alike is seen in `orders`: its placing, dispatch and acknowledgement.
/// Lines of the book, the log's own checkpoints and a session's being kept stand in the log alone. Fills are asked of the fold: see [`super::entry`].
pub(super) const fn is_kept(event: &Event) -> bool {
    match event {
        Event::Client(event) => client_asked(event),
        Event::Contract(_) | Event::Seal(_) => false,
        Event::Position(event) => !matches!(
            event,
            PositionEvent::BodLoaded(_)
                | PositionEvent::OrderPlaced(_)
                | PositionEvent::OrderDispatched(_)
                | PositionEvent::OrderAcknowledged(_)
        ),
        Event::Approval(_)
        | Event::Bulk(_)
        | Event::Person(_)
        | Event::Platform(_)
        | Event::Refusal(_)
        | Event::Suspense(_) => true,
        Event::Session(event) => !matches!(event, SessionEvent::SessionKept(_)),
    }
}

/// Whether the event belongs to the story of an incident: what people decided about platform, bulks and orders above the limit, and what sessions and markets
/// did.
pub(super) fn is_timeline(event: &Event) -> bool {
    match event {
        // What needs two people is part of the story.
        Event::Approval(_) | Event::Platform(_) => true,
        Event::Session(event) => !matches!(event, SessionEvent::SessionKept(_)),
        Event::Bulk(event) => match event {
            BulkEvent::BulkProposed(_)
            | BulkEvent::BulkApproved(_)
            | BulkEvent::BulkRejected(_)
            | BulkEvent::BulkPaused(_)
            | BulkEvent::BulkResumed(_)
            | BulkEvent::BulkAborted(_)
            | BulkEvent::BulkPhaseEntered(_)
            | BulkEvent::BulkCompleted(_) => true,
            BulkEvent::BulkItemsListed(_)
            | BulkEvent::BulkCancelsDone(_)
            | BulkEvent::BulkItemsSettled(_) => false,
        },
        Event::Client(_)
        | Event::Contract(_)
        | Event::Person(_)
        | Event::Position(_)
        | Event::Refusal(_)
        | Event::Seal(_)
        | Event::Suspense(_) => false,
    }
}

/// What a person did with an identity, told apart from the lines of the client master.
const fn client_asked(event: &ClientEvent) -> bool {
    match event {
        ClientEvent::ClientKeyRotated(_)
        | ClientEvent::ClientIdentityRevealed(_)
        | ClientEvent::ClientErased(_)
        | ClientEvent::CallerVerified(_)
        | ClientEvent::CallerVerificationFailed(_) => true,
        ClientEvent::ClientRegistered(_) | ClientEvent::ClientIdentityRecorded(_) => false,
    }
}

/// What somebody did, told apart from what was found about them.
const fn person_asked(event: &PersonEvent) -> bool {
    match event {
        PersonEvent::OperatorEnrolled(_)
        | PersonEvent::RoleChanged(_)
        | PersonEvent::OperatorDisabled(_)
        | PersonEvent::OperatorReinstated(_)
        | PersonEvent::CredentialsReset(_)
        | PersonEvent::PasswordSet(_)
        | PersonEvent::SecondFactorEnrolled(_)
        | PersonEvent::RecoveryCodesMade(_)
        | PersonEvent::LoggedIn(_)
        | PersonEvent::LoggedOut(_)
        | PersonEvent::LogInRevoked(_) => true,
        PersonEvent::RefreshTokenReused(_) | PersonEvent::LogInLockedOut(_) => false,
    }
}

const fn approval_asked(event: &ApprovalEvent) -> bool {
    match event {
        ApprovalEvent::ApprovalAsked(_)
        | ApprovalEvent::ApprovalGiven(_)
        | ApprovalEvent::ApprovalRefused(_)
        | ApprovalEvent::ApprovalWithdrawn(_) => true,
        ApprovalEvent::ApprovalLapsed(_) | ApprovalEvent::ApprovalConcluded(_) => false,
    }
}

const fn bulk_asked(event: &BulkEvent) -> bool {
    match event {
        BulkEvent::BulkProposed(_)
        | BulkEvent::BulkItemsListed(_)
        | BulkEvent::BulkApproved(_)
        | BulkEvent::BulkRejected(_)
        | BulkEvent::BulkPaused(_)
        | BulkEvent::BulkResumed(_)
        | BulkEvent::BulkAborted(_) => true,
        BulkEvent::BulkPhaseEntered(_)
        | BulkEvent::BulkCancelsDone(_)
        | BulkEvent::BulkItemsSettled(_)
        | BulkEvent::BulkCompleted(_) => false,
    }
}

/// A cancel, a freeze or the end of a doubt may be a rule's doing: then nobody asked.
const fn position_asked(event: &PositionEvent) -> bool {
    match event {
        PositionEvent::SquareOffAccepted(_)
        | PositionEvent::OrderPlaced(_)
        | PositionEvent::ReplaceRequested(_)
        | PositionEvent::PositionUnfrozen(_)
        | PositionEvent::PositionHandedBack(_) => true,
        PositionEvent::CancelRequested(event) => event.asked.is_some(),
        PositionEvent::CancelQueued(event) => event.asked.is_some(),
        PositionEvent::InDoubtResolved(event) => event.request_id.is_some(),
        PositionEvent::PositionFrozen(event) => event.request_id.is_some(),
        PositionEvent::BodLoaded(_)
        | PositionEvent::BodContradicted(_)
        | PositionEvent::PrimaryTradeApplied(_)
        | PositionEvent::ExternalOrderObserved(_)
        | PositionEvent::ExternalOrderUpdated(_)
        | PositionEvent::OrderDispatched(_)
        | PositionEvent::OrderAcknowledged(_)
        | PositionEvent::OrderFrozen(_)
        | PositionEvent::OrderRejected(_)
        | PositionEvent::Executed(_)
        | PositionEvent::ExecutionConflicted(_)
        | PositionEvent::ExecutionBusted(_)
        | PositionEvent::ExecutionCorrected(_)
        | PositionEvent::TradeConfirmed(_)
        | PositionEvent::OverfillDetected(_)
        | PositionEvent::CancelRejected(_)
        | PositionEvent::CancelNotDelivered(_)
        | PositionEvent::OrderReplaced(_)
        | PositionEvent::ReplaceRejected(_)
        | PositionEvent::ReplaceNotDelivered(_)
        | PositionEvent::OrderCanceled(_)
        | PositionEvent::OrderExpired(_)
        | PositionEvent::OrderNotDelivered(_)
        | PositionEvent::OrderInDoubt(_)
        | PositionEvent::ExposureBreached(_)
        | PositionEvent::ReportContradicted(_)
        | PositionEvent::UnknownOrderReported(_) => false,
    }
}
