//! How many events a second a rebuild turns into tables with their indexes, and what those who read and write live notice of it.

use crate::desk::{POSITIONS, envelope, fill, key, placed};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use squareoff_projections::positions::positions_of_client;
use squareoff_projections::testing::TestDatabase;
use squareoff_projections::{Database, RebuildOptions, SwapWhen, Watcher, rebuild};
use squareoff_store::EventStore;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Orders of each position: 1,016,000 events.
const ROUNDS: usize = 21;
const RUNS: usize = 5;
/// How long live reads and writes are measured without a rebuild, and at least how long with one after the other.
const BESIDE: Duration = Duration::from_secs(5);
/// Between two reads, and between two appends.
const PAUSE: Duration = Duration::from_millis(2);
/// Guard against hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// Prints two JSON lines. `args`: rounds of orders, runs (defaults: 21, 5).
pub fn run(args: &[String]) -> Result<()> {
    let number =
        |index: usize, default: usize| args.get(index).map_or(Ok(default), |arg| arg.parse());
    let rounds = number(0, ROUNDS).context("rounds of orders")?;
    let runs = number(1, RUNS).context("number of runs")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let folder = tempfile::tempdir_in(".")?;
    let store = EventStore::open(folder.path())?;
    runtime.block_on(async {
        let events = fill(&store, rounds).await?;
        let mut rates = vec![];
        for _ in 0..runs {
            let test = TestDatabase::start().await?;
            let (database, options) = (test.database(), RebuildOptions::new(SwapWhen::Never));
            let (began, mut last) = (Instant::now(), None);
            let report = rebuild(&store, &database, options, |progress| {
                if last.replace(progress.stage) != Some(progress.stage) {
                    eprintln!("{:>7.3} s {:?}", began.elapsed().as_secs_f64(), progress.stage);
                }
            });
            let report = report.await?;
            rates.push(report.events_per_s());
        }
        rates.sort_unstable();
        let median = rates.get(rates.len() / 2);
        println!(
            "{}",
            json!({ "bench": "rebuild", "events": events, "runs": runs, "events_per_s": median, "all": rates })
        );
        beside(&store, events).await
    })
}

/// Live reads and the lag of the live projection, first alone, then while rebuilds run one after the other.
async fn beside(store: &EventStore, events: u64) -> Result<()> {
    let test = TestDatabase::start().await?;
    let database = test.database();
    rebuild(
        store,
        &database,
        RebuildOptions::new(SwapWhen::Equal),
        |_| {},
    )
    .await?;
    let running = tokio::spawn(squareoff_projections::run(
        store.clone(),
        database.clone(),
        std::future::pending(),
    ));
    let alone = live(store, &database, async {
        tokio::time::sleep(BESIDE).await;
        Ok(0)
    });
    let alone = alone.await?;
    let (its_store, its_database) = (store.clone(), database.clone());
    let rebuilding = move || {
        // Threads of its own, as the process of a rebuild has: what is measured here must not wait for them.
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(rebuilds(&its_store, &its_database))
    };
    let with = live(store, &database, async {
        tokio::task::spawn_blocking(rebuilding).await?
    });
    let with = with.await?;
    running.abort();
    println!(
        "{}",
        json!({ "bench": "rebuild-beside-live", "events": events, "alone": alone, "with_rebuild": with })
    );
    Ok(())
}

/// One after the other, for some seconds; how many.
async fn rebuilds(store: &EventStore, database: &Database) -> Result<u64> {
    let (began, mut rebuilds) = (Instant::now(), 0);
    while began.elapsed() < BESIDE {
        let options = RebuildOptions::new(SwapWhen::Equal);
        let report = rebuild(store, database, options, |_| {}).await?;
        ensure!(
            report.equal() && report.swapped,
            "live and rebuilt differ: {report:?}"
        );
        rebuilds += 1;
    }
    Ok(rebuilds)
}

/// Reads and appends until `other` is done.
async fn live(
    store: &EventStore,
    database: &Database,
    other: impl Future<Output = Result<u64>>,
) -> Result<serde_json::Value> {
    let over = AtomicBool::new(false);
    let pool = database.pool(2);
    let read = async {
        let mut took = vec![];
        for number in 0.. {
            if over.load(Ordering::Relaxed) {
                break;
            }
            let client = format!("C{:05}", number * 7 % (POSITIONS / 4));
            let asked = Instant::now();
            let answer = positions_of_client(&pool, &client, None).await?;
            ensure!(answer.value.len() == 4, "a read fell into a gap");
            took.push(asked.elapsed());
            tokio::time::sleep(PAUSE).await;
        }
        Ok(took)
    };
    let watcher = Watcher::start(database.pool(2));
    let write = async {
        let mut lags = vec![];
        for number in 0.. {
            if over.load(Ordering::Relaxed) {
                break;
            }
            let key = key(number % POSITIONS)?;
            let stream = key.stream();
            let request = Uuid::new_v4();
            let version = version(store, &stream).await?;
            let events = placed(&key, request).into_iter().map(envelope).collect();
            let appended = store.append(&stream, version, events).await?;
            let asked = Instant::now();
            watcher.wait_for(appended.position, PATIENCE).await?;
            lags.push(asked.elapsed());
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::Ok(lags)
    };
    let other = async {
        let rebuilds = other.await;
        over.store(true, Ordering::Relaxed);
        rebuilds
    };
    let (reads, lags, rebuilds) = tokio::try_join!(read, write, other)?;
    Ok(json!({
        "rebuilds": rebuilds,
        "reads": reads.len(),
        "read_p50_ms": percentile(&reads, 50),
        "read_p99_ms": percentile(&reads, 99),
        "appends": lags.len(),
        "lag_p50_ms": percentile(&lags, 50),
        "lag_p99_ms": percentile(&lags, 99),
        "lag_max_ms": percentile(&lags, 100),
    }))
}

async fn version(store: &EventStore, stream: &str) -> Result<u64> {
    let mut version = 0;
    loop {
        let events = store.read_stream(stream, version + 1, 1_000).await?;
        let Some(last) = events.last() else {
            return Ok(version);
        };
        version = last.version;
    }
}

/// In milliseconds, with two decimals.
fn percentile(took: &[Duration], percent: usize) -> f64 {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    let micros = sorted.get(place).map_or(0, Duration::as_micros);
    (micros as f64 / 10.0).round() / 100.0
}
