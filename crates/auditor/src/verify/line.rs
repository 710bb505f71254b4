//! One entry as a line of `entries.jsonl`: written by the export, read back by the verifier (docs/AUDIT.md has the form).
//!
//! 1. What is written reads back to the same bytes, whatever the entry is.
//! 2. A line has one way to be written: what reads back is what was written, byte for byte. So a change that means nothing to a JSON
//!    parser is found too, and in its place.

use super::fields::Fields;
use crate::tlog::{Hash, from_base64, to_base64};
use serde::de::IgnoredAny;
use std::io::Write;
use uuid::Uuid;

/// A line that is as it should be written. Whether its entry is what was sealed is another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The leaf index it claims.
    pub index: u64,
    /// The log position it claims; no proof covers it.
    pub position: u64,
    /// The text of a tlog-proof file, in the lines of a filtered export.
    pub proof: Option<String>,
}

/// Appends the line of an entry, with its newline.
pub fn write(index: u64, position: u64, proof: Option<&str>, entry: &[u8], out: &mut Vec<u8>) {
    put(
        out,
        format_args!("{{\"index\":{index},\"position\":\"{position}\""),
    );
    let shown = Fields::of(entry).filter(|fields| is_one_line_of_json(fields.body));
    if let Some(fields) = &shown {
        put_fields(out, fields);
    }
    if let Some(proof) = proof {
        out.extend(b",\"proof\":");
        put_text(out, proof);
    }
    match shown {
        Some(fields) => {
            out.extend(b",\"body\":");
            out.extend(fields.body);
            out.extend(b"}\n");
        }
        None => put(
            out,
            format_args!(",\"entry_base64\":\"{}\"}}\n", to_base64(entry)),
        ),
    }
}

/// Reads a line without its newline; `entry` becomes the entry's bytes. `None` when [`write()`] never writes such a line.
pub fn read(line: &[u8], entry: &mut Vec<u8>) -> Option<Line> {
    entry.clear();
    let mut rest = Rest(line);
    rest.literal("{\"index\":")?;
    let index = rest.number()?;
    rest.literal(",\"position\":\"")?;
    let position = rest.number()?;
    rest.literal("\"")?;
    if rest.literal(",\"stream\":").is_none() {
        let proof = rest.proof()?;
        rest.literal(",\"entry_base64\":\"")?;
        let bytes = std::str::from_utf8(rest.0.strip_suffix(b"\"}")?).ok()?;
        entry.extend(from_base64(bytes)?);
        return Some(Line {
            index,
            position,
            proof,
        });
    }
    let layout = entry.len();
    entry.push(1);
    rest.text_into(entry)?;
    rest.literal(",\"version\":")?;
    entry.extend(rest.number()?.to_be_bytes());
    rest.literal(",\"id\":")?;
    rest.uuid_into(entry)?;
    rest.literal(",\"type\":")?;
    rest.text_into(entry)?;
    rest.literal(",\"schema_version\":")?;
    entry.extend(u16::try_from(rest.number()?).ok()?.to_be_bytes());
    rest.literal(",\"occurred_at_ns\":")?;
    entry.extend(rest.nanoseconds()?.to_be_bytes());
    rest.literal(",\"recorded_at_ns\":")?;
    entry.extend(rest.nanoseconds()?.to_be_bytes());
    rest.literal(",\"actor\":")?;
    rest.text_into(entry)?;
    rest.literal(",\"request_id\":")?;
    rest.uuid_into(entry)?;
    rest.literal(",\"correlation_id\":")?;
    rest.uuid_into(entry)?;
    if rest.literal(",\"trace_id\":\"").is_some() {
        entry[layout] = 2;
        let from = entry.len();
        rest.hex_into::<16>(entry)?;
        rest.literal("\"")?;
        // No entry has a trace of zeros.
        if entry[from..] == [0; 16] {
            return None;
        }
    }
    rest.literal(",\"epoch\":")?;
    entry.extend(u32::try_from(rest.number()?).ok()?.to_be_bytes());
    rest.literal(",\"previous\":\"")?;
    rest.hex_into::<32>(entry)?;
    rest.literal("\"")?;
    let proof = rest.proof()?;
    rest.literal(",\"body\":")?;
    let body = rest.0.strip_suffix(b"}")?;
    entry.extend(u32::try_from(body.len()).ok()?.to_be_bytes());
    entry.extend(body);
    Some(Line {
        index,
        position,
        proof,
    })
}

fn is_one_line_of_json(body: &[u8]) -> bool {
    !body.contains(&b'\n') && serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes what it is given");
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a text is JSON");
}

