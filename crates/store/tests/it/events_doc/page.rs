//! The page itself, part by part.

use super::source::{self, Declared, Form, Part};
use super::{Types, root, stored, types};
use crate::stored_events::{Sample, samples};
use serde_json::value::RawValue;
use squareoff_store::codec::{self, EVENT_TYPES};

const INTRODUCTION: &str = "\
# Events

Every event that the log can hold. Made by `make events-doc` from the doc comments of `crates/domain` and the samples in
`crates/domain/tests/stored_events/`; a test fails when it is not what those say. `squareoff replay` prints a log's events.

Events are a contract: an event once written is never changed, a field is added but never renamed or retyped, and a changed meaning is a
new event. Every version that was ever written is read for ever.
";

/// What a field means wherever its own comment does not say more: said once here, not at sixty fields.
const COMMON: &[(&str, &str)] = &[
    ("activated_by", "The person who activated."),
    ("approved_by", "The second person, who approved."),
    ("by", "The person: the actor of the envelope."),
    (
        "epoch",
        "The activation of the platform that it belongs to.",
    ),
    (
        "proposed_by",
        "The person who proposed: the actor of the envelope.",
    ),
    (
        "reason",
        "Why, in the words of the person or the program that says so.",
    ),
    ("requested_by", "The person who asked."),
    (
        "source",
        "Who or what told it: a file's or feed's version, a session.",
    ),
    ("text", "The venue's own words: Text (FIX tag 58)."),
];

const CHANGED: &str = "\
## How a changed event is read

1. **A field is added** to the same version. Older events are without it, and it is read as absent, or as the value its type names as the
   default. These stored shapes are read beside today's:

";

const UPCAST: &str = "
2. **A new version**, where an absent field would say too little. What an older version wrote is raised to the next one before it is read,
   step by step (`UPCASTS` in `crates/store/src/codec.rs`). The log keeps the bytes that were written.

";

const NEWER: &str = "
3. **Written by a newer release**: an unknown type, or a version above the one in this page. Whoever reads the log stops there with a
   sentence such as `the log holds OrderPlaced v2 at position 4711; this release knows v1`. Nothing is skipped, because what such an
   event changes is unknown.
";

pub fn page() -> String {
    let (types, samples) = (types(), samples());
    let mut page = INTRODUCTION.to_owned();
    page += "\n## Contents\n\n| stream | events |\n|---|---|\n";
    for (name, stream, events) in aggregates(&types) {
        page += &format!(
            "| [{name}](#stream-{}): `{stream}` | {} |\n",
            anchor(name),
            links(&events)
        );
    }
    page += &envelope();
    for (name, stream, events) in aggregates(&types) {
        page += &format!("\n## Stream {name}\n\n`{stream}`\n");
        for event in events {
            page += &self::event(event, &types, &samples);
        }
    }
    page += &format!(
        "\n{CHANGED}{}{UPCAST}{}{NEWER}",
        added(&samples),
        raised(&samples)
    );
    page + &vocabulary(&types)
}

/// The aggregates' event enums in the order of the page, each with the stream its doc comment names.
fn aggregates(types: &Types) -> Vec<(&str, &str, Vec<&str>)> {
    let Form::OneOf(aggregates) = &types["Event"].form else {
        panic!("Event is an enum")
    };
    let mut aggregates: Vec<_> = aggregates
        .iter()
        .map(|(name, of)| (name.as_str(), &types[name_of(of)]))
        .collect();
    aggregates.sort_by_key(|(name, _)| (*name != "Position", *name != "Platform", *name));
    let listed = aggregates.into_iter().map(|(name, events)| {
        let stream = events.doc.split('`').nth(1);
        let Form::OneOf(events) = &events.form else {
            panic!("{name} has an enum of events")
        };
        let events = events.iter().map(|(event, _)| event.as_str()).collect();
        (
            name,
            stream.unwrap_or_else(|| panic!("{name} names its stream")),
            events,
        )
    });
    listed.collect()
}

fn name_of(of: &Declared) -> &str {
    match &of.form {
        Form::Like(name) => name,
        Form::Fields(_) | Form::OneOf(_) => panic!("a variant that holds one type"),
    }
}

