//! How long it takes from an event in the log to every live reader that may see it, with thousands of connections open.
//!
//! One process serves, as the API does, the log that this one appends to at a fixed rate. Each connection but a few is one client's and is told
//! of that client alone, as investors' are; the few are the desk's and are told of everything. (Every event to every one of 10,000
//! connections would be ten million writes a second.) A change's time counts from the answer to its append to when its bytes have been
//! read off the connection here, on the same two cores.

use crate::desk::{
    POSITIONS, acknowledged, dispatched, envelope, fill, first_fill, key, placed, second_fill,
};
use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use squareoff_api::bulk::SessionClose;
use squareoff_api::{App, DevelopmentKey, Settings};
use squareoff_domain::PositionKey;
use squareoff_domain::position::PositionEvent;
use squareoff_projections::Database;
use squareoff_store::{EventStore, Position};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use uuid::Uuid;

const CONNECTIONS: usize = 10_000;
const EVENTS_PER_S: u64 = 1_000;
const SECONDS: u64 = 20;
/// Connections of the desk among them.
const OF_DESK: usize = 20;
/// The clients of the log's 8,000 positions.
const CLIENTS: usize = POSITIONS / 4;
/// Connections that are opened at once.
const AT_ONCE: usize = 128;
/// Files that each of the two processes has open beside its connections.
const OTHER_FILES: u64 = 200;
/// A position's next append is due so many appends later, long after its last was answered.
const ABREAST: u64 = 1_000;
/// How long the last changes may take.
const GUARD: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(100);

type Step = fn(&PositionKey, Uuid) -> Vec<PositionEvent>;
const STEPS: [Step; 5] = [placed, dispatched, acknowledged, first_fill, second_fill];

/// Prints one JSON line. `args`: connections, events a second, seconds (defaults: 10,000, 1,000, 20).
pub fn run(args: &[String]) -> Result<()> {
    let number =
        |index: usize, default: u64| args.get(index).map_or(Ok(default), |arg| arg.parse());
    let connections = number(0, CONNECTIONS as u64).context("connections")?;
    let rate = number(1, EVENTS_PER_S).context("events a second")?;
    let seconds = number(2, SECONDS).context("seconds")?;
    raise_file_limit(connections)?;
    tokio::runtime::Runtime::new()?.block_on(measure(connections as usize, rate, seconds))
}

/// Serves the log in a folder, until standard input ends; prints the address. `args`: the folder, connections.
pub fn serve(args: &[String]) -> Result<()> {
    let [folder, connections] = args else {
        bail!("live-serve is started by `live` and `shed`")
    };
    raise_file_limit(connections.parse()?)?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let folder = Path::new(folder);
        let store = EventStore::open(&folder.join("log"))?;
        // Nothing here is asked of the read models.
        let reads = Database::from_url("postgres://nobody@127.0.0.1:1/nothing")?.pool(1);
        let settings = Settings {
            reference_age_max_s: 86_400,
            venue_message_rate: 100,
            caller_verification: false,
            approval_notional: None,
            caller_verification_minutes: 15,
            session_close: SessionClose::default(),
        };
        let mut app = App::start(store, reads, key_of(folder)?, settings);
        app.sample_log_ins = true;
        app.live.begun().await;
        let listener = squareoff_api::listen("127.0.0.1:0".parse()?, None)?;
        println!("{}", listener.local_addr()?);
        let ended = tokio::task::spawn_blocking(|| {
            let _ = std::io::stdin().lines().count();
        });
        squareoff_api::serve(listener, app, None, async { drop(ended.await) }).await;
        Ok(())
    })
}

pub fn key_of(folder: &Path) -> Result<DevelopmentKey> {
    Ok(DevelopmentKey::load_or_create(
        &folder.join("development.key"),
    )?)
}

/// As many files as there may be; too few is said.
pub fn raise_file_limit(connections: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised)?;
    let (may, needed) = (limit.maximum.unwrap_or(u64::MAX), connections + OTHER_FILES);
    ensure!(
        may >= needed,
        "{connections} connections need {needed} files in each process, and the hard limit is {may}: raise it (ulimit -Hn), or ask for fewer"
    );
    Ok(())
}

/// The serving process; ended with this.
pub struct Served {
    process: Child,
    pub address: SocketAddr,
}

