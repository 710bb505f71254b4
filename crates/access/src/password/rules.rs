//! What may be a password: long enough, and not one of those that are tried first.
//!
//! There is no list of what was breached on the line here, so zxcvbn's own is asked, which has the thirty thousand passwords and the names
//! and words that are tried first, and sees them through capitals, digits for letters and repetition. It is told the context, too.

use secrecy::{ExposeSecret, SecretString};
use squareoff_domain::OperatorId;
use thiserror::Error;

pub const CHARACTERS_MIN: usize = 12;
/// Long enough for every sentence, short enough to look at.
pub const CHARACTERS_MAX: usize = 128;
/// Of zxcvbn: some ten billion guesses.
const SCORE_MIN: zxcvbn::Score = zxcvbn::Score::Four;
/// What people here think of first.
const CONTEXT: [&str; 8] = [
    "squareoff",
    "square-off",
    "broker",
    "nse",
    "bse",
    "mcx",
    "trading",
    "market",
];

/// In order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PasswordRefusal {
    #[error("a password has at least {CHARACTERS_MIN} characters")]
    TooShort,
    #[error("a password has at most {CHARACTERS_MAX} characters")]
    TooLong,
    #[error(
        "this password is among those that are tried first, or made of your name or of this platform's words: take some words that have nothing to do with each other"
    )]
    Guessable,
}

/// Takes some milliseconds.
///
/// # Errors
/// [`PasswordRefusal`].
pub fn check(
    password: &SecretString,
    operator: &OperatorId,
    name: &str,
) -> Result<(), PasswordRefusal> {
    let password = password.expose_secret();
    let characters = password.chars().count();
    if characters < CHARACTERS_MIN {
        return Err(PasswordRefusal::TooShort);
    }
    if characters > CHARACTERS_MAX {
        return Err(PasswordRefusal::TooLong);
    }
    let operator = operator.as_str();
    let own = name.split_whitespace().chain(operator.split(['-', '_']));
    let context = CONTEXT.into_iter().chain([operator, name]).chain(own);
    let context: Vec<_> = context.filter(|word| word.len() > 2).collect();
    if zxcvbn::zxcvbn(password, &context).score() < SCORE_MIN {
        return Err(PasswordRefusal::Guessable);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_first_is_no_password() {
        let operator: OperatorId = "desk-asha".parse().unwrap();
        let checked =
            |password: &str| check(&SecretString::from(password), &operator, "Asha Namuna");
        for password in [
            "password1234",
            "P@ssw0rd2026!",
            "qwertyuiop123",
            "aaaaaaaaaaaaaaaa",
            "123456789012",
            "squareoff2026",
            "Squareoff@123",
            "ashanamuna2026",
            "desk-asha-123",
            "AshaNamuna!!1",
            "letmeinletmein",
            "brokermarket1",
        ] {
            assert_eq!(
                checked(password),
                Err(PasswordRefusal::Guessable),
                "{password}"
            );
        }
        for password in ["three quiet herons", "vG7#kw!pQz2m", "शांत नदी के तीन बगुले"]
        {
            assert_eq!(checked(password), Ok(()), "{password}");
        }
        assert_eq!(checked("vG7#kw!pQz2"), Err(PasswordRefusal::TooShort));
        assert_eq!(checked(&"x7 ".repeat(43)), Err(PasswordRefusal::TooLong));
    }
}
