//! Access tokens of programs: JWTs (RFC 7519) signed with Ed25519 (RFC 8037), five minutes long.
//!
//! 1. The algorithm is what our key says, never what a token says: any header but the one we write is refused.
//! 2. A token names its log-in, which is looked up with each request: one that ended makes the token worth nothing at once.

use crate::secrets::StoredKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use squareoff_domain::people::Role;
use squareoff_domain::{ClientCode, LogInId, OperatorId, Timestamp};
use std::time::Duration;

pub const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// How long a key signs: a day. A key that leaked and was not noticed is of no more use then.
pub const KEY_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// How long what a replaced key signed still counts: as long as its last token, and what clocks differ.
pub const KEY_GRACE: Duration = Duration::from_secs(6 * 60);
const ISSUER: &str = "squareoff";
/// Whom a token is for: this API, and no other service that may come to trust our keys.
const AUDIENCE: &str = "squareoff-api";
const TOKEN_BYTES_MAX: usize = 2_048;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: OperatorId,
    /// The log-in.
    pub sid: LogInId,
    pub role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientCode>,
    /// Seconds since 1970.
    pub iat: i64,
    pub exp: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: Algorithm,
    typ: Type,
    kid: String,
}

/// One value each, so that another one can't be read.
#[derive(Serialize, Deserialize)]
enum Algorithm {
    #[serde(rename = "EdDSA")]
    Ed25519,
}

#[derive(Serialize, Deserialize)]
enum Type {
    #[serde(rename = "JWT")]
    Jwt,
}

/// A public key as others check our tokens with it (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    kty: &'static str,
    crv: &'static str,
    alg: &'static str,
    r#use: &'static str,
    pub kid: String,
    pub x: String,
}

pub fn new_key(now: Timestamp) -> StoredKey {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).expect("the system has randomness");
    let public = SigningKey::from_bytes(&seed).verifying_key();
    StoredKey {
        // Named after itself, so that no two are named alike.
        kid: BASE64.encode(&Sha256::digest(public.as_bytes())[..12]),
        seed,
        made_at: now,
    }
}

impl Claims {
    pub fn new(
        operator: OperatorId,
        log_in: LogInId,
        role: Role,
        client: Option<ClientCode>,
        now: Timestamp,
        ends_at: Timestamp,
    ) -> Self {
        let lifetime = LIFETIME.as_secs().cast_signed();
        Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: operator,
            sid: log_in,
            role,
            client,
            iat: seconds(now),
            exp: (seconds(now) + lifetime).min(seconds(ends_at)),
        }
    }

    /// Whether what it says has not ended.
    pub const fn lives(&self, now: Timestamp) -> bool {
        now.0 < self.lives_until().0
    }

    pub const fn lives_until(&self) -> Timestamp {
        Timestamp(self.exp.saturating_mul(1_000_000_000))
    }

    pub fn sign(&self, key: &StoredKey) -> String {
        let header = Header {
            alg: Algorithm::Ed25519,
            typ: Type::Jwt,
            kid: key.kid.clone(),
        };
        let signed = format!("{}.{}", part(&header), part(self));
        let signature = SigningKey::from_bytes(&key.seed).sign(signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(signature.to_bytes()))
    }
}

/// The id of the key that a token says it is signed with; `None` for what is no token of ours.
pub fn kid(token: &str) -> Option<String> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (header, _) = token.split_once('.')?;
    let header: Header = serde_json::from_slice(&BASE64.decode(header).ok()?).ok()?;
    Some(header.kid)
}

/// What a token says that is signed with this key and has not ended.
pub fn verify(token: &str, key: &StoredKey, now: Timestamp) -> Option<Claims> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (_, claims) = signed.split_once('.')?;
    let signature = Signature::from_slice(&BASE64.decode(signature).ok()?).ok()?;
    let public = SigningKey::from_bytes(&key.seed).verifying_key();
    public.verify_strict(signed.as_bytes(), &signature).ok()?;
    let claims: Claims = serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()?;
    let is_ours = claims.iss == ISSUER && claims.aud == AUDIENCE;
    (is_ours && claims.lives(now)).then_some(claims)
}

