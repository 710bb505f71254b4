//! The check against advisories, with programs in the place of cargo-deny and npm: what can't be checked is said and fails nothing, what
//! is found fails.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/advisories/check.sh");

fn program(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// cargo-deny that says no to each command that begins with one of `refused`.
fn deny(folder: &Path, refused: &[&str]) -> PathBuf {
    let cases = refused
        .iter()
        .map(|begin| format!("'{begin}'*) exit 1 ;;\n"));
    let cases = String::from_iter(cases);
    program(
        folder,
        "deny",
        &format!("case \"$*\" in\n{cases}*) ;;\nesac"),
    )
}

fn check(folder: &Path, deny: Option<&Path>, npm: Option<&Path>) -> (Option<i32>, String) {
    let named = |path: Option<&Path>| path.map_or_else(PathBuf::new, Path::to_owned);
    let Output { status, stdout, .. } = Command::new(SCRIPT)
        .env("CARGO_HOME", folder)
        .env("CARGO_DENY", named(deny))
        .env("NPM", named(npm))
        .output()
        .unwrap();
    (status.code(), String::from_utf8(stdout).unwrap())
}

#[test]
fn crates_are_checked_where_cargo_deny_and_its_database_are_and_else_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let told = |refused: &[&str]| check(folder, Some(&deny(folder, refused)), None);
    let (code, said) = check(folder, None, None);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("NOT CHECKED for crates: cargo-deny is not installed"),
        "{said}"
    );
    let (code, said) = told(&["fetch db"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("NOT CHECKED for crates: RustSec's database can't be had"),
        "{said}"
    );
    let (code, said) = told(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("none for our crates in RustSec's database of now"),
        "{said}"
    );
    for found in [
        "check --disable-fetch advisories",
        "check bans licenses sources",
    ] {
        let (code, said) = told(&[found]);
        assert_eq!(code, Some(1), "{found}: {said}");
        assert!(!said.contains("none for our crates"), "{said}");
    }
    fs::create_dir_all(folder.join("advisory-dbs/stored")).unwrap();
    let (code, said) = told(&["fetch db"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("as it was stored in"), "{said}");
    let (code, said) = told(&["fetch db", "check --disable-fetch advisories"]);
    assert_eq!(code, Some(1), "{said}");
}

#[test]
fn packages_are_checked_where_the_registry_tells_and_else_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let told = |text: &str| check(folder, None, Some(&program(folder, "npm", text)));
    let (code, said) = check(folder, None, None);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("NOT CHECKED for packages of npm: npm is not installed"),
        "{said}"
    );
    let (code, said) = told(r#"echo '{ "error": { "code": "ENOAUDIT" } }'; exit 1"#);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the registry does not tell"), "{said}");
    let (code, said) = told(r#"echo '{ "auditReportVersion": 2 }'"#);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("none for the packages"), "{said}");
    let (code, said) = told(r#"echo '{ "auditReportVersion": 2, "vulnerabilities": {} }'; exit 1"#);
    assert_eq!(code, Some(1), "{said}");
}
