//! The bytes of a journal file: a head, then records. All integers little-endian.
//!
//! Head: magic, length u32, crc32 u32, then generation u64, created i64, base position u64, sender, target
//! (each u16 length and bytes). Record: length u32, crc32 u32, then seq u64, kind u8, position u64, sending
//! time i64, id (u16 length and bytes), message. The crc covers what the length counts. Behind the last record there may be
//! zeros, which are room for more.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::{Buf, Bytes};

use crate::codec::MESSAGE_BYTES_MAX;
use crate::journal::folder::at;
use crate::journal::{JournalError, Kind, Record};
use crate::value::Timestamp;

const MAGIC: &[u8; 8] = b"SQFXJ\x00\x00\x01";
/// A record is a message and its bookkeeping; a longer length is no record.
const RECORD_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;
const PREFIX: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub generation: u64,
    pub created: Timestamp,
    /// The highest application position of older generations.
    pub base_position: u64,
    pub sender: String,
    pub target: String,
}

/// What a file holds.
#[derive(Debug)]
pub struct Scan {
    pub head: Head,
    pub starts: Vec<u64>,
    /// Where the next record goes.
    pub end: u64,
    pub last_position: u64,
    pub has_app: bool,
    /// Bytes behind `end` that are no whole record, up to the last that is not zero.
    pub torn_bytes: u64,
    /// The file's length; what is behind the torn bytes is room for records, all of it zeros.
    pub size: u64,
}

pub fn head_bytes(head: &Head) -> Vec<u8> {
    let mut payload = Vec::new();
    payload.extend(head.generation.to_le_bytes());
    payload.extend(head.created.0.to_le_bytes());
    payload.extend(head.base_position.to_le_bytes());
    put_text(&mut payload, &head.sender);
    put_text(&mut payload, &head.target);
    let mut bytes = MAGIC.to_vec();
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend(crc32fast::hash(&payload).to_le_bytes());
    bytes.extend(payload);
    bytes
}

pub fn head_size(head: &Head) -> u64 {
    head_bytes(head).len() as u64
}

pub fn size_hint(record: &Record) -> usize {
    PREFIX + 27 + record.id.len() + record.bytes.len()
}

/// Whether a record can be read back.
pub fn fits(record: &Record) -> bool {
    record.id.len() <= usize::from(u16::MAX) && size_hint(record) <= RECORD_BYTES_MAX
}

pub fn put(buffer: &mut Vec<u8>, record: &Record) {
    let start = buffer.len();
    buffer.extend([0; PREFIX]);
    buffer.extend(record.seq.to_le_bytes());
    buffer.push(match record.kind {
        Kind::App => 0,
        Kind::Admin => 1,
    });
    buffer.extend(record.position.to_le_bytes());
    buffer.extend(record.sending_time.0.to_le_bytes());
    put_text(buffer, &record.id);
    buffer.extend_from_slice(&record.bytes);
    let payload = start + PREFIX;
    let length = (buffer.len() - payload) as u32;
    let crc = crc32fast::hash(&buffer[payload..]);
    buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
    buffer[start + 4..payload].copy_from_slice(&crc.to_le_bytes());
}

/// Reads the one record between two offsets.
pub fn read(file: &File, path: &Path, start: u64, end: u64) -> Result<Record, JournalError> {
    let mut bytes = vec![0; (end - start) as usize];
    file.read_exact_at(&mut bytes, start).map_err(at(path))?;
    let mut records = take_all(bytes.into()).unwrap_or_default();
    records.pop().ok_or(JournalError::Damaged {
        file: path.to_owned(),
        what: "a record in the middle is unreadable",
    })
}

/// Reads bytes that hold whole records and nothing else.
pub fn take_all(mut bytes: Bytes) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        if bytes.len() < PREFIX {
            return None;
        }
        let (length, crc) = (bytes.get_u32_le() as usize, bytes.get_u32_le());
        if length > bytes.len() {
            return None;
        }
        let payload = bytes.split_to(length);
        if crc32fast::hash(&payload) != crc {
            return None;
        }
        records.push(take(payload)?);
    }
    Some(records)
}

