//! One suspense stream, folded: a row per report.

use super::SuspenseRow;
use crate::fold::{FoldError, Folded, next_version};
use crate::units::{instant, position as log_position, units, whole};
use squareoff_domain::Event;
use squareoff_domain::suspense::{ReportSuspended, SuspenseEvent};
use squareoff_store::StoredEvent;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(crate) struct FoldedSuspense {
    /// By report key.
    rows: BTreeMap<String, SuspenseRow>,
    changed: BTreeSet<String>,
    version: u64,
}

impl Folded for FoldedSuspense {
    fn begin(_: &StoredEvent) -> Result<Self, FoldError> {
        Ok(FoldedSuspense::default())
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn apply(&mut self, stored: &StoredEvent, event: &Event) -> Result<(), FoldError> {
        self.version = next_version(self.version, stored)?;
        if let Event::Suspense(event) = event {
            self.note(stored, event);
        }
        Ok(())
    }

    fn settled(&mut self) {
        self.changed.clear();
    }
}

impl FoldedSuspense {
    /// The rows that changed.
    pub(crate) fn rows(&self) -> impl Iterator<Item = SuspenseRow> {
        let changed = self.changed.iter();
        changed.filter_map(|key| self.rows.get(key).cloned())
    }

    fn note(&mut self, stored: &StoredEvent, event: &SuspenseEvent) {
        let at = Some(instant(stored.occurred_at));
        match event {
            SuspenseEvent::ReportSuspended(report) => {
                let row = row(stored, report);
                self.rows.entry(report.report_key.clone()).or_insert(row);
                self.change(stored, &report.report_key, |_| {});
            }
            SuspenseEvent::SuspenseMatchBegun(begun) => {
                self.change(stored, &begun.report_key, |row| {
                    row.matched_stream = Some(begun.position.stream());
                });
            }
            SuspenseEvent::SuspenseMatched(matched) => {
                self.change(stored, &matched.report_key, |row| {
                    row.state = "matched".to_owned();
                    row.matched_stream = Some(matched.position.stream());
                    row.settled_by = Some(matched.by.clone());
                    row.settled_reason = Some(matched.reason.clone());
                    row.settled_at = at;
                });
            }
            SuspenseEvent::SuspenseDismissed(dismissed) => {
                self.change(stored, &dismissed.report_key, |row| {
                    row.state = "dismissed".to_owned();
                    row.matched_stream = None;
                    row.settled_by = Some(dismissed.by.clone());
                    row.settled_reason = Some(dismissed.reason.clone());
                    row.settled_at = at;
                });
            }
            SuspenseEvent::SuspenseContradicted(contradicted) => {
                self.change(stored, &contradicted.report_key, |row| {
                    row.contradicted_stream = Some(contradicted.position.stream());
                });
            }
        }
    }

    /// A report that was never held has no row.
    fn change(&mut self, stored: &StoredEvent, key: &str, change: impl FnOnce(&mut SuspenseRow)) {
        if let Some(row) = self.rows.get_mut(key) {
            change(row);
            row.version = whole(stored.version);
            row.updated_position = log_position(stored.position);
            self.changed.insert(key.to_owned());
        }
    }
}

fn row(stored: &StoredEvent, report: &ReportSuspended) -> SuspenseRow {
    let execution = report.execution.as_ref();
    SuspenseRow {
        position: log_position(stored.position),
        stream: stored.stream.as_ref().to_owned(),
        venue: report.venue.as_str().to_owned(),
        report_key: report.report_key.clone(),
        reason: report.reason.clone(),
        message: report.message.clone(),
        suspended_at: instant(stored.occurred_at),
        execution_key: execution.map(|told| told.execution.as_str().to_owned()),
        account: execution.and_then(|told| Some(told.account.as_ref()?.as_str().to_owned())),
        symbol: execution.and_then(|told| Some(told.symbol.as_ref()?.as_str().to_owned())),
        side: execution.map(|told| told.side.as_str().to_owned()),
        quantity: execution.map(|told| units(told.quantity)),
        price: execution.map(|told| told.price.0),
        state: "open".to_owned(),
        matched_stream: None,
        settled_by: None,
        settled_reason: None,
        settled_at: None,
        contradicted_stream: None,
        version: whole(stored.version),
        updated_position: log_position(stored.position),
    }
}
