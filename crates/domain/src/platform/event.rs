//! What happened to the platform. A contract for ever: fields are added, never renamed or retyped; a changed meaning is a new event.
//!
//! Here, unlike elsewhere, the events name the people: who asked and who approved is what the rules of this stream are about. `by` is
//! always the actor of the event's envelope. `request_id` is the request of a person that the event answers.

use crate::id::{RequestId, Segment, Venue};
use crate::time::{Timestamp, TradingDate};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A person asked to activate the platform; another one has to approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationRequested {
    pub request_id: RequestId,
    pub trading_date: TradingDate,
    pub reason: String,
    /// Since when the primary platform has been down: the start of the incident for the regulator's report.
    pub outage_began_at: Timestamp,
    pub by: String,
}

/// A second person approved the activation that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationApproved {
    pub request_id: RequestId,
    pub by: String,
}

/// The activation will not be: refused by another person, or withdrawn by the one who asked (`by` tells which).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationRejected {
    pub request_id: RequestId,
    pub reason: String,
    pub by: String,
}

/// The positions of the beginning of the day are being loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadingStarted {
    pub request_id: RequestId,
    pub by: String,
}

/// The book of a trading day is in the log whole: contracts, clients and positions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookLoaded {
    pub trading_date: TradingDate,
    /// Instruments of its contract file.
    pub contracts: u64,
    /// Clients that it names.
    pub clients: u64,
    /// Positions that it opens the day with.
    pub positions: u64,
    /// The files' versions.
    pub source: String,
}

/// The platform may accept square-offs for `trading_date`. Version 1 had only epoch, date and reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformActivated {
    /// One more than that of the activation before; never used again.
    pub epoch: u32,
    pub trading_date: TradingDate,
    pub reason: String,
    /// Unknown in what version 1 wrote, as are the next three.
    pub requested_by: Option<String>,
    /// Absent when one person activated from the machine itself (`ActivateAlone`).
    pub approved_by: Option<String>,
    /// Who activated it once it was approved and loaded.
    pub activated_by: Option<String>,
    pub request_id: Option<RequestId>,
    /// Why it had to be although the day's book was not loaded; left out when nobody asked for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_book: Option<String>,
}

/// The platform is dormant again at once; what is on its way at the exchange still comes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformStoodDown {
    pub epoch: u32,
    pub reason: String,
    /// Absent in events from before it was written, as is the next.
    #[serde(default)]
    pub by: Option<String>,
    #[serde(default)]
    pub request_id: Option<RequestId>,
}

/// A person asked to hand the positions back to the primary platform. No new square-offs from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandbackRequested {
    pub request_id: RequestId,
    pub epoch: u32,
    pub reason: String,
    pub by: String,
}

/// The hand-back will not be, or was withdrawn: the platform is active as before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandbackRejected {
    pub request_id: RequestId,
    pub epoch: u32,
    pub reason: String,
    pub by: String,
}

/// A second person approved: what works at the exchange finishes or is cancelled, nothing new begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandbackApproved {
    pub request_id: RequestId,
    pub epoch: u32,
    pub by: String,
}

/// What the primary platform gets, as numbers to check it by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandbackPackage {
    /// How many positions.
    pub positions: u64,
    /// How many orders, ours and external.
    pub orders: u64,
    /// How many executions, of ours and of others.
    pub executions: u64,
    /// SHA-256 of the net quantity of each position, in hexadecimal.
    pub net_digest: String,
    /// The log position up to which the package holds everything.
    pub last_position: u64,
}

/// The primary platform has the positions. The epoch is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandbackCompleted {
    pub request_id: RequestId,
    pub epoch: u32,
    pub package: HandbackPackage,
    pub by: String,
}

/// What a kill switch is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HaltScope {
    All,
    Venue(Venue),
    Segment { venue: Venue, segment: Segment },
}

impl HaltScope {
    /// Whether an order for this segment falls under the switch.
    pub fn covers(self, venue: Venue, segment: Segment) -> bool {
        match self {
            HaltScope::All => true,
            HaltScope::Venue(halted) => halted == venue,
            HaltScope::Segment {
                venue: of,
                segment: halted,
            } => (of, halted) == (venue, segment),
        }
    }
}

/// `all`, `NSE`, `NSE/FO`.
impl fmt::Display for HaltScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HaltScope::All => f.write_str("all"),
            HaltScope::Venue(venue) => venue.fmt(f),
            HaltScope::Segment { venue, segment } => write!(f, "{venue}/{segment}"),
        }
    }
}

