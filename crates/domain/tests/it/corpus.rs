//! `make fuzz` looks for new histories; these are the ones it kept, each with what it once reached or broke.

use crate::histories::{approval, bulk, platform, position, suspense};
use std::fs;
use std::path::Path;

/// Runs each file of `fuzz/corpus/<target>/`; a panic names the file.
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} has histories", folder.display());
    for file in files {
        let history = fs::read(&file).unwrap();
        let survived = std::panic::catch_unwind(|| run(&history));
        assert!(survived.is_ok(), "{}", file.display());
    }
}

#[test]
fn every_history_of_a_position_keeps_the_rules() {
    replay("position", position::run);
}

#[test]
fn every_history_of_the_platform_keeps_the_rules() {
    replay("platform", platform::run);
}

#[test]
fn every_history_of_a_bulk_keeps_the_rules() {
    replay("bulk", bulk::run);
}

#[test]
fn every_history_of_a_suspense_keeps_the_rules() {
    replay("suspense", suspense::run);
}

#[test]
fn every_history_of_an_approval_keeps_the_rules() {
    replay("approval", approval::run);
}
