//! Reports that fit no order of ours: nothing the exchange says is dropped. The desk, or a row of the primary platform, says later what
//! an execution belongs to; a person may also say that it is no trade of ours.
//!
//! 1. a report is held once, and matched once; one that was dismissed can still be matched, because people err;
//! 2. only a report of an execution can be matched;
//! 3. a row of the primary that says otherwise than a person is an event of its own, and changes nothing.
//!
//! Booking the execution on the position is the position's matter; this stream only says that it belongs there.

use crate::amount::{Price, Quantity};
use crate::id::{Account, ExecutionKey, PositionKey, RequestId, Side, Symbol, Venue};
use crate::time::TradingDate;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// `suspense-<venue>-<date>`.
pub fn stream(venue: Venue, date: TradingDate) -> String {
    format!("suspense-{venue}-{date}")
}

/// The execution that a suspended report tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspendedExecution {
    pub execution: ExecutionKey,
    /// As the venue reports it; absent when it does not.
    pub account: Option<Account>,
    pub symbol: Option<Symbol>,
    pub side: Side,
    pub quantity: Quantity,
    pub price: Price,
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
    /// Absent when the report is of no execution, and in events from before it was written.
    #[serde(default)]
    pub execution: Option<SuspendedExecution>,
}

/// The execution belongs to this position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspenseMatched {
    /// The report it is about: that of its `ReportSuspended`.
    pub report_key: String,
    pub position: PositionKey,
    /// The person, or the source of the primary's row.
    pub by: String,
    pub reason: String,
    /// The person's request; absent when a row of the primary matched it.
    pub request_id: Option<RequestId>,
}

/// A person says that the report is no trade of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspenseDismissed {
    /// As in `SuspenseMatched`.
    pub report_key: String,
    pub by: String,
    pub reason: String,
    pub request_id: RequestId,
}

/// The primary says otherwise than what was settled. What was settled stands until a person looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspenseContradicted {
    /// As in `SuspenseMatched`.
    pub report_key: String,
    /// Where the primary has the execution.
    pub position: PositionKey,
    pub source: String,
}

/// Every event of a suspense stream, `suspense-<venue>-<date>`. The variant's name is the event's type in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuspenseEvent {
    ReportSuspended(ReportSuspended),
    SuspenseMatched(SuspenseMatched),
    SuspenseDismissed(SuspenseDismissed),
    SuspenseContradicted(SuspenseContradicted),
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    Matched { position: PositionKey },
    Dismissed,
}

/// A report that is held. The message itself is not kept here: no decision needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// Absent only when a history settles what it never held.
    pub venue: Option<Venue>,
    pub execution: Option<SuspendedExecution>,
    pub settled: Option<Settled>,
    /// The positions that the primary named against what was settled.
    pub contradicted: BTreeSet<PositionKey>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suspense {
    /// By report key.
    pub held: BTreeMap<String, Held>,
    /// The report that told of an execution first.
    pub executions: BTreeMap<ExecutionKey, String>,
    /// What people asked, to know a repetition.
    pub requests: BTreeMap<RequestId, SuspenseRequest>,
}

/// What a person may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuspenseRequest {
    pub request_id: RequestId,
    /// The person: the actor of the event's envelope.
    pub by: String,
    pub report_key: String,
    pub reason: String,
    pub ask: SuspenseAsk,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuspenseAsk {
    Match { position: PositionKey },
    Dismiss,
}

/// Why it can't be: in order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SuspenseRefusal {
    /// The id came before with another request, or from another person.
    #[error("this request id was used before for another request")]
    RequestIdReused,
    #[error("no such report is held")]
    UnknownReport,
    #[error("the report is matched to {} already", position.stream())]
    AlreadyMatched { position: Box<PositionKey> },
    #[error("the report is dismissed already")]
    AlreadyDismissed,
    /// A report that is no execution has nothing to book; it can be dismissed.
    #[error("the report is of no execution")]
    NoExecution,
    /// The position is in another instrument or at another venue than the execution.
    #[error("the execution is not in the instrument of that position")]
    OtherInstrument,
}

impl SuspenseRefusal {
    /// A stable name for programs: the last part of the problem type's URI.
    pub const fn code(&self) -> &'static str {
        match self {
            SuspenseRefusal::RequestIdReused => "idempotency-key-reused",
            SuspenseRefusal::UnknownReport => "unknown-report",
            SuspenseRefusal::AlreadyMatched { .. } => "already-matched",
            SuspenseRefusal::AlreadyDismissed => "already-dismissed",
            SuspenseRefusal::NoExecution => "no-execution",
            SuspenseRefusal::OtherInstrument => "other-instrument",
        }
    }
}

/// What the outside tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuspenseReport {
    /// The exchange told of something that fits no order.
    Suspended(ReportSuspended),
    /// A row of the primary says which position an execution belongs to.
    Synced {
        execution: ExecutionKey,
        position: PositionKey,
        /// The row's source, for the audit trail.
        source: String,
    },
}

