//! What market control set, and what follows from it for the requests after.

use squareoff_fix::Timestamp;

use super::{Exchange, SECOND_NS};
use crate::fault::Fault;
use crate::setting::Setting;

impl Exchange {
    pub(super) fn set(&mut self, setting: &Setting) {
        match setting.clone() {
            Setting::Fault {
                fault,
                symbol,
                times,
            } => {
                let wished = self.wishes.entry((fault, symbol)).or_default();
                *wished = wished.saturating_add(times);
            }
            Setting::NoFaults => self.wishes.clear(),
            Setting::Seeded(rates) => self.rates = rates,
            Setting::Throttle {
                session,
                messages_per_second,
            } => {
                self.limits.insert(session, messages_per_second);
            }
            Setting::CancelOnDisconnect { session, on } => {
                self.cancels_on_disconnect.insert(session, on);
            }
            Setting::Clock { ahead_ms } => self.clock_ahead_ms = ahead_ms,
        }
    }

    /// How far the exchange's clock is ahead of the machine's.
    #[must_use]
    pub fn clock_ahead_ms(&self) -> i64 {
        self.clock_ahead_ms
    }

    /// Whether a session's orders are canceled when it drops, by what was set since the start or by the rules.
    pub(super) fn cancels_on_disconnect(&self, session: &str) -> bool {
        let set = self.cancels_on_disconnect.get(session).copied();
        set.unwrap_or_else(|| self.rules.cancel_on_disconnect.contains(session))
    }

    /// How many requests about orders a session may send in a second; what was set for the session itself goes before what
    /// was set for all, and that before the rules.
    pub(super) fn limit_of(&self, session: &str) -> Option<u32> {
        let of = |name: Option<String>| self.limits.get(&name).copied();
        let set = of(Some(session.to_owned())).or_else(|| of(None));
        set.unwrap_or(self.rules.messages_per_second)
    }

    /// Why a request can't be looked at: too many came in this second.
    pub(super) fn too_many(&self, session: &str, now: Timestamp) -> Option<String> {
        let limit = self.limit_of(session)?;
        let known = self.recorded.get(session)?;
        let is_full = known.second == now.0.div_euclid(SECOND_NS) && known.in_second >= limit;
        is_full.then(|| format!("throttle: more than {limit} messages in a second"))
    }

    /// A wish for one symbol is served before one for any.
    pub(super) fn spend_wish(&mut self, fault: Fault, symbol: &str) {
        for wish in [Some(symbol.to_owned()), None] {
            let key = (fault, wish);
            if let Some(left) = self.wishes.get_mut(&key) {
                *left -= 1;
                if *left == 0 {
                    self.wishes.remove(&key);
                }
                return;
            }
        }
    }
}
