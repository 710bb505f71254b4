//! Incidents: one row per activation that was asked for, with the exact instants from the outage's start to its end, and who asked
//! and approved; and the story of a trading day told from the audit trail.

mod query;

pub use query::{
    Incident, IncidentCounts, IncidentDay, IncidentFilter, TimelineEntry, incident, incidents,
};

use crate::cell::table_row;
use crate::units::{date, instant, position as log_position, whole};
use squareoff_domain::platform::{PlatformActivated, PlatformEvent};
use squareoff_store::StoredEvent;
use time::{Date, OffsetDateTime};

table_row! {
    /// A row of `incidents`.
    pub struct IncidentRow in "incidents" by "src/incidents/upsert.sql" {
        /// Log position of the request, or of an activation without one: the row's identity and the cursor of a list.
        pub began_position: i64,
        pub trading_date: Date,
        pub reason: String,
        /// Since when the primary was down, as the person who asked said; `None` when one person activated alone.
        pub outage_began_at: Option<OffsetDateTime>,
        pub requested_at: Option<OffsetDateTime>,
        pub requested_by: Option<String>,
        pub approved_at: Option<OffsetDateTime>,
        pub approved_by: Option<String>,
        pub epoch: Option<i64>,
        pub activated_at: Option<OffsetDateTime>,
        pub activated_by: Option<String>,
        /// The hand-back that is under way or was done, not one that was rejected.
        pub handback_requested_at: Option<OffsetDateTime>,
        pub handback_requested_by: Option<String>,
        pub handback_approved_at: Option<OffsetDateTime>,
        pub handback_approved_by: Option<String>,
        /// `handed-back`, `stood-down`, or `rejected` before it was active.
        pub ended: Option<String>,
        pub ended_at: Option<OffsetDateTime>,
        pub ended_by: Option<String>,
        pub ended_position: Option<i64>,
        /// What the primary got back, as numbers to check it by.
        pub handed_back_positions: Option<i64>,
        pub handed_back_orders: Option<i64>,
        pub handed_back_executions: Option<i64>,
        pub handed_back_net_digest: Option<String>,
        /// Version of the platform's stream, and log position, that last changed the row.
        pub version: i64,
        pub updated_position: i64,
    }
}

/// What an event of the platform is to the incident before it.
pub(crate) enum Chapter {
    Nothing,
    GoesOn(Box<IncidentRow>),
    Begins(Box<IncidentRow>),
}

pub(crate) fn chapter(
    stored: &StoredEvent,
    event: &PlatformEvent,
    last: Option<&IncidentRow>,
) -> Chapter {
    let at = Some(instant(stored.occurred_at));
    let by = Some(stored.actor.as_ref().to_owned());
    let open = last.filter(|incident| incident.ended.is_none());
    let go_on = |change: &dyn Fn(&mut IncidentRow)| match open {
        None => Chapter::Nothing,
        Some(incident) => {
            let mut incident = incident.clone();
            change(&mut incident);
            incident.version = whole(stored.version);
            incident.updated_position = log_position(stored.position);
            Chapter::GoesOn(Box::new(incident))
        }
    };
    let end = |how: &str, more: &dyn Fn(&mut IncidentRow)| {
        go_on(&|incident| {
            incident.ended = Some(how.to_owned());
            incident.ended_at = at;
            incident.ended_by = by.clone();
            incident.ended_position = Some(log_position(stored.position));
            more(incident);
        })
    };
    match event {
        PlatformEvent::ActivationRequested(asked) => Chapter::Begins(Box::new(IncidentRow {
            reason: asked.reason.clone(),
            outage_began_at: Some(instant(asked.outage_began_at)),
            requested_at: at,
            requested_by: by,
            ..begun(stored, date(asked.trading_date))
        })),
        PlatformEvent::ActivationApproved(_) => go_on(&|incident| {
            incident.approved_at = at;
            incident.approved_by = by.clone();
        }),
        PlatformEvent::ActivationRejected(_) => end("rejected", &|_| {}),
        PlatformEvent::PlatformActivated(activated) => {
            let asked_for = open.filter(|incident| incident.activated_at.is_none());
            match asked_for {
                Some(_) => go_on(&|incident| activate(incident, stored, activated)),
                None => {
                    let mut incident = begun(stored, date(activated.trading_date));
                    activate(&mut incident, stored, activated);
                    incident.reason.clone_from(&activated.reason);
                    Chapter::Begins(Box::new(incident))
                }
            }
        }
        PlatformEvent::PlatformStoodDown(_) => end("stood-down", &|_| {}),
        PlatformEvent::HandbackRequested(_) => go_on(&|incident| {
            incident.handback_requested_at = at;
            incident.handback_requested_by = by.clone();
        }),
        PlatformEvent::HandbackRejected(_) => go_on(&|incident| {
            incident.handback_requested_at = None;
            incident.handback_requested_by = None;
        }),
        PlatformEvent::HandbackApproved(_) => go_on(&|incident| {
            incident.handback_approved_at = at;
            incident.handback_approved_by = by.clone();
        }),
        PlatformEvent::HandbackCompleted(completed) => end("handed-back", &|incident| {
            let package = &completed.package;
            incident.handed_back_positions = Some(whole(package.positions));
            incident.handed_back_orders = Some(whole(package.orders));
            incident.handed_back_executions = Some(whole(package.executions));
            incident.handed_back_net_digest = Some(package.net_digest.clone());
        }),
        PlatformEvent::LoadingStarted(_)
        | PlatformEvent::BookLoaded(_)
        | PlatformEvent::NewOrdersHalted(_)
        | PlatformEvent::ResumeRequested(_)
        | PlatformEvent::ResumeRejected(_)
        | PlatformEvent::NewOrdersResumed(_)
        | PlatformEvent::CancelAllRequested(_)
        | PlatformEvent::CancelAllOrdered(_)
        | PlatformEvent::CancelAllRejected(_)
        | PlatformEvent::DisconnectRequested(_)
        | PlatformEvent::DisconnectRejected(_)
        | PlatformEvent::VenueDisconnected(_)
        | PlatformEvent::VenueReconnected(_)
        | PlatformEvent::MarketPhaseChanged(_) => Chapter::Nothing,
    }
}

/// Who asked and who approved is as the activation says, where it does: older releases did not.
fn activate(incident: &mut IncidentRow, stored: &StoredEvent, activated: &PlatformActivated) {
    incident.epoch = Some(i64::from(activated.epoch));
    incident.activated_at = Some(instant(stored.occurred_at));
    let by = activated.activated_by.as_deref().unwrap_or(&stored.actor);
    incident.activated_by = Some(by.to_owned());
    let known = incident.requested_by.take();
    incident.requested_by = known.or_else(|| activated.requested_by.clone());
    let known = incident.approved_by.take();
    incident.approved_by = known.or_else(|| activated.approved_by.clone());
}

fn begun(stored: &StoredEvent, trading_date: Date) -> IncidentRow {
    IncidentRow {
        began_position: log_position(stored.position),
        trading_date,
        reason: String::new(),
        outage_began_at: None,
        requested_at: None,
        requested_by: None,
        approved_at: None,
        approved_by: None,
        epoch: None,
        activated_at: None,
        activated_by: None,
        handback_requested_at: None,
        handback_requested_by: None,
        handback_approved_at: None,
        handback_approved_by: None,
        ended: None,
        ended_at: None,
        ended_by: None,
        ended_position: None,
        handed_back_positions: None,
        handed_back_orders: None,
        handed_back_executions: None,
        handed_back_net_digest: None,
        version: whole(stored.version),
        updated_position: log_position(stored.position),
    }
}
