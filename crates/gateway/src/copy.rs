//! The drop-copy session: a second connection to a venue, on which it tells of every trade of ours once more. Called by the role
//! `gateway`, one task per venue, beside the order sessions and independent of them: whatever becomes of it stops no order.
//!
//! 1. What the order session booked is provisional until it is told here; what is told otherwise, or here alone, is a break.
//! 2. Nothing is booked from here: a trade that only the drop copy knows is for a person to look into.
//! 3. As on the order session a message is in the log before its number counts as received, and a repetition changes nothing.
//! 4. A trade that the drop copy leaves out for too long is held as a report of its own, once, for a person to look into.

mod book;

use crate::connection::Connection;
use crate::days;
use crate::record::{RecordError, Recorder};
use crate::suspend;
use crate::translate;
use crate::{GatewayError, stopped};
use book::{Book, keep_holding};
use squareoff_domain::drop_copy;
use squareoff_domain::position::Report;
use squareoff_domain::suspense::SuspendedExecution;
use squareoff_domain::{ClOrdId, ExecutionKey, Price, Quantity, Side, TradingDate, Venue};
use squareoff_fix::message::{self as fix, AppMessage, Dialect, ExecType, TradeReportTransType};
use squareoff_fix::{
    Application, Endpoint, Inbound, Journal, NotRecorded, PriceE4, Record, Resend, Role,
    SentRecord, SessionConfig, SessionState, Timestamp,
};
use squareoff_store::{EventStore, Streams};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

/// How long a trade may go unconfirmed before a person is to look into it, while the drop copy is there. Venues tell both sessions within a second or so.
pub const CONFIRM_TIME_LIMIT: Duration = Duration::from_secs(60);

/// Pause behind a batch, so that the next has more: nobody waits for a confirmation as for an order, and a batch has its price however
/// little it brings.
const PACE: Duration = Duration::from_millis(25);
/// Behind a batch of so many there is no pause: what has piled up must not come in more slowly than it was sent.
const ENOUGH: usize = 128;

/// A venue's drop-copy session.
#[derive(Debug, Clone)]
pub struct DropCopySession {
    pub venue: Venue,
    pub dialect: Dialect,
    pub connection: Connection,
    /// Our SenderCompID (49) on this session: another than that of the order session.
    pub comp_id: String,
    pub heartbeat_s: u32,
    /// [`CONFIRM_TIME_LIMIT`], or a test's.
    pub confirm_time_limit: Duration,
    /// Folder of the session's journal.
    pub journal: PathBuf,
}

/// Keeps the session until `shutdown` turns true, connecting again and again.
///
/// # Errors
/// [`GatewayError`]: what no reconnecting mends.
pub async fn run(
    config: DropCopySession,
    store: EventStore,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), GatewayError> {
    let DropCopySession {
        venue,
        dialect,
        connection,
        comp_id,
        confirm_time_limit,
        ..
    } = config;
    let journal = Journal::open(&config.journal, &comp_id, venue.as_str(), Timestamp::now())?;
    let recorder = Recorder::new(&Streams::new(store.clone()), venue, &comp_id);
    let mut book = Book::new(venue, store, recorder.clone());
    tokio::select! {
        read = book.read_on() => read.map_err(|error| GatewayError::DropCopy(error.0))?,
        () = stopped(&mut shutdown) => return Ok(()),
    }
    let book = Arc::new(Mutex::new(book));
    let copies = Copies {
        recorder,
        book: Arc::clone(&book),
        generation: journal.generation(),
    };
    let settings = SessionConfig {
        heart_bt_int_s: config.heartbeat_s,
        reset: connection.reset,
        schedule: connection.schedule.clone(),
        ..SessionConfig::new(Role::Initiator, &comp_id, venue.as_str()).speaking(dialect)
    };
    // Nothing is ever sent.
    let (_never, nothing) = tokio::sync::mpsc::channel(1);
    // A set ends its task when it is dropped.
    let mut watching = JoinSet::new();
    watching.spawn(keep_holding(
        book,
        copies.recorder.clone(),
        confirm_time_limit,
    ));
    let mut endpoint = Endpoint::new(settings, journal, nothing, copies, connection.clock);
    Ok(connection.run(&mut endpoint, shutdown).await?)
}

