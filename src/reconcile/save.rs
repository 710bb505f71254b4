//! Dated reports in a folder: each is written beside its place and renamed into it, so that nobody ever reads half of one, and the same
//! day again replaces it.

use super::{csv, json, text};
use crate::replay::paper::Paper;
use crate::replay::zone::Zone;
use anyhow::{Context, Result};
use squareoff_reconcile::Reconciliation;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// For whoever opens the text in an editor or a mail.
const WIDTH: usize = 100;

/// Writes the three reports; answers the text's path.
///
/// # Errors
/// When the folder can't be written to; reports of that name are whole, of this run or of the one before.
pub fn save(done: &Reconciliation, folder: &Path) -> Result<PathBuf> {
    let write = || -> Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let venue = done.scope.venue;
        let venue = venue.map_or_else(String::new, |venue| format!("-{venue}"));
        let name = format!("reconciliation-{}{venue}", done.scope.date);
        let paper = Paper {
            width: Some(WIDTH),
            colour: false,
            zone: Zone::IST,
        };
        let whole = |extension: &str, content: &str| -> Result<PathBuf> {
            let path = folder.join(format!("{name}.{extension}"));
            let mut beside = tempfile::NamedTempFile::new_in(folder)?;
            beside.write_all(content.as_bytes())?;
            // Clients' trades are not everybody's to read; who may is the folder's owner's group.
            let readable = fs::Permissions::from_mode(0o640);
            beside.as_file().set_permissions(readable)?;
            beside.as_file().sync_all()?;
            beside.persist(&path)?;
            Ok(path)
        };
        whole("json", &format!("{}\n", json::report(done)))?;
        whole("csv", &csv::breaks(done)?)?;
        let path = whole("txt", &text::report(done, &paper))?;
        File::open(folder)?.sync_all()?;
        Ok(path)
    };
    write().with_context(|| format!("the reports cannot be written to {}", folder.display()))
}
