//! Where the PostgreSQL server's programs are: the folder that was configured, else the newest of Debian's, else `PATH`.

use super::ClusterError;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian keeps each major version's programs in a folder of its own, outside `PATH`.
const DEBIAN_FOLDER: &str = "/usr/lib/postgresql";

/// The server's programs and their version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    pub folder: PathBuf,
    /// Major version: 15 of `postgres (PostgreSQL) 15.14`.
    pub major: u32,
}

impl Binaries {
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Finds `initdb` and `postgres`. With `configured` (the setting `pg_bin`) only that folder is looked at.
///
/// # Errors
/// [`ClusterError::NoBinaries`], which says what to install.
pub fn find_binaries(configured: Option<&Path>) -> Result<Binaries, ClusterError> {
    if let Some(folder) = configured {
        return in_folder(folder).ok_or_else(|| ClusterError::NoBinaries {
            looked_in: folder.display().to_string(),
        });
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    newest_first(Path::new(DEBIAN_FOLDER))
        .into_iter()
        .chain(std::env::split_paths(&path))
        .find_map(|folder| in_folder(&folder))
        .ok_or_else(|| ClusterError::NoBinaries {
            looked_in: format!("{DEBIAN_FOLDER}/*/bin or PATH"),
        })
}

fn newest_first(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .collect();
    versions.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

fn in_folder(folder: &Path) -> Option<Binaries> {
    // `initdb` asks for the `postgres` beside it, so both have to be there; links are followed as the shell would.
    let postgres = folder.join("postgres");
    if !folder.join("initdb").is_file() || !postgres.is_file() {
        return None;
    }
    let output = Command::new(&postgres).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(Binaries {
        folder: folder.to_owned(),
        major: major_version(&text)?,
    })
}

/// Reads `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
fn major_version(text: &str) -> Option<u32> {
    let number = text.split_whitespace().nth(2)?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_the_server_says() {
        for (text, major) in [
            (
                "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n",
                Some(15),
            ),
            ("postgres (PostgreSQL) 18beta1\n", Some(18)),
            ("postgres (PostgreSQL) 17.2", Some(17)),
            ("bash: postgres: not found", None),
            ("", None),
        ] {
            assert_eq!(major_version(text), major, "{text:?}");
        }
    }

    #[test]
    fn a_configured_folder_without_a_server_is_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let error = find_binaries(Some(folder.path())).unwrap_err().to_string();
        assert!(
            error.contains(&folder.path().display().to_string())
                && error.contains("apt-get install postgresql"),
            "{error}"
        );
    }
}
