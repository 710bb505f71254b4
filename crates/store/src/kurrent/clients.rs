//! Clients, supervised. The crate's client is dead for good after one failed connect, and never leaves a node that went away; so it is
//! thrown away on the first doubt and built anew, with a pause that grows, and toward the leader when a node named it.

use super::address::Address;
use crate::OpenError;
use kurrentdb::{Client, Endpoint, Error};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// Pause behind a connect that failed; doubled each time.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
/// A server that is back is found within this.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Releases whose protocol this adapter was written to. Batch appends came with 21.6.
const MAJORS: std::ops::RangeInclusive<usize> = 21..=26;

/// All that the client says of a connection that did not come about.
const NO_CONNECTION: &str = "client error";

/// What it says of an answer that is none of gRPC's.
const NOT_GRPC: [&str; 2] = ["invalid compression flag", "status: 404"];
/// What it says of a first answer that is not HTTP/2, as that of a web server.
const NOT_HTTP2: [&str; 2] = ["h2 protocol error", "operation was canceled"];
const NO_KURRENTDB: &str = "what answers there is no KurrentDB";

/// The one client of a runtime, while it lives.
#[derive(Debug)]
pub(super) struct Clients {
    address: Address,
    current: Mutex<Current>,
    /// Who builds; others wait for the outcome.
    building: tokio::sync::Mutex<Building>,
}

#[derive(Debug, Default)]
struct Current {
    live: Option<Arc<Live>>,
    /// Whom a node that does not lead named.
    leader: Option<Endpoint>,
}

#[derive(Debug)]
struct Building {
    pause: Duration,
    next_at: Instant,
    failed: Option<OpenError>,
}

/// A client that has connected.
pub(super) struct Live {
    pub(super) client: Client,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Live")
    }
}

impl Clients {
    pub(super) fn new(address: Address) -> Self {
        Clients {
            address,
            current: Mutex::default(),
            building: tokio::sync::Mutex::new(Building {
                pause: PAUSE_FIRST,
                next_at: Instant::now(),
                failed: None,
            }),
        }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// A client that has connected, by `until`.
    ///
    /// # Errors
    /// Why there is none: the last failed connect, in one sentence.
    pub(super) async fn live(&self, until: Instant) -> Result<Arc<Live>, OpenError> {
        if let Some(live) = self.current().live.clone() {
            return Ok(live);
        }
        let Ok(mut building) = timeout_at(until, self.building.lock()).await else {
            return Err(self.unreachable("no connection came about in time"));
        };
        loop {
            if let Some(live) = self.current().live.clone() {
                return Ok(live);
            }
            if let Some(failed) = building
                .failed
                .clone()
                .filter(|_| building.next_at >= until)
            {
                return Err(failed);
            }
            sleep_until(building.next_at).await;
            match self.connect().await {
                Ok(live) => {
                    building.pause = PAUSE_FIRST;
                    building.failed = None;
                    return Ok(live);
                }
                Err(error) => {
                    building.next_at = Instant::now() + building.pause;
                    building.pause = (building.pause * 2).min(PAUSE_MAX);
                    building.failed = Some(error);
                }
            }
        }
    }

    /// One attempt to connect, now.
    ///
    /// # Errors
    /// [`OpenError`], in one sentence.
    pub(super) async fn connect(&self) -> Result<Arc<Live>, OpenError> {
        let leader = self.current().leader.take();
        let settings = self.address.settings(leader.as_ref())?;
        let runtime = tokio::runtime::Handle::current();
        // It reads certificates from files, and panics over some that are none.
        let built =
            tokio::task::spawn_blocking(move || Client::with_runtime_handle(runtime, settings));
        let client = match built.await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => {
                let reason = format!("its certificates can't be used: {error}");
                return Err(self.unreachable(&reason));
            }
            Err(_) => return Err(self.unreachable("its certificate file can't be read")),
        };
        let info = match timeout(self.address.call_max() * 2, client.server_info()).await {
            Ok(Ok(info)) => info,
            Ok(Err(error)) if error.to_string().contains(NO_CONNECTION) => {
                return Err(self.unreachable(self.diagnose().await));
            }
            Ok(Err(error)) if has_any(&error.to_string(), &NOT_HTTP2) => {
                return Err(self.unreachable(NO_KURRENTDB));
            }
            Ok(Err(error)) => return Err(self.explain(&error)),
            Err(_) => return Err(self.unreachable("it does not answer")),
        };
        let version = info.version();
        if !MAJORS.contains(&version.major()) {
            // A server that does not say is 0.0.0 to the client.
            let found = Some(version.to_string()).filter(|_| version.major() > 0);
            return Err(self.other_version(found));
        }
        let live = Arc::new(Live { client });
        self.current().live = Some(live.clone());
        Ok(live)
    }

