//! A private PostgreSQL server, started and watched by us: own data folder, unix socket only, never the machine's port 5432.
//!
//! The `up` and `demo` commands own one; tests start one each. The owner awaits [`Cluster::wait_exit`] and calls
//! [`Cluster::restart`] when the server dies.
//!
//! 1. One supervisor per folder, by a lock that dies with its process; a server that outlived its supervisor is stopped first.
//! 2. The server is our direct child in a process group of its own: a Ctrl-C in the terminal reaches us, and we stop it last.
//! 3. As root the server runs as the system user `postgres`; the socket folder of mode 0700 is the guard, so local trust suffices.
//! 4. A data folder is complete or not there: `initdb` works in a folder that is renamed when it is done.
//! 5. It never runs with `fsync` or `full_page_writes` off.

mod binaries;
mod error;
mod orphan;
mod place;

pub use binaries::{Binaries, find_binaries};
pub use error::ClusterError;
#[cfg(feature = "testing")]
pub(crate) use orphan::clear as clear_orphan;

use crate::rights::Part;
use place::Place;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, getpriority_process, kill_process, setpriority_process};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// Owns every database. Whoever reaches the socket may come in any role: the parts' roles are against faults here, not against the account that
/// the parts run under.
const SUPERUSER: &str = "squareoff";
/// Names the socket's file; no TCP port is opened.
const PORT: u16 = 5432;
/// Crash recovery replays at most `max_wal_size`; a minute is far above what that takes on a slow disk.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// For so long a start is tried again while a killed server's workers still hold its shared memory.
const SHARED_MEMORY_TIMEOUT: Duration = Duration::from_secs(15);
/// A fast shutdown ends sessions and writes a checkpoint.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);
/// The server's log is started anew above this size, one old one kept.
const LOG_BYTES_MAX: u64 = 16 << 20;

/// Given on the command line, so that an edited file in the data folder can't take them back.
const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "recovery_init_sync_method=syncfs",
    "max_connections=60",
    "shared_buffers=256MB",
    "wal_compression=on",
    "max_wal_size=2GB",
    // No standby reads this log: what can be rebuilt has none. Indexes are then written once, not twice.
    "wal_level=minimal",
    "max_wal_senders=0",
    "checkpoint_completion_target=0.9",
    "log_checkpoints=off",
    "timezone=UTC",
    "log_timezone=UTC",
];

/// Where a cluster lives and what runs it.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// Folder of the cluster; made when missing. Holds the data folder, the socket and the lock.
    pub data_dir: PathBuf,
    /// Folder of `initdb` and `postgres` (the setting `pg_bin`); `None` looks for the newest.
    pub bin_dir: Option<PathBuf>,
    /// What the server says is appended here.
    pub log_file: PathBuf,
    /// So much nicer than this process are all of its, nice(2).
    pub niceness: i32,
}

/// A running server. Dropping it stops the server too, and waits for that; [`Cluster::stop`] does it without blocking a thread.
#[derive(Debug)]
pub struct Cluster {
    config: ClusterConfig,
    binaries: Binaries,
    place: Place,
    /// Held open: the lock on it is what makes us the only supervisor.
    _lock: File,
    server: Option<Child>,
}

impl Cluster {
    /// Makes the cluster if there is none, clears what a killed predecessor left, starts the server and waits until it answers.
    ///
    /// # Errors
    /// [`ClusterError`], one sentence for the operator each; nothing is left running then.
    pub async fn start(config: ClusterConfig) -> Result<Self, ClusterError> {
        let binaries = find_binaries(config.bin_dir.as_deref())?;
        let place = place::prepare(&config.data_dir)?;
        let lock = take_lock(&place.home)?;
        check_version(&place.data, &binaries)?;
        let mut cluster = Cluster {
            config,
            binaries,
            place,
            _lock: lock,
            server: None,
        };
        if !cluster.place.data.exists() {
            cluster.initdb().await?;
        }
        orphan::clear(&cluster.place.data).await?;
        cluster.launch().await?;
        Ok(cluster)
    }

