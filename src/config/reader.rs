//! Takes settings one by one from the file and the environment, and collects what is wrong with them.

use super::table::{self, BARE, VENUE_SETTINGS, known, variable, venue_variable};
use anyhow::{Result, bail};
use squareoff_domain::Venue;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

pub(super) struct Reader<'a> {
    file: &'a str,
    /// By the venue that a setting is of alone, and its key: where it stands, and its text.
    settings: BTreeMap<(Option<Venue>, &'static str), (String, String)>,
    mistakes: Vec<String>,
    /// The venue whose settings are read.
    venue: Option<Venue>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        file: &'a str,
        text: &str,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Self {
        let mut reader = Reader {
            file,
            settings: BTreeMap::new(),
            mistakes: vec![],
            venue: None,
        };
        match text.parse::<toml::Table>() {
            Ok(table) => table
                .into_iter()
                .for_each(|(key, value)| reader.take(&key, value)),
            Err(error) => reader.mistakes.push(format!(
                "{file} is not TOML: {}",
                error.to_string().trim_end().replace('\n', " ")
            )),
        }
        for (name, value) in environment {
            // A variable of another program, or one that names the file itself.
            let bare = BARE.iter().any(|(_, bare)| *bare == name);
            if !(name.starts_with("SQUAREOFF_") || bare) || name == "SQUAREOFF_CONFIG" {
                continue;
            }
            let of_all = table::all().map(|(key, _)| (None, *key, variable(key)));
            let of_venue = Venue::ALL.iter().flat_map(|venue| {
                let of_it = move |(key, _): &(&'static str, &str)| {
                    (Some(*venue), *key, venue_variable(*venue, key))
                };
                VENUE_SETTINGS.iter().map(of_it)
            });
            match of_all.chain(of_venue).find(|(.., known)| *known == name) {
                Some((venue, key, _)) => {
                    reader.settings.insert((venue, key), (name, value));
                }
                None => reader.mistakes.push(format!(
                    "{name} is no setting: {}",
                    known(table::all(), variable)
                )),
            }
        }
        reader
    }

    fn take(&mut self, key: &str, value: toml::Value) {
        match (key.parse::<Venue>(), value) {
            (Ok(venue), toml::Value::Table(table)) => {
                for (key, value) in table {
                    let place = format!("{key} of [{venue}] in {}", self.file);
                    self.take_one(VENUE_SETTINGS.iter(), Some(venue), &key, value, place);
                }
            }
            (_, value) => {
                let place = format!("{key} in {}", self.file);
                self.take_one(table::all(), None, key, value, place);
            }
        }
    }

    fn take_one(
        &mut self,
        mut settings: impl Iterator<Item = &'static (&'static str, &'static str)> + Clone,
        venue: Option<Venue>,
        key: &str,
        value: toml::Value,
        place: String,
    ) {
        let all = settings.clone();
        let Some((key, _)) = settings.find(|(known, _)| *known == key) else {
            let known = known(all, str::to_owned);
            self.mistakes
                .push(format!("{place} is no setting: {known}"));
            return;
        };
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)
            | toml::Value::Table(_) => {
                self.mistakes
                    .push(format!("{place} must be a text or a whole number"));
                return;
            }
        };
        self.settings.insert((venue, *key), (place, text));
    }

    /// What is read from now on is of this venue: its own settings, and else those for all.
    pub(super) fn of_venue(&mut self, venue: Venue) {
        self.venue = Some(venue);
    }

    /// What is read from now on is of no venue.
    pub(super) fn of_all(&mut self) {
        self.venue = None;
    }

    /// Something is wrong with what was read.
    pub(super) fn mistake(&mut self, what: &str) {
        let what = match self.venue {
            Some(venue) => format!("{venue}: {what}"),
            None => what.to_owned(),
        };
        self.note(what);
    }

    /// A setting for all venues is read for each.
    fn note(&mut self, mistake: String) {
        if !self.mistakes.contains(&mistake) {
            self.mistakes.push(mistake);
        }
    }

    pub(super) fn get<T: FromStr<Err: Display>>(
        &mut self,
        key: &'static str,
        default: T,
        wrong: impl Fn(&T) -> Option<&'static str>,
    ) -> T {
        self.optional(key, wrong).unwrap_or(default)
    }

    pub(super) fn optional<T: FromStr<Err: Display>>(
        &mut self,
        key: &'static str,
        wrong: impl Fn(&T) -> Option<&'static str>,
    ) -> Option<T> {
        let of_venue = self
            .venue
            .and_then(|venue| self.settings.get(&(Some(venue), key)));
        let (place, text) = of_venue.or_else(|| self.settings.get(&(None, key)))?;
        // These may hold a password, or are a key.
        let shown = if key == "master_key" || BARE.iter().any(|(bare, _)| *bare == key) {
            String::new()
        } else {
            format!(" `{text}`")
        };
        match text.parse::<T>() {
            Ok(value) => match wrong(&value) {
                None => Some(value),
                Some(expected) => {
                    let mistake = format!("{place}{shown}: {expected}");
                    self.note(mistake);
                    None
                }
            },
            Err(error) => {
                let mistake = format!("{place}{shown}: {error}");
                self.note(mistake);
                None
            }
        }
    }

    pub(super) fn finish(self) -> Result<()> {
        match self.mistakes[..] {
            [] => Ok(()),
            [ref one] => bail!("the configuration has a mistake: {one}"),
            _ => bail!(
                "the configuration has {} mistakes:\n  {}",
                self.mistakes.len(),
                self.mistakes.join("\n  ")
            ),
        }
    }
}
