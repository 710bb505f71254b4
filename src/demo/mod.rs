//! `squareoff demo`: everything on free ports in a folder of its own, a thousand square-offs through HTTP, and then the proof: the
//! log, the read model and the exchange's own ledger must tell the same. One line of JSON says how it went; with `--kill` a part is
//! killed again and again meanwhile.

mod bulk;
mod check;
mod follow;
mod load;
mod paced;
mod person;
mod seal;

use crate::config::{CallerVerification, Config, VenueSettings};
use crate::shutdown;
use crate::stack::Stack;
use anyhow::{Context, Result, bail};
use bulk::Bulk;
use load::Load;
use paced::Paced;
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use squareoff_api::{Rate, Rates};
use squareoff_primary::book::Book;
use squareoff_projections::{Database, RebuildOptions, SwapWhen, rebuild};
use squareoff_reconcile::read::Scope;
use squareoff_store::{EventStore, Position};
use std::net::TcpListener;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::watch;

/// How often a part is killed in a run with `--kill`.
const KILLS: u32 = 3;
/// For so long a part that was killed may take to run again.
const RESTART_TIME_LIMIT: Duration = Duration::from_secs(30);
/// Positions of one client in the demo's book, on average.
const POSITIONS_PER_CLIENT: u32 = 4;

/// A part that can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kill {
    Api,
    Bulk,
    Exchange,
    Gateway,
    Postgres,
    Projections,
    Seal,
    Witness,
}

impl Kill {
    const fn part(self) -> &'static str {
        match self {
            Kill::Api => "api",
            Kill::Bulk => "bulk",
            Kill::Exchange => "exchange",
            Kill::Gateway => "gateway",
            Kill::Postgres => "postgres",
            Kill::Projections => "projections",
            Kill::Seal => "seal",
            Kill::Witness => "witness",
        }
    }
}

/// The line of JSON.
#[derive(Debug, Serialize)]
struct Outcome {
    square_offs: usize,
    orders: usize,
    fills: usize,
    /// From the request to the last fill visible in the read model, in milliseconds; not of a bulk.
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_ms: Option<f64>,
    /// With a rate: from when a request was due.
    #[serde(flatten)]
    paced: Option<Paced>,
    orders_per_s: f64,
    replay_events_per_s: u64,
    kills: u32,
    /// The head of the log's tree at the end.
    sealed: seal::Sealed,
    equal: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<String>,
}

/// How the demo goes.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub square_offs: u32,
    /// All of them as one bulk.
    pub bulk: bool,
    /// So many a second instead of the next when one is done; not with a bulk or a kill.
    pub rate_per_s: Option<u32>,
    pub kill: Option<Kill>,
}

/// The load comes under one name.
const UNLIMITED: Rates = {
    let rate = Rate::per_s(NonZeroU32::new(1_000_000).expect("not zero"));
    Rates {
        person: rate,
        address: rate,
        client: rate,
    }
};
/// The highest rate that can be set: more than this machine makes.
const UNTHROTTLED_PER_S: u32 = 100_000;