/// The kill switch: no new orders in the scope. Cancels go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOrdersHalted {
    pub request_id: RequestId,
    pub scope: HaltScope,
    pub reason: String,
    pub by: String,
}

/// A person asked to take the halt of this very scope back; another one has to approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeRequested {
    pub request_id: RequestId,
    pub scope: HaltScope,
    pub reason: String,
    pub by: String,
}

/// The halt stays: refused by another person, or withdrawn by the one who asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeRejected {
    pub request_id: RequestId,
    pub scope: HaltScope,
    pub reason: String,
    pub by: String,
}

/// The halt of this scope is over. A wider or narrower one that was set too stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOrdersResumed {
    pub request_id: RequestId,
    pub scope: HaltScope,
    pub reason: String,
    pub requested_by: String,
    pub approved_by: String,
}

/// A person asked to cancel every working order in the scope. `kill_id` is the id of that request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelAllRequested {
    pub kill_id: RequestId,
    pub scope: HaltScope,
    pub reason: String,
    pub by: String,
}

/// Every working order in the scope, ours and external, is to be cancelled: approved by a second person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelAllOrdered {
    pub request_id: RequestId,
    pub kill_id: RequestId,
    pub scope: HaltScope,
    pub reason: String,
    pub requested_by: String,
    pub approved_by: String,
}

/// The cancel-all will not be: refused by another person, or withdrawn by the one who asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelAllRejected {
    pub request_id: RequestId,
    pub kill_id: RequestId,
    pub reason: String,
    pub by: String,
}

/// A person asked to disconnect from a venue: every session to it is to log out. Another one has to approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisconnectRequested {
    pub request_id: RequestId,
    pub venue: Venue,
    pub reason: String,
    pub by: String,
}

/// The sessions stay: refused by another person, or withdrawn by the one who asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisconnectRejected {
    pub request_id: RequestId,
    pub venue: Venue,
    pub reason: String,
    pub by: String,
}

/// Every session to the venue logs out and stays away until `VenueReconnected`: approved by a second person. Where cancel-on-disconnect
/// is set the venue cancels what works there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueDisconnected {
    pub request_id: RequestId,
    pub venue: Venue,
    pub reason: String,
    pub requested_by: String,
    pub approved_by: String,
}

/// The sessions to the venue log on again. The halt that preceded the disconnect stays: nothing new goes by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueReconnected {
    pub request_id: RequestId,
    pub venue: Venue,
    pub reason: String,
    pub by: String,
}

/// Where a segment's trading day is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarketPhase {
    PreOpen,
    /// Continuous trading: the only phase in which new orders go.
    Open,
    PreClose,
    Closed,
    /// Stopped by the venue in the middle of the day.
    Halted,
}

impl MarketPhase {
    pub const fn as_str(self) -> &'static str {
        match self {
            MarketPhase::PreOpen => "pre-open",
            MarketPhase::Open => "open",
            MarketPhase::PreClose => "pre-close",
            MarketPhase::Closed => "closed",
            MarketPhase::Halted => "halted",
        }
    }
}

impl fmt::Display for MarketPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A segment went into another phase of `trading_date`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketPhaseChanged {
    pub venue: Venue,
    pub segment: Segment,
    /// The day that is spoken of: yesterday's `open` says nothing of today.
    pub trading_date: TradingDate,
    pub phase: MarketPhase,
    /// Who says so: a session of the exchange, a person.
    pub source: String,
}

/// Every event of the platform's stream, `platform`. The variant's name is the event's type in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlatformEvent {
    ActivationRequested(ActivationRequested),
    ActivationApproved(ActivationApproved),
    ActivationRejected(ActivationRejected),
    LoadingStarted(LoadingStarted),
    BookLoaded(BookLoaded),
    PlatformActivated(PlatformActivated),
    PlatformStoodDown(PlatformStoodDown),
    HandbackRequested(HandbackRequested),
    HandbackRejected(HandbackRejected),
    HandbackApproved(HandbackApproved),
    HandbackCompleted(HandbackCompleted),
    NewOrdersHalted(NewOrdersHalted),
    ResumeRequested(ResumeRequested),
    ResumeRejected(ResumeRejected),
    NewOrdersResumed(NewOrdersResumed),
    CancelAllRequested(CancelAllRequested),
    CancelAllOrdered(CancelAllOrdered),
    CancelAllRejected(CancelAllRejected),
    DisconnectRequested(DisconnectRequested),
    DisconnectRejected(DisconnectRejected),
    VenueDisconnected(VenueDisconnected),
    VenueReconnected(VenueReconnected),
    MarketPhaseChanged(MarketPhaseChanged),
}
