//! A live store against its own tiles.

use super::sample;
use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use squareoff_auditor::tlog::{Checkpoint, Tile, leaf_hash};
use squareoff_auditor::verify::{Damage, DamageKind, Fields, Report, Trust, Verdict, verify_store};
use std::convert::Infallible;
use std::fs;
use std::path::Path;

fn verify_with(audit: &Path, trust: &Trust, heads: &[String], entries: &[Vec<u8>]) -> Report {
    let mut batches = entries.chunks(37).map(<[Vec<u8>]>::to_vec);
    let next = || Ok::<_, Infallible>(batches.next().unwrap_or_default());
    verify_store(audit, trust, heads, next).unwrap()
}

/// With the log's key alone.
fn verify(audit: &Path, entries: &[Vec<u8>]) -> Report {
    let trust = Trust {
        witnesses: vec![],
        ..sample::trust()
    };
    verify_with(audit, &trust, &[], entries)
}

fn damage(audit: &Path, entries: &[Vec<u8>]) -> Damage {
    match verify(audit, entries).verdict {
        Verdict::Damaged(damage) => damage,
        Verdict::Intact => panic!("nothing found"),
    }
}

#[test]
fn a_log_is_intact_up_to_its_checkpoint_and_chained_behind_it() {
    let entries = sample::entries(320);
    let audit = tempfile::tempdir().unwrap();
    let unsealed = verify(audit.path(), &entries);
    assert_eq!((unsealed.entries, unsealed.unsealed), (0, 320));
    assert_eq!(unsealed.verdict, Verdict::Intact);
    sample::seal(audit.path(), &entries, &[200, 300]);
    let report = verify(audit.path(), &entries);
    assert_eq!(
        (report.size, report.entries, report.unsealed),
        (300, 300, 20)
    );
    assert_eq!(report.verdict, Verdict::Intact);
}

#[test]
fn each_kind_of_damage_is_told_and_the_event_is_named() {
    let entries = sample::entries(320);
    let audit = tempfile::tempdir().unwrap();
    sample::seal(audit.path(), &entries, &[300]);
    let name = |index: usize| {
        let fields = Fields::of(&entries[index]).unwrap();
        Some((fields.stream.to_owned(), fields.version))
    };
    let check = |edit: &dyn Fn(&mut Vec<Vec<u8>>), kind, index: usize| {
        let mut edited = entries.clone();
        edit(&mut edited);
        let damage = damage(audit.path(), &edited);
        assert_eq!(
            (damage.kind, damage.index),
            (kind, Some(index as u64)),
            "{damage}"
        );
        damage.event
    };
    let flip = |entry: &mut Vec<u8>| *entry.last_mut().unwrap() ^= 1;
    assert_eq!(
        check(&|log| flip(&mut log[70]), DamageKind::Altered, 70),
        name(70)
    );
    assert_eq!(
        check(&|log| flip(&mut log[0]), DamageKind::Altered, 0),
        name(0)
    );
    assert_eq!(
        check(&|log| drop(log.remove(70)), DamageKind::Removed, 70),
        name(70)
    );
    assert_eq!(
        check(&|log| log.truncate(150), DamageKind::Removed, 150),
        None
    );
    assert_eq!(check(&|log| log.clear(), DamageKind::Removed, 0), None);
    check(&|log| log.swap(70, 90), DamageKind::Reordered, 70);
    check(
        &|log| log.insert(70, log[90].clone()),
        DamageKind::Inserted,
        70,
    );
    check(
        &|log| log.insert(70, b"never signed".to_vec()),
        DamageKind::Inserted,
        70,
    );
    // Behind the checkpoint the streams' chains are all there is.
    assert_eq!(
        check(&|log| drop(log.remove(299)), DamageKind::Removed, 299),
        name(299)
    );
    check(&|log| flip(&mut log[301]), DamageKind::Altered, 301);
    let next = (306..320)
        .find(|at| name(*at).unwrap().0 == name(305).unwrap().0)
        .unwrap();
    check(&|log| drop(log.remove(305)), DamageKind::Removed, next - 1);
}

