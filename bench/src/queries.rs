//! How long what the desk and investors ask of the read models takes over HTTP, with a million orders in them.
//!
//! The API runs in this process, with its limits lifted: reads come from one address here. Each kind of query is asked by eight callers,
//! about another client, order or position each time: first at a rate, each counted from when it was due, as many people at a desk ask; then
//! as fast as they are answered, which fills the machine and is mostly a wait for the others.

use crate::desk::{POSITIONS, fill, key, order_of};
use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use squareoff_api::bulk::SessionClose;
use squareoff_api::{App, DevelopmentKey, Rate, Rates, Settings};
use squareoff_projections::testing::TestDatabase;
use squareoff_projections::{RebuildOptions, SwapWhen, rebuild};
use squareoff_store::EventStore;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Orders of each position: a million of them.
const ROUNDS: usize = 125;
const CALLERS: usize = 8;
/// Of each kind, by each caller.
const ASKED: usize = 250;
/// All callers together.
const PER_S: u64 = 200;

/// What is asked, by the number of a position and of a round.
type Query = fn(usize, usize) -> Result<String>;

const QUERIES: &[(&str, Query)] = &[
    ("positions of a client", |position, _| {
        Ok(format!("/v1/clients/C{:05}/positions", position / 4))
    }),
    ("one position", |position, _| {
        let stream = key(position)?.stream();
        Ok(format!("/v1/positions/{}", stream.replace('&', "%26")))
    }),
    ("open positions in an instrument", |position, _| {
        Ok(format!(
            "/v1/positions?symbol={}&open=true&limit=50",
            key(position)?.symbol
        ))
    }),
    ("orders of a client", |position, _| {
        Ok(format!(
            "/v1/orders?client_code=C{:05}&limit=50",
            position / 4
        ))
    }),
    ("the newest orders", |_, _| Ok("/v1/orders?limit=50".into())),
    ("working orders", |_, _| {
        Ok("/v1/orders?working=true&limit=50".into())
    }),
    ("one order", |position, round| {
        Ok(format!("/v1/orders/{}", order_of(round, position)?))
    }),
    ("trades of a client", |position, _| {
        Ok(format!(
            "/v1/trades?client_code=C{:05}&limit=50",
            position / 4
        ))
    }),
    ("trades of an order", |position, round| {
        Ok(format!(
            "/v1/trades?order_id={}",
            order_of(round, position)?
        ))
    }),
    ("the audit trail of a client", |position, _| {
        Ok(format!(
            "/v1/audit?client_code=C{:05}&limit=50",
            position / 4
        ))
    }),
];

/// Prints one JSON line. `args`: rounds of orders, queries a second (defaults: 125, 200).
pub fn run(args: &[String]) -> Result<()> {
    let rounds = args.first().map_or(Ok(ROUNDS), |arg| arg.parse());
    let rounds = rounds.context("rounds of orders")?;
    let per_s = args.get(1).map_or(Ok(PER_S), |arg| arg.parse());
    let per_s = per_s.context("queries a second")?;
    tokio::runtime::Runtime::new()?.block_on(measure(rounds, per_s))
}

async fn measure(rounds: usize, per_s: u64) -> Result<()> {
    let folder = tempfile::tempdir_in(".")?;
    let store = EventStore::open(&folder.path().join("log"))?;
    let events = fill(&store, rounds).await?;
    let test = TestDatabase::start().await?;
    let database = test.database();
    rebuild(
        &store,
        &database,
        RebuildOptions::new(SwapWhen::Equal),
        |_| {},
    )
    .await?;
    let rate = Rate::per_s(NonZeroU32::new(1_000_000).context("not zero")?);
    let rates = Rates {
        person: rate,
        address: rate,
        client: rate,
    };
    let settings = Settings {
        reference_age_max_s: 86_400,
        venue_message_rate: 100,
        caller_verification: true,
        approval_notional: None,
        caller_verification_minutes: 15,
        session_close: SessionClose::default(),
    };
    let development = DevelopmentKey::load_or_create(&folder.path().join("development.key"))?;
    let token = development.token("supervisor-bench")?;
    let mut app =
        App::start(store.clone(), database.pool(8), development, settings).with_rates(rates);
    app.sample_log_ins = true;
    let head = store.head().await?;
    ensure!(
        app.directory.reach(head, Duration::from_secs(600)).await,
        "the log was not read in time"
    );
    let listener = squareoff_api::listen("127.0.0.1:0".parse()?, None)?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(squareoff_api::serve(
        listener,
        app,
        None,
        std::future::pending(),
    ));
    let load = Load {
        address,
        token: token.into(),
        rounds,
    };
    let mut figures = Map::new();
    for (name, query) in QUERIES {
        let of_it = json!({
            "at_the_rate": load.put(*query, Some(per_s)).await?,
            "without_a_pause": load.put(*query, None).await?,
        });
        figures.insert((*name).to_owned(), of_it);
    }
    serving.abort();
    println!(
        "{}",
        json!({ "bench": "queries", "orders": rounds * POSITIONS, "events": events, "callers": CALLERS, "of_each": CALLERS * ASKED, "per_s": per_s, "queries": figures })
    );
    Ok(())
}

struct Load {
    address: SocketAddr,
    token: Arc<str>,
    rounds: usize,
}

impl Load {
    /// How long the answers of one kind took: at so many a second, or as fast as they come.
    async fn put(&self, query: Query, per_s: Option<u64>) -> Result<Value> {
        let (mut callers, begun) = (JoinSet::new(), Instant::now());
        for caller in 0..CALLERS {
            let (address, token, rounds) = (self.address, self.token.clone(), self.rounds);
            callers.spawn(async move {
                let mut stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let (mut took, mut read) = (vec![], Vec::new());
                for number in 0..ASKED {
                    let nth = caller * ASKED + number;
                    let path = query(nth * 1_009 % POSITIONS, nth * 31 % rounds)?;
                    let due = match per_s {
                        None => Instant::now(),
                        Some(per_s) => {
                            let nth = u32::try_from(number * CALLERS + caller)?;
                            let due = begun + nth * Duration::from_secs(1) / u32::try_from(per_s)?;
                            tokio::time::sleep_until(due.into()).await;
                            due
                        }
                    };
                    ask(&mut stream, &mut read, &path, &token).await?;
                    took.push(due.elapsed());
                }
                anyhow::Ok(took)
            });
        }
        let mut all = vec![];
        while let Some(took) = callers.join_next().await {
            all.extend(took??);
        }
        all.sort_unstable();
        let quantile = |percent: usize| {
            let at = (all.len() * percent / 100).min(all.len() - 1);
            (all[at].as_secs_f64() * 1e5).round() / 1e2
        };
        Ok(json!({ "p50_ms": quantile(50), "p95_ms": quantile(95), "p99_ms": quantile(99) }))
    }
}

async fn ask(stream: &mut TcpStream, read: &mut Vec<u8>, path: &str, token: &str) -> Result<()> {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    crate::http::answered(stream, read, "200")
        .await
        .with_context(|| path.to_owned())
}
