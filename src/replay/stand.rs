//! The state of a stream, as it is or as it was: at a version, at a position of the log, or at a time.

use super::folds::evolved;
use super::paper::{Ink, Paper, printable};
use super::sheet::{Figure, Focus, List, Row, Sheet, State, field};
use super::zone::{Instant, Zone};
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value as Json, json};
use squareoff_domain::Timestamp;
use squareoff_store::{EventStore, Position, codec};
use unicode_width::UnicodeWidthStr;

/// Events of one read.
const PAGE: usize = 1_000;
/// Lines of one list on a terminal; a bulk of a whole book has 150,000. JSON has them all.
const LINES_MAX: usize = 200;
/// The narrowest that a column of figures can be.
const FIGURE_MIN: usize = 24;
/// The widest that a cell of a list gets.
const CELL_MAX: usize = 48;

/// Which state of a stream is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Now,
    Version(u64),
    /// Behind the last event at or before this position, or recorded at or before this time.
    Instant(Instant),
}

/// A stream's state, and the event it is behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    pub stream: String,
    pub state: State,
    pub version: u64,
    pub position: Position,
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
}

impl Stand {
    /// Reads the stream as far as is needed.
    ///
    /// # Errors
    /// When the stream had no event then, or not as many; or it can't be read.
    pub async fn read(store: &EventStore, stream: &str, at: At, zone: Zone) -> Result<Stand> {
        let last = match at {
            At::Now => u64::MAX,
            At::Version(version) => version,
            At::Instant(instant) => last_version(store, stream, instant, zone).await?,
        };
        let mut stand: Option<Stand> = None;
        loop {
            let known = stand.as_ref().map_or(0, |stand| stand.version);
            let page = store.read_stream(stream, known + 1, PAGE).await?;
            let mut more = false;
            for stored in page.iter().take_while(|stored| stored.version <= last) {
                let event = codec::decode(stored)?;
                let before = stand
                    .take()
                    .map_or_else(|| State::before(&event), |stand| stand.state);
                stand = Some(Stand {
                    stream: stream.to_owned(),
                    state: evolved(before, stored, &event)?,
                    version: stored.version,
                    position: stored.position,
                    occurred_at: stored.occurred_at,
                    recorded_at: stored.recorded_at,
                });
                more = true;
            }
            if !more {
                break;
            }
        }
        let stand = stand.with_context(|| format!("{stream} begins with version 1"))?;
        if let At::Version(version) = at
            && stand.version < version
        {
            bail!(
                "{stream} has no version {version}: its last is {}",
                stand.version
            );
        }
        Ok(stand)
    }

    /// One object; see docs/AUDIT.md for its shape.
    pub fn json(&self) -> Json {
        let sheet = self.state.sheet(Focus::All);
        let figures = |figures: &[Figure]| -> Map<String, Json> {
            figures
                .iter()
                .map(|(name, value)| (field(name), value.json()))
                .collect()
        };
        let mut state = figures(&sheet.figures);
        for list in &sheet.lists {
            let row = |row: &Row| {
                let mut cells = figures(&row.cells);
                cells.insert("key".to_owned(), Json::from(row.key.as_str()));
                Json::from(cells)
            };
            state.insert(list.name.to_owned(), list.rows.iter().map(row).collect());
        }
        json!({
            "stream": self.stream,
            "kind": self.state.kind(),
            "version": self.version,
            "position": self.position.to_string(),
            "occurred_at": Zone::UTC.rfc3339(self.occurred_at),
            "recorded_at": Zone::UTC.rfc3339(self.recorded_at),
            "state": state,
        })
    }

    /// For a terminal: the figures below each other, then each list as a table.
    pub fn text(&self, paper: &Paper) -> String {
        let sheet = self.state.sheet(Focus::All);
        let mut text = format!(
            "{}\n",
            paper.line(2, &[(Ink::Heading, self.stream.clone())])
        );
        let behind = format!(
            "behind version {}, position {}, of {}",
            self.version,
            self.position,
            paper.zone.show(self.occurred_at)
        );
        text.push_str(&paper.paragraph(2, "", &[behind]));
        text.push_str(&figures(&sheet, paper));
        for list in sheet.lists.iter().filter(|list| !list.rows.is_empty()) {
            text.push('\n');
            text.push_str(&table(list, paper));
        }
        text
    }
}

