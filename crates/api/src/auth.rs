//! Who is asking. Until log-in exists a token is `sqo.<actor>.<HMAC-SHA-256 of the actor, hex>` under a local development key, so
//! that an actor is always named and never made up; the API binds loopback only as long as this is all there is.

use crate::limits::Limits;
use crate::problem::Problem;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;

const PREFIX: &str = "sqo.";
/// The longest actor name: it stands in every event.
const ACTOR_BYTES_MAX: usize = 64;

/// The key that development tokens are made and checked with. Never printed.
#[derive(Clone)]
pub struct DevelopmentKey(Arc<[u8; 32]>);

#[derive(Debug, Error)]
pub enum KeyError {
    #[error("the development key {path} cannot be used: {source}")]
    Io { path: String, source: io::Error },
    #[error(
        "the development key {path} is damaged: it must hold 64 hexadecimal digits; remove it to get a new one, all tokens change"
    )]
    Damaged { path: String },
    #[error(
        "`{0}` cannot be an actor: 1 to 64 small letters, digits, `-` and `_`, beginning with a letter"
    )]
    NotAnActor(String),
}

impl DevelopmentKey {
    /// Reads the key, or makes one (readable by its owner only) when there is none.
    ///
    /// # Errors
    /// [`KeyError::Io`], [`KeyError::Damaged`].
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Io {
            path: path.display().to_string(),
            source,
        };
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(text.trim()).ok_or_else(|| KeyError::Damaged {
                path: path.display().to_string(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key: [u8; 32] = [
                    uuid::Uuid::new_v4().into_bytes(),
                    uuid::Uuid::new_v4().into_bytes(),
                ]
                .concat()
                .try_into()
                .expect("two times sixteen bytes");
                // A role started at the same moment makes one too: written aside, then linked, so that one of them wins whole.
                let aside = path.with_extension(format!("{}.new", std::process::id()));
                let mut file = fs::OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(&aside)
                    .map_err(failed)?;
                file.write_all(hex(&key).as_bytes())
                    .and_then(|()| file.sync_all())
                    .map_err(failed)?;
                let linked = fs::hard_link(&aside, path);
                fs::remove_file(&aside).map_err(failed)?;
                match linked {
                    Ok(()) => Ok(DevelopmentKey(Arc::new(key))),
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        Self::load_or_create(path)
                    }
                    Err(error) => Err(failed(error)),
                }
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = unhex(text)?;
        Some(DevelopmentKey(Arc::new(bytes.try_into().ok()?)))
    }

    /// The token of `actor`; the same each time.
    ///
    /// # Errors
    /// [`KeyError::NotAnActor`].
    pub fn token(&self, actor: &str) -> Result<String, KeyError> {
        if !is_actor(actor) {
            return Err(KeyError::NotAnActor(actor.to_owned()));
        }
        Ok(format!(
            "{PREFIX}{actor}.{}",
            hex(&self.mac(actor).finalize().into_bytes())
        ))
    }

    /// The actor a token speaks for, compared in constant time.
    fn actor(&self, token: &str) -> Option<String> {
        let (actor, mac) = token.strip_prefix(PREFIX)?.rsplit_once('.')?;
        if !is_actor(actor) {
            return None;
        }
        self.mac(actor).verify_slice(&unhex(mac)?).ok()?;
        Some(actor.to_owned())
    }

    fn mac(&self, actor: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice())
            .expect("HMAC takes a key of any length");
        mac.update(actor.as_bytes());
        mac
    }
}

fn is_actor(text: &str) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
    };
    text.len() <= ACTOR_BYTES_MAX
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(allowed)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

/// The person or program that asks; taking it as an argument makes a route closed to anyone else.
#[derive(Debug, Clone)]
pub struct Actor(pub Arc<str>);

impl<S: Send + Sync> FromRequestParts<S> for Actor
where
    DevelopmentKey: FromRef<S>,
    Limits: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let key = DevelopmentKey::from_ref(state);
        let refuse = |detail: &str| {
            Problem::new(
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "Who is asking is not known",
                detail,
            )
        };
        let header = parts
            .headers
            .get(header::AUTHORIZATION)
            .ok_or_else(|| refuse("send `Authorization: Bearer <token>`"))?;
        let token = header.to_str().ok().and_then(|value| value.split_once(' '));
        let token = token
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        let actor = token
            .and_then(|token| key.actor(token))
            .ok_or_else(|| refuse("the bearer token is not valid"))?;
        let actor = Actor(actor.into());
        Limits::from_ref(state).person(&actor.0)?;
        Ok(actor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_made_with_the_key_names_its_actor() {
        let key = DevelopmentKey(Arc::new([7; 32]));
        let token = key.token("desk-asha").unwrap();
        assert_eq!(key.actor(&token).as_deref(), Some("desk-asha"));
        let other = DevelopmentKey(Arc::new([8; 32]));
        assert_eq!(other.actor(&token), None);
        let renamed = token.replace("desk-asha", "desk-ravi");
        for bad in [
            "",
            "sqo.",
            "sqo.desk-asha",
            "sqo.desk-asha.",
            "sqo.desk-asha.00",
            renamed.as_str(),
            &token[..token.len() - 1],
        ] {
            assert_eq!(key.actor(bad), None, "{bad}");
        }
        assert!(
            key.token("Desk Asha").is_err() && key.token("").is_err() && key.token("a.b").is_err()
        );
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_only_and_a_damaged_one_is_said() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("development.key");
        let first = DevelopmentKey::load_or_create(&path).unwrap();
        let again = DevelopmentKey::load_or_create(&path).unwrap();
        assert_eq!(first.0, again.0);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::write(&path, "xyz").unwrap();
        assert!(matches!(
            DevelopmentKey::load_or_create(&path),
            Err(KeyError::Damaged { .. })
        ));
    }
}