/// # Errors
/// When the run could not be done; what differs is no error but exit code 1.
pub async fn run(
    config: Config,
    options: Options,
    stop: watch::Receiver<bool>,
) -> Result<ExitCode> {
    let square_offs = options.square_offs;
    let mut folder = tempfile::Builder::new()
        .prefix("squareoff-demo-")
        .tempdir()?;
    // The server of a private Postgres runs as another user and must get through.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711))?;
    let database = match (&config.database_url, options.kill) {
        (Some(_), Some(Kill::Postgres)) => {
            bail!("the Postgres of DATABASE_URL is not ours to kill: unset it for --kill postgres")
        }
        (Some(url), _) => Some(OwnDatabase::create(url).await?),
        (None, _) => None,
    };
    let address = free_port()?;
    let simulated = config.venues.iter().map(|of| {
        let of = of.clone().simulated(&address);
        // One by one is as fast as the parts are, because the simulated exchange takes what comes; a bulk keeps to the rate that is set.
        let message_rate = match options.bulk {
            true => of.message_rate,
            false => UNTHROTTLED_PER_S,
        };
        VenueSettings { message_rate, ..of }
    });
    let venues = simulated.collect();
    let config = Config {
        data: folder.path().to_owned(),
        api_listen: free_port()?.parse()?,
        api_tls: None,
        api_rates: UNLIMITED,
        venues,
        witness_listen: free_port()?.parse()?,
        database_url: database.as_ref().map(|database| database.url.clone()),
        sample_clients: square_offs.div_ceil(POSITIONS_PER_CLIENT).max(1),
        sample_positions: square_offs,
        // Everything at the exchange is to be ours: the check compares it all.
        sample_orders: 0,
        ..config
    };
    let say = |step: &str| eprintln!("· {step}");
    let worked = tokio::select! {
        worked = work(config, options, say) => worked,
        () = shutdown::requested(stop) => Err(anyhow::anyhow!("stopped before the end")),
    };
    if let Some(database) = database {
        database.drop().await?;
    }
    let outcome = worked.as_ref().is_ok_and(|outcome| outcome.equal);
    if !outcome {
        folder.disable_cleanup(true);
        eprintln!("· everything is kept in {}", folder.path().display());
    }
    println!("{}", serde_json::to_string(&worked?)?);
    Ok(if outcome {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn work(config: Config, options: Options, say: impl Fn(&str)) -> Result<Outcome> {
    if let Some(address) = &config.event_store {
        let store = EventStore::connect(address.as_str()).await?;
        if store.head().await? > Position::START {
            bail!(
                "the demo compares all that the event log holds, and the one of EVENT_STORE holds something already: give it an empty one"
            );
        }
    }
    let mut stack = Stack::start(config, &say).await?;
    let outcome = prove(&mut stack, options, say).await;
    stack.stop().await;
    outcome
}

async fn prove(stack: &mut Stack, options: Options, say: impl Fn(&str)) -> Result<Outcome> {
    let book = crate::book::read(&stack.folder.book())?;
    let (ran, kills) = if let Some(rate_per_s) = options.rate_per_s {
        (
            square_off_at_a_rate(stack, &book, rate_per_s, &say).await?,
            0,
        )
    } else if options.bulk {
        square_off_in_bulk(stack, &book, options.kill, &say).await?
    } else {
        square_off_one_by_one(stack, &book, options.kill, &say).await?
    };
    say("comparing the log, the read model and the exchange's ledger");
    let url = stack
        .config
        .database_url
        .as_deref()
        .context("the stack has a read database")?;
    let database = Database::from_url(url)?;
    let mut checked = check::check(
        &stack.store,
        &database,
        &stack
            .folder
            .exchange()
            .join(squareoff_exchange::ledger::FILE_NAME),
        Scope {
            date: book.trading_date,
            venue: None,
        },
        crate::platform::now(),
    )
    .await?;
    say("replaying the log into a fresh read model");
    let replay = rebuild(
        &stack.store,
        &database,
        RebuildOptions::new(SwapWhen::Never),
        |_| {},
    )
    .await?;
    if !replay.equal() || replay.comparison.is_none() {
        checked.differences.push(crate::rebuild::describe(&replay));
    }
    say("waiting for the seal, and checking the log against it");
    let sealed = seal::prove(stack, &mut checked.differences).await?;
    let latencies_ms = &ran.latencies_ms;
    let latency = |percent| (!latencies_ms.is_empty()).then(|| percentile(latencies_ms, percent));
    Ok(Outcome {
        square_offs: ran.square_offs,
        orders: checked.orders,
        fills: checked.fills,
        p50_ms: latency(50),
        p99_ms: latency(99),
        paced: ran.paced,
        orders_per_s: round(checked.orders as f64 / ran.elapsed.as_secs_f64()),
        replay_events_per_s: replay.events_per_s(),
        kills,
        sealed,
        equal: checked.differences.is_empty(),
        differences: checked.differences,
    })
}

/// What squaring off came to.
struct Ran {
    square_offs: usize,
    elapsed: Duration,
    /// Sorted; none of a bulk or with a rate.
    latencies_ms: Vec<f64>,
    paced: Option<Paced>,
}

async fn square_off_at_a_rate(
    stack: &Stack,
    book: &Book,
    rate_per_s: u32,
    say: &impl Fn(&str),
) -> Result<Ran> {
    let load = Load::new(stack, book)?;
    let positions = load.positions();
    verify_callers(stack, &load, book, say).await?;
    say(&format!(
        "squaring off {positions} positions, {rate_per_s} a second"
    ));
    let venues = stack.config.venues.iter();
    let copied = venues.filter(|of| of.drop_copy.is_some());
    let copied: Vec<_> = copied.map(|of| of.venue).collect();
    let (elapsed, paced) = paced::run(&load, &stack.store, rate_per_s, &copied).await?;
    Ok(Ran {
        square_offs: positions,
        elapsed,
        latencies_ms: vec![],
        paced: Some(paced),
    })
}

async fn square_off_one_by_one(
    stack: &Stack,
    book: &Book,
    kill: Option<Kill>,
    say: &impl Fn(&str),
) -> Result<(Ran, u32)> {
    let load = Load::new(stack, book)?;
    let positions = load.positions();
    verify_callers(stack, &load, book, say).await?;
    say(&format!("squaring off {positions} positions"));
    let kills = kill_again_and_again(stack, kill, load.accepted(), positions, say);
    let (ran, kills) = tokio::try_join!(load.run(), kills)?;
    let ran = Ran {
        square_offs: ran.latencies_ms.len(),
        elapsed: ran.elapsed,
        latencies_ms: ran.latencies_ms,
        paced: None,
    };
    Ok((ran, kills))
}

/// Before anything is timed. A bulk is for nobody on the phone and needs none of it.
async fn verify_callers(
    stack: &Stack,
    load: &Load,
    book: &Book,
    say: &impl Fn(&str),
) -> Result<()> {
    match stack.config.caller_verification {
        CallerVerification::Off => Ok(()),
        CallerVerification::Required => {
            let callers = load.verify_callers(book).await?;
            say(&format!("verified the callers of {callers} clients"));
            Ok(())
        }
    }
}

async fn square_off_in_bulk(
    stack: &Stack,
    book: &Book,
    kill: Option<Kill>,
    say: &impl Fn(&str),
) -> Result<(Ran, u32)> {
    let bulk = Bulk::new(stack)?;
    let open = book.positions.iter();
    let open = open.filter(|line| line.net_quantity.0 != 0).count();
    let kills = kill_again_and_again(stack, kill, bulk.closed(), open, say);
    let (ran, kills) = tokio::try_join!(bulk.run(say), kills)?;
    let ran = Ran {
        square_offs: ran.items,
        elapsed: ran.elapsed,
        latencies_ms: vec![],
        paced: None,
    };
    Ok((ran, kills))
}

/// Kills the part each time another share of the positions is done, while others are under way.
async fn kill_again_and_again(
    stack: &Stack,
    kill: Option<Kill>,
    mut done: watch::Receiver<usize>,
    positions: usize,
    say: &impl Fn(&str),
) -> Result<u32> {
    let Some(kill) = kill else { return Ok(0) };
    let part = kill.part();
    for number in 1..=KILLS {
        let share = positions * number as usize / (KILLS as usize + 1);
        done.wait_for(|done| *done >= share).await?;
        let pid = stack
            .pid(part)
            .with_context(|| format!("{part} does not run"))?;
        say(&format!("killing {part} (process {pid})"));
        let process = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .context("a process id")?;
        kill_process(process, Signal::KILL).with_context(|| format!("{part} cannot be killed"))?;
        let again = async {
            while stack.pid(part).is_none_or(|now| now == pid) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(RESTART_TIME_LIMIT, again)
            .await
            .with_context(|| format!("{part} was not started again"))?;
    }
    Ok(KILLS)
}

/// The value that `percent` of the sorted values do not exceed, rounded to microseconds.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    round(sorted.get(rank - 1).copied().unwrap_or(0.0))
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// Below the ports that systems give to outgoing connections: one of these could take the port before its role listens.
const FREE_PORTS: std::ops::Range<u16> = 20_000..32_000;
const FREE_PORT_TRIES: usize = 100;

/// An address on loopback that nobody listens on now, and that no outgoing connection is given.
///
/// # Errors
/// When a hundred ports taken at random are all in use.
pub fn free_port() -> Result<String> {
    for _ in 0..FREE_PORT_TRIES {
        let [one, two, ..] = *uuid::Uuid::new_v4().as_bytes();
        let port =
            FREE_PORTS.start + u16::from_be_bytes([one, two]) % (FREE_PORTS.end - FREE_PORTS.start);
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return Ok(listener.local_addr()?.to_string());
        }
    }
    bail!("none of {FREE_PORT_TRIES} ports on 127.0.0.1 is free")
}

/// A database of the demo's own in somebody's Postgres, so that theirs is not touched.
struct OwnDatabase {
    server: PgConnectOptions,
    name: String,
    url: String,
}

impl OwnDatabase {
    async fn create(url: &str) -> Result<Self> {
        let server: PgConnectOptions = url.parse().context("DATABASE_URL")?;
        let name = format!("squareoff_demo_{}", std::process::id());
        let mut connection = PgConnection::connect_with(&server)
            .await
            .context("the Postgres of DATABASE_URL does not answer")?;
        // Safe: the name is ours and a number.
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await
            .context("the demo needs the right to create a database")?;
        connection.close().await?;
        let url = server.clone().database(&name).to_url_lossy().to_string();
        Ok(OwnDatabase { server, name, url })
    }

    async fn drop(self) -> Result<()> {
        let mut connection = PgConnection::connect_with(&self.server).await?;
        sqlx::query(AssertSqlSafe(format!(
            "DROP DATABASE {} WITH (FORCE)",
            self.name
        )))
        .execute(&mut connection)
        .await?;
        Ok(connection.close().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(
            (
                percentile(&values, 50),
                percentile(&values, 99),
                percentile(&values, 100)
            ),
            (100.0, 198.0, 200.0)
        );
        assert_eq!(
            (
                percentile(&[3.0], 50),
                percentile(&[3.0], 99),
                percentile(&[], 50)
            ),
            (3.0, 3.0, 0.0)
        );
    }
}
