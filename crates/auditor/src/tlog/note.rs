//! Signed notes and their keys (C2SP signed-note), with the timestamped cosignatures of tlog-cosignature v1.
//!
//! A note is text and signature lines. Who reads one names the keys it trusts; signatures of others are passed over.

use super::hash::{from_base64, to_base64};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::fmt;
use thiserror::Error;

/// A larger note is refused unread: a checkpoint with sixteen post-quantum signatures of others has under 100 KiB.
pub const NOTE_BYTES_MAX: usize = 128 << 10;
/// Signature lines of one note; the specification asks for at least 16.
pub const SIGNATURES_MAX: usize = 64;
const SIGNATURE_LINE: &str = "\u{2014} ";
const PRIVATE: &str = "PRIVATE+KEY+";

/// What a key signs with: its type byte in key ids and key texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Ed25519 over the note's text: the log's.
    Ed25519 = 0x01,
    /// Timestamped Ed25519 cosignature v1 of a checkpoint: a witness's.
    CosignatureV1 = 0x04,
}

/// A public key, its name and what it signs with. As text a vkey: `name+id in hex+base64(type, key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: u32,
    kind: KeyKind,
    key: VerifyingKey,
}

/// A private key. As text `PRIVATE+KEY+name+id in hex+base64(type, seed)`, as Go's note package writes it.
#[derive(Clone)]
pub struct Signer {
    public: VerifierKey,
    key: SigningKey,
}

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    #[error("a key has the form `name+id+base64`")]
    Form,
    #[error("`{0}` can't name a key: a name is not empty and has neither space nor plus")]
    Name(String),
    #[error(
        "the key's type {0:#04x} is not known; known are 0x01 (Ed25519) and 0x04 (cosignature)"
    )]
    Kind(u8),
    #[error("the key's bytes are no Ed25519 key")]
    Bytes,
    #[error("the key's id is {found:08x}, by its name and bytes it is {expected:08x}")]
    Id { found: u32, expected: u32 },
}

/// Why a note is not what a trusted key signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoteError {
    #[error("the note is malformed: {0}")]
    Malformed(&'static str),
    #[error("the signature of `{0}` does not fit the note")]
    WrongSignature(String),
    #[error("the note has no signature of `{0}`")]
    Unsigned(String),
}

/// A signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    pub name: String,
    pub key_id: u32,
    /// Of the key's algorithm: 64 bytes for Ed25519, 8 of time and 64 for a cosignature.
    pub signature: Vec<u8>,
}

/// A text with signatures that nobody has checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    /// Ends in a newline.
    pub text: String,
    pub signatures: Vec<NoteSignature>,
}

impl VerifierKey {
    fn new(name: &str, kind: KeyKind, key: VerifyingKey) -> Result<Self, KeyError> {
        if name.is_empty()
            || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
        {
            return Err(KeyError::Name(name.to_owned()));
        }
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', kind as u8])
            .chain_update(key.as_bytes())
            .finalize();
        Ok(VerifierKey {
            name: name.to_owned(),
            id: u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]),
            kind,
            key,
        })
    }

    /// Reads a vkey.
    ///
    /// # Errors
    /// [`KeyError`] when the text is none, or one of an algorithm that is not known here.
    pub fn parse(vkey: &str) -> Result<Self, KeyError> {
        let (name, id, kind, bytes) = split_key(vkey)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::Bytes)?;
        VerifierKey::new(name, kind, key)?.with_id(id)
    }

    fn with_id(self, found: u32) -> Result<Self, KeyError> {
        let expected = self.id;
        (found == expected)
            .then_some(self)
            .ok_or(KeyError::Id { found, expected })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn id(&self) -> u32 {
        self.id
    }

    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Whether a signature line claims to be this key's.
    fn made(&self, line: &NoteSignature) -> bool {
        line.name == self.name && line.key_id == self.id
    }

    /// Checks one signature; gives a cosignature's time in seconds since 1970, 0 for a plain signature.
    fn check(&self, text: &str, signature: &[u8]) -> Option<u64> {
        let verify = |message: &[u8], signature: &[u8]| {
            let signature = Signature::from_slice(signature).ok()?;
            self.key.verify_strict(message, &signature).ok()
        };
        match self.kind {
            KeyKind::Ed25519 => verify(text.as_bytes(), signature).map(|()| 0),
            KeyKind::CosignatureV1 => {
                let (time, signature) = signature.split_first_chunk()?;
                let time = u64::from_be_bytes(*time);
                verify(cosigned(time, text).as_bytes(), signature).map(|()| time)
            }
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.kind as u8];
        bytes.extend(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, self.id, to_base64(&bytes))
    }
}

impl Signer {
    /// A key of a seed: 32 bytes of a cryptographic random source.
    ///
    /// # Errors
    /// [`KeyError::Name`] when the name can't be a key's.
    pub fn from_seed(name: &str, kind: KeyKind, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let key = SigningKey::from_bytes(seed);
        let public = VerifierKey::new(name, kind, key.verifying_key())?;
        Ok(Signer { public, key })
    }

