//! Access tokens whose signature was found to be right. A program sends the same one for minutes, and a check of the signature costs more
//! than all else that is asked of it. Whether key, token and log-in still live is looked up each time.

use crate::jwt::Claims;
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// More than programs speak to one process at a time; some 300 bytes each.
const TOKENS_MAX: NonZeroUsize = NonZeroUsize::new(8_192).expect("not zero");

/// By the SHA-256 of the whole token. Cheap to clone.
#[derive(Clone)]
pub struct Checked(Arc<Mutex<LruCache<[u8; 32], Claims>>>);

impl Checked {
    pub fn new() -> Self {
        Checked(Arc::new(Mutex::new(LruCache::new(TOKENS_MAX))))
    }

    /// What the token says, by `check` where it was not seen before; what is not right is not remembered.
    pub fn claims(
        &self,
        digest: [u8; 32],
        check: impl FnOnce() -> Option<Claims>,
    ) -> Option<Claims> {
        if let Some(claims) = self.lock().get(&digest) {
            return Some(claims.clone());
        }
        let claims = check()?;
        self.lock().put(digest, claims.clone());
        Some(claims)
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<[u8; 32], Claims>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squareoff_domain::{LogInId, Role, Timestamp};
    use uuid::Uuid;

    #[test]
    fn what_was_right_once_is_not_checked_again_and_what_was_wrong_is() {
        let checked = Checked::new();
        let operator = "recon".parse().unwrap();
        let (log_in, now) = (LogInId(Uuid::from_u128(7)), Timestamp(0));
        let claims = Claims::new(operator, log_in, Role::Machine, None, now, Timestamp(1));
        assert_eq!(checked.claims([1; 32], || None), None);
        let right = || Some(claims.clone());
        assert_eq!(checked.claims([1; 32], right), Some(claims.clone()));
        assert_eq!(checked.claims([1; 32], || None), Some(claims.clone()));
        assert_eq!(checked.claims([2; 32], || None), None);
    }
}
