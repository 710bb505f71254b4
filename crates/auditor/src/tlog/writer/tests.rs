//! The writer stopped at every step it takes, and the tree that is there then.

use super::super::hash::leaf_hash;
use super::super::note::{KeyKind, Signer};
use super::*;

fn leaf(index: u64) -> Hash {
    leaf_hash(&index.to_be_bytes())
}

fn signed(log: &TileLog) -> String {
    let signer = Signer::from_seed("test", KeyKind::Ed25519, &[1; 32]).unwrap();
    let checkpoint = Checkpoint {
        origin: "test".to_owned(),
        size: log.size(),
        root: log.root(),
    };
    checkpoint.sign(&signer).to_string()
}

fn root(size: u64) -> Hash {
    let mut tree = CompactRange::default();
    tree.extend((0..size).map(leaf));
    tree.root()
}

fn grow(log: &mut TileLog, size: u64) {
    while log.size() < size {
        log.append(leaf(log.size()));
    }
}

fn grow_and_commit(log: &mut TileLog, size: u64) {
    grow(log, size);
    log.write_tiles().unwrap();
    log.commit(&signed(log)).unwrap();
}

#[test]
fn every_tree_is_read_back_and_grows_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut committed = 0;
    for size in [
        0, 1, 2, 255, 256, 257, 511, 513, 1000, 65_536, 65_537, 66_000,
    ] {
        let mut log = TileLog::open(folder.path()).unwrap();
        assert_eq!((log.size(), log.root()), (committed, root(committed)));
        grow_and_commit(&mut log, size);
        committed = size;
        for tile in Tile::all(size) {
            let bytes = std::fs::read(folder.path().join(tile.path())).unwrap();
            assert_eq!(bytes.len() as u64, tile.bytes());
        }
    }
    assert!(!folder.path().join("tile/0/000.p").exists());
}

#[test]
fn a_crash_at_any_step_leaves_the_last_checkpoints_tree() {
    for (before, after) in [(0, 5), (200, 256), (250, 600), (255, 256), (300, 301)] {
        let steps = {
            let mut log = TileLog::open(tempfile::tempdir().unwrap().path()).unwrap();
            grow(&mut log, before);
            log.filled.clear();
            grow(&mut log, after);
            log.files().len()
        };
        for step in 0..=steps {
            let folder = tempfile::tempdir().unwrap();
            let mut log = TileLog::open(folder.path()).unwrap();
            grow_and_commit(&mut log, before);
            grow(&mut log, after);
            for (path, bytes) in log.files().into_iter().take(step) {
                disk::write(&folder.path().join(path), &bytes).unwrap();
            }
            // The next file has its first half beside its name.
            if let Some((path, bytes)) = log.files().into_iter().nth(step) {
                let beside = folder.path().join(path).with_added_extension("tmp");
                std::fs::create_dir_all(beside.parent().unwrap()).unwrap();
                std::fs::write(beside, &bytes[..bytes.len() / 2]).unwrap();
            }
            drop(log);
            let mut log = TileLog::open(folder.path()).unwrap();
            assert_eq!((log.size(), log.root()), (before, root(before)));
            grow_and_commit(&mut log, after + 1);
            let log = TileLog::open(folder.path()).unwrap();
            assert_eq!((log.size(), log.root()), (after + 1, root(after + 1)));
        }
    }
}

#[test]
fn partial_tiles_stay_until_a_checkpoint_covers_the_full_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = TileLog::open(folder.path()).unwrap();
    grow_and_commit(&mut log, 200);
    grow(&mut log, 300);
    log.write_tiles().unwrap();
    assert!(folder.path().join("tile/0/000.p/200").exists());
    log.commit(&signed(&log)).unwrap();
    assert!(!folder.path().join("tile/0/000.p").exists());
    // A reader of the older checkpoint is served from the full tile.
    assert_eq!(Tiles::new(folder.path(), 200).root(200).unwrap(), root(200));
}

#[test]
fn a_checkpoint_is_committed_only_of_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = TileLog::open(folder.path()).unwrap();
    grow(&mut log, 3);
    assert!(matches!(
        log.commit(&signed(&log)),
        Err(TileError::NotWritten { .. })
    ));
    log.write_tiles().unwrap();
    let note = signed(&log);
    grow(&mut log, 4);
    assert!(matches!(
        log.commit(&note),
        Err(TileError::NotWritten { .. })
    ));
    log.write_tiles().unwrap();
    let other = signed(&log).replace(&signed(&log)[7..20], "AAAAAAAAAAAAA");
    assert!(matches!(
        log.commit(&other),
        Err(TileError::NotTheCheckpoints { .. })
    ));
    assert!(matches!(
        log.commit("no note"),
        Err(TileError::Checkpoint { .. })
    ));
}

#[test]
fn damaged_tiles_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = TileLog::open(folder.path()).unwrap();
    grow_and_commit(&mut log, 5);
    let path = folder.path().join("tile/0/000.p/5");
    let tile = std::fs::read(&path).unwrap();
    let mut damaged = tile.clone();
    damaged[40] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    let error = TileLog::open(folder.path()).unwrap_err();
    assert!(matches!(
        error,
        TileError::NotTheCheckpoints { size: 5, .. }
    ));
    std::fs::write(&path, &tile[..159]).unwrap();
    let error = TileLog::open(folder.path()).unwrap_err();
    assert!(matches!(
        error,
        TileError::Length {
            found: 159,
            expected: 160,
            ..
        }
    ));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(
        TileLog::open(folder.path()).unwrap_err(),
        TileError::Io { .. }
    ));
    std::fs::write(folder.path().join(CHECKPOINT), "?").unwrap();
    let error = TileLog::open(folder.path()).unwrap_err();
    assert!(matches!(error, TileError::Checkpoint { .. }));
}
