//! Texts that are given out once, random save for the first secrets, and kept as SHA-256 alone: cookies, refresh tokens, invitations, recovery codes.
//!
//! They have so many bits that nobody finds one by trying, neither here nor from the hashes: a slow hash, or one compared byte by byte in
//! constant time, would add nothing. A text is looked up by its hash, whose bytes nobody who tries can choose.

use crate::secrets::Sealer;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use squareoff_domain::OperatorId;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

const TOKEN_BYTES: usize = 32;
/// Tells first secrets from all else that is made of the access key. Never change it: a repetition would hand over another one.
const FIRST_SECRETS: &[u8] = b"squareoff first secret v1";
/// The longest text that is looked at.
const TEXT_BYTES_MAX: usize = 128;
/// Of RFC 4648, in small letters: no 0 and 1, which look like letters.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// 80 bits, in groups to read out.
/// Six of them are 120 bits, so that a plain hash is enough to keep of a code.
const RECOVERY_GROUPS: usize = 6;
/// Of codes that older releases gave out, which go on opening.
const RECOVERY_GROUPS_BEFORE: usize = 4;
const RECOVERY_GROUP: usize = 4;
pub const RECOVERY_CODES: u32 = 10;

/// 256 random bits.
pub fn new() -> SecretString {
    let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
    getrandom::fill(&mut *bytes).expect("the system has randomness");
    SecretString::from(BASE64.encode(*bytes))
}

/// The first secret that a request gives out: 256 bits as [`new`] has them, and for the same request always the same, so that whoever lost the
/// answer gets it again. Made of the access key and of what the secrets file alone holds (`salt`): neither of the two with the event log
/// tells it.
pub fn first_secret(
    sealer: &Sealer,
    salt: &[u8],
    operator: &OperatorId,
    request_id: Uuid,
) -> SecretString {
    let request = [operator.as_str().as_bytes(), b"\n", request_id.as_bytes()];
    SecretString::from(BASE64.encode(*sealer.derive(FIRST_SECRETS, salt, &request.concat())))
}

/// What is kept of a text.
pub fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// What is kept of a text that came from outside; `None` when it can't be one of ours.
pub fn digest_of_given(text: &str) -> Option<[u8; 32]> {
    (text.len() <= TEXT_BYTES_MAX).then(|| digest(text))
}

pub fn equal(given: &str, kept: &[u8; 32]) -> bool {
    digest(given).ct_eq(kept).into()
}

/// What a page has to send beside a cookie, which another site's page can make a browser send and can't read: made of the cookie, so
/// that it is of this log-in alone and is kept nowhere.
pub fn beside_cookie(cookie: &str) -> String {
    BASE64.encode(beside(cookie).finalize().into_bytes())
}

/// Compared in constant time.
pub fn is_beside_cookie(cookie: &str, given: &str) -> bool {
    let given = BASE64.decode(given).unwrap_or_default();
    beside(cookie).verify_slice(&given).is_ok()
}

fn beside(cookie: &str) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(cookie.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(b"squareoff csrf");
    mac
}

pub fn new_recovery_code() -> SecretString {
    let mut bytes = Zeroizing::new([0_u8; RECOVERY_GROUPS * RECOVERY_GROUP]);
    getrandom::fill(&mut *bytes).expect("the system has randomness");
    let letters = bytes.map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    let groups = letters.chunks(RECOVERY_GROUP).map(String::from_iter);
    SecretString::from(Vec::from_iter(groups).join("-"))
}

/// Hyphens, spaces and capitals are how people write, not what the code is.
pub fn recovery_digest(code: &str) -> Option<[u8; 32]> {
    let letters = code
        .chars()
        .filter(|letter| !matches!(letter, '-' | ' '))
        .map(|letter| letter.to_ascii_lowercase());
    let letters = Zeroizing::new(letters.collect::<String>());
    let lengths = [RECOVERY_GROUPS, RECOVERY_GROUPS_BEFORE].map(|groups| groups * RECOVERY_GROUP);
    lengths.contains(&letters.len()).then(|| digest(&letters))
}

/// New codes, and what is kept of them.
pub fn new_recovery_codes() -> (Vec<SecretString>, Vec<[u8; 32]>) {
    let codes = Vec::from_iter((0..RECOVERY_CODES).map(|_| new_recovery_code()));
    let digests = codes.iter().map(|code| {
        recovery_digest(code.expose_secret()).expect("a new code has the length of one")
    });
    let digests = digests.collect();
    (codes, digests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beside_a_cookie_is_of_it_alone() {
        let (one, other) = (new(), new());
        let (one, other) = (one.expose_secret(), other.expose_secret());
        assert_eq!((one.len(), one == other), (43, false));
        assert!(is_beside_cookie(one, &beside_cookie(one)));
        for given in [
            beside_cookie(other),
            one.to_owned(),
            String::new(),
            "?".into(),
        ] {
            assert!(!is_beside_cookie(one, &given));
        }
    }

    #[test]
    fn a_recovery_code_is_the_same_however_it_is_written() {
        let code = new_recovery_code();
        let code = code.expose_secret();
        assert_eq!(code.len(), 29);
        let kept = recovery_digest(code);
        assert!(kept.is_some());
        for written in [
            code.to_uppercase(),
            code.replace('-', ""),
            code.replace('-', " "),
        ] {
            assert_eq!(recovery_digest(&written), kept);
        }
        assert_eq!(recovery_digest(&code[1..]), None);
        // As they were before.
        assert!(recovery_digest(&code[..19]).is_some());
        assert_eq!(recovery_digest(&code[..24]), None);
        let (codes, digests) = new_recovery_codes();
        assert_eq!((codes.len(), digests.len()), (10, 10));
    }
}
