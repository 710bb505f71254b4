//! How a message that fits no order of ours is kept: whole, under a key that a repetition has too and no other message.

use crate::days;
use crate::index::Known;
use crate::record::Held;
use crate::translate;
use squareoff_domain::Venue;
use squareoff_fix::message::ExecType;
use squareoff_fix::{AppMessage, Inbound};
use uuid::Uuid;

/// Namespace of the digests in keys. Never change it: a message that comes again after an upgrade would be held twice.
const DIGESTS: Uuid = Uuid::from_u128(0x5d0b_9f3e_2c41_4a86_b7f9_61d8_03ac_7e12);
/// Characters of a venue's id that a key shows; the digest behind them tells longer ones apart.
const ID_CHARS_MAX: usize = 64;

/// `of_session` names the session and its journal's generation, within which a sequence number is used once. Without an order there is
/// no trading date but that of the sending.
pub fn held(
    inbound: &Inbound,
    venue: Venue,
    of_session: &str,
    known: Option<&Known>,
    reason: String,
) -> Held {
    let date = known.map_or_else(
        || days::in_india(inbound.sending_time),
        |known| known.key.date,
    );
    let execution = match &inbound.message {
        AppMessage::ExecutionReport(report) => translate::suspended(report, venue, date),
        _ => None,
    };
    let message = text(&inbound.message);
    let digest = Uuid::new_v5(&DIGESTS, message.as_bytes()).simple();
    // An id alone is not enough: a venue that uses one twice tells two things, and both are kept.
    let key = match &inbound.message {
        // Asked again, the venue tells of the same order in other words.
        AppMessage::ExecutionReport(report) if report.exec_type == ExecType::OrderStatus => {
            format!("order {}", short(&report.order_id))
        }
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
        | AppMessage::OrderMassCancelRequest(_)
        | AppMessage::OrderMassCancelReport(_)
        | AppMessage::TradeCaptureReport(_)
        | AppMessage::DontKnowTrade(_)
        | AppMessage::Other(_) => {
            format!(
                "{of_session} {} {} {digest}",
                short(inbound.message.kind()),
                inbound.seq
            )
        }
    };
    Held {
        date,
        execution,
        key,
        reason,
        message,
    }
}

/// The message in FIX's own notation, `|` for the field separator.
pub fn text(message: &AppMessage) -> String {
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
