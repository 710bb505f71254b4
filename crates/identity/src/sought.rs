//! Clients by name or phone: every identity in reach is opened in memory for it, and compared.
//!
//! 1. There is no index of names or phones anywhere, keyed or not: nothing of them lies on a disk but the ciphertext that was there before,
//!    and an erased client is found by nothing.
//! 2. What was opened is overwritten when it has been compared.
//!
//! Opening costs some microseconds a client: a tenth of a second for a large broker's, which the caller spends off the runtime.

use crate::IdentityError;
use crate::cipher::Key;
use crate::keys::Slot;
use crate::vault::{Vault, key, open_field};
use secrecy::{ExposeSecret, SecretString};
use squareoff_domain::client::{ClientState, IdentityField, SealedIdentity};
use squareoff_domain::{ClientCode, KeyId};
use std::collections::HashMap;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Letters that the longest word of a name has at least: fewer would find a good part of all clients.
pub const NAME_LETTERS_MIN: usize = 3;
/// The digits of a phone that count: those of a number in India without its country's code.
pub const PHONE_DIGITS: usize = 10;

/// What a client is looked for by.
#[derive(Debug, Clone)]
pub struct Sought {
    field: IdentityField,
    /// The words that a name begins words with, or the last digits of a phone.
    wanted: Arc<Vec<SecretString>>,
}

impl Sought {
    /// Words of a name, each by its beginning, in any order; small letters are as good as capitals. `None` when no word is long enough.
    pub fn name(text: &SecretString) -> Option<Sought> {
        let words = words(text.expose_secret());
        let long = |word: &Zeroizing<String>| word.chars().count() >= NAME_LETTERS_MIN;
        words.iter().any(long).then(|| Sought {
            field: IdentityField::Name,
            wanted: Arc::new(secrets(&words)),
        })
    }

    /// A phone by its last ten digits, however it is written. `None` when it has fewer.
    pub fn phone(text: &SecretString) -> Option<Sought> {
        let digits = last_digits(text.expose_secret())?;
        Some(Sought {
            field: IdentityField::Phone,
            wanted: Arc::new(secrets(&[digits])),
        })
    }

    fn is(&self, text: &str) -> bool {
        let wanted = || self.wanted.iter().map(ExposeSecret::expose_secret);
        match self.field {
            IdentityField::Name => {
                let words = words(text);
                wanted().all(|wanted| words.iter().any(|word| word.starts_with(wanted)))
            }
            IdentityField::Phone => {
                let digits = last_digits(text);
                digits.is_some_and(|digits| wanted().all(|wanted| *wanted == **digits))
            }
            IdentityField::Pan | IdentityField::DateOfBirth | IdentityField::Email => false,
        }
    }
}

impl Vault {
    /// Those of the clients whose recorded name or phone it is, at most `max`. An identity that does not open is nobody's. The caller looks
    /// at each client's state too ([`Vault::is_sought`]).
    ///
    /// # Errors
    /// The key store or the master key is out of reach.
    pub fn look(
        &self,
        identities: &[(ClientCode, Arc<SealedIdentity>)],
        sought: &Sought,
        max: usize,
    ) -> Result<Vec<ClientCode>, IdentityError> {
        let unlocked = self.keys.unlock(&self.master)?;
        let slots: HashMap<(&ClientCode, KeyId), &Slot> = unlocked
            .slots()
            .map(|slot| ((&slot.client, slot.key_id), slot))
            .collect();
        let found = identities.iter().filter(|(client, identity)| {
            let slot = slots.get(&(client, identity.key_id));
            let key = slot.and_then(|slot| unlocked.unwrap(slot));
            key.is_some_and(|key| has(client, identity, &key, sought))
        });
        Ok(found.take(max).map(|(client, _)| client.clone()).collect())
    }

    /// Whether the log's last word on the client has this name or phone.
    ///
    /// # Errors
    /// The key store or the master key is out of reach.
    pub fn is_sought(
        &self,
        client: &ClientCode,
        state: &ClientState,
        sought: &Sought,
    ) -> Result<bool, IdentityError> {
        let Some(identity) = state.identity.as_ref().filter(|_| state.erased.is_none()) else {
            return Ok(false);
        };
        let unlocked = self.keys.unlock(&self.master)?;
        let key = key(&unlocked, client, identity.key_id)?;
        Ok(has(client, identity, &key, sought))
    }
}

fn has(client: &ClientCode, identity: &SealedIdentity, key: &Key, sought: &Sought) -> bool {
    let field = identity.fields.iter().find(|it| it.field == sought.field);
    let text = field.and_then(|field| open_field(client, field, identity.key_id, key));
    text.is_some_and(|text| sought.is(&text))
}

/// In small letters, without what is neither letter nor digit.
fn words(text: &str) -> Vec<Zeroizing<String>> {
    let words = text.split(|sign: char| !sign.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    words
        .map(|word| Zeroizing::new(word.to_lowercase()))
        .collect()
}

fn last_digits(text: &str) -> Option<Zeroizing<String>> {
    let digits = Zeroizing::new(
        text.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>(),
    );
    let from = digits.len().checked_sub(PHONE_DIGITS)?;
    Some(Zeroizing::new(digits[from..].to_owned()))
}

fn secrets(texts: &[Zeroizing<String>]) -> Vec<SecretString> {
    let texts = texts.iter();
    texts
        .map(|text| SecretString::from(text.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn a_name_is_found_by_the_beginnings_of_its_words() {
        let name = "Asha R. Namuna-Rao";
        for (sought, finds) in [
            ("asha", true),
            ("ASH nam", true),
            ("rao asha", true),
            ("r asha", true),
            ("Namuna Rao", true),
            ("sha", false),
            ("asha rani", false),
            ("ashaa", false),
        ] {
            let sought_for = Sought::name(&secret(sought)).unwrap();
            assert_eq!(sought_for.is(name), finds, "{sought}");
        }
        assert!(Sought::name(&secret("\u{0906}\u{0936}\u{093e}")).is_some());
        for nobody in ["", "as r", "--", "a"] {
            assert!(Sought::name(&secret(nobody)).is_none(), "{nobody}");
        }
    }

    #[test]
    fn a_phone_is_found_by_its_last_ten_digits_however_it_is_written() {
        for written in [
            "9800000042",
            "+91 98000 00042",
            "0091-9800000042",
            "(0)9800000042",
        ] {
            let sought = Sought::phone(&secret(written)).unwrap();
            assert!(sought.is("+91 98000 00042"), "{written}");
            assert!(!sought.is("+91 98000 00043") && !sought.is("42"));
        }
        assert!(Sought::phone(&secret("98000 0004")).is_none());
    }

    #[test]
    fn no_debug_text_shows_what_is_sought() {
        let sought = Sought::name(&secret("namuna")).unwrap();
        assert!(!format!("{sought:?}").contains("namuna"));
    }
}
