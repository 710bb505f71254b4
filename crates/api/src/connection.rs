//! Connections: HTTP/1.1 and HTTP/2 over TCP or TLS, at most [`CONNECTIONS_MAX`], each on a task of its own and none for ever.
//!
//! 1. A peer that is slow to shake hands, to send a request's head or its body, holds a place for a bounded time.
//! 2. When the server stops, requests under way are finished, for at most [`DRAIN_MAX`]; nothing new begins.

use crate::socket::Socket;
use crate::tls::Tls;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

/// More connections wait in the system's queue: 12,000 may hold live updates, the rest ask.
const CONNECTIONS_MAX: usize = 16_384;
/// A peer that does not finish its TLS handshake holds a place for so long.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// From a connection's first byte, or its last answer, until the next request's head is whole.
const HEAD_MAX: Duration = Duration::from_secs(30);
/// Bytes of a request's head: the longest path and token that we give take less than a quarter.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
/// Requests under way on one HTTP/2 connection: a browser's page asks for a dozen at once.
const STREAMS_MAX: u32 = 128;
/// How often a silent HTTP/2 peer is asked whether it is there, and how long it has to answer.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_MAX: Duration = Duration::from_secs(20);
/// What requests under way have when the server stops: less than the supervisor waits before it kills.
const DRAIN_MAX: Duration = Duration::from_secs(8);
/// After an error of the listener (no file descriptors left), a moment in which some may come free.
const PAUSE: Duration = Duration::from_millis(50);

/// What is accepted, and what it is answered with.
pub(crate) struct Accepting {
    pub listener: TcpListener,
    pub router: Router,
    pub tls: Option<Tls>,
    /// For so long a peer may take nothing of what waits for it, or not answer, before its connection is given up.
    pub silence_max: Duration,
}

impl Accepting {
    /// Accepts until `shutdown` ends, then drains: until no request is under way and `emptied` has ended, at most for [`DRAIN_MAX`].
    pub async fn run(self, shutdown: impl Future<Output = ()>, emptied: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let (stop, stopping) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let place = places.clone().acquire_owned();
            let accepted = async {
                let place = place.await.expect("the semaphore is never closed");
                (self.listener.accept().await, place)
            };
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                (accepted, place) = accepted => match accepted {
                    Ok((stream, peer)) => {
                        let stream = Socket::new(stream, self.silence_max);
                        let (router, tls, stopping) = (self.router.clone(), self.tls.clone(), stopping.clone());
                        connections.spawn(async move {
                            shake_hands(stream, peer, router, tls, stopping).await;
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
        drop(self.listener);
        stop.send_replace(true);
        let drained = tokio::time::timeout(DRAIN_MAX, async {
            while connections.join_next().await.is_some() {}
            emptied.await;
        });
        if drained.await.is_err() {
            tracing::warn!(
                connections = connections.len(),
                "requests that were still under way are cut off"
            );
        }
    }
}

async fn shake_hands(
    stream: Socket,
    peer: SocketAddr,
    router: Router,
    tls: Option<Tls>,
    stopping: watch::Receiver<bool>,
) {
    let Some(tls) = tls else {
        return serve(stream, peer, router, stopping).await;
    };
    match tokio::time::timeout(HANDSHAKE_MAX, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => serve(stream, peer, router, stopping).await,
        Ok(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(Some(PING_EVERY))
        .keep_alive_timeout(PING_MAX);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    let told = async move { drop(stopping.wait_for(|stopping| *stopping).await) };
    tokio::select! {
        ended = connection.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(%error, %peer, "a connection broke");
            }
        }
        () = told => {
            connection.as_mut().graceful_shutdown();
            if let Err(error) = connection.await {
                tracing::debug!(%error, %peer, "a connection broke while the server stopped");
            }
        }
    }
}
