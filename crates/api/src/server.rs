//! The HTTP server: the list of use cases, and what every request passes.

use crate::auth::DevelopmentKey;
use crate::bulk::{Book, SessionClose};
use crate::connection;
use crate::directory::Directory;
use crate::extract::BODY_BYTES_MAX;
use crate::follow::{self, PACE};
use crate::guard::guard;
use crate::limits::{self, Bounds, Limits, Rates};
use crate::live::access::keep_checking;
use crate::live::{Limits as LiveLimits, Live};
use crate::notify::Notifier;
use crate::problem::Problem;
use crate::refusals::RefusalLog;
use crate::routes::{
    approvals, audit, bulk, client_square_offs, clients, documentation, enrolment, events, health,
    identity, incidents, live, log_in, operators, orders, platform, position_list, positions,
    proofs, sent_code, sessions, square_offs, suspense, trades, verifications,
};
use crate::tls::Tls;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::http::{HeaderMap, Request};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use sqlx::PgPool;
use squareoff_access::Access;
use squareoff_auditor::proofs::Proofs;
use squareoff_auditor::seal::Status;
use squareoff_domain::approval::Approval;
use squareoff_domain::bulk::Bulk;
use squareoff_domain::client::ClientState;
use squareoff_domain::platform::Platform;
use squareoff_domain::position::Position;
use squareoff_domain::suspense::Suspense;
use squareoff_domain::{Timestamp, TradingDate};
use squareoff_identity::Vault;
use squareoff_projections::Watcher;
use squareoff_store::{EventStore, StoredEvent, Streams, TraceId, traced};
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the operator sets of the API.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How old a reference price may be that a price is made of, in seconds.
    pub reference_age_max_s: u32,
    /// Messages that each venue takes of us in a second.
    pub venue_message_rate: u32,
    /// Whether the desk acts for a client only when the caller was verified.
    pub caller_verification: bool,
    /// For so many minutes an operator may act for a client whose caller was verified.
    pub caller_verification_minutes: u32,
    /// What one person may place at once, in 1/10,000 rupee; what is worth more waits for a second. `None`: no limit.
    pub approval_notional: Option<u64>,
    /// When the segments close.
    pub session_close: SessionClose,
}

/// What the routes share, behind one pointer: with each request every layer clones it. What is changed of one is not changed of its clones.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
#[derive(Clone)]
pub struct Parts {
    pub store: EventStore,
    pub positions: Streams<Position>,
    pub platform: Streams<Platform>,
    pub suspense: Streams<Suspense>,
    pub approvals: Streams<Approval>,
    pub directory: Directory,
    pub bulks: Streams<Bulk>,
    pub clients: Streams<ClientState>,
    pub book: Book,
    /// Who listens to what changes.
    pub live: Live,
    /// Where refused requests go.
    pub refusals: RefusalLog,
    /// Read models; connects when first used, so that the API starts and takes orders without it.
    pub reads: PgPool,
    pub watcher: Watcher,
    pub key: DevelopmentKey,
    /// Whether development tokens let anybody in.
    pub sample_log_ins: bool,
    /// What lets people in; without it development tokens alone do.
    pub access: Option<Access>,
    /// How messages reach clients; without it nobody is sent a code.
    pub notifier: Option<Notifier>,
    /// What opens identities; without it they stay sealed.
    pub vault: Option<Vault>,
    pub settings: Settings,
    pub limits: Limits,
    /// Where single events are proved from; `None` where the folder of the seal is not at hand.
    pub proofs: Option<Proofs>,
    seal: Option<PathBuf>,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl DerefMut for App {
    fn deref_mut(&mut self) -> &mut Parts {
        Arc::make_mut(&mut self.0)
    }
}

impl App {
    /// Begins to read the log and to watch the read models, in tasks of the runtime it is called on. Lets nobody in: see
    /// [`App::with_access`].
    pub fn start(
        store: EventStore,
        reads: PgPool,
        key: DevelopmentKey,
        settings: Settings,
    ) -> Self {
        let book = Book::follow(store.clone(), PACE);
        let clients: Streams<ClientState> = Streams::new(store.clone());
        let positions: Streams<Position> = Streams::new(store.clone());
        // What a decision stands on is known before it is asked for, whichever process wrote it.
        let (of_clients, of_positions) = (clients.clone(), positions.clone());
        let seen = move |stored: &StoredEvent| {
            follow::learn(&of_positions, "position-", stored)?;
            follow::learn(&of_clients, "client-", stored)
        };
        App(Arc::new(Parts {
            positions,
            platform: Streams::new(store.clone()),
            suspense: Streams::new(store.clone()),
            approvals: Streams::new(store.clone()),
            directory: Directory::follow(store.clone(), PACE, seen),
            bulks: Streams::new(store.clone()),
            clients,
            live: Live::start(store.clone(), book.clone(), LiveLimits::default()),
            book,
            refusals: RefusalLog::start(Streams::new(store.clone())),
            watcher: Watcher::start(reads.clone()),
            store,
            reads,
            key,
            sample_log_ins: false,
            access: None,
            notifier: None,
            vault: None,
            settings,
            limits: Limits::new(Rates::default(), Bounds::default()),
            proofs: None,
            seal: None,
        }))
    }

