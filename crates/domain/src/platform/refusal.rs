//! Why the platform does not do what was asked, and why an order may not pass: flat lists, in order of precedence.

use super::event::{HaltScope, MarketPhase};
use super::state::Phase;
use crate::id::{RequestId, Venue};
use crate::time::TradingDate;
use thiserror::Error;

/// Why a request of a person can't be. The first that applies is the answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlatformRefusal {
    /// The id came before with another request, or from another person.
    #[error("this request id was used before for another request")]
    RequestIdReused,
    /// Activation asked for while an epoch is in force, also one that is being handed back.
    #[error("the platform is already active (epoch {epoch})")]
    AlreadyActive { epoch: u32 },
    /// Activation asked for while another one waits.
    #[error("{requested_by} has asked for an activation already")]
    ActivationPending { requested_by: String },
    /// Approving or rejecting an activation nobody asked for, or approving one a second time.
    #[error("no activation waits for this (the platform is {})", phase.as_str())]
    NoActivationPending { phase: Phase },
    /// Loading or activating what no second person has approved.
    #[error("no activation is approved (the platform's state is {})", phase.as_str())]
    NotApproved { phase: Phase },
    /// Activating for a day of which nobody knows what is open and what may be traded.
    #[error(
        "the book of {date} is not loaded: import its contracts, clients and positions, or say why to activate without it"
    )]
    BookNotLoaded { date: TradingDate },
    /// Standing down or handing back what is not active.
    #[error("the platform is not active but {}", phase.as_str())]
    NotActive { phase: Phase },
    /// Approving or rejecting a hand-back nobody asked for.
    #[error("no hand-back waits for this (the platform is {})", phase.as_str())]
    NoHandbackPending { phase: Phase },
    /// Completing a hand-back that is not approved.
    #[error("the platform is not draining but {}", phase.as_str())]
    NotDraining { phase: Phase },
    /// Halting what is halted: the first reason stays.
    #[error("new orders are already halted for {scope}")]
    AlreadyHalted { scope: HaltScope },
    /// Resuming a scope that is not halted, or only under a wider or narrower one.
    #[error("new orders are not halted for {scope}")]
    NotHalted { scope: HaltScope },
    /// Asking to resume what somebody has asked to resume.
    #[error("{requested_by} has asked to resume {scope} already")]
    ResumePending {
        scope: HaltScope,
        requested_by: String,
    },
    /// Approving or rejecting a resume nobody asked for.
    #[error("nobody has asked to resume {scope}")]
    NoResumePending { scope: HaltScope },
    /// More cancel-alls waiting for a second person than make sense.
    #[error("{limit} cancel-alls are waiting for approval already")]
    TooManyCancelAlls { limit: usize },
    /// Approving or rejecting a cancel-all that does not wait: never asked for, or answered before.
    #[error("no cancel-all {kill_id} waits for approval")]
    UnknownCancelAll { kill_id: RequestId },
    /// Disconnecting from a venue in which new orders still go: the kill switch comes first, so that a reconnect starts nothing.
    #[error("new orders are not halted for {venue}: halt them first")]
    HaltFirst { venue: Venue },
    /// Disconnecting what is disconnected.
    #[error("{venue} is already disconnected")]
    AlreadyDisconnected { venue: Venue },
    /// Asking to disconnect what somebody has asked to disconnect.
    #[error("{requested_by} has asked to disconnect {venue} already")]
    DisconnectPending { venue: Venue, requested_by: String },
    /// Approving or rejecting a disconnect nobody asked for.
    #[error("nobody has asked to disconnect {venue}")]
    NoDisconnectPending { venue: Venue },
    /// Reconnecting what is connected.
    #[error("{venue} is not disconnected")]
    NotDisconnected { venue: Venue },
    /// Nobody approves their own request.
    #[error("{by} has asked for this: another person has to approve")]
    OwnRequest { by: String },
}

impl PlatformRefusal {
    /// A stable name for programs: the last part of the problem type's URI.
    pub const fn code(&self) -> &'static str {
        match self {
            PlatformRefusal::RequestIdReused => "idempotency-key-reused",
            PlatformRefusal::AlreadyActive { .. } => "platform-already-active",
            PlatformRefusal::ActivationPending { .. } => "activation-pending",
            PlatformRefusal::NoActivationPending { .. } => "no-activation-pending",
            PlatformRefusal::NotApproved { .. } => "activation-not-approved",
            PlatformRefusal::BookNotLoaded { .. } => "book-not-loaded",
            PlatformRefusal::NotActive { .. } => "platform-not-active",
            PlatformRefusal::NoHandbackPending { .. } => "no-handback-pending",
            PlatformRefusal::NotDraining { .. } => "platform-not-draining",
            PlatformRefusal::AlreadyHalted { .. } => "already-halted",
            PlatformRefusal::NotHalted { .. } => "not-halted",
            PlatformRefusal::ResumePending { .. } => "resume-pending",
            PlatformRefusal::NoResumePending { .. } => "no-resume-pending",
            PlatformRefusal::TooManyCancelAlls { .. } => "too-many-cancel-alls",
            PlatformRefusal::UnknownCancelAll { .. } => "unknown-cancel-all",
            PlatformRefusal::HaltFirst { .. } => "halt-first",
            PlatformRefusal::AlreadyDisconnected { .. } => "already-disconnected",
            PlatformRefusal::DisconnectPending { .. } => "disconnect-pending",
            PlatformRefusal::NoDisconnectPending { .. } => "no-disconnect-pending",
            PlatformRefusal::NotDisconnected { .. } => "not-disconnected",
            PlatformRefusal::OwnRequest { .. } => "own-request",
        }
    }
}

/// Why no new order may go now. The first that applies is the answer; a cancel never asks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Gate {
    /// No epoch takes new orders: dormant, not yet active, or being handed back.
    #[error("the platform is {}", state.as_str())]
    NotActive { state: Phase },
    /// The position is of another day than the activation.
    #[error("the platform is not active for {date}")]
    OtherDate { date: TradingDate },
    /// The kill switch of this scope is on.
    #[error("new orders are halted for {scope}: {reason}")]
    Halted { scope: HaltScope, reason: String },
    /// The segment is not in continuous trading; without a phase nobody has told of it today.
    #[error("the market is {}", phase.map_or("in no known phase", MarketPhase::as_str))]
    MarketNotOpen { phase: Option<MarketPhase> },
}

impl Gate {
    /// A stable name for programs: the last part of the problem type's URI.
    pub const fn code(&self) -> &'static str {
        match self {
            Gate::NotActive { .. } => "platform-not-active",
            Gate::OtherDate { .. } => "other-trading-date",
            Gate::Halted { .. } => "new-orders-halted",
            Gate::MarketNotOpen { .. } => "market-not-open",
        }
    }
}
