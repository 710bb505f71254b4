//! Development tokens, `sqo.<actor>.<HMAC-SHA-256 of the actor, hex>` under a local key: an actor is always named and never made up, and the
//! name says the role.

use super::Who;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use squareoff_domain::{ClientCode, Role};
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
    #[error(
        "`{0}` has no role: an actor is desk-…, supervisor-…, investor-<client code in small letters>, auditor-…, admin-… or machine-…"
    )]
    NoRole(String),
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
    /// [`KeyError::NotAnActor`], [`KeyError::NoRole`].
    pub fn token(&self, actor: &str) -> Result<String, KeyError> {
        if !is_actor(actor) {
            return Err(KeyError::NotAnActor(actor.to_owned()));
        }
        who(actor)?;
        Ok(format!(
            "{PREFIX}{actor}.{}",
            hex(&self.mac(actor).finalize().into_bytes())
        ))
    }

    /// The actor a token speaks for, compared in constant time.
    pub(super) fn actor(&self, token: &str) -> Option<String> {
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

/// Whom the name of an actor stands for.
///
/// # Errors
/// [`KeyError::NoRole`].
pub(super) fn who(actor: &str) -> Result<Who, KeyError> {
    let no_role = || KeyError::NoRole(actor.to_owned());
    let (prefix, rest) = actor.split_once('-').ok_or_else(no_role)?;
    let (role, client) = match prefix {
        "desk" => (Role::Desk, None),
        "supervisor" => (Role::Supervisor, None),
        "investor" => {
            let client: Result<ClientCode, _> = rest.to_ascii_uppercase().parse();
            (Role::Investor, Some(client.map_err(|_| no_role())?))
        }
        "auditor" => (Role::Auditor, None),
        "admin" => (Role::Administrator, None),
        "machine" => (Role::Machine, None),
        _ => return Err(no_role()),
    };
    if rest.is_empty() {
        return Err(no_role());
    }
    Ok(Who {
        name: actor.into(),
        role,
        client,
    })
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
        let renamed = token.replace("desk-asha", "supervisor-ravi");
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
    fn the_name_of_an_actor_says_the_role() {
        let key = DevelopmentKey(Arc::new([7; 32]));
        for (actor, role, client) in [
            ("desk-asha", Role::Desk, None),
            ("supervisor-ravi", Role::Supervisor, None),
            ("investor-c00042", Role::Investor, Some("C00042")),
            ("auditor-meera", Role::Auditor, None),
            ("admin-kiran", Role::Administrator, None),
            ("machine-reconcile", Role::Machine, None),
        ] {
            let who = who(actor).unwrap();
            assert_eq!((&*who.name, who.role), (actor, role));
            assert_eq!(who.client.as_ref().map(ClientCode::as_str), client);
            assert!(key.token(actor).is_ok());
        }
        for actor in [
            "asha",
            "desk",
            "desk-",
            "operator",
            "administrator-kiran",
            "investor-c-1",
            "investor-c0000000000042",
        ] {
            let refused = key.token(actor).unwrap_err().to_string();
            assert!(
                refused.contains("has no role: an actor is desk-"),
                "{refused}"
            );
        }
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