fn take(mut payload: Bytes) -> Option<Record> {
    if payload.len() < 25 {
        return None;
    }
    let seq = payload.get_u64_le();
    let kind = match payload.get_u8() {
        0 => Kind::App,
        1 => Kind::Admin,
        _ => return None,
    };
    let position = payload.get_u64_le();
    let sending_time = Timestamp(payload.get_i64_le());
    let id = take_text(&mut payload)?;
    Some(Record {
        seq,
        kind,
        id,
        position,
        sending_time,
        bytes: payload,
    })
}

fn put_text(buffer: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).expect("ids and CompIDs are short, checked before");
    buffer.extend(length.to_le_bytes());
    buffer.extend_from_slice(text.as_bytes());
}

fn take_text(bytes: &mut Bytes) -> Option<String> {
    if bytes.len() < 2 {
        return None;
    }
    let length = usize::from(bytes.get_u16_le());
    if bytes.len() < length {
        return None;
    }
    String::from_utf8(bytes.split_to(length).to_vec()).ok()
}

/// Reads a whole file: its head, where its records are, and where a torn tail starts.
pub fn scan(file: &File, path: &Path) -> Result<Scan, JournalError> {
    let size = file.metadata().map_err(at(path))?.len();
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    reader.seek(SeekFrom::Start(0)).map_err(at(path))?;
    let damaged = |what| JournalError::Damaged {
        file: path.to_owned(),
        what,
    };
    let mut magic = [0; MAGIC.len()];
    reader
        .read_exact(&mut magic)
        .map_err(|_| damaged("it has no head"))?;
    if &magic != MAGIC {
        return Err(damaged("it is no journal of this version"));
    }
    let payload =
        next_payload(&mut reader, size).ok_or_else(|| damaged("its head is unreadable"))?;
    let head = take_head(payload).ok_or_else(|| damaged("its head is unreadable"))?;
    let mut scan = Scan {
        end: head_size(&head),
        starts: Vec::new(),
        last_position: head.base_position,
        has_app: false,
        torn_bytes: 0,
        size,
        head,
    };
    while let Some(payload) = next_payload(&mut reader, size - scan.end) {
        let length = (PREFIX + payload.len()) as u64;
        let Some(record) = take(payload) else { break };
        if record.seq != scan.starts.len() as u64 + 1 {
            return Err(damaged("its sequence numbers have a hole"));
        }
        if record.kind == Kind::App {
            scan.last_position = scan.last_position.max(record.position);
            scan.has_app = true;
        }
        scan.starts.push(scan.end);
        scan.end += length;
    }
    scan.torn_bytes = written_bytes(file, scan.end, size).map_err(at(path))?;
    Ok(scan)
}

/// How many bytes from `start` there are up to the last one that is not zero.
fn written_bytes(file: &File, start: u64, end: u64) -> std::io::Result<u64> {
    let mut piece = vec![0; 64 * 1024];
    let (mut done, mut written) = (0, 0);
    while start + done < end {
        let n = (end - start - done).min(piece.len() as u64) as usize;
        file.read_exact_at(&mut piece[..n], start + done)?;
        if let Some(last) = piece[..n].iter().rposition(|byte| *byte != 0) {
            written = done + last as u64 + 1;
        }
        done += n as u64;
    }
    Ok(written)
}

/// The next length-and-crc framed piece, or `None` when what is left is not one.
fn next_payload(reader: &mut impl Read, left: u64) -> Option<Bytes> {
    let mut prefix = [0; PREFIX];
    reader.read_exact(&mut prefix).ok()?;
    let mut prefix = &prefix[..];
    let (length, crc) = (prefix.get_u32_le() as usize, prefix.get_u32_le());
    if length > RECORD_BYTES_MAX || length as u64 > left {
        return None;
    }
    let mut payload = vec![0; length];
    reader.read_exact(&mut payload).ok()?;
    // An all-zero page, as a file system may leave after a power loss, has a valid crc of nothing.
    (length > 0 && crc32fast::hash(&payload) == crc).then(|| payload.into())
}

fn take_head(mut payload: Bytes) -> Option<Head> {
    if payload.len() < 24 {
        return None;
    }
    Some(Head {
        generation: payload.get_u64_le(),
        created: Timestamp(payload.get_i64_le()),
        base_position: payload.get_u64_le(),
        sender: take_text(&mut payload)?,
        target: take_text(&mut payload)?,
    })
}
