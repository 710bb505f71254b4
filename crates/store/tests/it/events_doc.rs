//! docs/EVENTS.md, for auditors: every event with its version, stream, meaning, fields and an example, made from the sources and the
//! stored samples. `UPDATE=1` writes it; otherwise it has to be what would be written.

mod page;
mod source;

use crate::stored_events::samples;
use page::{meaning, page};
use serde_json::Value;
use source::{Declared, Form};
use squareoff_store::codec::EVENT_TYPES;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Types = BTreeMap<String, Declared>;

#[test]
fn the_page_of_events_is_what_sources_and_samples_say() {
    let path = root().join("docs/EVENTS.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let first = written
        .lines()
        .zip(page.lines())
        .find(|(is, should)| is != should);
    assert!(
        written == page,
        "docs/EVENTS.md is not of today: `make events-doc` writes it. First difference: {first:?}"
    );
}

#[test]
fn every_field_and_event_says_what_it_means() {
    let types = types();
    let mut silent = vec![];
    for (name, declared) in stored(&types) {
        if declared.doc.is_empty() {
            silent.push(name.clone());
        }
        if let Form::Fields(parts) = &declared.form {
            let unnamed = parts
                .iter()
                .filter(|part| !part.name.is_empty() && meaning(part, &types).is_empty());
            silent.extend(unnamed.map(|part| format!("{name}.{}", part.name)));
        }
    }
    assert!(silent.is_empty(), "without a doc comment: {silent:#?}");
}

/// An enum's value that is in no sample could be renamed without a test's notice.
#[test]
fn every_value_of_every_enum_is_in_a_sample() {
    fn words(value: &Value, of: &mut BTreeSet<String>) {
        match value {
            Value::String(text) => drop(of.insert(text.clone())),
            Value::Array(values) => values.iter().for_each(|value| words(value, of)),
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                of.insert(name.clone());
                words(value, of);
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut said = BTreeSet::new();
    samples()
        .iter()
        .for_each(|sample| words(&sample.body(), &mut said));
    let mut unsaid = vec![];
    for (name, declared) in stored(&types()) {
        if let Form::OneOf(values) = &declared.form {
            let missing = values.iter().filter(|(value, _)| !said.contains(value));
            unsaid.extend(missing.map(|(value, _)| format!("{name} {value}")));
        }
    }
    assert!(unsaid.is_empty(), "in no sample: {unsaid:?}");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn types() -> Types {
    source::declared(&root().join("crates/domain/src"))
}

/// Every type that a body is made of, events first.
fn stored(types: &Types) -> Vec<(&String, &Declared)> {
    let mut waiting: Vec<String> = EVENT_TYPES
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let mut found = BTreeMap::new();
    while let Some(name) = waiting.pop() {
        let Some((name, declared)) = types.get_key_value(&name) else {
            continue;
        };
        if found.insert(name, declared).is_some() {
            continue;
        }
        let mut parts = |form: &Form| match form {
            Form::Fields(parts) => parts
                .iter()
                .for_each(|part| waiting.extend(names(&part.of))),
            Form::Like(of) => waiting.extend(names(of)),
            Form::OneOf(_) => {}
        };
        parts(&declared.form);
        if let Form::OneOf(values) = &declared.form {
            values.iter().for_each(|(_, value)| parts(&value.form));
        }
    }
    found.into_iter().collect()
}

fn names(of: &str) -> Vec<String> {
    of.split(['<', '>', '(', ')', ','])
        .map(str::to_owned)
        .collect()
}