/// The application behind the session.
struct Copies {
    recorder: Recorder,
    book: Arc<Mutex<Book>>,
    /// The journal's generation: within one a sequence number is never used again.
    generation: u64,
}

/// A trade as the drop copy tells of it.
#[derive(Debug, PartialEq, Eq)]
struct Copy {
    day: TradingDate,
    /// What is told of: the execution, or the correction of one.
    execution: ExecutionKey,
    /// The execution that is corrected or taken back.
    of: Option<ExecutionKey>,
    order: Option<ClOrdId>,
    account: Option<String>,
    symbol: String,
    side: Side,
    /// Zero: it was taken back.
    quantity: Quantity,
    price: Price,
}

impl Application for Copies {
    async fn receive(&mut self, batch: Vec<Inbound>) -> Result<(), NotRecorded> {
        let mut book = self.book.lock().await;
        book.read_on().await?;
        let mut positions: BTreeMap<Arc<str>, Vec<Report>> = BTreeMap::new();
        let (mut strange, mut held) = (Vec::new(), Vec::new());
        for inbound in &batch {
            let copies = match read(&inbound.message, book.venue, inbound.sending_time) {
                Ok(copies) => copies,
                Err(reason) => {
                    let of_session =
                        format!("{} {}", self.recorder.session_name(), self.generation);
                    held.push(suspend::held(
                        inbound,
                        book.venue,
                        &of_session,
                        None,
                        reason,
                    ));
                    continue;
                }
            };
            for copy in copies {
                let of = copy.of.as_ref().unwrap_or(&copy.execution);
                let order = copy.order.as_ref();
                match book.places.stream_of(book.venue, of, order) {
                    Some(stream) => {
                        let report = self.confirms(copy);
                        positions.entry(stream).or_default().push(report);
                    }
                    None => strange.push((copy, inbound)),
                }
            }
        }
        self.recorder.copied(positions).await?;
        for (copy, inbound) in strange {
            self.hold(book.venue, copy, inbound).await?;
        }
        self.recorder.hold(held).await?;
        drop(book);
        if batch.len() < ENOUGH {
            tokio::time::sleep(PACE).await;
        }
        Ok(())
    }

    /// Nothing is ever sent, so nothing can be asked for.
    async fn resend(&mut self, records: Vec<Record>) -> Result<Vec<Resend>, NotRecorded> {
        Ok(vec![Resend::GapFill; records.len()])
    }

    async fn sent(&mut self, _: &[SentRecord]) -> Result<(), NotRecorded> {
        Ok(())
    }

    async fn state(&mut self, state: SessionState) -> Result<(), NotRecorded> {
        let mut book = self.book.lock().await;
        match state {
            SessionState::LoggedOn => {
                book.connected(true);
            }
            SessionState::LoggedOff { reason } => {
                book.connected(false);
                tracing::warn!(venue = %book.venue, %reason, "the drop copy is gone; trades stay provisional");
            }
            SessionState::NumbersReset { generation } => self.generation = generation,
        }
        Ok(())
    }
}

impl Copies {
    fn confirms(&self, copy: Copy) -> Report {
        // That a trade was taken back is said of the trade itself.
        let is_void = copy.quantity.is_zero();
        let execution = match copy.of {
            Some(of) if is_void => of,
            Some(_) | None => copy.execution,
        };
        Report::DropCopy {
            execution,
            side: copy.side,
            quantity: copy.quantity,
            price: copy.price,
            source: format!("drop copy {}", self.recorder.session_name()),
        }
    }

