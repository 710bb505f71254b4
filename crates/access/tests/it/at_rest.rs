//! What a thief of the secrets file has: not the seeds. Read and altered here as the thief would, past everything of ours.

use crate::door::{Door, HERE, Ready, code, secrets_in, tokens};
use rusqlite::params;
use squareoff_access::password::Hashing;
use squareoff_access::{Access, AccessError, KeySource, Secrets, SecretsError};
use squareoff_domain::people::{LogInKind, Role};
use std::fs;
use std::path::Path;

/// Bytes of a seed of codes, of a signing key's, and what sealing adds.
const SEED: u32 = 20;
const SIGNING: u32 = 32;
const SEALING: u32 = 12 + 16;

/// Every byte of the folder of the secrets file: the file and what SQLite keeps beside it.
fn bytes(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder.join("access")).unwrap();
    let read = files.map(|file| fs::read(file.unwrap().path()).unwrap());
    read.flatten().collect()
}

fn holds(bytes: &[u8], seed: &[u8]) -> bool {
    bytes.windows(seed.len()).any(|window| window == seed)
}

async fn comes_in(door: &Door, ready: &Ready) -> Result<(), AccessError> {
    let name = ready.operator.as_str();
    let factor = code(&ready.code(door));
    let password = crate::door::PASSWORD;
    let granted = door.try_with(name, password, factor, LogInKind::Token, HERE);
    let granted = granted.await.map(drop);
    door.pass(30);
    granted
}

#[tokio::test]
async fn the_file_holds_no_seed_in_the_clear() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let granted = door.log_in(&asha, LogInKind::Token).await;
    // Another app is begun with and not confirmed.
    let (password, visit) = (crate::door::PASSWORD.into(), door.visit(HERE));
    let begun = door
        .access
        .begin_second_factor(&granted.log_in, password, &visit);
    let pending = crate::door::seed(secrecy::ExposeSecret::expose_secret(
        &begun.await.unwrap().uri,
    ));
    let bytes = bytes(door.folder());
    assert!(holds(&bytes, b"desk-asha"), "the file is read");
    assert!(!holds(&bytes, asha.seed()) && !holds(&bytes, &pending));
    let connection = door.file();
    let lengths: (u32, u32) = connection
        .query_row(
            "select length(totp_seed), length(totp_pending) from accounts where operator = 'desk-asha'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(lengths, (SEED + SEALING, SEED + SEALING));
    let length: u32 = connection
        .query_row("select length(seed) from signing_keys", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(length, SIGNING + SEALING);
}

#[tokio::test]
async fn a_seed_in_anothers_place_opens_nothing() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let mallory = door.ready("desk-mallory", Role::Desk).await;
    comes_in(&door, &asha).await.unwrap();
    let of = |name: &str| -> Vec<u8> {
        let asked = "select totp_seed from accounts where operator = ?1";
        door.file()
            .query_row(asked, [name], |row| row.get(0))
            .unwrap()
    };
    let put = |column: &str, sealed: &[u8]| {
        let asked = format!("update accounts set {column} = ?1 where operator = 'desk-asha'");
        door.file().execute(&asked, params![sealed]).unwrap();
    };
    let own = of("desk-asha");
    put("totp_seed", &of("desk-mallory"));
    // Mallory, who knows Asha's password, has a code of the seed that stands there.
    let factor = code(&mallory.code(&door));
    let password = crate::door::PASSWORD;
    let tried = door.try_with("desk-asha", password, factor, LogInKind::Token, HERE);
    let error = tried.await.map(drop).unwrap_err();
    let altered = |error: &AccessError| matches!(error, AccessError::Secrets(SecretsError::Altered { place }) if place == "accounts/desk-asha/totp_seed");
    assert!(altered(&error), "{error}");
    // In another column of the same row neither.
    put("totp_seed", &own);
    put("totp_pending", &own);
    assert!(comes_in(&door, &asha).await.is_err());
    door.file()
        .execute("update accounts set totp_pending = null", [])
        .unwrap();
    comes_in(&door, &asha).await.unwrap();
}

#[tokio::test]
async fn without_its_own_key_the_file_is_not_opened() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let key = door.folder().join("access.key");
    let right = fs::read(&key).unwrap();
    let opened = || secrets_in(door.folder()).map(drop);
    fs::write(&key, "00".repeat(32)).unwrap();
    let error = opened().unwrap_err();
    assert!(matches!(error, SecretsError::WrongKey { .. }), "{error}");
    assert!(error.to_string().contains("access.key"), "{error}");
    fs::write(&key, "hunter2").unwrap();
    let error = opened().unwrap_err();
    assert!(
        matches!(error, SecretsError::KeyMalformed { .. }),
        "{error}"
    );
    assert!(!error.to_string().contains("hunter2"), "{error}");
    fs::remove_file(&key).unwrap();
    let error = opened().unwrap_err();
    assert!(matches!(error, SecretsError::KeyMissing { .. }), "{error}");
    assert!(!key.exists(), "no new key is made for an old file");
    // The same key from a setting.
    let text = String::from_utf8(right).unwrap();
    let source = KeySource::Text {
        setting: "SQUAREOFF_ACCESS_KEY".into(),
        text: text.into(),
    };
    let secrets = Secrets::open(&door.folder().join("access"), &source).unwrap();
    drop(secrets);
    comes_in(&door, &asha).await.unwrap();
}

/// As an older release left it: the same tables, and seeds as they are.
#[tokio::test]
async fn a_file_of_an_older_release_is_sealed_when_it_is_opened() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let granted = door.log_in(&asha, LogInKind::Token).await;
    let signing = [7_u8; SIGNING as usize];
    let old = door.file();
    old.execute_batch("drop table sealing; pragma user_version = 1")
        .unwrap();
    old.execute(
        "update accounts set totp_seed = ?1, totp_pending = ?1",
        [asha.seed()],
    )
    .unwrap();
    old.execute("update signing_keys set seed = ?1", [&signing])
        .unwrap();
    drop(old);
    assert!(holds(&bytes(door.folder()), asha.seed()));
    // All that had the file open is gone with the old release.
    let (folder, store, now) = door.close();
    let secrets = secrets_in(folder.path()).unwrap();
    let bytes = bytes(folder.path());
    assert!(!holds(&bytes, asha.seed()) && !holds(&bytes, &signing));
    let access = Access::new(secrets, Hashing::with_limits(2, 62), store.clone());
    let door = Door::with(folder, store, access, now);
    comes_in(&door, &asha).await.unwrap();
    // The log-in lives; what the old key signed does not count, because that was another's seed.
    assert_eq!(door.of_access_token(&tokens(&granted).0), None);
    assert!(
        secrets_in(door.folder()).is_ok(),
        "once more changes nothing"
    );
}
