//! Backups: a copy of the log as it stood at one moment, made while it is written to, and a log made of such a copy.
//!
//! 1. A backup is a prefix of the log: one read transaction, so that every append is in it whole or not at all.
//! 2. A folder holds a whole backup when it holds a manifest; the manifest is written last, everything synced before.
//! 3. Nothing is ever written over: neither a backup nor a log.
//! 4. What is restored was proved first: the file is the manifest's, and a check finds nothing.
//!
//! The log may be in use by any number of processes while it is backed up; the folders that are written to are one process's alone.

use super::check::{Checked, check};
use super::connection::{self, Role, connect};
use super::{FILE_NAME, create_private, reader};
use crate::{OpenError, Position};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Name of the manifest in a backup's folder.
pub const MANIFEST_NAME: &str = "manifest.json";
/// Layout of the manifest.
const MANIFEST_FORMAT: u32 = 1;
/// What a restored log is called until it has been checked.
const RESTORING_NAME: &str = "restoring";
const COPY_BYTES: usize = 1 << 20;

/// What a backup is, for whoever restores it. Hexadecimal SHA-256 of the log's file beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// Position of the last event, as text.
    pub head: String,
    pub events: u64,
    pub bytes: u64,
    pub sha256: String,
}

/// Why there is no backup, or no restored log. In both cases the log that was there before is as it was.
#[derive(Debug, Error)]
pub enum BackupError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{path} holds something already: a backup is only written into a new or empty folder", path = .0.display())]
    TargetTaken(PathBuf),
    #[error("{path} holds an event log already, and nothing is ever written over it", path = .0.display())]
    LogThere(PathBuf),
    #[error("{path} is being restored into by another process, or was when that was stopped: remove it", path = .0.display())]
    Restoring(PathBuf),
    #[error("{path} holds no whole backup: {reason}", path = path.display())]
    NoBackup { path: PathBuf, reason: String },
    #[error("{path} is not the file that was backed up: {reason}", path = path.display())]
    Altered { path: PathBuf, reason: String },
    #[error("the log in {path} is not sound: {first}", path = path.display())]
    Unsound { path: PathBuf, first: String },
    #[error("{path} could not be written or read: {reason}", path = path.display())]
    Io { path: PathBuf, reason: String },
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |error| BackupError::Io {
        path: path.clone(),
        reason: error.to_string(),
    }
}

/// Copies the log in `folder`, as it is now, into the new folder `target`, and says what it copied.
///
/// # Errors
/// [`BackupError`]; what was begun in `target` is then left there, without a manifest.
pub fn backup(folder: &Path, target: &Path) -> Result<Manifest, BackupError> {
    let file = folder.join(FILE_NAME);
    connection::require(&file)?;
    create_private(target).map_err(io(target))?;
    let mut entries = target.read_dir().map_err(io(target))?;
    if entries.next().is_some() {
        return Err(BackupError::TargetTaken(target.to_owned()));
    }
    let copy = target.join(FILE_NAME);
    // Made here, so that two backups into one folder can't both go on.
    let made = OpenOptions::new().write(true).create_new(true).open(&copy);
    made.map_err(|_| BackupError::TargetTaken(target.to_owned()))?;
    let sqlite = |error: rusqlite::Error| BackupError::Io {
        path: copy.clone(),
        reason: error.to_string(),
    };
    let name = copy.to_str().ok_or_else(|| BackupError::Io {
        path: copy.clone(),
        reason: "its name is no text".to_owned(),
    })?;
    // One statement, one read transaction; an empty file counts as none. Appends go on meanwhile.
    connect(&file, Role::Copier)
        .map_err(sqlite)?
        .execute("vacuum into ?1", [name])
        .map_err(sqlite)?;
    let (head, events) = counts(&copy).map_err(sqlite)?;
    File::open(&copy)
        .and_then(|copied| copied.sync_all())
        .map_err(io(&copy))?;
    let (bytes, sha256) = digest(&copy)?;
    let manifest = Manifest {
        format: MANIFEST_FORMAT,
        head: head.to_string(),
        events,
        bytes,
        sha256,
    };
    write_manifest(target, &manifest)?;
    Ok(manifest)
}