    /// A client that is not to be used any more; `error` says why, and perhaps who leads.
    pub(super) fn lost(&self, live: &Arc<Live>, error: Option<&Error>) {
        let mut current = self.current();
        if current
            .live
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, live))
        {
            current.live = None;
            if let Some(Error::NotLeaderException(leader)) = error {
                current.leader = Some(leader.clone());
            }
        }
    }

    /// Why no connection comes about: the client does not say.
    async fn diagnose(&self) -> &'static str {
        let connecting = tokio::net::TcpStream::connect(self.address.first_host());
        match timeout(self.address.call_max(), connecting).await {
            Err(_) => "it does not answer",
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                "the connection is refused"
            }
            Ok(Err(_)) => "its name is not known, or it can't be reached from here",
            Ok(Ok(_)) if self.address.is_tls() => {
                "its certificate is not one that is trusted here (tlsCaFile names who signed it), or it does not speak TLS (tls=false \
                 connects without)"
            }
            Ok(Ok(_)) => "it is no KurrentDB, or speaks only TLS (tls=true)",
        }
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current
            .lock()
            .expect("nothing panics while holding the client")
    }

    pub(super) fn unreachable(&self, reason: &str) -> OpenError {
        OpenError::Unreachable {
            address: self.address.to_string(),
            reason: reason.to_owned(),
        }
    }

    fn other_version(&self, found: Option<String>) -> OpenError {
        OpenError::ServerVersion {
            address: self.address.to_string(),
            found: found.unwrap_or_else(|| "unknown".to_owned()),
            known: format!("{} to {}", MAJORS.start(), MAJORS.end()),
        }
    }

    /// What the client says of a failed connect, in words of the operator's.
    pub(super) fn explain(&self, error: &Error) -> OpenError {
        let text = error.to_string();
        match error {
            _ if text.contains("invalid semver") => self.other_version(None),
            Error::AccessDenied => self.unreachable("it denies access: user or password are wrong"),
            Error::GrpcConnectionError(
                kurrentdb::GrpcConnectionError::MaxDiscoveryAttemptReached(_),
            ) => self.unreachable("no node of it answers"),
            // What a web server answers to a call of gRPC's.
            _ if has_any(&text, &NOT_GRPC) => self.unreachable(NO_KURRENTDB),
            _ => self.unreachable(&one_line(&text)),
        }
    }
}

fn has_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|words| text.contains(words))
}

/// The client's messages go over several lines and end with a full stop.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kurrentdb::GrpcConnectionError;

    #[test]
    fn what_the_client_says_becomes_one_sentence() {
        let clients = Clients::new(Address::parse("kurrentdb://u:secret@db.example").unwrap());
        let grpc =
            |text: &str| Error::GrpcConnectionError(GrpcConnectionError::Grpc(text.to_owned()));
        for (error, sentence) in [
            (
                grpc("status: InvalidArgument, message: \"invalid semver format\""),
                "the server at kurrentdb://db.example is of version unknown; this release works with KurrentDB 21 to 26",
            ),
            (
                Error::AccessDenied,
                "the event log at kurrentdb://db.example can't be used: it denies access: user or password are wrong",
            ),
            (
                grpc(
                    "status: Internal, message: \"protocol error: received message with invalid compression flag: 123 (valid flags are 0 and 1) while receiving response with status: 404 Not Found\"",
                ),
                "the event log at kurrentdb://db.example can't be used: what answers there is no KurrentDB",
            ),
            (
                grpc("something\n   new"),
                "the event log at kurrentdb://db.example can't be used: gRPC connection error: Unmapped gRPC connection error: something new",
            ),
        ] {
            assert_eq!(clients.explain(&error).to_string(), sentence);
        }
        assert_eq!(
            clients.other_version(Some("5.0.11".to_owned())).to_string(),
            "the server at kurrentdb://db.example is of version 5.0.11; this release works with KurrentDB 21 to 26"
        );
    }
}