    /// Has other limits for those who listen.
    #[must_use]
    pub fn with_live(mut self, limits: LiveLimits) -> Self {
        self.live = Live::start(self.store.clone(), self.book.clone(), limits);
        self
    }

    /// Proves events and tells of the sealing from this folder of the seal.
    #[must_use]
    pub fn with_seal(mut self, folder: &Path) -> Self {
        self.proofs = Some(Proofs::new(folder));
        self.seal = Some(folder.to_owned());
        self
    }

    /// Takes so many requests of one person, address and client.
    #[must_use]
    pub fn with_rates(mut self, rates: Rates) -> Self {
        self.limits = Limits::new(rates, self.limits.bounds());
        self
    }

    /// Holds so many connections, and none of them longer at one step.
    #[must_use]
    pub fn with_bounds(mut self, bounds: Bounds) -> Self {
        self.limits = Limits::new(self.limits.rates(), bounds);
        self
    }

    /// Lets people in by this; by development tokens too only where `sample_log_ins` are allowed.
    #[must_use]
    pub fn with_access(mut self, access: Access, sample_log_ins: bool) -> Self {
        self.access = Some(access);
        self.sample_log_ins = sample_log_ins;
        self
    }

    /// Sends clients their codes by this.
    #[must_use]
    pub fn with_notifier(mut self, notifier: Option<Notifier>) -> Self {
        self.notifier = notifier;
        self
    }

    /// How sealing stands; `None` when nothing was ever sealed, or not here.
    pub(crate) fn sealing(&self) -> Option<Status> {
        Status::read(self.seal.as_deref()?)
    }

    /// Masks, finds and reveals identities with this key store.
    #[must_use]
    pub fn with_vault(mut self, vault: Vault) -> Self {
        self.vault = Some(vault);
        self
    }
}

impl FromRef<App> for Limits {
    fn from_ref(app: &App) -> Self {
        app.limits.clone()
    }
}

#[derive(Debug, Error)]
pub enum ServeError {
    #[error(
        "{0} is not a loopback address: without a certificate (api_tls_certificate, api_tls_key) the API listens on loopback only"
    )]
    NotLoopback(SocketAddr),
    #[error("the API cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
}

/// Connections that wait to be accepted; the system may allow fewer (`net.core.somaxconn`). After an outage everybody comes at once, and whoever
/// finds the queue full is not refused but tries again a second later: the usual 128 were full with 256.
const BACKLOG: u32 = 4_096;

/// Takes the address.
///
/// # Errors
/// [`ServeError::NotLoopback`] without TLS; [`ServeError::Listen`] when the port is taken.
pub fn listen(address: SocketAddr, tls: Option<&Tls>) -> Result<TcpListener, ServeError> {
    if tls.is_none() && !address.ip().is_loopback() {
        return Err(ServeError::NotLoopback(address));
    }
    let bound = || -> std::io::Result<TcpListener> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // A restart does not wait for the connections of the process before.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bound().map_err(|source| ServeError::Listen { address, source })
}

/// Serves until `shutdown` ends, then finishes the requests that are under way, and sends those who listen away.
pub async fn serve(
    listener: TcpListener,
    app: App,
    tls: Option<Tls>,
    shutdown: impl Future<Output = ()>,
) {
    let renewed = tls.clone().map(|tls| tokio::spawn(tls.follow()));
    let live = &app.live;
    let shutdown = async {
        shutdown.await;
        live.close();
    };
    let accepting = connection::Accepting {
        listener,
        router: router(app.clone()),
        tls,
        bounds: app.limits.bounds(),
        silence_max: live.limits().silence_max,
    };
    // Who was sent away over WebSocket is no request under way any more.
    tokio::select! {
        () = accepting.run(shutdown, live.emptied()) => {}
        () = keep_checking(&app) => {}
    }
    if let Some(renewed) = renewed {
        renewed.abort();
    }
}

