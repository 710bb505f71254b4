//! Key store and master key together: what opens a sealed identity, masks it, and finds clients by PAN.

use crate::IdentityError;
use crate::cipher::Key;
use crate::keys::{KeyStore, Unlocked};
use crate::master::MasterKeySource;
use crate::plain::{PlainIdentity, mask};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use squareoff_domain::client::{ClientState, IdentityField, SealedField, SealedIdentity, is_pan};
use squareoff_domain::{ClientCode, KeyId};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// Cheap to clone; holds no key.
#[derive(Debug, Clone)]
pub struct Vault {
    pub(crate) keys: KeyStore,
    pub(crate) master: MasterKeySource,
}

/// A client's identity as anybody may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// None was ever recorded.
    None,
    /// Each field with most of it hidden.
    Masked(Vec<(IdentityField, String)>),
    /// Recorded, and the key is out of reach: nothing of it can be shown, and why.
    Sealed {
        fields: Vec<IdentityField>,
        why: String,
    },
    Erased,
}

/// What a caller tells.
#[derive(Debug, Clone)]
pub struct Told {
    pub pan: SecretString,
    /// `YYYY-MM-DD`.
    pub date_of_birth: SecretString,
}

impl Vault {
    pub fn new(keys: KeyStore, master: MasterKeySource) -> Vault {
        Vault { keys, master }
    }

    pub fn keys(&self) -> &KeyStore {
        &self.keys
    }

    /// The client's identity, masked. Blocks on the disk; keeps no plain text.
    pub fn show(&self, client: &ClientCode, state: &ClientState) -> Shown {
        if state.erased.is_some() {
            return Shown::Erased;
        }
        let Some(identity) = &state.identity else {
            return Shown::None;
        };
        match self.plain(client, identity) {
            Ok(plain) => Shown::Masked(
                plain
                    .iter()
                    .map(|(field, text)| (field, mask(field, text)))
                    .collect(),
            ),
            Err(error) => Shown::Sealed {
                fields: identity.names().collect(),
                why: error.to_string(),
            },
        }
    }

