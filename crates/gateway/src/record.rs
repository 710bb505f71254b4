//! From facts to the log: reports about one order's position, what fits no order, and the session's own state. Facts are never
//! refused, so the only failure is a log that cannot take them now; then the peer's message counts as not received.

use crate::index::Known;
use squareoff_domain::position::{self, Position, Report};
use squareoff_domain::session::{self, Fenced, Session, SessionReport};
use squareoff_domain::suspense::{self, ReportSuspended, Suspense};
use squareoff_domain::{Timestamp, TradingDate, Venue};
use squareoff_store::{Caller, EventStore, Streams, TransactError};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use thiserror::Error;
use uuid::Uuid;

/// Namespace of the request ids made from reports, so that a report recorded twice is one append. Never change it.
const REPORTS: Uuid = Uuid::from_u128(0x8a2f_3c1b_77d0_4f5e_a1c6_9b0d_42e8_5a37);

/// The log did not take it; nothing else is lost.
#[derive(Debug, Error)]
pub enum RecordError {
    #[error(transparent)]
    Position(#[from] TransactError<Infallible>),
    #[error(transparent)]
    Session(TransactError<Fenced>),
    /// Another gateway holds the session: this one must stop.
    #[error(transparent)]
    Fenced(Fenced),
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    venue: Venue,
    comp_id: String,
    actor: Arc<str>,
    positions: Streams<Position>,
    suspense: Streams<Suspense>,
    sessions: Streams<Session>,
}

impl Recorder {
    pub fn new(store: &EventStore, venue: Venue, comp_id: &str) -> Self {
        Recorder {
            venue,
            comp_id: comp_id.to_owned(),
            actor: format!("gateway:{venue}-{comp_id}").into(),
            positions: Streams::new(store.clone()),
            suspense: Streams::new(store.clone()),
            sessions: Streams::new(store.clone()),
        }
    }

    /// `<venue>-<comp id>`, as events name the session.
    pub fn session_name(&self) -> String {
        format!("{}-{}", self.venue, self.comp_id)
    }

    /// Records reports about one position in their order, as one append.
    ///
    /// # Errors
    /// [`RecordError::Position`] when the log did not take them.
    pub async fn record(&self, known: &Known, reports: Vec<Report>) -> Result<(), RecordError> {
        let caller = Caller {
            actor: Arc::clone(&self.actor),
            request_id: Uuid::new_v5(&REPORTS, format!("{}\n{reports:?}", known.stream).as_bytes()),
            correlation_id: known.request_id,
            epoch: known.epoch,
            now: now(),
        };
        let record = |position: &Position| {
            let mut state = position.clone();
            let mut events = Vec::new();
            for report in &reports {
                let new = position::record(&state, report);
                state = new.iter().fold(state, position::evolve);
                events.extend(new);
            }
            Ok((events, ()))
        };
        self.positions.transact(&known.stream, &caller, record).await?;
        Ok(())
    }

    /// The position's state now.
    ///
    /// # Errors
    /// [`RecordError::Position`] when the log could not be read.
    pub async fn position(&self, known: &Known) -> Result<Arc<Position>, RecordError> {
        let loaded = self.positions.load(&known.stream).await.map_err(TransactError::Load)?;
        Ok(loaded.state)
    }

    /// Keeps a report that fits no order of ours.
    ///
    /// # Errors
    /// [`RecordError::Position`] when the log did not take it.
    pub async fn suspend(&self, date: TradingDate, report_key: String, reason: String, message: String) -> Result<(), RecordError> {
        let stream = suspense::stream(self.venue, date);
        let report = ReportSuspended { venue: self.venue, report_key, reason, message };
        tracing::warn!(venue = %self.venue, report.key = %report.report_key, reason = %report.reason, "a report fits no order and is held in suspense");
        let request_id = Uuid::new_v5(&REPORTS, format!("{stream}\n{}", report.report_key).as_bytes());
        let caller = Caller { actor: Arc::clone(&self.actor), request_id, correlation_id: request_id, epoch: 0, now: now() };
        self.suspense.transact(&stream, &caller, |state| Ok((suspense::record(state, report.clone()), ()))).await?;
        Ok(())
    }

    /// Tells the session's state; gives the fence that holds now.
    ///
    /// # Errors
    /// [`RecordError::Fenced`] when another gateway took the session over; [`RecordError::Session`] when the log did not take it.
    pub async fn session(&self, report: SessionReport) -> Result<u64, RecordError> {
        let request_id = Uuid::now_v7();
        let caller = Caller { actor: Arc::clone(&self.actor), request_id, correlation_id: request_id, epoch: 0, now: now() };
        let record = |state: &Session| {
            let events = session::record(state, self.venue, report.clone())?;
            let fence = events.iter().fold(state.clone(), session::evolve).fence;
            Ok((events, fence))
        };
        let committed = self.sessions.transact(&session::stream(self.venue, &self.comp_id), &caller, record).await;
        match committed {
            Ok(committed) => Ok(committed.value),
            Err(TransactError::Refused(fenced)) => Err(RecordError::Fenced(fenced)),
            Err(error) => Err(RecordError::Session(error)),
        }
    }
}

/// The clock of this role.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
