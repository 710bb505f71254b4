//! The fields of an identity and how each is written. A reason never holds the value: it is shown where the value must not be.

use crate::time::TradingDate;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing that says who a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityField {
    Name,
    Pan,
    DateOfBirth,
    Email,
    Phone,
}

/// The fourth letter of a PAN, the type of its holder: association, body of individuals, company, limited liability partnership, firm,
/// government, Hindu undivided family, artificial juridical person, local authority, person, trust.
const PAN_HOLDERS: &[u8] = b"ABCEFGHJLPT";

impl IdentityField {
    pub const ALL: &'static [IdentityField] = &[
        IdentityField::Name,
        IdentityField::Pan,
        IdentityField::DateOfBirth,
        IdentityField::Email,
        IdentityField::Phone,
    ];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            IdentityField::Name => "name",
            IdentityField::Pan => "pan",
            IdentityField::DateOfBirth => "date-of-birth",
            IdentityField::Email => "email",
            IdentityField::Phone => "phone",
        }
    }

    /// What is wrong with `text` as this field, behind "the value"; `None` when nothing is.
    pub fn mistake(self, text: &str) -> Option<&'static str> {
        let (good, why) = match self {
            IdentityField::Name => (is_name(text), "is not a name: 1 to 120 characters"),
            IdentityField::Pan if !has_pan_pattern(text) => {
                (false, "is not five letters, four digits and a letter")
            }
            IdentityField::Pan => (
                is_pan(text),
                "has a fourth letter that is no type of holder: A, B, C, E, F, G, H, J, L, P or T",
            ),
            IdentityField::DateOfBirth => (
                text.parse::<TradingDate>().is_ok(),
                "is not a date of the form YYYY-MM-DD, 1900 or later",
            ),
            IdentityField::Email => (is_email(text), "is not an e-mail address"),
            IdentityField::Phone => (
                is_phone(text),
                "is not a phone number: + and digits, spaces between",
            ),
        };
        (!good).then_some(why)
    }
}

impl fmt::Display for IdentityField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_name(text: &str) -> bool {
    (1..=120).contains(&text.chars().count())
        && text.trim() == text
        && !text.contains(char::is_control)
}

/// A PAN as it is issued: capital letters, and a fourth letter that is a type of holder. Whether it was issued is another matter.
pub fn is_pan(text: &str) -> bool {
    has_pan_pattern(text) && PAN_HOLDERS.contains(&text.as_bytes()[3])
}

fn has_pan_pattern(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 10
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            5..=8 => byte.is_ascii_digit(),
            _ => byte.is_ascii_uppercase(),
        })
}

/// Whether somebody wrote a PAN into a text that is kept for ever, in capitals or not.
pub fn holds_pan(text: &str) -> bool {
    text.split(|letter: char| !letter.is_ascii_alphanumeric())
        .any(|word| has_pan_pattern(&word.to_ascii_uppercase()))
}

/// Enough to catch a column that slipped; whether mail arrives is another matter.
fn is_email(text: &str) -> bool {
    let parts: Vec<_> = text.split('@').collect();
    text.len() <= 254
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && parts.len() == 2
        && parts.iter().all(|part| !part.is_empty())
}

fn is_phone(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let rest = text.strip_prefix('+').unwrap_or_default();
    (8..=15).contains(&digits)
        && rest
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b' ')
}
