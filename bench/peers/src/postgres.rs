//! Postgres: one transaction per append, and group commit by the application as the best that can be had of it.
//!
//! The version check is the table's unique (stream, version). A private server with `fsync`, `full_page_writes` and `synchronous_commit`
//! on, spoken to over its unix socket with prepared statements.

use crate::event::{Event, FILL_BATCH, FILLED_STREAM_EVENTS, TYPE, stream};
use crate::server::spawn;
use anyhow::{Context, Result, bail};
use futures::TryStreamExt;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command as StdCommand;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_postgres::{Config, NoTls, Statement};
use uuid::Uuid;

const SCHEMA: &str = "create table events (
    position bigint generated always as identity primary key,
    stream text collate \"C\" not null,
    version bigint not null,
    id uuid not null,
    type text not null,
    body bytea not null,
    constraint events_version unique (stream, version)
)";
const INSERT: &str =
    "insert into events (stream, version, id, type, body) values ($1, $2, $3, $4, $5)";
const INSERT_BATCH: &str = "insert into events (stream, version, id, type, body)
    select * from unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::bytea[])
    on conflict on constraint events_version do nothing";
const REPLAY: &str =
    "select position, stream, version, id, type, body from events order by position";
const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "max_connections=600",
    "shared_buffers=512MB",
    "wal_buffers=64MB",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=8GB",
    "checkpoint_timeout=30min",
    "jit=off",
];
/// Guard against hanging.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
/// Appends of one group, at most.
const GROUP_MAX: usize = 1_024;

pub struct Postgres {
    config: Config,
    appends: Appends,
    server: Child,
    _socket: tempfile::TempDir,
}

/// How appends get to the server.
enum Appends {
    /// Each its own transaction, on one of the connections.
    Each(Arc<Pool>),
    /// What waits goes in one transaction.
    Grouped(mpsc::Sender<Waiting>),
}

/// Connections that clients take one append long.
pub struct Pool {
    free: Mutex<Vec<Session>>,
    permits: Semaphore,
}

struct Session {
    client: tokio_postgres::Client,
    insert: Statement,
}

pub struct Waiting {
    stream: String,
    version: i64,
    event: Event,
    answer: oneshot::Sender<()>,
}

impl Postgres {
    /// `connections` that each commit single appends or, when `grouped`, groups of them.
    pub async fn start(folder: &Path, connections: usize, grouped: bool) -> Result<Self> {
        let programs = programs()?;
        let user = server_user()?;
        let (data, socket) = (folder.join("data"), tempfile::tempdir()?);
        std::fs::create_dir(&data)?;
        if let Some(user) = user {
            for path in [folder, &data, socket.path()] {
                chown(path, Some(user), Some(user))?;
            }
        }
        let mut initdb = StdCommand::new(programs.join("initdb"));
        initdb.args([
            "--username=bench",
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        ]);
        let made = as_user(initdb.arg(&data), user).output()?;
        if !made.status.success() {
            bail!("initdb: {}", String::from_utf8_lossy(&made.stderr));
        }
        let mut command = StdCommand::new(programs.join("postgres"));
        command.arg("-D").arg(&data).arg("-k").arg(socket.path());
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        as_user(&mut command, user);
        let server = spawn(Command::from(command), &folder.join("server.log"))?;
        let mut config = Config::new();
        config
            .host_path(socket.path())
            .user("bench")
            .dbname("postgres");
        wait(&config).await?;
        let admin = connect(&config).await?;
        admin.batch_execute(SCHEMA).await?;
        let appends = if grouped {
            Appends::Grouped(group(&config, connections).await?)
        } else {
            Appends::Each(pool(&config, connections).await?)
        };
        Ok(Postgres {
            config,
            appends,
            server,
            _socket: socket,
        })
    }

    /// Ends the server; a postmaster that is killed leaves its children behind.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(id) = self.server.id() {
            // SIGINT: a fast shutdown.
            StdCommand::new("kill")
                .args(["-INT", &id.to_string()])
                .status()?;
        }
        self.server.wait().await?;
        Ok(())
    }

    pub fn client(&self) -> PostgresClient {
        match &self.appends {
            Appends::Each(pool) => PostgresClient::Each(pool.clone()),
            Appends::Grouped(queue) => PostgresClient::Grouped(queue.clone()),
        }
    }

    pub async fn fill(&self, events: usize) -> Result<()> {
        let client = connect(&self.config).await?;
        let insert = client.prepare(INSERT_BATCH).await?;
        for batch in 0..events / FILL_BATCH {
            let of_batch = (batch * FILL_BATCH..(batch + 1) * FILL_BATCH).map(|number| {
                let version = (number % FILLED_STREAM_EVENTS) as i64 + 1;
                (stream(number / FILLED_STREAM_EVENTS), version, Event::new())
            });
            insert_batch(&client, &insert, of_batch.collect()).await?;
        }
        client.batch_execute("vacuum analyze events").await?;
        Ok(())
    }

    /// One statement for the whole log; the driver hands its rows out as they come.
    pub async fn replay(&self) -> Result<usize> {
        let client = connect(&self.config).await?;
        let rows = client.query_raw(REPLAY, std::iter::empty::<i64>()).await?;
        let mut rows = std::pin::pin!(rows);
        let mut events = 0;
        while let Some(row) = rows.try_next().await? {
            std::hint::black_box((
                row.try_get::<_, i64>(0)?,
                row.try_get::<_, String>(1)?,
                row.try_get::<_, i64>(2)?,
                row.try_get::<_, Uuid>(3)?,
                row.try_get::<_, String>(4)?,
                row.try_get::<_, Vec<u8>>(5)?,
            ));
            events += 1;
        }
        Ok(events)
    }
}

