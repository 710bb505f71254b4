//! The shared vectors: exports under `tests/vectors`, edited as a line of `cases.txt` says, with the verdict both verifiers must give.
//!
//! Edits, separated by `;`: `sub FILE FROM TO` (the first occurrence), `drop FILE N`, `double FILE N M` (line N again before line M),
//! `swap FILE N M` (lines, from 0), `add FILE TEXT` (at the end), `renumber FILE`
//! (index and position of each line are those of its place), `cut FILE BYTES` (from the end), `flip FILE BYTE`, `remove FILE`,
//! `like FILE FOLDER` (the file of another vector), `relist` (the manifest made to fit again, as a forger would).

use super::python::Python;
use super::sample;
use squareoff_auditor::verify::{FileHash, MANIFEST, Manifest, Verdict, verify_export};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// The log of 12 events sealed after 1, 5, 8 and 12, whole and filtered, and another history signed by the same key.
fn make(folder: &Path) {
    let entries = sample::entries(12);
    sample::export(&folder.join("whole"), &entries, &[1, 5, 8, 12], None);
    sample::export(
        &folder.join("filtered"),
        &entries,
        &[12],
        Some(|index| index % 5 != 2),
    );
    // A log that its own keeper rewrote before it was sealed: event 4 is another, and what follows it holds the old one's hash.
    let mut rewritten = sample::entries(12);
    let at = rewritten[4]
        .windows(8)
        .position(|bytes| bytes == b"quantity")
        .unwrap();
    rewritten[4][at] = b'Q';
    sample::export(&folder.join("rewritten"), &rewritten, &[1, 5, 8, 12], None);
    let rechained = sample::entries_but(12, 4);
    sample::export(&folder.join("rechained"), &rechained, &[1, 5, 8, 12], None);
    // Event 6 was taken out before the log was sealed.
    let mut shortened = sample::entries(13);
    shortened.remove(6);
    sample::export(&folder.join("shortened"), &shortened, &[12], None);
    sample::export(&folder.join("empty"), &[], &[0], None);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn files(folder: &Path, below: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    let mut entries: Vec<_> = fs::read_dir(folder.join(below))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = below.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            files(folder, &name, found);
        } else {
            found.push((name.clone(), fs::read(folder.join(&name)).unwrap()));
        }
    }
}

/// To make them anew: remove the folders and run this, which writes what is missing and fails.
#[test]
fn the_vectors_are_what_this_release_exports() {
    let made = tempfile::tempdir().unwrap();
    make(made.path());
    let mut written = Vec::new();
    for name in [
        "whole",
        "filtered",
        "rewritten",
        "rechained",
        "shortened",
        "empty",
    ] {
        let stored = vectors().join(name);
        if !stored.exists() {
            copy(&made.path().join(name), &stored);
            written.push(name);
            continue;
        }
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        files(&stored, Path::new(""), &mut expected);
        files(&made.path().join(name), Path::new(""), &mut found);
        assert!(expected == found, "{name} is exported in other bytes");
    }
    assert!(
        written.is_empty(),
        "{written:?} were missing and are written now"
    );
}

