//! What can be asked: the kinds of streams there are, how much of each the log holds, and an example to begin with.

use super::paper::{Ink, Paper};
use super::source::Pages;
use super::stream::{Kind, Name};
use super::zone::Zone;
use anyhow::Result;
use squareoff_domain::Timestamp;
use squareoff_store::{EventStore, Position, codec};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Of one kind of streams.
#[derive(Debug, Default)]
struct Count {
    streams: u64,
    events: u64,
    /// By the day of the event in the zone that is shown.
    by_day: BTreeMap<String, u64>,
    example: Option<Arc<str>>,
}

/// Streams are counted by their first events, so that no name need be remembered.
///
/// # Errors
/// When the log can't be read.
pub async fn overview(store: &EventStore, paper: &Paper) -> Result<String> {
    let mut counts: BTreeMap<Kind, Count> = BTreeMap::new();
    let (mut events, mut last) = (0_u64, None);
    let mut days = Days::new(paper.zone);
    let mut pages = Pages::behind(store.clone(), Position::START);
    while let Some(page) = pages.next().await? {
        for stored in &page {
            codec::check(stored)?;
            events += 1;
            let count = counts.entry(Name::of(&stored.stream).kind).or_default();
            count.streams += u64::from(stored.version == 1);
            count.events += 1;
            let day = days.of(stored.occurred_at);
            match count.by_day.get_mut(day) {
                Some(events) => *events += 1,
                None => drop(count.by_day.insert(day.to_owned(), 1)),
            }
            if stored.version > 1 || count.example.is_none() {
                count.example = Some(stored.stream.clone());
            }
        }
        last = page
            .last()
            .map(|last| (last.position, last.occurred_at))
            .or(last);
    }
    let Some((position, at)) = last else {
        return Ok("the log is empty: `squareoff up` starts everything, `squareoff book import` records a book\n".to_owned());
    };
    let day = paper.zone.day(at);
    let mut text = paper.paragraph(
        0,
        "",
        &[format!(
            "The log holds {}, the last at position {position} of {}.",
            plural(events, "event"),
            paper.zone.show(at)
        )],
    );
    text.push('\n');
    text.push_str(&table(&counts, &day, paper));
    text.push('\n');
    text.push_str(&examples(&counts, &day, paper));
    Ok(text)
}

fn plural(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// `audit-checkpoints` is the longest kind.
const KIND_WIDTH: usize = 17;

fn table(counts: &BTreeMap<Kind, Count>, day: &str, paper: &Paper) -> String {
    let heads = ["streams of", "streams", "events", day];
    let rows: Vec<[String; 4]> = counts
        .iter()
        .map(|(kind, count)| {
            let of_day = count.by_day.get(day).copied().unwrap_or(0);
            [
                kind.as_str().to_owned(),
                count.streams.to_string(),
                count.events.to_string(),
                of_day.to_string(),
            ]
        })
        .collect();
    let mut text = format!(
        "  {}\n",
        paper.ink(
            Ink::Faint,
            &format!(
                "{:<KIND_WIDTH$}{:>10}{:>12}{:>12}",
                heads[0], heads[1], heads[2], heads[3]
            )
        )
    );
    for [kind, streams, events, of_day] in rows {
        text.push_str(&format!(
            "  {kind:<KIND_WIDTH$}{streams:>10}{events:>12}{of_day:>12}\n"
        ));
    }
    text
}

/// Questions that have an answer in this log.
fn examples(counts: &BTreeMap<Kind, Count>, day: &str, paper: &Paper) -> String {
    let mut asks = Vec::new();
    let example = |kind| {
        counts
            .get(&kind)
            .and_then(|count: &Count| count.example.clone())
    };
    if let Some(stream) = example(Kind::Position) {
        asks.push((
            format!("squareoff replay {stream} --table"),
            "a position's day",
        ));
        asks.push((
            format!("squareoff replay {stream} --state"),
            "what it came to",
        ));
        if let Some(client) = Name::of(&stream).client {
            let day = Name::of(&stream).date.unwrap_or(day);
            asks.push((
                format!("squareoff replay --client {client} --date {day}"),
                "a client's day",
            ));
        }
    }
    if example(Kind::Platform).is_some() {
        asks.push((
            "squareoff replay platform".to_owned(),
            "who switched what, and why",
        ));
    }
    if example(Kind::Refusals).is_some() {
        asks.push((
            "squareoff replay --kind refusal".to_owned(),
            "what was asked in vain",
        ));
    }
    asks.push((
        "squareoff replay --follow".to_owned(),
        "all of it, as it happens",
    ));
    asks.push(("squareoff replay --help".to_owned(), "every filter"));
    let mut text = String::new();
    for (ask, what) in asks {
        text.push_str(&paper.line(
            4,
            &[
                (Ink::Heading, format!("  {ask}")),
                (Ink::Faint, what.to_owned()),
            ],
        ));
        text.push('\n');
    }
    text
}

/// Days of instants; a log's events are mostly of the day of the one before.
struct Days {
    zone: Zone,
    known: Option<(i64, String)>,
}

impl Days {
    const HOUR_NS: i64 = 3_600_000_000_000;

    fn new(zone: Zone) -> Days {
        Days { zone, known: None }
    }

    fn of(&mut self, at: Timestamp) -> &str {
        // Zones differ by quarters of an hour, so no day ends within one.
        let quarter = at.0.div_euclid(Days::HOUR_NS / 4);
        let day = match self.known.take() {
            Some((known, day)) if known == quarter => day,
            Some(_) | None => self.zone.day(at),
        };
        &self.known.insert((quarter, day)).1
    }
}
