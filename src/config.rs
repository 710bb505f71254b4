//! What the operator sets: a TOML file, and the environment over it. The only place that reads either; every mistake is reported at
//! once, each with where it stands and what is expected.

use anyhow::{Result, bail};
use squareoff_api::bulk::SessionClose;
use squareoff_domain::{TradingDate, Venue};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The file that is read when none is named and it exists.
pub const DEFAULT_FILE: &str = "squareoff.toml";

const DEFAULT_LOG: &str = "info,sqlx::postgres::notice=warn";

/// Key in the file, and what it is. The environment's name is `SQUAREOFF_` and the key in capitals, but for `DATABASE_URL`.
pub const SETTINGS: &[(&str, &str)] = &[
    (
        "data",
        "folder of the event log, the journals, the private Postgres; default `data`",
    ),
    (
        "database_url",
        "Postgres for the read models (environment: DATABASE_URL); default a private cluster in the data folder",
    ),
    (
        "pg_bin",
        "folder with initdb and postgres; default the newest installed",
    ),
    (
        "api_listen",
        "address of the API, loopback only; default 127.0.0.1:8080",
    ),
    (
        "exchange_address",
        "host:port of the exchange; default 127.0.0.1:9880",
    ),
    (
        "comp_id",
        "our SenderCompID at the exchange; default SQUAREOFF",
    ),
    (
        "venues",
        "venues to log on to, comma separated; default NSE,BSE",
    ),
    ("heartbeat_s", "HeartBtInt in seconds, 1 to 60; default 10"),
    (
        "resend_age_max_s",
        "how old an order may be when the exchange asks for it again, in seconds; default 10",
    ),
    (
        "reference_age_max_s",
        "how old the reference price of a contract may be that a marketable limit is made of, in seconds; default 432000: five days, the last close behind a long weekend",
    ),
    (
        "venue_message_rate",
        "messages that each venue takes of us in a second, of which a bulk square-off uses nine tenths; default 100, what a broker's session commonly has",
    ),
    (
        "session_close",
        "when each segment closes in India, what a bulk's duration is measured against; default CM=15:30,FO=15:30,CD=17:00,COM=23:30",
    ),
    ("sample_clients", "clients of the sample book; default 2000"),
    (
        "sample_positions",
        "positions of the sample book; default 8000",
    ),
    (
        "sample_orders",
        "orders of the sample's primary that rest at the exchange; default 40",
    ),
    (
        "sample_seed",
        "seed of the sample book and of the exchange's liquidity; default 7",
    ),
    (
        "trading_date",
        "trading date of the sample book, YYYY-MM-DD; default today in India",
    ),
    (
        "log",
        "what is logged, as `info` or `info,squareoff_gateway=debug`; default info without the notices of Postgres",
    ),
    ("log_format", "text or json; default text"),
];

#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub data: PathBuf,
    pub database_url: Option<String>,
    pub pg_bin: Option<PathBuf>,
    pub api_listen: SocketAddr,
    pub exchange_address: String,
    pub comp_id: String,
    pub venues: Vec<Venue>,
    pub heartbeat_s: u32,
    pub resend_age_max_s: u32,
    pub reference_age_max_s: u32,
    pub venue_message_rate: u32,
    pub session_close: SessionClose,
    pub sample_clients: u32,
    pub sample_positions: u32,
    pub sample_orders: u32,
    pub sample_seed: u64,
    pub trading_date: Option<TradingDate>,
    pub log: String,
    pub log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err("expected text or json"),
        }
    }
}

/// Venues, comma separated, each once.
struct Venues(Vec<Venue>);

impl FromStr for Venues {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut venues = Vec::new();
        for part in text.split(',') {
            let venue: Venue = part.trim().parse().map_err(|error| format!("{error}"))?;
            if venues.contains(&venue) {
                return Err(format!("{venue} stands twice"));
            }
            venues.push(venue);
        }
        Ok(Venues(venues))
    }
}

