//! How long an append takes at a fixed rate, with the write-ahead log being checkpointed: an open loop.
//!
//! Appends are due at even intervals, whether or not earlier ones were answered, and an append's time counts from when it was due: a
//! store that stalls can't hide it by slowing its clients down (coordinated omission).

use anyhow::{Context, Result, ensure};
use serde_json::json;
use squareoff_domain::Timestamp;
use squareoff_store::{EventStore, NewEvent};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use uuid::Uuid;

const RATE_PER_S: u64 = 20_000;
const RUN: Duration = Duration::from_secs(12);
const RUNS: usize = 3;
/// So many that a stream's next append is due 0.8 s after its last, long after that was answered.
const STREAMS: u64 = 16_384;
/// The first seconds make the streams and warm the file.
const WARM_UP: Duration = Duration::from_secs(2);
/// The size of an `OrderPlaced`, the event we append most.
const BODY_BYTES: usize = 311;
/// Between two looks at what is due; what it adds is in the figures.
const LOOK: Duration = Duration::from_micros(50);

/// Writes of the file within so much are one checkpoint's.
const CHECKPOINT: Duration = Duration::from_millis(25);

struct Run {
    quantiles_ms: [f64; 4],
    checkpoints: u64,
}

/// Prints one JSON line. `args`: appends a second, seconds of each run, runs (defaults: 20,000, 12, 3).
pub fn run(args: &[String]) -> Result<()> {
    let number =
        |index: usize, default: u64| args.get(index).map_or(Ok(default), |arg| arg.parse());
    let rate = number(0, RATE_PER_S).context("appends a second")?;
    let length = Duration::from_secs(number(1, RUN.as_secs()).context("seconds of a run")?);
    let runs = number(2, RUNS as u64).context("number of runs")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut of_runs = (0..runs)
        .map(|_| measure(&runtime, rate, length))
        .collect::<Result<Vec<_>>>()?;
    of_runs.sort_by(|a, b| a.quantiles_ms[1].total_cmp(&b.quantiles_ms[1]));
    let p99s: Vec<_> = of_runs.iter().map(|run| run.quantiles_ms[1]).collect();
    let median = of_runs.get(of_runs.len() / 2).context("no run")?;
    let [p50, p99, p999, longest] = median.quantiles_ms;
    println!(
        "{}",
        json!({
            "bench": "paced",
            "appends_per_s": rate,
            "seconds": length.as_secs(),
            "body_bytes": BODY_BYTES,
            "checkpoints": median.checkpoints,
            "p99_ms_of_runs": p99s,
            "median": { "p50_ms": p50, "p99_ms": p99, "p999_ms": p999, "longest_ms": longest },
        })
    );
    Ok(())
}

fn measure(runtime: &tokio::runtime::Runtime, rate: u64, length: Duration) -> Result<Run> {
    let folder = tempfile::tempdir_in(".")?;
    let store = {
        let _on = runtime.enter();
        EventStore::open(folder.path())?
    };
    let (answered, answers) = mpsc::unbounded_channel();
    let interval = Duration::from_nanos(1_000_000_000 / rate);
    let appends = rate * (WARM_UP + length).as_secs();
    let start = Instant::now();
    // Checkpoints are counted by the log's file, which nothing else writes.
    let file = folder.path().join("events.db");
    let (mut checkpoints, mut written) = (0, file.metadata()?.modified()?);
    let mut number = 0;
    while number < appends {
        let due_by_now = start.elapsed().as_nanos() as u64 / interval.as_nanos() as u64;
        while number < appends.min(due_by_now) {
            let due = start + interval * number as u32;
            runtime.spawn(append(store.clone(), number, due, answered.clone()));
            number += 1;
        }
        std::thread::sleep(LOOK);
        let modified = file.metadata()?.modified()?;
        if modified > written + CHECKPOINT {
            checkpoints += 1;
            written = modified;
        }
    }
    drop(answered);
    let mut latencies = runtime.block_on(collect(answers, start + WARM_UP))?;
    ensure!(!latencies.is_empty(), "not one append was answered");
    latencies.sort_unstable();
    let quantile = |share: f64| {
        let last = latencies.len() - 1;
        latencies[((latencies.len() as f64 * share) as usize).min(last)].as_secs_f64() * 1e3
    };
    Ok(Run {
        quantiles_ms: [0.50, 0.99, 0.999, 1.0].map(quantile),
        checkpoints,
    })
}

/// When an append was due, and how long from then to its answer.
type Answer = Result<(Instant, Duration)>;

async fn append(
    store: EventStore,
    number: u64,
    due: Instant,
    answered: mpsc::UnboundedSender<Answer>,
) {
    let stream = format!(
        "position-2026-11-20-C{:07}-NSE:NIFTY26NOVFUT-NRML",
        number % STREAMS
    );
    let event = NewEvent {
        id: Uuid::new_v4(),
        event_type: "OrderPlaced",
        schema_version: 1,
        occurred_at: Timestamp(0),
        actor: "bench".into(),
        request_id: Uuid::new_v4(),
        correlation_id: Uuid::nil(),
        trace_id: None,
        epoch: 1,
        body: vec![b' '; BODY_BYTES],
    };
    let appended = store.append(&stream, number / STREAMS, vec![event]).await;
    let answer = appended
        .map(|_| (due, due.elapsed()))
        .context("an append at its rate");
    // Nobody collects any more when an earlier one failed.
    let _ = answered.send(answer);
}

async fn collect(
    mut answers: mpsc::UnboundedReceiver<Answer>,
    counted_from: Instant,
) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while let Some(answer) = answers.recv().await {
        let (due, latency) = answer?;
        if due >= counted_from {
            latencies.push(latency);
        }
    }
    Ok(latencies)
}
