//! Writing fields and whole messages.
//!
//! Called by `message` (bodies) and `session` (headers and trailers). 1. What is written decodes to the
//! same fields. 2. A value that could break the message (empty, a separator in it) is refused.
//! Fields are written in ascending tag order by convention of the callers, the order most engines use.

use std::io::Write as _;

use bytes::Bytes;

use crate::codec::{MESSAGE_BYTES_MAX, SOH, checksum};
use crate::tag;
use crate::value::{LocalMktDate, PriceE4, Timestamp};

/// Room kept for header and trailer beside a body.
const HEADER_BYTES_MAX: usize = 2 * 1024;

/// Why a message can't be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("the value of tag {tag} is empty or holds a field separator")]
    Value { tag: u32 },
    #[error("the message has {bytes} bytes, more than a peer would take")]
    TooLong { bytes: usize },
    #[error("the application id has {bytes} bytes, more than the journal holds")]
    IdTooLong { bytes: usize },
}

/// The body of a message being written.
#[derive(Clone, Debug, Default)]
pub struct Body {
    bytes: Vec<u8>,
    fault: Option<EncodeError>,
}

impl Body {
    /// A body with room for an order.
    pub fn new() -> Body {
        Body {
            bytes: Vec::with_capacity(256),
            fault: None,
        }
    }

    /// Appends a text; remembered as a fault when it can't stand in a field.
    pub fn text(&mut self, tag: u32, value: &str) -> &mut Body {
        self.raw(tag, value.as_bytes())
    }

    /// Appends bytes as they are.
    pub fn raw(&mut self, tag: u32, value: &[u8]) -> &mut Body {
        if value.is_empty() || value.contains(&SOH) {
            self.fault.get_or_insert(EncodeError::Value { tag });
        }
        put(&mut self.bytes, tag, value);
        self
    }

    /// Appends a text when there is one.
    pub fn maybe(&mut self, tag: u32, value: Option<&str>) -> &mut Body {
        match value {
            Some(value) => self.text(tag, value),
            None => self,
        }
    }

    /// Appends an integer.
    pub fn number(&mut self, tag: u32, value: i64) -> &mut Body {
        self.show(tag, value)
    }

    /// Appends a count or sequence number.
    pub fn count(&mut self, tag: u32, value: u64) -> &mut Body {
        self.show(tag, value)
    }

    /// Appends a price.
    pub fn price(&mut self, tag: u32, value: PriceE4) -> &mut Body {
        self.show(tag, value)
    }

    /// Appends a time.
    pub fn time(&mut self, tag: u32, value: Timestamp) -> &mut Body {
        self.show(tag, value)
    }

    /// Appends a date.
    pub fn date(&mut self, tag: u32, value: LocalMktDate) -> &mut Body {
        self.show(tag, value)
    }

    /// Appends an enumerated value.
    pub fn code(&mut self, tag: u32, value: u8) -> &mut Body {
        self.raw(tag, &[value])
    }

    /// Appends `Y` or `N`.
    pub fn flag(&mut self, tag: u32, value: bool) -> &mut Body {
        self.code(tag, if value { b'Y' } else { b'N' })
    }

    /// The body.
    ///
    /// # Errors
    /// [`EncodeError`] when a value can't stand in a field or the body is too long.
    pub fn finish(self) -> Result<Bytes, EncodeError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.bytes.len() > MESSAGE_BYTES_MAX - HEADER_BYTES_MAX {
            return Err(EncodeError::TooLong {
                bytes: self.bytes.len(),
            });
        }
        Ok(self.bytes.into())
    }

    fn show(&mut self, tag: u32, value: impl std::fmt::Display) -> &mut Body {
        let _ = write!(self.bytes, "{tag}={value}\x01"); // Writing to a Vec can't fail.
        self
    }
}

/// Who writes to whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// BeginString, `FIX.4.4`.
    pub begin_string: String,
    /// Our SenderCompID.
    pub sender: String,
    /// Our TargetCompID: the peer.
    pub target: String,
}

