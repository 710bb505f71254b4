//! All parts of the platform on one machine, started and stopped in order: Postgres, the simulated exchange, the gateway, the
//! projections, the API. `up` keeps a stack, `demo` and the whole-system tests use one.

use crate::config::Config;
use crate::folder::{Folder, Held};
use crate::supervisor::{Program, Supervised};
use crate::{book, platform};
use anyhow::{Context, Result, bail};
use squareoff_domain::{Segment, TradingDate, Venue};
use squareoff_primary::Book;
use squareoff_projections::Database;
use squareoff_projections::cluster::{Cluster, ClusterConfig};
use squareoff_store::EventStore;
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// Name of the read database in a cluster of our own.
pub const DATABASE: &str = "squareoff";
/// For so long the parts may take to find each other: a log of millions of events is read at the start.
const READY_TIME_LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);
/// A Postgres that died is started again so often in a row.
const POSTGRES_RESTARTS_MAX: u32 = 20;
const POSTGRES_PAUSE: Duration = Duration::from_millis(200);
/// The exchange binary beside ours.
const EXCHANGE: &str = "squareoff-exchange";

/// Who the events of the set-up are by.
const ACTOR: &str = "setup";

/// The parts that run as processes of their own.
pub const ROLES: &[&str] = &["exchange", "gateway", "projections", "bulk", "api"];

pub struct Stack {
    pub config: Config,
    pub folder: Folder,
    pub store: EventStore,
    /// The API's address, as `http://…`.
    pub url: String,
    /// In the order they were started; stopped the other way round.
    children: Vec<Supervised>,
    postgres: Option<Postgres>,
    _held: Held,
}

/// The private Postgres and the task that keeps it running.
struct Postgres {
    pid: watch::Receiver<Option<u32>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<()>>,
}

impl Stack {
    /// Starts everything, loads the sample book, and activates the platform. `say` is told each step.
    ///
    /// # Errors
    /// One sentence saying what is missing or taken; what was started is stopped again.
    pub async fn start(config: Config, say: impl Fn(&str)) -> Result<Stack> {
        let folder = Folder::open(&config.data)?;
        let held = folder.hold("up")?;
        check_free("the API", config.api_listen, "SQUAREOFF_API_LISTEN")?;
        check_free(
            "the exchange",
            resolve(&config.exchange_address)?,
            "SQUAREOFF_EXCHANGE_ADDRESS",
        )?;
        let store = EventStore::open(&folder.log())?;
        let url = format!("http://{}", config.api_listen);
        let mut stack = Stack {
            config,
            folder,
            store,
            url,
            children: vec![],
            postgres: None,
            _held: held,
        };
        match stack.start_parts(&say).await {
            Ok(()) => Ok(stack),
            Err(error) => {
                stack.stop().await;
                Err(error)
            }
        }
    }

    async fn start_parts(&mut self, say: &impl Fn(&str)) -> Result<()> {
        match &self.config.database_url {
            Some(_) => say("using the Postgres of DATABASE_URL"),
            None => self.start_postgres(say).await?,
        }
        let url = self
            .config
            .database_url
            .as_deref()
            .context("the read database has an address by now")?;
        let database = Database::from_url(url).context("DATABASE_URL")?;
        let unusable = "the read database cannot be used";
        database.migrate().await.context(unusable)?;
        database.check_origin(&self.store).await.context(unusable)?;

        let book = book::ensure(&self.config, &self.folder, say)?;
        say("starting the simulated exchange");
        self.start_exchange(book.trading_date)?;
        let report = book::import(&self.store, &book, ACTOR).await?;
        say(&format!(
            "the book has {} contracts, {} clients and {} positions",
            report.contracts, report.clients, report.positions
        ));
        let intraday =
            book::import_intraday(&self.store, &book, &self.folder.book(), ACTOR).await?;
        if intraday.orders + intraday.trades > 0 {
            say(&format!(
                "the primary had placed {} orders that may still fill, and made {} trades",
                intraday.orders, intraday.trades
            ));
        }
        say("starting the gateway, the projections, the bulk worker and the API");
        for role in ["gateway", "projections", "bulk", "api"] {
            let arguments = vec![role.to_owned(), "--exit-with-parent".to_owned()];
            self.start_child(role_name(role), std::env::current_exe()?, arguments)?;
        }
        let reason = "all parts were started together";
        let date = book.trading_date;
        let active = platform::activate_for(&self.store, date, ACTOR, reason).await?;
        self.wait_ready(&segments_of(&book, &self.config.venues))
            .await?;
        say(&if active {
            format!("the platform is active for {date}")
        } else {
            let phase = platform::state(&self.store).await?.phase.as_str();
            format!(
                "the platform is {phase} and stays so: `squareoff platform activate --reason …` accepts square-offs again"
            )
        });
        Ok(())
    }

