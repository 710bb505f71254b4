//! Finding messages in a byte stream, and the fields in a message.
//!
//! Called by `driver` (bytes from the socket) and `session` (a journaled message to be sent again).
//!
//! 1. Any bytes are survived; memory is bounded by twice `MESSAGE_BYTES_MAX`.
//! 2. A message is one buffer and one list of ranges into it; no field is copied.
//! 3. What is not a whole FIX message with the right length and checksum is *garbled*: reported, never
//!    delivered, and the stream goes on behind it (FIX 4.4 volume 2, "Garbled messages").
//!
//! Knows nothing of message types or sequence numbers.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;
use memchr::memmem;

use crate::tag;
use crate::value::parse_count;

/// The field separator.
pub const SOH: u8 = 0x01;

/// The longest message taken from or given to a peer. An order or a report is below 1 KiB; the rest is
/// room for texts. A longer BodyLength is garbled, so a peer can't make us buffer more.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// `8=FIX.4.4` and a little: a BeginString longer than this is not one.
const BEGIN_STRING_BYTES_MAX: usize = 16;
/// Fields that a message is expected to have at most; one with more takes longer.
const FIELDS_ROOM: usize = 32;
/// Digits of BodyLength that can still be below `MESSAGE_BYTES_MAX`, and a few leading zeros.
const LENGTH_DIGITS_MAX: usize = 9;
/// `10=ddd` and the separator.
const TRAILER_BYTES: usize = 7;

/// One field: its tag, and where name and value lie in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The tag number; 0 for one that is a number but not a possible tag (0, negative, too long).
    pub tag: u32,
    start: u32,
    value: u32,
    end: u32,
}

/// A whole message with the right length and checksum, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    bytes: Bytes,
    fields: Vec<Field>,
}

/// Why bytes were not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Garbled {
    #[error("the message does not begin with BeginString, BodyLength and MsgType")]
    Start,
    #[error("BodyLength is wrong or above the limit")]
    Length,
    #[error("the checksum is wrong")]
    Checksum,
    #[error("a field is not tag=value")]
    Field,
}

/// What the decoder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    Message(Message),
    Garbled(Garbled),
}

impl Message {
    /// Takes one whole message apart: from `8=` through the separator behind the checksum, nothing else.
    ///
    /// # Errors
    /// [`Garbled`] with the first thing that is wrong.
    pub fn decode(bytes: Bytes) -> Result<Message, Garbled> {
        Message::decode_with(bytes, Vec::with_capacity(FIELDS_ROOM))
    }

    /// The same with an empty list to put the fields in.
    fn decode_with(bytes: Bytes, mut fields: Vec<Field>) -> Result<Message, Garbled> {
        split(&bytes, &mut fields)?;
        let starts = fields.len() >= 4
            && fields[0].tag == tag::BEGIN_STRING
            && fields[1].tag == tag::BODY_LENGTH
            && fields[2].tag == tag::MSG_TYPE;
        let message = Message { bytes, fields };
        let last = message.fields.last().copied();
        let Some(last) = last.filter(|last| starts && last.tag == tag::CHECK_SUM) else {
            return Err(Garbled::Start);
        };
        let body = last.start as usize - message.fields[1].end as usize - 1;
        if parse_count(message.value(message.fields[1])) != Some(body as u64) {
            return Err(Garbled::Length);
        }
        let sum = checksum(&message.bytes[..last.start as usize]);
        let stated = message.value(last);
        if stated.len() != 3 || parse_count(stated) != Some(u64::from(sum)) {
            return Err(Garbled::Checksum);
        }
        Ok(message)
    }

    /// The message as it was on the wire.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// All fields in wire order, from BeginString through CheckSum.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The value of a field of this message.
    pub fn value(&self, field: Field) -> &[u8] {
        &self.bytes[field.value as usize..field.end as usize]
    }

    /// The tag of a field of this message as it was written.
    pub fn tag_text(&self, field: Field) -> &[u8] {
        &self.bytes[field.start as usize..field.value as usize - 1]
    }

