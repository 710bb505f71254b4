//! The acceptor's side: many connections, each of which names its session with its first message.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{Application, DriverError, Endpoint, stopped};
use crate::codec::{Decoder, Frame, MESSAGE_BYTES_MAX};
use crate::session::LOGON_TIME_LIMIT_S;
use crate::tag;

/// Connections that have not logged on yet. Real peers take milliseconds for it; a flood gets no further.
pub const PENDING_CONNECTIONS_MAX: usize = 64;
/// A connection names its session within this, as long as a session waits for a Logon.
const FIRST_MESSAGE_TIME_LIMIT: Duration = Duration::from_secs(LOGON_TIME_LIMIT_S.unsigned_abs());
/// A peer that was just logged out and dials again at once waits this long for its last connection to be put away.
const HANDOVER_TIME_LIMIT: Duration = Duration::from_millis(500);
/// After a failed accept (out of file descriptors, mostly) others get time to close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The sessions an acceptor serves, by the peer's CompID and ours.
pub struct Registry<A> {
    sessions: HashMap<(String, String), Arc<Mutex<Endpoint<A>>>>,
}

impl<A: Application> Default for Registry<A> {
    fn default() -> Registry<A> {
        Registry::new()
    }
}

impl<A: Application> Registry<A> {
    /// No sessions.
    pub fn new() -> Registry<A> {
        Registry {
            sessions: HashMap::new(),
        }
    }

    /// Adds a session; one with the same CompIDs is replaced.
    pub fn add(&mut self, endpoint: Endpoint<A>) {
        let identity = &endpoint.config().identity;
        let key = (identity.target.clone(), identity.sender.clone());
        self.sessions.insert(key, Arc::new(Mutex::new(endpoint)));
    }
}

/// Accepts connections until `shutdown` turns true, then logs every session out and returns.
///
/// # Errors
/// [`DriverError`] when a journal failed: that session can't go on, and an acceptor without one of its
/// sessions should be looked at and started again.
pub async fn accept_loop<A: Application + 'static>(
    listener: TcpListener,
    registry: Registry<A>,
    shutdown: watch::Receiver<bool>,
) -> Result<(), DriverError> {
    let plain = |stream| std::future::ready(Ok(stream));
    accept_loop_with(listener, registry, plain, shutdown).await
}

/// The same over TLS: a connection that does not begin with a handshake is closed.
///
/// # Errors
/// As [`accept_loop`].
pub async fn accept_loop_tls<A: Application + 'static>(
    listener: TcpListener,
    registry: Registry<A>,
    tls: TlsAcceptor,
    shutdown: watch::Receiver<bool>,
) -> Result<(), DriverError> {
    accept_loop_with(
        listener,
        registry,
        move |stream| tls.accept(stream),
        shutdown,
    )
    .await
}

/// The same over whatever `open` makes of a connection, in the time that a first message may take; one that it fails for is closed.
///
/// # Errors
/// As [`accept_loop`].
pub async fn accept_loop_with<A, S, O, F>(
    listener: TcpListener,
    registry: Registry<A>,
    open: O,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), DriverError>
