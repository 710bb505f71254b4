//! From facts to the log: reports about orders' positions, what fits no order, and the session's own state. Facts are never
//! refused, so the only failure is a log that cannot take them now; then the peer's message counts as not received.
//!
//! 1. Reports of one position keep their order; positions do not wait for each other, so that they share a commit.
//! 2. An append names the request its orders came from, and stays within what the log takes at once.
//! 3. What passes (another process holds the log, its queue is full) is tried again for a moment before it is a failure.

use crate::index::Known;
use futures::future::join_all;
use squareoff_domain::platform::{self, Platform, PlatformReport};
use squareoff_domain::position::{self, Position, PositionEvent, Report};
use squareoff_domain::session::{self, Fenced, Session, SessionReport};
use squareoff_domain::suspense::{
    self, ReportSuspended, SuspendedExecution, Suspense, SuspenseReport,
};
use squareoff_domain::{Timestamp, TradingDate, Venue};
use squareoff_store::{
    Aggregate, AppendError, Caller, Committed, LoadError, StoredEvent, Streams, TransactError,
};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use thiserror::Error;
use uuid::Uuid;

/// Namespace of the request ids made from reports, so that a report recorded twice is one append. Never change it.
const REPORTS: Uuid = Uuid::from_u128(0x8a2f_3c1b_77d0_4f5e_a1c6_9b0d_42e8_5a37);
/// Reports of one append. One gives two events, and once in a while cancels of a position's working orders; the log takes 1,024.
const REPORTS_PER_APPEND: usize = 128;
/// Held reports of one append: a message can have 64 KiB, six times that in JSON, and the log takes 4 MiB.
const HELD_PER_APPEND: usize = 8;
/// How long a log that can't take a fact just now is asked again: well below a heartbeat, because the session waits meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

/// The log did not take it; nothing else is lost.
#[derive(Debug, Error)]
pub enum RecordError {
    #[error(transparent)]
    Fact(#[from] TransactError<Infallible>),
    #[error(transparent)]
    Session(TransactError<Fenced>),
    /// Another gateway holds the session: this one must stop.
    #[error(transparent)]
    Fenced(Fenced),
}

/// A report about an order, ours or one of the primary's.
pub type Fact = (Arc<Known>, Report);

/// A report that fits no order.
#[derive(Debug)]
pub struct Held {
    /// The trading date under which it is kept.
    pub date: TradingDate,
    /// The same for a repetition, another for any other report.
    pub key: String,
    pub reason: String,
    pub message: String,
    /// Of a trade.
    pub execution: Option<SuspendedExecution>,
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
    platform: Streams<Platform>,
}

impl Recorder {
    /// With what is remembered of positions, which the sessions to a venue share.
    pub fn new(positions: &Streams<Position>, venue: Venue, comp_id: &str) -> Self {
        let store = positions.store();
        Recorder {
            venue,
            comp_id: comp_id.to_owned(),
            actor: format!("gateway:{venue}-{comp_id}").into(),
            positions: positions.clone(),
            suspense: Streams::new(store.clone()),
            sessions: Streams::new(store.clone()),
            platform: Streams::new(store.clone()),
        }
    }

    /// `<venue>-<comp id>`, as events name the session.
    pub fn session_name(&self) -> String {
        format!("{}-{}", self.venue, self.comp_id)
    }

    /// Takes in an event of a position as it comes in the log, which need not be read for it then.
    pub fn learn(&self, stored: &StoredEvent, event: &PositionEvent) {
        self.positions.learn(stored, event);
    }

    /// Records reports, those about one position in their order.
    ///
    /// # Errors
    /// [`RecordError::Fact`] when the log did not take all of them; the others are in it.
    pub async fn record(&self, facts: impl IntoIterator<Item = Fact>) -> Result<(), RecordError> {
        let mut positions: BTreeMap<Arc<str>, Vec<Fact>> = BTreeMap::new();
        for fact in facts {
            let stream = Arc::clone(&fact.0.stream);
            positions.entry(stream).or_default().push(fact);
        }
        let recorded = positions
            .into_values()
            .map(|facts| self.record_of_one(facts));
        join_all(recorded).await.into_iter().collect()
    }