#[test]
fn tiles_and_checkpoint_that_were_touched_are_named() {
    let entries = sample::entries(300);
    let audit = tempfile::tempdir().unwrap();
    sample::seal(audit.path(), &entries, &[300]);
    let flip = |name: &str, at: usize| {
        let path = audit.path().join(name);
        let original = fs::read(&path).unwrap();
        let mut bytes = original.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let damage = damage(audit.path(), &entries);
        fs::write(&path, original).unwrap();
        (damage.kind, damage.index)
    };
    // The root of the first full tile stands in the tile above, so that is as near as it gets.
    assert_eq!(flip("tile/0/000", 5 * 32), (DamageKind::Tile, Some(0)));
    assert_eq!(flip("tile/0/001.p/44", 5 * 32), (DamageKind::Tile, None));
    assert_eq!(flip("checkpoint", 25), (DamageKind::Checkpoint, None));
    let last = Tile::all(300).last().unwrap();
    fs::remove_file(audit.path().join("tile/0/000")).unwrap();
    assert_eq!(damage(audit.path(), &entries).index, Some(0));
    assert_eq!(last.level, 1);
}

/// A log of 150 events that tells of its own checkpoints over 60 and over 100 of them, and the notes of these.
fn told() -> (Vec<Vec<u8>>, Vec<String>) {
    let mut entries = sample::entries(150);
    let mut notes = Vec::new();
    for (version, size) in [(1, 60), (2, 100)] {
        let audit = tempfile::tempdir().unwrap();
        sample::seal(audit.path(), &entries, &[size]);
        let note = fs::read_to_string(audit.path().join("checkpoint")).unwrap();
        let body = serde_json::json!({ "size": size, "root": "", "note": note }).to_string();
        let at = size as usize + 2;
        let previous = if version > 1 {
            leaf_hash(&entries[62])
        } else {
            Default::default()
        };
        let fields = Fields {
            stream: "audit-checkpoints",
            version,
            event_type: "CheckpointSealed",
            previous,
            body: body.as_bytes(),
            ..Fields::of(&entries[0]).unwrap()
        };
        let mut entry = Vec::new();
        fields.encode(&mut entry);
        entries.insert(at, entry);
        notes.push(note);
    }
    (entries, notes)
}

#[test]
fn without_its_folder_a_log_is_held_to_the_checkpoints_that_it_tells_of() {
    let (entries, _) = told();
    let nothing = tempfile::tempdir().unwrap();
    let report = verify(nothing.path(), &entries);
    assert_eq!(report.verdict, Verdict::Intact);
    assert_eq!(
        (
            report.size,
            report.entries,
            report.unsealed,
            report.checkpoints
        ),
        (100, 100, 52, 2)
    );
    // A folder that was put back from before the second checkpoint.
    let older = tempfile::tempdir().unwrap();
    sample::seal(older.path(), &entries, &[60]);
    assert_eq!(verify(older.path(), &entries), report);
    // Who altered it made the hashes behind it fit again: the chains hold, the checkpoint does not.
    let tiles = tempfile::tempdir().unwrap();
    sample::seal(tiles.path(), &entries, &[100]);
    fs::remove_file(tiles.path().join("checkpoint")).unwrap();
    for (at, from) in [(10, 0), (80, 60)] {
        let mut edited = entries.clone();
        edited[at] = other(&entries[at]);
        rechain(&mut edited, at);
        let found = damage(nothing.path(), &edited);
        let altered = (DamageKind::Altered, Some(from));
        assert_eq!((found.kind, found.index), altered, "{found}");
        // Tiles that are there still say which event it is.
        let found = damage(tiles.path(), &edited);
        let altered = (DamageKind::Altered, Some(at as u64));
        assert_eq!((found.kind, found.index), altered, "{found}");
    }
    let mut cut = entries.clone();
    cut.drain(70..102);
    let cut = damage(nothing.path(), &cut);
    assert_eq!(cut.kind, DamageKind::Removed, "{cut}");
    let mut forged = entries.clone();
    let size = forged[62].windows(4).position(|bytes| bytes == b"\\n60");
    forged[62][size.unwrap() + 2] = b'5';
    rechain(&mut forged, 62);
    let forged = damage(nothing.path(), &forged);
    assert_eq!(
        (forged.kind, forged.index),
        (DamageKind::Checkpoint, Some(62))
    );
}

/// The same event with another body.
fn other(entry: &[u8]) -> Vec<u8> {
    let mut other = Vec::new();
    let fields = Fields {
        body: b"{}",
        ..Fields::of(entry).unwrap()
    };
    fields.encode(&mut other);
    other
}

