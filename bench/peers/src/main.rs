//! Our event log beside other event stores, in one run: `make bench-peers`.
//!
//! Every store is given the same event by the same clients, on the same file system, with the same durability: an answer comes after the
//! sync. Runs alternate: each round starts with another store. Each run begins with an empty log and, where there is one, a fresh server.
//! The whole comparison is `peers all`; `append` and `replay` do a part of it and add to the same file of results.

mod event;
mod load;
#[path = "../../src/paced.rs"]
mod paced;
mod peer;
mod postgres;
mod resp;
mod results;
mod segment;
mod server;
mod sierradb;
mod squareoff;
mod umadb;

use anyhow::{Result, bail, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use peer::{Peer, Running, Setup};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// As in `squareoff` itself; the in-process engines of the others have it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CLIENTS: [usize; 2] = [64, 512];
/// Replays of one filled log; the first warms the caches and is not counted.
const REPLAYS: usize = 3;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Both client counts, replay, our appends at a fixed rate, and the table
    All(Measure),
    /// Durable single-event appends, each with a version check
    Append(Measure),
    /// Stored events read from the log's beginning, in the store's own order
    Replay(Measure),
    /// Our appends at a fixed rate, while the write-ahead log is checkpointed: appends a second, seconds, runs
    Paced { numbers: Vec<String> },
    /// The table of what is in the file of results
    Table {
        #[arg(long, default_value = "target/peers/results.jsonl")]
        results: PathBuf,
    },
}

#[derive(Args)]
struct Measure {
    /// Only these stores
    #[arg(long, value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Clients that append at once
    #[arg(long, value_delimiter = ',', default_values_t = CLIENTS)]
    clients: Vec<usize>,
    /// Seconds of each run
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Runs, of which the median counts
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Events of the log that is replayed
    #[arg(long, default_value_t = 200_000)]
    events: usize,
    /// File that the results are added to; `all` starts it anew
    #[arg(long, default_value = "target/peers/results.jsonl")]
    results: PathBuf,
    /// Folder for the stores' files: on the disk that is measured, never in memory
    #[arg(long, default_value = "target/peers")]
    folder: PathBuf,
    #[command(flatten)]
    setup: Setup,
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    // Stopped from outside, the stores' servers are ended with what runs.
    tokio::select! {
        done = compare(Arguments::parse().what) => done,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    }
}

async fn compare(what: What) -> Result<()> {
    match what {
        What::All(measure) => {
            let _ = std::fs::remove_file(&measure.results);
            results::note(&measure.results, &machine("before"))?;
            append(&measure).await?;
            replay(&measure).await?;
            paced(Vec::new()).await?;
            results::note(&measure.results, &machine("after"))?;
            println!("{}", results::table(&measure.results)?);
        }
        What::Append(measure) => {
            results::note(&measure.results, &machine("before"))?;
            append(&measure).await?;
            results::note(&measure.results, &machine("after"))?;
        }
        What::Replay(measure) => {
            results::note(&measure.results, &machine("before"))?;
            replay(&measure).await?;
            results::note(&measure.results, &machine("after"))?;
        }
        What::Paced { numbers } => paced(numbers).await?,
        What::Table { results } => println!("{}", results::table(&results)?),
    }
    Ok(())
}

async fn append(measure: &Measure) -> Result<()> {
    let length = Duration::from_secs(measure.seconds);
    for &clients in &measure.clients {
        for round in 0..measure.runs {
            for peer in in_turn(&chosen(measure, true), round) {
                let (folder, running) = start(peer, measure).await?;
                let mut connected = Vec::new();
                for number in 0..clients {
                    connected.push(running.client(number).await?);
                }
                let run = load::closed_loop(connected, length).await?;
                running.stop().await?;
                drop(folder);
                let line = json!({
                    "bench": "append",
                    "peer": peer.name(),
                    "clients": clients,
                    "body_bytes": event::BODY_BYTES,
                    "run": round + 1,
                    "events_per_s": run.events_per_s.round(),
                    "p50_ms": run.p50_ms,
                    "p99_ms": run.p99_ms,
                });
                results::note(&measure.results, &line)?;
            }
        }
    }
    Ok(())
}

async fn replay(measure: &Measure) -> Result<()> {
    for peer in chosen(measure, false) {
        let events = peer.events_in_time(measure.events);
        let events = events.next_multiple_of(event::FILL_BATCH);
        let (folder, running) = start(peer, measure).await?;
        running.fill(events).await?;
        for run in 0..=REPLAYS {
            let began = Instant::now();
            let replayed = running.replay().await?;
            let seconds = began.elapsed().as_secs_f64();
            ensure!(
                replayed == events,
                "{}: {replayed} of {events} events",
                peer.name()
            );
            if run > 0 {
                let line = json!({
                    "bench": "replay",
                    "peer": peer.name(),
                    "body_bytes": event::BODY_BYTES,
                    "events": events,
                    "run": run,
                    "events_per_s": (events as f64 / seconds).round(),
                });
                results::note(&measure.results, &line)?;
            }
        }
        running.stop().await?;
        drop(folder);
    }
    Ok(())
}

/// It has a runtime of its own.
async fn paced(numbers: Vec<String>) -> Result<()> {
    tokio::task::spawn_blocking(move || paced::run(&numbers)).await?
}

async fn start(peer: Peer, measure: &Measure) -> Result<(tempfile::TempDir, Running)> {
    let folder = std::path::absolute(&measure.folder)?;
    std::fs::create_dir_all(&folder)?;
    let folder = tempfile::Builder::new().prefix("run-").tempdir_in(folder)?;
    let running = Running::start(peer, folder.path(), &measure.setup).await?;
    Ok((folder, running))
}

/// The stores that were asked for, or all that can do it: group commit changes nothing for a replay, and a plain file has none.
fn chosen(measure: &Measure, append: bool) -> Vec<Peer> {
    if !measure.peers.is_empty() {
        return measure.peers.clone();
    }
    let all = Peer::value_variants().iter().copied();
    let reads = |peer: &Peer| !matches!(peer, Peer::PostgresGrouped | Peer::Segment);
    all.filter(|peer| append || reads(peer)).collect()
}

/// Each round begins with the next one, so that none always follows the same.
fn in_turn(peers: &[Peer], round: usize) -> Vec<Peer> {
    let mut peers = peers.to_vec();
    let first = round % peers.len().max(1);
    peers.rotate_left(first);
    peers
}

/// What the figures are measured on, and what else runs on it.
fn machine(when: &str) -> serde_json::Value {
    let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(": "));
    let load: Vec<_> = read("/proc/loadavg")
        .split_whitespace()
        .take(3)
        .map(str::to_owned)
        .collect();
    json!({
        "machine": model.map_or("unknown", |(_, model)| model),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "load": load,
        "when": when,
        "build": if cfg!(debug_assertions) { "debug: figures mean nothing" } else { "release" },
    })
}