#[test]
fn both_verifiers_give_the_verdict_of_every_case() {
    let mut python = Python::start();
    let (mut count, mut wrong) = (0, Vec::new());
    let table = fs::read_to_string(vectors().join("cases.txt")).unwrap();
    let cases = table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    for case in cases {
        let [expected, base, edits] = case.splitn(3, '|').map(str::trim).collect::<Vec<_>>()[..]
        else {
            panic!("`{case}` is not `verdict | vector | edits`");
        };
        let folder = tempfile::tempdir().unwrap();
        copy(&vectors().join(base), folder.path());
        for edit in edits
            .split(';')
            .map(str::trim)
            .filter(|edit| !edit.is_empty())
        {
            apply(edit, folder.path());
        }
        let (ours, theirs) = (
            sample::verdict(folder.path()),
            python.verdict(folder.path()),
        );
        if (ours.as_str(), theirs.as_str()) != (expected, expected) {
            wrong.push(format!("ours `{ours}`, verify.py `{theirs}`: {case}"));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 40);
}

fn apply(edit: &str, folder: &Path) {
    let words: Vec<_> = edit.split(' ').collect();
    let path = |name: &str| folder.join(name);
    let number = |text: &str| text.parse::<usize>().unwrap();
    let lines = |name: &str| -> Vec<Vec<u8>> {
        let bytes = fs::read(path(name)).unwrap();
        bytes
            .split_inclusive(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect()
    };
    match words[..] {
        ["sub", file, from, to] => {
            let text = fs::read_to_string(path(file)).unwrap();
            assert!(text.contains(from), "{edit}");
            fs::write(path(file), text.replacen(from, to, 1)).unwrap();
        }
        ["drop", file, at] => {
            let mut lines = lines(file);
            lines.remove(number(at));
            fs::write(path(file), lines.concat()).unwrap();
        }
        ["double", file, from, to] => {
            let mut lines = lines(file);
            lines.insert(number(to), lines[number(from)].clone());
            fs::write(path(file), lines.concat()).unwrap();
        }
        ["swap", file, one, other] => {
            let mut lines = lines(file);
            lines.swap(number(one), number(other));
            fs::write(path(file), lines.concat()).unwrap();
        }
        ["add", file, text] => {
            let mut bytes = fs::read(path(file)).unwrap();
            bytes.extend(text.replace("\\n", "\n").bytes());
            fs::write(path(file), bytes).unwrap();
        }
        ["renumber", file] => {
            let mut renumbered = Vec::new();
            for (place, line) in lines(file).into_iter().enumerate() {
                let line = String::from_utf8(line).unwrap();
                let rest = line.splitn(3, ',').nth(2).unwrap();
                let labels = format!("{{\"index\":{place},\"position\":\"{}\"", place + 1);
                renumbered.extend(format!("{labels},{rest}").bytes());
            }
            fs::write(path(file), renumbered).unwrap();
        }
        ["cut", file, bytes] => {
            let mut content = fs::read(path(file)).unwrap();
            content.truncate(content.len() - number(bytes));
            fs::write(path(file), content).unwrap();
        }
        ["flip", file, at] => {
            let mut bytes = fs::read(path(file)).unwrap();
            bytes[number(at)] ^= 1;
            fs::write(path(file), bytes).unwrap();
        }
        ["remove", file] => fs::remove_file(path(file)).unwrap(),
        ["like", file, vector] => {
            fs::copy(vectors().join(vector).join(file), path(file)).unwrap();
        }
        ["relist"] => {
            let manifest = fs::read(path(MANIFEST)).unwrap();
            let mut manifest: Manifest = serde_json::from_slice(&manifest).unwrap();
            for (name, listed) in &mut manifest.files {
                *listed = FileHash::of(&fs::read(path(name)).unwrap_or_default());
            }
            sample::write_manifest(folder, &manifest);
        }
        _ => panic!("`{edit}` is no edit"),
    }
}

#[test]
fn an_older_head_is_proved_a_prefix_and_a_fork_or_a_rollback_is_not() {
    let whole = vectors().join("whole");
    let head = |vector: &str, nth: usize| {
        let lines = fs::read_to_string(vectors().join(vector).join("checkpoints.jsonl")).unwrap();
        let line: serde_json::Value =
            serde_json::from_str(lines.lines().nth(nth).unwrap()).unwrap();
        line["note"].as_str().unwrap().to_owned()
    };
    let longer = tempfile::tempdir().unwrap();
    sample::export(longer.path(), &sample::entries(20), &[13, 20], None);
    let newer = fs::read_to_string(longer.path().join("checkpoint")).unwrap();
    let forged = head("whole", 1).replace("\n5\n", "\n4\n");
    for (head, expected) in [
        (head("whole", 0), "intact"),
        (head("whole", 2), "intact"),
        (head("rewritten", 0), "intact"),
        (head("rewritten", 1), "head"),
        (newer, "head at 12"),
        (forged, "head"),
    ] {
        let report = verify_export(&whole, &sample::trust(), std::slice::from_ref(&head)).unwrap();
        assert_eq!(sample::in_words(&report), expected, "{head}");
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &head).unwrap();
        let python = Command::new("python3")
            .args(["-B", super::python::VERIFIER])
            .arg(&whole)
            .arg(sample::log().public().to_string())
            .arg("--older")
            .arg(file.path())
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(python.stdout).unwrap().trim_end(),
            expected
        );
        assert_eq!(python.status.code(), Some(i32::from(expected != "intact")));
    }
    assert!(
        verify_export(
            &vectors().join("filtered"),
            &sample::trust(),
            &[head("whole", 0)]
        )
        .is_err()
    );
}

