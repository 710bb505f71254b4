//! The proof: what the log says was executed, what the read model shows, and what the exchange's own ledger holds must be the same,
//! execution by execution; nothing was sent twice, and nothing closed that was not open.

use anyhow::{Context, Result};
use sqlx::PgPool;
use squareoff_domain::position::{PositionEvent, evolve};
use squareoff_domain::{ClOrdId, Event, OrderId, TradingDate, position};
use squareoff_exchange::fact::Happening;
use squareoff_exchange::ledger;
use squareoff_projections::positions::positions_open;
use squareoff_projections::trades::{TradeFilter, trades};
use squareoff_projections::{Database, PAGE_ROWS_MAX, Watcher};
use squareoff_store::{EventStore, Position, codec};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Events of one read of the log.
const PAGE: usize = 4_096;
/// The longest that the read model may take to reach the end of the log.
const CATCH_UP: Duration = Duration::from_secs(60);
/// Differences of one kind that are named.
const NAMED_MAX: usize = 5;

/// By execution key: the order's ClOrdID, units, and the price in 1/10,000 rupee.
type Executions = BTreeMap<String, (String, i64, i64)>;

pub struct Checked {
    pub orders: usize,
    pub fills: usize,
    pub differences: Vec<String>,
}

/// What the log holds.
#[derive(Default)]
struct Log {
    head: Position,
    executions: Executions,
    orders: BTreeMap<OrderId, ClOrdId>,
    positions: BTreeMap<Arc<str>, position::Position>,
    /// Events that a flawless run has none of.
    alarms: Vec<String>,
}

/// Compares; `ledger` is the exchange's file.
///
/// # Errors
/// When one of the three cannot be read.
pub async fn check(store: &EventStore, database: &Database, ledger: &Path) -> Result<Checked> {
    let log = read_log(store).await?;
    let pool = database.pool(2);
    Watcher::start(pool.clone())
        .wait_for(log.head, CATCH_UP)
        .await
        .context("the read model does not catch up")?;
    let shown = read_trades(&pool, &log.orders).await?;
    let open = positions_open(&pool, None).await?.value;
    let (summary, executed) = read_ledger(ledger)?;

    let mut differences = log.alarms.clone();
    if open != 0 {
        differences.push(format!("{open} positions are not flat in the read model"));
    }
    let not_flat = log
        .positions
        .iter()
        .filter(|(_, position)| position.net.0 != 0)
        .map(|(stream, position)| format!("{stream} has {} open", position.net));
    differences.extend(not_flat.take(NAMED_MAX));
    if summary.duplicate_cl_ord_ids > 0 {
        differences.push(format!(
            "the exchange saw {} ClOrdIDs twice",
            summary.duplicate_cl_ord_ids
        ));
    }
    let known: BTreeSet<&str> = log.orders.values().map(ClOrdId::as_str).collect();
    let strangers = summary
        .cum_units
        .keys()
        .filter(|id| !known.contains(id.as_str()));
    differences.extend(
        strangers
            .take(NAMED_MAX)
            .map(|id| format!("the exchange executed order {id}, which the log does not hold")),
    );
    differences.extend(compare(
        "the log",
        &log.executions,
        "the exchange's ledger",
        &executed,
    ));
    differences.extend(compare(
        "the log",
        &log.executions,
        "the read model",
        &shown,
    ));
    Ok(Checked {
        orders: log.orders.len(),
        fills: log.executions.len(),
        differences,
    })
}

fn compare(one: &str, left: &Executions, other: &str, right: &Executions) -> Vec<String> {
    let keys: BTreeSet<_> = left.keys().chain(right.keys()).collect();
    let differ = keys
        .into_iter()
        .filter(|key| left.get(*key) != right.get(*key));
    let text = |value: Option<&(String, i64, i64)>| {
        value.map_or_else(
            || "nothing".to_owned(),
            |(order, units, price)| format!("{units} at {price} for {order}"),
        )
    };
    differ
        .take(NAMED_MAX)
        .map(|key| {
            format!(
                "execution {key}: {one} has {}, {other} has {}",
                text(left.get(key)),
                text(right.get(key))
            )
        })
        .collect()
}

async fn read_log(store: &EventStore) -> Result<Log> {
    let mut log = Log::default();
    loop {
        let events = store.read_all(log.head, PAGE).await?;
        let Some(last) = events.last() else {
            return Ok(log);
        };
        log.head = last.position;
        for stored in &events {
            match codec::decode(stored)? {
                Event::Position(event) => log.learn(&stored.stream, &event),
                Event::Suspense(event) => log
                    .alarms
                    .push(format!("at position {}: {event:?}", stored.position)),
                Event::Bulk(_)
                | Event::Client(_)
                | Event::Contract(_)
                | Event::Platform(_)
                | Event::Refusal(_)
                | Event::Session(_) => {}
            }
        }
    }
}

