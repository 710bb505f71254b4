//! How many events a second become rows: live, from the log to committed read models, and in a rebuild with its indexes.
//!
//! The log holds a day of square-offs: 8,000 positions, 6 events per order. A thousand orders go on abreast, so that nearly every
//! event of a batch changes another row: the dearest order for the live runner. The server is a private one with `fsync` on.

use crate::desk::fill;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use squareoff_projections::testing::TestDatabase;
use squareoff_projections::{RebuildOptions, SwapWhen, Watcher, rebuild};
use squareoff_store::EventStore;
use std::time::{Duration, Instant};

/// Orders of each position, one after the other.
const ROUNDS: usize = 8;
const RUNS: usize = 3;
/// Guard against hanging.
const PATIENCE: Duration = Duration::from_secs(600);

/// Prints one JSON line. `args`: rounds of orders, runs (defaults: 8, 3).
pub fn run(args: &[String]) -> Result<()> {
    let number =
        |index: usize, default: usize| args.get(index).map_or(Ok(default), |arg| arg.parse());
    let rounds = number(0, ROUNDS).context("rounds of orders")?;
    let runs = number(1, RUNS).context("number of runs")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let folder = tempfile::tempdir_in(".")?;
    let store = EventStore::open(folder.path())?;
    let events = runtime.block_on(fill(&store, rounds))?;
    let (mut live, mut rebuilt) = (vec![], vec![]);
    for _ in 0..runs {
        let (live_per_s, rebuilt_per_s) = runtime.block_on(measure(&store, events))?;
        live.push(live_per_s);
        rebuilt.push(rebuilt_per_s);
    }
    let median = |mut figures: Vec<u64>| {
        figures.sort_unstable();
        figures[figures.len() / 2]
    };
    println!(
        "{}",
        json!({
            "bench": "project",
            "events": events,
            "runs": runs,
            "median": { "live_events_per_s": median(live), "rebuild_events_per_s": median(rebuilt) },
        })
    );
    Ok(())
}

/// Events a second, live and rebuilt, on a fresh database.
async fn measure(store: &EventStore, events: u64) -> Result<(u64, u64)> {
    let test = TestDatabase::start().await?;
    let database = test.database();
    let watcher = Watcher::start(database.pool(2));
    let head = store.head().await?;
    let began = Instant::now();
    let running = tokio::spawn(squareoff_projections::run(
        store.clone(),
        database.clone(),
        std::future::pending(),
    ));
    watcher.wait_for(head, PATIENCE).await?;
    let live = per_second(events, began.elapsed());
    running.abort();
    let compare = RebuildOptions::new(SwapWhen::Never);
    let report = rebuild(store, &database, compare, |_| {}).await?;
    ensure!(report.equal(), "live and rebuilt differ: {report:?}");
    Ok((live, report.events_per_s()))
}

fn per_second(events: u64, elapsed: Duration) -> u64 {
    (events as f64 / elapsed.as_secs_f64()) as u64
}
