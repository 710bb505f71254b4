//! The platform's stream, folded: the domain's own state for the phase, and the rows that keep who and when.

use super::{CancelAllRow, HaltRow, MarketPhaseRow, PlatformRow};
use crate::fold::{FoldError, Folded, next_version};
use crate::incidents::{Chapter, IncidentRow, chapter};
use crate::units::{date, instant, position as log_position, whole};
use squareoff_domain::platform::{
    self, Activation, HaltScope, MarketPhaseChanged, Platform, PlatformEvent,
};
use squareoff_domain::{Event, RequestId, Segment, Venue};
use squareoff_store::StoredEvent;
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;

#[derive(Debug)]
pub(crate) struct FoldedPlatform {
    platform: Platform,
    halts: BTreeMap<HaltScope, HaltRow>,
    cancel_alls: BTreeMap<RequestId, CancelAllRow>,
    markets: BTreeMap<(Venue, Segment), MarketPhaseRow>,
    /// The one under way, or the last; those before it that changed in the batch at hand.
    incident: Option<IncidentRow>,
    incidents_before: Vec<IncidentRow>,
    incident_changed: bool,
    changed_halts: BTreeSet<HaltScope>,
    changed_cancel_alls: BTreeSet<RequestId>,
    changed_markets: BTreeSet<(Venue, Segment)>,
    phase_since: OffsetDateTime,
    phase_by: String,
    version: u64,
    updated_position: i64,
    updated_at: OffsetDateTime,
}

impl Folded for FoldedPlatform {
    fn begin(next: &StoredEvent) -> Result<Self, FoldError> {
        Ok(FoldedPlatform {
            platform: Platform::default(),
            halts: BTreeMap::new(),
            cancel_alls: BTreeMap::new(),
            markets: BTreeMap::new(),
            incident: None,
            incidents_before: vec![],
            incident_changed: false,
            changed_halts: BTreeSet::new(),
            changed_cancel_alls: BTreeSet::new(),
            changed_markets: BTreeSet::new(),
            phase_since: instant(next.occurred_at),
            phase_by: next.actor.as_ref().to_owned(),
            version: 0,
            updated_position: log_position(next.position),
            updated_at: instant(next.occurred_at),
        })
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn apply(&mut self, stored: &StoredEvent, event: &Event) -> Result<(), FoldError> {
        let first = self.version == 0;
        self.version = next_version(self.version, stored)?;
        let Event::Platform(event) = event else {
            return Ok(());
        };
        self.updated_position = log_position(stored.position);
        self.updated_at = instant(stored.occurred_at);
        let before = self.platform.phase;
        self.platform = platform::evolve(std::mem::take(&mut self.platform), event);
        if first || self.platform.phase != before {
            self.phase_since = self.updated_at;
            self.phase_by = stored.actor.as_ref().to_owned();
        }
        self.chapter(stored, event);
        self.note(event);
        Ok(())
    }

    fn settled(&mut self) {
        self.incidents_before.clear();
        self.incident_changed = false;
        self.changed_halts.clear();
        self.changed_cancel_alls.clear();
        self.changed_markets.clear();
    }
}

impl FoldedPlatform {
    pub(crate) fn platform(&self) -> &Platform {
        &self.platform
    }

    pub(crate) fn row(&self, stream: &str) -> PlatformRow {
        let platform = &self.platform;
        let asked = |field: fn(&Activation) -> &str| {
            let activation = platform.activation.as_ref();
            activation.map(|activation| field(activation).to_owned())
        };
        let activation = platform.activation.as_ref();
        PlatformRow {
            stream: stream.to_owned(),
            phase: platform.phase.as_str().to_owned(),
            phase_since: self.phase_since,
            phase_by: self.phase_by.clone(),
            epoch: i64::from(platform.epoch),
            trading_date: platform.trading_date.map(date),
            asked_date: activation.map(|activation| date(activation.trading_date)),
            asked_reason: asked(|activation| &activation.reason),
            asked_outage_began_at: activation.map(|activation| instant(activation.outage_began_at)),
            asked_by: asked(|activation| &activation.requested_by),
            asked_approved_by: activation.and_then(|activation| activation.approved_by.clone()),
            handback_requested_by: platform.handback_requested_by.clone(),
            version: whole(self.version),
            updated_position: self.updated_position,
            updated_at: self.updated_at,
        }
    }

    pub(crate) fn halt_rows(&self) -> impl Iterator<Item = HaltRow> {
        let changed = self.changed_halts.iter();
        changed.filter_map(|scope| self.halts.get(scope).cloned())
    }

    pub(crate) fn cancel_all_rows(&self) -> impl Iterator<Item = CancelAllRow> {
        let changed = self.changed_cancel_alls.iter();
        changed.filter_map(|kill_id| self.cancel_alls.get(kill_id).cloned())
    }

    pub(crate) fn market_phase_rows(&self) -> impl Iterator<Item = MarketPhaseRow> {
        let changed = self.changed_markets.iter();
        changed.filter_map(|segment| self.markets.get(segment).cloned())
    }

    /// The incidents that changed.
    pub(crate) fn incident_rows(&self) -> impl Iterator<Item = IncidentRow> {
        let last = self.incident.as_ref().filter(|_| self.incident_changed);
        self.incidents_before.iter().chain(last).cloned()
    }

    /// The next of the incident's story, or a new incident.
    fn chapter(&mut self, stored: &StoredEvent, event: &PlatformEvent) {
        let incident = match chapter(stored, event, self.incident.as_ref()) {
            Chapter::Nothing => return,
            Chapter::GoesOn(incident) => incident,
            Chapter::Begins(incident) => {
                let before = self.incident.take().filter(|_| self.incident_changed);
                self.incidents_before.extend(before);
                incident
            }
        };
        self.incident = Some(*incident);
        self.incident_changed = true;
    }