/// Every route there is, each with its description: what is not described is not served.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(square_offs::create))
        .routes(routes!(client_square_offs::create))
        .routes(routes!(clients::show))
        .routes(routes!(clients::positions))
        .routes(routes!(clients::cancel_all))
        .routes(routes!(verifications::verify))
        .routes(routes!(identity::search))
        .routes(routes!(identity::reveal))
        .routes(routes!(orders::list))
        .routes(routes!(orders::show))
        .routes(routes!(orders::cancel))
        .routes(routes!(orders::modify))
        .routes(routes!(orders::resolve))
        .routes(routes!(position_list::list))
        .routes(routes!(positions::show))
        .routes(routes!(positions::cancel_all))
        .routes(routes!(positions::freeze))
        .routes(routes!(positions::unfreeze))
        .routes(routes!(positions::hand_back))
        .merge(platform::router())
        .merge(bulk::router())
        .merge(suspense::router())
        .merge(approvals::router())
        .routes(routes!(trades::list))
        .routes(routes!(audit::reports))
        .routes(routes!(audit::search))
        .routes(routes!(proofs::show))
        .routes(routes!(incidents::list))
        .routes(routes!(incidents::show))
        .routes(routes!(live::listen))
        .routes(routes!(live::listen_over_websocket))
        .merge(log_in::router())
        .merge(enrolment::router())
        .merge(sent_code::router())
        .merge(operators::router())
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::revoke))
        .routes(routes!(events::log))
        .routes(routes!(events::stream))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .merge(documentation::router())
}

pub fn router(app: App) -> Router {
    let limits = app.limits.clone();
    let (router, described) = routes().split_for_parts();
    router
        .route_layer(from_fn_with_state(limits.clone(), limits::under_way))
        .route_layer(from_fn_with_state(app.clone(), guard))
        .fallback(async || {
            Problem::not_found(
                "no-such-resource",
                "There is nothing here",
                "the path names no resource of this API",
            )
        })
        .layer(Extension(documentation::Pages::of(described)))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(|_| {
            Problem::bug("a handler panicked").into_response()
        }))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_response(log)
                .on_request(())
                .on_failure(()),
        )
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(from_fn(keep_trace))
        .layer(from_fn_with_state(limits, limits::of_address))
        .layer(from_fn(limits::answer_headers))
        .with_state(app)
}

/// The trace that the caller's request is a part of (W3C Trace Context).
fn trace_id(headers: &HeaderMap) -> Option<TraceId> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    TraceId::of_traceparent(text)
}

/// What the request causes is kept with its trace.
async fn keep_trace(request: Request<axum::body::Body>, next: Next) -> Response {
    let trace = trace_id(request.headers());
    traced(trace, next.run(request)).await
}

/// The fields of a request's log lines: never the query, the body, or a header but the ids of the request and its trace.
fn span(request: &Request<axum::body::Body>) -> tracing::Span {
    let trace = trace_id(request.headers()).map_or_else(String::new, |trace| trace.to_string());
    let id = request
        .headers()
        .get("x-request-id")
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default();
    tracing::info_span!("request", http.method = %request.method(), http.path = request.uri().path(), request.id = id, trace.id = trace)
}

fn log(response: &Response, latency: std::time::Duration, _: &tracing::Span) {
    tracing::debug!(
        http.status = response.status().as_u16(),
        latency_us = latency.as_micros() as u64,
        "answered"
    );
}

/// The clock of this role.
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// The day it is in India, where every venue is.
pub fn date_in_india(now: Timestamp) -> TradingDate {
    let offset = time::UtcOffset::from_hms(5, 30, 0).expect("an offset of the world's");
    let instant = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(now.0))
        .expect("an i64 of nanoseconds is between 1677 and 2262")
        .to_offset(offset);
    let year = u16::try_from(instant.year()).expect("between 1677 and 2262");
    TradingDate::new(year, instant.month().into(), instant.day())
        .unwrap_or_else(|_| TradingDate::new(1970, 1, 1).expect("a day"))
}
