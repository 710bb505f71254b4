//! Moves committed pages from the write-ahead log into the file, on a thread and connection of its own, so that no append waits for it.
//!
//! 1. A passive checkpoint holds nobody up, but under appends without a pause it never gets to the end, and only at the end does SQLite
//!    sync the file. So the file is synced here, behind each: what is left to the last sync, which the writers wait for, is little.
//! 2. For the same reason the log grows. When it is long it is begun anew by a forced checkpoint, which holds the writers only for the
//!    pages that came in between.
//! 3. Every commit syncs the log's file. Where that has grown, the sync waits for the file system's journal, and the journal for what a
//!    checkpoint writes. So the file of a log in use is made longer with zeros, ahead of what is appended, until it is as long as it gets.
//!    All at once, it takes the disk for about a second.
//!
//! SQLite takes zeros behind the last frame for the log's end, as it takes frames from before the log was begun anew.

use super::connection::{hold, wal};
use rusqlite::Connection;
use rusqlite::ffi::SQLITE_IOERR_FSYNC;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How often the write-ahead log's length is looked at. What comes in between is synced together: every 200 ms made the longest syncs of
/// commits beside it twice as long, every second six times.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// Below this a checkpoint saves nothing worth its syncs.
const WAL_BYTES_WORTH_IT: u64 = 1 << 20;
/// A log that never has as much is not made long.
const WAL_BYTES_IN_USE: u64 = 4 << 20;
/// Above this the log is begun anew. Bounds disk use and the time that a recovery reads.
const WAL_BYTES_MAX: u64 = 128 << 20;
/// By so much its file is longer, for what is appended between two looks.
const ROOM_BYTES: u64 = 16 << 20;
/// The zeros are written and synced in such pieces: the sync of a commit waits for one at most.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces of one look.
const PIECES: usize = 64;
/// Between two of them, for the commits that have waited.
const PIECE_PAUSE: Duration = Duration::from_millis(1);
/// What a page takes in the log.
const FRAME_HEADER_BYTES: u64 = 24;

/// Dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Stop(#[expect(dead_code, reason = "held for its drop")] Sender<()>);

pub(super) fn start(connection: Connection, file: &Path) -> std::io::Result<Stop> {
    let (stop, stopped) = channel();
    let checkpointer = Checkpointer::new(connection, file)?;
    std::thread::Builder::new()
        .name("store-checkpoint".into())
        .spawn(move || checkpointer.run(&stopped))?;
    Ok(Stop(stop))
}

struct Checkpointer {
    connection: Connection,
    file: Arc<File>,
    wal: PathBuf,
    wal_bytes_max: u64,
    /// Pages in the write-ahead log when it was last to be begun anew, which the next append does.
    forced_at: u64,
    /// Whether the write-ahead log's file may be made longer: not on a disk that had no room for it.
    has_room: bool,
    /// Whether what was moved is in the file: not where a sync failed once, for the system may have dropped the pages, and tells once.
    is_sound: bool,
}

impl Checkpointer {
    fn new(connection: Connection, file: &Path) -> std::io::Result<Self> {
        Ok(Checkpointer {
            connection,
            file: hold(file)?,
            wal: wal(file),
            wal_bytes_max: WAL_BYTES_MAX,
            forced_at: 0,
            has_room: true,
            is_sound: true,
        })
    }

    fn run(mut self, stopped: &Receiver<()>) {
        let mut failing = false;
        while stopped.recv_timeout(LOOK_INTERVAL) == Err(RecvTimeoutError::Timeout) && self.is_sound
        {
            match self.look() {
                Ok(()) => failing = false,
                // The next look tries again; the log itself is whole without any checkpoint.
                Err(error) if !failing => {
                    failing = true;
                    tracing::error!(%error, "the write-ahead log of the event log could not be checkpointed");
                }
                Err(_) => {}
            }
        }
    }

    /// One look at the write-ahead log, and what its length asks for.
    fn look(&mut self) -> rusqlite::Result<()> {
        let page_bytes: u32 = self
            .connection
            .query_row("pragma page_size", [], |row| row.get(0))?;
        let frame_bytes = u64::from(page_bytes) + FRAME_HEADER_BYTES;
        let pages = self.checkpoint("noop")?;
        if pages.total * frame_bytes >= WAL_BYTES_IN_USE {
            self.lengthen(pages.total * frame_bytes);
        }
        let too_long =
            pages.total * frame_bytes >= self.wal_bytes_max && pages.total != self.forced_at;
        if too_long || pages.waiting() * frame_bytes >= WAL_BYTES_WORTH_IT {
            self.move_on()?;
        }
        if too_long && self.is_sound {
            // What came in during the first, so that the writers wait for as little as can be.
            self.move_on()?;
            self.forced_at = self.checkpoint("restart")?.total;
        }
        Ok(())
    }

    /// Moves what no reader needs in the write-ahead log into the file, and syncs that.
    fn move_on(&mut self) -> rusqlite::Result<()> {
        self.checkpoint("passive")?;
        if let Err(error) = self.file.sync_data() {
            self.distrust(&error);
        }
        Ok(())
    }

    /// Being held up by a reader or by another process's checkpoint is an outcome (`busy` in the first column), not an error.
    fn checkpoint(&mut self, mode: &str) -> rusqlite::Result<Pages> {
        let pages =
            self.connection
                .query_row(&format!("pragma wal_checkpoint({mode})"), [], |row| {
                    Ok(Pages {
                        total: row.get::<_, i64>(1)?.unsigned_abs(),
                        done: row.get::<_, i64>(2)?.unsigned_abs(),
                    })
                });
        if let Err(error) = &pages
            && error
                .sqlite_error()
                .is_some_and(|error| error.extended_code == SQLITE_IOERR_FSYNC)
        {
            self.distrust(error);
        }
        pages
    }

