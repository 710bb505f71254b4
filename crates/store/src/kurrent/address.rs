//! The connection string: what the operator writes, checked and completed before the client sees it.
//!
//! 1. Every mistake is one sentence, and none of them repeats the password.
//! 2. A setting that the client would ignore is refused: a mistyped `tls` must not be found out in production.
//! 3. What the client can't live with is completed: it never connects with one discovery attempt, and sleeps half a second before its
//!    first, which a supervisor that rebuilds clients would pay each time.

use crate::OpenError;
use kurrentdb::{ClientSettings, Endpoint};
use std::fmt;
use std::time::Duration;

/// Schemes of the client, and whether the hosts are found through DNS.
const SCHEMES: [(&str, bool); 8] = [
    ("kurrentdb", false),
    ("kurrent", false),
    ("kdb", false),
    ("esdb", false),
    ("kurrentdb+discover", true),
    ("kurrent+discover", true),
    ("kdb+discover", true),
    ("esdb+discover", true),
];
/// Settings of the client, in lower case.
const SETTINGS: [&str; 13] = [
    "connectionname",
    "defaultdeadline",
    "discoveryinterval",
    "gossiptimeout",
    "keepaliveinterval",
    "keepalivetimeout",
    "maxdiscoverattempts",
    "nodepreference",
    "tls",
    "tlscafile",
    "tlsverifycert",
    "usercertfile",
    "userkeyfile",
];
/// One call's time, unless `defaultDeadline` says otherwise; a call without an answer by then is ambiguous. KurrentDB itself gives up a
/// write after two seconds.
const CALL_MAX: Duration = Duration::from_millis(2_500);
/// Calls that one append, or one read, may take to get its answer.
const CALLS_MAX: u32 = 4;
/// KurrentDB's own, where the address names none.
const PORT: u16 = 2_113;
/// Before each discovery attempt, unless `discoveryInterval` says otherwise.
const DISCOVERY_INTERVAL_MS: &str = "50";

/// A connection string that the client takes.
#[derive(Clone)]
pub(super) struct Address {
    scheme: &'static str,
    credentials: Option<String>,
    hosts: Vec<String>,
    settings: Vec<(String, String)>,
    call_max: Duration,
}

impl Address {
    /// # Errors
    /// [`OpenError::Address`].
    pub(super) fn parse(text: &str) -> Result<Address, OpenError> {
        parse(text).map_err(|reason| OpenError::Address { reason })
    }

    /// How long one call may take.
    pub(super) fn call_max(&self) -> Duration {
        self.call_max
    }

    /// How long an answer is sought.
    pub(super) fn answer_max(&self) -> Duration {
        self.call_max * CALLS_MAX
    }

    /// `host:port` of the first, as a socket takes it.
    pub(super) fn first_host(&self) -> String {
        let first = &self.hosts[0];
        let has_port = first
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.ends_with(']'));
        if has_port {
            first.clone()
        } else {
            format!("{first}:{PORT}")
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        let set = self
            .settings
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("tls"));
        set.is_none_or(|(_, value)| value != "false")
    }

    /// The client's settings, for this one node when it is known to lead.
    ///
    /// # Errors
    /// [`OpenError::Address`] with what the client says of it.
    pub(super) fn settings(&self, leader: Option<&Endpoint>) -> Result<ClientSettings, OpenError> {
        let text = self.text(leader);
        text.parse()
            .map_err(|error: kurrentdb::ClientSettingsParseError| {
                // The client's own message holds the whole text when it has a cause, and the password with it.
                let reason = error
                    .error()
                    .map_or_else(|| error.message().to_owned(), ToString::to_string);
                OpenError::Address { reason }
            })
    }

    fn text(&self, leader: Option<&Endpoint>) -> String {
        let (scheme, hosts) = match leader {
            Some(leader) => ("kurrentdb", format!("{}:{}", leader.host, leader.port)),
            None => (self.scheme, self.hosts.join(",")),
        };
        let credentials = self
            .credentials
            .iter()
            .map(|credentials| format!("{credentials}@"));
        let settings = self
            .settings
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        format!(
            "{scheme}://{}{hosts}/?{}",
            credentials.collect::<String>(),
            settings.collect::<Vec<_>>().join("&")
        )
        .replacen("/?", if hosts.contains(',') { "?" } else { "/?" }, 1)
    }
}

/// Without the credentials.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.hosts.join(","))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

