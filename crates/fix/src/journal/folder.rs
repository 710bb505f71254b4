//! The files of a journal's folder: taking it, starting generations, cutting torn tails.
//!
//! Called by `Journal::open` and `Journal::reset`. A generation begins as `outbound.next` and counts from
//! the moment it has the name `outbound.log`, which it takes only when the one before has been put aside.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::JournalError;
use super::format::{self, Head};
use crate::value::Timestamp;

/// The file that records are appended to.
pub const CURRENT: &str = "outbound.log";
/// A new generation that does not count yet.
pub const NEXT: &str = "outbound.next";

/// Names the file in an IO error.
pub fn at(path: &Path) -> impl Fn(io::Error) -> JournalError + use<> {
    let file = path.to_owned();
    move |source| JournalError::Io {
        file: file.clone(),
        source,
    }
}

/// Opens a journal file to read and append.
pub fn open_file(path: &Path) -> Result<File, JournalError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(at(path))
}

/// Takes the folder for this process; the lock goes with the file.
pub fn hold(folder: &Path) -> Result<File, JournalError> {
    let path = folder.join("lock");
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(at(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(JournalError::InUse {
            folder: folder.to_owned(),
        }),
        Err(std::fs::TryLockError::Error(source)) => Err(JournalError::Io { file: path, source }),
    }
}

/// Writes the head of a new generation under a name that does not count yet.
pub fn create(folder: &Path, head: &Head) -> Result<(), JournalError> {
    let path = folder.join(NEXT);
    let file = File::create(&path).map_err(at(&path))?;
    file.write_all_at(&format::head_bytes(head), 0)
        .and_then(|()| file.sync_all())
        .map_err(at(&path))
}

/// The second half of a reset, which a crash may have left undone: with the old generation put aside, the
/// new one takes its name. With the old one still in place the reset never happened.
pub fn finish_reset(folder: &Path) -> Result<(), JournalError> {
    let (current, next) = (folder.join(CURRENT), folder.join(NEXT));
    if !current.exists() && next.exists() && archived(folder)? {
        std::fs::rename(&next, &current).map_err(at(&current))?;
    }
    if !current.exists() && archived(folder)? {
        return Err(JournalError::Damaged {
            file: current,
            what: "older generations are there but the current one is missing",
        });
    }
    sync_folder(folder)
}

/// Whether older generations are there.
fn archived(folder: &Path) -> Result<bool, JournalError> {
    let mut entries = std::fs::read_dir(folder).map_err(at(folder))?;
    Ok(entries.any(|entry| {
        entry.is_ok_and(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("outbound-") && name.ends_with(".log")
        })
    }))
}

/// Makes created and renamed files durable.
pub fn sync_folder(folder: &Path) -> Result<(), JournalError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(at(folder))
}

/// Cuts a torn tail off, keeping its bytes in a file beside.
pub fn set_aside(
    folder: &Path,
    file: &File,
    scan: &format::Scan,
    now: Timestamp,
) -> Result<(), JournalError> {
    let name = format!("outbound-{:06}-{}.torn", scan.head.generation, now.0);
    let aside = folder.join(name);
    tracing::warn!(
        journal.folder = %folder.display(),
        bytes = scan.torn_bytes,
        records = scan.starts.len(),
        "the journal ends in a record that was not finished; cut off and kept in a .torn file"
    );
    let copy = File::create(&aside).map_err(at(&aside))?;
    let mut bytes = vec![0; 64 * 1024];
    let mut done = 0;
    while done < scan.torn_bytes {
        let n = (scan.torn_bytes - done).min(bytes.len() as u64) as usize;
        file.read_exact_at(&mut bytes[..n], scan.end + done)
            .and_then(|()| copy.write_all_at(&bytes[..n], done))
            .map_err(at(&aside))?;
        done += n as u64;
    }
    copy.sync_all().map_err(at(&aside))?;
    file.set_len(scan.end)
        .and_then(|()| file.sync_all())
        .map_err(at(&folder.join(CURRENT)))
}
