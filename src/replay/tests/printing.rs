//! What is printed, against files: `UPDATE=1` writes them anew, for a person to look at.

use super::story::{Day, STREAM, samples};
use crate::replay::folds::Folds;
use crate::replay::paper::Paper;
use crate::replay::sheet::State;
use crate::replay::stand::Stand;
use crate::replay::story::Story;
use crate::replay::table::{Line, Table};
use crate::replay::told::Told;
use crate::replay::zone::Zone;
use squareoff_store::{EventStore, StoredEvent, codec};
use std::fs;
use std::path::PathBuf;
use unicode_width::UnicodeWidthStr;

fn paper(width: usize) -> Paper {
    Paper {
        width: Some(width),
        colour: false,
        zone: Zone::IST,
    }
}

fn expect(file: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("src/replay/tests/expected")
        .join(file);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{file}: UPDATE=1 writes it anew");
}

/// Calls `print` with each event of the day and what it did.
async fn each(events: &[StoredEvent], mut print: impl FnMut(&Told)) {
    let folder = tempfile::tempdir().unwrap();
    let mut folds = Folds::new(EventStore::open(folder.path()).unwrap());
    for stored in events {
        let event = codec::decode(stored).unwrap();
        let effect = folds.effect(stored, &event).await.unwrap();
        print(&Told::of(stored, &event, effect));
    }
}

async fn story(events: &[StoredEvent], paper: Paper) -> String {
    let (mut story, mut text) = (Story::new(paper), String::new());
    each(events, |told| text.push_str(&story.told(told))).await;
    text
}

async fn table(paper: Paper) -> String {
    let (mut lines, mut events) = (vec![], Day::whole().events);
    events.retain(|stored| &*stored.stream == STREAM);
    each(&events, |told| lines.push(Line::of(told, &paper))).await;
    Table::new(paper).lines(STREAM, &lines)
}

#[tokio::test]
async fn the_day_as_a_story() {
    expect("story.txt", &story(&Day::whole().events, paper(100)).await);
}

#[tokio::test]
async fn a_positions_day_as_a_table_on_wide_and_narrow_terminals() {
    for width in [160, 100, 60] {
        expect(&format!("table-{width}.txt"), &table(paper(width)).await);
    }
    let endless = table(Paper {
        width: None,
        ..paper(0)
    })
    .await;
    let lines = endless.lines().count();
    let events = Day::whole().events;
    let of_position = events
        .iter()
        .filter(|stored| &*stored.stream == STREAM)
        .count();
    assert_eq!(
        lines,
        of_position + 3,
        "one line each where nothing need be broken: {endless}"
    );
}

#[tokio::test]
async fn no_line_is_wider_than_the_terminal() {
    let events = Day::whole().events;
    for width in [32, 40, 57, 80, 133] {
        for text in [
            story(&events, paper(width)).await,
            table(paper(width)).await,
        ] {
            let widest = text.lines().map(UnicodeWidthStr::width).max().unwrap();
            assert!(widest <= width, "{width}: {text}");
        }
    }
}

#[tokio::test]
async fn the_states_of_the_days_streams() {
    let events = Day::whole().events;
    let mut streams: Vec<_> = events.iter().map(|stored| stored.stream.clone()).collect();
    streams.sort();
    streams.dedup();
    let mut text = String::new();
    for stream in streams {
        let mut stand: Option<Stand> = None;
        for stored in events.iter().filter(|stored| stored.stream == stream) {
            let event = codec::decode(stored).unwrap();
            let before = stand.map_or_else(|| State::before(&event), |stand| stand.state);
            stand = Some(Stand {
                stream: stream.to_string(),
                state: before.evolve(&event).unwrap(),
                version: stored.version,
                position: stored.position,
                occurred_at: stored.occurred_at,
                recorded_at: stored.recorded_at,
            });
        }
        let stand = stand.unwrap();
        for width in [32, 60] {
            let narrow = stand.text(&paper(width));
            let widest = narrow.lines().map(UnicodeWidthStr::width).max().unwrap();
            assert!(widest <= width, "{width}: {narrow}");
        }
        text.push_str(&format!(
            "{}{:#}\n\n",
            stand.text(&paper(120)),
            stand.json()
        ));
    }
    expect("states.txt", &text);
}

/// Every event that was ever stored: in words, as JSON and, of a position, as a line of a table.
#[tokio::test]
async fn every_stored_event_is_told_with_who_when_and_why() {
    let mut files: Vec<_> = fs::read_dir(samples())
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let mut types = std::collections::BTreeSet::new();
    for path in files {
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut day = Day::empty();
        day.sample("asha.rao", "sample", &file);
        let text = story(&day.events, paper(80)).await;
        for part in [
            "2026-11-20 14:05:07.123 IST",
            "asha.rao",
            "why      asha.rao",
            "#1",
        ] {
            assert!(text.contains(part), "{file} without {part}: {text}");
        }
        let stored = &day.events[0];
        each(&day.events, |told| {
            drop(Line::of(told, &paper(80)));
            let line = told.json().unwrap();
            assert!(!line.contains(&b'\n'), "{file}: one line");
            let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
            let body: serde_json::Value = serde_json::from_slice(&stored.body).unwrap();
            assert_eq!(json["data"], body, "{file}");
            assert_eq!(json["type"], &*stored.event_type);
            assert_eq!(json["actor"], "asha.rao");
            assert_eq!(json["occurred_at"], "2026-11-20T08:35:07.123Z");
            assert_ne!(json["words"], "");
            for change in json["changes"].as_array().unwrap() {
                assert_ne!(change["before"], change["after"], "{file}: {change}");
            }
        })
        .await;
        types.insert(stored.event_type.clone());
    }
    let known = codec::EVENT_TYPES
        .iter()
        .filter(|(name, _)| types.contains(*name))
        .count();
    assert_eq!(known, codec::EVENT_TYPES.len(), "a sample of every type");
}

#[tokio::test]
async fn the_shape_of_a_line_of_json() {
    let mut events = Day::whole().events;
    events.retain(|stored| &*stored.stream == STREAM);
    let mut text = String::new();
    each(&events, |told| {
        let json: serde_json::Value = serde_json::from_slice(&told.json().unwrap()).unwrap();
        if json["type"] == "Executed" {
            text = format!("{json:#}\n");
        }
    })
    .await;
    expect("executed.json", &text);
}