    fn note(&mut self, event: &PlatformEvent) {
        match event {
            PlatformEvent::NewOrdersHalted(halted) => {
                let row = HaltRow {
                    scope: halted.scope.to_string(),
                    halted: true,
                    reason: halted.reason.clone(),
                    halted_by: halted.by.clone(),
                    halted_at: self.updated_at,
                    resume_requested_by: None,
                    resume_reason: None,
                    resumed_by: None,
                    resumed_at: None,
                    version: 0,
                    updated_position: 0,
                };
                self.halts.insert(halted.scope, row);
                self.halt(halted.scope, |_| {});
            }
            PlatformEvent::ResumeRequested(asked) => self.halt(asked.scope, |halt| {
                halt.resume_requested_by = Some(asked.by.clone());
                halt.resume_reason = Some(asked.reason.clone());
            }),
            PlatformEvent::ResumeRejected(rejected) => {
                self.halt(rejected.scope, HaltRow::forget_resume);
            }
            PlatformEvent::NewOrdersResumed(resumed) => {
                let at = self.updated_at;
                self.halt(resumed.scope, |halt| {
                    halt.halted = false;
                    halt.resume_requested_by = Some(resumed.requested_by.clone());
                    halt.resume_reason = Some(resumed.reason.clone());
                    halt.resumed_by = Some(resumed.approved_by.clone());
                    halt.resumed_at = Some(at);
                });
            }
            PlatformEvent::CancelAllRequested(asked) => {
                let row = CancelAllRow {
                    kill_id: asked.kill_id.0,
                    scope: asked.scope.to_string(),
                    state: "requested".to_owned(),
                    reason: asked.reason.clone(),
                    requested_by: asked.by.clone(),
                    requested_at: self.updated_at,
                    requested_position: self.updated_position,
                    decided_by: None,
                    decided_at: None,
                    version: whole(self.version),
                    updated_position: self.updated_position,
                };
                self.cancel_alls.insert(asked.kill_id, row);
                self.changed_cancel_alls.insert(asked.kill_id);
            }
            PlatformEvent::CancelAllOrdered(ordered) => {
                self.decided(ordered.kill_id, "ordered", &ordered.approved_by);
            }
            PlatformEvent::CancelAllRejected(rejected) => {
                self.decided(rejected.kill_id, "rejected", &rejected.by);
            }
            PlatformEvent::MarketPhaseChanged(changed) => self.market(changed),
            PlatformEvent::PlatformActivated(_)
            | PlatformEvent::PlatformStoodDown(_)
            | PlatformEvent::HandbackCompleted(_) => self.lapse(),
            PlatformEvent::ActivationRequested(_)
            | PlatformEvent::ActivationApproved(_)
            | PlatformEvent::ActivationRejected(_)
            | PlatformEvent::LoadingStarted(_)
            | PlatformEvent::BookLoaded(_)
            | PlatformEvent::HandbackRequested(_)
            | PlatformEvent::HandbackRejected(_)
            | PlatformEvent::DisconnectRequested(_)
            | PlatformEvent::DisconnectRejected(_)
            | PlatformEvent::VenueDisconnected(_)
            | PlatformEvent::VenueReconnected(_)
            | PlatformEvent::HandbackApproved(_) => {}
        }
    }

    fn halt(&mut self, scope: HaltScope, change: impl FnOnce(&mut HaltRow)) {
        if let Some(halt) = self.halts.get_mut(&scope) {
            change(halt);
            halt.version = whole(self.version);
            halt.updated_position = self.updated_position;
            self.changed_halts.insert(scope);
        }
    }

    fn decided(&mut self, kill_id: RequestId, state: &str, by: &str) {
        if let Some(cancel_all) = self.cancel_alls.get_mut(&kill_id) {
            cancel_all.state = state.to_owned();
            cancel_all.decided_by = Some(by.to_owned());
            cancel_all.decided_at = Some(self.updated_at);
            cancel_all.version = whole(self.version);
            cancel_all.updated_position = self.updated_position;
            self.changed_cancel_alls.insert(kill_id);
        }
    }

    fn market(&mut self, changed: &MarketPhaseChanged) {
        let row = MarketPhaseRow {
            venue: changed.venue.as_str().to_owned(),
            segment: changed.segment.as_str().to_owned(),
            trading_date: date(changed.trading_date),
            phase: changed.phase.as_str().to_owned(),
            source: changed.source.clone(),
            since: self.updated_at,
            version: whole(self.version),
            updated_position: self.updated_position,
        };
        let segment = (changed.venue, changed.segment);
        self.markets.insert(segment, row);
        self.changed_markets.insert(segment);
    }

    /// What waited for a second person in one life of the platform is over in the next, as in the domain's fold.
    fn lapse(&mut self) {
        let waiting: Vec<_> = self
            .halts
            .iter()
            .filter(|(_, halt)| halt.halted && halt.resume_requested_by.is_some())
            .map(|(scope, _)| *scope)
            .collect();
        for scope in waiting {
            self.halt(scope, HaltRow::forget_resume);
        }
        for (kill_id, cancel_all) in &mut self.cancel_alls {
            if cancel_all.state == "requested" {
                cancel_all.state = "lapsed".to_owned();
                cancel_all.version = whole(self.version);
                cancel_all.updated_position = self.updated_position;
                self.changed_cancel_alls.insert(*kill_id);
            }
        }
    }
}

impl HaltRow {
    fn forget_resume(&mut self) {
        self.resume_requested_by = None;
        self.resume_reason = None;
    }
}
