//! Square-offs at a rate that does not wait for answers, each timed from when it was due until the log holds the exchange's
//! acknowledgement of its orders. The log is followed by a subscription of its own, so that nothing is asked of the API but the
//! square-offs.
//!
//! Square-offs that a second person approves are counted apart: each is two requests, the second sent when the first was answered.

use super::load::{Closing, Load};
use super::percentile;
use super::person::PATIENCE;
use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use serde::Serialize;
use squareoff_domain::position::PositionEvent;
use squareoff_domain::{ExecutionKey, OrderId, PositionKey, Timestamp, Venue};
use squareoff_store::codec::LogEvent;
use squareoff_store::{Delivery, EventStore, Position, StoredEvent};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Events of one read of the log.
const BATCH: usize = 1_024;
/// What [`learn`] reads; the load is to take little of the machine that it measures.
const TOLD: [&str; 7] = [
    "OrderPlaced",
    "OrderAcknowledged",
    "Executed",
    "OrderCanceled",
    "OrderRejected",
    "OrderExpired",
    "OrderNotDelivered",
];
/// Between two looks whether all trades are confirmed.
const POLL: Duration = Duration::from_millis(200);

/// What it came to, in milliseconds from when a request was due: to the API's answer; to the time that the log gave the last
/// acknowledgement of the request's orders, which is when its writer began the commit; and to when a subscriber in this process had it.
#[derive(Debug, Serialize)]
pub(super) struct Paced {
    accepted_p50_ms: f64,
    accepted_p99_ms: f64,
    acknowledged_p50_ms: f64,
    acknowledged_p99_ms: f64,
    seen_p50_ms: f64,
    seen_p99_ms: f64,
    /// Those that two people had to ask for, from when the first request was due to the acknowledgement in the log.
    approved: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_p99_ms: Option<f64>,
    /// From a trade in the log, as the order session told of it, to its confirmation by the drop copy there.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_p99_ms: Option<f64>,
}

/// What the log says of an order.
#[derive(Clone, Copy, Default)]
struct Told {
    open_units: u64,
    /// When the log recorded the acknowledgement, and when it was read here.
    acknowledged: Option<(Timestamp, Instant)>,
    ended: bool,
}

type Orders = HashMap<OrderId, Told>;

/// A request and what became of it.
struct Asked {
    due: Duration,
    answered: Duration,
    closing: Closing,
}

/// Closes every position, `rate_per_s` of them each second; how long all of it took. `copied` are the venues with a drop copy.
///
/// # Errors
/// The first refusal, outage, order without an end, or trades that the drop copy did not confirm.
pub(super) async fn run(
    load: &Load,
    store: &EventStore,
    rate_per_s: u32,
    copied: &[Venue],
) -> Result<(Duration, Paced)> {
    let (orders, told) = watch::channel(Orders::new());
    let head = store.head().await?;
    let following = tokio::spawn(follow(store.clone(), head, orders));
    let (begun, begun_at) = (Instant::now(), crate::platform::now());
    let positions = load.positions.iter().zip(0_u32..);
    let requests = positions.map(|(position, number)| {
        let due = Duration::from_secs(number.into()) / rate_per_s;
        ask(load, position, begun, due)
    });
    let asked = try_join_all(requests).await?;
    let orders = tokio::time::timeout(PATIENCE, all_ended(told, &asked));
    let orders = orders.await.context("not every order ended in time")??;
    following.abort();
    let elapsed = begun.elapsed();
    let (mut recorded, mut seen, mut approved) = (Vec::new(), Vec::new(), Vec::new());
    for request in &asked {
        let ids = &request.closing.order_ids;
        let told = ids.iter().map(|id| orders[&OrderId(*id)]);
        let acknowledged = told.filter_map(|told| told.acknowledged);
        let Some((at, instant)) = acknowledged.max_by_key(|(at, _)| *at) else {
            // Refused by the exchange, which the check of all sides shows.
            continue;
        };
        let at = since(begun_at, at).saturating_sub(request.due);
        if request.closing.approved {
            approved.push(at);
        } else {
            recorded.push(at);
            seen.push(instant.duration_since(begun).saturating_sub(request.due));
        }
    }
    let at_once = asked.iter().filter(|request| !request.closing.approved);
    let accepted = at_once.map(|request| request.answered - request.due);
    let accepted = sorted_ms(accepted);
    let (recorded, seen) = (sorted_ms(recorded.into_iter()), sorted_ms(seen.into_iter()));
    let approved = sorted_ms(approved.into_iter());
    let confirmed = sorted_ms(confirmed(store, head, copied).await?.into_iter());
    let of_any = |sorted: &[f64], percent| {
        let any = !sorted.is_empty();
        any.then(|| percentile(sorted, percent))
    };
    let paced = Paced {
        accepted_p50_ms: percentile(&accepted, 50),
        accepted_p99_ms: percentile(&accepted, 99),
        acknowledged_p50_ms: percentile(&recorded, 50),
        acknowledged_p99_ms: percentile(&recorded, 99),
        seen_p50_ms: percentile(&seen, 50),
        seen_p99_ms: percentile(&seen, 99),
        approved: approved.len(),
        approved_p50_ms: of_any(&approved, 50),
        approved_p99_ms: of_any(&approved, 99),
        confirmed_p50_ms: of_any(&confirmed, 50),
        confirmed_p99_ms: of_any(&confirmed, 99),
    };
    Ok((elapsed, paced))
}

