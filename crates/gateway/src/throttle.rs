//! How fast messages may go to a venue over one session: a token bucket with the time as an argument, and less of it while the venue
//! says that it is too much. Called by `outbound` for each message, and by `inbound` when the venue refuses one for its rate.
//!
//! 1. In any stretch of time go at most so many messages as the stretch has room for at [`SHARE_TENTHS`] of the venue's rate, and a
//!    tenth of a second's worth and one more.
//! 2. A refusal for the rate halves it, at most once in [`HALVING_PAUSE`]: refusals of one burst are one. From then on it grows evenly.
//! 3. Behind a refusal nothing goes for [`BACK_OFF`]: a cancel that is asked again would only be refused again.
//! 4. It never falls below a share of [`FLOOR`], so that cancels always go.
//!
//! What the session says by itself (heartbeats, log-ons, messages that the venue asks for again) is not counted: the last tenth of the
//! venue's rate is theirs.

use std::time::{Duration, Instant};

/// The share of the venue's rate that we use, in tenths.
const SHARE_TENTHS: u64 = 9;
/// What may go at once after a rest, as time: a tenth of a second's worth, so that no second sees more than the venue's rate.
const BURST: Duration = Duration::from_millis(100);
/// What of the full rate remains in the worst case, as a divisor.
const FLOOR: u64 = 8;
/// Messages that were on their way when the rate was halved may still be refused for it.
const HALVING_PAUSE: Duration = Duration::from_secs(1);
/// What a venue that counts by the second has to be left in peace for, at a rate that was nearly right; each further refusal adds it again.
const BACK_OFF: Duration = Duration::from_millis(250);
/// How long the rate takes from nothing to full: it is back to full ten seconds after one halving.
const RECOVERY: Duration = Duration::from_secs(20);
/// Rates are counted in thousandths of a message a second.
const MILLI: u64 = 1_000;

#[derive(Debug)]
pub struct Throttle {
    full_milli: u64,
    /// When the next message may go, were there no burst.
    free_at: Instant,
    /// The last halving, and the rate behind it.
    halved: Option<(Instant, u64)>,
}

impl Throttle {
    /// For a venue that takes `rate_per_s` messages of the session, at least 1.
    pub fn new(rate_per_s: u32, now: Instant) -> Throttle {
        Throttle {
            full_milli: u64::from(rate_per_s.max(1)) * MILLI * SHARE_TENTHS / 10,
            free_at: now,
            halved: None,
        }
    }

    /// When the next message may go; not after `now` when it may go at once.
    pub fn ready_at(&self, now: Instant) -> Instant {
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        self.free_at.max(earliest)
    }

    /// Whether a message may go now; it is counted then.
    pub fn take(&mut self, now: Instant) -> bool {
        let at = self.ready_at(now);
        if at > now {
            return false;
        }
        self.free_at = at + per_message(self.rate_milli(now));
        true
    }

    /// The venue refused a message because there were too many.
    pub fn refused(&mut self, now: Instant) {
        // What was saved up is gone too.
        self.free_at = self.free_at.max(now + BACK_OFF);
        let paused = |(at, _)| now.saturating_duration_since(at) < HALVING_PAUSE;
        if self.halved.is_some_and(paused) {
            return;
        }
        let floor = (self.full_milli / FLOOR).max(1);
        let rate = (self.rate_milli(now) / 2).max(floor);
        self.halved = Some((now, rate));
        tracing::warn!(
            rate_per_s = rate / MILLI,
            full_per_s = self.full_milli / MILLI,
            "the venue refused a message for its rate; fewer go from now on"
        );
    }

    /// The rate at this moment, in thousandths of a message a second.
    fn rate_milli(&self, now: Instant) -> u64 {
        let Some((at, rate)) = self.halved else {
            return self.full_milli;
        };
        let since = now.saturating_duration_since(at).min(RECOVERY);
        let grown = u128::from(self.full_milli) * since.as_nanos() / RECOVERY.as_nanos();
        let grown = u64::try_from(grown).unwrap_or(self.full_milli);
        (rate + grown).min(self.full_milli)
    }
}

fn per_message(rate_milli: u64) -> Duration {
    Duration::from_nanos((1_000_000_000 * MILLI).div_ceil(rate_milli.max(1)))
}

#[cfg(test)]
mod tests;
