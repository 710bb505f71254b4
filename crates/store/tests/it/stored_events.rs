//! Stored events are a contract: a sample of every version that was ever written lies in `crates/domain/tests/stored_events/`.
//!
//! | file | what it holds |
//! |---|---|
//! | `<Type>.v<n>.json` | an event of schema version n, with every field set |
//! | `<Type>.v<n>.<name>.json` | another one: a field left out, another value of an enum |
//! | `<Type>.v<n>.before-<field>.json` | one from before the field was added to version n |
//!
//! 1. Each type and version has its sample, and there is no sample without a type.
//! 2. Each sample is read, and what is read is written as the sample of today's version is: nothing renamed, retyped or dropped.
//! 3. A sample is never changed. `UPDATE=1` writes one that is missing, made of an older one of its type, for a person to look at.

use serde_json::Value;
use squareoff_domain::Timestamp;
use squareoff_store::codec::{self, EVENT_TYPES};
use squareoff_store::{Position, StoredEvent};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use uuid::Uuid;

/// One file of the folder.
pub struct Sample {
    pub event_type: String,
    pub version: u16,
    /// What it shows beside the version; empty for the main one.
    pub name: String,
    pub text: String,
}

impl Sample {
    pub fn file(&self) -> String {
        let Sample {
            event_type,
            version,
            name,
            ..
        } = self;
        let dot = if name.is_empty() { "" } else { "." };
        format!("{event_type}.v{version}{dot}{name}.json")
    }

    pub fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.file()))
    }

    fn body_today(&self) -> Value {
        serde_json::from_str(&self.written_today().2).unwrap()
    }

    /// Of today's version and with today's fields: written again it is the same.
    pub fn is_of_today(&self) -> bool {
        EVENT_TYPES.contains(&(&self.event_type, self.version)) && !self.name.starts_with("before-")
    }

    fn stored(&self) -> StoredEvent {
        StoredEvent {
            position: Position::from_u64(1),
            stream: "sample".into(),
            version: 1,
            recorded_at: Timestamp(0),
            id: Uuid::nil(),
            event_type: self.event_type.as_str().into(),
            schema_version: self.version,
            occurred_at: Timestamp(0),
            actor: "sample".into(),
            request_id: Uuid::nil(),
            correlation_id: Uuid::nil(),
            trace_id: None,
            epoch: 1,
            previous: squareoff_store::NO_PREVIOUS,
            body: self.text.clone().into(),
        }
    }

    /// Type, version and body as they are written today.
    pub fn written_today(&self) -> (String, u16, String) {
        let event = codec::decode(&self.stored());
        let event = event.unwrap_or_else(|error| panic!("{}: {error}", self.file()));
        let encoded = codec::encode(&event);
        let body = String::from_utf8(encoded.body).unwrap();
        (encoded.event_type.into(), encoded.schema_version, body)
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../domain/tests/stored_events")
}

/// Makes the samples of today's versions that are missing, where an older one of the type is there to make it of.
fn make_missing() {
    let samples = samples();
    for (event_type, version) in EVENT_TYPES {
        let of_type = |sample: &&Sample| sample.event_type == *event_type;
        let today = |sample: &Sample| sample.is_of_today() && sample.name.is_empty();
        if samples.iter().filter(of_type).any(today) {
            continue;
        }
        if let Some(older) = samples.iter().rfind(of_type) {
            let made = serde_json::to_string_pretty(&older.body_today()).unwrap();
            let path = folder().join(format!("{event_type}.v{version}.json"));
            // Never over a sample that is there.
            let mut file = fs::File::create_new(path).unwrap();
            file.write_all(format!("{made}\n").as_bytes()).unwrap();
        }
    }
}

