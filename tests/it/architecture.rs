//! Who may import whom (docs/ARCHITECTURE.md), held by the compiler's own metadata.

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each crate of ours, and which of ours it may import.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("squareoff-domain", &[]),
    ("squareoff-fix", &[]),
    ("squareoff-store", &["squareoff-domain"]),
    (
        "squareoff-projections",
        &["squareoff-domain", "squareoff-store"],
    ),
    (
        "squareoff-gateway",
        &["squareoff-domain", "squareoff-fix", "squareoff-store"],
    ),
    ("squareoff-exchange", &["squareoff-fix"]),
    ("squareoff-serve", &["squareoff-domain", "squareoff-store"]),
    (
        "squareoff-identity",
        &["squareoff-domain", "squareoff-store"],
    ),
    (
        "squareoff-primary",
        &["squareoff-domain", "squareoff-store"],
    ),
    (
        "squareoff-reconcile",
        &[
            "squareoff-domain",
            "squareoff-primary",
            "squareoff-projections",
            "squareoff-store",
        ],
    ),
    ("squareoff-access", &["squareoff-domain", "squareoff-store"]),
    (
        "squareoff-api",
        &[
            "squareoff-access",
            "squareoff-auditor",
            "squareoff-domain",
            "squareoff-identity",
            "squareoff-projections",
            "squareoff-store",
        ],
    ),
    (
        "squareoff-auditor",
        &["squareoff-domain", "squareoff-store"],
    ),
    (
        "squareoff",
        &[
            "squareoff-access",
            "squareoff-api",
            "squareoff-auditor",
            "squareoff-domain",
            "squareoff-exchange",
            "squareoff-fix",
            "squareoff-gateway",
            "squareoff-identity",
            "squareoff-primary",
            "squareoff-projections",
            "squareoff-reconcile",
            "squareoff-serve",
            "squareoff-store",
        ],
    ),
    (
        "squareoff-bench",
        &[
            "squareoff-access",
            "squareoff-api",
            "squareoff-auditor",
            "squareoff-domain",
            "squareoff-fix",
            "squareoff-projections",
            "squareoff-reconcile",
            "squareoff-serve",
            "squareoff-store",
        ],
    ),
];

/// The rules need no IO, no clock, no runtime.
const DOMAIN_MAY_USE: &[&str] = &["serde", "thiserror", "uuid"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_crate_imports_only_what_its_place_in_the_house_allows() {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()
        .unwrap();
    let known: BTreeSet<_> = MAY_IMPORT.iter().map(|(name, _)| *name).collect();
    let found: BTreeSet<_> = metadata
        .packages
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    assert_eq!(
        found,
        known.iter().map(|name| (*name).to_owned()).collect(),
        "every crate has its line in the table"
    );
    for package in &metadata.packages {
        let (_, allowed) = MAY_IMPORT
            .iter()
            .find(|(name, _)| *name == package.name.as_str())
            .unwrap();
        // Tests may reach further, except that the exchange stays a stranger to what it tests.
        let normal = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind == DependencyKind::Normal);
        for dependency in normal.filter(|dependency| dependency.name.starts_with("squareoff")) {
            assert!(
                allowed.contains(&dependency.name.as_str()),
                "{} imports {}",
                package.name,
                dependency.name
            );
        }
        if package.name.as_str() == "squareoff-domain" {
            let used = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind == DependencyKind::Normal);
            let used: BTreeSet<_> = used.map(|dependency| dependency.name.as_str()).collect();
            assert_eq!(used, DOMAIN_MAY_USE.iter().copied().collect());
        }
        if package.name.as_str() == "squareoff-exchange" {
            let strangers = ["squareoff-domain", "squareoff-store", "squareoff-gateway"];
            assert!(
                package
                    .dependencies
                    .iter()
                    .all(|dependency| !strangers.contains(&dependency.name.as_str()))
            );
        }
    }
}

#[test]
fn only_the_configuration_reads_the_environment() {
    let readers: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| text.contains("env::var"))
        .map(|(path, _)| path)
        .collect();
    // The first looks for programs where a shell would: in PATH. Two are tests, told how many cases to run and whether to write what they
    // expect.
    let allowed = [
        "crates/projections/src/cluster/binaries.rs",
        "crates/domain/src/position/tests/properties/mod.rs",
        "src/config/mod.rs",
        "src/replay/tests/printing.rs",
    ];
    assert_eq!(readers, allowed.map(PathBuf::from));
}

/// The event log, and the file of what must not be in it.
#[test]
fn only_the_store_and_the_secrets_know_sqlite() {
    let users = sources()
        .into_iter()
        .filter(|(_, text)| text.contains("rusqlite"))
        .map(|(path, _)| path);
    for path in users {
        assert!(
            path.starts_with("crates/store/src") || path.starts_with("crates/access/src"),
            "{} uses rusqlite",
            path.display()
        );
    }
}

#[test]
fn only_the_adapter_knows_the_client_of_kurrentdb() {
    let users = sources()
        .into_iter()
        .filter(|(_, text)| text.contains("kurrentdb::"))
        .map(|(path, _)| path);
    for path in users {
        assert!(
            path.starts_with("crates/store/src/kurrent"),
            "{} uses kurrentdb",
            path.display()
        );
    }
}

/// Every source file of the programs (not of their tests), by its path from the root.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let crates = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("src"));
    for folder in crates.chain([root().join("src")]) {
        walk(&folder, &mut found);
    }
    assert!(found.len() > 30, "the sources are where this test looks");
    found
}

fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_owned();
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// What may be linked into what a broker runs, without a duty but to name it. The last one stands only where another may be chosen.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "LLVM-exception",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "LGPL-2.1-or-later",
];

/// What `cargo deny` is told, where it is installed.
#[test]
fn the_licences_of_deny_toml_are_those_of_this_list() {
    let text = fs::read_to_string(root().join("deny.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let allowed = table["licenses"]["allow"].as_array().unwrap();
    let allowed = allowed
        .iter()
        .flat_map(|it| it.as_str().unwrap().split(" WITH "));
    // Where another may be chosen, cargo-deny chooses by itself.
    let ours = LICENCES.iter().copied();
    let ours = ours.filter(|licence| *licence != "LGPL-2.1-or-later");
    assert_eq!(BTreeSet::from_iter(allowed), ours.collect());
}

#[test]
fn every_dependency_comes_from_the_registry_under_a_licence_that_lets_it() {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .other_options(["--locked".to_owned()])
        .exec()
        .unwrap();
    let others = metadata.packages.iter().filter(|it| it.source.is_some());
    let others = Vec::from_iter(others);
    assert!(others.len() > 100, "{} dependencies", others.len());
    for package in others {
        let name = &package.name;
        let source = package.source.as_ref().unwrap();
        assert!(source.is_crates_io(), "{name} comes from {source}");
        let licence = package.license.as_deref().unwrap_or_default();
        let words = licence.split([' ', '/', '(', ')']);
        let words = words.filter(|word| !["", "AND", "OR", "WITH"].contains(word));
        let words = Vec::from_iter(words);
        assert!(!words.is_empty(), "{name} names no licence");
        for word in words {
            assert!(LICENCES.contains(&word), "{name}: {licence}");
        }
    }
}