/// The header of a message beside its identity.
#[derive(Clone, Debug, Default)]
pub struct Header<'a> {
    pub kind: &'a [u8],
    pub seq: u64,
    pub sending_time: Timestamp,
    pub poss_dup: bool,
    /// Further header fields (97, 115, 122, ...), ascending.
    pub more: Vec<(u32, &'a [u8])>,
}

/// A whole message: header, body (fields as [`Body`] wrote them), trailer.
pub fn frame(identity: &Identity, header: &Header<'_>, body: &[u8]) -> Bytes {
    let mut inner = Vec::with_capacity(body.len() + 160);
    put(&mut inner, tag::MSG_TYPE, header.kind);
    let _ = write!(inner, "{}={}\x01", tag::MSG_SEQ_NUM, header.seq); // Writing to a Vec can't fail.
    if header.poss_dup {
        put(&mut inner, tag::POSS_DUP_FLAG, b"Y");
    }
    put(&mut inner, tag::SENDER_COMP_ID, identity.sender.as_bytes());
    let _ = write!(inner, "{}={}\x01", tag::SENDING_TIME, header.sending_time);
    put(&mut inner, tag::TARGET_COMP_ID, identity.target.as_bytes());
    for (tag, value) in &header.more {
        put(&mut inner, *tag, value);
    }
    inner.extend_from_slice(body);
    close(&identity.begin_string, &inner)
}

fn close(begin_string: &str, inner: &[u8]) -> Bytes {
    let mut whole = Vec::with_capacity(inner.len() + 40);
    let _ = write!(whole, "8={begin_string}\x019={}\x01", inner.len());
    whole.extend_from_slice(inner);
    let sum = checksum(&whole);
    let _ = write!(whole, "10={sum:03}\x01");
    whole.into()
}

fn put(buffer: &mut Vec<u8>, tag: u32, value: &[u8]) {
    let _ = write!(buffer, "{tag}="); // Writing to a Vec can't fail.
    buffer.extend_from_slice(value);
    buffer.push(SOH);
}

/// A FIX.4.4 message around fields written with `|`, with the right length and checksum.
#[cfg(test)]
pub(crate) fn frame_for_tests(fields: &str) -> Vec<u8> {
    frame_of_version("FIX.4.4", fields)
}

/// The same with another BeginString.
#[cfg(test)]
pub(crate) fn frame_of_version(begin_string: &str, fields: &str) -> Vec<u8> {
    close(begin_string, fields.replace('|', "\x01").as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Message;
    use proptest::prelude::*;

    fn identity() -> Identity {
        Identity {
            begin_string: "FIX.4.4".into(),
            sender: "US".into(),
            target: "THEM".into(),
        }
    }

    #[test]
    fn a_value_that_breaks_the_message_is_refused() {
        for value in ["", "a\x01b"] {
            let mut body = Body::new();
            body.text(58, value);
            assert_eq!(body.finish(), Err(EncodeError::Value { tag: 58 }));
        }
        let mut body = Body::new();
        body.text(58, &"x".repeat(MESSAGE_BYTES_MAX));
        assert!(matches!(body.finish(), Err(EncodeError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn what_is_written_decodes_to_the_same_fields(
            seq in any::<u32>(),
            poss_dup: bool,
            fields in proptest::collection::vec((100_u32..9_999, "[ -~]{1,30}"), 0..30),
        ) {
            let fields: Vec<_> = fields.into_iter().filter(|(t, _)| !tag::is_header(*t) && tag::data_of(*t).is_none()).collect();
            let mut body = Body::new();
            for (tag, value) in &fields {
                body.text(*tag, value);
            }
            let header = Header { kind: b"D", seq: seq.into(), sending_time: Timestamp(0), poss_dup, more: vec![] };
            let body = body.finish().expect("the values are printable");
            let message = Message::decode(frame(&identity(), &header, &body)).expect("a whole message");
            let read: Vec<_> = message.body().map(|f| (f.tag, String::from_utf8_lossy(message.value(f)).into_owned())).collect();
            prop_assert_eq!(read, fields);
            let seq = seq.to_string();
            prop_assert_eq!(message.get(34), Some(seq.as_bytes()));
            prop_assert_eq!(message.get(43).is_some(), poss_dup);
            prop_assert_eq!(message.body_bytes(), body);
        }
    }
}