    async fn start_postgres(&mut self, say: &impl Fn(&str)) -> Result<()> {
        say("starting a private Postgres");
        let cluster = Cluster::start(ClusterConfig {
            data_dir: self.folder.postgres(),
            bin_dir: self.config.pg_bin.clone(),
            log_file: self.folder.log_file("postgres"),
        })
        .await?;
        if let Some(note) = cluster.note() {
            say(note);
        }
        cluster.create_database_if_missing(DATABASE).await?;
        let url = cluster.url(DATABASE);
        self.folder.set_database_url(Some(&url))?;
        self.config.database_url = Some(url);
        let (pid, is_pid) = watch::channel(cluster.pid());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(keep_postgres(cluster, pid, stopped));
        self.postgres = Some(Postgres {
            pid: is_pid,
            stop,
            task,
        });
        Ok(())
    }

    fn start_exchange(&mut self, date: TradingDate) -> Result<()> {
        let venues: Vec<_> = self
            .config
            .venues
            .iter()
            .map(|venue| format!("{venue}:{}", self.config.comp_id))
            .collect();
        let text = |path: PathBuf| path.display().to_string();
        let arguments = [
            (
                "--listen",
                resolve(&self.config.exchange_address)?.to_string(),
            ),
            ("--data", text(self.folder.exchange())),
            (
                "--contracts",
                text(self.folder.book().join("contracts.csv")),
            ),
            ("--sessions", venues.join(",")),
            ("--seed", self.config.sample_seed.to_string()),
            ("--trade-date", date.to_string()),
        ];
        let arguments = arguments
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value]);
        let arguments = arguments.chain(["--exit-with-parent".to_owned()]).collect();
        self.start_child("exchange", exchange_binary()?, arguments)
    }

    fn start_child(
        &mut self,
        name: &'static str,
        file: PathBuf,
        arguments: Vec<String>,
    ) -> Result<()> {
        let log = self.folder.log_file(name);
        let mut environment = self.config.environment();
        // The exchange is a stranger to our settings.
        environment.push(("RUST_LOG".to_owned(), self.config.log.clone()));
        let program = Program {
            name,
            file,
            arguments,
            environment,
            log,
        };
        self.children.push(Supervised::start(program)?);
        Ok(())
    }

    /// Waits until orders can go, the venues have told of their markets, and the read model has seen the whole log.
    async fn wait_ready(&mut self, segments: &BTreeSet<(Venue, Segment)>) -> Result<()> {
        let begun = Instant::now();
        let client = reqwest::Client::new();
        loop {
            let platform = platform::state(&self.store).await?;
            let told = |(venue, segment): &(Venue, Segment)| {
                platform.market_phase(*venue, *segment).is_some()
            };
            let markets_told = segments.iter().all(told);
            let head = self.store.head().await?.as_u64();
            let state = readiness(&client, &self.url).await;
            if markets_told
                && state
                    .as_ref()
                    .is_some_and(|state| is_ready(state, head, self.config.venues.len()))
            {
                return Ok(());
            }
            if begun.elapsed() > READY_TIME_LIMIT {
                let state = state.map_or_else(
                    || "the API does not answer".to_owned(),
                    |state| state.to_string(),
                );
                bail!(
                    "the platform was not ready after {} seconds ({state}); see {}",
                    READY_TIME_LIMIT.as_secs(),
                    self.folder.path().join("logs").display()
                );
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                error = self.failed() => return Err(error),
            }
        }
    }

    /// The process of a role or of `postgres`, while it runs.
    pub fn pid(&self, part: &str) -> Option<u32> {
        if part == "postgres" {
            return self
                .postgres
                .as_ref()
                .and_then(|postgres| *postgres.pid.borrow());
        }
        self.children
            .iter()
            .find(|child| child.name == part)
            .and_then(Supervised::pid)
    }

    /// Ends only when a part can't be kept running, saying why.
    pub async fn failed(&mut self) -> anyhow::Error {
        let postgres = async {
            match &mut self.postgres {
                None => std::future::pending().await,
                Some(postgres) => match (&mut postgres.task).await {
                    Ok(Err(error)) => error,
                    Ok(Ok(())) | Err(_) => anyhow::anyhow!("Postgres is no longer supervised"),
                },
            }
        };
        if self.children.is_empty() {
            return postgres.await;
        }
        let children = futures::future::select_all(
            self.children
                .iter_mut()
                .map(|child| Box::pin(child.given_up())),
        );
        tokio::select! {
            error = postgres => error,
            (error, _, _) = children => error,
        }
    }

    /// Stops everything: first who takes requests, last who keeps what came of them.
    pub async fn stop(mut self) {
        while let Some(child) = self.children.pop() {
            child.stop().await;
        }
        if let Some(postgres) = self.postgres.take() {
            if postgres.stop.send(()).is_ok() {
                postgres.task.await.ok();
            }
            self.folder.set_database_url(None).ok();
        }
    }
}

