//! How a message that fits no order of ours is kept: whole, under a key that a repetition has too and no other message.

use crate::index::Known;
use crate::record::Held;
use squareoff_domain::TradingDate;
use squareoff_fix::{AppMessage, Inbound};
use time::OffsetDateTime;
use uuid::Uuid;

/// Namespace of the digests in keys. Never change it: a message that comes again after an upgrade would be held twice.
const DIGESTS: Uuid = Uuid::from_u128(0x5d0b_9f3e_2c41_4a86_b7f9_61d8_03ac_7e12);
/// Characters of a venue's id that a key shows; the digest behind them tells longer ones apart.
const ID_CHARS_MAX: usize = 64;

/// `of_session` names the session and its journal's generation, within which a sequence number is used once. Without an order there is
/// no trading date but that of the sending.
pub fn held(inbound: &Inbound, of_session: &str, known: Option<&Known>, reason: String) -> Held {
    let message = text(&inbound.message);
    let digest = Uuid::new_v5(&DIGESTS, message.as_bytes()).simple();
    // An id alone is not enough: a venue that uses one twice tells two things, and both are kept.
    let key = match &inbound.message {
        AppMessage::ExecutionReport(report) => format!("{} {digest}", short(&report.exec_id)),
        AppMessage::OrderCancelReject(reject) => {
            format!("cancel-reject {} {digest}", short(&reject.cl_ord_id))
        }
        AppMessage::Reject(_)
        | AppMessage::BusinessMessageReject(_)
        | AppMessage::NewOrderSingle(_)
        | AppMessage::OrderCancelRequest(_)
        | AppMessage::OrderCancelReplaceRequest(_)
        | AppMessage::TradingSessionStatus(_)
        | AppMessage::OrderStatusRequest(_)
        | AppMessage::OrderMassStatusRequest(_)
        | AppMessage::Other(_) => {
            format!(
                "{of_session} {} {} {digest}",
                short(inbound.message.kind()),
                inbound.seq
            )
        }
    };
    Held {
        date: known.map_or_else(|| date_of(inbound.sending_time.0), |known| known.key.date),
        key,
        reason,
        message,
    }
}

/// The message in FIX's own notation, `|` for the field separator.
fn text(message: &AppMessage) -> String {
    match message.write() {
        Ok(body) => {
            let body = String::from_utf8_lossy(&body).replace('\u{1}', "|");
            format!("35={}|{body}", message.kind())
        }
        // What was read can be written, so this is never seen; and were it, the report would still be kept.
        Err(_) => format!("{message:?}"),
    }
}

fn short(id: &str) -> String {
    id.chars().take(ID_CHARS_MAX).collect()
}

/// The day in India (UTC+05:30) at an instant, in nanoseconds since 1970.
fn date_of(nanos: i64) -> TradingDate {
    const INDIA: time::UtcOffset = time::macros::offset!(+5:30);
    let instant = OffsetDateTime::from_unix_timestamp_nanos(i128::from(nanos))
        .expect("an i64 of nanoseconds is between 1677 and 2262");
    let date = instant.to_offset(INDIA).date();
    let year = u16::try_from(date.year()).expect("between 1677 and 2262");
    TradingDate::new(year.max(1900), date.month().into(), date.day())
        .expect("a calendar's day, and no clock is before 1900")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_the_one_in_india() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (1_772_323_199 - 19_800, "2026-02-28"),
            (1_772_323_200 - 19_800, "2026-03-01"),
            (951_782_400, "2000-02-29"),
        ] {
            assert_eq!(date_of(seconds * 1_000_000_000).to_string(), day);
        }
    }
}