impl Config {
    /// Reads `file` (or [`DEFAULT_FILE`] when it exists) and the environment.
    ///
    /// # Errors
    /// Every mistake of both, one a line.
    pub fn load(file: Option<&Path>) -> Result<Config> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            // Only the file that nobody named may be missing.
            Err(error) if file.is_none() && error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => bail!(
                "the configuration file {} cannot be read: {error}",
                path.display()
            ),
        };
        let name = path.display().to_string();
        Config::from_parts(
            &name,
            &text,
            std::env::vars_os().filter_map(|(key, value)| {
                Some((key.into_string().ok()?, value.into_string().ok()?))
            }),
        )
    }

    fn from_parts(
        file: &str,
        text: &str,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Config> {
        let mut reader = Reader::new(file, text, environment);
        let config = Config {
            data: reader.get("data", "data".into(), |_: &PathBuf| None),
            database_url: reader.optional("database_url", |url: &String| {
                let postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
                (!postgres).then_some("expected postgres://…")
            }),
            pg_bin: reader.optional("pg_bin", |_: &PathBuf| None),
            api_listen: reader.get(
                "api_listen",
                SocketAddr::from(([127, 0, 0, 1], 8080)),
                |address| {
                    (!address.ip().is_loopback())
                        .then_some("expected a loopback address: the API has no log-in yet")
                },
            ),
            exchange_address: reader.get(
                "exchange_address",
                "127.0.0.1:9880".to_owned(),
                |text: &String| {
                    let port = text.rsplit_once(':').and_then(|(host, port)| {
                        (!host.is_empty()).then(|| port.parse::<u16>().ok())?
                    });
                    port.is_none().then_some("expected host:port")
                },
            ),
            comp_id: reader.get("comp_id", "SQUAREOFF".to_owned(), |text: &String| {
                let fits = (1..=20).contains(&text.len())
                    && text
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                (!fits).then_some("expected 1 to 20 letters, digits and underscores")
            }),
            venues: reader
                .get("venues", Venues(vec![Venue::Nse, Venue::Bse]), |_| None)
                .0,
            heartbeat_s: reader.get("heartbeat_s", 10, |seconds| {
                (!(1..=60).contains(seconds)).then_some("expected 1 to 60")
            }),
            resend_age_max_s: reader.get("resend_age_max_s", 10, |seconds| {
                (*seconds > 3_600).then_some("expected at most 3600")
            }),
            reference_age_max_s: reader.get("reference_age_max_s", 432_000, |seconds| {
                (!(1..=604_800).contains(seconds)).then_some("expected 1 to 604800, a week")
            }),
            venue_message_rate: reader.get("venue_message_rate", 100, |rate| {
                (!(1..=100_000).contains(rate)).then_some("expected 1 to 100000")
            }),
            session_close: reader.get("session_close", SessionClose::default(), |_| None),
            sample_clients: reader.get("sample_clients", 2_000, |count| {
                (!(1..=100_000).contains(count)).then_some("expected 1 to 100000")
            }),
            sample_positions: reader.get("sample_positions", 8_000, |count| {
                (!(1..=1_000_000).contains(count)).then_some("expected 1 to 1000000")
            }),
            sample_orders: reader.get("sample_orders", 40, |count| {
                (*count > 100_000).then_some("expected at most 100000")
            }),
            sample_seed: reader.get("sample_seed", 7, |_| None),
            trading_date: reader.optional("trading_date", |_| None),
            log: reader.get("log", DEFAULT_LOG.to_owned(), |text: &String| {
                tracing_subscriber::EnvFilter::try_new(text)
                    .is_err()
                    .then_some("expected a filter such as info or info,squareoff_gateway=debug")
            }),
            log_format: reader.get("log_format", LogFormat::Text, |_| None),
        };
        reader.finish()?;
        Ok(config)
    }

    /// The environment that gives a child process this very configuration.
    pub fn environment(&self) -> Vec<(String, String)> {
        let venues: Vec<_> = self.venues.iter().map(|venue| venue.as_str()).collect();
        let format = match self.log_format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        let mut settings: Vec<(&str, String)> = vec![
            ("data", self.data.display().to_string()),
            ("api_listen", self.api_listen.to_string()),
            ("exchange_address", self.exchange_address.clone()),
            ("comp_id", self.comp_id.clone()),
            ("venues", venues.join(",")),
            ("heartbeat_s", self.heartbeat_s.to_string()),
            ("resend_age_max_s", self.resend_age_max_s.to_string()),
            ("reference_age_max_s", self.reference_age_max_s.to_string()),
            ("venue_message_rate", self.venue_message_rate.to_string()),
            ("session_close", self.session_close.to_string()),
            ("sample_clients", self.sample_clients.to_string()),
            ("sample_positions", self.sample_positions.to_string()),
            ("sample_orders", self.sample_orders.to_string()),
            ("sample_seed", self.sample_seed.to_string()),
            ("log", self.log.clone()),
            ("log_format", format.to_owned()),
        ];
        settings.extend(self.database_url.clone().map(|url| ("database_url", url)));
        settings.extend(
            self.pg_bin
                .as_ref()
                .map(|path| ("pg_bin", path.display().to_string())),
        );
        settings.extend(
            self.trading_date
                .map(|date| ("trading_date", date.to_string())),
        );
        settings
            .into_iter()
            .map(|(key, value)| (variable(key), value))
            .collect()
    }
}

/// The environment's name of a setting.
fn variable(key: &str) -> String {
    if key == "database_url" {
        "DATABASE_URL".to_owned()
    } else {
        format!("SQUAREOFF_{}", key.to_uppercase())
    }
}

