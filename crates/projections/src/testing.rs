//! A server and a database for one test: started for it, gone with it.
//!
//! `initdb` runs once per machine and server version; each test copies its result, which takes a tenth of a second, and has a
//! server of its own with `fsync` on. So tests run in any number of processes and may kill their server. Whatever a killed test
//! left running is ended by the next one that starts.

use crate::cluster::{Cluster, ClusterConfig, ClusterError, clear_orphan, find_binaries};
use crate::{Database, DatabaseError};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use thiserror::Error;

/// Name of the database of a test.
const NAME: &str = "read";

#[derive(Debug, Error)]
pub enum TestError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("making a database for a test: {0}")]
    Io(#[from] std::io::Error),
}

/// A migrated database on a server of its own. Dropping it stops the server and removes its files.
#[derive(Debug)]
pub struct TestDatabase {
    /// Dropped first: the server ends before its files go.
    pub cluster: Cluster,
    _folder: Folder,
}

/// Removed when dropped; locked while it is used, so that others know it is.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl TestDatabase {
    /// # Errors
    /// [`TestError`]; above all when the server's programs are missing.
    pub async fn start() -> Result<Self, TestError> {
        let root = root()?;
        let folder = {
            let _alone = lock(&root.join("lock")).await?;
            sweep(&root).await?;
            let template = template(&root).await?;
            let folder = fresh(&root)?;
            copy(&template, &folder.path.join("postgres"))?;
            folder
        };
        let cluster = Cluster::start(config(&folder.path)).await?;
        let test = TestDatabase {
            cluster,
            _folder: folder,
        };
        test.database().make_roles().await?;
        test.database().migrate().await?;
        Ok(test)
    }

    /// As its owner.
    pub fn database(&self) -> Database {
        Database::new(self.cluster.connect_options(NAME))
    }

    /// As a `DATABASE_URL`, for processes under test.
    pub fn url(&self) -> String {
        self.cluster.url(NAME)
    }
}

fn config(folder: &Path) -> ClusterConfig {
    ClusterConfig {
        data_dir: folder.join("postgres"),
        bin_dir: None,
        log_file: folder.join("postgres.log"),
        niceness: 0,
    }
}

/// In the system's folder for temporary files: the server's user has to reach it, and the path has to be short.
fn root() -> std::io::Result<PathBuf> {
    let root = std::env::temp_dir().join(format!(
        "squareoff-tests-{}",
        rustix::process::geteuid().as_raw()
    ));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(&root)?;
    fs::set_permissions(&root, fs::Permissions::from_mode(0o711))?;
    Ok(root)
}

/// A cluster with an empty database, made once; its folder.
async fn template(root: &Path) -> Result<PathBuf, TestError> {
    let template = root.join(format!("template-{}", find_binaries(None)?.major));
    let made = template.join("made");
    if !made.exists() {
        if template.exists() {
            fs::remove_dir_all(&template)?;
        }
        make_open(&template)?;
        let cluster = Cluster::start(config(&template)).await?;
        cluster.create_database_if_missing(NAME).await?;
        cluster.stop().await;
        fs::write(made, "")?;
    }
    Ok(template.join("postgres"))
}

/// Removes what killed tests left: folders that nobody holds locked, and their servers.
async fn sweep(root: &Path) -> Result<(), TestError> {
    for entry in fs::read_dir(root)?.flatten() {
        let path = entry.path();
        if !entry.file_name().to_string_lossy().starts_with("run-") {
            continue;
        }
        let free = File::open(path.join("lock")).map_or(true, |lock| {
            flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
        });
        if free {
            clear_orphan(&path.join("postgres/cluster")).await?;
            match fs::remove_dir_all(&path) {
                // A test that ends removes its own, and was about to.
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error.into());
                }
                Ok(()) | Err(_) => {}
            }
        }
    }
    Ok(())
}

fn fresh(root: &Path) -> std::io::Result<Folder> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = root.join(format!("run-{}-{number}", std::process::id()));
    make_open(&path)?;
    let lock = File::create(path.join("lock"))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    Ok(Folder { path, _lock: lock })
}

/// With owners and modes, and without copying where the file system can share.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let status = Command::new("cp")
        .arg("--archive")
        .arg("--reflink=auto")
        .arg(from)
        .arg(to)
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(std::io::Error::other("cp failed"))
    }
}

async fn lock(path: &Path) -> std::io::Result<File> {
    let file = File::create(path)?;
    let taken = tokio::task::spawn_blocking(move || {
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    });
    taken.await.map_err(std::io::Error::other)?
}

/// Passable for the server's user, whatever the umask.
fn make_open(folder: &Path) -> std::io::Result<()> {
    fs::create_dir(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o711))
}