fn anchor(name: &str) -> String {
    name.to_lowercase()
}

fn links(events: &[&str]) -> String {
    let links: Vec<_> = events
        .iter()
        .map(|event| format!("[{event}](#{})", anchor(event)))
        .collect();
    links.join(", ")
}

fn envelope() -> String {
    let types = source::declared_in(&root().join("crates/store/src/event.rs"));
    let fields = |name: &str| match &types[name].form {
        Form::Fields(parts) => parts.clone(),
        Form::Like(_) | Form::OneOf(_) => panic!("{name} is a struct"),
    };
    let new = fields("NewEvent");
    let mut text = String::from(
        "\n## The envelope\n\nWhat the log keeps of every event beside its body.\n\n| field | meaning |\n|---|---|\n",
    );
    for part in fields("StoredEvent")
        .iter()
        .filter(|part| part.name != "body")
    {
        let told = new.iter().find(|one| one.name == part.name);
        let doc = if part.doc.is_empty() {
            told.map_or("", |told| &told.doc)
        } else {
            &part.doc
        };
        assert!(
            !doc.is_empty(),
            "the envelope's {} has no doc comment",
            part.name
        );
        text += &format!("| `{}` | {doc} |\n", part.name);
    }
    text
}

fn event(name: &str, types: &Types, samples: &[Sample]) -> String {
    let (_, version) = EVENT_TYPES
        .iter()
        .find(|(event, _)| *event == name)
        .unwrap();
    let declared = &types[name];
    let mut text = format!("\n### {name}\n\nVersion {version}. {}\n\n", declared.doc);
    text += &fields(&declared.form, types);
    let main = |sample: &&Sample| {
        sample.event_type == name && sample.version == *version && sample.name.is_empty()
    };
    let sample = samples
        .iter()
        .find(main)
        .unwrap_or_else(|| panic!("{name} has a sample"));
    text + &format!("\n```json\n{}\n```\n", lines(&sample.text))
}

fn fields(form: &Form, types: &Types) -> String {
    let parts = match form {
        Form::Fields(parts) => parts,
        Form::Like(_) | Form::OneOf(_) => panic!("an object"),
    };
    let mut text = String::from("| field | type | meaning |\n|---|---|---|\n");
    for part in parts {
        let added = if part.added {
            " Absent in events from before it was added."
        } else {
            ""
        };
        text += &format!(
            "| `{}` | {} | {}{added} |\n",
            part.name,
            in_words(&part.of),
            meaning(part, types)
        );
    }
    text
}

/// What the field's own comment says, or what it commonly means, or its type's first sentence.
pub fn meaning(part: &Part, types: &Types) -> String {
    if !part.doc.is_empty() {
        return part.doc.replace('|', "\\|");
    }
    if let Some((_, common)) = COMMON.iter().find(|(name, _)| *name == part.name) {
        return (*common).to_owned();
    }
    let inner = part.of.trim_start_matches("Option<").trim_end_matches('>');
    types
        .get(inner)
        .map(|of| first_sentence(&of.doc).replace('|', "\\|"))
        .unwrap_or_default()
}

fn first_sentence(doc: &str) -> &str {
    doc.split_inclusive(". ")
        .next()
        .unwrap_or_default()
        .trim_end()
}

/// A Rust type as JSON has it.
fn in_words(of: &str) -> String {
    if let Some(inner) = of
        .strip_prefix("Option<")
        .and_then(|of| of.strip_suffix('>'))
    {
        return format!("{} or null", in_words(inner));
    }
    if let Some(inner) = of.strip_prefix("Vec<").and_then(|of| of.strip_suffix('>')) {
        return format!("list of {}", in_words(inner));
    }
    if let Some(inner) = of.strip_prefix('(').and_then(|of| of.strip_suffix(')')) {
        let parts: Vec<_> = inner
            .split(',')
            .filter(|part| !part.is_empty())
            .map(in_words)
            .collect();
        return format!("pair \\[{}\\]", parts.join(", "));
    }
    match of {
        "String" => "text".into(),
        "bool" => "true or false".into(),
        "Uuid" => "UUID".into(),
        "u16" | "u32" | "u64" => "whole number, 0 or more".into(),
        "i64" => "whole number".into(),
        named => format!("[{named}](#{})", anchor(named)),
    }
}

