//! What of the secrets file has to be read again stands in it sealed: seeds of one-time codes and of signing keys, AES-256-GCM under a key
//! that lies elsewhere. Who has the file, or a backup of it, has none of them.
//!
//! 1. The associated data names table, row and column: what is put in the place of something else does not open.
//! 2. Every sealing has a nonce of its own from the operating system; there are some thousands of them in the life of a file.
//! 3. The file holds a proof of its key: another one is noticed at the start, and nothing is written under it.
//!
//! It does not keep somebody out who can read both: key and file belong on different disks.

use super::SecretsError;
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use squareoff_domain::OperatorId;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
/// A file longer than this is no key.
const FILE_BYTES_MAX: u64 = 1_024;
/// What is sealed as the proof of the key, and its place.
const PROOF: &[u8] = b"squareoff secrets file";
const PROOF_PLACE: &str = "sealing/proof";

/// Where the key of the secrets file comes from.
#[derive(Clone)]
pub enum KeySource {
    /// The text itself, and the setting it stands in.
    Text { setting: String, text: SecretString },
    /// A file that must be there.
    File(PathBuf),
    /// A file that is made with a new key beside a new secrets file: for a machine on which nobody set one.
    FileMadeOnce(PathBuf),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeySource::Text { setting, .. } => f.write_str(setting),
            KeySource::File(path) | KeySource::FileMadeOnce(path) => {
                write!(f, "{}", path.display())
            }
        }
    }
}

impl KeySource {
    fn load(&self) -> Result<Sealer, SecretsError> {
        let malformed = || SecretsError::KeyMalformed {
            place: self.to_string(),
        };
        match self {
            KeySource::Text { text, .. } => {
                Sealer::parse(text.expose_secret()).ok_or_else(malformed)
            }
            KeySource::File(path) | KeySource::FileMadeOnce(path) => {
                let missing = |error: std::io::Error| SecretsError::KeyMissing {
                    place: self.to_string(),
                    reason: error.to_string(),
                };
                let file = File::open(path).map_err(missing)?;
                let mut text = Zeroizing::new(String::new());
                match file.take(FILE_BYTES_MAX).read_to_string(&mut text) {
                    Ok(_) => Sealer::parse(&text).ok_or_else(malformed),
                    Err(error) if error.kind() == ErrorKind::InvalidData => Err(malformed()),
                    Err(error) => Err(missing(error)),
                }
            }
        }
    }

    /// Of a file in which nothing is sealed yet: a new key where that is this source's way and none is there.
    fn load_or_make(&self) -> Result<Sealer, SecretsError> {
        if let KeySource::FileMadeOnce(path) = self
            && !path.exists()
        {
            make(path).map_err(|source| SecretsError::Io {
                path: path.clone(),
                source,
            })?;
            tracing::warn!(file = %path.display(), "a key of the secrets file was made: for production set access_key_file to another disk");
        }
        self.load()
    }
}

/// Readable by its owner alone.
fn make(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    fill(key.as_mut());
    let text = Zeroizing::new(STANDARD.encode(*key));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// What seals and opens. Cheap to clone; overwritten with its last clone, and never printed.
#[derive(Clone)]
pub struct Sealer(Arc<Zeroizing<[u8; KEY_BYTES]>>);

impl Sealer {
    /// 64 hexadecimal digits, or the Base64 of 32 bytes; space around it does not count.
    fn parse(text: &str) -> Option<Sealer> {
        let text = text.trim();
        let bytes = if text.len() == 2 * KEY_BYTES {
            Zeroizing::new(hexadecimal(text)?)
        } else {
            Zeroizing::new(STANDARD.decode(text).ok()?)
        };
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        if bytes.len() != KEY_BYTES {
            return None;
        }
        key.copy_from_slice(&bytes);
        Some(Sealer(Arc::new(key)))
    }

    /// Nonce, ciphertext and tag of what stands in a place.
    pub(super) fn seal(&self, place: &str, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        fill(&mut nonce);
        let payload = Payload {
            msg: plain,
            aad: place.as_bytes(),
        };
        let sealed = self
            .cipher()
            .encrypt(&nonce.into(), payload)
            .expect("a seed is far shorter than what can be encrypted");
        [&nonce[..], &sealed].concat()
    }

    /// # Errors
    /// [`SecretsError::Altered`] for whatever was not sealed under this key for this very place.
    pub(super) fn open(
        &self,
        place: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
        let altered = || SecretsError::Altered {
            place: place.to_owned(),
        };
        let (nonce, sealed) = sealed
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or_else(altered)?;
        let payload = Payload {
            msg: sealed,
            aad: place.as_bytes(),
        };
        let plain = self.cipher().decrypt(&(*nonce).into(), payload);
        plain.map(Zeroizing::new).map_err(|_| altered())
    }

    /// 256 bits for one use of the key beside sealing, which `label` tells apart, and for one `subject` of it (HKDF-SHA-256, RFC 5869).
    pub(crate) fn derive(
        &self,
        label: &[u8],
        salt: &[u8],
        subject: &[u8],
    ) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut derived = Zeroizing::new([0; KEY_BYTES]);
        Hkdf::<Sha256>::new(Some(salt), self.0.as_slice())
            .expand_multi_info(&[label, b"\n", subject], derived.as_mut())
            .expect("32 bytes are one block");
        derived
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&(**self.0).into())
    }
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8]| u8::try_from(digit(pair[0])? * 16 + digit(*pair.get(1)?)?).ok();
    text.as_bytes().chunks(2).map(pair).collect()
}

fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system has randomness");
}

pub(super) fn seed_place(operator: &OperatorId) -> String {
    format!("accounts/{operator}/totp_seed")
}

pub(super) fn pending_place(operator: &OperatorId) -> String {
    format!("accounts/{operator}/totp_pending")
}

pub(super) fn signing_place(kid: &str) -> String {
    format!("signing_keys/{kid}/seed")
}

/// What this file alone holds and always will: the proof of its key, sealed under a nonce of its own.
pub(crate) fn salt(connection: &Connection) -> Result<Vec<u8>, SecretsError> {
    Ok(connection.query_row("select proof from sealing", [], |row| row.get(0))?)
}

/// Of a file that is being made.
pub(super) fn begin(
    transaction: &Transaction<'_>,
    key: &KeySource,
) -> Result<Sealer, SecretsError> {
    let sealer = key.load_or_make()?;
    let proof = sealer.seal(PROOF_PLACE, PROOF);
    transaction.execute("insert into sealing (proof) values (?1)", [proof])?;
    Ok(sealer)
}

/// Of a file that is there: only its own key.
pub(super) fn go_on(
    transaction: &Transaction<'_>,
    key: &KeySource,
    path: &Path,
) -> Result<Sealer, SecretsError> {
    let sealer = key.load()?;
    let proof: Option<Vec<u8>> = transaction
        .query_row("select proof from sealing", [], |row| row.get(0))
        .optional()?;
    let proof = proof.ok_or_else(|| SecretsError::Foreign {
        path: path.to_owned(),
    })?;
    match sealer.open(PROOF_PLACE, &proof) {
        Ok(found) if *found == PROOF => Ok(sealer),
        Ok(_) | Err(_) => Err(SecretsError::WrongKey {
            place: key.to_string(),
            path: path.to_owned(),
        }),
    }
}

/// Of a file of format 1, in which seeds stand as they are: seals them in their places. What stood there is overwritten.
pub(super) fn seal_all(
    transaction: &Transaction<'_>,
    key: &KeySource,
) -> Result<Sealer, SecretsError> {
    transaction.execute_batch(include_str!("sealing.sql"))?;
    let sealer = begin(transaction, key)?;
    type Seeds = (String, Option<Vec<u8>>, Option<Vec<u8>>);
    let accounts: Vec<Seeds> = transaction
        .prepare("select operator, totp_seed, totp_pending from accounts")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (name, seed, pending) in accounts {
        let operator: OperatorId =
            name.parse()
                .map_err(|error: squareoff_domain::id::IdError| {
                    SecretsError::Damaged(error.to_string())
                })?;
        let seed = seed.map(|seed| sealer.seal(&seed_place(&operator), &seed));
        let pending = pending.map(|seed| sealer.seal(&pending_place(&operator), &seed));
        transaction.execute(
            "update accounts set totp_seed = ?2, totp_pending = ?3 where operator = ?1",
            params![name, seed, pending],
        )?;
    }
    let keys: Vec<(String, Vec<u8>)> = transaction
        .prepare("select kid, seed from signing_keys")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (kid, seed) in keys {
        transaction.execute(
            "update signing_keys set seed = ?2 where kid = ?1",
            params![kid, sealer.seal(&signing_place(&kid), &seed)],
        )?;
    }
    Ok(sealer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_both_forms_and_what_it_seals_opens_in_its_place_alone() {
        let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
        let base64 = " AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
        let (one, other) = (Sealer::parse(hex).unwrap(), Sealer::parse(base64).unwrap());
        let sealed = one.seal("a", b"seed");
        assert_eq!(other.open("a", &sealed).unwrap().as_slice(), b"seed");
        assert_ne!(one.seal("a", b"seed"), sealed);
        assert!(one.open("b", &sealed).is_err());
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(one.open("a", &altered).is_err(), "bit {bit}");
        }
        assert!(one.open("a", &sealed[..11]).is_err());
        for none in ["", "secret", &hex[1..], &hex.replace('a', "g"), "AAEC"] {
            assert!(Sealer::parse(none).is_none(), "{none}");
        }
    }
}
