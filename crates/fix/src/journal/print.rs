//! A journal for people to read: every message that went out, by the names of its fields.
//!
//! Called by `squareoff fix journal`. Reads only, takes no lock, and can be used while a session writes: the last record
//! may then be one that is not finished yet, which is said.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::folder::{CURRENT, at};
use super::inbound::InboundNumber;
use super::{JournalError, Kind, Record, format};
use crate::codec::Message;
use crate::dictionary::Dictionary;
use crate::tag;

/// Fields that every message has and the line already says, or that say nothing to a person.
const SAID_ALREADY: [u32; 8] = [
    tag::BEGIN_STRING,
    tag::BODY_LENGTH,
    tag::CHECK_SUM,
    tag::MSG_SEQ_NUM,
    tag::MSG_TYPE,
    tag::SENDER_COMP_ID,
    tag::SENDING_TIME,
    tag::TARGET_COMP_ID,
];

/// Writes the journal in `folder`: a head and a line per message, the generations from the oldest on.
///
/// # Errors
/// [`JournalError`] when there is no journal or a part that was durable is unreadable; `Io` also when `out` fails.
pub fn print(folder: &Path, out: &mut dyn Write) -> Result<(), JournalError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("outbound-") && name.ends_with(".log") {
            files.push(path);
        }
    }
    files.sort();
    files.push(folder.join(CURRENT));
    for path in &files {
        one(folder, path, out)?;
    }
    Ok(())
}

fn one(folder: &Path, path: &PathBuf, out: &mut dyn Write) -> Result<(), JournalError> {
    let file = File::open(path).map_err(at(path))?;
    let scan = format::scan(&file, path)?;
    let head = &scan.head;
    let failed = at(path);
    write!(
        out,
        "{} -> {}, generation {} of {}, {} messages",
        head.sender,
        head.target,
        head.generation,
        head.created,
        scan.starts.len()
    )
    .map_err(&failed)?;
    if path.ends_with(CURRENT)
        && let Some(next) = InboundNumber::peek(&folder.join("inbound.num"), head.generation)
    {
        write!(out, ", expects number {next} next").map_err(&failed)?;
    }
    writeln!(out).map_err(&failed)?;
    let ends = scan.starts.iter().skip(1).chain([&scan.end]);
    for (start, end) in scan.starts.iter().zip(ends) {
        let record = format::read(&file, path, *start, *end)?;
        writeln!(out, "{}", line(&record)).map_err(&failed)?;
    }
    if scan.torn_bytes > 0 {
        let bytes = scan.torn_bytes;
        writeln!(out, "{bytes} bytes behind it are no whole record").map_err(&failed)?;
    }
    Ok(())
}

fn line(record: &Record) -> String {
    let mut line = format!("#{} {} ", record.seq, record.sending_time);
    let Ok(message) = Message::decode(record.bytes.clone()) else {
        return line + "no FIX message";
    };
    let dictionary = Dictionary::of(message.get(tag::BEGIN_STRING).unwrap_or_default());
    let kind = String::from_utf8_lossy(message.kind());
    let name = dictionary.and_then(|known| known.message_name(message.kind()));
    line += &format!("{} ({kind})", name.unwrap_or("message"));
    if record.kind == Kind::App {
        line += &format!(
            " id {} at {}:",
            shown(record.id.as_bytes()),
            record.position
        );
    }
    for field in message.fields() {
        if SAID_ALREADY.contains(&field.tag) {
            continue;
        }
        let value = shown(message.value(*field));
        let name = dictionary.and_then(|known| known.field_name(field.tag));
        match name {
            Some(name) => line += &format!(" {name}={value}"),
            None => line += &format!(" {}={value}", field.tag),
        }
    }
    line
}

/// A value on one line, whatever it holds; a lone `-` when it holds nothing.
fn shown(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    match text.is_empty() {
        true => "-".to_owned(),
        false => text.escape_debug().to_string(),
    }
}
