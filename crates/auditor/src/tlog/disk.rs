//! Files that are there whole or not at all, also after a crash.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes a file under its name in one step: beside, synced, renamed. The folder it is in is made if need be; to make the name
/// durable is left to [`sync_folder`], so that many files cost one.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().expect("a file of ours lies in a folder");
    fs::create_dir_all(folder)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
