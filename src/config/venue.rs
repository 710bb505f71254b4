//! What is set of a venue. Each of these settings holds for all venues, unless the venue's own table (`[NSE]`, or `SQUAREOFF_NSE_…` in
//! the environment) says otherwise.

use super::hours::SessionHours;
use super::reader::Reader;
use super::value::{CompIds, YesNo, is_address, is_comp_id};
use anyhow::{Context, Result};
use squareoff_domain::Venue;
use squareoff_fix::Reset;
use squareoff_fix::driver::tls::{self, ServerName};
use squareoff_gateway::{Dialect, Tls};
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

/// What turns a setting off that has a value otherwise.
const NONE: &str = "none";

/// Longest CompID.
pub(super) const COMP_ID_MAX: usize = 20;

/// What the drop copy's CompID ends with when none is set.
const DROP_COPY_SUFFIX: &str = "-DC";

/// One venue and how we reach it.
#[derive(Debug, Clone, PartialEq)]
pub struct VenueSettings {
    pub venue: Venue,
    /// host:port.
    pub address: String,
    /// Our SenderCompIDs, at least one; a session for each.
    pub comp_ids: Vec<String>,
    pub fix_version: FixVersion,
    pub tls: Option<TlsSettings>,
    pub hours: SessionHours,
    pub number_reset: NumberReset,
    pub heartbeat_s: u32,
    pub resend_age_max_s: u32,
    /// Messages that the venue takes of one session in a second.
    pub message_rate: u32,
    pub cancel_on_disconnect: bool,
    pub drop_copy: Option<DropCopySettings>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DropCopySettings {
    /// host:port.
    pub address: String,
    pub comp_id: String,
}

/// TLS of every session to a venue.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsSettings {
    /// PEM file of who may have signed the venue's certificate.
    pub ca: PathBuf,
    /// Whom the venue's certificate must be for, where it is not the address's host.
    pub server_name: Option<String>,
    pub own: Option<tls::Identity>,
}

/// The version of FIX that a venue speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixVersion(pub Dialect);

impl FromStr for FixVersion {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "4.2" => Ok(FixVersion(Dialect::Fix42)),
            "4.4" => Ok(FixVersion(Dialect::Fix44)),
            _ => Err("expected 4.2 or 4.4"),
        }
    }
}

impl Display for FixVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Dialect::Fix42 => "4.2",
            Dialect::Fix44 => "4.4",
        })
    }
}

/// When our sequence numbers start at 1 again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberReset(pub Reset);

impl FromStr for NumberReset {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "when-lost" => Ok(NumberReset(Reset::WhenFresh)),
            "each-session" => Ok(NumberReset(Reset::EachSession)),
            _ => Err("expected when-lost or each-session"),
        }
    }
}

impl Display for NumberReset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Reset::EachSession => "each-session",
            Reset::Never | Reset::WhenFresh | Reset::Always => "when-lost",
        })
    }
}

impl VenueSettings {
    /// Messages that all our sessions to the venue may send in a second.
    pub fn rate_of_all(&self) -> u32 {
        let sessions = u32::try_from(self.comp_ids.len()).unwrap_or(u32::MAX);
        self.message_rate.saturating_mul(sessions)
    }

    /// As the simulated exchange at `address` is reached: its drop copies are there too, always, and in the clear.
    pub fn simulated(self, address: &str) -> VenueSettings {
        VenueSettings {
            address: address.to_owned(),
            tls: None,
            hours: SessionHours::default(),
            number_reset: NumberReset(Reset::WhenFresh),
            drop_copy: self.drop_copy.map(|copy| DropCopySettings {
                address: address.to_owned(),
                ..copy
            }),
            ..self
        }
    }

    /// What the sessions show and trust; `address` is where one of them dials.
    ///
    /// # Errors
    /// Which file is not what it should be.
    pub fn tls(&self, address: &str) -> Result<Option<Tls>> {
        let Some(TlsSettings {
            ca,
            server_name,
            own,
        }) = &self.tls
        else {
            return Ok(None);
        };
        let name = server_name.as_deref().unwrap_or(host_of(address));
        let name = name.to_owned();
        let of_venue = || format!("TLS of {}", self.venue);
        let server_name = ServerName::try_from(name).with_context(of_venue)?;
        let connector = tls::connector(ca, own.as_ref()).with_context(of_venue)?;
        Ok(Some(Tls {
            server_name,
            connector,
        }))
    }

