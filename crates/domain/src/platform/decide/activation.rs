//! From Dormant to Active: asked for by one person, approved by another.

use super::{Answer, Asked};
use crate::platform::event::*;
use crate::platform::refusal::PlatformRefusal;
use crate::platform::state::{Activation, Phase};
use crate::time::{Timestamp, TradingDate};

impl Asked<'_> {
    pub(super) fn request_activation(
        self,
        trading_date: TradingDate,
        reason: String,
        outage_began_at: Timestamp,
    ) -> Answer {
        self.check_may_be_activated()?;
        Ok(PlatformEvent::ActivationRequested(ActivationRequested {
            request_id: self.request_id,
            trading_date,
            reason,
            outage_began_at,
            by: self.by,
        }))
    }

    pub(super) fn approve_activation(self) -> Answer {
        let phase = self.platform.phase;
        let refusal = PlatformRefusal::NoActivationPending { phase };
        let activation = self.activation_in(&[Phase::Requested], refusal)?;
        self.check_not(&activation.requested_by)?;
        Ok(PlatformEvent::ActivationApproved(ActivationApproved {
            request_id: self.request_id,
            by: self.by,
        }))
    }

    pub(super) fn reject_activation(self, reason: String) -> Answer {
        let phase = self.platform.phase;
        let refusal = PlatformRefusal::NoActivationPending { phase };
        let pending = [Phase::Requested, Phase::Approved, Phase::Loading];
        self.activation_in(&pending, refusal)?;
        Ok(PlatformEvent::ActivationRejected(ActivationRejected {
            request_id: self.request_id,
            reason,
            by: self.by,
        }))
    }

    pub(super) fn start_loading(self) -> Answer {
        let phase = self.platform.phase;
        let refusal = PlatformRefusal::NotApproved { phase };
        self.activation_in(&[Phase::Approved], refusal)?;
        Ok(PlatformEvent::LoadingStarted(LoadingStarted {
            request_id: self.request_id,
            by: self.by,
        }))
    }

    pub(super) fn activate(self, without_book: Option<String>) -> Answer {
        let phase = self.platform.phase;
        let refusal = PlatformRefusal::NotApproved { phase };
        let approved = [Phase::Approved, Phase::Loading];
        let activation = self.activation_in(&approved, refusal)?.clone();
        self.check_book(activation.trading_date, without_book.as_ref())?;
        Ok(PlatformEvent::PlatformActivated(PlatformActivated {
            epoch: self.platform.epoch.saturating_add(1),
            trading_date: activation.trading_date,
            reason: activation.reason,
            requested_by: Some(activation.requested_by),
            approved_by: activation.approved_by,
            activated_by: Some(self.by),
            request_id: Some(self.request_id),
            without_book,
        }))
    }

    pub(super) fn activate_alone(
        self,
        trading_date: TradingDate,
        reason: String,
        without_book: Option<String>,
    ) -> Answer {
        self.check_may_be_activated()?;
        self.check_book(trading_date, without_book.as_ref())?;
        Ok(PlatformEvent::PlatformActivated(PlatformActivated {
            epoch: self.platform.epoch.saturating_add(1),
            trading_date,
            reason,
            requested_by: Some(self.by.clone()),
            approved_by: None,
            activated_by: Some(self.by),
            request_id: Some(self.request_id),
            without_book,
        }))
    }

    /// Without its book a day's positions are unknown, and every square-off would be refused: better said once, before.
    fn check_book(
        &self,
        date: TradingDate,
        without_book: Option<&String>,
    ) -> Result<(), PlatformRefusal> {
        if without_book.is_some() || self.platform.books.contains_key(&date) {
            Ok(())
        } else {
            Err(PlatformRefusal::BookNotLoaded { date })
        }
    }

    fn check_may_be_activated(&self) -> Result<(), PlatformRefusal> {
        match (self.platform.epoch_in_force(), &self.platform.activation) {
            (Some(epoch), _) => Err(PlatformRefusal::AlreadyActive { epoch }),
            (None, Some(pending)) => Err(PlatformRefusal::ActivationPending {
                requested_by: pending.requested_by.clone(),
            }),
            (None, None) => Ok(()),
        }
    }

    /// The activation that waits in one of these phases.
    fn activation_in(
        &self,
        phases: &[Phase],
        refusal: PlatformRefusal,
    ) -> Result<&Activation, PlatformRefusal> {
        match &self.platform.activation {
            Some(activation) if phases.contains(&self.platform.phase) => Ok(activation),
            Some(_) | None => Err(refusal),
        }
    }
}
