//! Waits while a venue takes no new order: halted, closed, not connected. That is about the venue, so an item waits for it instead of
//! being refused; but not for ever.

use crate::gathered::Gathered;
use squareoff_domain::platform::Gate as Shut;
use squareoff_domain::{PositionKey, Refusal, Segment, Venue};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long items wait in all: longer than an exchange needs to come back after a disconnect, shorter than the desk's patience. Then
/// they are refused with the reason, and a person decides.
pub const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// Pause between two looks.
pub const LOOK: Duration = Duration::from_millis(100);
/// Nobody looked for so long: what was seen before is forgotten, the next wait is a new one.
const FORGOTTEN: Duration = Duration::from_secs(10);

/// Since when which segment is shut, as the items of one bulk saw it.
#[derive(Default)]
pub struct Gates(Mutex<HashMap<(Venue, Segment), Seen>>);

struct Seen {
    since: Instant,
    looked: Instant,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    Open,
    /// Look again later.
    Shut,
    /// Shut for too long; the code of the refusal.
    TooLong(&'static str),
}

impl Gates {
    pub fn look(&self, gathered: &Gathered, key: &PositionKey) -> Look {
        // Without a contract the position refuses at once.
        let Some(contract) = &gathered.contract else {
            return Look::Open;
        };
        let place = (key.venue, contract.segment);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(code) = shut(gathered, key, contract.segment) else {
            seen.remove(&place);
            return Look::Open;
        };
        let now = Instant::now();
        let new = || Seen {
            since: now,
            looked: now,
        };
        let entry = seen.entry(place).or_insert_with(new);
        if now - entry.looked > FORGOTTEN {
            *entry = new();
        }
        entry.looked = now;
        if now - entry.since > PATIENCE {
            Look::TooLong(code)
        } else {
            Look::Shut
        }
    }
}

fn shut(gathered: &Gathered, key: &PositionKey, segment: Segment) -> Option<&'static str> {
    match gathered.platform.gate(key.date, key.venue, segment) {
        Err(Shut::Halted { reason, .. }) => Some(Refusal::Halted { reason }.code()),
        Err(Shut::MarketNotOpen { .. }) => Some(Refusal::MarketNotOpen { phase: "" }.code()),
        // The platform is another's, or of another day: the position refuses at once.
        Err(Shut::NotActive { .. } | Shut::OtherDate { .. }) => None,
        Ok(()) if !gathered.session_ready => Some(Refusal::SessionNotReady.code()),
        Ok(()) => None,
    }
}
