//! A whole message against the dictionary.
//!
//! Which fault is named when there are several follows the FIX session test cases 14: what is required first, then
//! the fields as they stand, each for its value, its format, its codes, its place.

use super::{Dictionary, Members, Place, USER_DEFINED};
use crate::codec::{Field, Message};
use crate::message::{Malformed, RejectReason};
use crate::value::parse_count;

/// What becomes of a tag from 5000 on, which the standard leaves to the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserDefined {
    /// Taken, anywhere in a message: the two sides have agreed on some.
    Taken,
    /// Refused as an invalid tag: they have agreed on none.
    Refused,
}

/// Fields of one place, of which none may be there twice. Tags beyond it are user-defined and left alone.
#[derive(Default)]
struct Seen([u64; 24]);

impl Seen {
    /// False when the tag was there before.
    fn add(&mut self, tag: u32) -> bool {
        let Some(bits) = self.0.get_mut((tag / 64) as usize) else {
            return true;
        };
        let bit = 1 << (tag % 64);
        let new = *bits & bit == 0;
        *bits |= bit;
        new
    }

    fn has(&self, tag: u32) -> bool {
        let bits = self.0.get((tag / 64) as usize);
        bits.is_some_and(|bits| bits & (1 << (tag % 64)) != 0)
    }
}

/// The fields still to be looked at.
struct Walk<'a> {
    dictionary: &'a Dictionary,
    message: &'a Message,
    user_defined: UserDefined,
    fields: &'a [Field],
}

impl Dictionary {
    /// Checks required fields, formats, codes, places, repetitions and groups. The order of header, body and trailer is
    /// taken as checked before.
    ///
    /// # Errors
    /// [`Malformed`] with what a Reject says of it.
    pub fn check(&self, message: &Message, user_defined: UserDefined) -> Result<(), Malformed> {
        if let Some(session) = self.session
            && session.messages.contains_key(message.kind())
        {
            return session.check(message, user_defined);
        }
        let Some(known) = self.messages.get(message.kind()) else {
            return Err(Malformed::whole(RejectReason::InvalidMessageType));
        };
        for members in [&self.header, &self.trailer, &known.body] {
            let missing = members
                .required
                .iter()
                .find(|tag| message.get(**tag).is_none());
            if let Some(tag) = missing {
                return Err(Malformed::tag(RejectReason::RequiredTagMissing, *tag));
            }
        }
        let mut walk = Walk {
            dictionary: self,
            message,
            user_defined,
            fields: message.fields(),
        };
        for members in [&self.header, &known.body, &self.trailer] {
            walk.side_by_side(members)?;
        }
        match walk.fields.first() {
            Some(field) => Err(walk.misplaced(*field)),
            None => Ok(()),
        }
    }
}

impl Walk<'_> {
    /// Goes on to the first field that has no place among these members.
    fn side_by_side(&mut self, members: &Members) -> Result<Seen, Malformed> {
        let mut seen = Seen::default();
        while let Some(field) = self.fields.first().copied() {
            let place = members.place(field.tag);
            let is_known = self.dictionary.field(field.tag).is_some();
            if place == Place::Elsewhere && (is_known || !self.is_agreed(field.tag)) {
                return Ok(seen);
            }
            if !seen.add(field.tag) {
                return Err(self.fault(RejectReason::RepeatedTag, field));
            }
            self.value(field)?;
            self.fields = &self.fields[1..];
            if let Some(entry) = members.entry(field.tag) {
                self.group(field, entry)?;
            }
        }
        Ok(seen)
    }

    /// The entries behind a count.
    fn group(&mut self, count: Field, entry: &Members) -> Result<(), Malformed> {
        let stated = parse_count(self.message.value(count));
        let mut found = 0;
        while let Some(field) = self.fields.first().copied() {
            if field.tag != entry.first {
                let begins_late = found == 0 && stated != Some(0);
                if begins_late && entry.place(field.tag) != Place::Elsewhere {
                    return Err(self.fault(RejectReason::GroupOrder, field));
                }
                break;
            }
            found += 1;
            let seen = self.entry(entry)?;
            if let Some(tag) = entry.required.iter().find(|tag| !seen.has(**tag)) {
                return Err(Malformed::tag(RejectReason::RequiredTagMissing, *tag));
            }
        }
        if stated != Some(found) {
            return Err(self.fault(RejectReason::GroupCount, count));
        }
        Ok(())
    }

    /// One entry: like any fields side by side, but that the first of the next entry ends it.
    fn entry(&mut self, entry: &Members) -> Result<Seen, Malformed> {
        let rest = &self.fields[1..];
        let next = rest.iter().position(|field| field.tag == entry.first);
        let all = self.fields;
        let (own, behind) = all.split_at(next.map_or(all.len(), |at| at + 1));
        self.fields = own;
        let seen = self.side_by_side(entry)?;
        let used = own.len() - self.fields.len();
        // What is left of the entry's fields stands behind the group.
        self.fields = if self.fields.is_empty() {
            behind
        } else {
            &all[used..]
        };
        Ok(seen)
    }

    /// Value, format and codes of one field.
    fn value(&self, field: Field) -> Result<(), Malformed> {
        let value = self.message.value(field);
        if value.is_empty() {
            return Err(self.fault(RejectReason::NoValue, field));
        }
        let Some(known) = self.dictionary.field(field.tag) else {
            return Ok(());
        };
        if !known.format.fits(value) {
            return Err(self.fault(RejectReason::Format, field));
        }
        if !known.takes(value) {
            return Err(self.fault(RejectReason::ValueOutOfRange, field));
        }
        Ok(())
    }

    /// What is wrong with a field that has no place where it stands.
    fn misplaced(&self, field: Field) -> Malformed {
        if let Err(malformed) = self.value(field) {
            return malformed;
        }
        let reason = match self.dictionary.field(field.tag) {
            Some(_) => RejectReason::TagNotDefinedForType,
            None => RejectReason::InvalidTag,
        };
        self.fault(reason, field)
    }

    fn is_agreed(&self, tag: u32) -> bool {
        tag >= USER_DEFINED && self.user_defined == UserDefined::Taken
    }

    fn fault(&self, reason: RejectReason, field: Field) -> Malformed {
        let tag = String::from_utf8_lossy(self.message.tag_text(field)).into_owned();
        Malformed {
            reason,
            tag: Some(tag),
        }
    }
}

impl super::Field {
    fn takes(&self, value: &[u8]) -> bool {
        let is_code = |value: &[u8]| self.codes.contains(&value);
        match self.format {
            _ if self.codes.is_empty() => true,
            super::format::Format::Words => value.split(|byte| *byte == b' ').all(is_code),
            _ => is_code(value) || (self.or_number && super::format::Format::Decimal.fits(value)),
        }
    }
}
