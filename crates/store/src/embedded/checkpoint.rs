//! Moves committed pages from the write-ahead log into the file, on a thread and connection of its own, so that no append waits for it.
//!
//! A passive checkpoint holds nobody up, but under appends without a pause it never gets to the end, and the log grows. Behind a hard
//! limit it is therefore followed by a forced one: that holds the writers only for the pages that came in between.

use rusqlite::Connection;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How often the write-ahead log's length is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Between passive checkpoints: the same page changed twice within a second is then written once.
const PASSIVE_INTERVAL: Duration = Duration::from_secs(1);
/// Below this a checkpoint saves nothing worth its two syncs.
const WAL_BYTES_WORTH_IT: i64 = 4 << 20;
/// Above this the next checkpoint comes at once and is forced. Bounds disk use and the time that a recovery reads.
const WAL_BYTES_MAX: i64 = 256 << 20;

/// Dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Stop(#[expect(dead_code, reason = "held for its drop")] Sender<()>);

pub(super) fn start(connection: Connection) -> std::io::Result<Stop> {
    let (stop, stopped) = channel();
    std::thread::Builder::new()
        .name("store-checkpoint".into())
        .spawn(move || run(&connection, &stopped))?;
    Ok(Stop(stop))
}

fn run(connection: &Connection, stopped: &Receiver<()>) {
    let mut last: Option<Instant> = None;
    let mut failing = false;
    while stopped.recv_timeout(LOOK_INTERVAL) == Err(RecvTimeoutError::Timeout) {
        let due = last.is_none_or(|last| last.elapsed() >= PASSIVE_INTERVAL);
        match look(connection, due) {
            Ok(done) => {
                failing = false;
                last = if done { Some(Instant::now()) } else { last };
            }
            // The next look tries again; the log itself is whole without any checkpoint.
            Err(error) if !failing => {
                failing = true;
                tracing::error!(%error, "the write-ahead log of the event log could not be checkpointed");
            }
            Err(_) => {}
        }
    }
}

/// One look at the write-ahead log, and what its length asks for. True when a checkpoint was done.
fn look(connection: &Connection, due: bool) -> rusqlite::Result<bool> {
    let page_bytes: i64 = connection.query_row("pragma page_size", [], |row| row.get(0))?;
    let pages = checkpoint(connection, "pragma wal_checkpoint(noop)")?;
    let too_long = pages.total * page_bytes >= WAL_BYTES_MAX;
    let worth_it = pages.waiting() * page_bytes >= WAL_BYTES_WORTH_IT;
    if !(too_long || due && worth_it) {
        return Ok(false);
    }
    checkpoint(connection, "pragma wal_checkpoint(passive)")?;
    if too_long {
        checkpoint(connection, "pragma wal_checkpoint(restart)")?;
    }
    Ok(true)
}

struct Pages {
    total: i64,
    done: i64,
}

impl Pages {
    fn waiting(&self) -> i64 {
        self.total - self.done
    }
}

/// Being held up by a reader or by another process's checkpoint is an outcome (`busy` in the first column), not an error.
fn checkpoint(connection: &Connection, pragma: &str) -> rusqlite::Result<Pages> {
    connection.query_row(pragma, [], |row| {
        Ok(Pages {
            total: row.get(1)?,
            done: row.get(2)?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::connection::{Role, connect, prepare};
    use super::*;

    #[test]
    fn a_long_write_ahead_log_is_moved_into_the_file_and_a_short_one_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("events.db");
        prepare(&file).unwrap();
        let (writer, checkpointer) = (
            connect(&file, Role::Writer).unwrap(),
            connect(&file, Role::Checkpointer).unwrap(),
        );
        assert!(!look(&checkpointer, true).unwrap());
        writer
            .execute_batch("create table filler (x); insert into filler values (zeroblob(5 << 20))")
            .unwrap();
        assert!(!look(&checkpointer, false).unwrap());
        assert!(look(&checkpointer, true).unwrap());
        assert!(!look(&checkpointer, true).unwrap());
        assert!(file.metadata().unwrap().len() > 5 << 20);
    }
}