where
    A: Application + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    O: Fn(TcpStream) -> F,
    F: Future<Output = io::Result<S>> + Send + 'static,
{
    let registry = Arc::new(registry);
    let pending = Arc::new(Semaphore::new(PENDING_CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let serving = shutdown.clone();
    loop {
        tokio::select! {
            () = stopped(&mut shutdown) => break,
            Some(ended) = connections.join_next() => check(ended)?,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let Ok(permit) = Arc::clone(&pending).try_acquire_owned() else {
                        tracing::warn!(%peer, "refused a connection: too many have not logged on yet");
                        continue;
                    };
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::warn!(%peer, %error, "the connection broke");
                        continue;
                    }
                    let opening = open(stream);
                    let (registry, peer) = (Arc::clone(&registry), peer.to_string());
                    connections.spawn(serve_opened(opening, registry, peer, permit, serving.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    while let Some(ended) = connections.join_next().await {
        check(ended)?;
    }
    Ok(())
}

fn check(
    ended: Result<Result<(), DriverError>, tokio::task::JoinError>,
) -> Result<(), DriverError> {
    match ended {
        Ok(result) => result,
        Err(error) => {
            // A panic in the application: its session is dead, the others go on.
            tracing::error!(%error, "a session's task died");
            Ok(())
        }
    }
}

async fn serve_opened<A: Application, S: AsyncRead + AsyncWrite + Unpin + Send>(
    opening: impl Future<Output = io::Result<S>>,
    registry: Arc<Registry<A>>,
    peer: String,
    pending: OwnedSemaphorePermit,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), DriverError> {
    let opened = tokio::select! {
        opened = tokio::time::timeout(FIRST_MESSAGE_TIME_LIMIT, opening) => opened,
        () = stopped(&mut shutdown) => return Ok(()),
    };
    match opened {
        Ok(Ok(stream)) => {
            registry
                .serve_pending(stream, &peer, Some(pending), &mut shutdown)
                .await
        }
        Ok(Err(error)) => {
            tracing::warn!(peer, %error, "refused a connection: no TLS as it is asked for");
            Ok(())
        }
        Err(_) => {
            tracing::warn!(
                peer,
                "closed a connection that did not finish its TLS handshake"
            );
            Ok(())
        }
    }
}

impl<A: Application> Registry<A> {
    /// Serves one connection over any byte stream, from its first message to its end. `peer` is what the log calls it.
    ///
    /// # Errors
    /// [`DriverError`] when the session's journal failed.
    pub async fn serve<S>(
        &self,
        stream: S,
        peer: &str,
        shutdown: &mut watch::Receiver<bool>,
    ) -> Result<(), DriverError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        self.serve_pending(stream, peer, None, shutdown).await
    }

    async fn serve_pending<S>(
        &self,
        mut stream: S,
        peer: &str,
        pending: Option<OwnedSemaphorePermit>,
        shutdown: &mut watch::Receiver<bool>,
    ) -> Result<(), DriverError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let first = tokio::select! {
            first = tokio::time::timeout(FIRST_MESSAGE_TIME_LIMIT, first_message(&mut stream)) => first,
            () = stopped(shutdown) => return Ok(()),
        };
        let Ok(Some((key, already))) = first else {
            tracing::warn!(
                peer,
                "closed a connection that did not begin with a message"
            );
            return Ok(());
        };
        let (sender, target) = (&key.0, &key.1);
        let Some(endpoint) = self.sessions.get(&key) else {
            tracing::warn!(
                peer,
                sender,
                target,
                "refused a connection: unknown session"
            );
            return Ok(());
        };
        let taken = Arc::clone(endpoint).lock_owned();
        let Ok(mut endpoint) = tokio::time::timeout(HANDOVER_TIME_LIMIT, taken).await else {
            tracing::warn!(
                peer,
                sender,
                target,
                "refused a connection: already logged on"
            );
            return Ok(());
        };
        drop(pending);
        let ended = endpoint.run(stream, already, shutdown).await?;
        if !ended.was_logged_on {
            tracing::warn!(peer, sender, reason = %ended.why, "refused a log-on");
        }
        Ok(())
    }
}

/// The CompIDs of the first message, and all bytes read so far with it. `None`: no message.
async fn first_message(
    stream: &mut (impl AsyncRead + Unpin),
) -> Option<((String, String), BytesMut)> {
    let mut read = BytesMut::with_capacity(4096);
    while read.len() <= MESSAGE_BYTES_MAX {
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
        let mut decoder = Decoder::with(read.clone());
        match decoder.next() {
            None => {}
            Some(Frame::Garbled(_)) => return None,
            Some(Frame::Message(message)) => {
                let text = |tag| {
                    let value = message.get(tag).unwrap_or_default();
                    String::from_utf8_lossy(value).into_owned()
                };
                let key = (text(tag::SENDER_COMP_ID), text(tag::TARGET_COMP_ID));
                return Some((key, read));
            }
        }
    }
    None
}