/// The types that fields name, each once.
fn vocabulary(types: &Types) -> String {
    let mut text = String::from("\n## Types of fields\n");
    let is_event = |name: &str| EVENT_TYPES.iter().any(|(event, _)| *event == name);
    for (name, declared) in stored(types)
        .into_iter()
        .filter(|(name, _)| !is_event(name))
    {
        text += &format!("\n### {name}\n\n{}\n\n", declared.doc);
        match &declared.form {
            Form::Like(of) => text += &format!("Written as {}.\n", in_words(of)),
            Form::Fields(_) => text += &fields(&declared.form, types),
            Form::OneOf(values) => text += &one_of(values),
        }
    }
    text
}

fn one_of(values: &[(String, Declared)]) -> String {
    let mut text = String::from("| value | meaning |\n|---|---|\n");
    for (value, declared) in values {
        let holds = match &declared.form {
            Form::Like(of) => format!("`{{\"{value}\": …}}`, with {}", in_words(of)),
            Form::Fields(parts) if parts.is_empty() => format!("`\"{value}\"`"),
            Form::Fields(parts) => {
                let parts: Vec<_> = parts
                    .iter()
                    .map(|part| format!("`{}` {}", part.name, in_words(&part.of)))
                    .collect();
                format!("`{{\"{value}\": {{…}}}}`, with {}", parts.join(" and "))
            }
            Form::OneOf(_) => panic!("an enum's value is no enum of its own"),
        };
        text += &format!("| {holds} | {} |\n", declared.doc.replace('|', "\\|"));
    }
    text
}

fn added(samples: &[Sample]) -> String {
    let before = samples
        .iter()
        .filter_map(|sample| Some((sample, sample.name.strip_prefix("before-")?)));
    let line = |(sample, field): (&Sample, &str)| {
        format!(
            "   - `{}` version {} from before `{field}` (`{}`)\n",
            sample.event_type,
            sample.version,
            sample.file()
        )
    };
    before.map(line).collect()
}

fn raised(samples: &[Sample]) -> String {
    let mut text = String::new();
    for (event_type, version) in codec::older_versions() {
        let old = |sample: &&Sample| sample.event_type == event_type && sample.version == version;
        let sample = samples
            .iter()
            .find(old)
            .unwrap_or_else(|| panic!("{event_type} v{version} has a sample"));
        let (_, today, body) = sample.written_today();
        text += &format!(
            "   `{event_type}` version {version}, as it was written:\n\n```json\n{}\n```\n\n   and as it is read, in version {today}:\n\n```json\n{}\n```\n",
            lines(&sample.text),
            lines(&body)
        );
    }
    text
}

/// An object with a line for each of its fields.
fn lines(body: &str) -> String {
    struct Fields(Vec<(String, Box<RawValue>)>);
    impl<'de> serde::Deserialize<'de> for Fields {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            struct InOrder;
            impl<'de> serde::de::Visitor<'de> for InOrder {
                type Value = Fields;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: serde::de::MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<Fields, A::Error> {
                    let mut fields = vec![];
                    while let Some(field) = map.next_entry()? {
                        fields.push(field);
                    }
                    Ok(Fields(fields))
                }
            }
            from.deserialize_map(InOrder)
        }
    }
    fn inline(value: &str) -> String {
        if value.starts_with('{') {
            let Fields(fields) = serde_json::from_str(value).unwrap();
            format!("{{{}}}", named(&fields).join(", "))
        } else if value.starts_with('[') {
            let values: Vec<Box<RawValue>> = serde_json::from_str(value).unwrap();
            let values: Vec<_> = values.iter().map(|value| inline(value.get())).collect();
            format!("[{}]", values.join(", "))
        } else {
            value.to_owned()
        }
    }
    fn named(fields: &[(String, Box<RawValue>)]) -> Vec<String> {
        let one = |(name, value): &(String, Box<RawValue>)| {
            format!("\"{name}\": {}", inline(value.get()))
        };
        fields.iter().map(one).collect()
    }
    let Fields(fields) = serde_json::from_str(body).unwrap();
    format!("{{\n  {}\n}}", named(&fields).join(",\n  "))
}
