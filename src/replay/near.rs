//! What was meant by a name that stands for nothing: the names of the log that are nearest to it.

use super::filter::{Filter, Streams};
use super::source::Pages;
use super::stream::Name;
use anyhow::Result;
use squareoff_store::codec::EVENT_TYPES;
use squareoff_store::{EventStore, Position};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Names to suggest.
const NAMES_MAX: usize = 5;
/// Different names that are looked at; a log of more has its first ones suggested.
const SEEN_MAX: usize = 500_000;

/// Names, the nearest to the wanted one first.
#[derive(Debug)]
struct Nearest {
    wanted: String,
    seen: BTreeSet<Arc<str>>,
}

impl Nearest {
    fn to(wanted: &str) -> Nearest {
        Nearest {
            wanted: wanted.to_owned(),
            seen: BTreeSet::new(),
        }
    }

    fn see(&mut self, name: &str) {
        if self.seen.len() < SEEN_MAX && !self.seen.contains(name) {
            self.seen.insert(name.into());
        }
    }

    fn best(&self) -> Vec<&str> {
        nearest(&self.wanted, self.seen.iter().map(|name| &**name))
    }
}

/// The names that are like `wanted`, the likest first.
fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    // A name that begins as is wanted is meant rather than one of its length.
    let far = |name: &str| {
        let name = name.to_lowercase();
        let letters = name
            .chars()
            .zip(wanted.chars())
            .take_while(|(a, b)| a == b)
            .count();
        let begins = name.starts_with(&wanted) || name.contains(&wanted) && wanted.len() > 2;
        let distance = strsim::damerau_levenshtein(&name, &wanted);
        (
            !begins,
            if begins { 0 } else { distance },
            usize::MAX - letters,
        )
    };
    let limit = (wanted.chars().count() / 2).max(3);
    let mut ranked: Vec<_> = names
        .map(|name| (far(name), name))
        .filter(|((other, distance, _), _)| !*other || *distance <= limit)
        .collect();
    ranked.sort();
    ranked.truncate(NAMES_MAX);
    ranked.into_iter().map(|(_, name)| name).collect()
}

fn or(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [name] => format!("is {name} meant?"),
        [first @ .., last] => format!("is one of these meant: {} or {last}?", first.join(", ")),
    }
}

/// The event type that is written as `text`, whatever its capital letters.
///
/// # Errors
/// A sentence with the types that are like it.
pub fn event_type(text: &str) -> Result<&'static str, String> {
    let types = || EVENT_TYPES.iter().map(|(name, _)| *name);
    if let Some(name) = types().find(|name| name.eq_ignore_ascii_case(text)) {
        return Ok(name);
    }
    let near = or(&nearest(text, types()));
    Err(if near.is_empty() {
        "no event has this type: docs/EVENTS.md lists them".to_owned()
    } else {
        format!("no event has this type: {near}")
    })
}

/// Why nothing was found, where a name that was asked for is none of the log's; `None` when each of them is there.
///
/// # Errors
/// When the log can't be read.
pub async fn unknown(store: &EventStore, filter: &Filter) -> Result<Option<String>> {
    let mut stream = match &filter.streams {
        Streams::All => None,
        Streams::Exactly(name) | Streams::BeginningWith(name) => Some(Nearest::to(name)),
    };
    let mut client = filter
        .client
        .as_ref()
        .map(|client| Nearest::to(client.as_str()));
    let mut symbol = filter
        .symbol
        .as_ref()
        .map(|symbol| Nearest::to(symbol.as_str()));
    let mut actor = filter.actor.as_deref().map(Nearest::to);
    if stream.is_none() && client.is_none() && symbol.is_none() && actor.is_none() {
        return Ok(None);
    }
    let mut pages = Pages::behind(store.clone(), Position::START);
    while let Some(page) = pages.next().await? {
        for stored in &page {
            let name = Name::of(&stored.stream);
            if let Some(stream) = &mut stream {
                stream.see(&stored.stream);
            }
            if let (Some(client), Some(name)) = (&mut client, name.client) {
                client.see(name);
            }
            if let (Some(symbol), Some(name)) = (&mut symbol, name.symbol) {
                symbol.see(name);
            }
            if let Some(actor) = &mut actor {
                actor.see(&stored.actor);
            }
        }
    }
    for (what, nearest) in [
        ("stream", stream),
        ("client", client),
        ("symbol", symbol),
        ("actor", actor),
    ] {
        let Some(nearest) = nearest else { continue };
        let wanted = nearest.wanted.as_str();
        let is_there = match (what, &filter.streams) {
            ("stream", Streams::BeginningWith(_)) => {
                nearest.seen.iter().any(|name| name.starts_with(wanted))
            }
            _ => nearest.seen.contains(wanted),
        };
        if is_there {
            continue;
        }
        let near = or(&nearest.best());
        let known = match what {
            "stream" => "no event was ever appended to a stream",
            "client" => "the log knows no client",
            "symbol" => "the log knows no symbol",
            _ => "nothing in the log is by",
        };
        let hint = if near.is_empty() {
            "`squareoff replay` alone lists what there is".to_owned()
        } else {
            near
        };
        return Ok(Some(format!("{known} {wanted}: {hint}")));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_are_like_it_are_suggested() {
        let streams = [
            "platform",
            "client-C00001",
            "position-2026-11-20-C00001-NSE:RELIANCE-MIS",
            "position-2026-11-20-C00002-NSE:RELIANCE-MIS",
            "position-2026-11-20-C00002-NSE:INFY-CNC",
        ];
        let near = |wanted: &str| nearest(wanted, streams.into_iter());
        assert_eq!(near("platfrom"), ["platform"]);
        assert_eq!(near("client-c00001")[0], "client-C00001");
        assert_eq!(
            near("position-2026-11-20-C00001-NSE:RELIANCE-CNC")[0],
            streams[2]
        );
        assert_eq!(near("INFY"), [streams[4]]);
        assert_eq!(near("zzzzzzzzzzzz"), [] as [&str; 0]);
    }

    #[test]
    fn a_type_is_known_by_its_letters_and_a_wrong_one_by_those_like_it() {
        assert_eq!(event_type("executed"), Ok("Executed"));
        assert_eq!(
            event_type("Execued").unwrap_err(),
            "no event has this type: is Executed meant?"
        );
        assert!(
            event_type("OrderPlace")
                .unwrap_err()
                .contains("OrderPlaced")
        );
        assert!(
            event_type("xyzzyxyzzyxyzzy")
                .unwrap_err()
                .contains("docs/EVENTS.md")
        );
    }
}
