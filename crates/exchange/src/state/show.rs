//! The exchange at a glance, for market control.

use squareoff_fix::Timestamp;

use super::Exchange;
use crate::command::{FaultView, PhaseView, SessionView, StateView};

impl Exchange {
    /// How it stands, `now` by its own clock.
    #[must_use]
    pub fn show(&self, now: Timestamp) -> StateView {
        let segments = self.contracts.venues_and_segments();
        let phases = segments.map(|(venue, segment)| PhaseView {
            venue: venue.to_owned(),
            segment: segment.to_owned(),
            phase: self.phase(venue, segment),
        });
        let mut sessions: Vec<_> = self.rules.firms.keys().collect();
        sessions.sort();
        let sessions = sessions.into_iter().map(|session| SessionView {
            session: session.clone(),
            firm: self.firm_of(session).to_owned(),
            cancel_on_disconnect: self.cancels_on_disconnect(session),
            messages_per_second: self.limit_of(session),
        });
        let faults = self.wishes.iter().map(|((kind, symbol), times)| FaultView {
            kind: *kind,
            symbol: symbol.clone(),
            times: *times,
        });
        StateView {
            trade_date: self.trade_date().to_owned(),
            clock: now.to_string(),
            clock_ahead_ms: self.clock_ahead_ms,
            facts: self.last_ordinal(),
            orders: self.orders.len(),
            orders_working: self.working(|_| true).len(),
            executions: self.executions.len(),
            phases: phases.collect(),
            sessions: sessions.collect(),
            faults: faults.collect(),
            seeded: self.rates.clone(),
        }
    }
}