async fn keep_postgres(
    mut cluster: Cluster,
    pid: watch::Sender<Option<u32>>,
    mut stop: oneshot::Receiver<()>,
) -> Result<()> {
    loop {
        tokio::select! {
            status = cluster.wait_exit() => tracing::warn!(?status, "Postgres ended and is started again"),
            _ = &mut stop => {
                cluster.stop().await;
                return Ok(());
            }
        }
        pid.send_replace(None);
        let mut tries = 0;
        while let Err(error) = cluster.restart().await {
            tries += 1;
            if tries >= POSTGRES_RESTARTS_MAX {
                return Err(error).context("Postgres cannot be started again");
            }
            tokio::time::sleep(POSTGRES_PAUSE).await;
        }
        pid.send_replace(cluster.pid());
    }
}

async fn readiness(client: &reqwest::Client, url: &str) -> Option<serde_json::Value> {
    let response = client
        .get(format!("{url}/readyz"))
        .timeout(Duration::from_secs(2))
        .send()
        .await
        .ok()?;
    response.json().await.ok()
}

fn is_ready(state: &serde_json::Value, head: u64, venues: usize) -> bool {
    let seen = |part: &str| {
        state[part]["position"]
            .as_str()
            .and_then(|text| text.parse::<u64>().ok())
            .is_some_and(|position| position >= head)
    };
    let sessions = state["sessions"].as_object().map_or(0, |sessions| {
        sessions.values().filter(|state| *state == "ready").count()
    });
    state["ready"] == true && seen("read_model") && seen("event_log") && sessions >= venues
}

/// The market segments that the configured venues tell of: those of the book's contracts.
fn segments_of(book: &Book, venues: &[Venue]) -> BTreeSet<(Venue, Segment)> {
    let contracts = book.contracts.iter().map(|line| &line.contract);
    let segments = contracts.map(|contract| (contract.venue, contract.segment));
    segments
        .filter(|(venue, _)| venues.contains(venue))
        .collect()
}

fn role_name(role: &str) -> &'static str {
    ROLES
        .iter()
        .find(|name| **name == role)
        .expect("one of the roles")
}

/// # Errors
/// One sentence when somebody else listens there.
fn check_free(who: &str, address: SocketAddr, setting: &str) -> Result<()> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            bail!(
                "port {} of {who} is taken by another process: stop it, or set {setting} to another address",
                address.port()
            )
        }
        Err(error) => {
            Err(error).with_context(|| format!("{who} cannot listen on {address} ({setting})"))
        }
    }
}

fn resolve(address: &str) -> Result<SocketAddr> {
    let mut found = address
        .to_socket_addrs()
        .with_context(|| format!("the exchange's address {address} cannot be resolved"))?;
    found
        .next()
        .with_context(|| format!("the exchange's address {address} cannot be resolved"))
}

/// The exchange's program beside ours (also when ours is a test in `deps`).
fn exchange_binary() -> Result<PathBuf> {
    let ours = std::env::current_exe()?;
    let folders = ours.ancestors().skip(1).take(2);
    let found = folders
        .map(|folder| folder.join(EXCHANGE))
        .find(|path| path.is_file());
    found.with_context(|| {
        format!(
            "{EXCHANGE} is not beside {}: build it with `cargo build --workspace --bins`",
            ours.display()
        )
    })
}