    /// Starts the server again after [`Cluster::wait_exit`]; one that still runs is stopped first.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn restart(&mut self) -> Result<(), ClusterError> {
        self.shut_down().await;
        orphan::clear(&self.place.data).await?;
        self.launch().await
    }

    /// How to connect to `database`.
    pub fn connect_options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.place.socket)
            .port(PORT)
            .username(SUPERUSER)
            .password("")
            .database(database)
    }

    /// The same as a `DATABASE_URL`, for other processes and for `psql`.
    pub fn url(&self, database: &str) -> String {
        self.url_of(database, SUPERUSER)
    }

    /// The same for a part, in its role.
    pub fn url_of_part(&self, database: &str, part: Part) -> String {
        self.url_of(database, part.role())
    }

    fn url_of(&self, database: &str, role: &str) -> String {
        format!(
            "postgresql:///{database}?host={}&port={PORT}&user={role}",
            self.place.socket.display()
        )
    }

    /// Makes `database` unless it is there. `name`: lower-case letters, digits and `_`.
    ///
    /// # Errors
    /// [`ClusterError::Sql`].
    pub async fn create_database_if_missing(&self, name: &str) -> Result<(), ClusterError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        assert!(
            !name.is_empty() && name.bytes().all(plain),
            "database names are ours and plain: {name}"
        );
        let mut connection = PgConnection::connect_with(&self.connect_options("postgres")).await?;
        let exists = sqlx::query_scalar::<_, bool>(
            "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)",
        );
        if !exists.bind(name).fetch_one(&mut connection).await? {
            // The name was checked above; `CREATE DATABASE` takes no parameters.
            connection
                .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
                .await?;
        }
        Ok(connection.close().await?)
    }

    /// Process id of the server; `None` after it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().and_then(Child::id)
    }

    /// Why the cluster is not in the folder it was asked to be in, for the operator to know.
    pub fn note(&self) -> Option<&str> {
        self.place.note.as_deref()
    }

    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Waits until the server ends; `None` when none runs. Cancel-safe.
    pub async fn wait_exit(&mut self) -> Option<ExitStatus> {
        let status = self.server.as_mut()?.wait().await.ok();
        self.server = None;
        status
    }

    /// Ends sessions, writes a checkpoint, stops.
    pub async fn stop(mut self) {
        self.shut_down().await;
    }

    async fn initdb(&self) -> Result<(), ClusterError> {
        let fresh = self.place.data.with_extension("new");
        if fresh.exists() {
            // A predecessor was killed while it made this one.
            fs::remove_dir_all(&fresh)
                .map_err(ClusterError::io("removing the unfinished", &fresh))?;
        }
        place::make_private(&fresh, self.place.user)?;
        let output = self
            .command("initdb")
            .args([
                "--data-checksums",
                "--auth-local=trust",
                "--auth-host=reject",
                "--encoding=UTF8",
                "--locale=C",
                "--no-instructions",
            ])
            .arg(format!("--username={SUPERUSER}"))
            .arg("--pgdata")
            .arg(&fresh)
            .output()
            .await
            .map_err(ClusterError::io(
                "running",
                &self.binaries.program("initdb"),
            ))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(ClusterError::Initdb {
                reason: said.lines().collect::<Vec<_>>().join("; "),
            });
        }
        fs::rename(&fresh, &self.place.data)
            .map_err(ClusterError::io("naming the finished", &self.place.data))
    }

    async fn launch(&mut self) -> Result<(), ClusterError> {
        let began = Instant::now();
        loop {
            let log_from = self.rotated_log_size();
            let mut server = self.spawn()?;
            match self.answers(&mut server, began + START_TIMEOUT).await {
                Ok(()) => {
                    self.server = Some(server);
                    let mut connection =
                        PgConnection::connect_with(&self.connect_options("postgres")).await?;
                    return check_durable(&mut connection).await;
                }
                Err(reason) => {
                    let _ = server.start_kill();
                    let _ = server.wait().await;
                    let reason =
                        reason.unwrap_or_else(|| last_words(&self.config.log_file, log_from));
                    let held = reason.contains("shared memory") || reason.contains("lock file");
                    if !held || began.elapsed() > SHARED_MEMORY_TIMEOUT {
                        return Err(ClusterError::NotStarted {
                            reason,
                            log_file: self.config.log_file.clone(),
                        });
                    }
                    tokio::time::sleep(POLL).await;
                }
            }
        }
    }

    fn spawn(&self) -> Result<Child, ClusterError> {
        let path = &self.config.log_file;
        let log = File::options()
            .create(true)
            .append(true)
            .open(path)
            .map_err(ClusterError::io("opening", path))?;
        let errors = log.try_clone().map_err(ClusterError::io("opening", path))?;
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(&self.place.data)
            .arg("-p")
            .arg(PORT.to_string());
        command.arg("-c").arg(format!(
            "unix_socket_directories={}",
            self.place.socket.display()
        ));
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0);
        let server = command.spawn().map_err(ClusterError::io(
            "running",
            &self.binaries.program("postgres"),
        ))?;
        // Before it has children, which begin with what it has.
        if let (Some(pid), 1..) = (pid_of(&server), self.config.niceness)
            && let Err(error) = getpriority_process(None)
                .and_then(|ours| setpriority_process(Some(pid), ours + self.config.niceness))
        {
            tracing::warn!(%error, "the priority of Postgres cannot be set");
        }
        Ok(server)
    }

    /// Waits for the first answer. `Err(None)`: the server ended, its log says why.
    async fn answers(&self, server: &mut Child, deadline: Instant) -> Result<(), Option<String>> {
        let options = self.connect_options("postgres");
        loop {
            if let Ok(Some(_)) = server.try_wait() {
                return Err(None);
            }
            match PgConnection::connect_with(&options).await {
                Ok(connection) => {
                    let _ = connection.close().await;
                    return Ok(());
                }
                Err(error) if Instant::now() > deadline => {
                    return Err(Some(format!(
                        "no answer within {} s: {error}",
                        START_TIMEOUT.as_secs()
                    )));
                }
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// A program of the server, as its user, in an environment of its own: the caller's `PG*` variables are none of its business.
    fn command(&self, program: &str) -> Command {
        let mut command = std::process::Command::new(self.binaries.program(program));
        command
            .current_dir("/")
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", &self.binaries.folder);
        if let Some(user) = self.place.user {
            command.uid(user.uid).gid(user.gid);
        }
        command.into()
    }

    async fn shut_down(&mut self) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        interrupt(&server);
        if tokio::time::timeout(STOP_TIMEOUT, server.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                "the database did not stop in time and is killed; it recovers at its next start"
            );
            let _ = server.kill().await;
        }
    }

    fn rotated_log_size(&self) -> u64 {
        let path = &self.config.log_file;
        let size = fs::metadata(path).map_or(0, |found| found.len());
        if size > LOG_BYTES_MAX && fs::rename(path, path.with_extension("old.log")).is_ok() {
            0
        } else {
            size
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end();
        if !self.place.socket.starts_with(&self.place.home) {
            // One in /tmp is nobody's to find again; it stays if anything is in it.
            let _ = fs::remove_dir(&self.place.socket);
        }
    }
}

impl Cluster {
    /// As [`Cluster::shut_down`], where nothing can be awaited.
    fn end(&mut self) {
        let Some(server) = self.server.as_mut() else {
            return;
        };
        interrupt(server);
        let deadline = Instant::now() + STOP_TIMEOUT;
        while let Ok(None) = server.try_wait() {
            if Instant::now() > deadline {
                let _ = server.start_kill();
                return;
            }
            std::thread::sleep(POLL);
        }
    }
}

/// Refuses a database, private or given, that could lose or tear what it has committed.
///
/// # Errors
/// [`ClusterError::NotDurable`], naming the setting.
pub async fn check_durable(connection: &mut PgConnection) -> Result<(), ClusterError> {
    for (setting, show) in [
        ("fsync", "SHOW fsync"),
        ("full_page_writes", "SHOW full_page_writes"),
    ] {
        let value: String = sqlx::query_scalar(show).fetch_one(&mut *connection).await?;
        if value != "on" {
            return Err(ClusterError::NotDurable { setting, value });
        }
    }
    Ok(())
}

/// SIGINT is PostgreSQL's fast shutdown: sessions are ended, not waited for.
fn interrupt(server: &Child) {
    if let Some(pid) = pid_of(server) {
        let _ = kill_process(pid, Signal::INT);
    }
}

fn pid_of(server: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(server.id()?).ok()?)
}

