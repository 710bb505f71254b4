use super::*;
use crate::master;
use std::fs;

const DAY_S: u64 = 24 * 60 * 60;
const NOW_S: u64 = 1_795_000_000;

struct Place {
    folder: tempfile::TempDir,
    store: KeyStore,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let store = KeyStore::open(&keys, &keys.join("backup")).unwrap();
        Place { folder, store }
    }

    fn master(&self, name: &str) -> MasterKeySource {
        let path = self.folder.path().join(name);
        if !path.exists() {
            master::make(&path).unwrap();
        }
        MasterKeySource::File(path)
    }

    /// With a key for each of these clients.
    async fn with(clients: &[&str]) -> (Place, Vec<Slot>) {
        let place = Place::new();
        let master = place.master("one");
        let locked = place.store.lock().await.unwrap();
        locked.make_if_missing(&master).unwrap();
        let unlocked = locked.unlock(&master).unwrap();
        let make = |client: &&str| unlocked.make_slot(SlotState::Live, &code(client), NOW_S).0;
        let mut slots: Vec<_> = clients.iter().map(make).collect();
        for slot in &mut slots {
            slot.pan_index =
                Some(unlocked.pan_index(&format!("AAAPZ{}Z", &slot.client.as_str()[2..])));
        }
        locked.add(&slots).unwrap();
        drop(locked);
        (place, slots)
    }

    /// The files below the folder that hold these bytes.
    fn holding(&self, bytes: &[u8]) -> Vec<PathBuf> {
        fn walk(folder: &Path, bytes: &[u8], found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, bytes, found);
                } else if fs::read(&path)
                    .unwrap()
                    .windows(bytes.len())
                    .any(|window| window == bytes)
                {
                    found.push(path);
                }
            }
        }
        let mut found = vec![];
        walk(self.folder.path(), bytes, &mut found);
        found
    }

    fn clients(&self) -> Vec<String> {
        let contents = self.store.read().unwrap();
        contents
            .slots
            .iter()
            .map(|(_, slot)| slot.client.to_string())
            .collect()
    }
}

fn code(text: &str) -> ClientCode {
    text.parse().unwrap()
}

