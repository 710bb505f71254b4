//! All parts of the platform on one machine, started in order and stopped the other way round: Postgres, the simulated exchange, the
//! witness, the sealer, the gateway, the projections, the bulk worker, the API. `up` keeps a stack, `demo` and the whole-system tests use one.

use crate::config::{
    ACCESS_KEY_VARIABLE, Config, DATABASE_URL_VARIABLE, MASTER_KEY_VARIABLE, VenueSettings,
};
use crate::folder::{Folder, Held};
use crate::supervisor::{Program, Supervised};
use crate::{book, client, health, platform, roles};
use anyhow::{Context, Result, bail};
use squareoff_auditor::seal::WitnessAddress;
use squareoff_domain::{Segment, TradingDate, Venue};
use squareoff_gateway::Dialect;
use squareoff_primary::Book;
use squareoff_projections::cluster::{Cluster, ClusterConfig};
use squareoff_projections::{Database, Part};
use squareoff_store::EventStore;
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// Name of the read database in a cluster of our own.
pub const DATABASE: &str = "squareoff";
/// What comes behind the log, and so can wait a moment when the processors are full: an order can't. So does Postgres.
const FOLLOWERS: &[&str] = &["projections", "seal", "witness"];
/// A third of the weight of those that take and send orders (sched(7)): enough to keep up, as nothing here may fall behind for long.
const NICENESS: i32 = 5;
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
pub const ROLES: &[&str] = &[
    "exchange",
    "witness",
    "seal",
    "gateway",
    "projections",
    "bulk",
    "api",
];

