//! From the wire to the log: what the venue tells is recorded before its sequence number counts as received.
//!
//! 1. A batch is answered only when every message of it is in the log, as events of a position or in suspense: nothing is dropped.
//! 2. A message that comes again changes nothing: the position knows its reports, the suspense stream its keys.
//! 3. What the venue never received is sent again only while it is fresh and still wanted; otherwise it is recorded as not delivered,
//!    before the gap is filled over it.

use crate::index::{Index, Known};
use crate::record::{RecordError, Recorder, now};
use crate::translate;
use futures::future::try_join_all;
use squareoff_domain::position::{OrderStatus, Report};
use squareoff_domain::session::SessionReport;
use squareoff_domain::{TradingDate, Venue};
use squareoff_fix::message::AppMessage;
use squareoff_fix::{Application, Inbound, NotRecorded, Record, Resend, SentRecord, SessionState};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::watch;

/// How many sent messages are remembered by their number, to know what a session-level Reject (35=3) is about.
const SENT_MAX: usize = 4_096;

pub struct Inbounds {
    pub venue: Venue,
    pub recorder: Recorder,
    pub index: Arc<Mutex<Index>>,
    pub fence: u64,
    pub resend_age_max: Duration,
    /// Whether the session is logged on, for the outbound side.
    pub up: watch::Sender<bool>,
    /// Another gateway took the session over.
    pub fenced: watch::Sender<bool>,
    pub sent: VecDeque<(u64, String)>,
}

/// What one message of the venue is.
enum Fact {
    About(Arc<Known>, Report),
    Suspended { date: TradingDate, key: String, reason: String, message: String },
    Nothing,
}

impl Application for Inbounds {
    async fn receive(&mut self, batch: Vec<Inbound>) -> Result<(), NotRecorded> {
        let mut positions: BTreeMap<Arc<str>, (Arc<Known>, Vec<Report>)> = BTreeMap::new();
        let mut suspended = Vec::new();
        for inbound in batch {
            match self.fact(&inbound) {
                Fact::About(known, report) => {
                    positions.entry(Arc::clone(&known.stream)).or_insert_with(|| (known, vec![])).1.push(report);
                }
                Fact::Suspended { date, key, reason, message } => suspended.push(self.recorder.suspend(date, key, reason, message)),
                Fact::Nothing => {}
            }
        }
        // All at once, so that they share a commit.
        let recorded = positions.values_mut().map(|(known, reports)| self.recorder.record(known, std::mem::take(reports)));
        let (positions, suspended) = tokio::join!(try_join_all(recorded), try_join_all(suspended));
        positions.and(suspended).map(drop).map_err(not_recorded)
    }

    async fn resend(&mut self, records: Vec<Record>) -> Result<Vec<Resend>, NotRecorded> {
        let mut decisions = Vec::with_capacity(records.len());
        for record in records {
            decisions.push(self.decide_resend(&record).await.map_err(not_recorded)?);
        }
        Ok(decisions)
    }

    async fn sent(&mut self, batch: &[SentRecord]) -> Result<(), NotRecorded> {
        for record in batch {
            self.sent.push_back((record.seq, record.id.clone()));
        }
        while self.sent.len() > SENT_MAX {
            self.sent.pop_front();
        }
        let batch = batch.iter().map(|record| (record.id.as_str(), record.seq));
        dispatched(&self.recorder, &self.index, batch).await.map_err(not_recorded)
    }

    async fn state(&mut self, state: SessionState) -> Result<(), NotRecorded> {
        let fence = self.fence;
        let (up, report) = match state {
            SessionState::LoggedOn => (true, SessionReport::Ready { fence }),
            SessionState::LoggedOff { reason } => (false, SessionReport::Down { fence, reason }),
            SessionState::NumbersReset { generation } => {
                tracing::warn!(generation, "the session's sequence numbers start at 1 again");
                self.sent.clear();
                return Ok(());
            }
        };
        match self.recorder.session(report).await {
            Ok(_) => {
                self.up.send_replace(up);
                Ok(())
            }
            Err(error) => {
                self.up.send_replace(false);
                if matches!(error, RecordError::Fenced(_)) {
                    self.fenced.send_replace(true);
                }
                Err(not_recorded(error))
            }
        }
    }
}

