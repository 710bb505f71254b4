//! What the operator sets: a TOML file, and the environment over it. The only place that reads either; every mistake is reported at
//! once, each with where it stands and what is expected.
//!
//! `table` lists the settings, `value` and `hours` parse what they are written as, `reader` takes them and collects the mistakes, `venue`
//! is all that is set of one venue.

mod hours;
mod reader;
mod table;
mod value;
mod venue;

#[cfg(test)]
mod tests;

use anyhow::{Result, bail};
pub use hours::SessionHours;
use reader::Reader;
use squareoff_api::bulk::SessionClose;
use squareoff_api::{Rate, Rates, TlsFiles};
use squareoff_auditor::seal::WitnessAddress;
use squareoff_auditor::tlog::{KeyKind, VerifierKey};
use squareoff_domain::{TradingDate, Venue};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
pub use table::describe;
use table::{variable, venue_variable};
pub use value::{ApprovalNotional, CallerVerification, EventStoreAddress, LogFormat, Secret};
use value::{List, LogKey, Venues, YesNo, joined, key_name};
pub use venue::{DropCopySettings, FixVersion, TlsSettings, VenueSettings};

/// The file that is read when none is named and it exists.
pub const DEFAULT_FILE: &str = "squareoff.toml";

const DEFAULT_LOG: &str = "info,sqlx::postgres::notice=warn,kurrentdb=off";

/// The environment's name of the master key: it is taken from every child's environment but that of the part that needs it.
pub const MASTER_KEY_VARIABLE: &str = "SQUAREOFF_MASTER_KEY";

/// The environment's name of the key that the secrets file is sealed with; as the master key, it goes to the part that needs it alone.
pub const ACCESS_KEY_VARIABLE: &str = "SQUAREOFF_ACCESS_KEY";

/// The environment's name of the read database, which may hold a password: of the children only those are told that ask it.
pub const DATABASE_URL_VARIABLE: &str = "DATABASE_URL";

#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub data: PathBuf,
    pub event_store: Option<EventStoreAddress>,
    pub database_url: Option<String>,
    pub pg_bin: Option<PathBuf>,
    pub api_listen: SocketAddr,
    pub api_tls: Option<TlsFiles>,
    pub api_rates: Rates,
    /// Never empty, each once.
    pub venues: Vec<VenueSettings>,
    pub master_key_file: Option<PathBuf>,
    pub master_key: Option<Secret>,
    pub keys_backup: Option<PathBuf>,
    pub access_key_file: Option<PathBuf>,
    pub access_key: Option<Secret>,
    pub reference_age_max_s: u32,
    pub caller_verification: CallerVerification,
    pub caller_verification_minutes: u32,
    pub approval_notional: ApprovalNotional,
    pub session_close: SessionClose,
    /// Whether development tokens let anybody in; absent where nobody said.
    pub sample_log_ins: Option<bool>,
    pub sample_clients: u32,
    pub sample_positions: u32,
    pub sample_orders: u32,
    pub sample_seed: u64,
    pub trading_date: Option<TradingDate>,
    pub log: String,
    pub log_format: LogFormat,
    pub audit_origin: String,
    pub witness_url: Vec<WitnessAddress>,
    pub witness_listen: SocketAddr,
    pub witness_name: String,
    pub witness_logs: Vec<VerifierKey>,
}
impl Config {
    /// Where the API of this machine is asked.
    pub fn api_url(&self) -> String {
        let scheme = if self.api_tls.is_some() {
            "https"
        } else {
            "http"
        };
        let mut address = self.api_listen;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        format!("{scheme}://{address}")
    }

