//! Connections: HTTP/1.1 and HTTP/2 over TCP or TLS, as many as the node's [`Bounds`] say, each on a task of its own and none for ever.
//!
//! 1. A peer that is slow to shake hands, to send a request's head or its body, or that says nothing, holds a place for a bounded time.
//! 2. When the server stops, requests under way are finished, for at most `drain_max`; nothing new begins.

use crate::limits::Bounds;
use crate::socket::Socket;
use crate::tls::Tls;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

/// Bytes of a request's head: the longest path and token that we give take less than a quarter.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
/// Requests under way on one HTTP/2 connection: a browser's page asks for a dozen at once.
const STREAMS_MAX: u32 = 128;
/// How often a silent HTTP/2 peer is asked whether it is there, and how long it has to answer.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_MAX: Duration = Duration::from_secs(20);
/// What a peer that asks nothing has to take in that its connection ends.
const FAREWELL_MAX: Duration = Duration::from_secs(1);
/// After an error of the listener (no file descriptors left), a moment in which some may come free.
const PAUSE: Duration = Duration::from_millis(50);

/// What is accepted, and what it is answered with.
pub(crate) struct Accepting {
    pub listener: TcpListener,
    pub router: Router,
    pub tls: Option<Tls>,
    pub bounds: Bounds,
    /// For so long a peer may take nothing of what waits for it, or not answer, before its connection is given up.
    pub silence_max: Duration,
}

impl Accepting {
    /// Accepts until `shutdown` ends, then drains: until no request is under way and `emptied` has ended, at most for
    /// `drain_max`.
    pub async fn run(self, shutdown: impl Future<Output = ()>, emptied: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(self.bounds.connections_max));
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
                        let connection = Connection {
                            peer,
                            router: self.router.clone(),
                            bounds: self.bounds,
                            stopping: stopping.clone(),
                        };
                        let tls = self.tls.clone();
                        connections.spawn(async move {
                            connection.shake_hands(stream, tls).await;
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
        let drained = tokio::time::timeout(self.bounds.drain_max, async {
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

/// The requests of a connection.
#[derive(Default)]
struct Asked {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Asked {
    /// Returns when nothing was under way for so long, at most twice as long. hyper's own limit begins when it knows which HTTP it is, for
    /// a peer that says nothing never, and HTTP/2 has none. Looked at now and then: a request should not pay for a timer.
    async fn idle(&self, for_so_long: Duration) {
        loop {
            let before = self.begun.load(Ordering::Acquire);
            tokio::time::sleep(for_so_long).await;
            let begun = self.begun.load(Ordering::Acquire);
            if begun == before && self.ended.load(Ordering::Acquire) == begun {
                return;
            }
        }
    }
}

/// A request of a connection as long as it lives.
struct UnderWay(Arc<Asked>);

impl UnderWay {
    fn begin(asked: &Arc<Asked>) -> Self {
        asked.begun.fetch_add(1, Ordering::AcqRel);
        UnderWay(Arc::clone(asked))
    }

    fn until_end(self, body: Body) -> impl hyper::body::Body<Data = Bytes, Error = axum::Error> {
        body.map_err(move |error| {
            let _ = &self;
            error
        })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::AcqRel);
    }
}

/// What one connection is served with.
struct Connection {
    peer: SocketAddr,
    router: Router,
    bounds: Bounds,
    stopping: watch::Receiver<bool>,
}

impl Connection {
    async fn shake_hands(self, stream: Socket, tls: Option<Tls>) {
        let Some(tls) = tls else {
            return self.serve(stream).await;
        };
        let peer = self.peer;
        let shaken = tls.acceptor().accept(stream);
        match tokio::time::timeout(self.bounds.handshake_max, shaken).await {
            Ok(Ok(stream)) => self.serve(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
        }
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Connection {
            peer,
            router,
            bounds,
            mut stopping,
        } = self;
        let asked = Arc::<Asked>::default();
        let counted = Arc::clone(&asked);
        let answer = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            let under_way = UnderWay::begin(&counted);
            let answer = router.clone().oneshot(request.map(Body::new));
            // It is under way until its answer's last byte is taken: a live stream is one for hours.
            async move { Ok::<_, Infallible>(answer.await?.map(|body| under_way.until_end(body))) }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.head_max)
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
            // A request that came at the last moment is seen before its time is up.
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, %peer, "a connection broke");
                }
            }
            () = asked.idle(bounds.head_max) => {
                tracing::debug!(%peer, "a peer asked nothing for too long");
                // HTTP/2 says so, so that what is asked at this moment is asked again elsewhere; a head that is half there is cut off.
                connection.as_mut().graceful_shutdown();
                let _ = tokio::time::timeout(FAREWELL_MAX, connection).await;
            }
            () = told => {
                connection.as_mut().graceful_shutdown();
                if let Err(error) = connection.await {
                    tracing::debug!(%error, %peer, "a connection broke while the server stopped");
                }
            }
        }
    }
}