impl Served {
    pub fn start(folder: &Path, connections: usize) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("live-serve")
            .arg(folder)
            .arg(connections.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = process.stdout.take().context("it is piped")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().parse().context("the server's address")?;
        Ok(Served { process, address })
    }

    /// The most memory it ever had, in MiB.
    pub fn peak_mib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib / 1_024)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// When each event's append was answered, and which event each connection was told of when: nanoseconds since the start.
struct Times {
    began: Instant,
    /// The position that the first is behind.
    base: Position,
    appended: Vec<AtomicU64>,
    told_to_desk: AtomicU64,
    over: AtomicBool,
}

impl Times {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn place(&self, position: u64) -> Option<&AtomicU64> {
        let index = position.checked_sub(self.base.as_u64() + 1)?;
        self.appended.get(usize::try_from(index).ok()?)
    }
}

async fn measure(connections: usize, rate: u64, seconds: u64) -> Result<()> {
    ensure!(connections > OF_DESK, "more than {OF_DESK} connections");
    let folder = tempfile::tempdir_in(".")?;
    let store = EventStore::open(&folder.path().join("log"))?;
    fill(&store, 0).await?;
    let served = Served::start(folder.path(), connections)?;
    let appends = rate * seconds * STEPS.len() as u64 / 6;
    let times = Arc::new(Times {
        began: Instant::now(),
        base: store.head().await?,
        // An append is two events at the most. A share of them would not do: the first thousand are all of two.
        appended: (0..2 * appends).map(|_| AtomicU64::new(0)).collect(),
        told_to_desk: AtomicU64::new(0),
        over: AtomicBool::new(false),
    });
    let opening = Instant::now();
    let key = key_of(folder.path())?;
    let (permits, mut readers) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    let (opened, mut all_open) = tokio::sync::mpsc::channel(connections);
    for number in 0..connections {
        let permit = permits.clone().acquire_owned().await?;
        let reader = Reader {
            address: served.address,
            request: request(&key, number)?,
            is_desk: number < OF_DESK,
        };
        let (times, opened) = (times.clone(), opened.clone());
        readers.spawn(async move { reader.read(&times, permit, opened).await });
    }
    drop(opened);
    for _ in 0..connections {
        if all_open.recv().await.is_none() {
            break;
        }
    }
    let opened_ms = opening.elapsed().as_millis();
    let told = append_all(&store, &times, appends, rate).await?;
    // The last have had their time, or will never be told.
    let patience = Instant::now() + GUARD;
    while times.told_to_desk.load(Ordering::Relaxed) < told * OF_DESK as u64
        && Instant::now() < patience
    {
        tokio::time::sleep(LOOK).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    times.over.store(true, Ordering::Relaxed);
    let peak_mib = served.peak_mib();
    drop(served);
    let (mut desk, mut clients) = (Vec::new(), Vec::new());
    while let Some(read) = readers.join_next().await {
        let (is_desk, told) = read??;
        let latencies = told.into_iter().filter_map(|(position, at)| {
            let appended = times.place(position)?.load(Ordering::Relaxed);
            Some(Duration::from_nanos(at.saturating_sub(appended)))
        });
        if is_desk {
            desk.extend(latencies);
        } else {
            clients.extend(latencies);
        }
    }
    let of_client = connections - OF_DESK;
    println!(
        "{}",
        json!({
            "bench": "live",
            "connections": connections,
            "of_the_desk": OF_DESK,
            "clients": CLIENTS.min(of_client),
            "opened_in_ms": u64::try_from(opened_ms).unwrap_or(u64::MAX),
            "events_per_s": rate,
            "seconds": seconds,
            "changes": told,
            "told_to_the_desk": desk.len() as u64,
            "missed_by_the_desk": (told * OF_DESK as u64).saturating_sub(desk.len() as u64),
            "told_to_clients": clients.len(),
            "clients_ms": quantiles(clients)?,
            "desk_ms": quantiles(desk)?,
            "server_peak_mib": peak_mib,
            "load_at_the_end": load(),
        })
    );
    Ok(())
}

pub fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}

