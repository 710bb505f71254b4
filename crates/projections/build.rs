//! Queries are checked against the stored descriptions in `.sqlx`, also when `DATABASE_URL` is set for running; and what folds events
//! to rows gets a fingerprint, so that a rebuild is never gone on with by code that folds differently.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// Everything between a stored event and a row.
const FOLDING: &[&str] = &[
    "migrations",
    "src",
    "../domain/src",
    "../store/src/codec.rs",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=SQLX_OFFLINE_DIR");
    // Only `prepare.sh` sets it: then the macros ask a real database and write what they learn there.
    if std::env::var_os("SQLX_OFFLINE_DIR").is_none() {
        println!("cargo:rustc-env=SQLX_OFFLINE=true");
    }
    let mut files = BTreeSet::new();
    for path in FOLDING {
        println!("cargo:rerun-if-changed={path}");
        find(Path::new(path), &mut files);
    }
    // Its keys are fixed: the same sources give the same number, whoever builds them.
    let mut hasher = DefaultHasher::new();
    for file in files {
        let text = std::fs::read(&file).expect("a source file can be read");
        (file, text).hash(&mut hasher);
    }
    println!("cargo:rustc-env=SQUAREOFF_FOLDING={:016x}", hasher.finish());
}

fn find(path: &Path, files: &mut BTreeSet<PathBuf>) {
    match std::fs::read_dir(path) {
        Ok(entries) => entries
            .flatten()
            .for_each(|entry| find(&entry.path(), files)),
        Err(_) => {
            files.insert(path.to_owned());
        }
    }
}