fn take_lock(home: &Path) -> Result<File, ClusterError> {
    let path = home.join("supervisor.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(ClusterError::io("opening", &path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(ClusterError::Taken {
            folder: home.to_owned(),
        }),
        Err(error) => Err(ClusterError::io("locking", &path)(error.into())),
    }
}

fn check_version(data: &Path, binaries: &Binaries) -> Result<(), ClusterError> {
    let folder = || data.to_owned();
    if !data.exists() {
        return Ok(());
    }
    let found = fs::read_to_string(data.join("PG_VERSION"))
        .map_err(|_| ClusterError::NotAData { folder: folder() })?;
    if found.trim() == binaries.major.to_string() {
        Ok(())
    } else {
        Err(ClusterError::OldData {
            folder: folder(),
            found: found.trim().to_owned(),
            server: binaries.major,
        })
    }
}

/// The last `FATAL` line, or the last line, that the server logged behind byte `from`.
fn last_words(log: &Path, from: u64) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let said = String::from_utf8_lossy(
        bytes
            .get(usize::try_from(from).unwrap_or(0)..)
            .unwrap_or_default(),
    )
    .into_owned();
    let fatal = said
        .lines()
        .rfind(|line| line.contains("FATAL"))
        .or_else(|| said.lines().last());
    fatal.map_or_else(
        || "it ended without a word".to_owned(),
        |line| line.trim().to_owned(),
    )
}