impl Log {
    fn learn(&mut self, stream: &Arc<str>, event: &PositionEvent) {
        let before = self.positions.remove(stream).unwrap_or_default();
        match event {
            PositionEvent::OrderPlaced(placed) => {
                self.orders
                    .insert(placed.order_id, placed.cl_ord_id.clone());
            }
            PositionEvent::Executed(executed) => {
                let order = before
                    .orders
                    .get(&executed.order_id)
                    .map_or_else(String::new, |order| order.cl_ord_id.to_string());
                let units = i64::try_from(executed.quantity.units()).unwrap_or(i64::MAX);
                if self
                    .executions
                    .insert(
                        executed.execution.to_string(),
                        (order, units, executed.price.0),
                    )
                    .is_some()
                {
                    self.alarms
                        .push(format!("execution {} is booked twice", executed.execution));
                }
            }
            PositionEvent::BodContradicted(_)
            | PositionEvent::ExecutionConflicted(_)
            | PositionEvent::OverfillDetected(_)
            | PositionEvent::ExposureBreached(_)
            | PositionEvent::OrderInDoubt(_)
            | PositionEvent::ExecutionBusted(_)
            | PositionEvent::ExecutionCorrected(_)
            | PositionEvent::ReportContradicted(_)
            | PositionEvent::UnknownOrderReported(_) => {
                self.alarms.push(format!("{stream}: {event:?}"))
            }
            PositionEvent::BodLoaded(_)
            | PositionEvent::SquareOffAccepted(_)
            | PositionEvent::OrderDispatched(_)
            | PositionEvent::OrderAcknowledged(_)
            | PositionEvent::OrderRejected(_)
            | PositionEvent::CancelRequested(_)
            | PositionEvent::CancelRejected(_)
            | PositionEvent::OrderCanceled(_)
            | PositionEvent::OrderExpired(_)
            | PositionEvent::OrderNotDelivered(_)
            | PositionEvent::CancelNotDelivered(_)
            | PositionEvent::PrimaryTradeApplied(_)
            | PositionEvent::ExternalOrderObserved(_)
            | PositionEvent::ExternalOrderUpdated(_)
            | PositionEvent::OrderFrozen(_)
            | PositionEvent::TradeConfirmed(_)
            | PositionEvent::CancelQueued(_)
            | PositionEvent::ReplaceRequested(_)
            | PositionEvent::OrderReplaced(_)
            | PositionEvent::ReplaceRejected(_)
            | PositionEvent::ReplaceNotDelivered(_)
            | PositionEvent::InDoubtResolved(_)
            | PositionEvent::PositionFrozen(_)
            | PositionEvent::PositionUnfrozen(_)
            | PositionEvent::PositionHandedBack(_) => {}
        }
        let after = evolve(before.clone(), event);
        if before.net.0.signum() * after.net.0.signum() < 0 {
            self.alarms.push(format!(
                "{stream} was closed beyond flat: {} became {}",
                before.net, after.net
            ));
        }
        self.positions.insert(Arc::clone(stream), after);
    }
}

async fn read_trades(pool: &PgPool, orders: &BTreeMap<OrderId, ClOrdId>) -> Result<Executions> {
    let mut executions = Executions::new();
    let mut before = None;
    loop {
        let filter = TradeFilter {
            before,
            limit: Some(PAGE_ROWS_MAX),
            ..TradeFilter::default()
        };
        let rows = trades(pool, &filter).await?.value;
        let Some(last) = rows.last() else {
            return Ok(executions);
        };
        before = Some(last.position);
        for row in rows {
            let order = row
                .order_id
                .and_then(|order| orders.get(&OrderId(order)))
                .map_or_else(String::new, ClOrdId::to_string);
            executions.insert(row.execution_key, (order, row.quantity, row.price));
        }
    }
}

fn read_ledger(path: &Path) -> Result<(ledger::Summary, Executions)> {
    let mut summary = ledger::Summary::default();
    let mut executions = Executions::new();
    for fact in ledger::read(path)? {
        let fact = fact?;
        summary.add(&fact);
        if let Happening::Executed {
            last_units,
            last_price,
            ..
        } = &fact.happening
        {
            let date: TradingDate = fact.trade_date.parse()?;
            let key = format!("{}|{date}|{}", fact.venue, fact.exec_id());
            executions.insert(
                key,
                (
                    fact.order.original_cl_ord_id.clone(),
                    *last_units,
                    last_price.0,
                ),
            );
        }
    }
    Ok((summary, executions))
}
