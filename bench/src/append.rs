//! How many single-event appends become durable in a second, each with a version check, from 1, 64 and 512 clients at once.
//!
//! Every client appends to a stream of its own and waits for each answer. The folder lies in the working directory, because a
//! temporary folder may be in memory, where a sync costs nothing.

use anyhow::{Context, Result};
use serde_json::json;
use squareoff_domain::Timestamp;
use squareoff_store::{EventStore, NewEvent};
use std::cell::Cell;
use std::time::{Duration, Instant};
use uuid::Uuid;

const CLIENTS: [usize; 3] = [1, 64, 512];
const RUNS: usize = 5;
const RUN: Duration = Duration::from_secs(3);
/// The size of an `OrderPlaced`, the event we append most.
pub const BODY_BYTES: usize = 311;

pub struct Run {
    pub events_per_s: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// Prints one JSON line. `args`: seconds of each run, runs (defaults: 3, 5).
pub fn run(args: &[String]) -> Result<()> {
    let number =
        |index: usize, default: u64| args.get(index).map_or(Ok(default), |arg| arg.parse());
    let length = Duration::from_secs(number(0, RUN.as_secs()).context("seconds of a run")?);
    let runs = number(1, RUNS as u64).context("number of runs")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut results = Vec::new();
    for clients in CLIENTS {
        let mut of_clients = (0..runs)
            .map(|_| runtime.block_on(embedded(clients, length)))
            .collect::<Result<Vec<_>>>()?;
        of_clients.sort_by(|a, b| a.events_per_s.total_cmp(&b.events_per_s));
        let Run {
            events_per_s,
            p50_ms,
            p99_ms,
        } = &of_clients[of_clients.len() / 2];
        results.push(json!({ "clients": clients, "events_per_s": events_per_s.round(), "p50_ms": p50_ms, "p99_ms": p99_ms }));
    }
    println!(
        "{}",
        json!({ "bench": "append", "body_bytes": BODY_BYTES, "runs": runs, "median": results })
    );
    Ok(())
}

async fn embedded(clients: usize, length: Duration) -> Result<Run> {
    let folder = tempfile::tempdir_in(".")?;
    measure(&EventStore::open(folder.path())?, clients, length).await
}

/// What `clients` append to a log in `length`.
pub async fn measure(store: &EventStore, clients: usize, length: Duration) -> Result<Run> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|client| tokio::spawn(append(store.clone(), client, start + length)))
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    let seconds = start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let quantile =
        |share: f64| latencies[(latencies.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    Ok(Run {
        events_per_s: latencies.len() as f64 / seconds,
        p50_ms: quantile(0.50),
        p99_ms: quantile(0.99),
    })
}

async fn append(store: EventStore, client: usize, until: Instant) -> Result<Vec<Duration>> {
    let stream = format!("position-2026-11-20-C{client:05}-NSE:NIFTY26NOVFUT-NRML");
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let event = NewEvent {
            id: id(),
            event_type: "OrderPlaced",
            schema_version: 1,
            occurred_at: Timestamp(0),
            actor: "bench".into(),
            request_id: id(),
            correlation_id: Uuid::nil(),
            trace_id: None,
            epoch: 1,
            body: body(),
        };
        let asked = Instant::now();
        store
            .append(&stream, latencies.len() as u64, vec![event])
            .await?;
        latencies.push(asked.elapsed());
    }
    Ok(latencies)
}

/// JSON, for the server of the adapter takes nothing else: a text of spaces.
fn body() -> Vec<u8> {
    let mut body = vec![b' '; BODY_BYTES];
    (body[0], body[BODY_BYTES - 1]) = (b'"', b'"');
    body
}

/// Random, and asked of the system once a thread: the load's price is taken from what it measures.
fn id() -> Uuid {
    thread_local! {
        static RANDOM: Cell<u64> = Cell::new(Uuid::new_v4().as_u64_pair().1);
    }
    // splitmix64, by Steele, Lea and Flood.
    let next = || {
        let state = RANDOM.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        RANDOM.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let random = (u128::from(next()) << 64) | u128::from(next());
    uuid::Builder::from_random_bytes(random.to_be_bytes()).into_uuid()
}
