//! The key store: a file of wrapped data keys in a folder of its own, `keys`, outside of the event log and of the read database.
//!
//! 1. Whoever changes it holds [`KeyStore::lock`], one process at a time; readers need no lock.
//! 2. A key is on disk before anything is encrypted under it leaves for the log.
//! 3. A key that is destroyed is overwritten where it lies, in the store and in every backup, before the call returns.
//! 4. Master keys change by a whole new file that takes the old one's name at once; the old one is overwritten, then removed.
//!
//! What a disk keeps beneath the file (spare blocks of an SSD, snapshots, a copying filesystem) is out of reach from here: docs/PRIVACY.md.

mod backup;
mod file;
mod slot;

pub use backup::{BACKUP_RETENTION, BACKUPS_MAX};
pub use slot::{Slot, SlotState};

use crate::IdentityError;
use crate::cipher::Key;
use crate::master::{MasterKey, MasterKeySource};
use file::{Contents, wipe};
use slot::Page;
use squareoff_domain::{ClientCode, KeyId};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use uuid::Uuid;

const FILE: &str = "client.keys";
/// A whole new store on its way to the name [`FILE`].
const NEXT: &str = "client.keys.next";
/// The store that a new one took the name of, until it is overwritten.
const OLD: &str = "client.keys.old";
const LOCK: &str = "lock";

/// An import of a hundred thousand new clients holds the lock for some seconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Of a data key and the client it is for: what wraps it must not pass for another's.
fn wrapping_name(client: &ClientCode, key_id: KeyId) -> String {
    format!("squareoff data key v1|{client}|{key_id}")
}

const INDEX_NAME: &str = "squareoff index key v1";

/// Cheap to clone; holds no file open.
#[derive(Debug, Clone)]
pub struct KeyStore {
    folder: PathBuf,
    backups: PathBuf,
}

/// The store as it was read, unlocked by the master key.
pub struct Unlocked {
    master: MasterKey,
    index: Key,
    contents: Contents,
}

/// The right to change the store, held until it is dropped; the kernel lets go of it however the process ends.
pub struct Locked<'a> {
    store: &'a KeyStore,
    _lock: File,
}

impl KeyStore {
    /// The store in `folder`, with its backups in `backups`. Both folders are made, for their owner alone.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn open(folder: &Path, backups: &Path) -> Result<KeyStore, IdentityError> {
        for path in [folder, backups] {
            let io = |error| IdentityError::io(path, &error);
            fs::create_dir_all(path).map_err(io)?;
            fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(io)?;
        }
        Ok(KeyStore {
            folder: folder.to_owned(),
            backups: backups.to_owned(),
        })
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    pub fn exists(&self) -> bool {
        self.path().exists()
    }

    /// # Errors
    /// [`IdentityError::NoKeyStore`], [`IdentityError::WrongMasterKey`], and what is wrong with the file.
    pub fn unlock(&self, source: &MasterKeySource) -> Result<Unlocked, IdentityError> {
        let contents = self.read()?;
        Unlocked::of(contents, source)
    }

    /// # Errors
    /// As of [`KeyStore::unlock`], save for the master key.
    fn read(&self) -> Result<Contents, IdentityError> {
        if !self.exists() {
            return Err(IdentityError::NoKeyStore {
                folder: self.folder.display().to_string(),
            });
        }
        Contents::read(&self.path())
    }

    /// Waits, at most [`LOCK_PATIENCE`], until no other process changes the store. What a crash left half done is put right first.
    ///
    /// # Errors
    /// [`IdentityError::Busy`], or a failure of the disk.
    pub async fn lock(&self) -> Result<Locked<'_>, IdentityError> {
        let path = self.folder.join(LOCK);
        let io = |error| IdentityError::io(&path, &error);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        let begun = Instant::now();
        while lock.try_lock().is_err() {
            if begun.elapsed() > LOCK_PATIENCE {
                return Err(IdentityError::Busy {
                    seconds: LOCK_PATIENCE.as_secs(),
                });
            }
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        let locked = Locked {
            store: self,
            _lock: lock,
        };
        locked.clean()?;
        Ok(locked)
    }
}