pub fn quantiles(mut latencies: Vec<Duration>) -> Result<serde_json::Value> {
    ensure!(!latencies.is_empty(), "nobody was told anything");
    latencies.sort_unstable();
    let quantile = |share: f64| {
        let last = latencies.len() - 1;
        let at = ((latencies.len() as f64 * share) as usize).min(last);
        (latencies[at].as_secs_f64() * 1e6).round() / 1e3
    };
    Ok(
        json!({ "p50": quantile(0.50), "p99": quantile(0.99), "p999": quantile(0.999), "longest": quantile(1.0) }),
    )
}

/// What the connection of this number asks.
fn request(key: &DevelopmentKey, number: usize) -> Result<String> {
    let (actor, query) = if number < OF_DESK {
        (
            format!("desk-{}", number / 10),
            "topics=orders,positions".to_owned(),
        )
    } else {
        let client = number % CLIENTS;
        (
            format!("investor-c{client:05}"),
            format!("topics=orders,positions&client=C{client:05}"),
        )
    };
    let token = key.token(&actor)?;
    Ok(format!(
        "GET /v1/live?{query} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n"
    ))
}

struct Reader {
    address: SocketAddr,
    request: String,
    is_desk: bool,
}

impl Reader {
    /// Positions, and when they came; until it is over.
    async fn read(
        self,
        times: &Times,
        permit: tokio::sync::OwnedSemaphorePermit,
        opened: tokio::sync::mpsc::Sender<()>,
    ) -> Result<(bool, Vec<(u64, u64)>)> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(self.request.as_bytes()).await?;
        let (mut read, mut told, mut is_open) = (Vec::new(), Vec::new(), false);
        let mut permit = Some(permit);
        loop {
            read.reserve(4_096);
            let more = stream.read_buf(&mut read).await;
            if !matches!(more, Ok(1..)) {
                ensure!(
                    times.over.load(Ordering::Relaxed),
                    "a connection ended too early, with {:?}",
                    String::from_utf8_lossy(&read)
                );
                return Ok((self.is_desk, told));
            }
            let at = times.now();
            if !is_open && find(&read, b"event: ready").is_some() {
                is_open = true;
                drop(permit.take());
                opened.send(()).await?;
            }
            let mut done = 0;
            // The id stands before it.
            while let Some(end) = find(&read[done..], b"\nevent: change\n") {
                let id = &read[done..done + end];
                let id = id.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
                told.push((std::str::from_utf8(id)?.parse()?, at));
                if self.is_desk {
                    times.told_to_desk.fetch_add(1, Ordering::Relaxed);
                }
                done += end + 1;
            }
            // An id may be cut in two.
            let keep = done.max(read.len().saturating_sub(64));
            read.drain(..keep);
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|at| at == wanted)
}

/// An open loop: each append is due at its time, whether or not those before were answered. The number of changes.
async fn append_all(
    store: &EventStore,
    times: &Arc<Times>,
    appends: u64,
    rate: u64,
) -> Result<u64> {
    // Five appends are six events.
    let interval = Duration::from_nanos(1_000_000_000 * 6 / (STEPS.len() as u64 * rate));
    let (start, mut appending, mut changes) = (Instant::now(), JoinSet::new(), 0);
    let mut versions = vec![1; POSITIONS];
    for number in 0..appends {
        let due = start + interval * u32::try_from(number)?;
        tokio::time::sleep_until(due.into()).await;
        let (round, slot) = (number / ABREAST, number % ABREAST);
        let step = usize::try_from(round)? % STEPS.len();
        let block = round / STEPS.len() as u64;
        let position = usize::try_from(block * ABREAST + slot)? % POSITIONS;
        let key = key(position)?;
        let order = Uuid::from_u128(u128::from(block * ABREAST + slot));
        let events: Vec<_> = STEPS[step](&key, order).into_iter().map(envelope).collect();
        let version = versions[position];
        versions[position] += events.len() as u64;
        // Of a square-off's acceptance nobody is told: nothing that is shown has changed.
        changes += 1;
        let (store, times) = (store.clone(), times.clone());
        appending.spawn(async move {
            let count = events.len() as u64;
            let appended = store.append(&key.stream(), version, events).await?;
            let (now, last) = (times.now(), appended.position.as_u64());
            for position in last + 1 - count..=last {
                if let Some(place) = times.place(position) {
                    place.store(now, Ordering::Relaxed);
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(appended) = appending.join_next().await {
        appended??;
    }
    Ok(changes)
}
