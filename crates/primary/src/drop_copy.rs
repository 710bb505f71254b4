//! A venue's own list of the day's trades, as a file: the drop copy for a broker who gets it that way, and the end-of-day trade file.
//!
//! Each row confirms an execution that is booked, or says that it is not as the venue has it; which of the two is derived where it is
//! shown. A row that belongs to no order and no execution of ours is held in suspense.
//!
//! 1. The same rows again append nothing.
//! 2. A file with one mistake is refused whole.
//! 3. Nothing is booked from here: a trade that only the venue knows is for a person to look into.

use crate::bod::mistakes::{BodError, Mistakes};
use crate::bod::row::Row;
use crate::bod::{bytes_of, each_row};
use crate::format::{VENUE_TRADE_COLUMNS, instant_text, parse_instant, version};
use crate::import::{IN_FLIGHT_MAX, ImportError, ImportedBy, caller, record};
use futures::{StreamExt, TryStreamExt, stream};
use squareoff_domain::drop_copy::{self, Places};
use squareoff_domain::position::{Position, PositionEvent, Report};
use squareoff_domain::suspense::{
    self, ReportSuspended, SuspendedExecution, Suspense, SuspenseReport,
};
use squareoff_domain::{
    Account, ClOrdId, ExecutionKey, PositionKey, Price, Quantity, Side, Symbol, Timestamp,
    TradingDate, Venue, position,
};
use squareoff_store::codec::{DecodeError, LogEvent};
use squareoff_store::{EventStore, Position as LogPosition, ReadError, Streams};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;

/// Events of one read of the log.
const PAGE: usize = 4_096;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueTrade {
    pub venue: Venue,
    pub date: TradingDate,
    pub account: Account,
    pub symbol: Symbol,
    pub side: Side,
    pub quantity: Quantity,
    pub price: Price,
    pub execution: ExecutionKey,
    /// The order's id as the venue knows it; empty where a venue has none.
    pub cl_ord_id: Option<ClOrdId>,
    pub traded_at: Timestamp,
}

