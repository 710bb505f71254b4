//! What each version of FIX says of fields and messages, as data, and the check of a message against it.
//!
//! Called by `session::check` (a session that validates in full), by `message` (which members a repeating group
//! has) and by whoever shows messages to people (names). The facts are in a table for each version, `fix44.txt` and its
//! like, whose heads say where they come from and how they are written; they are read once, at the first use.
//!
//! Not here: what a venue adds. User-defined tags (from 5000 on) are taken or refused as a whole.

mod check;
mod format;
mod read;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use check::UserDefined;
use format::Format;

/// The first user-defined tag (FIX 4.4 volume 1, "User Defined Fields").
pub(crate) const USER_DEFINED: u32 = 5000;

/// One version of FIX.
#[derive(Debug)]
pub struct Dictionary {
    /// By tag; the numbers of a version are dense.
    fields: Vec<Option<Field>>,
    /// By MsgType.
    messages: HashMap<&'static [u8], Message>,
    header: Members,
    trailer: Members,
    /// What holds for session-level messages where they are another standard's.
    session: Option<&'static LazyLock<Dictionary>>,
}

#[derive(Debug)]
struct Field {
    name: &'static str,
    format: Format,
    /// The values it may have; empty for any.
    codes: Vec<&'static [u8]>,
    /// Numbers are valid besides the codes.
    or_number: bool,
}

#[derive(Debug)]
struct Message {
    name: &'static str,
    body: Members,
}

/// The fields that stand side by side: of a header, a body, or one entry of a repeating group.
#[derive(Debug, Default)]
struct Members {
    /// The tag that is named first; it begins each entry of a group.
    first: u32,
    /// By tag.
    places: Vec<Place>,
    /// Ascending.
    required: Vec<u32>,
    /// The entries of the groups in here.
    groups: Vec<Members>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Elsewhere,
    Single,
    /// The count of the group with this index.
    Count(u16),
}

impl Members {
    fn add(&mut self, tag: u32, place: Place, required: bool) {
        if self.places.is_empty() {
            self.first = tag;
        }
        let index = tag as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, Place::Elsewhere);
        }
        self.places[index] = place;
        if let (true, Err(at)) = (required, self.required.binary_search(&tag)) {
            self.required.insert(at, tag);
        }
    }

    fn place(&self, tag: u32) -> Place {
        self.places.get(tag as usize).copied().unwrap_or_default()
    }

    /// The members of one entry of the group that `count` counts.
    fn entry(&self, count: u32) -> Option<&Members> {
        match self.place(count) {
            Place::Count(index) => self.groups.get(usize::from(index)),
            Place::Single | Place::Elsewhere => None,
        }
    }

    /// Whether the tag stands here or in a group in here.
    fn holds(&self, tag: u32) -> bool {
        self.place(tag) != Place::Elsewhere || self.groups.iter().any(|entry| entry.holds(tag))
    }
}

macro_rules! versions {
    ($($name:ident = $table:literal),* $(,)?) => {
        $(static $name: LazyLock<Dictionary> = LazyLock::new(|| read::read(&[include_str!($table)]));)*
    };
}

versions! {
    FIX40 = "fix40.txt",
    FIX41 = "fix41.txt",
    FIX42 = "fix42.txt",
    FIX43 = "fix43.txt",
    FIX44 = "fix44.txt",
    FIXT11 = "fixt11.txt",
}

/// FIX 5.0, 5.0 SP1 and SP2 alike: what any of them has.
static FIX50: LazyLock<Dictionary> = LazyLock::new(|| Dictionary {
    session: Some(&FIXT11),
    ..read::read(&[include_str!("fixt11.txt"), include_str!("fix50.txt")])
});

impl Dictionary {
    /// The dictionary of a BeginString; `None` for versions that are not known here.
    pub fn of(begin_string: &[u8]) -> Option<&'static Dictionary> {
        match begin_string {
            b"FIX.4.0" => Some(&FIX40),
            b"FIX.4.1" => Some(&FIX41),
            b"FIX.4.2" => Some(&FIX42),
            b"FIX.4.3" => Some(&FIX43),
            b"FIX.4.4" => Some(&FIX44),
            b"FIXT.1.1" => Some(&FIX50),
            _ => None,
        }
    }

    /// The name of a field, such as `ClOrdID`.
    pub fn field_name(&self, tag: u32) -> Option<&'static str> {
        Some(self.field(tag)?.name)
    }

    /// The name of a message type, such as `NewOrderSingle`.
    pub fn message_name(&self, kind: &[u8]) -> Option<&'static str> {
        Some(self.messages.get(kind)?.name)
    }

    /// Whether `tag` stands in an entry of the repeating group that `count` counts in messages of this type, or in
    /// a group within one.
    pub fn is_in_group(&self, kind: &[u8], count: u32, tag: u32) -> bool {
        let message = self.messages.get(kind);
        let entry = message.and_then(|message| message.body.entry(count));
        entry.is_some_and(|entry| entry.holds(tag))
    }

    fn field(&self, tag: u32) -> Option<&Field> {
        self.fields.get(tag as usize)?.as_ref()
    }
}

#[cfg(test)]
mod tests;