fn parse(text: &str) -> Result<Address, String> {
    let (scheme, rest) = text
        .split_once("://")
        .ok_or("expected kurrentdb://host:port")?;
    let known = SCHEMES.iter().find(|(known, _)| *known == scheme);
    let (scheme, discover) =
        known.ok_or_else(|| format!("`{scheme}` is no scheme; expected kurrentdb://host:port"))?;
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (credentials, hosts) = match place.rsplit_once('@') {
        Some((credentials, hosts)) => (Some(credentials.to_owned()), hosts),
        None => (None, place),
    };
    if credentials
        .as_ref()
        .is_some_and(|credentials| credentials.starts_with(':') || credentials.is_empty())
    {
        return Err("the user has no name".to_owned());
    }
    // The client hands them on as they stand in the URL.
    let escaped = |credentials: &String| credentials.contains(['%', ' ', '/']);
    if credentials.as_ref().is_some_and(escaped) {
        let reason = "user and password must be of characters that a URL takes as they are";
        return Err(reason.to_owned());
    }
    let hosts = hosts.trim_end_matches('/').split(',').map(host);
    let hosts = hosts.collect::<Result<Vec<_>, _>>()?;
    if *discover && hosts.len() > 1 {
        return Err("a cluster is discovered through one name, not several".to_owned());
    }
    let settings = query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(setting);
    let mut settings = settings.collect::<Result<Vec<_>, _>>()?;
    let has = |settings: &[(String, String)], name: &str| {
        settings
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
    };
    for (name, _) in &settings {
        if settings
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .count()
            > 1
        {
            return Err(format!("`{name}` is said twice"));
        }
    }
    if let Some((_, preference)) = settings
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("nodePreference"))
        && !preference.eq_ignore_ascii_case("leader")
    {
        return Err(
            "nodePreference must be leader: what another node answers may be old".to_owned(),
        );
    }
    let call_max = settings
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("defaultDeadline"));
    let call_max = match call_max.map(|(_, value)| value.parse::<u32>()) {
        None => CALL_MAX,
        Some(Ok(milliseconds)) if milliseconds > 0 => Duration::from_millis(milliseconds.into()),
        Some(_) => {
            return Err("defaultDeadline must be a number of milliseconds above 0".to_owned());
        }
    };
    // With one attempt the client gives up before its first.
    settings.iter_mut().for_each(|(name, value)| {
        if name.eq_ignore_ascii_case("maxDiscoverAttempts") && value.parse() == Ok(1) {
            "2".clone_into(value);
        }
    });
    if !has(&settings, "discoveryInterval") {
        settings.push((
            "discoveryInterval".to_owned(),
            DISCOVERY_INTERVAL_MS.to_owned(),
        ));
    }
    let address = Address {
        scheme,
        credentials,
        hosts,
        settings,
        call_max,
    };
    address.settings(None).map_err(|error| match error {
        OpenError::Address { reason } => reason,
        other => other.to_string(),
    })?;
    Ok(address)
}

fn host(text: &str) -> Result<String, String> {
    let port = match text.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((_, port)) if !port.ends_with(']') => Some(port),
        _ => None,
    };
    let name = port.map_or(text, |port| &text[..text.len() - port.len() - 1]);
    if name.is_empty() || name.contains(['/', ' ']) {
        return Err(format!("`{text}` is not host:port"));
    }
    match port.map(str::parse::<u16>) {
        Some(Err(_) | Ok(0)) => Err(format!("`{text}` has no port between 1 and 65535")),
        Some(Ok(_)) | None => Ok(text.to_owned()),
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    if !SETTINGS.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(format!("`{name}` is no setting of a connection"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_completed_and_never_shows_its_password() {
        for text in [
            "kurrentdb://squareoff:secret@db.example:2113?tlsCaFile=/etc/ca.pem",
            "esdb://squareoff:secret@a:1,b:2,c:3/?tls=false&maxDiscoverAttempts=1",
            "kurrentdb+discover://squareoff:secret@cluster.example",
            "kurrentdb://squareoff:secret@[::1]:2113?defaultDeadline=300",
        ] {
            let address = Address::parse(text).unwrap();
            let settings = address.settings(None).unwrap();
            assert!(settings.max_discover_attempts() >= 2);
            assert_eq!(settings.discovery_interval(), Duration::from_millis(50));
            assert!(settings.default_authenticated_user().is_some(), "{text}");
            for shown in [address.to_string(), format!("{address:?}")] {
                assert!(!shown.contains("cret"), "{shown}");
            }
            let leader = Endpoint {
                host: "d".to_owned(),
                port: 4,
            };
            let to_leader = address.settings(Some(&leader)).unwrap();
            assert_eq!(to_leader.hosts(), &[leader]);
            assert!(!to_leader.is_dns_discovery_enabled());
        }
        let three = Address::parse("kurrentdb://a:1,b:2,c:3?tls=false").unwrap();
        assert_eq!(three.settings(None).unwrap().hosts().len(), 3);
        let quick = Address::parse("kurrentdb://a?defaultDeadline=300").unwrap();
        assert_eq!(quick.answer_max(), Duration::from_millis(1_200));
    }

    #[test]
    fn a_mistake_is_one_sentence_without_the_password() {
        for (text, message) in [
            (
                "postgres://a",
                "`postgres` is no scheme; expected kurrentdb://host:port",
            ),
            ("kurrentdb:a", "expected kurrentdb://host:port"),
            ("kurrentdb://", "`` is not host:port"),
            ("kurrentdb://u:secret@:2113", "`:2113` is not host:port"),
            (
                "kurrentdb://u:secret@a:70000",
                "`a:70000` has no port between 1 and 65535",
            ),
            (
                "kurrentdb://u:secret@a:1,b:x",
                "`b:x` has no port between 1 and 65535",
            ),
            ("kurrentdb://:secret@a:1", "the user has no name"),
            (
                "kurrentdb://u:secret%40@a:1",
                "user and password must be of characters that a URL takes as they are",
            ),
            ("kurrentdb://u:secret@a/b", "`a/b` is not host:port"),
            (
                "kurrentdb://a?tsl=false",
                "`tsl` is no setting of a connection",
            ),
            ("kurrentdb://a?tls=false&TLS=true", "`tls` is said twice"),
            (
                "kurrentdb://a?defaultDeadline=-1",
                "defaultDeadline must be a number of milliseconds above 0",
            ),
            (
                "kurrentdb+discover://a,b",
                "a cluster is discovered through one name, not several",
            ),
            (
                "kurrentdb://a?nodePreference=follower",
                "nodePreference must be leader: what another node answers may be old",
            ),
            (
                "kurrentdb://a?userCertFile=c",
                "Invalid user certificate settings. Both userCertFile and userKeyFile must be provided",
            ),
        ] {
            let error = Address::parse(text).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("the address of the event log is wrong: {message}")
            );
        }
        let error = Address::parse("kurrentdb://u:secret@a?tls=maybe")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("tls") && !error.contains("secret"),
            "{error}"
        );
    }
}