    /// The clients whose PAN this is, as the key store knows them: a person may have several codes. What is no PAN is nobody's. The caller
    /// looks at each client's state too ([`Vault::has_pan`]).
    ///
    /// # Errors
    /// The key store or the master key is out of reach.
    pub fn find(&self, pan: &SecretString) -> Result<Vec<ClientCode>, IdentityError> {
        use secrecy::ExposeSecret;
        let wanted = normal_pan(pan.expose_secret());
        let Some(wanted) = wanted else {
            return Ok(vec![]);
        };
        let unlocked = self.keys.unlock(&self.master)?;
        let index = unlocked.pan_index(&wanted);
        let mut found: Vec<_> = unlocked
            .slots()
            .filter(|slot| slot.pan_index == Some(index))
            .map(|slot| slot.client.clone())
            .collect();
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// Whether the log's last word on the client has this PAN: an index may be older than the log for an instant, or of a client that was
    /// erased a moment ago.
    ///
    /// # Errors
    /// The identity does not open.
    pub fn has_pan(
        &self,
        client: &ClientCode,
        state: &ClientState,
        pan: &SecretString,
    ) -> Result<bool, IdentityError> {
        use secrecy::ExposeSecret;
        let Some(identity) = state.identity.as_ref().filter(|_| state.erased.is_none()) else {
            return Ok(false);
        };
        let plain = self.plain(client, identity)?;
        let wanted = normal_pan(pan.expose_secret());
        Ok(wanted.is_some_and(|wanted| plain.get(IdentityField::Pan) == Some(wanted.as_str())))
    }

    /// Whether these are PAN and date of birth as they are recorded, compared in constant time, both whatever the first came to.
    ///
    /// # Errors
    /// The identity does not open.
    pub fn is_caller(
        &self,
        client: &ClientCode,
        identity: &SealedIdentity,
        told: &Told,
    ) -> Result<bool, IdentityError> {
        use secrecy::ExposeSecret;
        let plain = self.plain(client, identity)?;
        let same = |field, told: &str| {
            let recorded = plain.get(field).unwrap_or_default();
            recorded.as_bytes().ct_eq(told.as_bytes()) & Choice::from(u8::from(!told.is_empty()))
        };
        let pan = normal_pan(told.pan.expose_secret()).unwrap_or_default();
        let same = same(IdentityField::Pan, &pan)
            & same(
                IdentityField::DateOfBirth,
                told.date_of_birth.expose_secret().trim(),
            );
        Ok(same.into())
    }

    /// Every field in the clear. Only for what records the look first.
    pub(crate) fn plain(
        &self,
        client: &ClientCode,
        identity: &SealedIdentity,
    ) -> Result<PlainIdentity, IdentityError> {
        let unlocked = self.keys.unlock(&self.master)?;
        open(client, identity, &key(&unlocked, client, identity.key_id)?)
    }
}

/// A PAN in capitals without space around it; `None` when it is none.
pub(crate) fn normal_pan(text: &str) -> Option<zeroize::Zeroizing<String>> {
    let normal = zeroize::Zeroizing::new(text.trim().to_ascii_uppercase());
    is_pan(&normal).then_some(normal)
}

pub(crate) fn key(
    unlocked: &Unlocked,
    client: &ClientCode,
    key_id: KeyId,
) -> Result<Key, IdentityError> {
    let missing = || IdentityError::KeyMissing {
        client: client.clone(),
        key_id,
    };
    unlocked.key(client, key_id).ok_or_else(missing)
}

/// What the tag binds: the text opens for this client, field and key alone.
fn name(client: &ClientCode, field: IdentityField, key_id: KeyId) -> String {
    format!("squareoff identity v1|{client}|{field}|{key_id}")
}

pub(crate) fn seal(
    client: &ClientCode,
    key_id: KeyId,
    key: &Key,
    plain: &PlainIdentity,
) -> SealedIdentity {
    let seal = |(field, text): (IdentityField, &str)| SealedField {
        field,
        sealed: STANDARD.encode(key.seal(&name(client, field, key_id), text.as_bytes())),
    };
    SealedIdentity {
        key_id,
        fields: plain.iter().map(seal).collect(),
    }
}

/// # Errors
/// [`IdentityError::Unopened`] of the first field that is not as it was sealed.
pub(crate) fn open(
    client: &ClientCode,
    identity: &SealedIdentity,
    key: &Key,
) -> Result<PlainIdentity, IdentityError> {
    let mut plain = PlainIdentity::default();
    for sealed in &identity.fields {
        let text = open_field(client, sealed, identity.key_id, key);
        let text = text.ok_or_else(|| IdentityError::Unopened {
            client: client.clone(),
            field: sealed.field,
        })?;
        plain.set(sealed.field, text.as_str());
    }
    Ok(plain)
}

/// One field in the clear; `None` when it is not as it was sealed.
pub(crate) fn open_field(
    client: &ClientCode,
    SealedField { field, sealed }: &SealedField,
    key_id: KeyId,
    key: &Key,
) -> Option<Zeroizing<String>> {
    let sealed = STANDARD.decode(sealed).ok()?;
    let opened = key.open(&name(client, *field, key_id), &sealed)?;
    let text = std::str::from_utf8(&opened).ok()?;
    Some(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn code(text: &str) -> ClientCode {
        text.parse().unwrap()
    }

    fn plain(texts: &[(IdentityField, String)]) -> PlainIdentity {
        let mut plain = PlainIdentity::default();
        for (field, text) in texts {
            plain.set(*field, text.as_str());
        }
        plain
    }

    fn any_plain() -> impl Strategy<Value = PlainIdentity> {
        let texts = proptest::collection::vec(".{0,60}", IdentityField::ALL.len());
        texts.prop_map(|texts| {
            let pairs: Vec<_> = IdentityField::ALL.iter().copied().zip(texts).collect();
            plain(&pairs)
        })
    }

    proptest! {
        #[test]
        fn an_identity_opens_for_its_client_and_key_alone(before in any_plain(), swap in 0_usize..5, with in 0_usize..5) {
            let (key, key_id) = (Key::random(), KeyId(Uuid::new_v4()));
            let (asha, ravi) = (code("C00001"), code("C00002"));
            let sealed = seal(&asha, key_id, &key, &before);
            prop_assert!(open(&asha, &sealed, &key).unwrap().says_the_same(&before));
            // Another client's stream, another key, another name of the key.
            prop_assert!(open(&ravi, &sealed, &key).is_err());
            prop_assert!(open(&asha, &sealed, &Key::random()).is_err());
            let renamed = SealedIdentity { key_id: KeyId(Uuid::new_v4()), ..sealed.clone() };
            prop_assert!(open(&asha, &renamed, &key).is_err());
            // Two fields of one client exchanged.
            if swap != with {
                let mut swapped = sealed.clone();
                let text = swapped.fields[swap].sealed.clone();
                swapped.fields[swap].sealed = std::mem::replace(&mut swapped.fields[with].sealed, text);
                prop_assert!(open(&asha, &swapped, &key).is_err());
            }
            // The same identity of another client under the same key: a field carried over.
            let others = seal(&ravi, key_id, &key, &before);
            let mut carried = sealed.clone();
            carried.fields[swap] = others.fields[swap].clone();
            let refused = open(&asha, &carried, &key).unwrap_err().to_string();
            prop_assert!(refused.contains("does not open"), "{}", refused);
            // Sealed again, not one text is the same.
            let again = seal(&asha, key_id, &key, &before);
            prop_assert!(again.fields.iter().zip(&sealed.fields).all(|(one, other)| one.sealed != other.sealed));
        }
    }

    #[test]
    fn a_pan_is_found_however_it_is_typed() {
        for (text, normal) in [
            (" aaapz0001z\n", Some("AAAPZ0001Z")),
            ("AAAPZ0001Z", Some("AAAPZ0001Z")),
            ("AAAPZ0001", None),
            ("AAAXZ0001Z", None),
            ("", None),
        ] {
            assert_eq!(normal_pan(text).as_ref().map(|pan| pan.as_str()), normal);
        }
    }
}