    /// Reads a private key's text.
    ///
    /// # Errors
    /// [`KeyError`] when it is none.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.strip_prefix(PRIVATE).ok_or(KeyError::Form)?;
        let (name, id, kind, seed) = split_key(text)?;
        let signer = Signer::from_seed(name, kind, &seed)?;
        signer.public.clone().with_id(id)?;
        Ok(signer)
    }

    /// The private key's text, for a file that only its owner reads.
    pub fn to_secret_text(&self) -> String {
        let mut bytes = vec![self.public.kind as u8];
        bytes.extend(self.key.to_bytes());
        let VerifierKey { name, id, .. } = &self.public;
        format!("{PRIVATE}{name}+{id:08x}+{}", to_base64(&bytes))
    }

    pub fn public(&self) -> &VerifierKey {
        &self.public
    }

    /// Signs a note's text (which ends in a newline). `time` is in seconds since 1970 and counts for cosignatures alone.
    pub fn sign(&self, text: &str, time: u64) -> NoteSignature {
        use ed25519_dalek::Signer as _;
        let signature = match self.public.kind {
            KeyKind::Ed25519 => self.key.sign(text.as_bytes()).to_bytes().to_vec(),
            KeyKind::CosignatureV1 => {
                let signature = self.key.sign(cosigned(time, text).as_bytes());
                [time.to_be_bytes().as_slice(), &signature.to_bytes()].concat()
            }
        };
        NoteSignature {
            name: self.public.name.clone(),
            key_id: self.public.id,
            signature,
        }
    }
}

/// Shows the public half alone.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer")
            .field(&self.public.to_string())
            .finish()
    }
}

impl NoteSignature {
    /// Reads one signature line without its newline.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] when it is none.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed("a signature line is not `\u{2014} name base64`");
        let parts = line
            .strip_prefix(SIGNATURE_LINE)
            .and_then(|rest| rest.split_once(' '));
        let Some((name, signature)) = parts else {
            return Err(malformed);
        };
        let bytes = from_base64(signature).unwrap_or_default();
        match bytes.split_first_chunk() {
            Some((id, signature)) if !name.is_empty() && !signature.is_empty() => {
                Ok(NoteSignature {
                    name: name.to_owned(),
                    key_id: u32::from_be_bytes(*id),
                    signature: signature.to_vec(),
                })
            }
            _ => Err(malformed),
        }
    }
}

/// The line with its newline.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.key_id.to_be_bytes().as_slice(), &self.signature].concat();
        writeln!(f, "{SIGNATURE_LINE}{} {}", self.name, to_base64(&bytes))
    }
}

impl SignedNote {
    /// Takes a note apart; checks no signature.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Malformed("it is longer than 128 KiB"));
        }
        if note.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(NoteError::Malformed("it has control characters"));
        }
        let at = note
            .rfind("\n\n")
            .ok_or(NoteError::Malformed("no blank line ends its text"))?;
        let (text, lines) = (&note[..=at], &note[at + 2..]);
        let lines = lines
            .strip_suffix('\n')
            .ok_or(NoteError::Malformed("it does not end in signature lines"))?;
        let signatures: Vec<_> = lines
            .split('\n')
            .map(NoteSignature::parse)
            .collect::<Result<_, _>>()?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::Malformed("it has more than 64 signatures"));
        }
        Ok(SignedNote {
            text: text.to_owned(),
            signatures,
        })
    }

    /// Checks every signature of `key`, of which there must be one; gives the time of a cosignature.
    ///
    /// # Errors
    /// [`NoteError::WrongSignature`] when one does not fit, [`NoteError::Unsigned`] when there is none.
    pub fn verify(&self, key: &VerifierKey) -> Result<u64, NoteError> {
        let mut time = None;
        for line in self.signatures.iter().filter(|line| key.made(line)) {
            let checked = key.check(&self.text, &line.signature);
            let checked = checked.ok_or_else(|| NoteError::WrongSignature(key.name.clone()))?;
            time = time.or(Some(checked));
        }
        time.ok_or_else(|| NoteError::Unsigned(key.name.clone()))
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| line.fmt(f))
    }
}

/// What a cosignature covers.
fn cosigned(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

fn split_key(text: &str) -> Result<(&str, u32, KeyKind, [u8; 32]), KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Form);
    };
    let number = u32::from_str_radix(id, 16).map_err(|_| KeyError::Form)?;
    if format!("{number:08x}") != id {
        return Err(KeyError::Form);
    }
    let bytes = from_base64(key).ok_or(KeyError::Form)?;
    let (kind, bytes) = bytes.split_first().ok_or(KeyError::Form)?;
    let kind = match kind {
        0x01 => KeyKind::Ed25519,
        0x04 => KeyKind::CosignatureV1,
        other => return Err(KeyError::Kind(*other)),
    };
    let bytes = bytes.try_into().map_err(|_| KeyError::Bytes)?;
    Ok((name, number, kind, bytes))
}

#[cfg(test)]
mod tests;