/// Every sample, by file name.
pub fn samples() -> Vec<Sample> {
    let files = fs::read_dir(folder()).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let sample = |path: &PathBuf| {
        let file = path.file_name().unwrap().to_str().unwrap();
        let parts: Vec<_> = file.split('.').collect();
        let (event_type, version, name) = match parts[..] {
            [event_type, version, "json"] => (event_type, version, ""),
            [event_type, version, name, "json"] => (event_type, version, name),
            _ => panic!("{file} is not named as a sample is"),
        };
        let version = version.strip_prefix('v').and_then(|n| n.parse().ok());
        Sample {
            event_type: event_type.into(),
            version: version.unwrap_or_else(|| panic!("{file} names no version")),
            name: name.into(),
            text: fs::read_to_string(path).unwrap(),
        }
    };
    paths.iter().map(sample).collect()
}

#[test]
fn every_version_of_every_event_has_a_sample_and_every_sample_an_event() {
    let ever: BTreeSet<_> = EVENT_TYPES
        .iter()
        .copied()
        .chain(codec::older_versions())
        .map(|(name, version)| (name.to_owned(), version))
        .collect();
    if std::env::var_os("UPDATE").is_some() {
        make_missing();
    }
    let samples = samples();
    let main = samples.iter().filter(|sample| sample.name.is_empty());
    let kept: BTreeSet<_> = main
        .map(|one| (one.event_type.clone(), one.version))
        .collect();
    let missing: Vec<_> = ever.difference(&kept).collect();
    assert!(
        missing.is_empty(),
        "no sample of {missing:?}: write it, or let UPDATE=1 make it of an older one"
    );
    for sample in &samples {
        let of = (sample.event_type.clone(), sample.version);
        assert!(ever.contains(&of), "{} is of no event", sample.file());
    }
}

#[test]
fn every_sample_is_read_and_written_again_as_it_was() {
    for sample in samples() {
        let (event_type, version, _) = sample.written_today();
        let body = sample.body_today();
        assert_eq!(event_type, sample.event_type);
        assert!(EVENT_TYPES.contains(&(&event_type, version)));
        if sample.is_of_today() {
            assert_eq!(
                body,
                sample.body(),
                "{} is not written as it was. A field was added? Then keep this sample as `{event_type}.v{version}.before-<field>.json` \
                 and write a new one with it. Anything else breaks every log that holds such an event",
                sample.file()
            );
        } else {
            assert_ne!(body, sample.body(), "{} is of today", sample.file());
        }
    }
}

/// What an older shape says is in today's: only fields are added.
#[test]
fn what_was_written_before_a_field_was_added_keeps_all_it_said() {
    fn within(old: &Value, new: &Value) -> bool {
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => old
                .iter()
                .all(|(name, old)| new.get(name).is_some_and(|new| within(old, new))),
            _ => old == new,
        }
    }
    for sample in samples().iter().filter(|sample| !sample.is_of_today()) {
        let body = sample.body_today();
        assert!(within(&sample.body(), &body), "{}: {body}", sample.file());
        if let Some(field) = sample.name.strip_prefix("before-") {
            assert!(
                !sample.text.contains(&format!("\"{field}\"")),
                "{}",
                sample.file()
            );
        }
    }
}

/// A field that is null in every sample could be retyped without a test's notice.
#[test]
fn every_field_is_set_in_a_sample_of_its_event() {
    fn fields(path: &str, value: &Value, set: &mut BTreeMap<String, bool>) {
        *set.entry(path.to_owned()).or_default() |= !value.is_null();
        match value {
            Value::Object(of) => of
                .iter()
                .for_each(|(name, value)| fields(&format!("{path}.{name}"), value, set)),
            Value::Array(of) => of.iter().for_each(|value| fields(path, value, set)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut set = BTreeMap::new();
    for sample in samples().iter().filter(|sample| sample.is_of_today()) {
        fields(&sample.event_type, &sample.body(), &mut set);
    }
    let never: Vec<_> = set.iter().filter(|(_, set)| !**set).collect();
    assert!(never.is_empty(), "null in every sample: {never:?}");
}