pub enum PostgresClient {
    Each(Arc<Pool>),
    Grouped(mpsc::Sender<Waiting>),
}

impl PostgresClient {
    pub async fn append(&self, stream: &str, version: u64, event: Event) -> Result<()> {
        let version = i64::try_from(version)?;
        match self {
            PostgresClient::Each(pool) => {
                let _permit = pool.permits.acquire().await?;
                let session = pool.free.lock().ok().and_then(|mut free| free.pop());
                let session = session.context("a permit without a connection")?;
                let Event { id, body } = &event;
                let done = session
                    .client
                    .execute(&session.insert, &[&stream, &version, id, &TYPE, body])
                    .await;
                if let Ok(mut free) = pool.free.lock() {
                    free.push(session);
                }
                done.map(|_| ()).context("postgres")
            }
            PostgresClient::Grouped(queue) => {
                let (answer, answered) = oneshot::channel();
                let waiting = Waiting {
                    stream: stream.to_owned(),
                    version,
                    event,
                    answer,
                };
                queue.send(waiting).await.ok().context("the groups ended")?;
                answered.await.context("the group failed")
            }
        }
    }
}

async fn pool(config: &Config, connections: usize) -> Result<Arc<Pool>> {
    let mut free = Vec::new();
    for _ in 0..connections {
        let client = connect(config).await?;
        let insert = client.prepare(INSERT).await?;
        free.push(Session { client, insert });
    }
    Ok(Arc::new(Pool {
        free: Mutex::new(free),
        permits: Semaphore::new(connections),
    }))
}

/// Every connection takes what waits, commits it as one transaction and answers: while one syncs, the next one's group gathers.
async fn group(config: &Config, connections: usize) -> Result<mpsc::Sender<Waiting>> {
    let (queue, waiting) = mpsc::channel::<Waiting>(GROUP_MAX);
    let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
    for _ in 0..connections {
        let client = connect(config).await?;
        let insert = client.prepare(INSERT_BATCH).await?;
        let waiting = waiting.clone();
        tokio::spawn(async move {
            loop {
                let mut group = Vec::new();
                if waiting.lock().await.recv_many(&mut group, GROUP_MAX).await == 0 {
                    return;
                }
                let (rows, answers): (Vec<_>, Vec<_>) = group
                    .into_iter()
                    .map(|one| ((one.stream, one.version, one.event), one.answer))
                    .unzip();
                // A failed group leaves its clients without an answer, and their error ends the run.
                if insert_batch(&client, &insert, rows).await.is_ok() {
                    for answer in answers {
                        let _ = answer.send(());
                    }
                }
            }
        });
    }
    Ok(queue)
}

async fn insert_batch(
    client: &tokio_postgres::Client,
    insert: &Statement,
    rows: Vec<(String, i64, Event)>,
) -> Result<()> {
    let asked = rows.len() as u64;
    let (mut streams, mut versions, mut ids, mut bodies) = (vec![], vec![], vec![], vec![]);
    for (stream, version, event) in rows {
        streams.push(stream);
        versions.push(version);
        ids.push(event.id);
        bodies.push(event.body);
    }
    let types = vec![TYPE; streams.len()];
    let inserted = client
        .execute(insert, &[&streams, &versions, &ids, &types, &bodies])
        .await?;
    // Whose version was wrong would be asked for here; in these loads nobody's is.
    if inserted != asked {
        bail!("{} of {asked} appends met a conflict", asked - inserted);
    }
    Ok(())
}

async fn connect(config: &Config) -> Result<tokio_postgres::Client> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn wait(config: &Config) -> Result<()> {
    let began = Instant::now();
    while let Err(error) = connect(config).await {
        if began.elapsed() > PATIENCE {
            return Err(error.context("postgres did not start in time"));
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Where `initdb` and `postgres` are: Debian's newest, else on the `PATH`.
fn programs() -> Result<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut versions: Vec<(u32, PathBuf)> = debian
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .collect();
    versions.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = versions
        .into_iter()
        .rev()
        .map(|(_, folder)| folder)
        .chain(std::env::split_paths(&path))
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file());
    found.context("no initdb and postgres; install them with `apt-get install postgresql`")
}

/// The server refuses to be root: then it runs as the system's user of that name.
fn server_user() -> Result<Option<u32>> {
    let id = |args: &[&str]| -> Result<u32> {
        let said = StdCommand::new("id").args(args).output()?.stdout;
        let said = String::from_utf8(said)?;
        said.trim().parse().context("no system user `postgres`")
    };
    Ok(if id(&["-u"])? == 0 {
        Some(id(&["-u", "postgres"])?)
    } else {
        None
    })
}

fn as_user(command: &mut StdCommand, user: Option<u32>) -> &mut StdCommand {
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    command
}
