//! Connections: HTTP/2 over TCP or TLS, as many as [`CONNECTIONS_MAX`], each on a task of its own.

use crate::faults::{Peer, Socket};
use crate::prompt::Prompt;
use crate::server::Shared;
use crate::service;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// More connections wait in the system's queue. A client has one, an auditor's few.
const CONNECTIONS_MAX: usize = 1_024;
/// Calls under way on one connection: a client multiplexes all of its own over it.
const CALLS_MAX: u32 = 1_024;
/// A peer that does not finish its handshake holds a place for so long.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// How often a silent peer is asked whether it is there, and how long it has to answer.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_MAX: Duration = Duration::from_secs(20);
/// What a connection may have under way when the server stops.
const GRACE: Duration = Duration::from_secs(2);
/// Bytes that a peer may send ahead, per call and in all: two of the largest appends.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;
/// After an error of the listener (no file descriptors left), a moment in which some may come free.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut closing = pin!(shared.closing());
    loop {
        let place = places.clone().acquire_owned();
        let accepted = async {
            let place = place.await.expect("the semaphore is never closed");
            (listener.accept().await, place)
        };
        tokio::select! {
            () = &mut closing => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            (accepted, place) = accepted => match accepted {
                Ok((stream, _)) => {
                    let (tls, shared) = (tls.clone(), shared.clone());
                    connections.spawn(async move {
                        connection(stream, tls, shared).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    // Answers are small and awaited: waiting for more to send with them costs 40 ms.
    let prepared = stream.set_nodelay(true).and_then(|()| Socket::of(&stream));
    let Ok((socket, peer)) = prepared else { return };
    let stream = Prompt(stream);
    match tls {
        None => calls(stream, &socket, peer, &shared).await,
        Some(tls) => {
            let shaken = tokio::time::timeout(HANDSHAKE_MAX, tls.accept(stream)).await;
            match shaken {
                Ok(Ok(stream)) => calls(stream, &socket, peer, &shared).await,
                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            }
        }
    }
}

async fn calls(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    socket: &Socket,
    peer: Peer,
    shared: &Arc<Shared>,
) {
    let answer = service_fn(|request| {
        let (shared, peer) = (shared.clone(), peer.clone());
        async move { Ok::<_, Infallible>(service::answer(shared, peer, request).await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(PING_EVERY))
        .keep_alive_timeout(PING_MAX)
        .max_concurrent_streams(CALLS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke");
            }
        }
        () = socket.reset() => {}
        () = shared.closing() => {
            connection.as_mut().graceful_shutdown();
            // What is not done by then is cut off.
            let _ = tokio::time::timeout(GRACE, connection).await;
        }
    }
}
