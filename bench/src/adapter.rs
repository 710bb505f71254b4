//! The adapter for KurrentDB against our own protocol server, over loopback in one process: durable single-event appends a second from 64
//! clients, and stored events a second read back with `read_all` and decoded.

use crate::{append, replay};
use anyhow::{Context, Result};
use serde_json::json;
use squareoff_serve::{Options, Write};
use squareoff_store::EventStore;
use std::time::{Duration, Instant};

const CLIENTS: usize = 64;
const RUN: Duration = Duration::from_secs(3);
const RUNS: usize = 5;
const EVENTS: usize = 100_000;

/// Prints one JSON line. `args`: seconds of each run, runs (defaults: 3, 5).
pub fn run(args: &[String]) -> Result<()> {
    let number =
        |index: usize, default: u64| args.get(index).map_or(Ok(default), |arg| arg.parse());
    let length = Duration::from_secs(number(0, RUN.as_secs()).context("seconds of a run")?);
    let runs = number(1, RUNS as u64).context("number of runs")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut of_runs = (0..runs)
        .map(|_| runtime.block_on(appends(length)))
        .collect::<Result<Vec<_>>>()?;
    of_runs.sort_by(|a, b| a.events_per_s.total_cmp(&b.events_per_s));
    let mut rates = runtime.block_on(reads(runs))?;
    rates.sort_by(f64::total_cmp);
    let median = of_runs.get(of_runs.len() / 2).context("no run")?;
    println!(
        "{}",
        json!({
            "bench": "adapter",
            "clients": CLIENTS,
            "body_bytes": append::BODY_BYTES,
            "runs": runs,
            "median": { "events_per_s": median.events_per_s.round(), "p50_ms": median.p50_ms, "p99_ms": median.p99_ms },
            "read_all_per_s": rates[rates.len() / 2].round(),
        })
    );
    Ok(())
}

async fn appends(length: Duration) -> Result<append::Run> {
    let folder = tempfile::tempdir_in(".")?;
    let (served, store) = connect(EventStore::open(folder.path())?).await?;
    let run = append::measure(&store, CLIENTS, length).await?;
    drop(store);
    served.stop().await;
    Ok(run)
}

async fn reads(runs: u64) -> Result<Vec<f64>> {
    let folder = tempfile::tempdir_in(".")?;
    let embedded = EventStore::open(folder.path())?;
    let (events, _) = replay::fill(&embedded, EVENTS).await?;
    let (served, store) = connect(embedded).await?;
    let mut rates = Vec::new();
    for _ in 0..runs {
        let start = Instant::now();
        let read = replay::replay(&store).await?;
        anyhow::ensure!(read == events, "{events} events were appended, {read} read");
        rates.push(events as f64 / start.elapsed().as_secs_f64());
    }
    drop(store);
    served.stop().await;
    Ok(rates)
}

async fn connect(log: EventStore) -> Result<(squareoff_serve::Server, EventStore)> {
    let options = Options {
        write: Write::AnyEvents,
        ..Options::default()
    };
    let served = squareoff_serve::start(log, options).await?;
    let store = EventStore::connect(&format!("kurrentdb://{}?tls=false", served.address())).await?;
    Ok((served, store))
}
