//! What every request passes before its handler: how many may be under way, how long one may take, how many a caller may make.
//!
//! 1. Overload is told before it is felt: what can't begin at once is answered 503 with Retry-After, and nothing of it was done.
//! 2. A body is read whole, within a bound of bytes and of time, before anything of the request begins.
//! 3. One who asks too often is answered 429 with Retry-After; who asks within the limits does not notice the others.

use crate::auth::logged_in::network;
use crate::extract;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use governor::clock::DefaultClock;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Answered whatever else there is to do: a node that is busy is alive.
const ALIVE: [&str; 2] = ["/healthz", "/readyz"];
/// Requests under way that ask for something to be done: a fifth of a second of what two cores can do.
const ACTS_MAX: usize = 512;
/// Requests under way that read.
const READS_MAX: usize = 256;
/// Keys of a rate limit are looked through for idle ones when so many requests have come since the last time.
const SWEEP_EVERY: u32 = 65_536;

/// Requests a second, and at once, that are taken of one caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub per_s: NonZeroU32,
    pub burst: NonZeroU32,
}

impl Rate {
    /// `per_s` requests a second, and as many as two seconds bring at once.
    pub const fn per_s(per_s: NonZeroU32) -> Self {
        Rate {
            per_s,
            burst: per_s.saturating_mul(NonZeroU32::MIN.saturating_add(1)),
        }
    }
}

/// The rates of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Of one person or program.
    pub person: Rate,
    /// Of one address, known or not; behind a proxy of this machine the one that it speaks for. This machine's own has none.
    pub address: Rate,
    /// Of what is done to one client's positions and orders, whoever does it.
    pub client: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        let per_s = |number| Rate::per_s(NonZeroU32::new(number).expect("not zero"));
        Rates {
            person: per_s(100),
            address: per_s(500),
            client: per_s(20),
        }
    }
}

/// How many connections a node holds, and how long each step of one may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// More wait in the system's queue.
    pub connections_max: usize,
    /// A peer that does not finish its TLS handshake holds a place for so long.
    pub handshake_max: Duration,
    /// From a connection's beginning, or its last answer, until the next request's head is whole; with HTTP/2 up to twice as long from the
    /// latter.
    pub head_max: Duration,
    /// From the first byte of a body to its last.
    pub body_max: Duration,
    /// From a request's whole body to its answer.
    pub answer_max: Duration,
    /// What requests under way have when the server stops.
    pub drain_max: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            // 12,000 may hold live updates, the rest ask.
            connections_max: 16_384,
            handshake_max: Duration::from_secs(10),
            head_max: Duration::from_secs(30),
            body_max: Duration::from_secs(10),
            // The longest that a query waits for the read model is five seconds.
            answer_max: Duration::from_secs(30),
            // Less than the supervisor waits before it kills.
            drain_max: Duration::from_secs(8),
        }
    }
}

/// Shared by all requests of a node. Cheap to clone.
#[derive(Clone)]
pub struct Limits(Arc<Shared>);

struct Shared {
    rates: Rates,
    bounds: Bounds,
    acts: Semaphore,
    reads: Semaphore,
    people: Keyed<Arc<str>>,
    addresses: Keyed<IpAddr>,
    clients: Keyed<String>,
}

impl Limits {
    pub fn new(rates: Rates, bounds: Bounds) -> Self {
        Limits(Arc::new(Shared {
            rates,
            bounds,
            acts: Semaphore::new(ACTS_MAX),
            reads: Semaphore::new(READS_MAX),
            people: Keyed::new(rates.person),
            addresses: Keyed::new(rates.address),
            clients: Keyed::new(rates.client),
        }))
    }

    pub(crate) fn rates(&self) -> Rates {
        self.0.rates
    }

    pub(crate) fn bounds(&self) -> Bounds {
        self.0.bounds
    }

    /// Counts a request of somebody who is known by name.
    ///
    /// # Errors
    /// `too-many-requests`, with when to come again.
    pub fn person(&self, name: &Arc<str>) -> Result<(), Problem> {
        self.0.people.take(name, "who asks")
    }

    /// Counts something that is done to a client's positions or orders.
    ///
    /// # Errors
    /// `too-many-requests`, with when to come again.
    pub fn acted_on(&self, client: &str) -> Result<(), Problem> {
        self.0.clients.take(&client.to_owned(), "this client")
    }

    fn address(&self, address: IpAddr) -> Result<(), Problem> {
        if address.is_loopback() {
            return Ok(());
        }
        self.0.addresses.take(&address, "this address")
    }
}

/// A rate for each key; keys that have been idle are forgotten.
struct Keyed<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock>,
    since_sweep: AtomicU32,
}

impl<K: Hash + Eq + Clone> Keyed<K> {
    fn new(rate: Rate) -> Self {
        Keyed {
            limiter: RateLimiter::keyed(Quota::per_second(rate.per_s).allow_burst(rate.burst)),
            since_sweep: AtomicU32::new(0),
        }
    }

    fn take(&self, key: &K, whose: &str) -> Result<(), Problem> {
        if self.since_sweep.fetch_add(1, Ordering::Relaxed) >= SWEEP_EVERY {
            self.since_sweep.store(0, Ordering::Relaxed);
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        self.limiter.check_key(key).map_err(|_| {
            Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                "Too many requests",
                format!("{whose} has no more of them just now"),
            )
        })
    }
}

/// Outside everything else: who comes too often from one address costs nothing more.
pub(crate) async fn of_address(
    State(limits): State<Limits>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    // Not there where the router is called without a connection.
    if let Some(ConnectInfo(address)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        limits.address(network(request.headers(), address.ip()))?;
    }
    Ok(next.run(request).await)
}

/// Inside who is asking: reads the body whole, then lets the request begin if there is room.
pub(crate) async fn under_way(
    State(limits): State<Limits>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if ALIVE.contains(&request.uri().path()) {
        return Ok(next.run(request).await);
    }
    let Bounds {
        body_max,
        answer_max,
        ..
    } = limits.bounds();
    let request = in_memory(request, body_max).await?;
    let kind = match *request.method() {
        Method::GET | Method::HEAD | Method::OPTIONS => &limits.0.reads,
        _ => &limits.0.acts,
    };
    let Ok(_room) = kind.try_acquire() else {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "server-busy",
            "More requests are under way than can be",
            "nothing of this one was done",
        ));
    };
    match tokio::time::timeout(answer_max, next.run(request)).await {
        Ok(response) => Ok(response),
        Err(_) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "took-too-long",
            "The answer took too long",
            format!(
                "there was none after {} s; whether it was done is not known here: ask again with the same Idempotency-Key",
                answer_max.as_secs()
            ),
        )),
    }
}

/// The same request with its body in memory: no handler waits for its peer.
async fn in_memory(request: Request, body_max: Duration) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    let whole = extract::whole(Request::from_parts(parts.clone(), body), &());
    match tokio::time::timeout(body_max, whole).await {
        Ok(body) => Ok(Request::from_parts(parts, Body::from(body?))),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "body-too-slow",
            "The body took too long",
            format!("it has to be here within {} s", body_max.as_secs()),
        )),
    }
}

/// What every answer tells a browser: believe the type, keep nothing, load nothing, show it in no frame. An answer that is a page says
/// its own policy.
pub(crate) async fn answer_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=()",
        ),
        // Taken notice of over TLS alone (RFC 6797, 8.1).
        (
            header::STRICT_TRANSPORT_SECURITY,
            "max-age=31536000; includeSubDomains",
        ),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}
