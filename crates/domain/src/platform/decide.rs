//! What people may ask of the platform, and what the exchange tells it.

use super::event::*;
use super::refusal::PlatformRefusal;
use super::state::{Activation, Phase, Platform, Wish};
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
    /// To Active, in a new epoch: the positions are loaded.
    Activate,
    /// From Dormant or HandedBack to Active by one person alone: for the machine's own command line, when there is nobody to ask and no
    /// interface to ask through.
    ActivateAlone {
        trading_date: TradingDate,
        reason: String,
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
}

/// What the platform is told. A fact: it can't be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlatformReport {
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
    let PlatformReport::MarketPhase {
        venue,
        segment,
        trading_date,
        phase,
        source,
    } = report;
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

fn answer(platform: &Platform, request: PlatformRequest) -> Result<PlatformEvent, PlatformRefusal> {
    let PlatformRequest {
        request_id,
        by,
        ask,
    } = request;
    let (epoch, phase) = (platform.epoch, platform.phase);
    match ask {
        PlatformAsk::RequestActivation {
            trading_date,
            reason,
            outage_began_at,
        } => {
            check_may_be_activated(platform)?;
            Ok(PlatformEvent::ActivationRequested(ActivationRequested {
                request_id,
                trading_date,
                reason,
                outage_began_at,
                by,
            }))
        }
        PlatformAsk::ApproveActivation => {
            let refusal = PlatformRefusal::NoActivationPending { phase };
            let activation = activation_in(platform, &[Phase::Requested], refusal)?;
            check_another(&activation.requested_by, &by)?;
            let event = ActivationApproved { request_id, by };
            Ok(PlatformEvent::ActivationApproved(event))
        }
        PlatformAsk::RejectActivation { reason } => {
            let refusal = PlatformRefusal::NoActivationPending { phase };
            let pending = [Phase::Requested, Phase::Approved, Phase::Loading];
            activation_in(platform, &pending, refusal)?;
            Ok(PlatformEvent::ActivationRejected(ActivationRejected {
                request_id,
                reason,
                by,
            }))
        }
        PlatformAsk::StartLoading => {
            let refusal = PlatformRefusal::NotApproved { phase };
            activation_in(platform, &[Phase::Approved], refusal)?;
            let event = LoadingStarted { request_id, by };
            Ok(PlatformEvent::LoadingStarted(event))
        }
        PlatformAsk::Activate => {
            let refusal = PlatformRefusal::NotApproved { phase };
            let approved = [Phase::Approved, Phase::Loading];
            let activation = activation_in(platform, &approved, refusal)?.clone();
            Ok(PlatformEvent::PlatformActivated(PlatformActivated {
                epoch: epoch.saturating_add(1),
                trading_date: activation.trading_date,
                reason: activation.reason,
                requested_by: Some(activation.requested_by),
                approved_by: activation.approved_by,
                activated_by: Some(by),
                request_id: Some(request_id),
            }))
        }
        PlatformAsk::ActivateAlone {
            trading_date,
            reason,
        } => {
            check_may_be_activated(platform)?;
            Ok(PlatformEvent::PlatformActivated(PlatformActivated {
                epoch: epoch.saturating_add(1),
                trading_date,
                reason,
                requested_by: Some(by.clone()),
                approved_by: None,
                activated_by: Some(by),
                request_id: Some(request_id),
            }))
        }
        PlatformAsk::RequestHandback { reason } => {
            check_phase(phase, Phase::Active, PlatformRefusal::NotActive { phase })?;
            Ok(PlatformEvent::HandbackRequested(HandbackRequested {
                request_id,
                epoch,
                reason,
                by,
            }))
        }
        PlatformAsk::RejectHandback { reason } => {
            let refusal = PlatformRefusal::NoHandbackPending { phase };
            check_phase(phase, Phase::HandbackRequested, refusal)?;
            Ok(PlatformEvent::HandbackRejected(HandbackRejected {
                request_id,
                epoch,
                reason,
                by,
            }))
        }
        PlatformAsk::ApproveHandback => {
            let refusal = PlatformRefusal::NoHandbackPending { phase };
            check_phase(phase, Phase::HandbackRequested, refusal)?;
            if let Some(requested_by) = &platform.handback_requested_by {
                check_another(requested_by, &by)?;
            }
            Ok(PlatformEvent::HandbackApproved(HandbackApproved {
                request_id,
                epoch,
                by,
            }))
        }
        PlatformAsk::CompleteHandback { package } => {
            let refusal = PlatformRefusal::NotDraining { phase };
            check_phase(phase, Phase::Draining, refusal)?;
            Ok(PlatformEvent::HandbackCompleted(HandbackCompleted {
                request_id,
                epoch,
                package,
                by,
            }))
        }
        PlatformAsk::StandDown { reason } => {
            if platform.epoch_in_force().is_none() {
                return Err(PlatformRefusal::NotActive { phase });
            }
            Ok(PlatformEvent::PlatformStoodDown(PlatformStoodDown {
                epoch,
                reason,
                by: Some(by),
                request_id: Some(request_id),
            }))
        }
        PlatformAsk::Halt { scope, reason } => {
            if platform.halts.contains_key(&scope) {
                return Err(PlatformRefusal::AlreadyHalted { scope });
            }
            Ok(PlatformEvent::NewOrdersHalted(NewOrdersHalted {
                request_id,
                scope,
                reason,
                by,
            }))
        }
        PlatformAsk::RequestResume { scope, reason } => {
            if !platform.halts.contains_key(&scope) {
                return Err(PlatformRefusal::NotHalted { scope });
            }
            if let Some(wish) = platform.resumes.get(&scope) {
                let requested_by = wish.by.clone();
                return Err(PlatformRefusal::ResumePending {
                    scope,
                    requested_by,
                });
            }
            Ok(PlatformEvent::ResumeRequested(ResumeRequested {
                request_id,
                scope,
                reason,
                by,
            }))
        }
        PlatformAsk::ApproveResume { scope } => {
            let wish = resume(platform, scope)?.clone();
            check_another(&wish.by, &by)?;
            Ok(PlatformEvent::NewOrdersResumed(NewOrdersResumed {
                request_id,
                scope,
                reason: wish.reason,
                requested_by: wish.by,
                approved_by: by,
            }))
        }
        PlatformAsk::RejectResume { scope, reason } => {
            resume(platform, scope)?;
            Ok(PlatformEvent::ResumeRejected(ResumeRejected {
                request_id,
                scope,
                reason,
                by,
            }))
        }
        PlatformAsk::RequestCancelAll { scope, reason } => {
            let limit = CANCEL_ALLS_PENDING_MAX;
            if platform.cancel_alls.len() >= limit {
                return Err(PlatformRefusal::TooManyCancelAlls { limit });
            }
            Ok(PlatformEvent::CancelAllRequested(CancelAllRequested {
                kill_id: request_id,
                scope,
                reason,
                by,
            }))
        }
        PlatformAsk::ApproveCancelAll { kill_id } => {
            let wish = cancel_all(platform, kill_id)?.clone();
            check_another(&wish.by, &by)?;
            Ok(PlatformEvent::CancelAllOrdered(CancelAllOrdered {
                request_id,
                kill_id,
                scope: wish.scope,
                reason: wish.reason,
                requested_by: wish.by,
                approved_by: by,
            }))
        }
        PlatformAsk::RejectCancelAll { kill_id, reason } => {
            cancel_all(platform, kill_id)?;
            Ok(PlatformEvent::CancelAllRejected(CancelAllRejected {
                request_id,
                kill_id,
                reason,
                by,
            }))
        }
    }
}

