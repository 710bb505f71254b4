//! Who runs the server, and in which folders it lives.
//!
//! PostgreSQL refuses to run as root, so root hands it to the system user `postgres`, who must be able to reach the data. Where a
//! folder above it bars the way (a home of mode 0700), the cluster lives under `/var/lib` instead, under a name made from the
//! folder's own path. A socket's path may have 107 bytes and no character that the server's setting would split at: else `/tmp`.

use super::ClusterError;
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, Metadata};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// `sockaddr_un` holds 107 bytes and a zero; `/.s.PGSQL.5432.lock` takes 19 of them.
const SOCKET_FOLDER_BYTES_MAX: usize = 107 - 19;

/// The account the server runs as; `None` means our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServerUser {
    pub uid: u32,
    pub gid: u32,
}

/// The folders of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub user: Option<ServerUser>,
    /// Holds the others; the supervisor's lock lies here.
    pub home: PathBuf,
    /// The server's data folder.
    pub data: PathBuf,
    pub socket: PathBuf,
    /// Why the cluster is not where it was asked to be.
    pub note: Option<String>,
}

/// Makes the folders that are missing.
pub(super) fn prepare(asked: &Path) -> Result<Place, ClusterError> {
    let user = server_user()?;
    fs::create_dir_all(asked).map_err(ClusterError::io("making the folder", asked))?;
    let asked = asked
        .canonicalize()
        .map_err(ClusterError::io("finding the folder", asked))?;
    let (home, note) = match user.and_then(|user| barred_by(&asked, user)) {
        None => (asked, None),
        Some(barrier) => elsewhere(&asked, &barrier)?,
    };
    let data = home.join("cluster");
    let socket = home.join("socket");
    let socket = if fits(&socket) {
        socket
    } else {
        Path::new("/tmp").join(format!("squareoff-pg-{}", digest(&home)))
    };
    make_private(&socket, user)?;
    Ok(Place {
        user,
        home,
        data,
        socket,
        note,
    })
}

/// A folder of mode 0700 that belongs to the server's user; one that is there must already be so.
pub(super) fn make_private(folder: &Path, user: Option<ServerUser>) -> Result<(), ClusterError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {
            if let Some(ServerUser { uid, gid }) = user {
                chown(folder, Some(uid), Some(gid))
                    .map_err(ClusterError::io("handing over the folder", folder))?;
            }
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(folder)
                .map_err(ClusterError::io("looking at the folder", folder))?;
            let owner = user.map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.uid);
            // In /tmp anybody may have put a folder, or a link, of this name before us.
            if !found.is_dir() || found.uid() != owner {
                return Err(ClusterError::SocketFolderTaken {
                    folder: folder.to_owned(),
                });
            }
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
                .map_err(ClusterError::io("closing the folder", folder))
        }
        Err(error) => Err(ClusterError::io("making the folder", folder)(error)),
    }
}

fn server_user() -> Result<Option<ServerUser>, ClusterError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd")
        .map_err(ClusterError::io("reading", Path::new("/etc/passwd")))?;
    accounts
        .lines()
        .find_map(postgres_account)
        .map(Some)
        .ok_or(ClusterError::NoServerUser)
}

/// Reads `postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash`; never an account that is root again.
fn postgres_account(line: &str) -> Option<ServerUser> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
    (name == "postgres" && uid != 0).then_some(ServerUser { uid, gid })
}

/// The first folder from the root down to `folder` that `user` can't pass through.
fn barred_by(folder: &Path, user: ServerUser) -> Option<PathBuf> {
    let mut chain: Vec<&Path> = folder.ancestors().collect();
    chain.reverse();
    let barred = |path: &&Path| fs::metadata(path).map_or(true, |found| !passable(&found, user));
    chain.into_iter().find(barred).map(Path::to_owned)
}

fn passable(found: &Metadata, user: ServerUser) -> bool {
    let bit = if found.uid() == user.uid {
        0o100
    } else if found.gid() == user.gid {
        0o010
    } else {
        0o001
    };
    found.mode() & bit != 0
}

/// A place outside `asked`, which keeps a pointer to it: where the pointer is gone, `asked` was emptied by hand, and the old
/// cluster is set aside rather than mistaken for the new folder's own.
fn elsewhere(asked: &Path, barrier: &Path) -> Result<(PathBuf, Option<String>), ClusterError> {
    let home = Path::new("/var/lib").join(format!("squareoff-{}", digest(asked)));
    let pointer = asked.join("cluster-is-at");
    if home.exists() && !pointer.exists() {
        let aside = (1..)
            .map(|number| home.with_extension(format!("old{number}")))
            .find(|path| !path.exists());
        let aside = aside.expect("some number is free");
        fs::rename(&home, &aside).map_err(ClusterError::io("setting aside", &home))?;
    }
    if !home.exists() {
        DirBuilder::new()
            .mode(0o711)
            .create(&home)
            .map_err(ClusterError::io("making the folder", &home))?;
        fs::set_permissions(&home, fs::Permissions::from_mode(0o711))
            .map_err(ClusterError::io("opening the folder", &home))?;
    }
    fs::write(&pointer, format!("{}\n", home.display()))
        .map_err(ClusterError::io("writing", &pointer))?;
    let note = format!(
        "the server's user cannot pass {}, so the database lives in {}",
        barrier.display(),
        home.display()
    );
    Ok((home, Some(note)))
}

fn fits(socket: &Path) -> bool {
    let plain =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-');
    let bytes = socket.as_os_str().as_encoded_bytes();
    bytes.len() <= SOCKET_FOLDER_BYTES_MAX && bytes.iter().all(plain)
}

fn digest(path: &Path) -> String {
    let hash = Sha256::digest(path.as_os_str().as_encoded_bytes());
    hash.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_account_is_never_root_by_another_name() {
        assert_eq!(
            postgres_account("postgres:x:101:104:PostgreSQL:/var/lib/postgresql:/bin/bash"),
            Some(ServerUser { uid: 101, gid: 104 })
        );
        for line in [
            "postgres:x:0:0::/:/bin/sh",
            "root:x:0:0::/:/bin/sh",
            "postgres2:x:7:7::/:",
            "postgres:x",
            "",
        ] {
            assert_eq!(postgres_account(line), None, "{line}");
        }
    }

    #[test]
    fn a_socket_folder_is_short_and_plain() {
        assert!(fits(Path::new("/srv/squareoff/data/postgres/socket")));
        assert!(!fits(Path::new("/srv/my desk, old/socket")));
        assert!(!fits(&Path::new("/srv").join("x".repeat(100))));
    }

    #[test]
    fn a_closed_folder_above_the_data_is_found() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("data");
        fs::create_dir(&inner).unwrap();
        fs::set_permissions(outer.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let stranger = ServerUser {
            uid: 54_321,
            gid: 54_321,
        };
        let found = barred_by(&inner.canonicalize().unwrap(), stranger);
        assert_eq!(found, Some(outer.path().canonicalize().unwrap()));
        fs::set_permissions(outer.path(), fs::Permissions::from_mode(0o711)).unwrap();
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o711)).unwrap();
        assert_eq!(barred_by(&inner.canonicalize().unwrap(), stranger), None);
    }
}
