//! Who may call: nobody is asked on a loopback address without a token; with one, every call must bring it.
//!
//! KurrentDB's clients send a user name and a password with each call (HTTP's basic scheme, RFC 7617). The password is the token; the
//! user name is free and becomes the actor of what is appended. `Bearer <token>` is taken too.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// 16 characters of base64 are 96 bits: enough against guessing over a network.
const TOKEN_BYTES_MIN: usize = 16;
/// A file that is longer is not a token.
const TOKEN_BYTES_MAX: usize = 4_096;

/// What a caller must know. Only its hash is kept.
#[derive(Clone)]
pub struct Token {
    digest: [u8; 32],
}

#[derive(Debug, Error)]
pub enum TokenError {
    #[error("the token file {path} cannot be read: {error}", path = path.display())]
    Io {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("the token file {path} must hold one line of {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} characters", path = path.display())]
    NotAToken { path: PathBuf },
}

/// Who calls, as far as they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) user: Option<String>,
}

/// No token, or not the right one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotKnown;

impl Token {
    /// # Errors
    /// [`TokenError`] in one sentence.
    pub fn read(path: &Path) -> Result<Token, TokenError> {
        let text = std::fs::read_to_string(path).map_err(|error| TokenError::Io {
            path: path.to_owned(),
            error,
        })?;
        Token::new(text.trim()).ok_or_else(|| TokenError::NotAToken {
            path: path.to_owned(),
        })
    }

    /// `None` when it is too short or too long, or more than a line.
    pub fn new(text: &str) -> Option<Token> {
        let fits = (TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&text.len());
        let line = !text.contains(char::is_control);
        (fits && line).then(|| Token {
            digest: Sha256::digest(text).into(),
        })
    }

    /// Hashes are compared: how long that takes tells nothing of the token.
    fn is(&self, text: &str) -> bool {
        self.digest == <[u8; 32]>::from(Sha256::digest(text))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Who calls with these headers.
pub(crate) fn caller(token: Option<&Token>, headers: &HeaderMap) -> Result<Caller, NotKnown> {
    let said = headers
        .get(AUTHORIZATION)
        .and_then(|value| credentials(value.to_str().ok()?));
    match (token, said) {
        (None, said) => Ok(Caller {
            user: said.and_then(|(user, _)| user),
        }),
        (Some(token), Some((user, password))) if token.is(&password) => Ok(Caller { user }),
        (Some(_), _) => Err(NotKnown),
    }
}

/// User (of the basic scheme) and password.
fn credentials(header: &str) -> Option<(Option<String>, String)> {
    let (scheme, value) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some((None, value.trim().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64_STANDARD.decode(value.trim()).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some((
        (!user.is_empty()).then(|| user.to_owned()),
        password.to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_brings_the_token_is_let_in() {
        let token = Token::new("0123456789abcdef").unwrap();
        let with = |value: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(AUTHORIZATION, value.parse().unwrap());
            }
            caller(Some(&token), &headers)
        };
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        let user = |user: &str| {
            Ok(Caller {
                user: Some(user.to_owned()),
            })
        };
        assert_eq!(with(Some(&basic("asha:0123456789abcdef"))), user("asha"));
        assert_eq!(
            with(Some("Bearer 0123456789abcdef")),
            Ok(Caller { user: None })
        );
        for bad in [
            None,
            Some(basic("asha:0123456789abcdeg")),
            Some(basic("asha")),
            Some("Basic %%%".to_owned()),
            Some("0123456789abcdef".to_owned()),
            Some("Bearer".to_owned()),
        ] {
            assert_eq!(with(bad.as_deref()), Err(NotKnown), "{bad:?}");
        }
        assert_eq!(format!("{token:?}"), "Token");
    }

    #[test]
    fn a_token_is_one_line_that_nobody_guesses() {
        assert!(Token::new("short").is_none());
        assert!(Token::new("0123456789abcdef\nsecond").is_none());
        assert!(Token::new(&"x".repeat(5_000)).is_none());
    }
}
