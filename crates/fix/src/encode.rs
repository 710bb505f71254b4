//! Writing fields and whole messages.
//!
//! Called by `message` (bodies) and `session` (headers and trailers). 1. What is written decodes to the
//! same fields. 2. A value that could break the message (empty, a separator in it) is refused.
//! Fields are written in ascending tag order by convention of the callers, the order most engines use.

use std::io::Write as _;

use bytes::{BufMut, Bytes, BytesMut};

use crate::codec::{MESSAGE_BYTES_MAX, SOH, checksum};
use crate::session::SessionVersion;
use crate::tag;
use crate::value::{LocalMktDate, PriceE4, Timestamp};

/// Room for a usual header and trailer around a body.
const FRAME_ROOM: usize = 160;
/// Room kept for header and trailer beside a body.
const HEADER_BYTES_MAX: usize = 2 * 1024;

/// Why a message can't be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("the value of tag {tag} is empty or holds a field separator")]
    Value { tag: u32 },
    #[error("the message has {bytes} bytes, more than a peer would take")]
    TooLong { bytes: usize },
    #[error("{begin_string} has no message of type {kind}")]
    NotInDialect {
        kind: String,
        begin_string: &'static str,
    },
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

    /// Empties it, so that the next message is written into the same memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.fault = None;
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
        put_tag(&mut self.bytes, tag);
        if value < 0 {
            self.bytes.push(b'-');
        }
        put_digits(&mut self.bytes, value.unsigned_abs());
        self.bytes.push(SOH);
        self
    }

    /// Appends a count or sequence number.
    pub fn count(&mut self, tag: u32, value: u64) -> &mut Body {
        put_count(&mut self.bytes, tag, value);
        self
    }

    /// Appends a price.
    pub fn price(&mut self, tag: u32, value: PriceE4) -> &mut Body {
        self.show(tag, value)
    }

    /// Appends a time.
    pub fn time(&mut self, tag: u32, value: Timestamp) -> &mut Body {
        put(&mut self.bytes, tag, &value.text());
        self
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

    /// Appends whole fields, as they are.
    pub(crate) fn fields(&mut self, fields: &[u8]) {
        self.bytes.extend_from_slice(fields);
    }

    /// The body.
    ///
    /// # Errors
    /// [`EncodeError`] when a value can't stand in a field or the body is too long.
    pub fn finish(self) -> Result<Bytes, EncodeError> {
        self.written()?;
        Ok(self.bytes.into())
    }

    /// What has been written, for [`frame_to`].
    ///
    /// # Errors
    /// As [`Body::finish`].
    pub fn written(&self) -> Result<&[u8], EncodeError> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        if self.bytes.len() > MESSAGE_BYTES_MAX - HEADER_BYTES_MAX {
            return Err(EncodeError::TooLong {
                bytes: self.bytes.len(),
            });
        }
        Ok(&self.bytes)
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
    pub more: &'a [(u32, &'a [u8])],
}

/// A whole message: header, body (fields as [`Body`] wrote them), trailer.
pub fn frame(identity: &Identity, header: &Header<'_>, body: &[u8]) -> Bytes {
    let mut whole = BytesMut::with_capacity(body.len() + FRAME_ROOM);
    frame_to(&mut whole, identity, header, body);
    whole.freeze()
}

/// The same behind what `buffer` holds already. Allocates nothing where there is room for it.
pub fn frame_to(buffer: &mut BytesMut, identity: &Identity, header: &Header<'_>, body: &[u8]) {
    let time = header.sending_time.text();
    let time = SessionVersion::of(&identity.begin_string).time(&time);
    let (sender, target) = (identity.sender.as_bytes(), identity.target.as_bytes());
    let poss_dup: &[u8] = if header.poss_dup { b"Y" } else { b"" };
    let more = header.more.iter().map(|(tag, value)| size(*tag, value));
    let length = size(tag::MSG_TYPE, header.kind)
        + size_of_count(tag::MSG_SEQ_NUM, header.seq)
        + if header.poss_dup {
            size(tag::POSS_DUP_FLAG, poss_dup)
        } else {
            0
        }
        + size(tag::SENDER_COMP_ID, sender)
        + size(tag::SENDING_TIME, time)
        + size(tag::TARGET_COMP_ID, target)
        + more.sum::<usize>()
        + body.len();
    let start = open(buffer, &identity.begin_string, length);
    put(buffer, tag::MSG_TYPE, header.kind);
    put_count(buffer, tag::MSG_SEQ_NUM, header.seq);
    if header.poss_dup {
        put(buffer, tag::POSS_DUP_FLAG, poss_dup);
    }
    put(buffer, tag::SENDER_COMP_ID, sender);
    put(buffer, tag::SENDING_TIME, time);
    put(buffer, tag::TARGET_COMP_ID, target);
    for (tag, value) in header.more {
        put(buffer, *tag, value);
    }
    buffer.put_slice(body);
    close(buffer, start);
}

/// BeginString and BodyLength; where the message starts.
fn open(buffer: &mut BytesMut, begin_string: &str, length: usize) -> usize {
    let start = buffer.len();
    buffer.reserve(length + FRAME_ROOM);
    put(buffer, tag::BEGIN_STRING, begin_string.as_bytes());
    put_count(buffer, tag::BODY_LENGTH, length as u64);
    start
}

fn close(buffer: &mut BytesMut, start: usize) {
    let sum = checksum(&buffer[start..]);
    let text = [b'0' + sum / 100, b'0' + sum / 10 % 10, b'0' + sum % 10];
    put(buffer, tag::CHECK_SUM, &text);
}

fn put(buffer: &mut impl BufMut, tag: u32, value: &[u8]) {
    put_tag(buffer, tag);
    buffer.put_slice(value);
    buffer.put_u8(SOH);
}

fn put_count(buffer: &mut impl BufMut, tag: u32, value: u64) {
    put_tag(buffer, tag);
    put_digits(buffer, value);
    buffer.put_u8(SOH);
}

fn put_tag(buffer: &mut impl BufMut, tag: u32) {
    put_digits(buffer, tag.into());
    buffer.put_u8(b'=');
}

fn put_digits(buffer: &mut impl BufMut, value: u64) {
    let mut text = [0; 20];
    let mut at = text.len();
    let mut rest = value;
    loop {
        at -= 1;
        text[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    buffer.put_slice(&text[at..]);
}

/// Bytes of a field.
fn size(tag: u32, value: &[u8]) -> usize {
    digits(tag.into()) + 1 + value.len() + 1
}

fn size_of_count(tag: u32, value: u64) -> usize {
    digits(tag.into()) + 1 + digits(value) + 1
}

fn digits(value: u64) -> usize {
    value.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// A FIX.4.4 message around fields written with `|`, with the right length and checksum.
#[cfg(test)]
pub(crate) fn frame_for_tests(fields: &str) -> Vec<u8> {
    frame_of_version("FIX.4.4", fields)
}

/// The same with another BeginString.
#[cfg(test)]
pub(crate) fn frame_of_version(begin_string: &str, fields: &str) -> Vec<u8> {
    let inner = fields.replace('|', "\x01");
    let mut whole = BytesMut::new();
    let start = open(&mut whole, begin_string, inner.len());
    whole.extend_from_slice(inner.as_bytes());
    close(&mut whole, start);
    whole.to_vec()
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
            let header = Header { kind: b"D", seq: seq.into(), sending_time: Timestamp(0), poss_dup, more: &[] };
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
