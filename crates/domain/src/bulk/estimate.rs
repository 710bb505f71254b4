//! How long a bulk takes at the venue's message rate, and what it is worth. Integers only.

use crate::amount::{NetQuantity, Price};

/// What a bulk costs in messages and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// One for each cancel and one for each order.
    pub messages: u64,
    /// Rounded up; `u64::MAX` when the rate is zero.
    pub seconds: u64,
}

impl Estimate {
    /// `message_rate_per_s` is what the session may send each second.
    pub const fn of(orders_to_cancel: u64, slices: u64, message_rate_per_s: u32) -> Estimate {
        let messages = orders_to_cancel.saturating_add(slices);
        let seconds = match message_rate_per_s {
            0 if messages == 0 => 0,
            0 => u64::MAX,
            // Widening, lossless: `u64::from` is not const.
            rate => messages.div_ceil(rate as u64),
        };
        Estimate { messages, seconds }
    }

    /// Seconds left at the close when the work begins `seconds_to_close` before it; negative when it does not fit.
    pub fn spare_seconds(self, seconds_to_close: u64) -> i64 {
        let spare = i128::from(seconds_to_close) - i128::from(self.seconds);
        i64::try_from(spare).unwrap_or(if spare < 0 { i64::MIN } else { i64::MAX })
    }
}

/// Value of the open quantity at `price`, in 1/10,000 rupee, without sign, capped at `u64::MAX`.
pub fn notional_of(net: NetQuantity, price: Price) -> u64 {
    let value = u128::from(net.open().units()) * u128::from(price.0.unsigned_abs());
    u64::try_from(value).unwrap_or(u64::MAX)
}
