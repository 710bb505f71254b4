//! Folds the platform's events. Total: a history that no decision could have made folds to something too.

use super::decide::{PlatformAsk, PlatformRequest};
use super::event::*;
use super::state::{Activation, Halt, Market, Phase, Platform, Wish};

#[must_use]
pub fn evolve(mut platform: Platform, event: &PlatformEvent) -> Platform {
    match event {
        PlatformEvent::ActivationRequested(event) => {
            platform.phase = Phase::Requested;
            platform.activation = Some(Activation {
                trading_date: event.trading_date,
                reason: event.reason.clone(),
                outage_began_at: event.outage_began_at,
                requested_by: event.by.clone(),
                approved_by: None,
            });
            platform.requests.clear();
        }
        PlatformEvent::ActivationApproved(event) => {
            platform.phase = Phase::Approved;
            if let Some(activation) = &mut platform.activation {
                activation.approved_by = Some(event.by.clone());
            }
        }
        PlatformEvent::ActivationRejected(_) => {
            platform.phase = Phase::Dormant;
            platform.activation = None;
        }
        PlatformEvent::LoadingStarted(_) => platform.phase = Phase::Loading,
        PlatformEvent::PlatformActivated(event) => {
            platform.phase = Phase::Active;
            // Epochs never come back, whatever a history says.
            platform.epoch = platform.epoch.max(event.epoch);
            platform.trading_date = Some(event.trading_date);
            platform.activation = None;
            if event.approved_by.is_none() {
                platform.requests.clear();
            }
            forget_wishes(&mut platform);
        }
        PlatformEvent::PlatformStoodDown(_) => {
            platform.phase = Phase::Dormant;
            platform.activation = None;
            forget_wishes(&mut platform);
        }
        PlatformEvent::HandbackRequested(event) => {
            platform.phase = Phase::HandbackRequested;
            platform.handback_requested_by = Some(event.by.clone());
        }
        PlatformEvent::HandbackRejected(_) => {
            platform.phase = Phase::Active;
            platform.handback_requested_by = None;
        }
        PlatformEvent::HandbackApproved(_) => platform.phase = Phase::Draining,
        PlatformEvent::HandbackCompleted(_) => {
            platform.phase = Phase::HandedBack;
            forget_wishes(&mut platform);
        }
        PlatformEvent::NewOrdersHalted(event) => {
            let (reason, by) = (event.reason.clone(), event.by.clone());
            platform.halts.insert(event.scope, Halt { reason, by });
        }
        PlatformEvent::ResumeRequested(event) => {
            let wish = wish(event.scope, &event.reason, &event.by);
            platform.resumes.insert(event.scope, wish);
        }
        PlatformEvent::ResumeRejected(event) => {
            platform.resumes.remove(&event.scope);
        }
        PlatformEvent::NewOrdersResumed(event) => {
            platform.halts.remove(&event.scope);
            platform.resumes.remove(&event.scope);
        }
        PlatformEvent::CancelAllRequested(event) => {
            let wish = wish(event.scope, &event.reason, &event.by);
            platform.cancel_alls.insert(event.kill_id, wish);
        }
        PlatformEvent::CancelAllOrdered(event) => {
            platform.cancel_alls.remove(&event.kill_id);
        }
        PlatformEvent::CancelAllRejected(event) => {
            platform.cancel_alls.remove(&event.kill_id);
        }
        PlatformEvent::DisconnectRequested(event) => {
            let wish = wish(HaltScope::Venue(event.venue), &event.reason, &event.by);
            platform.disconnect_wishes.insert(event.venue, wish);
        }
        PlatformEvent::DisconnectRejected(event) => {
            platform.disconnect_wishes.remove(&event.venue);
        }
        PlatformEvent::VenueDisconnected(event) => {
            platform.disconnect_wishes.remove(&event.venue);
            let (reason, by) = (event.reason.clone(), event.requested_by.clone());
            platform
                .disconnects
                .insert(event.venue, Halt { reason, by });
        }
        PlatformEvent::VenueReconnected(event) => {
            platform.disconnects.remove(&event.venue);
        }
        PlatformEvent::BookLoaded(event) => {
            let source = event.source.clone();
            platform.books.insert(event.trading_date, source);
        }
        PlatformEvent::MarketPhaseChanged(event) => {
            let market = Market {
                trading_date: event.trading_date,
                phase: event.phase,
                source: event.source.clone(),
            };
            platform
                .markets
                .insert((event.venue, event.segment), market);
        }
    }
    if let Some(request) = request_of(event) {
        platform.requests.insert(request.request_id, request);
    }
    platform
}

/// What waited for a second person in one life of the platform must not be approved in the next.
fn forget_wishes(platform: &mut Platform) {
    platform.handback_requested_by = None;
    platform.resumes.clear();
    platform.cancel_alls.clear();
    platform.disconnect_wishes.clear();
}

fn wish(scope: HaltScope, reason: &str, by: &str) -> Wish {
    Wish {
        scope,
        reason: reason.to_owned(),
        by: by.to_owned(),
    }
}