pub fn jwk(key: &StoredKey) -> Jwk {
    let public = SigningKey::from_bytes(&key.seed).verifying_key();
    Jwk {
        kty: "OKP",
        crv: "Ed25519",
        alg: "EdDSA",
        r#use: "sig",
        kid: key.kid.clone(),
        x: BASE64.encode(public.as_bytes()),
    }
}

fn part(value: &impl Serialize) -> String {
    let text = serde_json::to_vec(value).expect("texts and numbers are JSON");
    BASE64.encode(text)
}

const fn seconds(at: Timestamp) -> i64 {
    at.0.div_euclid(1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000_000_000)
    }

    fn claims() -> Claims {
        let operator = "recon".parse().unwrap();
        let log_in = LogInId(Uuid::from_u128(7));
        Claims::new(operator, log_in, Role::Machine, None, at(1_000), at(90_000))
    }

    #[test]
    fn a_token_says_what_it_was_signed_with_until_it_ends() {
        let key = new_key(at(1_000));
        let token = claims().sign(&key);
        assert_eq!(kid(&token).as_deref(), Some(key.kid.as_str()));
        assert_eq!(verify(&token, &key, at(1_299)), Some(claims()));
        assert_eq!(verify(&token, &key, at(1_300)), None);
        assert_eq!(verify(&token, &new_key(at(1_000)), at(1_000)), None);
        // No longer than the log-in.
        let short = Claims::new(
            claims().sub,
            claims().sid,
            Role::Machine,
            None,
            at(1_000),
            at(1_010),
        );
        assert_eq!(short.exp, 1_010);
    }

    #[test]
    fn a_token_for_another_service_is_none() {
        let key = new_key(at(1_000));
        let signed = |claims: &Claims| verify(&claims.sign(&key), &key, at(1_000));
        assert!(signed(&claims()).is_some());
        let mut others = [claims(), claims()];
        others[0].aud = "another".into();
        others[1].iss = "another".into();
        for claims in others {
            assert_eq!(signed(&claims), None);
        }
        // As an older release signed them.
        let mut old = serde_json::to_value(claims()).unwrap();
        old.as_object_mut().unwrap().remove("aud");
        assert!(serde_json::from_value::<Claims>(old).is_err());
    }

    #[test]
    fn a_token_that_was_changed_or_names_another_algorithm_is_none() {
        let key = new_key(at(1_000));
        let token = claims().sign(&key);
        let parts: Vec<_> = token.split('.').collect();
        let other = Claims {
            role: Role::Administrator,
            ..claims()
        };
        let forged = [
            format!("{}.{}.{}", parts[0], part(&other), parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}", parts[0], parts[1]),
            format!("{}.{}.{}", parts[0], parts[1], parts[1]),
            token[..token.len() - 1].to_owned(),
            format!("{token}A"),
        ];
        for token in forged {
            assert_eq!(verify(&token, &key, at(1_000)), None, "{token}");
        }
        for header in [
            r#"{"alg":"none","typ":"JWT","kid":"K"}"#,
            r#"{"alg":"HS256","typ":"JWT","kid":"K"}"#,
            r#"{"alg":"EdDSA","typ":"JWT"}"#,
            r#"{"alg":"EdDSA","typ":"JWT","kid":"K","jwk":{}}"#,
            "",
        ] {
            let token = format!("{}.{}.{}", BASE64.encode(header), parts[1], parts[2]);
            assert_eq!(kid(&token), None, "{header}");
        }
        assert_eq!(kid(&"a".repeat(5_000)), None);
    }

    #[test]
    fn a_public_key_is_written_as_rfc_8037_says() {
        // RFC 8037, appendix A: the example's private and public key.
        let mut seed = [0; 32];
        let text = BASE64
            .decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
            .unwrap();
        seed.copy_from_slice(&text);
        let key = StoredKey {
            kid: "K".into(),
            seed,
            made_at: at(0),
        };
        let expected = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        assert_eq!(jwk(&key).x, expected);
    }
}
