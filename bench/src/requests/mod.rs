//! How many authenticated square-offs a second are durably accepted, and how long each takes, over HTTP.
//!
//! The API runs in a process of its own with its limits as they ship: caller verification, rates, tokens of log-ins. The load is an open loop:
//! each request is due at its time whether or not those before were answered, and its time counts from when it was due. Each position is
//! asked to close one unit at a time. Load, API and log share the machine.

mod serve;

pub use serve::run as serve;

use crate::day::{CLIENTS, OPERATORS, operator_of};
use crate::desk::{POSITIONS, key};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use squareoff_store::{EventStore, Position, READ_EVENTS_MAX};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use uuid::Uuid;

const PER_S: u64 = 5_000;
const SECONDS: u64 = 10;
const RUNS: usize = 3;
/// Each sends a request when its last is answered, at the earliest when it is due.
const CONNECTIONS: u64 = 256;
/// Requests before those that count.
const WARM_UP: u64 = 2_000;

/// Prints one JSON line. `args`: square-offs a second, seconds, runs (defaults: 5,000, 10, 3).
pub fn run(args: &[String]) -> Result<()> {
    let number =
        |index: usize, default: u64| args.get(index).map_or(Ok(default), |arg| arg.parse());
    let per_s = number(0, PER_S).context("square-offs a second")?;
    let seconds = number(1, SECONDS).context("seconds")?;
    let runs = number(2, RUNS as u64).context("runs")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut measured = vec![];
    for _ in 0..runs {
        measured.push(runtime.block_on(measure(per_s, seconds))?);
    }
    let median = |of: fn(&Measured) -> f64| {
        let mut all: Vec<f64> = measured.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    println!(
        "{}",
        json!({
            "bench": "requests",
            "offered_per_s": per_s,
            "seconds": seconds,
            "connections": CONNECTIONS,
            "operators": OPERATORS,
            "clients": CLIENTS,
            "median": {
                "accepted_per_s": median(|run| run.per_s),
                "p50_ms": median(|run| run.p50_ms),
                "p99_ms": median(|run| run.p99_ms),
                "longest_ms": median(|run| run.longest_ms),
                "server_cpu_us_each": median(|run| run.server_us),
            },
            "p99_ms": measured.iter().map(|run| run.p99_ms).collect::<Vec<_>>(),
        })
    );
    Ok(())
}

struct Measured {
    per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    longest_ms: f64,
    server_us: f64,
}

/// The serving process; ended with this.
struct Served {
    process: Child,
    _open: ChildStdin,
    address: SocketAddr,
    tokens: Vec<String>,
}

impl Served {
    fn start(folder: &Path) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("requests-serve")
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let open = process.stdin.take().context("it is piped")?;
        let mut out: BufReader<ChildStdout> =
            BufReader::new(process.stdout.take().context("it is piped")?);
        let mut line = || {
            let mut line = String::new();
            out.read_line(&mut line)?;
            anyhow::Ok(line.trim().to_owned())
        };
        let address = line()?.parse().context("the server's address")?;
        let tokens = (0..OPERATORS).map(|_| line()).collect::<Result<_>>()?;
        Ok(Served {
            process,
            _open: open,
            address,
            tokens,
        })
    }

    /// Processor time so far, in clock ticks of a hundredth of a second (proc(5), `utime` and `stime`).
    fn ticks(&self) -> Result<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let (_, rest) = stat.rsplit_once(") ").context("a stat line")?;
        let fields: Vec<_> = rest.split(' ').collect();
        Ok(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn measure(per_s: u64, seconds: u64) -> Result<Measured> {
    let folder = tempfile::tempdir_in(".")?;
    let served = Served::start(folder.path())?;
    let tokens: Arc<[String]> = served.tokens.clone().into();
    let log = EventStore::open(&folder.path().join("log"))?;
    let begun = log.head().await?;
    offer(served.address, &tokens, 0..WARM_UP, per_s).await?;
    let (ticks, start) = (served.ticks()?, Instant::now());
    let numbers = WARM_UP..WARM_UP + per_s * seconds;
    let mut took = offer(served.address, &tokens, numbers, per_s).await?;
    let (elapsed, ticks) = (start.elapsed(), served.ticks()? - ticks);
    let (orders, asked) = (
        orders_behind(&log, begun).await?,
        WARM_UP + took.len() as u64,
    );
    ensure!(
        orders == asked,
        "the log holds {orders} orders of {asked} square-offs"
    );
    took.sort_unstable();
    let quantile = |percent: usize| {
        let at = (took.len() * percent / 100).min(took.len() - 1);
        (took[at].as_secs_f64() * 1e5).round() / 1e2
    };
    Ok(Measured {
        per_s: (took.len() as f64 / elapsed.as_secs_f64()).round(),
        p50_ms: quantile(50),
        p99_ms: quantile(99),
        longest_ms: quantile(100),
        server_us: (ticks as f64 * 10_000.0 / took.len() as f64).round(),
    })
}

async fn orders_behind(log: &EventStore, mut after: Position) -> Result<u64> {
    let mut orders = 0;
    loop {
        let events = log.read_all(after, READ_EVENTS_MAX).await?;
        let Some(last) = events.last() else {
            return Ok(orders);
        };
        after = last.position;
        let placed = events
            .iter()
            .filter(|event| &*event.event_type == "OrderPlaced");
        orders += placed.count() as u64;
    }
}

/// How long each took.
async fn offer(
    address: SocketAddr,
    tokens: &Arc<[String]>,
    numbers: std::ops::Range<u64>,
    per_s: u64,
) -> Result<Vec<Duration>> {
    let mut connections = JoinSet::new();
    let start = Instant::now() + Duration::from_millis(50);
    for first in 0..CONNECTIONS {
        let (tokens, numbers) = (tokens.clone(), numbers.clone());
        connections.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (mut took, mut read) = (vec![], Vec::with_capacity(4_096));
            for number in (numbers.start + first..numbers.end).step_by(CONNECTIONS as usize) {
                let nth = number - numbers.start;
                let due = start + Duration::from_nanos(1_000_000_000 / per_s * nth);
                tokio::time::sleep_until(due.into()).await;
                stream
                    .write_all(request(&tokens, number)?.as_bytes())
                    .await?;
                crate::http::answered(&mut stream, &mut read, "202").await?;
                took.push(due.elapsed());
            }
            anyhow::Ok(took)
        });
    }
    let mut all = vec![];
    while let Some(took) = connections.join_next().await {
        all.extend(took??);
    }
    Ok(all)
}

fn request(tokens: &[String], number: u64) -> Result<String> {
    let position = usize::try_from(number)? % POSITIONS;
    let key = key(position)?;
    let token = &tokens[operator_of(position / 4)];
    let body = json!({
        "client_code": key.client,
        "venue": key.venue,
        "symbol": key.symbol,
        "product": key.product,
        "quantity": 1,
    });
    let body = body.to_string();
    Ok(format!(
        "POST /v1/square-offs HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        Uuid::new_v4(),
        body.len()
    ))
}
