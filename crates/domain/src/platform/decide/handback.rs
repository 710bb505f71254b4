//! From Active to HandedBack, in two steps and by two people, or to Dormant at once.

use super::{Answer, Asked};
use crate::platform::event::*;
use crate::platform::refusal::PlatformRefusal;
use crate::platform::state::Phase;

impl Asked<'_> {
    pub(super) fn request_handback(self, reason: String) -> Answer {
        let phase = self.platform.phase;
        self.check_phase(Phase::Active, PlatformRefusal::NotActive { phase })?;
        Ok(PlatformEvent::HandbackRequested(HandbackRequested {
            request_id: self.request_id,
            epoch: self.platform.epoch,
            reason,
            by: self.by,
        }))
    }

    pub(super) fn reject_handback(self, reason: String) -> Answer {
        let phase = self.platform.phase;
        let refusal = PlatformRefusal::NoHandbackPending { phase };
        self.check_phase(Phase::HandbackRequested, refusal)?;
        Ok(PlatformEvent::HandbackRejected(HandbackRejected {
            request_id: self.request_id,
            epoch: self.platform.epoch,
            reason,
            by: self.by,
        }))
    }

    pub(super) fn approve_handback(self) -> Answer {
        let phase = self.platform.phase;
        let refusal = PlatformRefusal::NoHandbackPending { phase };
        self.check_phase(Phase::HandbackRequested, refusal)?;
        if let Some(requested_by) = &self.platform.handback_requested_by {
            self.check_not(requested_by)?;
        }
        Ok(PlatformEvent::HandbackApproved(HandbackApproved {
            request_id: self.request_id,
            epoch: self.platform.epoch,
            by: self.by,
        }))
    }

    pub(super) fn complete_handback(self, package: HandbackPackage) -> Answer {
        let phase = self.platform.phase;
        self.check_phase(Phase::Draining, PlatformRefusal::NotDraining { phase })?;
        Ok(PlatformEvent::HandbackCompleted(HandbackCompleted {
            request_id: self.request_id,
            epoch: self.platform.epoch,
            package,
            by: self.by,
        }))
    }

    pub(super) fn stand_down(self, reason: String) -> Answer {
        let Some(epoch) = self.platform.epoch_in_force() else {
            let phase = self.platform.phase;
            return Err(PlatformRefusal::NotActive { phase });
        };
        Ok(PlatformEvent::PlatformStoodDown(PlatformStoodDown {
            epoch,
            reason,
            by: Some(self.by),
            request_id: Some(self.request_id),
        }))
    }
}