#[tokio::test]
async fn folders_and_files_are_their_owners_alone() {
    let (place, _) = Place::with(&["C00001"]).await;
    place.store.lock().await.unwrap().back_up(NOW_S).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let keys = place.folder.path().join("keys");
    assert_eq!((mode(&keys), mode(&keys.join("backup"))), (0o700, 0o700));
    for file in [
        keys.join(FILE),
        keys.join(LOCK),
        keys.join("backup").join(format!("client-{NOW_S}.keys")),
        place.folder.path().join("one"),
    ] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn what_keeps_the_store_shut_is_one_clear_sentence() {
    let (place, _) = Place::with(&["C00001"]).await;
    let said = |source: &MasterKeySource| place.store.unlock(source).err().unwrap().to_string();
    let wrong = said(&place.master("two"));
    assert!(
        wrong.contains("set the one it was wrapped by") && wrong.contains("two"),
        "{wrong}"
    );
    let missing = said(&MasterKeySource::File(place.folder.path().join("none")));
    assert!(
        missing.starts_with("there is no master key at"),
        "{missing}"
    );
    let file = place.store.path();
    let good = fs::read(&file).unwrap();
    let mut newer = good.clone();
    newer[9] = 9;
    fs::write(&file, newer).unwrap();
    assert!(said(&place.master("one")).contains("is of format 9, this release knows format 1"));
    fs::write(&file, &good[..100]).unwrap();
    assert!(said(&place.master("one")).contains("restore it from a backup"));
    fs::remove_file(&file).unwrap();
    assert!(said(&place.master("one")).contains("there is no key store"));
}

#[tokio::test]
async fn a_wrapped_key_opens_for_its_client_and_id_alone() {
    let (place, slots) = Place::with(&["C00001", "C00002"]).await;
    let unlocked = place.store.unlock(&place.master("one")).unwrap();
    assert!(unlocked.key(&slots[0].client, slots[0].key_id).is_some());
    assert!(unlocked.key(&slots[1].client, slots[0].key_id).is_none());
    let stolen = Slot {
        client: slots[1].client.clone(),
        ..slots[0].clone()
    };
    assert!(unlocked.unwrap(&stolen).is_none());
    let renamed = Slot {
        key_id: slots[1].key_id,
        ..slots[0].clone()
    };
    assert!(unlocked.unwrap(&renamed).is_none());
}

#[tokio::test]
async fn a_destroyed_key_is_in_no_file_and_its_slot_is_used_again() {
    let (place, slots) = Place::with(&["C00001", "C00002", "C00003"]).await;
    let locked = place.store.lock().await.unwrap();
    locked.back_up(NOW_S).unwrap();
    locked.back_up(NOW_S + DAY_S).unwrap();
    let gone = &slots[1];
    assert_eq!(
        place.holding(&gone.wrapped).len(),
        3,
        "the search finds what is there"
    );
    locked.destroy(&|slot| slot.key_id == gone.key_id).unwrap();
    let index = gone.pan_index.unwrap();
    for bytes in [
        &gone.wrapped[..],
        &index,
        gone.key_id.0.as_bytes(),
        b"C00002",
    ] {
        assert_eq!(place.holding(bytes), Vec::<PathBuf>::new());
    }
    assert_eq!(place.clients(), ["C00001", "C00003"]);
    // Once more changes nothing.
    locked.destroy(&|slot| slot.key_id == gone.key_id).unwrap();
    let unlocked = locked.unlock(&place.master("one")).unwrap();
    let (slot, _) = unlocked.make_slot(SlotState::Live, &code("C00004"), NOW_S);
    locked.add(&[slot]).unwrap();
    assert_eq!(place.clients(), ["C00001", "C00004", "C00003"]);
}

#[tokio::test]
async fn a_damaged_slot_is_counted_and_left_for_who_mends_it() {
    let (place, slots) = Place::with(&["C00001", "C00002"]).await;
    let file = place.store.path();
    let mut bytes = fs::read(&file).unwrap();
    bytes[slot::PAGE_BYTES + 40] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let master = place.master("one");
    let unlocked = place.store.unlock(&master).unwrap();
    assert_eq!((unlocked.damaged(), unlocked.slots().count()), (1, 1));
    let locked = place.store.lock().await.unwrap();
    locked
        .add(&[unlocked
            .make_slot(SlotState::Live, &code("C00003"), NOW_S)
            .0])
        .unwrap();
    assert_eq!(place.clients(), ["C00002", "C00003"]);
    assert!(!place.holding(&slots[0].wrapped[10..]).is_empty());
}

#[tokio::test]
async fn a_backup_lives_for_a_week_and_there_are_not_many() {
    let (place, slots) = Place::with(&["C00001"]).await;
    let locked = place.store.lock().await.unwrap();
    for day in 0..9 {
        locked.back_up(NOW_S + day * DAY_S).unwrap();
    }
    let left = |place: &Place| place.store.backup_files().unwrap().len();
    assert_eq!(left(&place), 8, "of today and of the seven days before");
    locked.prune(NOW_S + 30 * DAY_S).unwrap();
    assert_eq!(left(&place), 0);
    for second in 0..BACKUPS_MAX as u64 + 5 {
        locked.back_up(NOW_S + second).unwrap();
    }
    assert_eq!(left(&place), BACKUPS_MAX);
    // A copy that a crash left unfinished goes too.
    fs::copy(
        place.store.path(),
        place.folder.path().join("keys/backup/.unfinished"),
    )
    .unwrap();
    locked.prune(NOW_S + 30 * DAY_S).unwrap();
    assert_eq!(place.holding(&slots[0].wrapped), [place.store.path()]);
}

#[tokio::test]
async fn another_master_key_opens_the_same_keys_and_the_old_one_none() {
    let (place, slots) = Place::with(&["C00001", "C00002"]).await;
    let (one, two) = (place.master("one"), place.master("two"));
    let before = place.store.unlock(&one).unwrap();
    let locked = place.store.lock().await.unwrap();
    locked.back_up(NOW_S).unwrap();
    assert!(
        locked
            .rewrap(&place.master("three"), &two, NOW_S + 1)
            .is_err()
    );
    let done = locked.rewrap(&one, &two, NOW_S + 1).unwrap();
    assert_eq!(done, Rewrapped::Now { keys: 2, lost: 0 });
    assert!(place.store.unlock(&one).is_err());
    let after = place.store.unlock(&two).unwrap();
    for slot in &slots {
        let key = |unlocked: &Unlocked| *unlocked.key(&slot.client, slot.key_id).unwrap().bytes();
        assert_eq!(key(&before), key(&after));
        // Not even the old wrapping is left, in the store or a backup.
        assert_eq!(place.holding(&slot.wrapped), Vec::<PathBuf>::new());
    }
    assert_eq!(
        before.pan_index("AAAPZ0001Z"),
        after.pan_index("AAAPZ0001Z")
    );
    assert_eq!(place.store.backup_files().unwrap().len(), 1);
    assert_eq!(
        locked.rewrap(&one, &two, NOW_S + 2).unwrap(),
        Rewrapped::Already
    );
}

#[tokio::test]
async fn a_change_of_the_master_key_that_is_cut_short_leaves_exactly_one_that_opens() {
    let (place, _) = Place::with(&["C00001"]).await;
    let (one, two) = (place.master("one"), place.master("two"));
    let keys = place.folder.path().join("keys");
    // Cut while the new file was written.
    fs::write(keys.join(NEXT), b"half a page").unwrap();
    drop(place.store.lock().await.unwrap());
    assert!(!keys.join(NEXT).exists() && place.store.unlock(&one).is_ok());
    // Cut between the old file's second name and the new one's first: the store itself must not be overwritten.
    fs::write(keys.join(NEXT), fs::read(place.store.path()).unwrap()).unwrap();
    fs::hard_link(place.store.path(), keys.join(OLD)).unwrap();
    drop(place.store.lock().await.unwrap());
    assert!(!keys.join(OLD).exists() && place.store.unlock(&one).is_ok());
    assert_eq!(place.clients(), ["C00001"]);
    // Cut behind the new file: the old one is overwritten, and the same again makes the backup.
    let old = fs::read(place.store.path()).unwrap();
    place
        .store
        .lock()
        .await
        .unwrap()
        .rewrap(&one, &two, NOW_S)
        .unwrap();
    fs::write(keys.join(OLD), &old).unwrap();
    for backup in place.store.backup_files().unwrap() {
        fs::write(&backup, &old).unwrap();
    }
    let locked = place.store.lock().await.unwrap();
    assert!(!keys.join(OLD).exists());
    assert_eq!(
        locked.rewrap(&one, &two, NOW_S + 1).unwrap(),
        Rewrapped::Already
    );
    let wrapped = Contents::read(&place.store.path()).unwrap().page;
    for backup in place.store.backup_files().unwrap() {
        assert_eq!(
            Contents::read(&backup).unwrap().page,
            wrapped,
            "{}",
            backup.display()
        );
    }
    assert!(place.store.unlock(&two).is_ok());
}