fn put_fields(out: &mut Vec<u8>, fields: &Fields<'_>) {
    out.extend(b",\"stream\":");
    put_text(out, fields.stream);
    let id = Uuid::from_bytes(fields.id);
    put(
        out,
        format_args!(",\"version\":{},\"id\":\"{id}\",\"type\":", fields.version),
    );
    put_text(out, fields.event_type);
    put(
        out,
        format_args!(
            ",\"schema_version\":{},\"occurred_at_ns\":\"{}\",\"recorded_at_ns\":\"{}\",\"actor\":",
            fields.schema_version, fields.occurred_at, fields.recorded_at
        ),
    );
    put_text(out, fields.actor);
    let request = Uuid::from_bytes(fields.request_id);
    let correlation = Uuid::from_bytes(fields.correlation_id);
    put(
        out,
        format_args!(",\"request_id\":\"{request}\",\"correlation_id\":\"{correlation}\""),
    );
    if let Some(trace) = fields.trace_id {
        let trace = Uuid::from_bytes(trace);
        put(out, format_args!(",\"trace_id\":\"{}\"", trace.simple()));
    }
    let previous = to_hex(&fields.previous);
    put(
        out,
        format_args!(",\"epoch\":{},\"previous\":\"{previous}\"", fields.epoch),
    );
}

/// Lower-case hexadecimal.
pub(crate) fn to_hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is left of a line.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn literal(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text.as_bytes())?;
        Some(())
    }

    /// Digits without a leading zero.
    fn number(&mut self) -> Option<u64> {
        let digits = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (number, rest) = self.0.split_at(digits);
        if digits == 0 || (digits > 1 && number[0] == b'0') {
            return None;
        }
        self.0 = rest;
        let digit =
            |sum: u64, digit: &u8| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
        number.iter().try_fold(0, digit)
    }

    /// A signed number as a text.
    fn nanoseconds(&mut self) -> Option<i64> {
        self.literal("\"")?;
        let minus = self.literal("-").is_some();
        let number = self.number()?;
        self.literal("\"")?;
        match minus {
            true if number == 0 => None,
            true => 0_i64.checked_sub_unsigned(number),
            false => i64::try_from(number).ok(),
        }
    }

    fn hex_into<const BYTES: usize>(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let (digits, rest) = self.0.split_at_checked(2 * BYTES)?;
        let (mut bytes, mut seen) = ([0; BYTES], 0);
        // Without a branch for each: a quarter of a line is digits of hashes and ids.
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let (high, low) = (HEX[usize::from(pair[0])], HEX[usize::from(pair[1])]);
            seen |= high | low;
            *byte = high << 4 | low;
        }
        if seen > 0xf {
            return None;
        }
        out.extend(bytes);
        self.0 = rest;
        Some(())
    }

    fn uuid_into(&mut self, out: &mut Vec<u8>) -> Option<()> {
        self.literal("\"")?;
        self.hex_into::<4>(out)?;
        for _ in 0..3 {
            self.literal("-")?;
            self.hex_into::<2>(out)?;
        }
        self.literal("-")?;
        self.hex_into::<6>(out)?;
        self.literal("\"")
    }

    /// A text behind its length in two bytes.
    fn text_into(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let at = out.len();
        out.extend([0; 2]);
        self.unescape_into(out)?;
        let length = u16::try_from(out.len() - at - 2).ok()?;
        out[at..at + 2].copy_from_slice(&length.to_be_bytes());
        Some(())
    }

    fn proof(&mut self) -> Option<Option<String>> {
        if self.literal(",\"proof\":").is_none() {
            return Some(None);
        }
        let mut bytes = Vec::new();
        self.unescape_into(&mut bytes)?;
        String::from_utf8(bytes).ok().map(Some)
    }

    /// A JSON text with the escapes that must be and no others.
    fn unescape_into(&mut self, out: &mut Vec<u8>) -> Option<()> {
        self.literal("\"")?;
        let from = out.len();
        loop {
            let plain = self
                .0
                .iter()
                .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20))
                .count();
            let (text, rest) = self.0.split_at(plain);
            out.extend(text);
            self.0 = rest;
            if self.literal("\"").is_some() {
                return std::str::from_utf8(&out[from..]).ok().map(|_| ());
            }
            self.literal("\\")?;
            let (escape, rest) = self.0.split_first()?;
            self.0 = rest;
            out.push(match escape {
                b'"' | b'\\' => *escape,
                b'b' => 0x08,
                b'f' => 0x0c,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'u' => {
                    self.literal("00")?;
                    let (pair, rest) = self.0.split_first_chunk::<2>()?;
                    self.0 = rest;
                    let byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
                    if byte >= 0x20 || matches!(byte, 0x08 | 0x0c | b'\n' | b'\r' | b'\t') {
                        return None;
                    }
                    byte
                }
                _ => return None,
            });
        }
    }
}

