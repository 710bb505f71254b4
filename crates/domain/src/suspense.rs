//! Executions that fit no order of ours: nothing the exchange says is dropped.

use crate::id::Venue;
use crate::time::TradingDate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// `suspense-<venue>-<date>`.
pub fn stream(venue: Venue, date: TradingDate) -> String {
    format!("suspense-{venue}-{date}")
}

/// A report that names no order of ours, kept as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportSuspended {
    pub venue: Venue,
    /// What makes the report itself again when it is repeated: its ExecID, or its ClOrdID and kind.
    pub report_key: String,
    /// Why it fits nothing.
    pub reason: String,
    /// The message, `|` for the field separator.
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuspenseEvent {
    ReportSuspended(ReportSuspended),
}

/// The keys of the reports that are held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suspense(pub BTreeSet<String>);

pub fn record(suspense: &Suspense, report: ReportSuspended) -> Vec<SuspenseEvent> {
    if suspense.0.contains(&report.report_key) {
        vec![]
    } else {
        vec![SuspenseEvent::ReportSuspended(report)]
    }
}

#[must_use]
pub fn evolve(mut suspense: Suspense, event: &SuspenseEvent) -> Suspense {
    match event {
        SuspenseEvent::ReportSuspended(report) => {
            suspense.0.insert(report.report_key.clone());
        }
    }
    suspense
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_repeated_is_held_once() {
        let report = ReportSuspended {
            venue: Venue::Nse,
            report_key: "E1".into(),
            reason: "unknown order".into(),
            message: "35=8|".into(),
        };
        let held = record(&Suspense::default(), report.clone())
            .iter()
            .fold(Suspense::default(), evolve);
        assert_eq!(held.0.len(), 1);
        assert_eq!(record(&held, report), vec![]);
    }
}
