//! The initiator's side: dial, run, wait, dial again.

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{Application, DriverError, Endpoint, stopped};

/// The first wait before dialling again: a peer that restarts is back within tens of milliseconds.
pub const BACKOFF_MS_MIN: u64 = 50;
/// The longest wait: what an exchange that came back has to wait for us at most.
pub const BACKOFF_MS_MAX: u64 = 2_000;
/// Outside its hours a session looks at the clock this often, which may be set meanwhile.
const HOURS_CHECK: Duration = Duration::from_secs(60);
/// A dial without an answer is given up after this.
const DIAL_TIME_LIMIT: Duration = Duration::from_secs(5);

/// Keeps the session connected to `address` over TCP until `shutdown` turns true.
///
/// # Errors
/// [`DriverError`] when the journal failed.
pub async fn connect_loop<A: Application>(
    address: &str,
    endpoint: &mut Endpoint<A>,
    shutdown: watch::Receiver<bool>,
) -> Result<(), DriverError> {
    let dial = || async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    connect_loop_with(dial, endpoint, shutdown).await
}

/// The same over TLS. `server_name` is what the peer's certificate must be for.
///
/// # Errors
/// [`DriverError`] when the journal failed.
pub async fn connect_loop_tls<A: Application>(
    address: &str,
    server_name: ServerName<'static>,
    tls: TlsConnector,
    endpoint: &mut Endpoint<A>,
    shutdown: watch::Receiver<bool>,
) -> Result<(), DriverError> {
    let dial = || async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        tls.connect(server_name.clone(), stream).await
    };
    connect_loop_with(dial, endpoint, shutdown).await
}

/// Whether the session's schedule has a session now; when not, some of the time until then has passed.
async fn in_hours<A: Application>(
    endpoint: &Endpoint<A>,
    shutdown: &mut watch::Receiver<bool>,
) -> bool {
    let now = endpoint.now();
    let Some(schedule) = &endpoint.config().schedule else {
        return true;
    };
    if schedule.current(now).is_some() {
        return true;
    }
    let until = schedule.next_start(now).map(|start| start.since(now));
    let until = until.and_then(|nanos| u64::try_from(nanos).ok());
    let wait = until
        .map_or(HOURS_CHECK, Duration::from_nanos)
        .min(HOURS_CHECK);
    tokio::select! {
        () = stopped(shutdown) => {}
        () = tokio::time::sleep(wait) => {}
    }
    false
}

/// The same over any way to get a byte stream.
///
/// # Errors
/// [`DriverError`] when the journal failed.
pub async fn connect_loop_with<A, S, D, F>(
    mut dial: D,
    endpoint: &mut Endpoint<A>,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), DriverError>
where
    A: Application,
    S: AsyncRead + AsyncWrite + Send,
    D: FnMut() -> F,
    F: Future<Output = io::Result<S>>,
{
    let mut wait_ms = BACKOFF_MS_MIN;
    let target = endpoint.config().identity.target.clone();
    while !*shutdown.borrow() {
        if !in_hours(endpoint, &mut shutdown).await {
            continue;
        }
        match tokio::time::timeout(DIAL_TIME_LIMIT, dial()).await {
            Ok(Ok(stream)) => {
                let ended = endpoint.run(stream, BytesMut::new(), &mut shutdown).await?;
                if ended.was_logged_on {
                    wait_ms = BACKOFF_MS_MIN;
                } else {
                    tracing::warn!(fix.target = %target, reason = %ended.why, "could not log on");
                }
            }
            Ok(Err(error)) => {
                tracing::warn!(fix.target = %target, %error, wait_ms, "could not connect");
            }
            Err(_) => tracing::warn!(fix.target = %target, wait_ms, "no answer to the dial"),
        }
        tokio::select! {
            () = stopped(&mut shutdown) => break,
            () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
        }
        wait_ms = (wait_ms * 2).min(BACKOFF_MS_MAX);
    }
    Ok(())
}
