//! What a whole message must look like before it is acted on.
//!
//! Called for every message in sequence. A fault becomes a Reject. The order of the checks decides which
//! fault is named, and follows the FIX session test cases 2 and 14. Validation against the full dictionary
//! (which fields belong to which type, groups) would stand here beside `structure`.

use crate::codec::Message;
use crate::message::{Malformed, RejectReason};
use crate::tag;
use crate::value::Timestamp;

/// Header and fields.
pub fn structure(message: &Message) -> Result<(), Malformed> {
    if !tag::is_message_type(message.kind()) {
        return Err(Malformed::whole(RejectReason::InvalidMessageType));
    }
    let mut in_body = false;
    for field in message.fields() {
        let fault = |reason| {
            Err(Malformed {
                reason,
                tag: Some(String::from_utf8_lossy(message.tag_text(*field)).into_owned()),
            })
        };
        if field.tag == 0 {
            return fault(RejectReason::InvalidTag);
        }
        if message.value(*field).is_empty() {
            return fault(RejectReason::NoValue);
        }
        let header = tag::is_header(field.tag);
        if header && in_body {
            return fault(RejectReason::OutOfOrder);
        }
        in_body |= !header;
    }
    for required in [tag::SENDER_COMP_ID, tag::TARGET_COMP_ID] {
        message.required::<String>(required)?;
    }
    message.required::<Timestamp>(tag::SENDING_TIME)?;
    message.optional::<Timestamp>(tag::ORIG_SENDING_TIME)?;
    message.flagged(tag::POSS_DUP_FLAG)?;
    message.flagged(tag::POSS_RESEND)?;
    Ok(())
}
