//! Connections to the log's file: how each is set up, and whether the file is ours.
//!
//! Several processes open the same file. SQLite's locks and its write-ahead log keep them apart and recover after a crash of any.

use crate::OpenError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

/// "SqOf": marks the file as a Squareoff event log.
const APPLICATION_ID: i32 = 0x5371_4f66;
/// Version of the schema in `schema.sql`, kept in SQLite's `user_version`.
const FORMAT: i32 = 1;
/// How long a connection waits for another process's transaction. A batch takes milliseconds; seconds mean that something hangs.
const BUSY_MAX: Duration = Duration::from_secs(5);
/// How long a forced checkpoint may wait for readers: it holds the writers up meanwhile.
const CHECKPOINT_BUSY_MAX: Duration = Duration::from_millis(50);
/// The switch to WAL of a new file answers "busy" without waiting when two processes try at once; the loser tries again.
const CREATE_TRIES_MAX: u32 = 200;
const CREATE_PAUSE: Duration = Duration::from_millis(10);
/// Page cache of the writer. Every commit behind a page split walks all of it, so more is slower: 64 MiB costs a fifth of the
/// throughput, and what misses here is in the system's own cache.
const WRITER_CACHE_KIB: i32 = 4 * 1024;
const READER_CACHE_KIB: i32 = 8 * 1024;
/// Each event changes a page or two of its own in the indexes: small pages keep a commit small.
const PAGE_BYTES: i32 = 2_048;
/// Prepared statements kept per connection; we have fewer than ten.
const STATEMENTS_MAX: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Writer,
    Reader,
    Checkpointer,
}

/// Creates the log if there is none, checks that it is ours and not newer.
pub(super) fn prepare(file: &Path) -> Result<(), OpenError> {
    let fail = |error: rusqlite::Error| open_error(file, &error);
    let mut tries = 0;
    loop {
        match prepare_once(file) {
            Err(Refused::Sqlite(error)) if is_busy(&error) && tries < CREATE_TRIES_MAX => {
                tries += 1;
                std::thread::sleep(CREATE_PAUSE);
            }
            Err(Refused::Sqlite(error)) => return Err(fail(error)),
            Err(Refused::Open(error)) => return Err(error),
            Ok(()) => return Ok(()),
        }
    }
}

/// A connection for `role` to a prepared file.
pub(super) fn connect(file: &Path, role: Role) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.busy_handler(Some(match role {
        Role::Writer | Role::Reader => wait_for_lock,
        Role::Checkpointer => wait_briefly_for_lock,
    }))?;
    // FULL: the write-ahead log is synced at every commit, so an answered append survives power loss.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Checkpoints are the checkpointer's: one inside a commit costs every waiter of the batch tens of milliseconds.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // One plan for every value: without it each read with other bounds is prepared anew.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    match role {
        Role::Writer => {
            connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
            // A page written out early is written again at the commit.
            connection.pragma_update(None, "cache_spill", false)?;
        }
        Role::Reader => {
            connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
            connection.pragma_update(None, "query_only", true)?;
        }
        Role::Checkpointer => {}
    }
    Ok(connection)
}

pub(super) fn open_error(file: &Path, error: &rusqlite::Error) -> OpenError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotOurs {
            path: file.to_owned(),
        },
        _ => OpenError::Io {
            path: file.to_owned(),
            reason: error.to_string(),
        },
    }
}

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

enum Refused {
    Open(OpenError),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        Refused::Sqlite(error)
    }
}

fn prepare_once(file: &Path) -> Result<(), Refused> {
    let mut connection = Connection::open(file)?;
    connection.busy_handler(Some(wait_for_lock))?;
    // One snapshot: between two reads another process may make the file ours.
    if is_ours(&*connection.transaction()?, file)? {
        return Ok(());
    }
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    let mode: String = connection.query_row("pragma journal_mode = wal", [], |row| row.get(0))?;
    if mode != "wal" {
        let reason = format!("its file system allows no write-ahead log (journal mode {mode})");
        return Err(Refused::Open(OpenError::Io {
            path: file.to_owned(),
            reason,
        }));
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    if !is_ours(&transaction, file)? {
        transaction.execute_batch(include_str!("schema.sql"))?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        transaction.commit()?;
    }
    Ok(())
}

/// False when the file is empty and may become ours.
fn is_ours(connection: &Connection, file: &Path) -> Result<bool, Refused> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i32>(0));
    let path = || file.to_owned();
    let (application, format) = (
        number("pragma application_id")?,
        number("pragma user_version")?,
    );
    match application {
        APPLICATION_ID if format > FORMAT => Err(Refused::Open(OpenError::Newer {
            path: path(),
            found: format,
            known: FORMAT,
        })),
        APPLICATION_ID => Ok(true),
        0 if format == 0 && number("select count(*) from sqlite_schema")? == 0 => Ok(false),
        _ => Err(Refused::Open(OpenError::NotOurs { path: path() })),
    }
}

fn wait_for_lock(tries: i32) -> bool {
    wait(tries, BUSY_MAX)
}

fn wait_briefly_for_lock(tries: i32) -> bool {
    wait(tries, CHECKPOINT_BUSY_MAX)
}

/// Sleeps in steps of the length of a group commit; SQLite's own handler sleeps up to 100 ms at a time.
fn wait(tries: i32, longest: Duration) -> bool {
    thread_local! {
        static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
    }
    let since = SINCE
        .get()
        .filter(|_| tries > 0)
        .unwrap_or_else(Instant::now);
    SINCE.set(Some(since));
    std::thread::sleep(Duration::from_micros(if tries < 20 { 50 } else { 200 }));
    since.elapsed() < longest
}
