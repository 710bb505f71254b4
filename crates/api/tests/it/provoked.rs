//! Every type of problem that there is, is provoked over HTTP by a test of this folder.

use squareoff_api::problem::known::{Known, SECTIONS};
use std::fs;
use std::path::{Path, PathBuf};

/// Types that no caller can be brought to get here, and why.
const NEVER: &[(&str, &str)] = &[
    (
        "bulk-already-proposed",
        "a proposal whose bulk is there gets its first answer, or `idempotency-key-reused`",
    ),
    (
        "not-the-proposer",
        "a bulk's id is made of who asks and their key: nobody else's request names it",
    ),
    (
        "too-many-items",
        "it takes more than a million open positions, which the rules' own scenarios have and no Postgres of a test",
    ),
];

/// The other files of this folder, in one text.
fn tests() -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let own = Path::new(file!()).file_name().unwrap();
    let files = fs::read_dir(here).unwrap().map(|file| file.unwrap().path());
    let others = files.filter(|file: &PathBuf| file.file_name() != Some(own));
    others
        .map(|file| fs::read_to_string(file).unwrap())
        .collect()
}

#[test]
fn every_type_of_problem_is_provoked_by_a_test_or_it_is_said_why_it_cannot_be() {
    let tests = tests();
    let is_named = |code: &str| {
        tests.contains(&format!("\"{code}\"")) || tests.contains(&format!("problem:{code}\""))
    };
    let known = || SECTIONS.iter().flat_map(|section| section.known);
    let is_known = |code: &str| known().any(|known| known.code == code);
    let excused = |code: &str| NEVER.iter().any(|(never, _)| *never == code);
    let untested = known().filter(|Known { code, .. }| !excused(code) && !is_named(code));
    let untested = Vec::from_iter(untested.map(|known| known.code));
    assert!(untested.is_empty(), "no test names {untested:?}");
    for (code, why) in NEVER {
        assert!(is_known(code) && !why.is_empty(), "{code} is no type");
        assert!(!is_named(code), "{code} is tested: it needs no excuse");
    }
}
