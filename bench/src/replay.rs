//! How many stored events a second a subscriber gets from the log's beginning, decoded into domain events.
//!
//! Reading and decoding overlap, as in a projection: while one chunk is decoded the next is read.

use anyhow::{Context, Result, bail};
use serde_json::json;
use squareoff_domain::position::{
    Executed, OrderAcknowledged, OrderDispatched, OrderPlaced, PositionEvent, TimeInForce,
};
use squareoff_domain::{
    ClOrdId, ExecutionKey, OrderId, PositionKey, Price, Product, Quantity, RequestId, Side,
    Timestamp, Venue,
};
use squareoff_store::codec::{LogEvent, decode};
use squareoff_store::{EventStore, NewEvent, Position, READ_EVENTS_MAX};
use std::time::Instant;
use tokio::sync::mpsc;
use uuid::Uuid;

const EVENTS: usize = 400_000;
const RUNS: usize = 5;
/// Events of one read: large enough that its start costs nothing, small enough that decoding soon begins.
const CHUNK: usize = 4_096;
/// Chunks read ahead of the decoder.
const CHUNKS_AHEAD: usize = 4;

/// Prints one JSON line. `args`: events, runs (defaults: 400,000 and 5).
pub fn run(args: &[String]) -> Result<()> {
    let number =
        |index: usize, default: usize| args.get(index).map_or(Ok(default), |arg| arg.parse());
    let (events, runs) = (
        number(0, EVENTS).context("number of events")?,
        number(1, RUNS).context("number of runs")?,
    );
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let folder = tempfile::tempdir_in(".")?;
        let store = EventStore::open(folder.path())?;
        let (events, body_bytes) = fill(&store, events).await?;
        let mut rates = Vec::new();
        for _ in 0..runs {
            let start = Instant::now();
            let replayed = replay(&store).await?;
            if replayed != events {
                bail!("{events} events were appended, {replayed} replayed");
            }
            rates.push(events as f64 / start.elapsed().as_secs_f64());
        }
        rates.sort_by(f64::total_cmp);
        let median = rates[rates.len() / 2].round();
        let body_bytes = body_bytes / events;
        println!("{}", json!({ "bench": "replay", "events": events, "body_bytes": body_bytes, "runs": runs, "events_per_s": median }));
        Ok(())
    })
}

/// Reads the whole log and decodes it; how many events it was.
pub async fn replay(store: &EventStore) -> Result<usize> {
    let (ahead, mut chunks) = mpsc::channel(CHUNKS_AHEAD);
    let reader = store.clone();
    let reading = tokio::spawn(async move {
        let mut after = Position::START;
        loop {
            let chunk = reader.read_all(after, CHUNK.min(READ_EVENTS_MAX)).await?;
            let Some(last) = chunk.last() else {
                return anyhow::Ok(());
            };
            after = last.position;
            ahead.send(chunk).await?;
        }
    });
    let mut replayed = 0;
    while let Some(chunk) = chunks.recv().await {
        for stored in &chunk {
            std::hint::black_box(decode(stored)?);
            replayed += 1;
        }
    }
    reading.await??;
    Ok(replayed)
}

/// Appends the life of as many orders as make up `events`: placed, dispatched, acknowledged, executed. How many events and bytes of bodies
/// that was.
pub async fn fill(store: &EventStore, events: usize) -> Result<(usize, usize)> {
    let mut body_bytes = 0;
    let mut appended = 0;
    while appended < events {
        let mut batch = tokio::task::JoinSet::new();
        for _ in 0..256 {
            let (stream, life) = life(appended)?;
            appended += life.len();
            body_bytes += life.iter().map(|event| event.body.len()).sum::<usize>();
            let store = store.clone();
            batch.spawn(async move { store.append(&stream, 0, life).await });
        }
        while let Some(done) = batch.join_next().await {
            done??;
        }
    }
    Ok((appended, body_bytes))
}

fn life(number: usize) -> Result<(String, Vec<NewEvent>)> {
    let key = PositionKey {
        date: "2026-11-20".parse()?,
        client: format!("C{number:07}").parse()?,
        venue: Venue::Nse,
        symbol: "NIFTY26NOV24000CE".parse()?,
        product: Product::Nrml,
    };
    let request = Uuid::new_v4();
    let (request_id, order_id) = (
        RequestId(request),
        OrderId::of_slice(&key, RequestId(request), 0),
    );
    let quantity = Quantity::new(75)?;
    let price = Price(1_234_500);
    let exchange_order_id: squareoff_domain::ExchangeOrderId =
        format!("11000000{number:08}").parse()?;
    let stream = key.stream();
    let placed = OrderPlaced {
        order_id,
        request_id,
        cl_ord_id: ClOrdId::mint(1, order_id),
        key: key.clone(),
        side: Side::Sell,
        quantity,
        price,
        time_in_force: TimeInForce::Day,
        slice: 1,
        slices: 1,
    };
    let dispatched = OrderDispatched {
        order_id,
        session: "NSE-BROKER1".into(),
        sequence: number as u64,
    };
    let acknowledged = OrderAcknowledged {
        order_id,
        exchange_order_id: exchange_order_id.clone(),
    };
    let executed = Executed {
        order_id,
        execution: ExecutionKey::new(Venue::Nse, key.date, &format!("E{number}"))?,
        exchange_order_id,
        side: Side::Sell,
        quantity,
        price,
        venue_cumulative: 75,
        venue_leaves: 0,
        late: false,
    };
    let events = [
        PositionEvent::OrderPlaced(placed),
        PositionEvent::OrderDispatched(dispatched),
        PositionEvent::OrderAcknowledged(acknowledged),
        PositionEvent::Executed(executed),
    ];
    let envelope = |event: &PositionEvent| {
        let encoded = event.encode();
        NewEvent {
            id: Uuid::new_v4(),
            event_type: encoded.event_type,
            schema_version: encoded.schema_version,
            occurred_at: Timestamp(0),
            actor: "bench".into(),
            request_id: request,
            correlation_id: request,
            trace_id: None,
            epoch: 1,
            body: encoded.body,
        }
    };
    Ok((stream, events.iter().map(envelope).collect()))
}
