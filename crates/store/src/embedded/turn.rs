//! Whose turn it is to begin a transaction, between processes that append to one log.
//!
//! SQLite's lock is taken by whoever asks at the right moment. A process with a full queue asks a moment after its own commit and so gets
//! it again and again, while the others sleep between two tries. Here whoever waits for that lock holds the turn meanwhile, and whoever has
//! just let go of it has to wait for the turn first: two that append without end alternate.
//!
//! It orders and protects nothing: that is SQLite's lock. A process that is killed lets go of it.

use super::connection::wait_for_lock;
use std::fs::{File, TryLockError};
use std::path::Path;

/// Beside the log's file; empty, and never removed.
const SUFFIX: &str = "-turn";

pub(super) struct Turn(File);

/// Held until it is dropped.
pub(super) struct Taken<'a>(&'a File);

impl Turn {
    pub(super) fn open(file: &Path) -> std::io::Result<Turn> {
        let mut name = file.as_os_str().to_owned();
        name.push(SUFFIX);
        let mut options = File::options();
        let opened = options.create(true).truncate(false).write(true).open(name);
        opened.map(Turn)
    }

    /// `None` when it did not come within the time that a transaction may be waited for. A file system without locks has no turns.
    pub(super) fn take(&self) -> Option<Taken<'_>> {
        let mut tries = 0;
        while let Err(TryLockError::WouldBlock) = self.0.try_lock() {
            if !wait_for_lock(tries) {
                return None;
            }
            tries += 1;
        }
        Some(Taken(&self.0))
    }

    #[cfg(test)]
    pub(super) fn is_free(&self) -> bool {
        self.0.try_lock().is_ok_and(|()| self.0.unlock().is_ok())
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        // Of a file system without locks.
        let _ = self.0.unlock();
    }
}
