//! Connections to the log's file: how each is set up, and whether the file is ours.
//!
//! Several processes open the same file. SQLite's locks and its write-ahead log keep them apart and recover after a crash of any.

use super::FILE_NAME;
use crate::OpenError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::cell::Cell;
use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Every connection is one thread's at a time; only [`create`] makes files.
const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
/// "SqOf": marks the file as a Squareoff event log.
const APPLICATION_ID: i32 = 0x5371_4f66;
/// Version of the schema in `schema.sql`, kept in SQLite's `user_version`.
const FORMAT: i32 = 2;
/// How long a connection waits for another process's transaction. A batch takes milliseconds; seconds mean that something hangs.
const BUSY_MAX: Duration = Duration::from_secs(5);
/// How long a forced checkpoint may wait for readers: it holds the writers up meanwhile.
const CHECKPOINT_BUSY_MAX: Duration = Duration::from_millis(50);
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
    /// Reads it all once.
    Copier,
}

/// Creates the log if there is none, checks that it is ours, of this release, and in WAL mode.
pub(super) fn prepare(file: &Path) -> Result<(), OpenError> {
    let exists = file.try_exists().map_err(|error| io_error(file, &error))?;
    if !exists {
        create(file)?;
    }
    require(file)
}

/// Checks that there is a log of ours and of this release, in WAL mode.
pub(super) fn require(file: &Path) -> Result<(), OpenError> {
    let path = || file.to_owned();
    match file.metadata() {
        Ok(found) if found.len() == 0 => return Err(OpenError::Empty { path: path() }),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(OpenError::Missing { path: path() });
        }
        Err(error) => return Err(io_error(file, &error)),
    }
    let checked = || -> rusqlite::Result<Result<(), OpenError>> {
        let connection = Connection::open_with_flags(file, FLAGS)?;
        connection.busy_handler(Some(wait_for_lock))?;
        let ours = check_ours(&connection, file)?;
        if ours.is_err() {
            return Ok(ours);
        }
        // A backup's copy is in another mode; of every other log this asks only.
        let mode: String =
            connection.query_row("pragma journal_mode = wal", [], |row| row.get(0))?;
        if mode != "wal" {
            return Ok(Err(no_wal(file, &mode)));
        }
        check_pages(&connection, file)
    };
    checked().map_err(|error| open_error(file, &error))?
}

/// A new log is made under another name and gets its own when it is whole: a log that is not whole was damaged, never just begun.
fn create(file: &Path) -> Result<(), OpenError> {
    let name = format!("{FILE_NAME}.{}", uuid::Uuid::new_v4());
    let aside = file.with_file_name(name);
    let made = || -> rusqlite::Result<Result<(), OpenError>> {
        let mut connection = Connection::open(&aside)?;
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        let mode: String =
            connection.query_row("pragma journal_mode = wal", [], |row| row.get(0))?;
        if mode != "wal" {
            return Ok(Err(no_wal(file, &mode)));
        }
        let transaction = connection.transaction()?;
        transaction.execute_batch(include_str!("schema.sql"))?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        transaction.commit()?;
        // Closing moves the write-ahead log into the file.
        connection.close().map_err(|(_, error)| error)?;
        Ok(Ok(()))
    };
    let linked = made()
        .map_err(|error| open_error(file, &error))
        .and_then(|made| made)
        .and_then(|()| match std::fs::hard_link(&aside, file) {
            // Another process may have been faster.
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(io_error(file, &error)),
            Ok(()) | Err(_) => Ok(()),
        });
    // What is left over of a log that could not be made is in nobody's way.
    let _ = std::fs::remove_file(&aside);
    linked?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| io_error(file, &error))
}

/// The write-ahead log of a log's file.
pub(super) fn wal(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// A log's file, to sync it. It stays open as long as it has a name: a process that closes a file loses its locks on it, also those that
/// SQLite holds for its connections.
pub(super) fn hold(file: &Path) -> std::io::Result<Arc<File>> {
    static HELD: Mutex<Vec<Arc<File>>> = Mutex::new(Vec::new());
    let which = |found: &Metadata| (found.dev(), found.ino());
    let mut held = HELD.lock().expect("nothing panics while holding the files");
    held.retain(|file| file.metadata().map_or(true, |found| found.nlink() > 0));
    let wanted = which(&file.metadata()?);
    for same in &*held {
        if which(&same.metadata()?) == wanted {
            return Ok(same.clone());
        }
    }
    let opened = Arc::new(File::open(file)?);
    held.push(opened.clone());
    Ok(opened)
}

/// A connection for `role` to a prepared file.
pub(super) fn connect(file: &Path, role: Role) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(file, FLAGS)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.busy_handler(Some(match role {
        Role::Writer | Role::Reader | Role::Copier => wait_for_lock,
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
        Role::Checkpointer | Role::Copier => {}
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

fn io_error(file: &Path, error: &std::io::Error) -> OpenError {
    OpenError::Io {
        path: file.to_owned(),
        reason: error.to_string(),
    }
}

fn no_wal(file: &Path, mode: &str) -> OpenError {
    OpenError::Io {
        path: file.to_owned(),
        reason: format!("its file system allows no write-ahead log (journal mode {mode})"),
    }
}

fn check_ours(connection: &Connection, file: &Path) -> rusqlite::Result<Result<(), OpenError>> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i32>(0));
    let path = file.to_owned();
    let (application, found) = (
        number("pragma application_id")?,
        number("pragma user_version")?,
    );
    let known = FORMAT;
    Ok(if application != APPLICATION_ID {
        Err(OpenError::NotOurs { path })
    } else if found > known {
        Err(OpenError::Newer { path, found, known })
    } else if found < known {
        Err(OpenError::Older { path, found, known })
    } else {
        Ok(())
    })
}

/// Checks that the file ends with a page: SQLite takes what is missing of the last one for zeros, and an event with zeros in its body
/// reads well. A checkpoint that was cut short leaves such an end, too, but then the page is read from the write-ahead log.
fn check_pages(connection: &Connection, file: &Path) -> rusqlite::Result<Result<(), OpenError>> {
    let page: u32 = connection.query_row("pragma page_size", [], |row| row.get(0))?;
    let bytes = match file.metadata() {
        Ok(found) => found.len(),
        Err(error) => return Ok(Err(io_error(file, &error))),
    };
    let last = bytes / u64::from(page) + 1;
    let whole = bytes.is_multiple_of(page.into()) || is_in_wal(file, page, last);
    let path = file.to_owned();
    Ok(whole.then_some(()).ok_or(OpenError::CutOff { path, bytes }))
}

/// Whether the write-ahead log beside the file holds a page, by the format that SQLite's page on it gives ("WAL File Format").
fn is_in_wal(file: &Path, page: u32, number: u64) -> bool {
    const HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;
    let wal = std::fs::read(wal(file)).unwrap_or_default();
    let Some((header, frames)) = wal.split_at_checked(HEADER) else {
        return false;
    };
    // Frames of an earlier round have other salts.
    frames
        .chunks_exact(FRAME_HEADER + page as usize)
        .take_while(|frame| frame[8..16] == header[16..24])
        .any(|frame| frame[..4] == (number as u32).to_be_bytes())
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