/// A misspelt option must not be a check that was left out, and what can't be told is no verdict.
#[test]
fn what_the_python_verifier_cannot_tell_is_a_sentence_and_no_verdict() {
    let (whole, filtered) = (vectors().join("whole"), vectors().join("filtered"));
    let (key, head) = (sample::log().public().to_string(), whole.join("checkpoint"));
    let (whole, filtered, head) = (
        whole.to_str().unwrap(),
        filtered.to_str().unwrap(),
        head.to_str().unwrap(),
    );
    for (arguments, says) in [
        (&[whole][..], "python3 verify.py FOLDER LOG_VKEY"),
        (&[whole, &key, "--witnes", &key], "python3 verify.py FOLDER"),
        (&[whole, &key, "--witness"], "python3 verify.py FOLDER"),
        (&[whole, "hello"], "no vkey: hello"),
        (&[whole, &key, "--witness", "a+b+c"], "no vkey: a+b+c"),
        (&["/nowhere", &key], "/nowhere is no folder"),
        (&[whole, &key, "--older", "/nowhere"], "No such file"),
        (
            &[filtered, &key, "--older", head],
            "a filtered export can't prove",
        ),
    ] {
        let said = Command::new("python3")
            .args(["-B", super::python::VERIFIER])
            .args(arguments)
            .output()
            .unwrap();
        let error = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(
            error.contains(says) && !error.contains("Traceback"),
            "{error}"
        );
    }
    let nowhere = verify_export(Path::new("/nowhere"), &sample::trust(), &[]);
    assert_eq!(nowhere.unwrap_err().to_string(), "/nowhere is no folder");
}

#[test]
fn the_event_is_named_by_its_stream_and_version() {
    let check = |edit: &str, expected: Option<(&str, u64)>| {
        let folder = tempfile::tempdir().unwrap();
        copy(&vectors().join("whole"), folder.path());
        apply(edit, folder.path());
        let report = verify_export(folder.path(), &sample::trust(), &[]).unwrap();
        let Verdict::Damaged(damage) = report.verdict else {
            panic!("{edit}");
        };
        let event = damage
            .event
            .as_ref()
            .map(|(stream, version)| (stream.as_str(), *version));
        assert_eq!(event, expected, "{edit}: {damage}");
    };
    // Another event of its stream holds the hash of event 4, and none that of event 11.
    check(
        "sub entries.jsonl \"quantity\":100 \"quantity\":101",
        Some(("position-2026-11-20-CL2", 1)),
    );
    check("drop entries.jsonl 4", Some(("position-2026-11-20-CL2", 1)));
    check("drop entries.jsonl 11", None);
    check(
        "sub entries.jsonl \"quantity\":275 \"quantity\":276",
        Some(("position-2026-11-21-CL2", 2)),
    );
}

#[test]
fn a_checkpoint_of_another_key_is_not_trusted() {
    let mut trust = sample::trust();
    trust.log =
        sample::key("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k");
    let report = verify_export(&vectors().join("whole"), &trust, &[]).unwrap();
    assert_eq!(sample::in_words(&report), "checkpoint");
    let mut trust = sample::trust();
    trust.witnesses.push(sample::log().public().clone());
    assert_eq!(
        sample::in_words(&verify_export(&vectors().join("whole"), &trust, &[]).unwrap()),
        "intact"
    );
    trust.witnesses.push(sample::key(
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    ));
    assert_eq!(
        sample::in_words(&verify_export(&vectors().join("whole"), &trust, &[]).unwrap()),
        "witness"
    );
}
