//! The data folder: what lies where, and who holds it.

use crate::config::Config;
use anyhow::{Context, Result, bail};
use squareoff_domain::Venue;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Layout of the data folder. A release that changes it raises the number and says how to go on.
const FORMAT: &str = "1";

/// How often, and how far apart, a lock is tried.
const LOCK_TRIES: usize = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// Held as long as the process lives; the kernel lets go of it however the process ends.
#[derive(Debug)]
pub struct Held(#[allow(dead_code, reason = "the lock is the file's being open")] File);

impl Folder {
    /// The folder at `path`, made when it is missing.
    ///
    /// # Errors
    /// When it is of another release, or not a folder we can write to.
    pub fn open(path: &Path) -> Result<Folder> {
        let shown = path.display();
        let create = || -> std::io::Result<()> {
            fs::create_dir_all(path.join("run"))?;
            fs::create_dir_all(path.join("logs"))
        };
        create().with_context(|| format!("the data folder {shown} cannot be used"))?;
        let path = path
            .canonicalize()
            .with_context(|| format!("the data folder {shown} cannot be used"))?;
        let format = path.join("format");
        match fs::read_to_string(&format) {
            Ok(found) if found.trim() == FORMAT => {}
            Ok(found) => bail!(
                "the data folder {shown} has format {}, this release knows format {FORMAT}: use the release that wrote it, or another folder (SQUAREOFF_DATA)",
                found.trim()
            ),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if path.join("log").exists() {
                    bail!(
                        "the data folder {shown} holds an event log but no format file: it was written by an older release; use that one, or another folder (SQUAREOFF_DATA)"
                    );
                }
                fs::write(&format, FORMAT)
                    .with_context(|| format!("the data folder {shown} cannot be used"))?;
            }
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("the data folder {shown} cannot be used"));
            }
        }
        Ok(Folder(path))
    }

    /// The configured folder, for who only reads what is there: one that is missing is a slip of the pen and is not made. With the event log
    /// in KurrentDB there need be none.
    ///
    /// # Errors
    /// As [`Folder::open`], and when there is none.
    pub fn to_read(config: &Config) -> Result<Folder> {
        if config.event_store.is_none() && !config.data.exists() {
            bail!(
                "there is no data folder {}: `squareoff up` makes it; SQUAREOFF_DATA names another",
                config.data.display()
            );
        }
        Folder::open(&config.data)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    pub fn book(&self) -> PathBuf {
        self.0.join("book")
    }

    /// Of the seal: tiles, checkpoints, key.
    pub fn audit(&self) -> PathBuf {
        self.0.join("audit")
    }

    pub fn witness(&self) -> PathBuf {
        self.0.join("witness")
    }

    pub fn exchange(&self) -> PathBuf {
        self.0.join("exchange")
    }

    pub fn postgres(&self) -> PathBuf {
        self.0.join("postgres")
    }

    /// The key store, its lock, and where nobody set another place its backups and the master key.
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// Of letting people in: passwords, seeds, sessions, signing keys.
    pub fn access(&self) -> PathBuf {
        self.0.join("access")
    }

    /// Messages to clients that a development platform would send.
    pub fn outbox(&self) -> PathBuf {
        self.0.join("outbox")
    }

    pub fn journal(&self, session: &str) -> PathBuf {
        self.0.join("gateway").join(session)
    }

    /// Our CompIDs of all sessions to this venue that have a journal, used now or not.
    ///
    /// # Errors
    /// When the folder of the journals can't be read.
    pub fn journaled(&self, venue: Venue) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.0.join("gateway")) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            Err(error) => return Err(error),
        };
        let of_venue = format!("{venue}-");
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| name.strip_prefix(&of_venue));
            ids.extend(id.map(str::to_owned));
        }
        ids.sort();
        Ok(ids)
    }

    /// Beside those of the order sessions, which are known by their folders.
    pub fn drop_copy_journal(&self, session: &str) -> PathBuf {
        self.0.join("drop-copy").join(session)
    }

    pub fn development_key(&self) -> PathBuf {
        self.0.join("development.key")
    }

    /// What a part of the platform prints.
    pub fn log_file(&self, part: &str) -> PathBuf {
        self.0.join("logs").join(format!("{part}.log"))
    }

    fn database_url_file(&self) -> PathBuf {
        self.0.join("run").join("database_url")
    }

    /// Where the private Postgres answers, as long as a supervisor runs it.
    pub fn database_url(&self) -> Option<String> {
        fs::read_to_string(self.database_url_file()).ok()
    }

    pub fn set_database_url(&self, url: Option<&str>) -> Result<()> {
        let file = self.database_url_file();
        match url {
            Some(url) => {
                fs::write(&file, url).with_context(|| format!("cannot write {}", file.display()))
            }
            None => match fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(error).with_context(|| format!("cannot remove {}", file.display()))
                }
                Ok(()) | Err(_) => Ok(()),
            },
        }
    }

    fn lock_file(&self, role: &str) -> PathBuf {
        self.0.join("run").join(format!("{role}.lock"))
    }

    /// Makes this process the only one of its role on the folder.
    ///
    /// # Errors
    /// When another process is.
    pub fn hold(&self, role: &str) -> Result<Held> {
        let path = self.lock_file(role);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        // A health check looks at the lock for an instant: that is not another process of this role.
        let mut tries = (0..LOCK_TRIES).map(|_| {
            file.try_lock().is_ok() || {
                std::thread::sleep(LOCK_PAUSE);
                false
            }
        });
        if !tries.any(|held| held) {
            let mut process = String::new();
            file.read_to_string(&mut process).ok();
            bail!(
                "`squareoff {role}` already runs on the data folder {} (process {})",
                self.0.display(),
                process.trim()
            );
        }
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())?;
        Ok(Held(file))
    }

    /// Whether a process of this role runs on the folder.
    pub fn is_held(&self, role: &str) -> bool {
        File::open(self.lock_file(role)).is_ok_and(|file| file.try_lock_shared().is_err())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_runs_once_on_a_folder() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        assert!(!folder.is_held("gateway"));
        let held = folder.hold("gateway").unwrap();
        assert!(folder.is_held("gateway"));
        let message = folder.hold("gateway").unwrap_err().to_string();
        assert!(
            message.contains(&format!("(process {})", std::process::id())),
            "{message}"
        );
        drop(held);
        folder.hold("gateway").unwrap();
    }

    #[test]
    fn a_folder_of_another_release_is_refused_in_one_sentence() {
        let temporary = tempfile::tempdir().unwrap();
        Folder::open(temporary.path()).unwrap();
        Folder::open(temporary.path()).unwrap();
        fs::write(temporary.path().join("format"), "9").unwrap();
        let message = Folder::open(temporary.path()).unwrap_err().to_string();
        assert!(
            message.contains("has format 9, this release knows format 1"),
            "{message}"
        );
        fs::remove_file(temporary.path().join("format")).unwrap();
        fs::create_dir(temporary.path().join("log")).unwrap();
        assert!(
            Folder::open(temporary.path())
                .unwrap_err()
                .to_string()
                .contains("older release")
        );
    }
}