/// Writes the right `previous` into every event behind the one that was changed, as a forger would.
fn rechain(entries: &mut [Vec<u8>], changed: usize) {
    for at in changed + 1..entries.len() {
        let stream = Fields::of(&entries[at]).unwrap().stream.to_owned();
        let before = entries[..at]
            .iter()
            .rfind(|before| Fields::of(before).unwrap().stream == stream);
        let previous = before.map(|before| leaf_hash(before)).unwrap_or_default();
        let mut again = Vec::new();
        let fields = Fields {
            previous,
            ..Fields::of(&entries[at]).unwrap()
        };
        fields.encode(&mut again);
        entries[at] = again;
    }
}

#[test]
fn a_head_that_was_kept_and_every_witness_are_asked_for_of_a_live_log_too() {
    let (entries, notes) = told();
    let audit = tempfile::tempdir().unwrap();
    sample::seal(audit.path(), &entries, &[100, 140]);
    let trust = Trust {
        witnesses: vec![],
        ..sample::trust()
    };
    let report = verify_with(audit.path(), &trust, &notes, &entries);
    assert_eq!(report.verdict, Verdict::Intact);
    let fork = tempfile::tempdir().unwrap();
    let (_, fork) = sample::seal(fork.path(), &sample::entries_but(60, 4), &[60]);
    let longer = tempfile::tempdir().unwrap();
    let (_, longer) = sample::seal(longer.path(), &sample::entries(400), &[400]);
    for (head, index) in [(fork, None), (longer, Some(152))] {
        let report = verify_with(audit.path(), &trust, &[head], &entries);
        let Verdict::Damaged(damage) = report.verdict else {
            panic!("nothing found")
        };
        assert_eq!((damage.kind, damage.index), (DamageKind::Head, index));
    }
    let told_by = |trust: &Trust| match verify_with(audit.path(), trust, &[], &entries).verdict {
        Verdict::Damaged(damage) => Some(damage.kind),
        Verdict::Intact => None,
    };
    assert_eq!(told_by(&sample::trust()), None);
    let mut stranger = sample::trust();
    let key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    stranger.witnesses.push(sample::key(key));
    assert_eq!(told_by(&stranger), Some(DamageKind::Witness));
    fs::remove_file(audit.path().join("cosigned")).unwrap();
    assert_eq!(told_by(&sample::trust()), Some(DamageKind::Witness));
    let head = fs::read_to_string(audit.path().join("checkpoint")).unwrap();
    assert_eq!(Checkpoint::open(&head, &trust.log).unwrap().0.size, 140);
}

/// Edits of a log in its own file, all of them under the checkpoint.
const EDITS: usize = 2_000;

#[test]
fn random_edits_of_the_stored_entries_are_all_detected_in_their_place() {
    const SEALED: usize = 60;
    let entries = sample::entries(70);
    let audit = tempfile::tempdir().unwrap();
    sample::seal(audit.path(), &entries, &[SEALED as u64]);
    let mut random = ChaCha8Rng::seed_from_u64(20_261_122);
    let mut kinds = std::collections::HashMap::new();
    for nth in 0..EDITS {
        let mut edited = entries.clone();
        let (at, other) = (random.random_range(0..SEALED), random.random_range(0..70));
        let entry = &mut edited[at];
        let byte = random.random_range(0..entry.len());
        match random.random_range(0..9) {
            0 | 1 => entry[byte] ^= 1 << random.random_range(0..8),
            2 => entry.insert(byte, random.random()),
            3 => drop(entry.remove(byte)),
            4 => entry.truncate(byte),
            5 => drop(edited.remove(at)),
            6 => edited.swap(at, other),
            7 => edited.insert(at, entries[other].clone()),
            _ => drop(edited.drain(at..)),
        }
        if edited == entries {
            continue;
        }
        let same = entries.iter().zip(&edited);
        let first = same.take_while(|(was, is)| was == is).count() as u64;
        let damage = damage(audit.path(), &edited);
        assert_eq!(damage.index, Some(first), "edit {nth}: {damage}");
        *kinds.entry(damage.kind).or_insert(0) += 1;
    }
    for kind in [
        DamageKind::Altered,
        DamageKind::Removed,
        DamageKind::Inserted,
        DamageKind::Reordered,
    ] {
        assert!(kinds.contains_key(&kind), "{kinds:?}");
    }
}
