//! An entry's fields, read in place: the verifier's own reading of the layout that `squareoff_store`'s entries have.
//!
//! It shares no code with the store, so that the two have to agree.

use crate::tlog::Hash;

/// Without and with the id of a trace.
const LAYOUT: u8 = 1;
const LAYOUT_TRACED: u8 = 2;

/// What an entry says of its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields<'a> {
    pub stream: &'a str,
    pub version: u64,
    pub id: [u8; 16],
    pub event_type: &'a str,
    pub schema_version: u16,
    /// Nanoseconds since 1970.
    pub occurred_at: i64,
    /// Nanoseconds since 1970.
    pub recorded_at: i64,
    pub actor: &'a str,
    pub request_id: [u8; 16],
    pub correlation_id: [u8; 16],
    /// Never zeros.
    pub trace_id: Option<[u8; 16]>,
    pub epoch: u32,
    /// Leaf hash of the stream's event before; zeros for its first.
    pub previous: Hash,
    pub body: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of an entry's bytes; `None` when they are not exactly one entry of the known layout.
    pub fn of(entry: &'a [u8]) -> Option<Self> {
        let mut rest = Rest(entry);
        let [layout] = rest.array()?;
        if ![LAYOUT, LAYOUT_TRACED].contains(&layout) {
            return None;
        }
        let fields = Fields {
            stream: rest.text()?,
            version: u64::from_be_bytes(rest.array()?),
            id: rest.array()?,
            event_type: rest.text()?,
            schema_version: u16::from_be_bytes(rest.array()?),
            occurred_at: i64::from_be_bytes(rest.array()?),
            recorded_at: i64::from_be_bytes(rest.array()?),
            actor: rest.text()?,
            request_id: rest.array()?,
            correlation_id: rest.array()?,
            trace_id: match layout {
                LAYOUT_TRACED => Some(rest.array().filter(|trace| *trace != [0; 16])?),
                _ => None,
            },
            epoch: u32::from_be_bytes(rest.array()?),
            previous: rest.array()?,
            body: {
                let length = u32::from_be_bytes(rest.array()?);
                rest.take(length as usize)?
            },
        };
        rest.0.is_empty().then_some(fields)
    }

    /// The entry again, at the end of `out`.
    ///
    /// # Panics
    /// When a text is longer than 65,535 bytes or the body than 4 GiB: no entry holds them.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let text = |out: &mut Vec<u8>, text: &str| {
            let length = u16::try_from(text.len()).expect("a text of an entry");
            out.extend(length.to_be_bytes());
            out.extend(text.as_bytes());
        };
        out.push(match self.trace_id {
            None => LAYOUT,
            Some(_) => LAYOUT_TRACED,
        });
        text(out, self.stream);
        out.extend(self.version.to_be_bytes());
        out.extend(self.id);
        text(out, self.event_type);
        out.extend(self.schema_version.to_be_bytes());
        out.extend(self.occurred_at.to_be_bytes());
        out.extend(self.recorded_at.to_be_bytes());
        text(out, self.actor);
        out.extend(self.request_id);
        out.extend(self.correlation_id);
        out.extend(self.trace_id.iter().flatten());
        out.extend(self.epoch.to_be_bytes());
        out.extend(self.previous);
        let length = u32::try_from(self.body.len()).expect("a body of an entry");
        out.extend(length.to_be_bytes());
        out.extend(self.body);
    }
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = u16::from_be_bytes(self.array()?);
        std::str::from_utf8(self.take(length.into())?).ok()
    }
}
