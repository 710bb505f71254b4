//! Reading fields of a whole message, with the fault in FIX's own terms.
//!
//! Called by the typed messages and by the session's checks. A field that is missing, empty or unreadable
//! becomes a [`Malformed`], which is exactly what a Reject (35=3) says.

use crate::codec::{Field, Message};
use crate::dictionary::{Dictionary, USER_DEFINED};
use crate::tag;
use crate::value::{LocalMktDate, PriceE4, Timestamp, parse_count, parse_quantity};

/// SessionRejectReason (373), FIX 4.4 volume 2, "Reject".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectReason {
    InvalidTag,
    RequiredTagMissing,
    TagNotDefinedForType,
    NoValue,
    ValueOutOfRange,
    Format,
    CompId,
    SendingTime,
    InvalidMessageType,
    RepeatedTag,
    OutOfOrder,
    GroupOrder,
    GroupCount,
    Other,
}

impl RejectReason {
    /// The number on the wire.
    pub fn code(self) -> u64 {
        match self {
            RejectReason::InvalidTag => 0,
            RejectReason::RequiredTagMissing => 1,
            RejectReason::TagNotDefinedForType => 2,
            RejectReason::NoValue => 4,
            RejectReason::ValueOutOfRange => 5,
            RejectReason::Format => 6,
            RejectReason::CompId => 9,
            RejectReason::SendingTime => 10,
            RejectReason::InvalidMessageType => 11,
            RejectReason::RepeatedTag => 13,
            RejectReason::OutOfOrder => 14,
            RejectReason::GroupOrder => 15,
            RejectReason::GroupCount => 16,
            RejectReason::Other => 99,
        }
    }

    /// The words that go into Text (58); the same as other engines use, so that operators recognise them.
    pub fn text(self) -> &'static str {
        match self {
            RejectReason::InvalidTag => "Invalid tag number",
            RejectReason::RequiredTagMissing => "Required tag missing",
            RejectReason::TagNotDefinedForType => "Tag not defined for this message type",
            RejectReason::NoValue => "Tag specified without a value",
            RejectReason::ValueOutOfRange => "Value is incorrect (out of range) for this tag",
            RejectReason::Format => "Incorrect data format for value",
            RejectReason::CompId => "CompID problem",
            RejectReason::SendingTime => "SendingTime accuracy problem",
            RejectReason::InvalidMessageType => "Invalid MsgType",
            RejectReason::RepeatedTag => "Tag appears more than once",
            RejectReason::OutOfOrder => "Tag specified out of required order",
            RejectReason::GroupOrder => "Repeating group fields out of order",
            RejectReason::GroupCount => "Incorrect NumInGroup count for repeating group",
            RejectReason::Other => "Other",
        }
    }
}

/// What is wrong with a message that is whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} (tag {})", reason.text(), tag.as_deref().unwrap_or("none"))]
pub struct Malformed {
    pub reason: RejectReason,
    /// The tag as it was written, when one is to blame.
    pub tag: Option<String>,
}

impl Malformed {
    /// A fault of one tag.
    pub fn tag(reason: RejectReason, tag: u32) -> Malformed {
        Malformed {
            reason,
            tag: Some(tag.to_string()),
        }
    }

    /// A fault of the message as a whole.
    pub fn whole(reason: RejectReason) -> Malformed {
        Malformed { reason, tag: None }
    }
}

/// The readers of one field's value.
pub(crate) trait Value: Sized {
    fn read(bytes: &[u8]) -> Result<Self, RejectReason>;
}

impl Value for String {
    fn read(bytes: &[u8]) -> Result<String, RejectReason> {
        let text = std::str::from_utf8(bytes).map_err(|_| RejectReason::Format)?;
        Ok(text.to_owned())
    }
}

impl Value for PriceE4 {
    fn read(bytes: &[u8]) -> Result<PriceE4, RejectReason> {
        PriceE4::parse(bytes).ok_or(RejectReason::Format)
    }
}

impl Value for i64 {
    fn read(bytes: &[u8]) -> Result<i64, RejectReason> {
        parse_quantity(bytes).ok_or(RejectReason::Format)
    }
}

impl Value for u64 {
    fn read(bytes: &[u8]) -> Result<u64, RejectReason> {
        parse_count(bytes).ok_or(RejectReason::Format)
    }
}

impl Value for Timestamp {
    fn read(bytes: &[u8]) -> Result<Timestamp, RejectReason> {
        Timestamp::parse(bytes).ok_or(RejectReason::Format)
    }
}

