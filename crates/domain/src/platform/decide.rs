//! What people may ask of the platform, and what the exchange tells it.

mod activation;
mod handback;
mod kill_switch;

use super::event::*;
use super::refusal::PlatformRefusal;
use super::state::{Phase, Platform};
use crate::id::{RequestId, Segment, Venue};
use crate::time::{Timestamp, TradingDate};

/// Cancel-alls that may wait for a second person at once: one for each segment of each venue and some more.
pub const CANCEL_ALLS_PENDING_MAX: usize = 16;

/// A request of one person. Each that is accepted gives one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformRequest {
    pub request_id: RequestId,
    /// The person: the operator's id, the actor of the event's envelope.
    pub by: String,
    pub ask: PlatformAsk,
}

/// What a person may ask of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlatformAsk {
    /// From Dormant or HandedBack to Requested.
    RequestActivation {
        trading_date: TradingDate,
        reason: String,
        /// Since when the primary platform has been down.
        outage_began_at: Timestamp,
    },
    /// To Approved, by another person than the one who asked.
    ApproveActivation,
    /// Back to Dormant, by anybody: the person who asked withdraws. Until the platform is active.
    RejectActivation {
        reason: String,
    },
    /// To Loading.
    StartLoading,
    /// To Active, in a new epoch: the day's book is loaded.
    Activate {
        /// Why it must be although the book is not loaded: the primary may be gone with its files, and what the exchange tells can
        /// still be cancelled and closed.
        without_book: Option<String>,
    },
    /// From Dormant or HandedBack to Active by one person alone: for the machine's own command line, when there is nobody to ask and no
    /// interface to ask through.
    ActivateAlone {
        trading_date: TradingDate,
        reason: String,
        /// As in `Activate`.
        without_book: Option<String>,
    },
    /// Active to HandbackRequested.
    RequestHandback {
        reason: String,
    },
    /// Back to Active, by anybody: the person who asked withdraws.
    RejectHandback {
        reason: String,
    },
    /// To Draining, by another person than the one who asked.
    ApproveHandback,
    /// To HandedBack. Whoever asks has seen that nothing works at the exchange any more.
    CompleteHandback {
        package: HandbackPackage,
    },
    /// To Dormant at once, from whatever epoch is in force.
    StandDown {
        reason: String,
    },
    /// No new orders in the scope, at once, in any phase.
    Halt {
        scope: HaltScope,
        reason: String,
    },
    RequestResume {
        scope: HaltScope,
        reason: String,
    },
    /// By another person than the one who asked.
    ApproveResume {
        scope: HaltScope,
    },
    /// The halt stays, by anybody.
    RejectResume {
        scope: HaltScope,
        reason: String,
    },
    /// The request's id becomes the `kill_id`.
    RequestCancelAll {
        scope: HaltScope,
        reason: String,
    },
    /// By another person than the one who asked.
    ApproveCancelAll {
        kill_id: RequestId,
    },
    /// By anybody.
    RejectCancelAll {
        kill_id: RequestId,
        reason: String,
    },
    /// Only where new orders are halted.
    RequestDisconnect {
        venue: Venue,
        reason: String,
    },
    /// By another person than the one who asked.
    ApproveDisconnect {
        venue: Venue,
    },
    /// The sessions stay, by anybody.
    RejectDisconnect {
        venue: Venue,
        reason: String,
    },
    /// By one person: the halt stays.
    Reconnect {
        venue: Venue,
        reason: String,
    },
}

/// What the platform is told. A fact: it can't be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlatformReport {
    /// A book was imported whole.
    Book(BookLoaded),
    MarketPhase {
        venue: Venue,
        segment: Segment,
        /// The day that the source speaks of.
        trading_date: TradingDate,
        phase: MarketPhase,
        source: String,
    },
}