    fn distrust(&mut self, error: &dyn std::fmt::Display) {
        self.is_sound = false;
        tracing::error!(%error, "the event log's file could not be synced: its write-ahead log is kept whole until it is opened again");
    }

    /// Makes the write-ahead log's file longer than the log, which takes so much of it, up to what it gets. Appending, which never writes over
    /// what another has appended. Without it the log is slower and no worse.
    fn lengthen(&mut self, taken: u64) {
        if !self.has_room {
            return;
        }
        let wanted = taken.min(self.wal_bytes_max) + ROOM_BYTES;
        let longer = || -> std::io::Result<()> {
            // SQLite has no locks on this file that closing it would lose.
            let mut wal = OpenOptions::new().append(true).open(&self.wal)?;
            let piece = vec![0; PIECE_BYTES];
            for _ in 0..PIECES {
                if wal.metadata()?.len() >= wanted {
                    break;
                }
                wal.write_all(&piece)?;
                wal.sync_data()?;
                std::thread::sleep(PIECE_PAUSE);
            }
            Ok(())
        };
        if let Err(error) = longer() {
            self.has_room = false;
            tracing::warn!(%error, "there is no room to make the write-ahead log of the event log long beforehand: appends may take longer");
        }
    }
}

struct Pages {
    total: u64,
    done: u64,
}

impl Pages {
    fn waiting(&self) -> u64 {
        self.total.saturating_sub(self.done)
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::{Role, connect, prepare};
    use super::*;

    /// A log, who writes to it, and its checkpointer, which finds it long at 8 MiB.
    fn log() -> (tempfile::TempDir, PathBuf, Connection, Checkpointer) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("events.db");
        prepare(&file).unwrap();
        let writer = connect(&file, Role::Writer).unwrap();
        writer.execute_batch("create table filler (x)").unwrap();
        let of_its_own = connect(&file, Role::Checkpointer).unwrap();
        let mut checkpointer = Checkpointer::new(of_its_own, &file).unwrap();
        checkpointer.wal_bytes_max = 8 << 20;
        (folder, file, writer, checkpointer)
    }

    fn fill(writer: &Connection, bytes: u32) {
        let sql = "insert into filler values (zeroblob(?1))";
        writer.execute(sql, [bytes]).unwrap();
    }

    fn bytes(file: &Path) -> u64 {
        file.metadata().unwrap().len()
    }

    #[test]
    fn a_long_write_ahead_log_is_moved_into_the_file_and_a_short_one_is_left() {
        let (_folder, file, writer, mut checkpointer) = log();
        fill(&writer, 1 << 19);
        checkpointer.look().unwrap();
        assert!(bytes(&file) < 1 << 20 && bytes(&wal(&file)) < 2 << 20);
        fill(&writer, 5 << 20);
        checkpointer.look().unwrap();
        assert!(bytes(&file) > 5 << 20);
    }

    #[test]
    fn the_write_ahead_log_of_a_log_in_use_is_made_long_and_begun_anew_and_does_not_grow() {
        let (_folder, file, writer, mut checkpointer) = log();
        let piece = PIECE_BYTES as u64;
        let mut lengths = vec![];
        for round in 1..8 {
            let appended = if round < 4 { 5 << 20 } else { 9 << 20 };
            fill(&writer, appended);
            checkpointer.look().unwrap();
            let long = bytes(&wal(&file));
            lengths.push(long);
            // Ahead of what was appended, and no longer than it gets.
            let least = checkpointer.wal_bytes_max.min(appended.into()) + ROOM_BYTES;
            let most = checkpointer.wal_bytes_max + ROOM_BYTES + piece;
            assert!((least..=most).contains(&long), "{round}: {long}");
            // As it lies there, with zeros or what was written earlier behind its last frame.
            let copied = tempfile::tempdir().unwrap();
            let copy = copied.path().join("events.db");
            std::fs::copy(&file, &copy).unwrap();
            std::fs::copy(wal(&file), wal(&copy)).unwrap();
            let again = connect(&copy, Role::Reader).unwrap();
            let rows: i64 = again
                .query_row("select count(*) from filler", [], |row| row.get(0))
                .unwrap();
            assert_eq!(rows, round);
        }
        // Begun anew, it lies where it lay.
        assert_eq!(lengths[0], lengths[2]);
        assert_eq!(lengths[4], lengths[6]);
    }

    #[test]
    fn a_write_ahead_log_that_cannot_be_made_longer_is_checkpointed_all_the_same() {
        let (_folder, file, writer, mut checkpointer) = log();
        checkpointer.wal = file.with_file_name("none");
        fill(&writer, 9 << 20);
        checkpointer.look().unwrap();
        assert!(bytes(&file) > 9 << 20);
        assert!(!checkpointer.has_room);
    }

    #[test]
    fn after_a_sync_that_failed_nothing_more_is_moved() {
        let (_folder, _, writer, mut checkpointer) = log();
        // A pipe can't be synced.
        let (pipe, _other_end) = std::io::pipe().unwrap();
        checkpointer.file = Arc::new(File::from(std::os::fd::OwnedFd::from(pipe)));
        fill(&writer, 5 << 20);
        checkpointer.look().unwrap();
        // It ends, though nobody has stopped it.
        let (_stop, stopped) = channel();
        checkpointer.run(&stopped);
    }
}
