//! What docs/ASVS.md and docs/SECURITY.md say stands in the code: every test and every file that a row names is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Requirements of levels 1 and 2 of ASVS 5.0.0.
const REQUIREMENTS: usize = 253;
const VERDICTS: [&str; 4] = ["met", "partly", "not met", "does not apply"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Cells of each row of each table, without the headings.
fn rows(page: &str, columns: usize) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("docs").join(page)).unwrap();
    let cells = |line: &str| {
        let inner = line.strip_prefix("| ")?.strip_suffix('|')?;
        Some(Vec::from_iter(
            inner.split(" | ").map(|cell| cell.trim().to_owned()),
        ))
    };
    let rows = text.lines().filter_map(cells);
    rows.filter(|row| row.len() == columns && !row[0].starts_with("---"))
        .collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names of all functions of the project.
fn functions() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in ["crates", "src", "tests", "bench/src"] {
        walk(&root().join(folder), &mut found);
    }
    assert!(found.len() > 1_000, "{}", found.len());
    found
}

fn walk(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.split("fn ").skip(1).map(|rest| {
                let is_name = |sign: &char| sign.is_ascii_alphanumeric() || *sign == '_';
                String::from_iter(rest.chars().take_while(is_name))
            });
            found.extend(names);
        }
    }
}

fn is_file(text: &str) -> bool {
    let kinds = [
        ".rs", ".md", ".toml", ".sql", ".yml", ".lock", ".json", ".sh",
    ];
    let of_image = ["Dockerfile", ".dockerignore"].contains(&text);
    of_image || kinds.iter().any(|kind| text.ends_with(kind)) && !text.starts_with('/')
}

/// From the root, or below `crates`.
fn is_there(path: &str) -> bool {
    let crates = root().join("crates").join(path);
    root().join(path).exists() || crates.exists()
}

#[test]
fn every_row_of_the_asvs_page_names_tests_and_files_that_are_there() {
    let rows = rows("ASVS.md", 6);
    let rows = Vec::from_iter(rows.iter().filter(|row| row[0].starts_with('V')));
    let ids = BTreeSet::from_iter(rows.iter().map(|row| &row[0]));
    assert_eq!((rows.len(), ids.len()), (REQUIREMENTS, REQUIREMENTS));
    let functions = functions();
    let mut wrong = Vec::new();
    for row in rows {
        let [id, level, asks, stands, how, tests] = &row[..] else {
            unreachable!("six cells")
        };
        let mut check = |right: bool, what: &str| {
            if !right {
                wrong.push(format!("{id}: {what}"));
            }
        };
        check(["1", "2"].contains(&level.as_str()), "its level");
        check(VERDICTS.contains(&stands.as_str()), stands);
        check(!asks.is_empty() && !how.is_empty(), "an empty cell");
        let proved = !tests.is_empty() || quoted(how).any(is_file);
        check(proved || stands != "met", "is met without a test or a file");
        for test in quoted(tests) {
            check(functions.contains(test), test);
        }
        for file in quoted(how).filter(|text| is_file(text)) {
            check(is_there(file), file);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_control_of_the_security_page_names_tests_that_are_there() {
    let controls = rows("SECURITY.md", 4);
    assert!(controls.len() > 15, "{}", controls.len());
    let functions = functions();
    for row in controls.iter().filter(|row| row[3].starts_with('`')) {
        for test in quoted(&row[3]) {
            assert!(functions.contains(test), "{}: {test}", row[0]);
        }
        for file in quoted(&row[2]).filter(|text| is_file(text) && text.contains('/')) {
            assert!(is_there(file), "{}: {file}", row[0]);
        }
    }
}
