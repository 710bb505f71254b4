//! The master key: 32 bytes, as hexadecimal digits or Base64, from a file or from the configuration. It wraps every data key.
//!
//! It is read anew whenever it is needed: a process that runs on takes up a key that was put in its place.

use crate::IdentityError;
use crate::cipher::{KEY_BYTES, Key};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A file longer than this is no key.
const FILE_BYTES_MAX: u64 = 1_024;

/// Names a master key without telling anything of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKeyId(pub(crate) [u8; 16]);

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Four bytes are enough to tell a handful of keys apart by eye.
        self.0[..4]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What wraps the data keys. The key itself is gone once its two purposes are derived of it.
#[derive(Debug, Clone)]
pub struct MasterKey {
    pub(crate) wrap: Key,
    pub(crate) id: MasterKeyId,
}

impl MasterKey {
    fn of_key(key: &Key) -> MasterKey {
        let name = key.derive("squareoff master key id v1");
        let mut id = [0; 16];
        id.copy_from_slice(&name.bytes()[..16]);
        MasterKey {
            wrap: key.derive("squareoff key wrapping v1"),
            id: MasterKeyId(id),
        }
    }

    /// 64 hexadecimal digits, or the Base64 of 32 bytes; space around it does not count.
    pub fn parse(text: &str) -> Option<MasterKey> {
        let text = text.trim();
        let key = if text.len() == 2 * KEY_BYTES {
            Key::of_bytes(&hexadecimal(text)?)
        } else {
            Key::of_bytes(&Zeroizing::new(STANDARD.decode(text).ok()?))
        };
        key.as_ref().map(MasterKey::of_key)
    }

    pub fn id(&self) -> MasterKeyId {
        self.id
    }
}

fn hexadecimal(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8]| {
        let value = digit(pair[0])? * 16 + digit(*pair.get(1)?)?;
        u8::try_from(value).ok()
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
    bytes.map(Zeroizing::new)
}

/// Where the master key comes from.
#[derive(Clone)]
pub enum MasterKeySource {
    /// The text itself, and the setting it stands in.
    Text { setting: String, text: SecretString },
    /// A file that must be there.
    File(PathBuf),
    /// A file that is made with a new key before the first data key is: for a machine on which nobody set one.
    FileMadeOnce(PathBuf),
}

impl fmt::Debug for MasterKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKeySource({self})")
    }
}

impl fmt::Display for MasterKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MasterKeySource::Text { setting, .. } => f.write_str(setting),
            MasterKeySource::File(path) | MasterKeySource::FileMadeOnce(path) => {
                write!(f, "{}", path.display())
            }
        }
    }
}

impl MasterKeySource {
    /// The key as it is there now.
    ///
    /// # Errors
    /// [`IdentityError::MasterKeyMissing`], [`IdentityError::MasterKeyMalformed`]; neither shows a part of it.
    pub fn load(&self) -> Result<MasterKey, IdentityError> {
        let malformed = || IdentityError::MasterKeyMalformed {
            place: self.to_string(),
        };
        match self {
            MasterKeySource::Text { text, .. } => {
                MasterKey::parse(text.expose_secret()).ok_or_else(malformed)
            }
            MasterKeySource::File(path) | MasterKeySource::FileMadeOnce(path) => {
                let missing = |error: std::io::Error| IdentityError::MasterKeyMissing {
                    place: self.to_string(),
                    reason: error.to_string(),
                };
                let file = std::fs::File::open(path).map_err(missing)?;
                let mut text = Zeroizing::new(String::new());
                let length = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
                match length {
                    Ok(length) if length as u64 <= FILE_BYTES_MAX => {
                        MasterKey::parse(&text).ok_or_else(malformed)
                    }
                    Ok(_) => Err(malformed()),
                    Err(error) if error.kind() == ErrorKind::InvalidData => Err(malformed()),
                    Err(error) => Err(missing(error)),
                }
            }
        }
    }

    /// Makes the file where that is this source's way and none is there. Only for a key store that has no key yet: a new master key opens
    /// no old one.
    pub(crate) fn make_if_missing(&self) -> Result<(), IdentityError> {
        match self {
            MasterKeySource::FileMadeOnce(path) if !path.exists() => {
                make(path)?;
                tracing::warn!(file = %path.display(), "a master key was made beside the keys it wraps: for production set master_key_file to another disk");
                Ok(())
            }
            MasterKeySource::FileMadeOnce(_)
            | MasterKeySource::File(_)
            | MasterKeySource::Text { .. } => Ok(()),
        }
    }
}

/// A new master key in a file of its own, readable by its owner alone.
///
/// # Errors
/// When the file is there, or cannot be written.
pub fn make(path: &Path) -> Result<(), IdentityError> {
    let io = |error: std::io::Error| IdentityError::io(path, &error);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(io)?;
    let text = Zeroizing::new(STANDARD.encode(Key::random().bytes()));
    file.write_all(text.as_bytes()).map_err(io)?;
    file.write_all(b"\n").map_err(io)?;
    file.sync_all().map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_both_forms_and_nothing_else_is_one() {
        let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
        let base64 = " AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
        let (one, other) = (
            MasterKey::parse(hex).unwrap(),
            MasterKey::parse(base64).unwrap(),
        );
        assert_eq!(one.id(), other.id());
        assert!(!format!("{one:?}").contains("0001"));
        for none in [
            "",
            "secret",
            &hex[1..],
            &hex.replace('a', "g"),
            "AAEC",
            "ééééééééééééééééééééééééééééééé1",
        ] {
            assert!(MasterKey::parse(none).is_none(), "{none}");
        }
    }

    #[test]
    fn a_source_that_has_no_key_says_so_without_showing_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let message = MasterKeySource::File(path.clone())
            .load()
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("master.key") && message.contains("No such file"),
            "{message}"
        );
        std::fs::write(&path, "hunter2").unwrap();
        let text = MasterKeySource::Text {
            setting: "SQUAREOFF_MASTER_KEY".into(),
            text: "hunter2".into(),
        };
        for source in [MasterKeySource::File(path.clone()), text] {
            let message = source.load().unwrap_err().to_string();
            assert!(
                message.contains("32 bytes") && !message.contains("hunter2"),
                "{message}"
            );
            assert!(!format!("{source:?}").contains("hunter2"));
        }
        std::fs::remove_file(&path).unwrap();
        let once = MasterKeySource::FileMadeOnce(path.clone());
        once.make_if_missing().unwrap();
        let first = once.load().unwrap().id();
        once.make_if_missing().unwrap();
        assert_eq!(once.load().unwrap().id(), first);
        assert!(make(&path).is_err());
    }
}