    /// The first value of a tag.
    pub fn get(&self, tag: u32) -> Option<&[u8]> {
        let field = self.fields.iter().find(|field| field.tag == tag)?;
        Some(self.value(*field))
    }

    /// MsgType (35).
    pub fn kind(&self) -> &[u8] {
        self.value(self.fields[2])
    }

    /// The fields behind the header, without the checksum.
    pub fn body(&self) -> impl Iterator<Item = Field> + '_ {
        let all = &self.fields[..self.fields.len() - 1];
        let first = self.body_index();
        all[first..].iter().copied()
    }

    /// The bytes behind the header, up to the checksum; empty or ending in a separator.
    pub fn body_bytes(&self) -> Bytes {
        let from = self.fields[self.body_index()].start as usize;
        let to = self.fields[self.fields.len() - 1].start as usize;
        self.bytes.slice(from..to)
    }

    fn body_index(&self) -> usize {
        let all = &self.fields[..self.fields.len() - 1];
        all.iter()
            .position(|field| !tag::is_header(field.tag))
            .unwrap_or(all.len())
    }
}

/// The sum of all bytes modulo 256 (FIX 4.4 volume 2, "CheckSum calculation").
pub fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte))
}

fn split(bytes: &[u8], fields: &mut Vec<Field>) -> Result<(), Garbled> {
    if bytes.len() > 2 * MESSAGE_BYTES_MAX {
        return Err(Garbled::Length);
    }
    let mut at = 0;
    // The tag that must follow and the length of its data, after a length field.
    let mut data: Option<(u32, usize)> = None;
    while at < bytes.len() {
        let equals = memchr(b'=', &bytes[at..]).ok_or(Garbled::Field)? + at;
        let tag = tag_number(&bytes[at..equals])?;
        let value = equals + 1;
        let end = match data.take() {
            Some((data_tag, length)) if data_tag == tag => value
                .checked_add(length)
                .filter(|end| bytes.get(*end) == Some(&SOH))
                .ok_or(Garbled::Field)?,
            _ => memchr(SOH, &bytes[value..]).ok_or(Garbled::Field)? + value,
        };
        if let Some(data_tag) = tag::data_of(tag) {
            let length = parse_count(&bytes[value..end]).and_then(|n| usize::try_from(n).ok());
            data = length.map(|length| (data_tag, length));
        }
        fields.push(Field {
            tag,
            start: at as u32,
            value: value as u32,
            end: end as u32,
        });
        at = end + 1;
    }
    Ok(())
}

fn tag_number(text: &[u8]) -> Result<u32, Garbled> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Garbled::Field);
    }
    if negative || digits.len() > 9 {
        return Ok(0);
    }
    Ok(digits
        .iter()
        .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
}

/// Cuts a byte stream into frames. Feed [`Decoder::buffer`], then call [`Decoder::next`] until `None`.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Bytes from the peer that are not yet a frame. Read from the socket straight into it.
    pub buffer: BytesMut,
    /// Bytes skipped since the last frame.
    skipped: usize,
    /// The field list of a message that is done with.
    spare: Vec<Field>,
}

/// Where a frame ends, or that it can't be told yet, or that this was no start.
enum Extent {
    Whole(usize),
    Incomplete,
    NoStart(Garbled),
    /// Bytes from the start that belong to a message whose BodyLength is wrong.
    WrongLength(usize),
}

impl Decoder {
    /// Goes on behind bytes that were read before.
    pub fn with(buffer: BytesMut) -> Decoder {
        Decoder {
            buffer,
            ..Decoder::default()
        }
    }

    /// Takes a message back that nobody needs any more. With that, and once nothing else holds a message's bytes, the next
    /// ones are read without any allocation.
    pub fn done_with(&mut self, message: Message) {
        self.spare = message.fields;
        self.spare.clear();
    }

