//! What a whole message must look like before it is acted on.
//!
//! Called for every message in sequence. A fault becomes a Reject. The order of the checks decides which
//! fault is named, and follows the FIX session test cases 2 and 14: first the order of header, body and trailer, then
//! the type, then either what every session needs or all that the dictionary knows.

use super::{SessionConfig, Validation};
use crate::codec::{Field, Message};
use crate::dictionary::Dictionary;
use crate::message::{Malformed, RejectReason};
use crate::tag;
use crate::value::Timestamp;

/// The message as far as the session is set to check it.
pub fn structure(message: &Message, config: &SessionConfig) -> Result<(), Malformed> {
    in_order(message)?;
    let dictionary = Dictionary::of(config.identity.begin_string.as_bytes());
    match (config.validation, dictionary) {
        (Validation::Full(user_defined), Some(dictionary)) => {
            dictionary.check(message, user_defined)
        }
        (Validation::Basic | Validation::Full(_), _) => header(message),
    }
}

/// Header, body, trailer.
fn in_order(message: &Message) -> Result<(), Malformed> {
    let mut reached = 0;
    for field in message.fields() {
        let part = match field.tag {
            header if tag::is_header(header) => 0,
            trailer if tag::is_trailer(trailer) => 2,
            _ => 1,
        };
        if part < reached {
            return Err(fault(message, RejectReason::OutOfOrder, *field));
        }
        reached = part;
    }
    Ok(())
}

/// What every session needs, whatever the venue.
fn header(message: &Message) -> Result<(), Malformed> {
    if !tag::is_message_type(message.kind()) {
        return Err(Malformed::whole(RejectReason::InvalidMessageType));
    }
    for field in message.fields() {
        if field.tag == 0 {
            return Err(fault(message, RejectReason::InvalidTag, *field));
        }
        if message.value(*field).is_empty() {
            return Err(fault(message, RejectReason::NoValue, *field));
        }
    }
    for required in [tag::SENDER_COMP_ID, tag::TARGET_COMP_ID] {
        message.required_text(required)?;
    }
    message.required::<Timestamp>(tag::SENDING_TIME)?;
    message.optional::<Timestamp>(tag::ORIG_SENDING_TIME)?;
    message.flagged(tag::POSS_DUP_FLAG)?;
    message.flagged(tag::POSS_RESEND)?;
    Ok(())
}

fn fault(message: &Message, reason: RejectReason, field: Field) -> Malformed {
    let tag = String::from_utf8_lossy(message.tag_text(field)).into_owned();
    Malformed {
        reason,
        tag: Some(tag),
    }
}