    async fn record_of_one(&self, facts: Vec<Fact>) -> Result<(), RecordError> {
        for of_one_request in facts.chunk_by(|a, b| a.0.request_id == b.0.request_id) {
            for some in of_one_request.chunks(REPORTS_PER_APPEND) {
                self.append(some).await?;
            }
        }
        Ok(())
    }

    /// Facts about one position, as one append.
    async fn append(&self, facts: &[Fact]) -> Result<(), RecordError> {
        let known = &facts[0].0;
        let reports: Vec<&Report> = facts.iter().map(|(_, report)| report).collect();
        let caller = Caller {
            actor: Arc::clone(&self.actor),
            request_id: request_id(&known.stream, &format!("{reports:?}")),
            correlation_id: known.request_id,
            epoch: known.epoch,
            now: now(),
        };
        let record = |position: &Position| {
            let events = position::record_all(position, reports.iter().copied());
            Ok((events, ()))
        };
        patiently(&self.positions, &known.stream, &caller, record).await?;
        Ok(())
    }

    /// Tells these positions that their market has closed for the day.
    ///
    /// # Errors
    /// [`RecordError::Fact`] when the log did not take all of it; telling it again changes nothing.
    pub async fn end_sessions(&self, streams: &[Arc<str>]) -> Result<(), RecordError> {
        let ended = streams.iter().map(|stream| self.end_session(stream));
        join_all(ended).await.into_iter().collect()
    }

    async fn end_session(&self, stream: &str) -> Result<(), RecordError> {
        // Other orders may have to be told another time: each is a fact of its own.
        let caller = self.own(Uuid::now_v7());
        let record =
            |position: &Position| Ok((position::record(position, &Report::SessionEnded), ()));
        patiently(&self.positions, stream, &caller, record).await?;
        Ok(())
    }

    /// The position's state now.
    ///
    /// # Errors
    /// [`RecordError::Fact`] when the log could not be read.
    pub async fn position(&self, known: &Known) -> Result<Arc<Position>, RecordError> {
        let loaded = self.positions.load(&known.stream).await;
        Ok(loaded.map_err(TransactError::Load)?.state)
    }

    /// Keeps reports that fit no order of ours.
    ///
    /// # Errors
    /// [`RecordError::Fact`] when the log did not take all of them.
    pub async fn hold(&self, held: Vec<Held>) -> Result<(), RecordError> {
        let mut days: BTreeMap<TradingDate, Vec<ReportSuspended>> = BTreeMap::new();
        for report in held {
            let suspended = ReportSuspended {
                venue: self.venue,
                report_key: report.key,
                reason: report.reason,
                message: report.message,
                execution: report.execution,
            };
            days.entry(report.date).or_default().push(suspended);
        }
        for (date, reports) in days {
            self.hold_as(date, reports).await?;
        }
        Ok(())
    }

    async fn append_held(
        &self,
        stream: &str,
        reports: &[ReportSuspended],
    ) -> Result<(), RecordError> {
        let keys: Vec<_> = reports.iter().map(|report| &report.report_key).collect();
        let request_id = request_id(stream, &format!("{keys:?}"));
        let caller = self.own(request_id);
        let record = |held: &Suspense| {
            let mut state = held.clone();
            let mut events = Vec::new();
            for report in reports {
                let new = suspense::record(&state, SuspenseReport::Suspended(report.clone()));
                state = new.iter().fold(state, suspense::evolve);
                events.extend(new);
            }
            Ok((events, ()))
        };
        let committed = patiently(&self.suspense, stream, &caller, record).await?;
        if committed.appended > 0 {
            for report in reports {
                tracing::error!(venue = %self.venue, report.key = %report.report_key, reason = %report.reason, "a report is held in suspense");
            }
        }
        Ok(())
    }

    /// Keeps reports under a day and keys of their own.
    ///
    /// # Errors
    /// [`RecordError::Fact`] when the log did not take all of them.
    pub async fn hold_as(
        &self,
        date: TradingDate,
        reports: Vec<ReportSuspended>,
    ) -> Result<(), RecordError> {
        let stream = suspense::stream(self.venue, date);
        for some in reports.chunks(HELD_PER_APPEND) {
            self.append_held(&stream, some).await?;
        }
        Ok(())
    }

