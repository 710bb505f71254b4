//! Halting needs one person, in any phase; taking it back and cancelling everything need two.

use super::{Answer, Asked, CANCEL_ALLS_PENDING_MAX};
use crate::id::RequestId;
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

    fn resume(&self, scope: HaltScope) -> Result<&Wish, PlatformRefusal> {
        let refusal = PlatformRefusal::NoResumePending { scope };
        self.platform.resumes.get(&scope).ok_or(refusal)
    }

    fn cancel_all(&self, kill_id: RequestId) -> Result<&Wish, PlatformRefusal> {
        let refusal = PlatformRefusal::UnknownCancelAll { kill_id };
        self.platform.cancel_alls.get(&kill_id).ok_or(refusal)
    }
}
