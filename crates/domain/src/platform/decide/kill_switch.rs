//! Halting needs one person, in any phase; taking it back, cancelling everything and disconnecting need two.

use super::{Answer, Asked, CANCEL_ALLS_PENDING_MAX};
use crate::id::{RequestId, Venue};
use crate::platform::event::*;
use crate::platform::refusal::PlatformRefusal;
use crate::platform::state::Wish;

impl Asked<'_> {
    pub(super) fn halt(self, scope: HaltScope, reason: String) -> Answer {
        if self.platform.halts.contains_key(&scope) {
            return Err(PlatformRefusal::AlreadyHalted { scope });
        }
        Ok(PlatformEvent::NewOrdersHalted(NewOrdersHalted {
            request_id: self.request_id,
            scope,
            reason,
            by: self.by,
        }))
    }

    pub(super) fn request_resume(self, scope: HaltScope, reason: String) -> Answer {
        if !self.platform.halts.contains_key(&scope) {
            return Err(PlatformRefusal::NotHalted { scope });
        }
        if let Some(wish) = self.platform.resumes.get(&scope) {
            return Err(PlatformRefusal::ResumePending {
                scope,
                requested_by: wish.by.clone(),
            });
        }
        Ok(PlatformEvent::ResumeRequested(ResumeRequested {
            request_id: self.request_id,
            scope,
            reason,
            by: self.by,
        }))
    }

    pub(super) fn approve_resume(self, scope: HaltScope) -> Answer {
        let wish = self.resume(scope)?.clone();
        self.check_not(&wish.by)?;
        Ok(PlatformEvent::NewOrdersResumed(NewOrdersResumed {
            request_id: self.request_id,
            scope,
            reason: wish.reason,
            requested_by: wish.by,
            approved_by: self.by,
        }))
    }

    pub(super) fn reject_resume(self, scope: HaltScope, reason: String) -> Answer {
        self.resume(scope)?;
        Ok(PlatformEvent::ResumeRejected(ResumeRejected {
            request_id: self.request_id,
            scope,
            reason,
            by: self.by,
        }))
    }

    pub(super) fn request_cancel_all(self, scope: HaltScope, reason: String) -> Answer {
        let limit = CANCEL_ALLS_PENDING_MAX;
        if self.platform.cancel_alls.len() >= limit {
            return Err(PlatformRefusal::TooManyCancelAlls { limit });
        }
        Ok(PlatformEvent::CancelAllRequested(CancelAllRequested {
            kill_id: self.request_id,
            scope,
            reason,
            by: self.by,
        }))
    }

    pub(super) fn approve_cancel_all(self, kill_id: RequestId) -> Answer {
        let wish = self.cancel_all(kill_id)?.clone();
        self.check_not(&wish.by)?;
        Ok(PlatformEvent::CancelAllOrdered(CancelAllOrdered {
            request_id: self.request_id,
            kill_id,
            scope: wish.scope,
            reason: wish.reason,
            requested_by: wish.by,
            approved_by: self.by,
        }))
    }

    pub(super) fn reject_cancel_all(self, kill_id: RequestId, reason: String) -> Answer {
        self.cancel_all(kill_id)?;
        Ok(PlatformEvent::CancelAllRejected(CancelAllRejected {
            request_id: self.request_id,
            kill_id,
            reason,
            by: self.by,
        }))
    }

    pub(super) fn request_disconnect(self, venue: Venue, reason: String) -> Answer {
        if self.platform.disconnects.contains_key(&venue) {
            return Err(PlatformRefusal::AlreadyDisconnected { venue });
        }
        if let Some(wish) = self.platform.disconnect_wishes.get(&venue) {
            let requested_by = wish.by.clone();
            return Err(PlatformRefusal::DisconnectPending {
                venue,
                requested_by,
            });
        }
        self.check_halted(venue)?;
        Ok(PlatformEvent::DisconnectRequested(DisconnectRequested {
            request_id: self.request_id,
            venue,
            reason,
            by: self.by,
        }))
    }

    pub(super) fn approve_disconnect(self, venue: Venue) -> Answer {
        let wish = self.disconnect(venue)?.clone();
        self.check_halted(venue)?;
        self.check_not(&wish.by)?;
        Ok(PlatformEvent::VenueDisconnected(VenueDisconnected {
            request_id: self.request_id,
            venue,
            reason: wish.reason,
            requested_by: wish.by,
            approved_by: self.by,
        }))
    }

    pub(super) fn reject_disconnect(self, venue: Venue, reason: String) -> Answer {
        self.disconnect(venue)?;
        Ok(PlatformEvent::DisconnectRejected(DisconnectRejected {
            request_id: self.request_id,
            venue,
            reason,
            by: self.by,
        }))
    }

    pub(super) fn reconnect(self, venue: Venue, reason: String) -> Answer {
        if !self.platform.disconnects.contains_key(&venue) {
            return Err(PlatformRefusal::NotDisconnected { venue });
        }
        Ok(PlatformEvent::VenueReconnected(VenueReconnected {
            request_id: self.request_id,
            venue,
            reason,
            by: self.by,
        }))
    }

    /// All of the venue: a halt of one segment leaves the others.
    fn check_halted(&self, venue: Venue) -> Result<(), PlatformRefusal> {
        let scopes = [HaltScope::All, HaltScope::Venue(venue)];
        let halted = scopes
            .iter()
            .any(|scope| self.platform.halts.contains_key(scope));
        halted
            .then_some(())
            .ok_or(PlatformRefusal::HaltFirst { venue })
    }

    fn disconnect(&self, venue: Venue) -> Result<&Wish, PlatformRefusal> {
        let refusal = PlatformRefusal::NoDisconnectPending { venue };
        self.platform.disconnect_wishes.get(&venue).ok_or(refusal)
    }

    fn resume(&self, scope: HaltScope) -> Result<&Wish, PlatformRefusal> {
        let refusal = PlatformRefusal::NoResumePending { scope };
        self.platform.resumes.get(&scope).ok_or(refusal)
    }

    fn cancel_all(&self, kill_id: RequestId) -> Result<&Wish, PlatformRefusal> {
        let refusal = PlatformRefusal::UnknownCancelAll { kill_id };
        self.platform.cancel_alls.get(&kill_id).ok_or(refusal)
    }
}
