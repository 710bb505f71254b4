//! What the log says of a venue's trades, for its drop copy: which position each belongs to, and which of them the drop copy has not told of.

use crate::record::Recorder;
use squareoff_domain::drop_copy::Places;
use squareoff_domain::position::PositionEvent;
use squareoff_domain::suspense::ReportSuspended;
use squareoff_domain::{ExecutionKey, PositionKey, Price, Quantity, Side, TradingDate, Venue};
use squareoff_fix::NotRecorded;
use squareoff_store::codec::LogEvent;
use squareoff_store::{EventStore, Position as LogPosition, StoredEvent};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Events of one read of the log.
const PAGE: usize = 4_096;

/// What the log says of trades, read on whenever it is asked for.
pub struct Book {
    pub venue: Venue,
    store: EventStore,
    /// What records the drop copy, which is told what the log has of positions.
    recorder: Recorder,
    read_through: LogPosition,
    pub places: Places,
    /// Trades of the newest day that only the order session told of, and since when they are known here.
    unconfirmed: BTreeMap<ExecutionKey, Unconfirmed>,
    day: Option<TradingDate>,
    logged_on: bool,
}

pub struct Unconfirmed {
    since: Instant,
    /// Said to be left out.
    is_held: bool,
    stream: Arc<str>,
    side: Side,
    quantity: Quantity,
    price: Price,
}

impl Book {
    pub fn new(venue: Venue, store: EventStore, recorder: Recorder) -> Book {
        Book {
            venue,
            store,
            recorder,
            read_through: LogPosition::START,
            places: Places::default(),
            unconfirmed: BTreeMap::new(),
            day: None,
            logged_on: false,
        }
    }

    /// The drop copy is there, and tells now what came while it was away; or it is gone.
    pub fn connected(&mut self, logged_on: bool) {
        self.logged_on = logged_on;
        let now = Instant::now();
        let waiting = self.unconfirmed.values_mut();
        waiting.for_each(|trade| trade.since = now);
    }

    /// Reads the log to its end, so that an order placed before its trade was told is known.
    pub async fn read_on(&mut self) -> Result<(), NotRecorded> {
        loop {
            let page = self.store.read_all(self.read_through, PAGE).await;
            let page = page.map_err(|error| NotRecorded(error.to_string()))?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            self.read_through = last.position;
            for stored in &page {
                self.learn(stored)?;
            }
        }
    }

    fn learn(&mut self, stored: &StoredEvent) -> Result<(), NotRecorded> {
        let key = PositionKey::of_stream(&stored.stream);
        let Some(key) = key.filter(|key| key.venue == self.venue) else {
            return Ok(());
        };
        let event = PositionEvent::decode(stored);
        let event = event.map_err(|error| NotRecorded(error.to_string()))?;
        self.recorder.learn(stored, &event);
        self.places.learn(&stored.stream, key.venue, &event);
        if self.day < Some(key.date) {
            self.day = Some(key.date);
            self.unconfirmed.clear();
        }
        match event {
            PositionEvent::Executed(executed) if self.day == Some(key.date) => {
                let trade = Unconfirmed {
                    since: Instant::now(),
                    is_held: false,
                    stream: Arc::clone(&stored.stream),
                    side: executed.side,
                    quantity: executed.quantity,
                    price: executed.price,
                };
                self.unconfirmed.insert(executed.execution, trade);
            }
            PositionEvent::TradeConfirmed(confirmed) => {
                self.unconfirmed.remove(&confirmed.execution);
            }
            PositionEvent::ExecutionBusted(busted) => {
                self.unconfirmed.remove(&busted.execution);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Holds the trades that the drop copy leaves out for longer than `limit`.
pub async fn keep_holding(book: Arc<Mutex<Book>>, recorder: Recorder, limit: Duration) {
    loop {
        tokio::time::sleep(limit).await;
        let mut book = book.lock().await;
        if let Err(error) = book.read_on().await {
            tracing::warn!(%error, "the event log could not be read");
            continue;
        }
        let (Some(day), true) = (book.day, book.logged_on) else {
            continue;
        };
        let venue = book.venue;
        let over = |trade: &Unconfirmed| !trade.is_held && trade.since.elapsed() >= limit;
        let left_out = book.unconfirmed.iter_mut();
        let left_out: Vec<_> = left_out.filter(|(_, trade)| over(trade)).collect();
        let reports = left_out
            .iter()
            .map(|(key, trade)| not_told(venue, key, trade));
        match recorder.hold_as(day, reports.collect()).await {
            Ok(()) => left_out
                .into_iter()
                .for_each(|(_, trade)| trade.is_held = true),
            Err(error) => {
                tracing::warn!(%error, trades = left_out.len(), "trades that the drop copy leaves out could not be recorded, trying again")
            }
        }
    }
}

/// Without the execution, which is booked already: a person finds out what became of the trade and dismisses the report.
fn not_told(venue: Venue, key: &ExecutionKey, trade: &Unconfirmed) -> ReportSuspended {
    let Unconfirmed {
        stream,
        side,
        quantity,
        price,
        ..
    } = trade;
    ReportSuspended {
        venue,
        report_key: format!("unconfirmed {key}"),
        reason: "the drop copy does not tell of a trade that the order session told of".to_owned(),
        message: format!("{stream}: {} {quantity} at {price}", side.as_str()),
        execution: None,
    }
}
