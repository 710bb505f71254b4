//! Random edits of the stored bytes of a whole export, any file of it: each is detected, at the right first position.
//!
//! What is right is worked out from the bytes alone: the first line that differs, the first hash of a tile that does.

use super::python::Python;
use super::sample;
use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use squareoff_auditor::tlog::Tile;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Edits judged by our verifier; `AUDIT_EDITS` sets another number.
const EDITS: usize = 10_000;
/// One of these is judged by `verify.py` too, which takes a hundred times as long.
const PYTHON_EVERY: usize = 20;
/// Two levels of tiles, a full one among them.
const EVENTS: u64 = 300;

#[test]
fn random_edits_are_all_detected_in_their_place_and_both_verifiers_agree() {
    let edits = std::env::var("AUDIT_EDITS").map_or(EDITS, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    sample::export(
        folder.path(),
        &sample::entries(EVENTS),
        &[7, 256, EVENTS],
        None,
    );
    let mut python = Python::start();
    let mut random = ChaCha8Rng::seed_from_u64(20_261_121);
    let names = [
        "entries.jsonl",
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
        "checkpoint",
        "checkpoints.jsonl",
        "manifest.json",
        "manifest.sha256",
        "log.vkey",
    ];
    let contents = names.map(|name| fs::read(folder.path().join(name)).unwrap());
    let mut seen: HashMap<String, usize> = HashMap::new();
    for nth in 0..edits {
        // Half of all edits are of the entries.
        let file = random.random_range(0..2 * names.len());
        let file = if file < names.len() { file } else { 0 };
        let (name, original) = (names[file], &contents[file]);
        let edited = loop {
            let edited = edit(original, name, &mut random);
            if edited.as_ref() != Some(original) {
                break edited;
            }
        };
        let path = folder.path().join(name);
        match &edited {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let verdict = sample::verdict(folder.path());
        let expected = expected(name, original, edited.as_deref().unwrap_or_default());
        let keep = || keep(folder.path(), nth);
        assert!(
            expected.contains(&verdict),
            "edit {nth} of {name}: {verdict}, not one of {expected:?}; {}",
            keep().display()
        );
        if nth.is_multiple_of(PYTHON_EVERY) {
            let again = python.verdict(folder.path());
            assert_eq!(
                again,
                verdict,
                "verify.py on edit {nth} of {name}; {}",
                keep().display()
            );
        }
        let kind = verdict.split(' ').next().unwrap().to_owned();
        *seen.entry(kind).or_default() += 1;
        fs::write(&path, original).unwrap();
    }
    assert_eq!(sample::verdict(folder.path()), "intact");
    assert_eq!(python.verdict(folder.path()), "intact");
    let kinds = [
        "altered",
        "removed",
        "inserted",
        "reordered",
        "tile",
        "checkpoint",
        "manifest",
        "file",
    ];
    for kind in kinds {
        assert!(seen.contains_key(kind), "no edit was {kind}: {seen:?}");
    }
}

/// One edit, as an accident or a person would make it; `None` removes the file.
fn edit(original: &[u8], name: &str, random: &mut ChaCha8Rng) -> Option<Vec<u8>> {
    let mut bytes = original.to_vec();
    let at = random.random_range(0..bytes.len());
    let few = random.random_range(1..=8.min(bytes.len() - at));
    match random.random_range(0..12) {
        0..3 => bytes[at] ^= 1 << random.random_range(0..8),
        3 => random.fill(&mut bytes[at..at + few]),
        4 => drop(bytes.splice(at..at, (0..few).map(|_| random.random()))),
        5 => drop(bytes.drain(at..at + few)),
        6 => bytes.truncate(at),
        7 if random.random_ratio(1, 4) => return None,
        8 if name.ends_with("jsonl") => return Some(edit_lines(original, random)),
        9 if name.ends_with("jsonl") => return Some(edit_lines(original, random)),
        10 => {
            // Another digit for a digit: JSON stays JSON.
            let digits: Vec<_> = (0..bytes.len())
                .filter(|at| bytes[*at].is_ascii_digit())
                .collect();
            if let Some(at) = digits.choose(random) {
                bytes[*at] = random.random_range(b'0'..=b'9');
            }
        }
        _ => {
            let other = random.random_range(0..bytes.len() - few + 1);
            let from = bytes[other..other + few].to_vec();
            bytes[at..at + few].copy_from_slice(&from);
        }
    }
    Some(bytes)
}

fn edit_lines(original: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut lines: Vec<_> = original.split_inclusive(|byte| *byte == b'\n').collect();
    let at = random.random_range(0..lines.len());
    let other = random.random_range(0..lines.len());
    match random.random_range(0..5) {
        0 => drop(lines.remove(at)),
        1 => lines.swap(at, other),
        2 => lines.insert(at, lines[other]),
        3 => {
            let moved = lines.remove(at);
            lines.insert(other, moved);
        }
        _ => drop(lines.drain(at.min(other)..at.max(other))),
    }
    lines.concat()
}

/// The verdicts that are right for this edit.
fn expected(name: &str, original: &[u8], edited: &[u8]) -> Vec<String> {
    let only = |kinds: &[&str]| kinds.iter().map(|kind| (*kind).to_owned()).collect();
    let at = |kinds: &[&str], index: u64| {
        kinds
            .iter()
            .map(|kind| format!("{kind} at {index}"))
            .collect()
    };
    match name {
        "entries.jsonl" => {
            let lines = |bytes: &[u8]| -> Vec<Vec<u8>> {
                bytes
                    .split_inclusive(|byte| *byte == b'\n')
                    .map(<[u8]>::to_vec)
                    .collect()
            };
            let (original, edited) = (lines(original), lines(edited));
            let same = original
                .iter()
                .zip(&edited)
                .take_while(|(original, edited)| original == edited);
            let first = same.count();
            at(kinds(&original, &edited, first), first as u64)
        }
        "manifest.json" | "manifest.sha256" => only(&["manifest"]),
        "checkpoint" => only(&["checkpoint", "witness", "file"]),
        "checkpoints.jsonl" => only(&["checkpoint", "file"]),
        "log.vkey" => only(&["file"]),
        tile => {
            let tile = Tile::all(EVENTS)
                .find(|known| known.path() == tile)
                .unwrap();
            let mut chunks = edited.chunks(32);
            let same = original
                .chunks(32)
                .take_while(|chunk| chunks.next() == Some(chunk));
            at(&["tile"], tile.leaf(same.count() as u64))
        }
    }
}

/// What may be said of the first line that differs, going by which lines are still there.
fn kinds(original: &[Vec<u8>], edited: &[Vec<u8>], first: usize) -> &'static [&'static str] {
    let Some(gone) = original.get(first) else {
        return &["inserted"];
    };
    let is_there = edited.contains(gone);
    let known = edited.get(first).map(|line| original.contains(line));
    match (is_there, known) {
        (true, Some(true)) => {
            let copies = edited.iter().filter(|line| **line == edited[first]).count();
            if copies == 1 {
                &["reordered"]
            } else {
                &["inserted"]
            }
        }
        (true, Some(false)) => &["inserted"],
        (true, None) => &[],
        (false, Some(true)) | (false, None) => &["removed"],
        (false, Some(false)) => &["altered"],
    }
}

/// The folder as it is, beside the target folder's other leavings, for whoever looks into a failure.
fn keep(folder: &Path, nth: usize) -> PathBuf {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("edit-{nth}"));
    let _ = std::process::Command::new("cp")
        .arg("-r")
        .arg(folder)
        .arg(&kept)
        .status();
    kept
}