fn check_may_be_activated(platform: &Platform) -> Result<(), PlatformRefusal> {
    match (platform.epoch_in_force(), &platform.activation) {
        (Some(epoch), _) => Err(PlatformRefusal::AlreadyActive { epoch }),
        (None, Some(pending)) => Err(PlatformRefusal::ActivationPending {
            requested_by: pending.requested_by.clone(),
        }),
        (None, None) => Ok(()),
    }
}

/// The activation that waits in one of these phases.
fn activation_in<'a>(
    platform: &'a Platform,
    phases: &[Phase],
    refusal: PlatformRefusal,
) -> Result<&'a Activation, PlatformRefusal> {
    match &platform.activation {
        Some(activation) if phases.contains(&platform.phase) => Ok(activation),
        Some(_) | None => Err(refusal),
    }
}

fn check_phase(
    phase: Phase,
    wanted: Phase,
    refusal: PlatformRefusal,
) -> Result<(), PlatformRefusal> {
    if phase == wanted {
        Ok(())
    } else {
        Err(refusal)
    }
}

/// Nobody approves their own.
fn check_another(requested_by: &str, by: &str) -> Result<(), PlatformRefusal> {
    if requested_by == by {
        let by = by.to_owned();
        return Err(PlatformRefusal::OwnRequest { by });
    }
    Ok(())
}

fn resume(platform: &Platform, scope: HaltScope) -> Result<&Wish, PlatformRefusal> {
    let refusal = PlatformRefusal::NoResumePending { scope };
    platform.resumes.get(&scope).ok_or(refusal)
}

fn cancel_all(platform: &Platform, kill_id: RequestId) -> Result<&Wish, PlatformRefusal> {
    let refusal = PlatformRefusal::UnknownCancelAll { kill_id };
    platform.cancel_alls.get(&kill_id).ok_or(refusal)
}
