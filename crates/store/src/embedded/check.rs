//! `squareoff store check`: reads a log from end to end and says what in it is not as it was written.
//!
//! 1. The log may be in use: what is checked is the log up to its head at the beginning, page by page.
//! 2. Every event is looked at; a finding ends nothing but what builds on it, so that one damaged event is one finding.
//! 3. Nothing is mended and nothing is written.
//!
//! It shows damage and mistakes, not malice: who may write the file may write a log that is whole. That is what sealing is for.

use super::FILE_NAME;
use super::connection::{self, Role, connect};
use super::reader::{integer, position};
use crate::entry::{self, EntryError, NO_PREVIOUS};
use crate::{OpenError, Position, StoredEvent, codec};
use rusqlite::{Connection, Row};
use std::collections::HashMap;
use std::path::Path;

/// Findings that are told; a log with more is told by their number.
const FINDINGS_MAX: usize = 1_000;
/// Rows of one read: a read that lasted would hold up the checkpoints of a log in use.
const PAGE: usize = 4_096;

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Position of the last event that was looked at.
    pub head: Position,
    pub events: u64,
    pub streams: u64,
    /// At most [`FINDINGS_MAX`], in the order of the log.
    pub findings: Vec<Finding>,
    /// Findings that there was no room for.
    pub findings_more: u64,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Of the event; `None` for what is of the file.
    pub position: Option<Position>,
    pub what: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.position {
            Some(position) => write!(f, "position {position}: {}", self.what),
            None => write!(f, "the file: {}", self.what),
        }
    }
}

impl Checked {
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, position: Option<Position>, what: impl Into<String>) {
        if self.findings.len() < FINDINGS_MAX {
            let what = what.into();
            self.findings.push(Finding { position, what });
        } else {
            self.findings_more += 1;
        }
    }
}

/// Checks the log in `folder`: SQLite's own integrity, then for each event its place, its entry against its columns, its stream's
/// versions and chain, its time, and that this release can read it. `progress` is told the position reached and the head, page by page.
///
/// # Errors
/// [`OpenError`] when there is no log to check. What is wrong with a log is a finding.
pub fn check(
    folder: &Path,
    mut progress: impl FnMut(Position, Position),
) -> Result<Checked, OpenError> {
    let file = folder.join(FILE_NAME);
    connection::require(&file)?;
    let connection =
        connect(&file, Role::Reader).map_err(|error| connection::open_error(&file, &error))?;
    let mut checked = Checked::default();
    if let Err(error) = look(&connection, &mut checked, &mut progress) {
        let behind = checked.head;
        checked.find(
            None,
            format!("what lies behind position {behind} could not be read: {error}"),
        );
    }
    Ok(checked)
}

/// What the events so far say of a stream.
struct Stream {
    name: String,
    version: u64,
    /// Of the event that `version` is of.
    position: i64,
    /// `None` when it can't be known, because an event of it could not be read.
    hash: Option<[u8; 32]>,
}

fn look(
    connection: &Connection,
    checked: &mut Checked,
    progress: &mut impl FnMut(Position, Position),
) -> rusqlite::Result<()> {
    let head = super::reader::head(connection)?;
    let mut streams = streams(connection)?;
    checked.streams = streams.len() as u64;
    let mut recorded_at = i64::MIN;
    loop {
        let mut statement = connection.prepare_cached(
            "select position, stream, version, before, entry from events where position > ?1 and position <= ?2 order by position limit ?3",
        )?;
        let after = checked.head;
        let bounds = [after.as_u64(), head.as_u64(), PAGE as u64].map(integer);
        let mut rows = statement.query(bounds)?;
        let mut found = false;
        while let Some(row) = rows.next()? {
            found = true;
            let at = position(row.get(0)?);
            if let Some(missing) = gap(checked.head, at) {
                checked.find(Some(at), missing);
            }
            (checked.head, checked.events) = (at, checked.events + 1);
            event(row, at, &mut streams, &mut recorded_at, checked)?;
        }
        if !found {
            break;
        }
        progress(checked.head, head);
    }
    for stream in streams.values().filter(|stream| stream.version == 0) {
        checked.find(None, format!("the stream {} has no events", stream.name));
    }
    let mut ends = connection.prepare("select stream, version, position from ends")?;
    let mut rows = ends.query([])?;
    while let Some(row) = rows.next()? {
        let (id, version, at): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let Some(stream) = streams.remove(&id) else {
            // Of a log in use it may be a stream that began since.
            continue;
        };
        let same = (version.unsigned_abs(), at) == (stream.version, stream.position);
        if !same && at <= integer(head.as_u64()) {
            let what = format!(
                "the stream {} ends with version {} at position {}, and is said to end with version {version} at position {at}",
                stream.name, stream.version, stream.position
            );
            checked.find(None, what);
        }
    }
    for stream in streams.values() {
        checked.find(
            None,
            format!("the stream {} is not said to end", stream.name),
        );
    }
    let outside: i64 = connection.query_row(
        "select count(*) from events where position < 1",
        [],
        |row| row.get(0),
    )?;
    if outside > 0 {
        checked.find(
            None,
            format!("{outside} events stand before the first position"),
        );
    }
    // Last, because it can't say how far it is; and its findings are of the file, not of an event.
    let mut integrity = connection.prepare("pragma integrity_check(100)")?;
    let mut lines = integrity.query([])?;
    while let Some(line) = lines.next()? {
        let line: String = line.get(0)?;
        if line != "ok" {
            checked.find(None, line.replace('\n', " "));
        }
    }
    Ok(())
}