impl Unlocked {
    fn of(contents: Contents, source: &MasterKeySource) -> Result<Unlocked, IdentityError> {
        let master = source.load()?;
        let wrong = || IdentityError::WrongMasterKey {
            place: source.to_string(),
            found: master.id(),
            wrapped_by: contents.page.master,
        };
        if contents.page.master != master.id() {
            return Err(wrong());
        }
        let index = master.wrap.open(INDEX_NAME, &contents.page.index);
        let index = index.and_then(|bytes| Key::of_bytes(&bytes));
        let Some(index) = index else {
            return Err(wrong());
        };
        Ok(Unlocked {
            master,
            index: index.derive("squareoff PAN blind index v1"),
            contents,
        })
    }

    /// Every key that is there.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.contents.slots.iter().map(|(_, slot)| slot)
    }

    /// Slots that the disk gave back otherwise than they were written.
    pub fn damaged(&self) -> usize {
        self.contents.damaged
    }

    /// The data key; `None` when it is not there, or does not open under the master key.
    pub fn key(&self, client: &ClientCode, key_id: KeyId) -> Option<Key> {
        let slot = self
            .slots()
            .find(|slot| slot.key_id == key_id && slot.client == *client)?;
        self.unwrap(slot)
    }

    pub fn unwrap(&self, slot: &Slot) -> Option<Key> {
        let name = wrapping_name(&slot.client, slot.key_id);
        let bytes = self.master.wrap.open(&name, &slot.wrapped)?;
        Key::of_bytes(&bytes)
    }

    /// What a PAN is found by: HMAC-SHA-256 of the PAN in capitals, under a key of its own.
    pub fn pan_index(&self, pan: &str) -> [u8; 32] {
        self.index.code(pan.trim().to_ascii_uppercase().as_bytes())
    }

    /// A slot with a new data key for the client, not yet in the store.
    pub fn make_slot(&self, state: SlotState, client: &ClientCode, now_s: u64) -> (Slot, Key) {
        let key = Key::random();
        let key_id = KeyId(Uuid::new_v4());
        let wrapped = self
            .master
            .wrap
            .seal(&wrapping_name(client, key_id), key.bytes());
        let slot = Slot {
            state,
            client: client.clone(),
            key_id,
            wrapped: wrapped.try_into().expect("a wrapped key has its length"),
            pan_index: None,
            made_at_s: now_s,
        };
        (slot, key)
    }
}