    /// Tells positions what the drop copy said of their trades, each in its order.
    ///
    /// # Errors
    /// [`RecordError::Fact`] when the log did not take all of it; the others are in it.
    pub async fn copied(
        &self,
        positions: BTreeMap<Arc<str>, Vec<Report>>,
    ) -> Result<(), RecordError> {
        let positions = positions.iter();
        let copied = positions.map(|(stream, reports)| self.copied_of_one(stream, reports));
        join_all(copied).await.into_iter().collect()
    }

    async fn copied_of_one(&self, stream: &str, reports: &[Report]) -> Result<(), RecordError> {
        for some in reports.chunks(REPORTS_PER_APPEND) {
            let caller = self.own(request_id(stream, &format!("{some:?}")));
            let record = |position: &Position| Ok((position::record_all(position, some), ()));
            patiently(&self.positions, stream, &caller, record).await?;
        }
        Ok(())
    }

    /// Tells the platform what the venue said of its market, in its order.
    ///
    /// # Errors
    /// [`RecordError::Fact`] when the log did not take it.
    pub async fn market(&self, reports: Vec<PlatformReport>) -> Result<(), RecordError> {
        if reports.is_empty() {
            return Ok(());
        }
        // A phase comes back in the course of a day: each time is a fact of its own, however alike.
        let caller = self.own(Uuid::now_v7());
        let record = |platform: &Platform| {
            let mut state = platform.clone();
            let mut events = Vec::new();
            for report in &reports {
                let new = platform::record(&state, report.clone());
                state = new.iter().fold(state, platform::evolve);
                events.extend(new);
            }
            Ok((events, ()))
        };
        patiently(&self.platform, platform::STREAM, &caller, record).await?;
        Ok(())
    }

    /// Tells the session's state; gives the fence that holds now.
    ///
    /// # Errors
    /// [`RecordError::Fenced`] when another gateway took the session over; [`RecordError::Session`] when the log did not take it.
    pub async fn session(&self, report: SessionReport) -> Result<u64, RecordError> {
        // A session comes and goes: each time is a fact of its own, however alike.
        let caller = self.own(Uuid::now_v7());
        let record = |state: &Session| {
            let events = session::record(state, self.venue, report.clone())?;
            let fence = events.iter().fold(state.clone(), session::evolve).fence;
            Ok((events, fence))
        };
        let stream = session::stream(self.venue, &self.comp_id);
        match patiently(&self.sessions, &stream, &caller, record).await {
            Ok(committed) => Ok(committed.value),
            Err(TransactError::Refused(fenced)) => Err(RecordError::Fenced(fenced)),
            Err(error) => Err(RecordError::Session(error)),
        }
    }

    /// What no person's request is behind.
    fn own(&self, request_id: Uuid) -> Caller {
        Caller {
            actor: Arc::clone(&self.actor),
            request_id,
            correlation_id: request_id,
            epoch: 0,
            now: now(),
        }
    }
}

/// Asks again while the log says that it can't just now.
async fn patiently<A: Aggregate, T, E>(
    streams: &Streams<A>,
    stream: &str,
    caller: &Caller,
    decide: impl Fn(&A) -> Result<(Vec<A::Event>, T), E>,
) -> Result<Committed<T>, TransactError<E>> {
    let since = Instant::now();
    loop {
        match streams.transact(stream, caller, &decide).await {
            Err(error) if passes(&error) && since.elapsed() < PATIENCE => {
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

fn passes<E>(error: &TransactError<E>) -> bool {
    match error {
        TransactError::Contended { .. } | TransactError::Load(LoadError::Read(_)) => true,
        TransactError::Append(error) => {
            matches!(
                error,
                AppendError::Overloaded
                    | AppendError::Unavailable { .. }
                    | AppendError::Unknown { .. }
            )
        }
        TransactError::Refused(_) | TransactError::Load(LoadError::Decode(_)) => false,
    }
}

fn request_id(stream: &str, what: &str) -> Uuid {
    Uuid::new_v5(&REPORTS, format!("{stream}\n{what}").as_bytes())
}

/// The clock of this role.
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
