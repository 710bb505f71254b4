//! What a node does with ten times of what it takes: square-offs at a fixed rate, whether or not those before were answered.
//!
//! One process serves, as the API does and with its own limits; this one offers, on the same cores. Each person's rate is what the node
//! takes, so so many people are so many times 100 a second. Every answer is counted, every one that is no 202 must say when to come again,
//! and at the end the orders of all that were acknowledged are looked for in the log.

use crate::day;
use crate::desk::{POSITIONS, fill, key};
use crate::live::{Served, key_of, load, quantiles, raise_file_limit};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use squareoff_api::Rates;
use squareoff_domain::position::PositionEvent;
use squareoff_store::codec::LogEvent;
use squareoff_store::{EventStore, Position};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use uuid::Uuid;

/// People who ask: each may 100 times a second.
const PEOPLE: u64 = 5;
const TIMES: u64 = 10;
const SECONDS: u64 = 10;
/// Connections that requests go over: twice as many as a node has acts under way.
const CONNECTIONS: u64 = 1_024;
const PAGE: usize = 10_000;

/// Prints one JSON line. `args`: people, times of what they may, seconds (defaults: 5, 10, 10).
pub fn run(args: &[String]) -> Result<()> {
    let number =
        |index: usize, default: u64| args.get(index).map_or(Ok(default), |arg| arg.parse());
    let people = number(0, PEOPLE).context("people")?;
    let times = number(1, TIMES).context("times")?;
    let seconds = number(2, SECONDS).context("seconds")?;
    raise_file_limit(CONNECTIONS)?;
    tokio::runtime::Runtime::new()?.block_on(measure(people, times, seconds))
}

/// What is offered, to whom.
struct Offer {
    address: SocketAddr,
    tokens: Vec<String>,
    began: Instant,
    interval: Duration,
    requests: u64,
    next: AtomicU64,
}

/// An answer, and how long it took from when its request was due.
struct Told {
    status: u16,
    says_when: bool,
    orders: Vec<Uuid>,
    latency: Duration,
}

async fn measure(people: u64, times: u64, seconds: u64) -> Result<()> {
    let folder = tempfile::tempdir_in(".")?;
    let store = EventStore::open(&folder.path().join("log"))?;
    fill(&store, 0).await?;
    day::open(&store).await?;
    tokio::spawn(day::keep_session(store.clone()));
    let begins = store.head().await?;
    let served = Served::start(folder.path(), usize::try_from(CONNECTIONS)?)?;
    let takes_per_s = people * u64::from(Rates::default().person.per_s.get());
    let offered_per_s = takes_per_s * times;
    let key = key_of(folder.path())?;
    let tokens = (0..people).map(|person| key.token(&format!("desk-{person}")));
    let offer = Arc::new(Offer {
        address: served.address,
        tokens: tokens.collect::<std::result::Result<_, _>>()?,
        began: Instant::now(),
        interval: Duration::from_nanos(1_000_000_000 / offered_per_s),
        requests: offered_per_s * seconds,
        next: AtomicU64::new(0),
    });
    let mut lines = JoinSet::new();
    for _ in 0..CONNECTIONS.min(offer.requests) {
        let offer = offer.clone();
        lines.spawn(async move { offer.line().await });
    }
    let mut told = Vec::new();
    while let Some(line) = lines.join_next().await {
        told.extend(line??);
    }
    let took = offer.began.elapsed().as_secs_f64();
    let peak_mib = served.peak_mib();
    drop(served);
    let placed = placed(&store, begins).await?;
    let acknowledged = told.iter().flat_map(|told| &told.orders).copied();
    let acknowledged = HashSet::<Uuid>::from_iter(acknowledged);
    let of = |status| told.iter().filter(move |told| told.status == status);
    let latencies = |taken: bool| {
        let those = told.iter().filter(|told| (told.status == 202) == taken);
        quantiles(those.map(|told| told.latency).collect())
    };
    let silent = told
        .iter()
        .filter(|told| told.status != 202 && !told.says_when);
    let accepted = of(202).count();
    println!(
        "{}",
        json!({
            "bench": "shed",
            "takes_per_s": takes_per_s,
            "offered_per_s": offered_per_s,
            "offered": told.len(),
            "seconds": (took * 10.0).round() / 10.0,
            "accepted": accepted,
            "accepted_per_s": (accepted as f64 / took).round(),
            "too_many_429": of(429).count(),
            "busy_503": of(503).count(),
            "others": told.len() - accepted - of(429).count() - of(503).count(),
            "refused_without_retry_after": silent.count(),
            "accepted_ms": latencies(true)?,
            "refused_ms": latencies(false)?,
            "acknowledged_orders": acknowledged.len(),
            "lost": acknowledged.difference(&placed).count(),
            "placed_but_not_acknowledged": placed.difference(&acknowledged).count(),
            "server_peak_mib": peak_mib,
            "load_at_the_end": load(),
        })
    );
    Ok(())
}

impl Offer {
    /// One connection's share: whichever request is due next, as soon as the one before is answered.
    async fn line(&self) -> Result<Vec<Told>> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let mut told = Vec::new();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.requests {
                return Ok(told);
            }
            let due = self.began + self.interval * u32::try_from(number)?;
            tokio::time::sleep_until(due.into()).await;
            stream.write_all(self.request(number)?.as_bytes()).await?;
            let (status, says_when, body) = answer(&mut stream).await?;
            let orders = body["order_ids"].as_array().into_iter().flatten();
            let orders = orders.filter_map(|id| id.as_str()?.parse().ok());
            told.push(Told {
                status,
                says_when,
                orders: orders.collect(),
                latency: due.elapsed(),
            });
        }
    }

    fn request(&self, number: u64) -> Result<String> {
        let number = usize::try_from(number)?;
        // Neighbours in time are of different clients.
        let position = key(number * 4 % POSITIONS + number * 4 / POSITIONS % 4)?;
        let token = &self.tokens[number % self.tokens.len()];
        let body = json!({
            "client_code": position.client,
            "venue": position.venue,
            "symbol": position.symbol,
            "product": position.product,
            "quantity": 1,
        })
        .to_string();
        Ok(format!(
            "POST /v1/square-offs HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            Uuid::new_v4(),
            body.len()
        ))
    }
}

/// Status, whether it says when to come again, and the body.
async fn answer(stream: &mut TcpStream) -> Result<(u16, bool, Value)> {
    let mut read = Vec::new();
    let ends = loop {
        ensure!(stream.read_buf(&mut read).await? > 0, "a connection ended");
        if let Some(at) = read.windows(4).position(|at| at == b"\r\n\r\n") {
            break at;
        }
    };
    let head = String::from_utf8_lossy(&read[..ends]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).context("a status")?.parse()?;
    let header = |name: &str| {
        let mut lines = head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let length: usize = header("content-length").context("a length")?.parse()?;
    let whole = ends + 4 + length;
    while read.len() < whole {
        ensure!(stream.read_buf(&mut read).await? > 0, "a connection ended");
    }
    let body = serde_json::from_slice(&read[ends + 4..whole])?;
    Ok((status, header("retry-after").is_some(), body))
}

/// Every order that the log has behind a position.
async fn placed(store: &EventStore, begins: Position) -> Result<HashSet<Uuid>> {
    let (mut found, mut after) = (HashSet::new(), begins);
    loop {
        let page = store.read_all(after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        after = last.position;
        for stored in page.iter().filter(|it| &*it.event_type == "OrderPlaced") {
            if let PositionEvent::OrderPlaced(order) = PositionEvent::decode(stored)? {
                found.insert(order.order_id.0);
            }
        }
    }
}