/// Makes a log in `folder` of the backup in `from`, after the manifest and a check have proved it.
///
/// # Errors
/// [`BackupError`]; there is then no log in `folder`.
pub fn restore(
    from: &Path,
    folder: &Path,
    progress: impl FnMut(Position, Position),
) -> Result<Checked, BackupError> {
    let manifest = read_manifest(from)?;
    let log = folder.join(FILE_NAME);
    if holds_log(folder).map_err(io(folder))? {
        return Err(BackupError::LogThere(folder.to_owned()));
    }
    create_private(folder).map_err(io(folder))?;
    let aside = folder.join(RESTORING_NAME);
    match std::fs::create_dir(&aside) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(BackupError::Restoring(aside));
        }
        Err(error) => return Err(io(&aside)(error)),
    }
    let proved = copy_proved(from, &aside, &manifest, progress).and_then(|checked| {
        // A link is refused when the name is taken, so that a log made meanwhile stays.
        std::fs::hard_link(aside.join(FILE_NAME), &log)
            .map_err(|_| BackupError::LogThere(folder.to_owned()))?;
        Ok(checked)
    });
    std::fs::remove_dir_all(&aside).map_err(io(&aside))?;
    sync_folder(folder)?;
    proved
}

fn copy_proved(
    from: &Path,
    aside: &Path,
    manifest: &Manifest,
    progress: impl FnMut(Position, Position),
) -> Result<Checked, BackupError> {
    let (source, copy) = (from.join(FILE_NAME), aside.join(FILE_NAME));
    std::fs::copy(&source, &copy).map_err(io(&source))?;
    File::open(&copy)
        .and_then(|copied| copied.sync_all())
        .map_err(io(&copy))?;
    let (bytes, sha256) = digest(&copy)?;
    let altered = |reason: String| BackupError::Altered {
        path: source.clone(),
        reason,
    };
    if bytes != manifest.bytes {
        return Err(altered(format!(
            "it has {bytes} bytes, the manifest says {}",
            manifest.bytes
        )));
    }
    if sha256 != manifest.sha256 {
        return Err(altered("its SHA-256 is not the manifest's".to_owned()));
    }
    let checked = check(aside, progress)?;
    if let Some(first) = checked.findings.first() {
        return Err(BackupError::Unsound {
            path: from.to_owned(),
            first: first.to_string(),
        });
    }
    if (checked.head.to_string(), checked.events) != (manifest.head.clone(), manifest.events) {
        return Err(altered(
            "it does not hold as many events as the manifest says".to_owned(),
        ));
    }
    Ok(checked)
}

/// Also what SQLite keeps beside a log counts as one: a log whose file was lost is not to be mixed with another.
fn holds_log(folder: &Path) -> std::io::Result<bool> {
    let beside = ["", "-wal", "-shm", "-journal"];
    for ending in beside {
        if folder.join(format!("{FILE_NAME}{ending}")).try_exists()? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn counts(file: &Path) -> rusqlite::Result<(Position, u64)> {
    let copy = connect(file, Role::Reader)?;
    let events: i64 = copy.query_row("select count(*) from events", [], |row| row.get(0))?;
    Ok((reader::head(&copy)?, events.unsigned_abs()))
}

/// Length and hexadecimal SHA-256.
fn digest(path: &Path) -> Result<(u64, String), BackupError> {
    let read = || -> std::io::Result<(u64, String)> {
        let (mut file, mut hash, mut bytes) = (File::open(path)?, Sha256::new(), 0);
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            bytes += read as u64;
        }
        let hex = hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok((bytes, hex))
    };
    read().map_err(io(path))
}

fn write_manifest(folder: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let path = folder.join(MANIFEST_NAME);
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        let mut text = serde_json::to_vec_pretty(manifest)?;
        text.push(b'\n');
        file.write_all(&text)?;
        file.sync_all()
    };
    write().map_err(io(&path))?;
    sync_folder(folder)
}

fn read_manifest(folder: &Path) -> Result<Manifest, BackupError> {
    let no_backup = |reason: String| BackupError::NoBackup {
        path: folder.to_owned(),
        reason,
    };
    let text = std::fs::read(folder.join(MANIFEST_NAME))
        .map_err(|error| no_backup(format!("its {MANIFEST_NAME} cannot be read: {error}")))?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|error| no_backup(format!("its {MANIFEST_NAME} is none: {error}")))?;
    if manifest.format != MANIFEST_FORMAT {
        return Err(no_backup(format!(
            "its {MANIFEST_NAME} has format {}, this release knows {MANIFEST_FORMAT}",
            manifest.format
        )));
    }
    Ok(manifest)
}

fn sync_folder(folder: &Path) -> Result<(), BackupError> {
    File::open(folder)
        .and_then(|opened| opened.sync_all())
        .map_err(io(folder))
}
