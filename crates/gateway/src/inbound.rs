//! From the wire to the log: what the venue tells is recorded before its sequence number counts as received.
//!
//! 1. A batch is answered only when every message of it is in the log, as events of a position or in suspense: nothing is dropped.
//! 2. A message that comes again changes nothing: the position knows its reports, the suspense stream its keys.
//! 3. That an order was sent is recorded with the venue's answer, or by itself when none comes at once; the journal tells of it after
//!    a crash, and nothing else is decided about the session before it is recorded.
//! 4. What the venue never received is sent again only while it is fresh and still wanted; otherwise it is recorded as not delivered,
//!    before the gap is filled over it.

use crate::dispatch::{PutOff, dispatches, were_dispatched};
use crate::index::{Index, Known, Named, Role};
use crate::record::{Fact, Held, RecordError, Recorder, now};
use crate::recovery::{self, Recovery};
use crate::sent::Sent;
use crate::suspend;
use crate::throttle::Throttle;
use crate::translate;
use squareoff_domain::Venue;
use squareoff_domain::platform::PlatformReport;
use squareoff_domain::position::{CancelState, Order, OrderStatus, ReplaceState, Report};
use squareoff_domain::session::SessionReport;
use squareoff_fix::faults::{self, Point};
use squareoff_fix::message::{AppMessage, ExecType, ExecutionReport, Logon};
use squareoff_fix::{Application, Inbound, NotRecorded, Record, Resend, SentRecord, SessionState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

pub struct Inbounds {
    pub venue: Venue,
    pub recorder: Recorder,
    pub index: Arc<Mutex<Index>>,
    pub fence: u64,
    pub resend_age_max: Duration,
    /// What the venue is asked before the session is ready.
    pub recovery: Arc<Mutex<Recovery>>,
    /// Whether the session is ready, for the outbound side.
    pub up: watch::Sender<bool>,
    /// The session that another gateway took over.
    pub fenced: watch::Sender<Option<String>>,
    pub sent: Sent,
    /// The journal's generation: within one a sequence number is never used again.
    pub generation: u64,
    /// Whether the venue was asked to cancel what works when the connection is lost.
    pub cancel_on_disconnect: bool,
    /// Whether we never had another session to the venue.
    pub is_sole: bool,
    /// Of what goes out over this session.
    pub throttle: Arc<Mutex<Throttle>>,
    pub put_off: PutOff,
}

/// What one message of the venue is.
enum Meaning {
    Fact(Fact),
    /// A message of ours was refused before it reached the order book.
    Refused {
        named: Named,
        text: Option<String>,
        /// Because too many messages came.
        for_rate: bool,
    },
    Held(Held),
    /// A market segment went into another phase.
    Market(PlatformReport),
    /// How an order stands, as the venue was asked.
    Status(Box<ExecutionReport>),
    /// The venue refuses to say.
    NoAnswer {
        question: String,
        text: Option<String>,
    },
    Nothing,
}

/// What a batch tells, not yet recorded.
#[derive(Default)]
struct Told {
    facts: Vec<Fact>,
    held: Vec<Held>,
    market: Vec<PlatformReport>,
}

impl Application for Inbounds {
    async fn receive(&mut self, batch: Vec<Inbound>) -> Result<(), NotRecorded> {
        let mut told = Told::default();
        for inbound in &batch {
            match self.read(inbound) {
                Meaning::Fact(fact) => told.facts.push(fact),
                Meaning::Refused {
                    named,
                    text,
                    for_rate,
                } => {
                    let order = Arc::clone(&named.order);
                    match self.refused(named, text, for_rate).await? {
                        Some(report) => told.facts.push((order, report)),
                        None => {
                            let reason = "it refuses an order that the venue has acknowledged";
                            let held = self.hold(inbound, Some(&order), reason.into());
                            told.held.push(held);
                        }
                    }
                }
                Meaning::Held(report) => told.held.push(report),
                Meaning::Market(report) => told.market.push(report),
                // An answer is compared with what the log says, so everything before it goes there first.
                Meaning::Status(report) => {
                    self.take_in(&mut told).await?;
                    self.stands(inbound, &report).await?;
                }
                Meaning::NoAnswer { question, text } => {
                    self.take_in(&mut told).await?;
                    self.not_answered(&question, text).await?;
                }
                Meaning::Nothing => {}
            }
        }
        self.take_in(&mut told).await?;
        Ok(self.ready_when_reconciled().await?)
    }

    async fn resend(&mut self, records: Vec<Record>) -> Result<Vec<Resend>, NotRecorded> {
        self.take_in(&mut Told::default()).await?;
        let mut decisions = Vec::with_capacity(records.len());
        for record in records {
            decisions.push(self.decide_resend(&record).await?);
        }
        Ok(decisions)
    }

    async fn sent(&mut self, batch: &[SentRecord]) -> Result<(), NotRecorded> {
        for record in batch {
            self.sent.push(record.seq, &record.id);
        }
        let batch = batch.iter().map(|record| (record.id.as_str(), record.seq));
        let facts = dispatches(&self.recorder, &self.index, batch);
        self.put_off.put_off(facts);
        Ok(())
    }

    fn due_at(&self) -> Option<tokio::time::Instant> {
        self.put_off.until()
    }

    async fn due(&mut self) -> Result<(), NotRecorded> {
        Ok(self.take_in(&mut Told::default()).await?)
    }

    async fn agreed(&mut self, terms: &Logon) -> Result<(), NotRecorded> {
        if self.cancel_on_disconnect && !terms.cancel_on_disconnect {
            tracing::warn!(session = %self.recorder.session_name(), "the venue does not cancel on a disconnect, though it was asked to: what works works on without us");
        }
        Ok(())
    }

    async fn state(&mut self, state: SessionState) -> Result<(), NotRecorded> {
        match state {
            SessionState::LoggedOn => {
                self.recovery().logged_on();
                Ok(())
            }
            SessionState::LoggedOff { reason } => {
                // First: whatever becomes of the report, nothing more is handed on.
                self.up.send_replace(false);
                self.recovery().logged_off();
                let recorded = self.take_in(&mut Told::default()).await;
                let fence = self.fence;
                self.tell(SessionReport::Down { fence, reason }).await?;
                Ok(recorded?)
            }
            SessionState::NumbersReset { generation } => {
                tracing::warn!(
                    generation,
                    "the session's sequence numbers start at 1 again; what the venue had not delivered is lost"
                );
                self.generation = generation;
                self.sent.clear();
                self.recovery().is_renumbered = true;
                self.take_in(&mut Told::default()).await?;
                Ok(self.doubt_unanswered().await?)
            }
        }
    }
}

impl Inbounds {
    pub fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn recovery(&self) -> MutexGuard<'_, Recovery> {
        self.recovery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the session's state; one that another gateway took over is given up.
    pub async fn tell(&self, report: SessionReport) -> Result<(), RecordError> {
        let recorded = self.recorder.session(report).await;
        if let Err(RecordError::Fenced(_)) = recorded {
            self.fenced.send_replace(Some(self.recorder.session_name()));
        }
        recorded.map(drop)
    }

    /// Records what was put off and then what was told, the market's phases last: what ends with the market's close has all the reports
    /// before it.
    async fn take_in(&mut self, told: &mut Told) -> Result<(), RecordError> {
        let Told {
            facts,
            held,
            market,
        } = std::mem::take(told);
        let tells = !facts.is_empty();
        reached(Point::BeforeAppend, tells).await;
        // What was put off stays so until it is in the log: it does not come again.
        let facts = self.put_off.facts().iter().cloned().chain(facts);
        // At once, so that they share a commit.
        let recorded = tokio::join!(self.recorder.record(facts), self.recorder.hold(held));
        recorded.0.and(recorded.1)?;
        let sent = std::mem::take(&mut self.put_off);
        were_dispatched(&self.recorder, &self.index, sent.facts());
        reached(Point::AfterAppend, tells).await;
        self.recorder.market(market).await
    }

    fn read(&self, inbound: &Inbound) -> Meaning {
        let index = self.index();
        let hold = |known: Option<&Known>, reason: String| {
            Meaning::Held(self.hold(inbound, known, reason))
        };
        let refused = |ids: [Option<&str>; 2], text: &Option<String>, for_rate: bool| {
            let text = text.clone();
            let asked = |id| recovery::question(id).or(self.recovery().asks(id).then_some(id));
            let question = ids.into_iter().flatten().find_map(asked);
            if let Some(question) = question.map(str::to_owned) {
                return Meaning::NoAnswer { question, text };
            }
            let found = ids.into_iter().flatten().find_map(|id| index.find_text(id));
            let Some(named) = found else {
                return hold(None, "it names no message of ours".into());
            };
            Meaning::Refused {
                named,
                text,
                for_rate,
            }
        };
        match &inbound.message {
            AppMessage::ExecutionReport(report) if report.exec_type == ExecType::OrderStatus => {
                Meaning::Status(report.clone())
            }
            AppMessage::ExecutionReport(report) => {
                let ids = [
                    report.cl_ord_id.as_deref(),
                    report.orig_cl_ord_id.as_deref(),
                ];
                let found = ids.into_iter().flatten().find_map(|id| index.find_text(id));
                let Some(found) = found else {
                    let named = ids[0].unwrap_or_default();
                    return hold(None, format!("no order of ours has ClOrdID {named:?}"));
                };
                let order = Arc::clone(&found.order);
                match translate::execution(report, found, self.venue) {
                    Ok(Some(report)) => Meaning::Fact((order, report)),
                    Ok(None) => Meaning::Nothing,
                    Err(reason) => hold(Some(&order), reason),
                }
            }
            AppMessage::OrderCancelReject(reject) => match index.find_text(&reject.cl_ord_id) {
                Some(found) if found.cl_ord_id != found.order.cl_ord_id => {
                    let report = translate::cancel_rejected(reject, found.cl_ord_id);
                    Meaning::Fact((found.order, report))
                }
                Some(_) | None => {
                    hold(None, "no cancel or replace of ours has this ClOrdID".into())
                }
            },
            AppMessage::BusinessMessageReject(reject) => {
                let by_number = reject.ref_seq_num.and_then(|seq| self.sent.id(seq));
                let for_rate = translate::is_for_rate(reject);
                if for_rate {
                    let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
                    throttle.refused(Instant::now());
                    if by_number.is_some_and(|id| recovery::question(id).is_some()) {
                        // It is asked again in its time.
                        return Meaning::Nothing;
                    }
                }
                refused(
                    [reject.ref_id.as_deref(), by_number],
                    &reject.text,
                    for_rate,
                )
            }
            AppMessage::Reject(reject) => refused(
                [self.sent.id(reject.ref_seq_num), None],
                &reject.text,
                false,
            ),
            AppMessage::TradingSessionStatus(status) => {
                let source = self.recorder.session_name();
                match translate::market_phase(status, inbound.sending_time, self.venue, source) {
                    Ok(report) => Meaning::Market(report),
                    Err(reason) => hold(None, reason),
                }
            }
            AppMessage::NewOrderSingle(_)
            | AppMessage::OrderCancelRequest(_)
            | AppMessage::OrderCancelReplaceRequest(_)
            | AppMessage::OrderStatusRequest(_)
            | AppMessage::OrderMassStatusRequest(_)
            | AppMessage::OrderMassCancelRequest(_)
            | AppMessage::OrderMassCancelReport(_)
            | AppMessage::TradeCaptureReport(_)
            | AppMessage::DontKnowTrade(_)
            | AppMessage::Other(_) => hold(None, "a message that a venue does not send us".into()),
        }
    }

    pub fn hold(&self, inbound: &Inbound, known: Option<&Known>, reason: String) -> Held {
        let of_session = format!("{} {}", self.recorder.session_name(), self.generation);
        suspend::held(inbound, self.venue, &of_session, known, reason)
    }

    /// What a refusal says of the order; `None`: it contradicts what the venue itself said of it.
    async fn refused(
        &self,
        named: Named,
        text: Option<String>,
        for_rate: bool,
    ) -> Result<Option<Report>, RecordError> {
        let (of_order, is_cancel) = (named.is_new_order(), named.role == Role::Cancel);
        if for_rate && is_cancel && !of_order {
            return Ok(Some(translate::throttled(named.cl_ord_id, text.as_deref())));
        }
        let position = self.recorder.position(&named.order).await?;
        let order = position.orders.get(&named.order.order_id);
        let acknowledged = order.is_some_and(|order| order.exchange_order_id.is_some());
        Ok((!of_order || !acknowledged)
            .then(|| translate::refused(named.cl_ord_id, of_order, text.as_deref())))
    }

    /// The numbers start anew: neither side can ask for what the other missed, so what was sent and not answered may be anywhere.
    ///
    /// # Errors
    /// [`RecordError::Fact`] when the log did not take it.
    pub async fn doubt_unanswered(&self) -> Result<(), RecordError> {
        let reason = format!(
            "the session's numbers started anew before the exchange answered (fence {}, generation {})",
            self.fence, self.generation
        );
        doubt_unanswered(&self.recorder, &self.index, &reason).await
    }

    /// The peer asks for this message again: it never processed it.
    async fn decide_resend(&self, record: &Record) -> Result<Resend, RecordError> {
        if recovery::question(&record.id).is_some() {
            // It is asked anew at every log-on.
            return Ok(Resend::GapFill);
        }
        let found = self.index().find_text(&record.id);
        let Some(named) = found else {
            tracing::error!(id = %record.id, seq = record.seq, "the journal holds a message that the log knows nothing of; it is not sent again");
            return Ok(Resend::GapFill);
        };
        let position = self.recorder.position(&named.order).await?;
        let Some(order) = position.orders.get(&named.order.order_id) else {
            return Ok(Resend::GapFill);
        };
        let (is_open, is_wanted) = prospects(order, &named);
        if !is_open {
            return Ok(Resend::GapFill);
        }
        let age = now().0.saturating_sub(record.sending_time.0);
        let age = Duration::from_nanos(u64::try_from(age).unwrap_or(0));
        if age <= self.resend_age_max && is_wanted {
            return Ok(Resend::Again);
        }
        let Named {
            cl_ord_id,
            order: known,
            ..
        } = named;
        tracing::warn!(cl_ord_id = %cl_ord_id, age_s = age.as_secs(), "the venue never received it, and it is not sent again: too old, or cancelled since");
        self.recorder
            .record([(known, Report::NotDelivered { cl_ord_id })])
            .await?;
        Ok(Resend::GapFill)
    }
}

/// What this session has sent and the venue has not answered may be anywhere.
///
/// # Errors
/// [`RecordError::Fact`] when the log did not take it.
pub async fn doubt_unanswered(
    recorder: &Recorder,
    index: &Mutex<Index>,
    reason: &str,
) -> Result<(), RecordError> {
    let sent = index
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .unanswered(&recorder.session_name());
    let mut facts: Vec<Fact> = Vec::new();
    for Named {
        cl_ord_id, order, ..
    } in sent
    {
        let position = recorder.position(&order).await?;
        let told = position.orders.get(&order.order_id);
        if told.is_some_and(|order| order.exchange_order_id.is_none()) {
            let reason = reason.to_owned();
            facts.push((order, Report::InDoubt { cl_ord_id, reason }));
        }
    }
    recorder.record(facts).await
}

/// Whether nothing is known yet of what became of a message (of the order, that it came to the venue's book or to an end; of the
/// cancel or replace, that it was answered), and whether it may still go then. What a cancel waits for had better never arrive.
fn prospects(order: &Order, named: &Named) -> (bool, bool) {
    let id = &named.cl_ord_id;
    if named.is_new_order() {
        let is_open = order.ended.is_empty() && order.exchange_order_id.is_none();
        return (is_open, may_still_be_placed(order.status()));
    }
    let works = !order.leaves().is_zero();
    match named.role {
        Role::Cancel => (order.cancels.get(id) == Some(&CancelState::Pending), works),
        Role::Replace | Role::Order => {
            let replace = order.replaces.get(id);
            let is_open = replace.is_some_and(|replace| replace.state == ReplaceState::Pending);
            (is_open, works && !order.cancel_pending())
        }
    }
}

fn may_still_be_placed(status: OrderStatus) -> bool {
    match status {
        OrderStatus::Placed | OrderStatus::Sent | OrderStatus::PendingReplace => true,
        OrderStatus::PendingCancel
        | OrderStatus::New
        | OrderStatus::Frozen
        | OrderStatus::InDoubt
        | OrderStatus::PartiallyFilled
        | OrderStatus::Filled
        | OrderStatus::Canceled
        | OrderStatus::Expired
        | OrderStatus::Rejected
        | OrderStatus::NotDelivered => false,
    }
}

/// Where a test may let the gateway die, when what came tells of an order.
async fn reached(point: Point, tells: bool) {
    if tells {
        faults::at(point).await;
    }
}

impl From<RecordError> for NotRecorded {
    fn from(error: RecordError) -> Self {
        NotRecorded(error.to_string())
    }
}
