//! Copies of the key store, kept for a short time: long enough to mend a broken disk, short enough that an old copy kept by mistake forgets too.
//!
//! 1. A key that is destroyed is overwritten in every backup at once ([`Locked::destroy`]); the retention is the bound for copies that were
//!    out of reach then.
//! 2. A backup older than [`BACKUP_RETENTION`] is overwritten and removed whenever one is made, and by whoever calls [`Locked::prune`].
//! 3. After a change of the master key only backups under the new one are left.

use super::file::{self, Contents, wipe};
use super::{KeyStore, Locked, Slot, Unlocked};
use crate::IdentityError;
use crate::master::MasterKeySource;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A week: a broken key store is noticed on the next trading day.
pub const BACKUP_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Of an import each, so that a day of many imports does not fill the disk.
pub const BACKUPS_MAX: usize = 14;

const PREFIX: &str = "client-";
const SUFFIX: &str = ".keys";
/// A copy on its way to its name.
const UNFINISHED: &str = ".unfinished";

impl KeyStore {
    /// Every backup, oldest first, and every copy that a crash left unfinished.
    pub(super) fn backup_files(&self) -> Result<Vec<PathBuf>, IdentityError> {
        let io = |error| IdentityError::io(&self.backups, &error);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.backups).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if made_at_s(&path).is_some() {
                found.push(path);
            }
        }
        found.sort_by_key(|path| made_at_s(path));
        Ok(found)
    }
}

/// When a backup was made, in seconds since 1970, by its name.
fn made_at_s(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix(PREFIX)?
        .strip_suffix(SUFFIX)?
        .parse()
        .ok()
}

impl Locked<'_> {
    /// Copies the store, and removes what is older than the retention.
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn back_up(&self, now_s: u64) -> Result<PathBuf, IdentityError> {
        let contents = self.store.read()?;
        let slots: Vec<_> = contents.slots.into_iter().map(|(_, slot)| slot).collect();
        let path = self.store.backups.join(format!("{PREFIX}{now_s}{SUFFIX}"));
        let unfinished = self.store.backups.join(UNFINISHED);
        file::make(&unfinished, &contents.page, &slots)?;
        fs::rename(&unfinished, &path).map_err(|error| IdentityError::io(&path, &error))?;
        file::sync_folder(&self.store.backups)?;
        self.prune(now_s)?;
        Ok(path)
    }

    /// Overwrites and removes backups older than the retention, and the oldest above [`BACKUPS_MAX`].
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn prune(&self, now_s: u64) -> Result<(), IdentityError> {
        let unfinished = self.store.backups.join(UNFINISHED);
        if unfinished.exists() {
            wipe(&unfinished)?;
        }
        let backups = self.store.backup_files()?;
        let above = backups.len().saturating_sub(BACKUPS_MAX);
        for (index, path) in backups.iter().enumerate() {
            let age_s = now_s.saturating_sub(made_at_s(path).unwrap_or_default());
            if index < above || age_s > BACKUP_RETENTION.as_secs() {
                wipe(path)?;
            }
        }
        Ok(())
    }

    /// One backup under the master key of now, and none of another.
    pub(super) fn renew_backups(&self, now_s: u64) -> Result<(), IdentityError> {
        let kept = self.back_up(now_s)?;
        let page = self.store.read()?.page;
        for path in self.store.backup_files()? {
            let other =
                Contents::read(&path).map_or(true, |found| found.page.master != page.master);
            if path != kept && other {
                wipe(&path)?;
            }
        }
        Ok(())
    }

    /// What a backup holds, unlocked by the master key.
    ///
    /// # Errors
    /// As of [`KeyStore::unlock`], of the backup.
    pub fn read_backup(
        &self,
        path: &Path,
        source: &MasterKeySource,
    ) -> Result<Unlocked, IdentityError> {
        Unlocked::of(Contents::read(path)?, source)
    }

    /// Puts these slots of a backup in the place of the store, which is overwritten.
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn restore(&self, backup: &Unlocked, slots: &[Slot]) -> Result<(), IdentityError> {
        self.replace(&backup.contents.page, slots)
    }
}