    /// Messages that the venue which takes fewest takes of all our sessions in a second: what a bulk is planned by.
    pub fn bulk_message_rate(&self) -> u32 {
        let rates = self.venues.iter().map(VenueSettings::rate_of_all);
        rates.min().unwrap_or(1)
    }

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
        let Venues(venues) = reader.get("venues", Venues(vec![Venue::Nse, Venue::Bse]), |_| None);
        let of = |venue| VenueSettings::read(&mut reader, venue);
        let venues = Vec::from_iter(venues.into_iter().map(of));
        let config = Config {
            data: reader.get("data", "data".into(), |_: &PathBuf| None),
            event_store: reader.optional("event_store", |_| None),
            database_url: reader.optional("database_url", |url: &String| {
                let postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
                (!postgres).then_some("expected postgres://…")
            }),
            pg_bin: reader.optional("pg_bin", |_: &PathBuf| None),
            api_listen: reader.get(
                "api_listen",
                SocketAddr::from(([127, 0, 0, 1], 8080)),
                |_| None,
            ),
            api_tls: api_tls(&mut reader),
            api_rates: api_rates(&mut reader),
            venues,
            master_key_file: reader.optional("master_key_file", |_: &PathBuf| None),
            master_key: reader.optional("master_key", |_: &Secret| None),
            keys_backup: reader.optional("keys_backup", |_: &PathBuf| None),
            access_key_file: reader.optional("access_key_file", |_: &PathBuf| None),
            access_key: reader.optional("access_key", |_: &Secret| None),
            reference_age_max_s: reader.get("reference_age_max_s", 432_000, |seconds| {
                (!(1..=604_800).contains(seconds)).then_some("expected 1 to 604800, a week")
            }),
            caller_verification: reader.get(
                "caller_verification",
                CallerVerification::Required,
                |_| None,
            ),
            caller_verification_minutes: reader.get("caller_verification_minutes", 15, |minutes| {
                (!(1..=480).contains(minutes)).then_some("expected 1 to 480")
            }),
            approval_notional: reader.get("approval_notional", ApprovalNotional::DEFAULT, |_| None),
            session_close: reader.get("session_close", SessionClose::default(), |_| None),
            sample_log_ins: reader
                .optional("sample_log_ins", |_: &YesNo| None)
                .map(|YesNo(allowed)| allowed),
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
            audit_origin: reader.get(
                "audit_origin",
                "squareoff.local/log".to_owned(),
                |name: &String| key_name(name),
            ),
            witness_url: reader.get("witness_url", List(vec![]), |_| None).0,
            witness_listen: reader.get(
                "witness_listen",
                SocketAddr::from(([127, 0, 0, 1], 8390)),
                |_| None,
            ),
            witness_name: reader.get(
                "witness_name",
                "squareoff.local/witness".to_owned(),
                |name: &String| key_name(name),
            ),
            witness_logs: reader
                .get("witness_logs", List(vec![]), |logs: &List<LogKey>| {
                    let plain = |log: &LogKey| log.0.kind() == KeyKind::Ed25519;
                    (!logs.0.iter().all(plain))
                        .then_some("expected keys that sign, not that co-sign")
                })
                .0
                .into_iter()
                .map(|log| log.0)
                .collect(),
        };
        if config.api_tls.is_none() && !config.api_listen.ip().is_loopback() {
            let open = "api_listen: expected a loopback address, or api_tls_certificate and api_tls_key beside it";
            reader.mistake(open);
        }
        if config.sample_log_ins == Some(true) && !config.api_listen.ip().is_loopback() {
            let strangers = "sample_log_ins let in whoever has the data folder's key: api_listen has to be a loopback address";
            reader.mistake(strangers);
        }
        if config.master_key.is_some() && config.master_key_file.is_some() {
            let both = "master_key and master_key_file are both set: one of them is the master key";
            reader.mistake(both);
        }
        if config.access_key.is_some() && config.access_key_file.is_some() {
            let both = "access_key and access_key_file are both set: one of them is the key of the secrets file";
            reader.mistake(both);
        }
        reader.finish()?;
        Ok(config)
    }

    /// The environment that gives a child process this very configuration, save for the keys and the read database.
    pub fn environment(&self) -> Vec<(String, String)> {
        let venues = self.venues.iter().map(|settings| settings.venue.as_str());
        let venues = Vec::from_iter(venues);
        let format = match self.log_format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        let mut settings: Vec<(&str, String)> = vec![
            ("data", self.data.display().to_string()),
            ("api_listen", self.api_listen.to_string()),
            ("venues", venues.join(",")),
            ("reference_age_max_s", self.reference_age_max_s.to_string()),
            (
                "caller_verification",
                self.caller_verification.as_str().to_owned(),
            ),
            (
                "caller_verification_minutes",
                self.caller_verification_minutes.to_string(),
            ),
            ("approval_notional", self.approval_notional.to_string()),
            ("session_close", self.session_close.to_string()),
            ("sample_clients", self.sample_clients.to_string()),
            ("sample_positions", self.sample_positions.to_string()),
            ("sample_orders", self.sample_orders.to_string()),
            ("sample_seed", self.sample_seed.to_string()),
            ("log", self.log.clone()),
            ("log_format", format.to_owned()),
            ("audit_origin", self.audit_origin.clone()),
            ("witness_listen", self.witness_listen.to_string()),
            ("witness_name", self.witness_name.clone()),
            ("witness_url", joined(&self.witness_url)),
            ("witness_logs", joined(&self.witness_logs)),
        ];
        let Rates {
            person,
            address,
            client,
        } = self.api_rates;
        let rates = [
            ("person_requests_per_s", person),
            ("address_requests_per_s", address),
            ("client_requests_per_s", client),
        ];
        settings.extend(rates.map(|(key, rate)| (key, rate.per_s.to_string())));
        settings.extend(self.sample_log_ins.map(|allowed| {
            let text = if allowed { "yes" } else { "no" };
            ("sample_log_ins", text.to_owned())
        }));
        let paths = [
            ("master_key_file", &self.master_key_file),
            ("keys_backup", &self.keys_backup),
            ("access_key_file", &self.access_key_file),
        ];
        let tls = self.api_tls.iter().flat_map(|files| {
            [
                ("api_tls_certificate", &files.certificate),
                ("api_tls_key", &files.key),
            ]
        });
        settings.extend(tls.map(|(key, path)| (key, path.display().to_string())));
        let set = paths
            .into_iter()
            .filter_map(|(key, path)| Some((key, path.as_ref()?.display().to_string())));
        settings.extend(set);
        settings.extend(
            self.event_store
                .as_ref()
                .map(|address| ("event_store", address.as_str().to_owned())),
        );
        settings.extend(
            self.pg_bin
                .as_ref()
                .map(|path| ("pg_bin", path.display().to_string())),
        );
        settings.extend(
            self.trading_date
                .map(|date| ("trading_date", date.to_string())),
        );
        let of_venues = self.venues.iter().flat_map(|of| {
            let named = |(key, value)| (venue_variable(of.venue, key), value);
            of.settings().into_iter().map(named)
        });
        let of_all = settings
            .into_iter()
            .map(|(key, value)| (variable(key), value));
        of_all.chain(of_venues).collect()
    }
}

fn api_tls(reader: &mut Reader) -> Option<TlsFiles> {
    let mut file = |key| reader.optional(key, |_: &PathBuf| None);
    match (file("api_tls_certificate"), file("api_tls_key")) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            let together =
                "api_tls_certificate and api_tls_key go together: one of them is missing";
            reader.mistake(together);
            None
        }
    }
}

fn api_rates(reader: &mut Reader) -> Rates {
    let mut rate = |key, default: Rate| {
        Rate::per_s(reader.get(key, default.per_s, |per_s: &NonZeroU32| {
            (per_s.get() > 1_000_000).then_some("expected 1 to 1000000")
        }))
    };
    let default = Rates::default();
    Rates {
        person: rate("person_requests_per_s", default.person),
        address: rate("address_requests_per_s", default.address),
        client: rate("client_requests_per_s", default.client),
    }
}