impl Value for LocalMktDate {
    fn read(bytes: &[u8]) -> Result<LocalMktDate, RejectReason> {
        LocalMktDate::parse(bytes).ok_or(RejectReason::Format)
    }
}

impl Value for bool {
    fn read(bytes: &[u8]) -> Result<bool, RejectReason> {
        match bytes {
            b"Y" => Ok(true),
            b"N" => Ok(false),
            _ => Err(RejectReason::ValueOutOfRange),
        }
    }
}

/// The value of a field that was found, or not.
fn read_value<T: Value>(tag: u32, found: Option<&[u8]>) -> Result<Option<T>, Malformed> {
    match found {
        None => Ok(None),
        Some([]) => Err(Malformed::tag(RejectReason::NoValue, tag)),
        Some(bytes) => T::read(bytes)
            .map(Some)
            .map_err(|reason| Malformed::tag(reason, tag)),
    }
}

fn missing(tag: u32) -> Malformed {
    Malformed::tag(RejectReason::RequiredTagMissing, tag)
}

impl Message {
    /// A field that may be absent.
    pub(crate) fn optional<T: Value>(&self, tag: u32) -> Result<Option<T>, Malformed> {
        read_value(tag, self.get(tag))
    }

    /// A field that must be there.
    pub(crate) fn required<T: Value>(&self, tag: u32) -> Result<T, Malformed> {
        self.optional(tag)?.ok_or_else(|| missing(tag))
    }

    /// A text that must be there, without a copy of it.
    pub(crate) fn required_text(&self, tag: u32) -> Result<&str, Malformed> {
        match self.get(tag) {
            None => Err(missing(tag)),
            Some([]) => Err(Malformed::tag(RejectReason::NoValue, tag)),
            Some(bytes) => {
                std::str::from_utf8(bytes).map_err(|_| Malformed::tag(RejectReason::Format, tag))
            }
        }
    }

    /// A flag, N when absent.
    pub(crate) fn flagged(&self, tag: u32) -> Result<bool, Malformed> {
        Ok(self.optional(tag)?.unwrap_or(false))
    }

    /// The entries of a repeating group: what stands behind its count as far as the dictionary or the two sides put
    /// it there; `begins` begins each entry. No count, no entries.
    pub(crate) fn group(&self, count: u32, begins: u32) -> Result<Vec<Entry<'_>>, Malformed> {
        let Some(stated) = self.optional::<u64>(count)? else {
            return Ok(Vec::new());
        };
        let fields = self.fields();
        let first = fields.iter().position(|field| field.tag == count);
        let rest = &fields[first.map_or(fields.len(), |at| at + 1)..];
        let length = rest
            .iter()
            .position(|field| !self.may_stand_in_group(count, field.tag))
            .unwrap_or(rest.len());
        let entries: Vec<_> = rest[..length]
            .chunk_by(|_, next| next.tag != begins)
            .map(|fields| Entry {
                message: self,
                fields,
            })
            .collect();
        let first = entries.first().map_or(begins, |entry| entry.fields[0].tag);
        if first != begins {
            return Err(Malformed::tag(RejectReason::GroupOrder, first));
        }
        if entries.len() as u64 != stated {
            return Err(Malformed::tag(RejectReason::GroupCount, count));
        }
        Ok(entries)
    }

    fn may_stand_in_group(&self, count: u32, tag: u32) -> bool {
        let begin_string = self.get(tag::BEGIN_STRING).unwrap_or_default();
        let dictionary = Dictionary::of(begin_string).or(Dictionary::of(b"FIX.4.4"));
        tag >= USER_DEFINED
            || dictionary.is_some_and(|known| known.is_in_group(self.kind(), count, tag))
    }
}

/// One entry of a repeating group.
pub(crate) struct Entry<'a> {
    message: &'a Message,
    fields: &'a [Field],
}

impl Entry<'_> {
    /// A field that may be absent.
    pub(crate) fn optional<T: Value>(&self, tag: u32) -> Result<Option<T>, Malformed> {
        let field = self.fields.iter().find(|field| field.tag == tag);
        read_value(tag, field.map(|field| self.message.value(*field)))
    }

    /// A field that must be there.
    pub(crate) fn required<T: Value>(&self, tag: u32) -> Result<T, Malformed> {
        self.optional(tag)?.ok_or_else(|| missing(tag))
    }
}