/// # Errors
/// [`SuspenseRefusal`], in its order of precedence. A request repeated gives no events: its first answer stands.
pub fn decide(
    suspense: &Suspense,
    request: SuspenseRequest,
) -> Result<Vec<SuspenseEvent>, SuspenseRefusal> {
    if let Some(first) = suspense.requests.get(&request.request_id) {
        return if *first == request {
            Ok(vec![])
        } else {
            Err(SuspenseRefusal::RequestIdReused)
        };
    }
    let SuspenseRequest {
        request_id,
        by,
        report_key,
        reason,
        ask,
    } = request;
    let Some(held) = suspense.held.get(&report_key) else {
        return Err(SuspenseRefusal::UnknownReport);
    };
    match &held.settled {
        Some(Settled::Matched { position }) => {
            let position = Box::new(position.clone());
            return Err(SuspenseRefusal::AlreadyMatched { position });
        }
        Some(Settled::Dismissed) if ask == SuspenseAsk::Dismiss => {
            return Err(SuspenseRefusal::AlreadyDismissed);
        }
        Some(Settled::Dismissed) | None => {}
    }
    let event = match ask {
        SuspenseAsk::Match { position } => {
            let Some(execution) = &held.execution else {
                return Err(SuspenseRefusal::NoExecution);
            };
            let symbol = execution.symbol.as_ref().unwrap_or(&position.symbol);
            if (symbol, held.venue.as_ref()) != (&position.symbol, Some(&position.venue)) {
                return Err(SuspenseRefusal::OtherInstrument);
            }
            SuspenseEvent::SuspenseMatched(SuspenseMatched {
                report_key,
                position,
                by,
                reason,
                request_id: Some(request_id),
            })
        }
        SuspenseAsk::Dismiss => SuspenseEvent::SuspenseDismissed(SuspenseDismissed {
            report_key,
            by,
            reason,
            request_id,
        }),
    };
    Ok(vec![event])
}

/// What is known gives no event; a row about an execution that is not held says nothing here.
pub fn record(suspense: &Suspense, report: SuspenseReport) -> Vec<SuspenseEvent> {
    match report {
        SuspenseReport::Suspended(report) => {
            if suspense.held.contains_key(&report.report_key) {
                vec![]
            } else {
                vec![SuspenseEvent::ReportSuspended(report)]
            }
        }
        SuspenseReport::Synced {
            execution,
            position,
            source,
        } => {
            let key = suspense.executions.get(&execution);
            let found = key.and_then(|key| Some((key.clone(), suspense.held.get(key)?)));
            let Some((report_key, held)) = found else {
                return vec![];
            };
            match &held.settled {
                None => vec![SuspenseEvent::SuspenseMatched(SuspenseMatched {
                    report_key,
                    position,
                    by: source,
                    reason: "a row of the primary names the position".to_owned(),
                    request_id: None,
                })],
                Some(Settled::Matched { position: matched }) if *matched == position => vec![],
                Some(Settled::Matched { .. } | Settled::Dismissed) => {
                    if held.contradicted.contains(&position) {
                        return vec![];
                    }
                    vec![SuspenseEvent::SuspenseContradicted(SuspenseContradicted {
                        report_key,
                        position,
                        source,
                    })]
                }
            }
        }
    }
}

/// Total: a history that no decision could have made folds to something too.
#[must_use]
pub fn evolve(mut suspense: Suspense, event: &SuspenseEvent) -> Suspense {
    match event {
        SuspenseEvent::ReportSuspended(report) => {
            if let Some(execution) = &report.execution {
                suspense
                    .executions
                    .entry(execution.execution.clone())
                    .or_insert_with(|| report.report_key.clone());
            }
            let held = suspense.held.entry(report.report_key.clone()).or_default();
            held.venue = Some(report.venue);
            held.execution = report.execution.clone();
        }
        SuspenseEvent::SuspenseMatched(matched) => {
            let position = matched.position.clone();
            let ask = SuspenseAsk::Match {
                position: position.clone(),
            };
            suspense.settle(&matched.report_key, Settled::Matched { position });
            if let Some(request_id) = matched.request_id {
                suspense.remember(SuspenseRequest {
                    request_id,
                    by: matched.by.clone(),
                    report_key: matched.report_key.clone(),
                    reason: matched.reason.clone(),
                    ask,
                });
            }
        }
        SuspenseEvent::SuspenseDismissed(dismissed) => {
            suspense.settle(&dismissed.report_key, Settled::Dismissed);
            suspense.remember(SuspenseRequest {
                request_id: dismissed.request_id,
                by: dismissed.by.clone(),
                report_key: dismissed.report_key.clone(),
                reason: dismissed.reason.clone(),
                ask: SuspenseAsk::Dismiss,
            });
        }
        SuspenseEvent::SuspenseContradicted(contradicted) => {
            let held = suspense
                .held
                .entry(contradicted.report_key.clone())
                .or_default();
            held.contradicted.insert(contradicted.position.clone());
        }
    }
    suspense
}

impl Suspense {
    fn settle(&mut self, report_key: &str, settled: Settled) {
        let held = self.held.entry(report_key.to_owned()).or_default();
        held.settled = Some(settled);
    }

    fn remember(&mut self, request: SuspenseRequest) {
        self.requests.insert(request.request_id, request);
    }
}

#[cfg(test)]
mod tests;