    /// The next frame, or `None` when more bytes are needed.
    #[allow(clippy::should_implement_trait)] // An iterator would promise an end; there is only "not yet".
    pub fn next(&mut self) -> Option<Frame> {
        if !self.skip_to_start() {
            return None;
        }
        match extent(&self.buffer) {
            Extent::Incomplete => None,
            Extent::Whole(end) => {
                let bytes = self.buffer.split_to(end).freeze();
                let mut fields = std::mem::take(&mut self.spare);
                fields.reserve(FIELDS_ROOM);
                Some(match Message::decode_with(bytes, fields) {
                    Ok(message) => Frame::Message(message),
                    Err(garbled) => Frame::Garbled(garbled),
                })
            }
            Extent::WrongLength(end) => {
                self.buffer.advance(end);
                Some(Frame::Garbled(Garbled::Length))
            }
            Extent::NoStart(garbled) => {
                self.buffer.advance(2);
                Some(Frame::Garbled(garbled))
            }
        }
    }

    /// Drops what stands before the next `8=FIX`; false when there is none yet.
    fn skip_to_start(&mut self) -> bool {
        const START: &[u8] = b"8=FIX";
        if self.buffer.starts_with(START) {
            if self.skipped > 0 {
                tracing::warn!(
                    bytes = self.skipped,
                    "skipped bytes that are no FIX message"
                );
                self.skipped = 0;
            }
            return true;
        }
        let found = memmem::find(&self.buffer, START);
        // The last bytes may be the first of a start whose rest is on its way.
        let skip = found.unwrap_or(self.buffer.len().saturating_sub(START.len() - 1));
        if skip > 0 {
            // However much it is: one line when it begins and one when it is over.
            if self.skipped == 0 {
                tracing::warn!("skipping bytes that are no FIX message");
            }
            self.skipped += skip;
            self.buffer.advance(skip);
        }
        found.is_some()
    }
}

fn extent(buffer: &[u8]) -> Extent {
    let head = &buffer[..buffer.len().min(BEGIN_STRING_BYTES_MAX)];
    let Some(begin_end) = memchr(SOH, head) else {
        return incomplete_or(buffer.len() < BEGIN_STRING_BYTES_MAX, Garbled::Start);
    };
    let rest = &buffer[begin_end + 1..];
    if rest.len() >= 2 && !rest.starts_with(b"9=") {
        return Extent::NoStart(Garbled::Start);
    }
    let digits = &rest[rest.len().min(2)..rest.len().min(2 + LENGTH_DIGITS_MAX + 1)];
    let Some(length_end) = memchr(SOH, digits) else {
        return incomplete_or(digits.len() <= LENGTH_DIGITS_MAX, Garbled::Length);
    };
    let body_start = begin_end + 1 + 2 + length_end + 1;
    let length = parse_count(&digits[..length_end]).and_then(|n| usize::try_from(n).ok());
    let Some(length) = length.filter(|n| (1..=MESSAGE_BYTES_MAX - 64).contains(n)) else {
        return Extent::NoStart(Garbled::Length);
    };
    let body_end = body_start + length;
    if buffer.len() < body_end + TRAILER_BYTES {
        return Extent::Incomplete;
    }
    let trailer = &buffer[body_end..body_end + TRAILER_BYTES];
    if buffer[body_end - 1] == SOH
        && trailer.starts_with(b"10=")
        && let Some(end) = memchr(SOH, trailer)
    {
        return Extent::Whole(body_end + end + 1);
    }
    // The length is wrong: the frame is taken to reach through the next thing that looks like a trailer, as
    // other engines do, so that both sides agree on which messages were lost.
    let from = body_end - 1;
    let window = &buffer[from..buffer.len().min(from + MESSAGE_BYTES_MAX)];
    let trailer = memmem::find(window, b"\x0110=").map(|at| at + 1);
    match trailer.and_then(|at| memchr(SOH, &window[at..]).map(|end| at + end + 1)) {
        Some(end) => Extent::WrongLength(from + end),
        None => incomplete_or(window.len() < MESSAGE_BYTES_MAX, Garbled::Length),
    }
}

fn incomplete_or(incomplete: bool, garbled: Garbled) -> Extent {
    if incomplete {
        Extent::Incomplete
    } else {
        Extent::NoStart(garbled)
    }
}

#[cfg(test)]
mod tests;