impl Locked<'_> {
    /// An empty store where there is none, and the master key where its source makes one.
    ///
    /// # Errors
    /// A failure of the disk or of the master key.
    pub fn make_if_missing(&self, source: &MasterKeySource) -> Result<(), IdentityError> {
        if self.store.exists() {
            return Ok(());
        }
        source.make_if_missing()?;
        let master = source.load()?;
        let index = master.wrap.seal(INDEX_NAME, Key::random().bytes());
        let page = Page {
            master: master.id(),
            index: index.try_into().expect("a wrapped key has its length"),
        };
        self.replace(&page, &[])
    }

    /// # Errors
    /// As [`KeyStore::unlock`].
    pub fn unlock(&self, source: &MasterKeySource) -> Result<Unlocked, IdentityError> {
        self.store.unlock(source)
    }

    /// Every slot, without a master key: which keys there are is no secret.
    ///
    /// # Errors
    /// [`IdentityError::NoKeyStore`], and what is wrong with the file.
    pub fn slots(&self) -> Result<Vec<Slot>, IdentityError> {
        let contents = self.store.read()?;
        Ok(contents.slots.into_iter().map(|(_, slot)| slot).collect())
    }

    /// Adds keys, durably.
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn add(&self, slots: &[Slot]) -> Result<(), IdentityError> {
        if slots.is_empty() {
            return Ok(());
        }
        let contents = self.store.read()?;
        file::write(&self.store.path(), &contents.place(slots))
    }

    /// Writes slots again that are there, found by their key ids; what is not there any more stays away.
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn update(&self, slots: &[Slot]) -> Result<(), IdentityError> {
        if slots.is_empty() {
            return Ok(());
        }
        let contents = self.store.read()?;
        let place = |slot: &Slot| {
            let found = contents.slots.iter();
            let mut found = found.filter(|(_, there)| there.key_id == slot.key_id);
            found.next().map(|(index, _)| (*index, slot.bytes()))
        };
        let writes: Vec<_> = slots.iter().filter_map(place).collect();
        file::write(&self.store.path(), &writes)
    }

    /// Overwrites the wanted keys with zeros, in every backup and then in the store, durably.
    ///
    /// # Errors
    /// A failure of the disk; the same again goes on.
    pub fn destroy(&self, wanted: &dyn Fn(&Slot) -> bool) -> Result<(), IdentityError> {
        for backup in self.store.backup_files()? {
            file::erase(&backup, wanted)?;
        }
        file::erase(&self.store.path(), wanted)
    }

    /// Wraps every key by another master key. Either the old one opens the store or the new one does, whenever the process ends; the
    /// same again finishes.
    ///
    /// # Errors
    /// [`IdentityError::WrongMasterKey`] when `from` is not the one; nothing is changed then.
    pub fn rewrap(
        &self,
        from: &MasterKeySource,
        to: &MasterKeySource,
        now_s: u64,
    ) -> Result<Rewrapped, IdentityError> {
        let new = to.load()?;
        let contents = self.store.read()?;
        if contents.page.master == new.id() {
            // The crash came behind the new file: its backups are left to be made.
            self.renew_backups(now_s)?;
            return Ok(Rewrapped::Already);
        }
        let old = Unlocked::of(contents, from)?;
        let index = old
            .master
            .wrap
            .open(INDEX_NAME, &old.contents.page.index)
            .expect("opened a moment ago");
        let page = Page {
            master: new.id(),
            index: new
                .wrap
                .seal(INDEX_NAME, &index)
                .try_into()
                .expect("a wrapped key has its length"),
        };
        let mut slots = Vec::new();
        let mut lost = 0;
        for slot in old.slots() {
            let Some(key) = old.unwrap(slot) else {
                lost += 1;
                continue;
            };
            let name = wrapping_name(&slot.client, slot.key_id);
            let wrapped = new.wrap.seal(&name, key.bytes());
            slots.push(Slot {
                wrapped: wrapped.try_into().expect("a wrapped key has its length"),
                ..slot.clone()
            });
        }
        let keys = slots.len();
        self.replace(&page, &slots)?;
        self.renew_backups(now_s)?;
        Ok(Rewrapped::Now { keys, lost })
    }

    /// Puts a whole new store under the name, and overwrites the one before.
    fn replace(&self, page: &Page, slots: &[Slot]) -> Result<(), IdentityError> {
        let (live, next, old) = (
            self.store.path(),
            self.store.folder.join(NEXT),
            self.store.folder.join(OLD),
        );
        file::make(&next, page, slots)?;
        if live.exists() {
            fs::hard_link(&live, &old).map_err(|error| IdentityError::io(&old, &error))?;
        }
        fs::rename(&next, &live).map_err(|error| IdentityError::io(&live, &error))?;
        file::sync_folder(&self.store.folder)?;
        self.clean()
    }

    /// What a crash may have left: a new store that never got the name, an old one that lost it, backups that are too old.
    fn clean(&self) -> Result<(), IdentityError> {
        let inode = |path: &Path| match fs::metadata(path) {
            Ok(metadata) => Ok(Some(metadata.ino())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(IdentityError::io(path, &error)),
        };
        let live = inode(&self.store.path())?;
        for name in [NEXT, OLD] {
            let path = self.store.folder.join(name);
            match inode(&path)? {
                None => {}
                // A second name of the live store: the crash came before the new one took the first.
                found if found == live => {
                    fs::remove_file(&path).map_err(|error| IdentityError::io(&path, &error))?;
                }
                Some(_) => wipe(&path)?,
            }
        }
        Ok(())
    }
}

/// What a change of the master key came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Rewrapped {
    /// `lost` keys did not open under the old master key and are left out.
    Now { keys: usize, lost: usize },
    /// The new master key wrapped the store before.
    Already,
}

#[cfg(test)]
mod tests;
