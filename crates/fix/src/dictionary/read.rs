//! Reading the tables of facts. They are part of the program: a fault in them is a fault of ours, found by the tests.

use std::collections::HashMap;

use super::format::Format;
use super::{Dictionary, Field, Members, Message, Place};

/// One version may be told in several tables: its session layer and its application messages.
pub fn read(tables: &[&'static str]) -> Dictionary {
    let mut dictionary = Dictionary {
        fields: Vec::new(),
        messages: HashMap::new(),
        header: Members::default(),
        trailer: Members::default(),
        session: None,
    };
    let lines = || tables.iter().flat_map(|facts| facts.lines());
    let mut components = Components::new();
    for line in lines().filter(|line| line.starts_with("C ")) {
        let (name, members) = line[2..].split_once(' ').expect("a name and members");
        components.insert(name, members);
    }
    let members = |text| members(text, &components);
    for line in lines() {
        let (what, rest) = line.split_at(2);
        match what {
            "F " => field(&mut dictionary.fields, rest),
            "H " => dictionary.header = members(rest),
            "T " => dictionary.trailer = members(rest),
            "M " => {
                let mut words = rest.splitn(3, ' ');
                let kind = words.next().expect("a type");
                let name = words.next().expect("a name");
                let body = members(words.next().unwrap_or_default());
                dictionary
                    .messages
                    .insert(kind.as_bytes(), Message { name, body });
            }
            _ => {}
        }
    }
    dictionary
}

fn field(fields: &mut Vec<Option<Field>>, line: &'static str) {
    let mut words = line.split(' ');
    let tag: usize = words
        .next()
        .and_then(|tag| tag.parse().ok())
        .expect("a tag");
    let name = words.next().expect("a name");
    let format = Format::named(words.next().expect("a type"));
    let mut codes: Vec<_> = words.map(str::as_bytes).collect();
    let or_number = codes.last() == Some(&b"*".as_slice());
    if or_number {
        codes.pop();
    }
    fields.resize_with(fields.len().max(tag + 1), || None);
    fields[tag] = Some(Field {
        name,
        format,
        codes,
        or_number,
    });
}

type Components = HashMap<&'static str, &'static str>;

fn members(text: &'static str, components: &Components) -> Members {
    let mut members = Members::default();
    take(
        &mut members,
        &mut tokens(text).into_iter(),
        components,
        true,
    );
    members
}

/// Tags, components, and brackets on their own.
fn tokens(text: &'static str) -> Vec<&'static str> {
    let ends = |c: char| matches!(c, ' ' | '(' | ')');
    let pieces = text.split_inclusive(ends).flat_map(|piece| {
        let end = piece.len() - usize::from(piece.ends_with(ends));
        [&piece[..end], piece[end..].trim()]
    });
    pieces.filter(|piece| !piece.is_empty()).collect()
}

/// Adds members up to the end, or the bracket that closes. A component that is not required requires nothing.
fn take(
    members: &mut Members,
    words: &mut std::vec::IntoIter<&'static str>,
    components: &Components,
    required: bool,
) {
    while let Some(word) = words.next().filter(|word| *word != ")") {
        let name = word.trim_end_matches('!');
        let required = required && word.ends_with('!');
        if let Some(component) = name.strip_prefix('@') {
            let component = components.get(component).expect("a component of the table");
            take(
                members,
                &mut tokens(component).into_iter(),
                components,
                required,
            );
            continue;
        }
        let tag: u32 = name.parse().expect("a tag");
        let mut place = Place::Single;
        if words.as_slice().first() == Some(&"(") {
            words.next();
            let mut entry = Members::default();
            take(&mut entry, words, components, true);
            place = Place::Count(u16::try_from(members.groups.len()).expect("few groups"));
            members.groups.push(entry);
        }
        members.add(tag, place, required);
    }
}