impl Inbounds {
    /// Reads one message of the venue as a fact.
    fn fact(&self, inbound: &Inbound) -> Fact {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let message = &inbound.message;
        let suspend = |date: Option<TradingDate>, key: String, reason: String| {
            // Without an order there is no trading date but that of the sending.
            let date = date.unwrap_or_else(|| date_of(inbound.sending_time.0));
            Fact::Suspended { date, key, reason, message: format!("{message:?}") }
        };
        match message {
            AppMessage::ExecutionReport(report) => {
                let ids = [report.cl_ord_id.as_deref(), report.orig_cl_ord_id.as_deref()];
                let Some((cl_ord_id, known)) = ids.into_iter().flatten().find_map(|id| index.find_text(id)) else {
                    let reason = format!("no order of ours has ClOrdID {:?}", report.cl_ord_id.as_deref().unwrap_or(""));
                    return suspend(None, report.exec_id.clone(), reason);
                };
                match translate::execution(report, cl_ord_id, self.venue, known.key.date) {
                    Ok(Some(report)) => Fact::About(known, report),
                    Ok(None) => Fact::Nothing,
                    Err(reason) => suspend(Some(known.key.date), report.exec_id.clone(), reason),
                }
            }
            AppMessage::OrderCancelReject(reject) => match index.find_text(&reject.cl_ord_id) {
                Some((cl_ord_id, known)) => Fact::About(known, translate::cancel_rejected(reject, cl_ord_id)),
                None => suspend(None, format!("cancel-reject {}", reject.cl_ord_id), "no cancel of ours has this ClOrdID".into()),
            },
            AppMessage::BusinessMessageReject(reject) => {
                let id = reject.ref_id.clone().or_else(|| self.sent_as(reject.ref_seq_num?));
                self.refused(&index, id, reject.text.clone().unwrap_or_default())
                    .unwrap_or_else(|| suspend(None, format!("business-reject {}", inbound.seq), "it names no message of ours".into()))
            }
            AppMessage::Reject(reject) => {
                let id = self.sent_as(reject.ref_seq_num);
                self.refused(&index, id, reject.text.clone().unwrap_or_default())
                    .unwrap_or_else(|| suspend(None, format!("session-reject {}", inbound.seq), "it names no message of ours".into()))
            }
            AppMessage::NewOrderSingle(_)
            | AppMessage::OrderCancelRequest(_)
            | AppMessage::OrderStatusRequest(_)
            | AppMessage::OrderMassStatusRequest(_)
            | AppMessage::Other(_) => {
                suspend(None, format!("{} {}", message.kind(), inbound.seq), "a message that a venue does not send us".into())
            }
        }
    }

    fn refused(&self, index: &Index, id: Option<String>, text: String) -> Option<Fact> {
        let (cl_ord_id, known) = index.find_text(&id?)?;
        let of_order = cl_ord_id == known.cl_ord_id;
        Some(Fact::About(known, translate::refused(cl_ord_id, of_order, text)))
    }

    /// The id of the message that was sent under this number.
    fn sent_as(&self, seq: u64) -> Option<String> {
        self.sent.iter().rev().find(|(sent, _)| *sent == seq).map(|(_, id)| id.clone())
    }

    /// The peer asks for this message again: it never processed it.
    async fn decide_resend(&self, record: &Record) -> Result<Resend, RecordError> {
        let found = self.index.lock().unwrap_or_else(PoisonError::into_inner).find_text(&record.id);
        let Some((cl_ord_id, known)) = found else { return Ok(Resend::GapFill) };
        let position = self.recorder.position(&known).await?;
        let is_order = cl_ord_id == known.cl_ord_id;
        let order = position.orders.get(&known.order_id);
        let wanted = order.is_some_and(|order| match order.status() {
            OrderStatus::Placed | OrderStatus::Sent => is_order,
            OrderStatus::PendingCancel => true,
            OrderStatus::New | OrderStatus::PartiallyFilled => false,
            OrderStatus::Filled | OrderStatus::Canceled | OrderStatus::Expired | OrderStatus::Rejected | OrderStatus::NotDelivered => false,
        });
        let age = u64::try_from(now().0.saturating_sub(record.sending_time.0)).unwrap_or(0);
        if wanted && Duration::from_nanos(age) <= self.resend_age_max {
            return Ok(Resend::Again);
        }
        // Whatever the venue said of the order since, it has this message: then there is nothing to report as lost.
        if order.is_some_and(|order| is_order && order.exchange_order_id.is_some()) {
            return Ok(Resend::GapFill);
        }
        tracing::warn!(cl_ord_id = %cl_ord_id, age_s = age / 1_000_000_000, "the venue never received it and it is too old to send again");
        self.recorder.record(&known, vec![Report::NotDelivered { cl_ord_id }]).await?;
        Ok(Resend::GapFill)
    }
}

/// Records that these messages are in the journal, where the log does not know it yet. Cancels say nothing: their request is enough.
pub async fn dispatched<'a>(
    recorder: &Recorder,
    index: &Mutex<Index>,
    batch: impl Iterator<Item = (&'a str, u64)>,
) -> Result<(), RecordError> {
    let mut reports = Vec::new();
    {
        let index = index.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, sequence) in batch {
            let Some((cl_ord_id, known)) = index.find_text(id) else { continue };
            if cl_ord_id == known.cl_ord_id && !index.is_dispatched(known.order_id) {
                reports.push((known, Report::Dispatched { cl_ord_id, session: recorder.session_name(), sequence }));
            }
        }
    }
    try_join_all(reports.iter().map(|(known, report)| recorder.record(known, vec![report.clone()]))).await?;
    Ok(())
}

fn not_recorded(error: RecordError) -> NotRecorded {
    NotRecorded(error.to_string())
}

/// The day in India (UTC+05:30) at an instant, in nanoseconds since 1970.
fn date_of(nanos: i64) -> TradingDate {
    const INDIA: time::UtcOffset = time::macros::offset!(+5:30);
    let instant = OffsetDateTime::from_unix_timestamp_nanos(i128::from(nanos)).expect("an i64 of nanoseconds is between 1677 and 2262");
    let date = instant.to_offset(INDIA).date();
    let year = u16::try_from(date.year()).expect("between 1677 and 2262");
    TradingDate::new(year.max(1900), date.month().into(), date.day()).expect("a calendar's day, and no clock is before 1900")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_the_one_in_india() {
        for (seconds, day) in [(0, "1970-01-01"), (1_772_323_199 - 19_800, "2026-02-28"), (1_772_323_200 - 19_800, "2026-03-01"), (951_782_400, "2000-02-29")] {
            assert_eq!(date_of(seconds * 1_000_000_000).to_string(), day);
        }
    }
}
