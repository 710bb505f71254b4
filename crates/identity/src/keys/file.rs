//! Reading and writing the file of slots, and overwriting what must not be read again.

use super::slot::{NoPage, PAGE_BYTES, Page, SLOT_BYTES, Slot};
use crate::IdentityError;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// A reader without a lock may meet a slot that is being written: it looks again, so often and after such a pause.
const TRIES: usize = 4;
const PAUSE: Duration = Duration::from_millis(2);
/// Bytes overwritten at a time.
const CHUNK: usize = 64 * 1_024;

/// A key store as it was read.
pub struct Contents {
    pub page: Page,
    /// By the number of the slot.
    pub slots: Vec<(u64, Slot)>,
    pub damaged: usize,
    free: Vec<u64>,
    /// The first number behind the file's end.
    end: u64,
}

impl Contents {
    /// # Errors
    /// [`IdentityError::Damaged`] or [`IdentityError::OtherFormat`] of the first page, or a failure of the disk.
    pub fn read(path: &Path) -> Result<Contents, IdentityError> {
        let mut contents = Contents::read_once(path)?;
        for _ in 1..TRIES {
            if contents.damaged == 0 {
                break;
            }
            std::thread::sleep(PAUSE);
            contents = Contents::read_once(path)?;
        }
        if contents.damaged > 0 {
            tracing::error!(file = %path.display(), slots = contents.damaged, "keys of the key store are damaged: restore a backup");
        }
        Ok(contents)
    }

    fn read_once(path: &Path) -> Result<Contents, IdentityError> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .map_err(|error| IdentityError::io(path, &error))?;
        let shown = || path.display().to_string();
        let page = Page::read(&bytes).map_err(|none| match none {
            NoPage::OtherFormat { found, known } => IdentityError::OtherFormat {
                path: shown(),
                found,
                known,
            },
            NoPage::Damaged => IdentityError::Damaged { path: shown() },
        })?;
        let mut contents = Contents {
            page,
            slots: vec![],
            damaged: 0,
            free: vec![],
            end: 0,
        };
        for (number, bytes) in (0..).zip(bytes[PAGE_BYTES..].chunks(SLOT_BYTES)) {
            contents.end = number + 1;
            match Slot::read(bytes) {
                Ok(Some(slot)) => contents.slots.push((number, slot)),
                Ok(None) => contents.free.push(number),
                Err(_) => contents.damaged += 1,
            }
        }
        Ok(contents)
    }

    /// Where new slots go: into free ones, then behind the end. A damaged one is left for whoever wants to look at it.
    pub fn place(&self, slots: &[Slot]) -> Vec<(u64, [u8; SLOT_BYTES])> {
        let numbers = self.free.iter().copied().chain(self.end..);
        numbers.zip(slots.iter().map(Slot::bytes)).collect()
    }
}

/// A whole store under a name of its own, durable when this returns.
pub fn make(path: &Path, page: &Page, slots: &[Slot]) -> Result<(), IdentityError> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(&page.bytes())?;
        for slot in slots {
            file.write_all(&slot.bytes())?;
        }
        file.sync_all()
    };
    write().map_err(|error| IdentityError::io(path, &error))
}

/// Writes slots in their places, durably.
pub fn write(path: &Path, slots: &[(u64, [u8; SLOT_BYTES])]) -> Result<(), IdentityError> {
    let write = || -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut run: Vec<u8> = Vec::new();
        let mut begins = None;
        // Neighbours go in one write: a first import is one run.
        for (index, (number, bytes)) in slots.iter().enumerate() {
            begins.get_or_insert(*number);
            run.extend_from_slice(bytes);
            if slots.get(index + 1).is_none_or(|next| next.0 != number + 1) {
                let first = begins.take().unwrap_or(*number);
                file.write_all_at(&run, at(first))?;
                run.clear();
            }
        }
        file.sync_all()
    };
    write().map_err(|error| IdentityError::io(path, &error))
}

/// Overwrites the wanted slots with zeros, durably; a file that is not there has none.
pub fn erase(path: &Path, wanted: &dyn Fn(&Slot) -> bool) -> Result<(), IdentityError> {
    if !path.exists() {
        return Ok(());
    }
    let contents = Contents::read(path)?;
    let zeros: Vec<_> = contents
        .slots
        .iter()
        .filter(|(_, slot)| wanted(slot))
        .map(|(number, _)| (*number, [0; SLOT_BYTES]))
        .collect();
    if zeros.is_empty() {
        return Ok(());
    }
    write(path, &zeros)
}

fn at(number: u64) -> u64 {
    PAGE_BYTES as u64 + number * SLOT_BYTES as u64
}

/// Overwrites a file with zeros, durably, and removes it.
pub fn wipe(path: &Path) -> Result<(), IdentityError> {
    let overwrite = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        let mut left = file.metadata()?.len();
        let zeros = [0; CHUNK];
        while left > 0 {
            let now = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            file.write_all(&zeros[..now])?;
            left -= now as u64;
        }
        file.sync_all()?;
        fs::remove_file(path)
    };
    overwrite().map_err(|error| IdentityError::io(path, &error))?;
    path.parent().map_or(Ok(()), sync_folder)
}

pub fn sync_folder(folder: &Path) -> Result<(), IdentityError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| IdentityError::io(folder, &error))
}