/// What became of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DropCopyReport {
    pub trades: usize,
    /// Rows that their position learnt of now.
    pub told: usize,
    /// Rows that fit nothing here, held in suspense now.
    pub suspended: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DropCopyError {
    #[error(transparent)]
    File(#[from] BodError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// The rows of the file at `path`, and the file's version; all of one trading date.
///
/// # Errors
/// [`BodError`], which lists the mistakes.
pub fn read(path: &Path) -> Result<(Vec<VenueTrade>, String), BodError> {
    let (mut mistakes, name) = (Mistakes::default(), "the venue's trades");
    let bytes = bytes_of(path, name, &mut mistakes);
    let mut trades: Vec<VenueTrade> = Vec::new();
    let mut lines: HashMap<ExecutionKey, u64> = HashMap::new();
    each_row(
        name,
        (VENUE_TRADE_COLUMNS, 0),
        &bytes,
        &mut mistakes,
        |row| {
            let date = trades.first().map(|first| first.date);
            trades.extend(trade(row, date, &mut lines));
        },
    );
    let Some(date) = trades
        .first()
        .map(|first| first.date)
        .filter(|_| mistakes.is_empty())
    else {
        if mistakes.is_empty() {
            mistakes.of_file(name, "has no trades".to_owned());
        }
        return Err(mistakes.into());
    };
    Ok((trades, version(date, &bytes.unwrap_or_default())))
}

fn trade(
    row: &mut Row,
    first: Option<TradingDate>,
    lines: &mut HashMap<ExecutionKey, u64>,
) -> Option<VenueTrade> {
    let date = row.date("trading_date");
    if let (Some(date), Some(first)) = (date, first)
        && date != first
    {
        row.refuse(
            "trading_date",
            format!("is not the file's trading date {first}"),
        );
    }
    let venue: Option<Venue> = row.id("venue");
    let account = row.id("account");
    let symbol = row.id("symbol");
    let side = row.id("side");
    let quantity = row.units("quantity");
    let price = row.rupees_above_zero("price");
    let cl_ord_id = if row.text("cl_ord_id").is_empty() {
        Some(None)
    } else {
        row.id("cl_ord_id").map(Some)
    };
    let why = "is not an instant of the form 2026-11-20T10:15:00+05:30";
    let traded_at = row.cell("traded_at", why, parse_instant);
    let (date, venue) = (date?, venue?);
    let execution = row.execution("exec_id", venue, date)?;
    if let Some(before) = lines.insert(execution.clone(), row.line) {
        row.refuse("exec_id", format!("is on line {before} already"));
    }
    Some(VenueTrade {
        venue,
        date,
        account: account?,
        symbol: symbol?,
        side: side?,
        quantity: quantity?,
        price: price?,
        execution,
        cl_ord_id: cl_ord_id?,
        traded_at: traded_at?,
    })
}

/// Tells every position what the venue says of its trades. Reads the log once to find them.
///
/// # Errors
/// [`DropCopyError`]; what was recorded before stands, and the same file again goes on behind it.
pub async fn import(
    store: &EventStore,
    (trades, version): &(Vec<VenueTrade>, String),
    by: &ImportedBy,
) -> Result<DropCopyReport, DropCopyError> {
    let mut report = DropCopyReport {
        trades: trades.len(),
        ..DropCopyReport::default()
    };
    let Some(date) = trades.first().map(|trade| trade.date) else {
        return Ok(report);
    };
    let places = places_of(store, date).await?;
    let mut positions: BTreeMap<Arc<str>, Vec<Report>> = BTreeMap::new();
    let mut strangers: BTreeMap<Venue, Vec<&VenueTrade>> = BTreeMap::new();
    for trade in trades {
        let order = trade.cl_ord_id.as_ref();
        let Some(stream) = places.stream_of(trade.venue, &trade.execution, order) else {
            strangers.entry(trade.venue).or_default().push(trade);
            continue;
        };
        positions.entry(stream).or_default().push(Report::DropCopy {
            execution: trade.execution.clone(),
            side: trade.side,
            quantity: trade.quantity,
            price: trade.price,
            source: version.clone(),
        });
    }
    let streams = Streams::<Position>::new(store.clone());
    let tell = |(stream, reports): (Arc<str>, Vec<Report>)| {
        let streams = &streams;
        async move {
            let caller = caller(&stream, version, 0, by);
            record(streams, &stream, &caller, |position| {
                position::record_all(position, &reports)
            })
            .await
        }
    };
    let told: Vec<Vec<PositionEvent>> = stream::iter(positions.into_iter().map(tell))
        .buffer_unordered(IN_FLIGHT_MAX)
        .try_collect()
        .await?;
    report.told = told.iter().map(Vec::len).sum();
    let streams = Streams::<Suspense>::new(store.clone());
    for (venue, trades) in strangers {
        let stream = suspense::stream(venue, date);
        for trade in trades {
            let name = format!("{version} {}", trade.execution);
            let caller = caller(&stream, &name, 0, by);
            let held = SuspenseReport::Suspended(suspended(trade, version));
            let events = record(&streams, &stream, &caller, |suspense| {
                suspense::record(suspense, held.clone())
            })
            .await?;
            report.suspended += events.len();
        }
    }
    Ok(report)
}

fn suspended(trade: &VenueTrade, version: &str) -> ReportSuspended {
    let held = SuspendedExecution {
        execution: trade.execution.clone(),
        account: Some(trade.account.clone()),
        symbol: Some(trade.symbol.clone()),
        side: trade.side,
        quantity: trade.quantity,
        price: trade.price,
    };
    drop_copy::suspended(trade.venue, held, format!("{version}: {}", row(trade)))
}

/// The row as it stands in the file, its columns those of [`VENUE_TRADE_COLUMNS`].
fn row(trade: &VenueTrade) -> String {
    let key = trade.execution.to_string();
    let exec_id = key.rsplit_once('|').map_or("", |(_, exec_id)| exec_id);
    let cells: [String; VENUE_TRADE_COLUMNS.len()] = [
        trade.date.to_string(),
        trade.venue.to_string(),
        trade.account.to_string(),
        trade.symbol.to_string(),
        trade.side.to_string(),
        trade.quantity.to_string(),
        trade.price.to_string(),
        exec_id.to_owned(),
        trade
            .cl_ord_id
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        instant_text(trade.traded_at),
    ];
    cells.join(",")
}

/// Which position an order or an execution of the day stands in.
async fn places_of(store: &EventStore, date: TradingDate) -> Result<Places, DropCopyError> {
    let mut places = Places::default();
    let mut after = LogPosition::START;
    loop {
        let page = store.read_all(after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(places);
        };
        after = last.position;
        for stored in &page {
            let key = PositionKey::of_stream(&stored.stream);
            let Some(key) = key.filter(|key| key.date == date) else {
                continue;
            };
            places.learn(&stored.stream, key.venue, &PositionEvent::decode(stored)?);
        }
    }
}