/// The request that an event answers, word for word; `None` for facts and for what older releases wrote.
fn request_of(event: &PlatformEvent) -> Option<PlatformRequest> {
    let asked = |request_id, by: &String, ask| {
        Some(PlatformRequest {
            request_id,
            by: by.clone(),
            ask,
        })
    };
    match event {
        PlatformEvent::ActivationRequested(event) => {
            let ask = PlatformAsk::RequestActivation {
                trading_date: event.trading_date,
                reason: event.reason.clone(),
                outage_began_at: event.outage_began_at,
            };
            asked(event.request_id, &event.by, ask)
        }
        PlatformEvent::ActivationApproved(event) => {
            asked(event.request_id, &event.by, PlatformAsk::ApproveActivation)
        }
        PlatformEvent::ActivationRejected(event) => {
            let reason = event.reason.clone();
            let ask = PlatformAsk::RejectActivation { reason };
            asked(event.request_id, &event.by, ask)
        }
        PlatformEvent::LoadingStarted(event) => {
            asked(event.request_id, &event.by, PlatformAsk::StartLoading)
        }
        PlatformEvent::PlatformActivated(event) => {
            let without_book = event.without_book.clone();
            let ask = match &event.approved_by {
                Some(_) => PlatformAsk::Activate { without_book },
                None => PlatformAsk::ActivateAlone {
                    trading_date: event.trading_date,
                    reason: event.reason.clone(),
                    without_book,
                },
            };
            asked(event.request_id?, event.activated_by.as_ref()?, ask)
        }
        PlatformEvent::PlatformStoodDown(event) => {
            let reason = event.reason.clone();
            let ask = PlatformAsk::StandDown { reason };
            asked(event.request_id?, event.by.as_ref()?, ask)
        }
        PlatformEvent::HandbackRequested(event) => {
            let reason = event.reason.clone();
            let ask = PlatformAsk::RequestHandback { reason };
            asked(event.request_id, &event.by, ask)
        }
        PlatformEvent::HandbackRejected(event) => {
            let reason = event.reason.clone();
            let ask = PlatformAsk::RejectHandback { reason };
            asked(event.request_id, &event.by, ask)
        }
        PlatformEvent::HandbackApproved(event) => {
            asked(event.request_id, &event.by, PlatformAsk::ApproveHandback)
        }
        PlatformEvent::HandbackCompleted(event) => {
            let package = event.package.clone();
            let ask = PlatformAsk::CompleteHandback { package };
            asked(event.request_id, &event.by, ask)
        }
        PlatformEvent::NewOrdersHalted(event) => {
            let (scope, reason) = (event.scope, event.reason.clone());
            let ask = PlatformAsk::Halt { scope, reason };
            asked(event.request_id, &event.by, ask)
        }
        PlatformEvent::ResumeRequested(event) => {
            let (scope, reason) = (event.scope, event.reason.clone());
            let ask = PlatformAsk::RequestResume { scope, reason };
            asked(event.request_id, &event.by, ask)
        }
        PlatformEvent::ResumeRejected(event) => {
            let (scope, reason) = (event.scope, event.reason.clone());
            let ask = PlatformAsk::RejectResume { scope, reason };
            asked(event.request_id, &event.by, ask)
        }
        PlatformEvent::NewOrdersResumed(event) => {
            let scope = event.scope;
            let ask = PlatformAsk::ApproveResume { scope };
            asked(event.request_id, &event.approved_by, ask)
        }
        PlatformEvent::CancelAllRequested(event) => {
            let (scope, reason) = (event.scope, event.reason.clone());
            let ask = PlatformAsk::RequestCancelAll { scope, reason };
            asked(event.kill_id, &event.by, ask)
        }
        PlatformEvent::CancelAllOrdered(event) => {
            let kill_id = event.kill_id;
            let ask = PlatformAsk::ApproveCancelAll { kill_id };
            asked(event.request_id, &event.approved_by, ask)
        }
        PlatformEvent::CancelAllRejected(event) => {
            let (kill_id, reason) = (event.kill_id, event.reason.clone());
            let ask = PlatformAsk::RejectCancelAll { kill_id, reason };
            asked(event.request_id, &event.by, ask)
        }
        PlatformEvent::DisconnectRequested(event) => {
            let (venue, reason) = (event.venue, event.reason.clone());
            let ask = PlatformAsk::RequestDisconnect { venue, reason };
            asked(event.request_id, &event.by, ask)
        }
        PlatformEvent::DisconnectRejected(event) => {
            let (venue, reason) = (event.venue, event.reason.clone());
            let ask = PlatformAsk::RejectDisconnect { venue, reason };
            asked(event.request_id, &event.by, ask)
        }
        PlatformEvent::VenueDisconnected(event) => {
            let venue = event.venue;
            let ask = PlatformAsk::ApproveDisconnect { venue };
            asked(event.request_id, &event.approved_by, ask)
        }
        PlatformEvent::VenueReconnected(event) => {
            let (venue, reason) = (event.venue, event.reason.clone());
            let ask = PlatformAsk::Reconnect { venue, reason };
            asked(event.request_id, &event.by, ask)
        }
        PlatformEvent::BookLoaded(_) | PlatformEvent::MarketPhaseChanged(_) => None,
    }
}
