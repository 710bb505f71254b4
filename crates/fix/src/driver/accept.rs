//! The acceptor's side: many connections, each of which names its session with its first message.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::{Application, DriverError, Endpoint, stopped};
use crate::codec::{Decoder, Frame, MESSAGE_BYTES_MAX};
use crate::session::LOGON_TIME_LIMIT_S;
use crate::tag;

/// Connections that have not logged on yet. Real peers take milliseconds for it; a flood gets no further.
pub const PENDING_CONNECTIONS_MAX: usize = 64;
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
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), DriverError> {
    let registry = Arc::new(registry);
    let pending = Arc::new(Semaphore::new(PENDING_CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
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
                    let (registry, shutdown) = (Arc::clone(&registry), shutdown.clone());
                    connections.spawn(serve(stream, registry, permit, shutdown));
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

async fn serve<A: Application + 'static>(
    mut stream: TcpStream,
    registry: Arc<Registry<A>>,
    pending: OwnedSemaphorePermit,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), DriverError> {
    let peer = stream
        .peer_addr()
        .map(|a| a.to_string())
        .unwrap_or_default();
    if let Err(error) = stream.set_nodelay(true) {
        tracing::warn!(peer, %error, "the connection broke");
        return Ok(());
    }
    let limit = Duration::from_secs(LOGON_TIME_LIMIT_S.unsigned_abs());
    let first = tokio::select! {
        first = tokio::time::timeout(limit, first_message(&mut stream)) => first,
        () = stopped(&mut shutdown) => return Ok(()),
    };
    let Ok(Some((key, already))) = first else {
        tracing::warn!(
            peer,
            "closed a connection that did not begin with a message"
        );
        return Ok(());
    };
    let Some(endpoint) = registry.sessions.get(&key) else {
        tracing::warn!(
            peer,
            sender = key.0,
            target = key.1,
            "refused a connection: unknown session"
        );
        return Ok(());
    };
    let Ok(mut endpoint) = Arc::clone(endpoint).try_lock_owned() else {
        tracing::warn!(
            peer,
            sender = key.0,
            target = key.1,
            "refused a connection: already logged on"
        );
        return Ok(());
    };
    drop(pending);
    let ended = endpoint.run(stream, already, &mut shutdown).await?;
    if !ended.was_logged_on {
        tracing::warn!(peer, sender = key.0, reason = %ended.why, "refused a log-on");
    }
    Ok(())
}

/// The CompIDs of the first message, and all bytes read so far with it. `None`: no message.
async fn first_message(stream: &mut TcpStream) -> Option<((String, String), BytesMut)> {
    let mut read = BytesMut::with_capacity(4096);
    while read.len() <= MESSAGE_BYTES_MAX {
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
        let mut decoder = Decoder {
            buffer: read.clone(),
        };
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
