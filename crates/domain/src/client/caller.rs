//! Whether an operator may act for a client who called: only who told PAN and date of birth as they are recorded, and for a while.

use super::{ClientRefusal, ClientState, IdentityField};
use crate::id::ClientCode;
use crate::time::Timestamp;

/// Failed verifications of one client by one operator within [`FAILURE_WINDOW_NS`]; from then on nothing that is told is compared. Enough
/// for slips of the tongue, too few to find a date of birth.
pub const FAILURES_MAX: usize = 3;
/// Thirty minutes, in nanoseconds.
pub const FAILURE_WINDOW_NS: i64 = 30 * 60 * 1_000_000_000;

/// What one operator has verified of one client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// The operator may act for the client until then.
    pub valid_until: Option<Timestamp>,
    /// The failures since the last success, oldest first, at most [`FAILURES_MAX`].
    pub failed_at: Vec<Timestamp>,
}

impl Verification {
    pub(super) fn fail(&mut self, at: Timestamp) {
        self.valid_until = None;
        if self.failed_at.len() == FAILURES_MAX {
            self.failed_at.remove(0);
        }
        self.failed_at.push(at);
    }

    /// Failures that still count at `now`.
    fn failures(&self, now: Timestamp) -> usize {
        let counts = |at: &&Timestamp| now.0.saturating_sub(at.0) < FAILURE_WINDOW_NS;
        self.failed_at.iter().filter(counts).count()
    }
}

impl ClientState {
    /// How often `by` may still fail to verify a caller now.
    pub fn attempts_left(&self, by: &str, now: Timestamp) -> usize {
        let failures = self.verifications.get(by).map_or(0, |of| of.failures(now));
        FAILURES_MAX.saturating_sub(failures)
    }
}

/// Whether a caller can be compared with anything.
///
/// # Errors
/// [`ClientRefusal`]: there is no such client, or nothing of the client that a caller could tell.
pub(super) fn comparable(state: &ClientState, client: &ClientCode) -> Result<(), ClientRefusal> {
    let client = || client.clone();
    if state.client.is_none() {
        return Err(ClientRefusal::UnknownClient { client: client() });
    }
    if state.erased.is_some() {
        return Err(ClientRefusal::Erased { client: client() });
    }
    let Some(identity) = &state.identity else {
        return Err(ClientRefusal::IdentityNotRecorded { client: client() });
    };
    let has = |wanted| identity.names().any(|field| field == wanted);
    for missing in [IdentityField::Pan, IdentityField::DateOfBirth] {
        if !has(missing) {
            return Err(ClientRefusal::IdentityIncomplete {
                client: client(),
                missing,
            });
        }
    }
    Ok(())
}

/// Whether `by` may act for the client on somebody's word.
///
/// # Errors
/// [`ClientRefusal`]: nobody was verified who could have asked for it, or nobody can be.
pub fn check_verified(
    state: &ClientState,
    client: &ClientCode,
    by: &str,
    now: Timestamp,
) -> Result<(), ClientRefusal> {
    let until = state.verifications.get(by).and_then(|of| of.valid_until);
    if until.is_some_and(|until| now < until) {
        return Ok(());
    }
    comparable(state, client)?;
    Err(ClientRefusal::CallerNotVerified {
        client: client.clone(),
        by: by.to_owned(),
    })
}
