//! Passwords: argon2id with OWASP's parameters, what may be one, and the pool that hashes.

mod pool;
mod rules;

pub use pool::{Busy, Hashing, Place, WAITING_MAX};
pub use rules::{PasswordRefusal, check};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use squareoff_domain::people::Role;
use std::sync::LazyLock;

const SALT_BYTES: usize = 16;

/// What a hash costs: memory in KiB, passes, lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

/// Twice what OWASP asks at least: there are tens of them, and they move other people's money.
pub const STAFF: Cost = Cost {
    memory_kib: 64 * 1024,
    passes: 3,
    lanes: 1,
};
/// What OWASP asks at least: a failover brings a hundred thousand of them at once.
pub const INVESTOR: Cost = Cost {
    memory_kib: 19 * 1024,
    passes: 2,
    lanes: 1,
};

impl Cost {
    pub const fn of(role: Role) -> Cost {
        match role {
            Role::Investor => INVESTOR,
            Role::Desk | Role::Supervisor | Role::Auditor | Role::Administrator | Role::Machine => {
                STAFF
            }
        }
    }

    fn argon2(self) -> Argon2<'static> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, None);
        let params = params.expect("the costs above are within argon2's bounds");
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
    }

    /// A PHC string under a salt of its own. Takes as long as it is meant to: see [`Hashing`].
    pub fn hash(self, password: &SecretString) -> String {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).expect("the system has randomness");
        self.argon2()
            .hash_password_with_salt(password.expose_secret().as_bytes(), &salt)
            .expect("a password has less than 4 GiB")
            .to_string()
    }

    /// Whether `stored` was made at another cost, and has to be made anew when the password is at hand.
    pub fn differs(self, stored: &str) -> bool {
        let found = PasswordHash::new(stored)
            .ok()
            .and_then(|hash| Params::try_from(&hash).ok());
        !found.is_some_and(|found| {
            let found = Cost {
                memory_kib: found.m_cost(),
                passes: found.t_cost(),
                lanes: found.p_cost(),
            };
            found == self && stored.starts_with("$argon2id$")
        })
    }
}

/// Compared in constant time. A stored text that is no hash is nobody's password.
pub fn verify(password: &SecretString, stored: &str) -> bool {
    let Ok(hash) = PasswordHash::new(stored) else {
        return false;
    };
    Argon2::default()
        .verify_password(password.expose_secret().as_bytes(), &hash)
        .is_ok()
}

/// Takes as long as the password of an account of such a cost; nobody knows the right one.
pub fn verify_nobodys(password: &SecretString, cost: Cost) -> bool {
    static STAFF_HASH: LazyLock<String> = LazyLock::new(|| nobodys(STAFF));
    static INVESTOR_HASH: LazyLock<String> = LazyLock::new(|| nobodys(INVESTOR));
    let hash = if cost == INVESTOR {
        &*INVESTOR_HASH
    } else {
        &*STAFF_HASH
    };
    verify(password, hash)
}

/// The hash of a password that nobody knows: random bytes in the place of salt and hash cost nothing to make.
fn nobodys(cost: Cost) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
    let mut random = [0; SALT_BYTES + 32];
    getrandom::fill(&mut random).expect("the system has randomness");
    let (salt, hash) = random.split_at(SALT_BYTES);
    let Cost {
        memory_kib,
        passes,
        lanes,
    } = cost;
    let (salt, hash) = (BASE64.encode(salt), BASE64.encode(hash));
    format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_says_its_cost_and_opens_for_its_password_alone() {
        let password = SecretString::from("three quiet herons");
        for (cost, says) in [
            (STAFF, "$argon2id$v=19$m=65536,t=3,p=1$"),
            (INVESTOR, "$argon2id$v=19$m=19456,t=2,p=1$"),
        ] {
            let hash = cost.hash(&password);
            assert!(hash.starts_with(says), "{hash}");
            assert!(verify(&password, &hash));
            assert!(!verify(&SecretString::from("three quiet heron"), &hash));
            assert_ne!(hash, cost.hash(&password), "each has a salt of its own");
            assert!(!cost.differs(&hash));
        }
        assert!(STAFF.differs(&INVESTOR.hash(&password)));
        for none in [
            "",
            "three quiet herons",
            "$argon2id$",
            "$argon2id$v=19$m=8,t=1,p=1$",
        ] {
            assert!(!verify(&password, none), "{none}");
            assert!(STAFF.differs(none));
        }
    }

    #[test]
    fn nobodys_password_is_a_whole_hash_of_the_same_cost() {
        for cost in [STAFF, INVESTOR] {
            let hash = nobodys(cost);
            assert!(!cost.differs(&hash), "{hash}");
            PasswordHash::new(&hash).unwrap();
            assert!(!verify_nobodys(&SecretString::from(""), cost));
        }
    }
}
