//! An identity in the clear, for as short a time as it can be: overwritten when dropped, and no debug text shows it.

use secrecy::{ExposeSecret, SecretString};
use squareoff_domain::client::IdentityField;
use std::collections::BTreeMap;

/// Fields in the clear.
#[derive(Debug, Clone, Default)]
pub struct PlainIdentity(BTreeMap<IdentityField, SecretString>);

impl PlainIdentity {
    pub fn set(&mut self, field: IdentityField, text: impl Into<SecretString>) {
        self.0.insert(field, text.into());
    }

    pub fn get(&self, field: IdentityField) -> Option<&str> {
        self.0.get(&field).map(ExposeSecret::expose_secret)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (IdentityField, &str)> {
        self.0
            .iter()
            .map(|(field, text)| (*field, text.expose_secret()))
    }

    /// These fields over those of `before`: what is not said again stays as it was.
    #[must_use]
    pub(crate) fn over(&self, before: &PlainIdentity) -> PlainIdentity {
        let mut all = before.0.clone();
        all.extend(self.0.clone());
        PlainIdentity(all)
    }

    /// These fields of it, and no other.
    #[must_use]
    pub(crate) fn only(mut self, fields: &[IdentityField]) -> PlainIdentity {
        self.0.retain(|field, _| fields.contains(field));
        self
    }

    pub(crate) fn says_the_same(&self, other: &PlainIdentity) -> bool {
        self.iter().eq(other.iter())
    }
}

/// A field with so much hidden that it confirms what somebody knows and tells little to who does not: a PAN keeps its first two and last
/// two signs, a name its initials, an e-mail its first letter, a phone its last two digits, a date of birth nothing. The number of stars says
/// nothing of the length, save that of a PAN.
pub fn mask(field: IdentityField, text: &str) -> String {
    match field {
        IdentityField::Pan => {
            let signs: Vec<char> = text.chars().collect();
            let (Some(first), Some(last)) = (signs.get(..2), signs.len().checked_sub(2)) else {
                return "**********".to_owned();
            };
            let (first, last): (String, String) = (
                first.iter().collect(),
                signs[last.max(2)..].iter().collect(),
            );
            format!("{first}******{last}")
        }
        IdentityField::Name => {
            let words = text.split_whitespace();
            let initials: Vec<_> = words
                .filter_map(|word| word.chars().next())
                .map(|initial| format!("{initial}***"))
                .collect();
            initials.join(" ")
        }
        IdentityField::DateOfBirth => "****-**-**".to_owned(),
        IdentityField::Email => match text.chars().next() {
            Some(first) => format!("{first}***@***"),
            None => "***@***".to_owned(),
        },
        IdentityField::Phone => {
            let digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
            let last: String = digits[digits.len().saturating_sub(2)..].iter().collect();
            format!("********{last}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use IdentityField::{DateOfBirth, Email, Name, Pan, Phone};
    use proptest::prelude::*;

    #[test]
    fn a_mask_keeps_little() {
        for (field, text, masked) in [
            (Pan, "AAAPZ0001Z", "AA******1Z"),
            (Name, "Asha Namuna", "A*** N***"),
            (Name, "अदिति नमुना", "अ*** न***"),
            (DateOfBirth, "1984-02-29", "****-**-**"),
            (Email, "asha.namuna@example.com", "a***@***"),
            (Phone, "+91 00000 00017", "********17"),
        ] {
            assert_eq!(mask(field, text), masked);
        }
    }

    #[test]
    fn no_debug_text_shows_a_field() {
        let mut plain = PlainIdentity::default();
        plain.set(Pan, "AAAPZ0001Z");
        assert!(!format!("{plain:?}").contains("AAAPZ"), "{plain:?}");
        assert_eq!(plain.get(Pan), Some("AAAPZ0001Z"));
    }

    proptest! {
        /// Whatever stands in the field, the mask has at most four of its signs, or its initials.
        #[test]
        fn no_text_breaks_a_mask(text in ".{0,40}") {
            for field in IdentityField::ALL {
                let masked = mask(*field, &text);
                let shown = masked.chars().filter(|sign| !"*@ -".contains(*sign)).count();
                let most = if *field == Name { text.split_whitespace().count() } else { 4 };
                prop_assert!(shown <= most, "{} {}", field, masked);
            }
        }
    }
}