    pub(super) fn read(reader: &mut Reader, venue: Venue) -> VenueSettings {
        reader.of_venue(venue);
        let address = reader.get(
            "exchange_address",
            "127.0.0.1:9880".to_owned(),
            |text: &String| is_address(text),
        );
        let CompIds(comp_ids) =
            reader.get("comp_id", CompIds(vec!["SQUAREOFF".to_owned()]), |_| None);
        let copy_address = reader.optional("drop_copy_address", |text: &String| is_address(text));
        let copy_id = reader.optional("drop_copy_comp_id", |text: &String| {
            (!is_comp_id(text, b"_-"))
                .then_some("expected 1 to 20 letters, digits, underscores and hyphens")
        });
        let copy_id = copy_id.unwrap_or_else(|| drop_copy_of(&comp_ids[0]));
        if comp_ids.contains(&copy_id) {
            reader.mistake(
                "drop_copy_comp_id is one of comp_id: a drop copy is a session of its own",
            );
        }
        let drop_copy = (copy_id != NONE).then(|| DropCopySettings {
            address: copy_address.unwrap_or_else(|| address.clone()),
            comp_id: copy_id,
        });
        let tls = tls_settings(reader);
        let hours = reader.get("session_hours", SessionHours::default(), |_| None);
        let number_reset = reader.get("number_reset", NumberReset(Reset::WhenFresh), |_| None);
        if number_reset.0 == Reset::EachSession && hours.0.is_none() {
            reader.mistake(
                "number_reset is each-session, but session_hours do not say when a session begins",
            );
        }
        let settings = VenueSettings {
            venue,
            address,
            comp_ids,
            fix_version: reader.get("fix_version", FixVersion(Dialect::Fix44), |_| None),
            tls,
            hours,
            number_reset,
            heartbeat_s: reader.get("heartbeat_s", 10, |seconds| {
                (!(1..=60).contains(seconds)).then_some("expected 1 to 60")
            }),
            resend_age_max_s: reader.get("resend_age_max_s", 10, |seconds| {
                (*seconds > 3_600).then_some("expected at most 3600")
            }),
            message_rate: reader.get("venue_message_rate", 100, |rate| {
                (!(1..=100_000).contains(rate)).then_some("expected 1 to 100000")
            }),
            cancel_on_disconnect: reader.get("cancel_on_disconnect", YesNo(false), |_| None).0,
            drop_copy,
        };
        reader.of_all();
        settings
    }

    /// Every setting of the venue, also those that are the default: what a child process is told stands over its file.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let none = || NONE.to_owned();
        let copy = self.drop_copy.as_ref();
        let tls = self.tls.as_ref();
        let own = tls.and_then(|tls| tls.own.as_ref());
        let path = |path: &PathBuf| path.display().to_string();
        vec![
            ("exchange_address", self.address.clone()),
            ("comp_id", self.comp_ids.join(",")),
            (
                "drop_copy_address",
                copy.map_or_else(|| self.address.clone(), |copy| copy.address.clone()),
            ),
            (
                "drop_copy_comp_id",
                copy.map_or_else(none, |copy| copy.comp_id.clone()),
            ),
            ("fix_version", self.fix_version.to_string()),
            ("tls_ca", tls.map_or_else(none, |tls| path(&tls.ca))),
            (
                "tls_server_name",
                tls.and_then(|tls| tls.server_name.clone())
                    .unwrap_or_else(none),
            ),
            (
                "tls_certificate",
                own.map_or_else(none, |own| path(&own.certificate)),
            ),
            ("tls_key", own.map_or_else(none, |own| path(&own.key))),
            ("session_hours", self.hours.to_string()),
            ("number_reset", self.number_reset.to_string()),
            ("heartbeat_s", self.heartbeat_s.to_string()),
            ("resend_age_max_s", self.resend_age_max_s.to_string()),
            ("venue_message_rate", self.message_rate.to_string()),
            (
                "cancel_on_disconnect",
                if self.cancel_on_disconnect {
                    "yes"
                } else {
                    "no"
                }
                .to_owned(),
            ),
        ]
    }
}

fn tls_settings(reader: &mut Reader) -> Option<TlsSettings> {
    let mut file = |key| {
        let file = reader.optional(key, |_: &String| None);
        file.filter(|file| file != NONE).map(PathBuf::from)
    };
    let [ca, certificate, key] = ["tls_ca", "tls_certificate", "tls_key"].map(&mut file);
    let server_name = reader.optional("tls_server_name", |name: &String| {
        ServerName::try_from(name.as_str())
            .is_err()
            .then_some("expected a host name or an IP address")
    });
    let server_name = server_name.filter(|name| name != NONE);
    let own = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(tls::Identity { certificate, key }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            reader.mistake("tls_certificate and tls_key go together: one of them is missing");
            None
        }
    };
    let Some(ca) = ca else {
        if own.is_some() || server_name.is_some() {
            reader.mistake("tls_ca is missing: without it nothing goes over TLS, and the other tls_ settings say that it should");
        }
        return None;
    };
    Some(TlsSettings {
        ca,
        server_name,
        own,
    })
}

/// The drop copy's CompID when none is set: always short enough, and never one of a session, which has no hyphen.
fn drop_copy_of(comp_id: &str) -> String {
    let end = comp_id.len().min(COMP_ID_MAX - DROP_COPY_SUFFIX.len());
    format!("{}{DROP_COPY_SUFFIX}", &comp_id[..end])
}

fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}