/// What each byte is as a lower-case hexadecimal digit; 255 what is none.
const HEX: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    values
};

fn hex_digit(byte: u8) -> Option<u8> {
    let value = HEX[usize::from(byte)];
    (value < 16).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(position: u64, proof: Option<&str>, entry: &[u8]) -> Vec<u8> {
        let mut line = Vec::new();
        write(7, position, proof, entry, &mut line);
        assert_eq!(line.pop(), Some(b'\n'));
        line
    }

    prop_compose! {
        fn entries()(
            names in (".{0,20}", ".{0,20}", ".{0,20}"),
            numbers in any::<(u64, u16, i64, i64, u32)>(),
            ids in any::<([u8; 16], [u8; 16], [u8; 16], Option<[u8; 16]>)>(),
            previous in any::<[u8; 32]>(),
            body in prop_oneof![
                Just(b"{\"a\": [1, \"\xc3\xa9,\\\"body\\\":\"]}".to_vec()),
                Just(b"{\n}".to_vec()),
                Just(b"\"lone \\ud800\"".to_vec()),
                prop::collection::vec(any::<u8>(), 0..50),
            ],
        ) -> Vec<u8> {
            let mut entry = Vec::new();
            Fields {
                stream: &names.0,
                version: numbers.0,
                id: ids.0,
                event_type: &names.1,
                schema_version: numbers.1,
                occurred_at: numbers.2,
                recorded_at: numbers.3,
                actor: &names.2,
                request_id: ids.1,
                correlation_id: ids.2,
                trace_id: ids.3.filter(|trace| *trace != [0; 16]),
                epoch: numbers.4,
                previous,
                body: &body,
            }.encode(&mut entry);
            entry
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(entry in entries(), position: u64, proof in prop::option::of("[ -~\n]*")) {
            let line = written(position, proof.as_deref(), &entry);
            prop_assert!(!line.contains(&b'\n'));
            let mut again = Vec::new();
            let read = read(&line, &mut again);
            prop_assert_eq!(read, Some(Line { index: 7, position, proof }));
            prop_assert_eq!(again, entry);
        }

        #[test]
        fn any_bytes_read_back(entry: Vec<u8>) {
            let line = written(8, None, &entry);
            let mut again = Vec::new();
            prop_assert!(read(&line, &mut again).is_some());
            prop_assert_eq!(again, entry);
        }

        #[test]
        fn a_changed_line_is_none_or_says_something_else(entry in entries(), at: prop::sample::Index, to: u8) {
            let line = written(8, None, &entry);
            let mut changed = line.clone();
            let at = at.index(line.len());
            prop_assume!(line[at] != to);
            changed[at] = to;
            let mut again = Vec::new();
            if let Some(Line { index, position, proof }) = read(&changed, &mut again) {
                prop_assert!(again != entry || (index, position) != (7, 8) || proof.is_some());
            }
        }
    }

    #[test]
    fn other_ways_to_write_the_same_are_refused() {
        let mut entry = Vec::new();
        let fields = Fields {
            stream: "a\u{1}\n/",
            version: 1,
            id: [0xab; 16],
            event_type: "t",
            schema_version: 1,
            occurred_at: 0,
            recorded_at: -1,
            actor: "",
            request_id: [0; 16],
            correlation_id: [0; 16],
            trace_id: None,
            epoch: 0,
            previous: [0xcd; 32],
            body: b"1",
        };
        fields.encode(&mut entry);
        let line = String::from_utf8(written(8, None, &entry)).unwrap();
        for (from, to) in [
            ("{\"index\":7", "{\"index\":07"),
            ("{\"index\":7", "{ \"index\":7"),
            ("\\u0001", "\\u0002\\u0001x"),
            ("\\n", "\\u000a"),
            ("/", "\\/"),
            ("abab", "ABab"),
            ("cdcd", "CDcd"),
            ("\"0\"", "\"-0\""),
            ("\"epoch\":0", "\"epoch\":-0"),
            ("1}", "1} "),
        ] {
            let other = line.replacen(from, to, 1);
            assert_ne!(other, line);
            let mut again = Vec::new();
            let same = read(other.as_bytes(), &mut again).is_some() && again == entry;
            assert!(!same, "{other}");
        }
    }
}
