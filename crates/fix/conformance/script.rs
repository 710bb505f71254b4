//! Scripts of the public FIX acceptance tests, line by line.
//!
//! `iCONNECT`, `iDISCONNECT`, `eDISCONNECT`; `I` and a message to send, `E` and one to expect. `I1,` names the
//! connection. Fields end in SOH; `<TIME>`, `<TIME+n>` and `<TIME-n>` are instants; BodyLength and CheckSum are filled
//! in where a script leaves them out. `#` starts a comment.

use squareoff_fix::Timestamp;
use squareoff_fix::codec::{SOH, checksum};

/// One line that does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Counted from 1.
    pub line: usize,
    /// The connection; 1 when the script names none.
    pub connection: u8,
    pub action: Action,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Connect,
    Disconnect,
    ExpectDisconnect,
    Send(Vec<u8>),
    Expect(Vec<u8>),
}

/// # Errors
/// The line that is none of a script's, in words.
pub fn parse(text: &[u8]) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line_number = index + 1;
        let (Some(first), rest) = (line.first(), line.get(1..).unwrap_or_default()) else {
            continue;
        };
        let (connection, rest) = match rest {
            [digit @ b'0'..=b'9', b',', rest @ ..] => (digit - b'0', rest),
            rest => (1, rest),
        };
        let action = match (first, rest) {
            (b'#', _) => continue,
            (b'i', b"CONNECT") => Action::Connect,
            (b'i', b"DISCONNECT") => Action::Disconnect,
            (b'e', b"DISCONNECT") => Action::ExpectDisconnect,
            (b'I', message) => Action::Send(message.to_vec()),
            (b'E', message) => Action::Expect(message.to_vec()),
            _ => {
                let line = String::from_utf8_lossy(line);
                return Err(format!("line {line_number} is none of a script's: {line}"));
            }
        };
        steps.push(Step {
            line: line_number,
            connection,
            action,
        });
    }
    Ok(steps)
}

/// The message of a script as it stands on the wire: times set in, length and checksum filled in unless they are there.
pub fn filled(message: &[u8], now: Timestamp) -> Vec<u8> {
    let message = timed(message, now);
    let Some(head) = message.iter().position(|byte| *byte == SOH) else {
        return message;
    };
    if !message.starts_with(b"8=") {
        return message;
    }
    let (head, rest) = message.split_at(head + 1);
    let trailer = fields(rest)
        .last()
        .filter(|field| field.starts_with(b"10="));
    let end = rest.len() - trailer.map_or(0, |field| field.len() + 1);
    let (rest, trailer) = rest.split_at(end);
    let mut whole = head.to_vec();
    if !fields(rest).any(|field| field.starts_with(b"9=")) {
        whole.extend_from_slice(format!("9={}\x01", rest.len()).as_bytes());
    }
    whole.extend_from_slice(rest);
    if trailer.is_empty() {
        let sum = checksum(&whole);
        whole.extend_from_slice(format!("10={sum:03}\x01").as_bytes());
    }
    whole.extend_from_slice(trailer);
    whole
}

/// The fields of a message, without their separators.
pub fn fields(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    message
        .split(|byte| *byte == SOH)
        .filter(|field| !field.is_empty())
}

/// The value of the first field with this tag.
pub fn value<'a>(message: &'a [u8], tag: &str) -> Option<&'a [u8]> {
    fields(message).find_map(|field| field.strip_prefix(tag.as_bytes())?.strip_prefix(b"="))
}

/// Seconds are all that the scripts' times have.
fn timed(message: &[u8], now: Timestamp) -> Vec<u8> {
    const START: &[u8] = b"<TIME";
    let mut timed = Vec::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.windows(START.len()).position(|window| window == START) {
        let Some(end) = rest[at..].iter().position(|byte| *byte == b'>') else {
            break;
        };
        let offset = String::from_utf8_lossy(&rest[at + START.len()..at + end]);
        let seconds: i64 = offset.parse().unwrap_or(0);
        timed.extend_from_slice(&rest[..at]);
        let text = now.plus(seconds * 1_000_000_000).to_string();
        timed.extend_from_slice(&text.as_bytes()[..17]);
        rest = &rest[at + end + 1..];
    }
    timed.extend_from_slice(rest);
    timed
}
