//! Reports that fit no order of ours: nothing the exchange says is dropped. The desk, or a row of the primary platform, says later what
//! an execution belongs to; a person may also say that it is no trade of ours.
//!
//! 1. a report is held once, and matched once; one that was dismissed can still be matched, because people err;
//! 2. only a report of an execution can be matched;
//! 3. a match is begun here, booked on its position, and then concluded here: while it is begun no other match and no dismissal is
//!    taken, so that an execution is never booked on two positions, whoever crashes in between;
//! 4. a row of the primary that says otherwise than a person is an event of its own, and changes nothing.
//!
//! Booking the execution on the position is the position's matter, which books it once; this stream only says that it belongs there.

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

/// The execution is about to be booked on this position, and may be already: no other match is taken until that is concluded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspenseMatchBegun {
    /// As in `SuspenseMatched`.
    pub report_key: String,
    pub position: PositionKey,
    /// The person, or the source of the primary's row.
    pub by: String,
    pub reason: String,
    /// The person's request; absent when a row of the primary begins it.
    pub request_id: Option<RequestId>,
}

/// The execution belongs to this position, and is booked there.
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
    SuspenseMatchBegun(SuspenseMatchBegun),
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
    /// Where a match of it was begun last.
    pub begun: Option<PositionKey>,
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

const OF_A_ROW: &str = "a row of the primary names the position";

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
    /// Begun and not concluded: the execution may be booked there.
    #[error("a match to {} has begun: match it there again, which concludes it", position.stream())]
    MatchBegun { position: Box<PositionKey> },
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
            SuspenseRefusal::MatchBegun { .. } => "match-begun",
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
    /// A row of the primary is about to be booked on the position it names.
    Syncing {
        execution: ExecutionKey,
        position: PositionKey,
        source: String,
    },
    /// It is booked there.
    Synced {
        execution: ExecutionKey,
        position: PositionKey,
        /// The row's source, for the audit trail.
        source: String,
    },
}

/// A match is only begun by this; [`conclude`] follows once the execution is booked. One that was begun to the same position, by whomever,
/// gives no events: it is to be booked and concluded.
///
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
    if let Some(Settled::Matched { position }) = &held.settled {
        let position = Box::new(position.clone());
        return Err(SuspenseRefusal::AlreadyMatched { position });
    }
    match (&held.begun, &ask) {
        (Some(begun), SuspenseAsk::Match { position }) if begun == position => return Ok(vec![]),
        (Some(begun), _) => {
            let position = Box::new(begun.clone());
            return Err(SuspenseRefusal::MatchBegun { position });
        }
        (None, SuspenseAsk::Dismiss) if held.settled == Some(Settled::Dismissed) => {
            return Err(SuspenseRefusal::AlreadyDismissed);
        }
        (None, _) => {}
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
            suspense.check_not_elsewhere(&execution.execution, &position)?;
            SuspenseEvent::SuspenseMatchBegun(SuspenseMatchBegun {
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

/// The execution of the match that was begun stands in its position. No events when nothing is begun there, or somebody else has
/// concluded it.
pub fn conclude(suspense: &Suspense, request: SuspenseRequest) -> Vec<SuspenseEvent> {
    let held = suspense.held.get(&request.report_key);
    let SuspenseAsk::Match { position } = request.ask else {
        return vec![];
    };
    if held.and_then(Held::under_way) != Some(&position) {
        return vec![];
    }
    vec![SuspenseEvent::SuspenseMatched(SuspenseMatched {
        report_key: request.report_key,
        position,
        by: request.by,
        reason: request.reason,
        request_id: Some(request.request_id),
    })]
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
        SuspenseReport::Syncing {
            execution,
            position,
            source,
        } => match suspense.of(&execution) {
            // Another report of the execution may be on its way to a position.
            Some((report_key, held))
                if held.settled.is_none()
                    && held.begun.is_none()
                    && suspense.check_not_elsewhere(&execution, &position).is_ok() =>
            {
                vec![SuspenseEvent::SuspenseMatchBegun(SuspenseMatchBegun {
                    report_key: report_key.clone(),
                    position,
                    by: source,
                    reason: OF_A_ROW.to_owned(),
                    request_id: None,
                })]
            }
            Some(_) | None => vec![],
        },
        SuspenseReport::Synced {
            execution,
            position,
            source,
        } => {
            let Some((report_key, held)) = suspense.of(&execution) else {
                return vec![];
            };
            let report_key = report_key.clone();
            let there = match &held.settled {
                Some(Settled::Matched { position: matched }) if *matched == position => {
                    return vec![];
                }
                Some(Settled::Matched { .. }) => false,
                Some(Settled::Dismissed) => held.begun.as_ref() == Some(&position),
                None => held.begun.as_ref().is_none_or(|begun| *begun == position),
            };
            if there && suspense.check_not_elsewhere(&execution, &position).is_ok() {
                vec![SuspenseEvent::SuspenseMatched(SuspenseMatched {
                    report_key,
                    position,
                    by: source,
                    reason: OF_A_ROW.to_owned(),
                    request_id: None,
                })]
            } else if held.contradicted.contains(&position) {
                vec![]
            } else {
                vec![SuspenseEvent::SuspenseContradicted(SuspenseContradicted {
                    report_key,
                    position,
                    source,
                })]
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
        SuspenseEvent::SuspenseMatchBegun(begun) => {
            let held = suspense.held.entry(begun.report_key.clone()).or_default();
            held.begun = Some(begun.position.clone());
            if let Some(request_id) = begun.request_id {
                suspense.remember(SuspenseRequest {
                    request_id,
                    by: begun.by.clone(),
                    report_key: begun.report_key.clone(),
                    reason: begun.reason.clone(),
                    ask: SuspenseAsk::Match {
                        position: begun.position.clone(),
                    },
                });
            }
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

impl Held {
    /// Where a match of it was begun that nobody has concluded.
    pub fn under_way(&self) -> Option<&PositionKey> {
        match self.settled {
            Some(Settled::Matched { .. }) => None,
            Some(Settled::Dismissed) | None => self.begun.as_ref(),
        }
    }
}

impl Suspense {
    /// The report that told of an execution first.
    fn of(&self, execution: &ExecutionKey) -> Option<(&String, &Held)> {
        let report_key = self.executions.get(execution)?;
        Some((report_key, self.held.get(report_key)?))
    }

    /// The exchange may have told of one execution in two reports, and nobody may book it on two positions.
    fn check_not_elsewhere(
        &self,
        execution: &ExecutionKey,
        wanted: &PositionKey,
    ) -> Result<(), SuspenseRefusal> {
        let of_it = |held: &&Held| {
            let told = held.execution.as_ref();
            told.is_some_and(|told| told.execution == *execution)
        };
        for held in self.held.values().filter(of_it) {
            match &held.settled {
                Some(Settled::Matched { position }) if position != wanted => {
                    let position = Box::new(position.clone());
                    return Err(SuspenseRefusal::AlreadyMatched { position });
                }
                Some(Settled::Matched { .. } | Settled::Dismissed) | None => {}
            }
            if let Some(begun) = held.under_way().filter(|begun| *begun != wanted) {
                let position = Box::new(begun.clone());
                return Err(SuspenseRefusal::MatchBegun { position });
            }
        }
        Ok(())
    }

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