/// Every setting, for people: its key in the file, its name in the environment, what it is.
pub fn describe() -> String {
    let lines = SETTINGS
        .iter()
        .map(|(key, what)| format!("{key:<20} {:<30} {what}", variable(key)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Takes settings one by one and collects what is wrong with them.
struct Reader<'a> {
    file: &'a str,
    settings: BTreeMap<&'static str, (String, String)>,
    mistakes: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(file: &'a str, text: &str, environment: impl Iterator<Item = (String, String)>) -> Self {
        let mut reader = Reader {
            file,
            settings: BTreeMap::new(),
            mistakes: vec![],
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
            if !(name.starts_with("SQUAREOFF_") || name == "DATABASE_URL")
                || name == "SQUAREOFF_CONFIG"
            {
                continue;
            }
            match SETTINGS.iter().find(|(key, _)| variable(key) == name) {
                Some((key, _)) => drop(reader.settings.insert(*key, (name, value))),
                None => reader
                    .mistakes
                    .push(format!("{name} is no setting: {}", known(variable))),
            }
        }
        reader
    }

    fn take(&mut self, key: &str, value: toml::Value) {
        let place = format!("{key} in {}", self.file);
        let Some((key, _)) = SETTINGS.iter().find(|(known, _)| *known == key) else {
            self.mistakes
                .push(format!("{place} is no setting: {}", known(str::to_owned)));
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
        self.settings.insert(*key, (place, text));
    }

    fn get<T: FromStr<Err: Display>>(
        &mut self,
        key: &'static str,
        default: T,
        wrong: impl Fn(&T) -> Option<&'static str>,
    ) -> T {
        self.optional(key, wrong).unwrap_or(default)
    }

    fn optional<T: FromStr<Err: Display>>(
        &mut self,
        key: &'static str,
        wrong: impl Fn(&T) -> Option<&'static str>,
    ) -> Option<T> {
        let (place, text) = self.settings.get(key)?;
        // A database's URL may hold a password.
        let shown = if key == "database_url" {
            String::new()
        } else {
            format!(" `{text}`")
        };
        match text.parse::<T>() {
            Ok(value) => match wrong(&value) {
                None => Some(value),
                Some(expected) => {
                    self.mistakes.push(format!("{place}{shown}: {expected}"));
                    None
                }
            },
            Err(error) => {
                self.mistakes.push(format!("{place}{shown}: {error}"));
                None
            }
        }
    }

    fn finish(self) -> Result<()> {
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

fn known(name: impl Fn(&str) -> String) -> String {
    let names: Vec<_> = SETTINGS.iter().map(|(key, _)| name(key)).collect();
    format!("known are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config> {
        Config::from_parts(
            "squareoff.toml",
            text,
            environment
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        )
    }

    #[test]
    fn the_environment_stands_over_the_file_and_the_file_over_the_defaults() {
        let config = read(
            "data = \"here\"\nheartbeat_s = 5",
            &[("SQUAREOFF_DATA", "there"), ("PATH", "x")],
        )
        .unwrap();
        assert_eq!(
            (config.data, config.heartbeat_s),
            (PathBuf::from("there"), 5)
        );
        assert_eq!(config.api_listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.venues, [Venue::Nse, Venue::Bse]);
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let text = "heartbeat_s = 0\nventures = \"NSE\"\nlog_format = true";
        let environment = [
            ("SQUAREOFF_API_LISTEN", "0.0.0.0:80"),
            ("SQUAREOFF_VENUES", "NSE,XYZ"),
            ("DATABASE_URL", "mysql://user:secret@host/"),
            ("SQUAREOFF_DATE", "x"),
        ];
        let message = read(text, &environment).unwrap_err().to_string();
        assert!(
            message.starts_with("the configuration has 7 mistakes:"),
            "{message}"
        );
        for part in [
            "heartbeat_s in squareoff.toml `0`: expected 1 to 60",
            "ventures in squareoff.toml is no setting",
            "loopback",
            "`XYZ` is not a venue",
            "DATABASE_URL: expected postgres://",
            "SQUAREOFF_DATE is no setting",
            "log_format in squareoff.toml must be",
        ] {
            assert!(message.contains(part), "{part} is missing in {message}");
        }
        assert!(!message.contains("secret"));
    }

    #[test]
    fn a_child_gets_the_very_same_configuration() {
        let config = read(
            "",
            &[
                ("SQUAREOFF_TRADING_DATE", "2026-11-20"),
                ("DATABASE_URL", "postgres://x/y"),
                ("SQUAREOFF_LOG_FORMAT", "json"),
            ],
        )
        .unwrap();
        let environment = config.environment();
        let child = Config::from_parts("none", "", environment.into_iter()).unwrap();
        assert_eq!(child, config);
    }

    #[test]
    fn a_file_that_is_no_toml_is_said_so() {
        assert!(
            read("= 1", &[])
                .unwrap_err()
                .to_string()
                .contains("is not TOML")
        );
    }
}