pub struct Stack {
    pub config: Config,
    pub folder: Folder,
    pub store: EventStore,
    /// The API's address, as `http://…`.
    pub url: String,
    /// In the order they were started; stopped the other way round.
    children: Vec<Supervised>,
    postgres: Option<Postgres>,
    /// For the API and for the projections, each in its own role, of the private Postgres.
    database_urls: Option<(String, String)>,
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
    pub async fn start(mut config: Config, say: impl Fn(&str)) -> Result<Stack> {
        // A sample book has sample log-ins, unless somebody said no or strangers reach the API.
        let is_local = config.api_listen.ip().is_loopback();
        config.sample_log_ins.get_or_insert(is_local);
        let exchange = resolve(simulated_at(&config)?)?;
        let folder = Folder::open(&config.data)?;
        let held = folder.hold("up")?;
        check_free("the API", config.api_listen, "SQUAREOFF_API_LISTEN")?;
        check_free("the exchange", exchange, "SQUAREOFF_EXCHANGE_ADDRESS")?;
        let store = crate::roles::event_store(&config, &folder).await?;
        let url = config.api_url();
        let mut stack = Stack {
            config,
            folder,
            store,
            url,
            children: vec![],
            postgres: None,
            database_urls: None,
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
            Some(_) => say(
                "using the Postgres of DATABASE_URL, in the one role that it names for every part",
            ),
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
        // A platform in need does not wait for keys: positions can be closed without knowing anybody's name.
        let vault = client::vault(&self.config, &self.folder);
        let recorded = match &vault {
            Ok(vault) => book::record_identities(vault, &self.store, &book, ACTOR).await,
            Err(error) => Err(anyhow::anyhow!("{error}")),
        };
        match recorded {
            Ok(recorded) => say(&format!(
                "{} identities were encrypted and recorded, {} are known",
                recorded.recorded, recorded.unchanged
            )),
            Err(error) => say(&format!(
                "the clients' identities were not recorded, everything else goes on: {error:#}"
            )),
        }
        let intraday =
            book::import_intraday(&self.store, &book, &self.folder.book(), ACTOR).await?;
        if intraday.orders + intraday.trades > 0 {
            say(&format!(
                "the primary had placed {} orders that may still fill, and made {} trades",
                intraday.orders, intraday.trades
            ));
        }
        self.start_sealing(say)?;
        say("starting the gateway, the projections, the bulk worker and the API");
        for role in ["gateway", "projections", "bulk", "api"] {
            self.start_role(role)?;
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
            niceness: NICENESS,
        })
        .await?;
        if let Some(note) = cluster.note() {
            say(note);
        }
        cluster.create_database_if_missing(DATABASE).await?;
        let url = cluster.url(DATABASE);
        Database::from_url(&url)?.make_roles().await?;
        self.folder.set_database_url(Some(&url))?;
        self.config.database_url = Some(url);
        let of_part = |part| cluster.url_of_part(DATABASE, part);
        self.database_urls = Some((of_part(Part::Api), of_part(Part::Projections)));
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
        let (mut sessions, mut drop_copies, mut fix42) = (vec![], vec![], vec![]);
        for of in &self.config.venues {
            // All sessions are one broker's: the first names it.
            let (venue, firm) = (of.venue, &of.comp_ids[0]);
            let name = |id: &String| format!("{venue}:{id}@{firm}");
            sessions.extend(of.comp_ids.iter().map(name));
            drop_copies.extend(of.drop_copy.iter().map(|copy| name(&copy.comp_id)));
            if of.fix_version.0 == Dialect::Fix42 {
                fix42.push(venue.to_string());
            }
        }
        let text = |path: PathBuf| path.display().to_string();
        let arguments = [
            (
                "--listen",
                resolve(simulated_at(&self.config)?)?.to_string(),
            ),
            ("--data", text(self.folder.exchange())),
            (
                "--contracts",
                text(self.folder.book().join("contracts.csv")),
            ),
            ("--sessions", sessions.join(",")),
            ("--seed", self.config.sample_seed.to_string()),
            ("--trade-date", date.to_string()),
        ];
        let arguments = arguments
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value]);
        let lists = [("--drop-copy", drop_copies), ("--fix42", fix42)];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let lists = lists.flat_map(|(name, list)| [name.to_owned(), list.join(",")]);
        let arguments = arguments
            .chain(lists)
            .chain(["--exit-with-parent".to_owned()])
            .collect();
        self.start_child("exchange", exchange_binary()?, arguments)
    }

    /// The sealer, and a witness beside it where none is set. Both start before what they seal, and so stop after it.
    fn start_sealing(&mut self, say: &impl Fn(&str)) -> Result<()> {
        if self.config.witness_url.is_empty() {
            let address = self.config.witness_listen;
            check_free("the witness", address, "SQUAREOFF_WITNESS_LISTEN")?;
            say("starting the witness and the sealer");
            let log = roles::log_key(&self.config, &self.folder)?.public().clone();
            let key = roles::witness_key(&self.config, &self.folder)?
                .public()
                .clone();
            self.config.witness_logs = vec![log];
            self.config.witness_url = vec![WitnessAddress {
                url: format!("http://{address}"),
                key,
            }];
            self.start_role("witness")?;
        } else {
            say("starting the sealer");
        }
        self.start_role("seal")
    }

    fn start_role(&mut self, role: &str) -> Result<()> {
        let arguments = vec![role.to_owned(), "--exit-with-parent".to_owned()];
        self.start_child(role_name(role), std::env::current_exe()?, arguments)
    }

    fn start_child(
        &mut self,
        name: &'static str,
        file: PathBuf,
        arguments: Vec<String>,
    ) -> Result<()> {
        let log = self.folder.log_file(name);
        let mut environment = self.config.environment();
        environment.extend(self.database_url_of(name));
        if let ("api", Some(key)) = (name, &self.config.master_key) {
            environment.push((MASTER_KEY_VARIABLE.to_owned(), key.0.as_str().to_owned()));
        }
        if let ("api", Some(key)) = (name, &self.config.access_key) {
            environment.push((ACCESS_KEY_VARIABLE.to_owned(), key.0.as_str().to_owned()));
        }
        // The exchange is a stranger to our settings.
        environment.push(("RUST_LOG".to_owned(), self.config.log.clone()));
        let program = Program {
            name,
            file,
            arguments,
            environment,
            niceness: if FOLLOWERS.contains(&name) {
                NICENESS
            } else {
                0
            },
            log,
        };
        self.children.push(Supervised::start(program)?);
        Ok(())
    }

    /// Of the parts only two are told where the read database is. In one of `DATABASE_URL` they are who it says.
    fn database_url_of(&self, name: &str) -> Option<(String, String)> {
        let (api, projections) = match &self.database_urls {
            Some((api, projections)) => (Some(api), Some(projections)),
            None => (
                self.config.database_url.as_ref(),
                self.config.database_url.as_ref(),
            ),
        };
        let url = match name {
            "api" => api,
            "projections" => projections,
            _ => None,
        };
        url.map(|url| (DATABASE_URL_VARIABLE.to_owned(), url.clone()))
    }

    /// Waits until orders can go, the venues have told of their markets, and the read model has seen the whole log.
    async fn wait_ready(&mut self, segments: &BTreeSet<(Venue, Segment)>) -> Result<()> {
        let begun = Instant::now();
        let client = health::client()?;
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
fn segments_of(book: &Book, venues: &[VenueSettings]) -> BTreeSet<(Venue, Segment)> {
    let contracts = book.contracts.iter().map(|line| &line.contract);
    let segments = contracts.map(|contract| (contract.venue, contract.segment));
    segments
        .filter(|(venue, _)| venues.iter().any(|of| of.venue == *venue))
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

/// Where the simulated exchange plays all venues.
///
/// # Errors
/// When the settings are of a real one.
fn simulated_at(config: &Config) -> Result<&str> {
    let first = &config.venues[0];
    for of in &config.venues {
        let venue = of.venue;
        if of.address != first.address {
            bail!(
                "the simulated exchange plays all venues at one address, and exchange_address of {venue} is not that of {}",
                first.venue
            );
        }
        if of.tls.is_some() {
            bail!(
                "the simulated exchange that is started here has no certificate: tls_ca of {venue} is for a venue that runs by itself"
            );
        }
        if let Some(copy) = &of.drop_copy
            && copy.address != of.address
        {
            bail!(
                "the simulated exchange has its drop copies where it has its sessions, and drop_copy_address of {venue} is another"
            );
        }
    }
    Ok(&first.address)
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
