//! Records the primary's orders and trades in the positions they belong to.
//!
//! 1. The rows of one position are one append; the same files again append nothing.
//! 2. A trade that the exchange had told and nobody could place is taken out of suspense: begun there, booked in its position, and
//!    concluded, so that nobody matches it elsewhere meanwhile. Should that break off, the same import again goes on there.

use super::{Intraday, TradeLine};
use crate::import::{IN_FLIGHT_MAX, ImportError, ImportedBy, caller, record};
use futures::{StreamExt, TryStreamExt, stream};
use squareoff_domain::position::{ExternalOrderObserved, Position, PositionEvent, Report};
use squareoff_domain::suspense::{self, Suspense, SuspenseReport};
use squareoff_domain::{OrderId, PositionKey, TradingDate, Venue, position};
use squareoff_store::{EventStore, LoadError, Streams};
use std::collections::BTreeMap;

/// What became of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IntradayReport {
    pub orders: usize,
    pub trades: usize,
    pub events_appended: usize,
    /// Trades that contradict what is booked: see their positions, which are frozen.
    pub contradicted: usize,
    /// Executions that were taken out of suspense.
    pub matched: usize,
}

/// # Errors
/// [`ImportError`] of the first stream that failed; those beside it may have been recorded.
pub async fn import(
    store: &EventStore,
    intraday: &Intraday,
    by: &ImportedBy,
) -> Result<IntradayReport, ImportError> {
    let positions = Streams::<Position>::new(store.clone());
    let source = format!("{} {}", intraday.orders_version, intraday.trades_version);
    let mut report = IntradayReport {
        orders: intraday.orders.len(),
        trades: intraday.trades.len(),
        ..IntradayReport::default()
    };
    say_in_suspense(store, intraday, by, Stage::Begin).await?;
    let tell = |(key, reports): (&PositionKey, Vec<Report>)| {
        let (stream, source, positions) = (key.stream(), &source, &positions);
        async move {
            let caller = caller(&stream, source, 0, by);
            record(positions, &stream, &caller, |position| {
                position::record_all(position, &reports)
            })
            .await
        }
    };
    let told: Vec<Vec<PositionEvent>> = stream::iter(by_position(intraday).into_iter().map(tell))
        .buffer_unordered(IN_FLIGHT_MAX)
        .try_collect()
        .await?;
    for event in told.iter().flatten() {
        report.events_appended += 1;
        if matches!(event, PositionEvent::ExecutionConflicted(_)) {
            report.contradicted += 1;
        }
    }
    report.matched = say_in_suspense(store, intraday, by, Stage::Conclude).await?;
    tracing::info!(
        actor = %by.actor,
        orders = report.orders,
        trades = report.trades,
        events_appended = report.events_appended,
        contradicted = report.contradicted,
        matched = report.matched,
        "the primary's orders and trades imported"
    );
    Ok(report)
}

/// Orders before trades, each in the order of its file.
fn by_position(intraday: &Intraday) -> BTreeMap<&PositionKey, Vec<Report>> {
    let mut positions: BTreeMap<&PositionKey, Vec<Report>> = BTreeMap::new();
    for line in &intraday.orders {
        let order = ExternalOrderObserved {
            order_id: OrderId::of_external(&line.key, &line.exchange_order_id),
            cl_ord_id: line.cl_ord_id.clone(),
            exchange_order_id: line.exchange_order_id.clone(),
            key: line.key.clone(),
            side: line.side,
            quantity: line.quantity,
            cumulative: line.cumulative,
            price: line.price,
            source: intraday.orders_version.clone(),
        };
        let ended = line.ended;
        let report = Report::ExternalOrder { order, ended };
        positions.entry(&line.key).or_default().push(report);
    }
    for line in &intraday.trades {
        let report = Report::PrimaryTrade {
            key: line.key.clone(),
            execution: line.execution.clone(),
            side: line.side,
            quantity: line.quantity,
            price: line.price,
            traded_at: line.traded_at,
            source: intraday.trades_version.clone(),
        };
        positions.entry(&line.key).or_default().push(report);
    }
    positions
}

/// Before or after the trades are booked.
#[derive(Clone, Copy)]
enum Stage {
    Begin,
    Conclude,
}

/// Tells suspense where the trades belong that wait there. Gives the number of events.
async fn say_in_suspense(
    store: &EventStore,
    intraday: &Intraday,
    by: &ImportedBy,
    stage: Stage,
) -> Result<usize, ImportError> {
    let suspended = Streams::<Suspense>::new(store.clone());
    let mut places: BTreeMap<(Venue, TradingDate), Vec<&TradeLine>> = BTreeMap::new();
    for line in &intraday.trades {
        let place = (line.key.venue, line.key.date);
        places.entry(place).or_default().push(line);
    }
    let mut told = 0;
    for ((venue, date), lines) in places {
        let stream = suspense::stream(venue, date);
        let failed = |error: LoadError| ImportError {
            stream: stream.clone(),
            error: error.into(),
        };
        // Of a day's trades a handful is in suspense, if any.
        let held = suspended.load(&stream).await.map_err(failed)?.state;
        let waits = |line: &&TradeLine| held.executions.contains_key(&line.execution);
        for line in lines.into_iter().filter(waits) {
            let execution = line.execution.clone();
            let position = line.key.clone();
            let source = intraday.trades_version.clone();
            let mut name = format!("{source} {execution}");
            let report = match stage {
                Stage::Begin => {
                    name.push_str(" begin");
                    SuspenseReport::Syncing {
                        execution,
                        position,
                        source,
                    }
                }
                Stage::Conclude => SuspenseReport::Synced {
                    execution,
                    position,
                    source,
                },
            };
            let caller = caller(&stream, &name, 0, by);
            let events = record(&suspended, &stream, &caller, |held| {
                suspense::record(held, report.clone())
            })
            .await?;
            told += events.len();
        }
    }
    Ok(told)
}