/// What is told again, or of a day that is over, gives no event.
pub fn record(platform: &Platform, report: PlatformReport) -> Vec<PlatformEvent> {
    let (venue, segment, trading_date, phase, source) = match report {
        PlatformReport::Book(book) => {
            let known = platform.books.get(&book.trading_date) == Some(&book.source);
            return if known {
                vec![]
            } else {
                vec![PlatformEvent::BookLoaded(book)]
            };
        }
        PlatformReport::MarketPhase {
            venue,
            segment,
            trading_date,
            phase,
            source,
        } => (venue, segment, trading_date, phase, source),
    };
    let known = platform.markets.get(&(venue, segment)).is_some_and(|last| {
        trading_date < last.trading_date || (trading_date, phase) == (last.trading_date, last.phase)
    });
    if known {
        return vec![];
    }
    vec![PlatformEvent::MarketPhaseChanged(MarketPhaseChanged {
        venue,
        segment,
        trading_date,
        phase,
        source,
    })]
}

/// # Errors
/// [`PlatformRefusal`], in its order of precedence. A request repeated gives no events: its first answer stands.
pub fn decide(
    platform: &Platform,
    request: PlatformRequest,
) -> Result<Vec<PlatformEvent>, PlatformRefusal> {
    if let Some(first) = platform.requests.get(&request.request_id) {
        return if *first == request {
            Ok(vec![])
        } else {
            Err(PlatformRefusal::RequestIdReused)
        };
    }
    answer(platform, request).map(|event| vec![event])
}

/// A new request, and the platform it meets.
struct Asked<'a> {
    platform: &'a Platform,
    request_id: RequestId,
    by: String,
}

type Answer = Result<PlatformEvent, PlatformRefusal>;

fn answer(platform: &Platform, request: PlatformRequest) -> Answer {
    let PlatformRequest {
        request_id,
        by,
        ask,
    } = request;
    let asked = Asked {
        platform,
        request_id,
        by,
    };
    match ask {
        PlatformAsk::RequestActivation {
            trading_date,
            reason,
            outage_began_at,
        } => asked.request_activation(trading_date, reason, outage_began_at),
        PlatformAsk::ApproveActivation => asked.approve_activation(),
        PlatformAsk::RejectActivation { reason } => asked.reject_activation(reason),
        PlatformAsk::StartLoading => asked.start_loading(),
        PlatformAsk::Activate { without_book } => asked.activate(without_book),
        PlatformAsk::ActivateAlone {
            trading_date,
            reason,
            without_book,
        } => asked.activate_alone(trading_date, reason, without_book),
        PlatformAsk::RequestHandback { reason } => asked.request_handback(reason),
        PlatformAsk::RejectHandback { reason } => asked.reject_handback(reason),
        PlatformAsk::ApproveHandback => asked.approve_handback(),
        PlatformAsk::CompleteHandback { package } => asked.complete_handback(package),
        PlatformAsk::StandDown { reason } => asked.stand_down(reason),
        PlatformAsk::Halt { scope, reason } => asked.halt(scope, reason),
        PlatformAsk::RequestResume { scope, reason } => asked.request_resume(scope, reason),
        PlatformAsk::ApproveResume { scope } => asked.approve_resume(scope),
        PlatformAsk::RejectResume { scope, reason } => asked.reject_resume(scope, reason),
        PlatformAsk::RequestCancelAll { scope, reason } => asked.request_cancel_all(scope, reason),
        PlatformAsk::ApproveCancelAll { kill_id } => asked.approve_cancel_all(kill_id),
        PlatformAsk::RejectCancelAll { kill_id, reason } => {
            asked.reject_cancel_all(kill_id, reason)
        }
        PlatformAsk::RequestDisconnect { venue, reason } => asked.request_disconnect(venue, reason),
        PlatformAsk::ApproveDisconnect { venue } => asked.approve_disconnect(venue),
        PlatformAsk::RejectDisconnect { venue, reason } => asked.reject_disconnect(venue, reason),
        PlatformAsk::Reconnect { venue, reason } => asked.reconnect(venue, reason),
    }
}

impl Asked<'_> {
    fn check_phase(&self, wanted: Phase, refusal: PlatformRefusal) -> Result<(), PlatformRefusal> {
        if self.platform.phase == wanted {
            Ok(())
        } else {
            Err(refusal)
        }
    }

    /// Nobody approves their own.
    fn check_not(&self, requested_by: &str) -> Result<(), PlatformRefusal> {
        if self.by == requested_by {
            let by = self.by.clone();
            return Err(PlatformRefusal::OwnRequest { by });
        }
        Ok(())
    }
}
