//! Keys on disk: made at the first start, readable by their owner alone, the public half beside them.

use crate::tlog::{KeyError, KeyKind, Signer};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The private key's file in its folder.
const PRIVATE: &str = "key";
/// The public key's: a vkey and a newline.
pub const PUBLIC: &str = "key.pub";

/// Why there is no key to sign with.
#[derive(Debug, Error)]
pub enum KeyFileError {
    #[error("the key {} cannot be used: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("the key {} is damaged: {source}", path.display())]
    Damaged { path: PathBuf, source: KeyError },
    #[error("`{name}` cannot name a key: {source}")]
    Name { name: String, source: KeyError },
    #[error("the key {} is of `{found}`, not of `{expected}`: set the name back, or start with another folder", path.display())]
    OfAnother {
        path: PathBuf,
        found: String,
        expected: String,
    },
    #[error("others than its owner can read the key {} (mode {mode:o}): chmod 600", path.display())]
    Open { path: PathBuf, mode: u32 },
}

/// The key in `folder`, made when there is none.
///
/// # Errors
/// [`KeyFileError`]: also when the key there has another name, or others may read it.
pub fn load_or_create(folder: &Path, name: &str, kind: KeyKind) -> Result<Signer, KeyFileError> {
    let path = folder.join(PRIVATE);
    let io = |source| KeyFileError::Io {
        path: path.clone(),
        source,
    };
    if !path.exists() {
        fs::create_dir_all(folder).map_err(io)?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| io(io::Error::other(error.to_string())))?;
        let signer = Signer::from_seed(name, kind, &seed).map_err(|source| KeyFileError::Name {
            name: name.to_owned(),
            source,
        })?;
        create(&path, &signer).map_err(io)?;
    }
    let mode = fs::metadata(&path).map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Open { path, mode });
    }
    let text = fs::read_to_string(&path).map_err(io)?;
    let signer = Signer::parse(text.trim_end()).map_err(|source| KeyFileError::Damaged {
        path: path.clone(),
        source,
    })?;
    if signer.public().name() != name || signer.public().kind() != kind {
        return Err(KeyFileError::OfAnother {
            path,
            found: signer.public().name().to_owned(),
            expected: name.to_owned(),
        });
    }
    write_public(folder, &signer).map_err(io)?;
    Ok(signer)
}

/// Two processes may start at once: the first one's key stands, whole and durable, before anything is signed with it.
fn create(path: &Path, signer: &Signer) -> io::Result<()> {
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    writeln!(file, "{}", signer.to_secret_text())?;
    file.sync_all()?;
    let linked = fs::hard_link(&beside, path);
    fs::remove_file(&beside)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    File::open(path.parent().expect("a file in its folder"))?.sync_all()
}

fn write_public(folder: &Path, signer: &Signer) -> io::Result<()> {
    let (path, text) = (folder.join(PUBLIC), format!("{}\n", signer.public()));
    match fs::read_to_string(&path) {
        Ok(found) if found == text => Ok(()),
        Ok(_) | Err(_) => super::whole(&path, text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_only_serves_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let load = |name: &str| load_or_create(folder.path(), name, KeyKind::Ed25519);
        let first = load("example/log").unwrap().public().clone();
        assert_eq!(*load("example/log").unwrap().public(), first);
        let path = folder.path().join(PRIVATE);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let public = fs::read_to_string(folder.path().join(PUBLIC)).unwrap();
        assert_eq!(public, format!("{first}\n"));
        assert!(matches!(
            load("other/log"),
            Err(KeyFileError::OfAnother { .. })
        ));
        assert!(matches!(
            load_or_create(&folder.path().join("new"), "a b", KeyKind::Ed25519),
            Err(KeyFileError::Name { .. })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            load("example/log"),
            Err(KeyFileError::Open { mode: 0o644, .. })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "PRIVATE+KEY+x").unwrap();
        assert!(matches!(
            load("example/log"),
            Err(KeyFileError::Damaged { .. })
        ));
    }
}
