//! Keys and what is done with them: AES-256-GCM for text and for other keys, HKDF-SHA-256 for a key of a key, HMAC-SHA-256 for the blind index.
//!
//! 1. Every encryption has a nonce of its own from the operating system's generator. A data key encrypts some dozens of values in its life, so
//!    that two equal nonces under one key stay out of the question.
//! 2. The associated data names what is encrypted; under another name nothing opens.
//! 3. Keys are overwritten when they are dropped and no debug text shows one.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of a nonce and of a tag.
pub const NONCE_BYTES: usize = 12;
pub const TAG_BYTES: usize = 16;
pub const KEY_BYTES: usize = 32;

/// A key of 256 bits.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(withheld)")
    }
}

impl Key {
    pub fn random() -> Key {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        fill(key.as_mut());
        Key(key)
    }

    /// `None` unless there are exactly [`KEY_BYTES`].
    pub fn of_bytes(bytes: &[u8]) -> Option<Key> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        if bytes.len() != KEY_BYTES {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Key(key))
    }

    pub fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// A key for one purpose, which tells nothing of this one.
    pub fn derive(&self, purpose: &str) -> Key {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        Hkdf::<Sha256>::new(None, &*self.0)
            .expand(purpose.as_bytes(), key.as_mut())
            .expect("HKDF gives up to 255 hashes, this is one");
        Key(key)
    }

    /// Nonce, ciphertext and tag.
    pub fn seal(&self, name: &str, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        fill(&mut nonce);
        let payload = Payload {
            msg: plain,
            aad: name.as_bytes(),
        };
        let sealed = self
            .cipher()
            .encrypt(&nonce.into(), payload)
            .expect("a text of less than 64 GiB is encrypted");
        [&nonce[..], &sealed].concat()
    }

    /// What was sealed under this key and this very name; `None` for anything else.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload {
            msg: sealed,
            aad: name.as_bytes(),
        };
        let plain = self.cipher().decrypt(&(*nonce).into(), payload).ok()?;
        Some(Zeroizing::new(plain))
    }

    /// HMAC-SHA-256: equal texts give equal codes, and without the key a code tells nothing of its text.
    pub fn code(&self, text: &[u8]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&*self.0)
            .expect("HMAC takes keys of every length");
        mac.update(text);
        mac.finalize().into_bytes().into()
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&(*self.0).into())
    }
}

fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system has a random generator");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_debug_text_shows_a_key() {
        let key = Key::of_bytes(&[7; 32]).unwrap();
        assert_eq!(format!("{key:?}"), "Key(withheld)");
        assert!(Key::of_bytes(&[7; 31]).is_none());
    }

    fn hexadecimal(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// AES-256-GCM: test cases 13 and 14 of its specification; HMAC and HKDF: as Python's standard library has them.
    #[test]
    fn the_primitives_are_the_standards() {
        let zeros = Key::of_bytes(&[0; 32]).unwrap();
        for (rest, plain) in [
            ("530f8afbc74536b9a963b4f1c4cb738b", &[][..]),
            (
                "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
                &[0; 16],
            ),
        ] {
            let pairs = (0..rest.len()).step_by(2);
            let rest = pairs.map(|at| u8::from_str_radix(&rest[at..at + 2], 16).unwrap());
            let sealed: Vec<u8> = [0; NONCE_BYTES].into_iter().chain(rest).collect();
            assert_eq!(zeros.open("", &sealed).unwrap().as_slice(), plain);
        }
        let key = Key::of_bytes(&[0x0b; 32]).unwrap();
        assert_eq!(
            hexadecimal(&key.code(b"Hi There")),
            "198a607eb44bfbc69903a0f1cf2bbdc5ba0aa3f3d9ae3c1c7a3b1696a0b68cf7"
        );
        assert_eq!(
            hexadecimal(key.derive("a").bytes()),
            "51eaf3f66bb676af78c82047e26d33532eb51f95a4432eb5e6f0f2e71d8df8f7"
        );
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_under_its_key_and_name_alone(plain in proptest::collection::vec(any::<u8>(), 0..200), name in "[a-z|]{0,20}", other in "[a-z|]{0,20}", bit in 0_usize..8_000) {
            let key = Key::random();
            let sealed = key.seal(&name, &plain);
            prop_assert_eq!(sealed.len(), plain.len() + NONCE_BYTES + TAG_BYTES);
            let opened = key.open(&name, &sealed).unwrap();
            prop_assert_eq!(&opened[..], &plain[..]);
            prop_assert!(Key::random().open(&name, &sealed).is_none());
            if other != name {
                prop_assert!(key.open(&other, &sealed).is_none());
            }
            // One bit anywhere, or a byte less.
            let mut altered = sealed.clone();
            altered[bit / 8 % sealed.len()] ^= 1 << (bit % 8);
            prop_assert!(key.open(&name, &altered).is_none());
            prop_assert!(key.open(&name, &sealed[..sealed.len() - 1]).is_none());
            prop_assert!(key.open(&name, &[]).is_none());
            // The same again has another nonce.
            prop_assert_ne!(key.seal(&name, &plain), sealed);
        }
    }
}