    async fn hold(&self, venue: Venue, copy: Copy, inbound: &Inbound) -> Result<(), RecordError> {
        let date = copy.day;
        let trade = SuspendedExecution {
            execution: copy.execution,
            account: copy.account.and_then(|text| text.parse().ok()),
            symbol: copy.symbol.parse().ok(),
            side: copy.side,
            quantity: copy.quantity,
            price: copy.price,
        };
        let held = drop_copy::suspended(venue, trade, suspend::text(&inbound.message));
        self.recorder.hold_as(date, vec![held]).await
    }
}

/// # Errors
/// Why the message tells of no trade.
fn read(message: &AppMessage, venue: Venue, sent_at: Timestamp) -> Result<Vec<Copy>, String> {
    match message {
        AppMessage::ExecutionReport(report) => {
            let day = match report.trade_date {
                Some(date) => days::of_market(date)?,
                None => days::in_india(sent_at),
            };
            let ids = [&report.cl_ord_id, &report.orig_cl_ord_id];
            let (taken_back, of) = match report.exec_type {
                ExecType::Trade => (false, None),
                ExecType::TradeCorrect => (false, Some(of_of(report)?)),
                ExecType::TradeCancel => (true, Some(of_of(report)?)),
                _ => return Err(format!("ExecType {:?} on a drop copy", report.exec_type)),
            };
            let (quantity, price) = if taken_back {
                (Quantity::ZERO, Price(0))
            } else {
                traded(report.last_qty, report.last_px)?
            };
            Ok(vec![Copy {
                day,
                execution: key(venue, day, &report.exec_id)?,
                of: of.map(|id| key(venue, day, id)).transpose()?,
                order: ids.into_iter().flatten().find_map(|id| id.parse().ok()),
                account: report.account.clone(),
                symbol: report.symbol.clone(),
                side: translate::our_side(report.side),
                quantity,
                price,
            }])
        }
        AppMessage::TradeCaptureReport(report) => captured(report, venue),
        _ => Err("a drop copy tells of trades alone".into()),
    }
}

fn of_of(report: &fix::ExecutionReport) -> Result<&str, String> {
    let of = report.exec_ref_id.as_deref();
    of.ok_or_else(|| "it takes back or corrects a trade without ExecRefID (19)".into())
}

/// A correction names a report, not an execution, so it is left to a person.
fn captured(report: &fix::TradeCaptureReport, venue: Venue) -> Result<Vec<Copy>, String> {
    if report.trans_type != TradeReportTransType::New {
        return Err(format!("a trade report of kind {:?}", report.trans_type));
    }
    let day = days::of_market(report.trade_date)?;
    let id = report.exec_id.as_deref();
    let id = id.ok_or("a trade without ExecID (17)")?;
    let execution = key(venue, day, id)?;
    let (quantity, price) = traded(Some(report.last_qty), Some(report.last_px))?;
    let of_side = |side: &fix::TradeSide| Copy {
        day,
        execution: execution.clone(),
        of: None,
        order: side.cl_ord_id.as_ref().and_then(|id| id.parse().ok()),
        account: side.account.clone(),
        symbol: report.symbol.clone(),
        side: translate::our_side(side.side),
        quantity,
        price,
    };
    Ok(report.sides.iter().map(of_side).collect())
}

fn key(venue: Venue, day: TradingDate, id: &str) -> Result<ExecutionKey, String> {
    ExecutionKey::new(venue, day, id).map_err(|error| format!("ExecID (17): {error}"))
}

fn traded(quantity: Option<i64>, price: Option<PriceE4>) -> Result<(Quantity, Price), String> {
    let quantity = quantity.ok_or("a trade without LastQty (32)")?;
    let quantity = translate::quantity(quantity, "LastQty (32)")?;
    if quantity.is_zero() {
        return Err("a trade of zero units".into());
    }
    let price = price.ok_or("a trade without LastPx (31)")?;
    Ok((quantity, Price(price.0)))
}