/// Of the stream's events at or before the instant the last one.
async fn last_version(
    store: &EventStore,
    stream: &str,
    instant: Instant,
    zone: Zone,
) -> Result<u64> {
    let (mut last, mut read, mut first) = (0, 0, None);
    loop {
        let page = store.read_stream(stream, read + 1, PAGE).await?;
        let Some(end) = page.last() else { break };
        read = end.version;
        first = first.or_else(|| {
            page.first()
                .map(|first| (first.position, first.recorded_at))
        });
        let there = page.iter().rfind(|stored| match instant {
            Instant::Position(position) => stored.position.as_u64() <= position,
            Instant::Time(time) => stored.recorded_at <= time,
        });
        last = there.map_or(last, |stored| stored.version);
    }
    match (last, first) {
        (0, Some((position, recorded_at))) => bail!(
            "{stream} was not there yet: its first event has position {position} and was recorded {}",
            zone.show(recorded_at)
        ),
        (last, _) => Ok(last),
    }
}

fn figures(sheet: &Sheet, paper: &Paper) -> String {
    let said = || {
        sheet.figures.iter().filter(|(_, value)| {
            !value.is_blank() || matches!(value, super::value::Value::Number(_))
        })
    };
    let widest = said().map(|(name, _)| name.width()).max().unwrap_or(0);
    // Values stand under each other where that leaves room for them.
    let aligned = paper.room(widest) > FIGURE_MIN;
    said()
        .map(|(name, value)| {
            let (label, value) = (format!("{name:<widest$}  "), value.shown(paper.zone));
            if aligned {
                paper.paragraph(2, &label, &[value])
            } else {
                paper.paragraph(2, "", &[format!("{name} {value}")])
            }
        })
        .collect()
}

/// Columns that are nothing in every line are left out; where the rest is too wide, each line becomes a paragraph.
fn table(list: &List, paper: &Paper) -> String {
    let shown: Vec<&Row> = list.rows.iter().take(LINES_MAX).collect();
    let names: Vec<&str> = list.rows[0].cells.iter().map(|(name, _)| *name).collect();
    let said = |place: usize| shown.iter().any(|row| !row.cells[place].1.is_blank());
    let columns: Vec<usize> = (0..names.len()).filter(|place| said(*place)).collect();
    let cell = |row: &Row, place: usize| printable(&row.cells[place].1.shown(paper.zone));
    let mut widths = vec![
        shown
            .iter()
            .map(|row| printable(&row.label).width())
            .max()
            .unwrap_or(0),
    ];
    for place in &columns {
        let widest = shown
            .iter()
            .map(|row| cell(row, *place).width())
            .max()
            .unwrap_or(0);
        widths.push(widest.max(names[*place].width()));
    }
    let wide: usize = widths.iter().map(|width| width + 2).sum();
    let fits = wide <= paper.room(0) && widths.iter().all(|width| *width <= CELL_MAX);
    let mut text = String::new();
    if fits || paper.width.is_none() {
        let mut line = |cells: Vec<String>, ink: Ink| {
            let padded: Vec<_> = cells
                .iter()
                .zip(&widths)
                .map(|(cell, width)| {
                    format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width())))
                })
                .collect();
            text.push_str(&format!(
                "  {}\n",
                paper.ink(ink, padded.join("  ").trim_end())
            ));
        };
        let heads = columns.iter().map(|place| names[*place].to_owned());
        line(
            std::iter::once(list.name.replace('_', "-"))
                .chain(heads)
                .collect(),
            Ink::Faint,
        );
        for row in &shown {
            let cells = columns.iter().map(|place| cell(row, *place));
            line(
                std::iter::once(printable(&row.label))
                    .chain(cells)
                    .collect(),
                Ink::Plain,
            );
        }
    } else {
        for row in &shown {
            let said = |place: &usize| format!("{} {}", names[*place], cell(row, *place));
            let mut parts: Vec<_> = columns
                .iter()
                .filter(|place| !row.cells[**place].1.is_blank())
                .map(|place| format!("{},", said(place)))
                .collect();
            if let Some(last) = parts.last_mut() {
                last.pop();
            }
            text.push_str(&paper.line(2, &[(Ink::Heading, format!("  {}", row.label))]));
            text.push('\n');
            text.push_str(&paper.paragraph(4, "", &parts));
        }
    }
    if list.rows.len() > shown.len() {
        let more = list.rows.len() - shown.len();
        text.push_str(&format!(
            "  and {more} more {}: --json has them all\n",
            list.name
        ));
    }
    text
}
