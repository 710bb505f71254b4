//! How fast messages may go to a venue: a token bucket, drawn from before a message and charged for what it turned out to be.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The share of the venue's rate that bulk work may use, in tenths: the rest is for people's own orders and for cancels.
const SHARE_TENTHS: u32 = 9;
/// Messages that may go at once after a rest, as time: a tenth of a second's worth, so that no second sees more than the venue's rate.
const BURST: Duration = Duration::from_millis(100);

pub struct Pace(Mutex<Bucket>);

struct Bucket {
    per_message: Duration,
    /// When the next message may go.
    free_at: Instant,
}

impl Pace {
    /// For a venue that takes `message_rate_per_s` messages of us, at least 1.
    pub fn new(message_rate_per_s: u32) -> Self {
        let per_message = Duration::from_secs(10) / (message_rate_per_s.max(1) * SHARE_TENTHS);
        let free_at = Instant::now();
        Pace(Mutex::new(Bucket {
            per_message,
            free_at,
        }))
    }

    /// Waits for the turn of one message.
    pub async fn take(&self) {
        let at = self.with(|bucket| bucket.take(Instant::now()));
        sleep_until(at).await;
    }

    /// Charges what a turn was used for beyond its one message, or gives the turn back when it was used for none.
    pub fn charge(&self, messages: u32) {
        self.with(|bucket| bucket.charge(messages));
    }

    fn with<T>(&self, change: impl FnOnce(&mut Bucket) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> Instant {
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let at = self.free_at.max(earliest);
        self.free_at = at + self.per_message;
        at
    }

    fn charge(&mut self, messages: u32) {
        match messages {
            0 => {
                self.free_at = self
                    .free_at
                    .checked_sub(self.per_message)
                    .unwrap_or(self.free_at)
            }
            more => self.free_at += self.per_message * (more - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_at_nine_tenths_of_the_rate_and_slices_are_charged() {
        let begin = Instant::now() + Duration::from_secs(60);
        let mut bucket = Bucket {
            per_message: Duration::from_millis(10),
            free_at: begin,
        };
        assert_eq!(bucket.take(begin), begin);
        bucket.charge(3);
        assert_eq!(bucket.take(begin), begin + Duration::from_millis(30));
        bucket.charge(0);
        assert_eq!(bucket.take(begin), begin + Duration::from_millis(30));
        // A long rest saves up no more than the burst.
        let later = begin + Duration::from_secs(60);
        let at_once = (0..).take_while(|_| bucket.take(later) <= later).count();
        assert_eq!(at_once, 11);
        assert_eq!(
            Pace::new(100).with(|bucket| bucket.per_message),
            Duration::from_secs(10) / 900
        );
    }
}