async fn ask(load: &Load, position: &PositionKey, begun: Instant, due: Duration) -> Result<Asked> {
    tokio::time::sleep_until((begun + due).into()).await;
    let closing = load.square_off(position).await?;
    load.count();
    Ok(Asked {
        due,
        answered: begun.elapsed(),
        closing,
    })
}

async fn all_ended(mut told: watch::Receiver<Orders>, asked: &[Asked]) -> Result<Orders> {
    let ended = |orders: &Orders| {
        let ids = asked.iter().flat_map(|request| &request.closing.order_ids);
        ids.copied()
            .all(|id| orders.get(&OrderId(id)).is_some_and(|told| told.ended))
    };
    Ok(told.wait_for(ended).await?.clone())
}

/// Reads the log as it grows; ends only when it can't be read.
async fn follow(store: EventStore, from: Position, orders: watch::Sender<Orders>) -> Result<()> {
    let mut log = store.subscribe(from);
    loop {
        let Delivery::Events(events) = log.next(BATCH).await? else {
            continue;
        };
        let now = Instant::now();
        let mut failed = Ok(());
        orders.send_modify(|orders| {
            failed = events
                .iter()
                .try_for_each(|event| learn(orders, event, now));
        });
        failed?;
    }
}

fn learn(orders: &mut Orders, stored: &StoredEvent, now: Instant) -> Result<()> {
    let told = TOLD.contains(&&*stored.event_type);
    if !told || PositionKey::of_stream(&stored.stream).is_none() {
        return Ok(());
    }
    match PositionEvent::decode(stored)? {
        PositionEvent::OrderPlaced(placed) => {
            orders.entry(placed.order_id).or_default().open_units = placed.quantity.units();
        }
        PositionEvent::OrderAcknowledged(acknowledged) => {
            let told = orders.entry(acknowledged.order_id).or_default();
            told.acknowledged = Some((stored.recorded_at, now));
        }
        PositionEvent::Executed(executed) => {
            let told = orders.entry(executed.order_id).or_default();
            told.open_units = told.open_units.saturating_sub(executed.quantity.units());
            told.ended |= told.open_units == 0;
        }
        PositionEvent::OrderCanceled(ended) => {
            orders.entry(ended.order_id).or_default().ended = true;
        }
        PositionEvent::OrderRejected(ended) => {
            orders.entry(ended.order_id).or_default().ended = true;
        }
        PositionEvent::OrderExpired(ended) => {
            orders.entry(ended.order_id).or_default().ended = true;
        }
        PositionEvent::OrderNotDelivered(ended) => {
            orders.entry(ended.order_id).or_default().ended = true;
        }
        _ => {}
    }
    Ok(())
}

/// How long after its trade each confirmation of the drop copy was in the log, behind `from` and at `venues`. Waits for those that are
/// missing.
async fn confirmed(store: &EventStore, from: Position, venues: &[Venue]) -> Result<Vec<Duration>> {
    // What only the order session told so far, and when; and what only the drop copy did.
    let mut traded: HashMap<ExecutionKey, Timestamp> = HashMap::new();
    let mut copied: HashSet<ExecutionKey> = HashSet::new();
    let (mut lags, mut after, begun) = (Vec::new(), from, Instant::now());
    loop {
        let events = store.read_all(after, BATCH).await?;
        for stored in &events {
            after = stored.position;
            let key = PositionKey::of_stream(&stored.stream);
            if !key.is_some_and(|key| venues.contains(&key.venue)) {
                continue;
            }
            match PositionEvent::decode(stored)? {
                PositionEvent::Executed(executed) => {
                    if copied.remove(&executed.execution) {
                        lags.push(Duration::ZERO);
                    } else {
                        traded.insert(executed.execution, stored.recorded_at);
                    }
                }
                PositionEvent::TradeConfirmed(confirmed) => {
                    match traded.remove(&confirmed.execution) {
                        Some(traded) => lags.push(since(traded, stored.recorded_at)),
                        None => _ = copied.insert(confirmed.execution),
                    }
                }
                _ => {}
            }
        }
        if events.is_empty() {
            if traded.is_empty() {
                return Ok(lags);
            }
            if begun.elapsed() > PATIENCE {
                bail!("{} trades were not confirmed in time", traded.len());
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Nothing when the end is before the beginning.
fn since(begin: Timestamp, end: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(end.0 - begin.0).unwrap_or(0))
}

fn sorted_ms(latencies: impl Iterator<Item = Duration>) -> Vec<f64> {
    let mut ms: Vec<f64> = latencies.map(|one| one.as_secs_f64() * 1_000.0).collect();
    ms.sort_by(f64::total_cmp);
    ms
}