fn streams(connection: &Connection) -> rusqlite::Result<HashMap<i64, Stream>> {
    let mut statement = connection.prepare("select id, name from streams")?;
    let rows = statement.query_map([], |row| {
        let stream = Stream {
            name: row.get(1)?,
            version: 0,
            position: 0,
            hash: Some(NO_PREVIOUS),
        };
        Ok((row.get(0)?, stream))
    })?;
    rows.collect()
}

fn gap(last: Position, at: Position) -> Option<String> {
    let missing = at.as_u64() - last.as_u64() - 1;
    (missing > 0).then(|| format!("{missing} positions before it are missing"))
}

fn event(
    row: &Row<'_>,
    at: Position,
    streams: &mut HashMap<i64, Stream>,
    recorded_at: &mut i64,
    checked: &mut Checked,
) -> rusqlite::Result<()> {
    let (id, version): (i64, i64) = (row.get(1)?, row.get(2)?);
    let before: i64 = row.get(3)?;
    let bytes = row.get_ref(4)?.as_blob()?;
    let decoded = entry::decode(at, bytes, None);
    let mut find = |what: String| checked.find(Some(at), what);
    let Some(stream) = streams.get_mut(&id) else {
        find(format!("its stream, number {id}, has no name"));
        return Ok(());
    };
    let expected = stream.version + 1;
    if version.unsigned_abs() != expected {
        find(format!(
            "it is version {version} of {}, where version {expected} is due",
            stream.name
        ));
    }
    if before != stream.position {
        find(format!(
            "its row says that position {before} is before it in {}, which is position {}",
            stream.name, stream.position
        ));
    }
    stream.version = version.unsigned_abs();
    stream.position = integer(at.as_u64());
    match decoded {
        Err(error) => {
            find(unreadable(&error));
            stream.hash = None;
        }
        Ok(event) => {
            says(&event, stream, *recorded_at, &mut find);
            *recorded_at = event.recorded_at.0.max(*recorded_at);
            stream.hash = Some(entry::leaf_hash(bytes));
        }
    }
    Ok(())
}

fn unreadable(error: &EntryError) -> String {
    format!("its entry cannot be read: {error}")
}

/// What an entry says of itself, against what its row and the events before it say.
fn says(event: &StoredEvent, stream: &Stream, recorded_at: i64, find: &mut impl FnMut(String)) {
    if *event.stream != *stream.name {
        find(format!(
            "its entry says stream {}, its row {}",
            event.stream, stream.name
        ));
    }
    if event.version != stream.version {
        find(format!(
            "its entry says version {}, its row {}",
            event.version, stream.version
        ));
    }
    if stream.hash.is_some_and(|hash| hash != event.previous) {
        find(format!(
            "the event before it in {} is not the one that it was appended to",
            stream.name
        ));
    }
    if event.recorded_at.0 < recorded_at {
        find("it was recorded before the event ahead of it".to_owned());
    }
    if let Err(error) = codec::decode(event) {
        find(error.to_string());
    }
}
