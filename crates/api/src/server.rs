//! The HTTP server: the list of use cases, and what every request passes.

use crate::auth::DevelopmentKey;
use crate::bulk::{Book, SessionClose};
use crate::directory::Directory;
use crate::extract::BODY_BYTES_MAX;
use crate::guard::guard;
use crate::notify::Notifier;
use crate::problem::Problem;
use crate::refusals::RefusalLog;
use crate::routes::{
    audit, bulk, clients, enrolment, events, health, identity, incidents, log_in, operators,
    orders, platform, position_list, positions, proofs, sent_code, sessions, square_offs, suspense,
    trades, verifications,
};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Request;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use sqlx::PgPool;
use squareoff_access::Access;
use squareoff_auditor::proofs::Proofs;
use squareoff_auditor::seal::Status;
use squareoff_domain::bulk::Bulk;
use squareoff_domain::client::ClientState;
use squareoff_domain::platform::Platform;
use squareoff_domain::position::Position;
use squareoff_domain::suspense::Suspense;
use squareoff_domain::{Timestamp, TradingDate};
use squareoff_identity::Vault;
use squareoff_projections::Watcher;
use squareoff_store::{EventStore, Streams};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use thiserror::Error;
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

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
    /// When the segments close.
    pub session_close: SessionClose,
}

/// What the routes share. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub store: EventStore,
    pub positions: Streams<Position>,
    pub platform: Streams<Platform>,
    pub suspense: Streams<Suspense>,
    pub directory: Directory,
    pub bulks: Streams<Bulk>,
    pub clients: Streams<ClientState>,
    pub book: Book,
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
    /// Where single events are proved from; `None` where the folder of the seal is not at hand.
    pub proofs: Option<Proofs>,
    seal: Option<PathBuf>,
}

impl App {
    /// Begins to read the log and to watch the read models, in tasks of the runtime it is called on.
    pub fn start(
        store: EventStore,
        reads: PgPool,
        key: DevelopmentKey,
        settings: Settings,
    ) -> Self {
        App {
            positions: Streams::new(store.clone()),
            platform: Streams::new(store.clone()),
            suspense: Streams::new(store.clone()),
            directory: Directory::follow(store.clone()),
            bulks: Streams::new(store.clone()),
            clients: Streams::new(store.clone()),
            book: Book::follow(store.clone()),
            refusals: RefusalLog::start(Streams::new(store.clone())),
            watcher: Watcher::start(reads.clone()),
            store,
            reads,
            key,
            sample_log_ins: true,
            access: None,
            notifier: None,
            vault: None,
            settings,
            proofs: None,
            seal: None,
        }
    }

    /// Proves events and tells of the sealing from this folder of the seal.
    #[must_use]
    pub fn with_seal(self, folder: &Path) -> Self {
        App {
            proofs: Some(Proofs::new(folder)),
            seal: Some(folder.to_owned()),
            ..self
        }
    }

    /// Lets people in by this; by development tokens too only where `sample_log_ins` are allowed.
    #[must_use]
    pub fn with_access(self, access: Access, sample_log_ins: bool) -> Self {
        App {
            access: Some(access),
            sample_log_ins,
            ..self
        }
    }

    /// Sends clients their codes by this.
    #[must_use]
    pub fn with_notifier(self, notifier: Option<Notifier>) -> Self {
        App { notifier, ..self }
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

#[derive(Debug, Error)]
pub enum ServeError {
    #[error(
        "{0} is not a loopback address: the API speaks plain HTTP, so it listens on loopback only, behind a proxy that speaks TLS"
    )]
    NotLoopback(SocketAddr),
    #[error("the API cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("the API stopped: {0}")]
    Stopped(std::io::Error),
}

/// Takes the address.
///
/// # Errors
/// [`ServeError::NotLoopback`]; [`ServeError::Listen`] when the port is taken.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    if !address.ip().is_loopback() {
        return Err(ServeError::NotLoopback(address));
    }
    TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Listen { address, source })
}

/// Serves until `shutdown` ends, then finishes the requests that are under way.
///
/// # Errors
/// [`ServeError::Stopped`].
pub async fn serve(
    listener: TcpListener,
    app: App,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let service = router(app).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(shutdown)
        .await
        .map_err(ServeError::Stopped)
}

pub fn router(app: App) -> Router {
    Router::new()
        .route("/v1/square-offs", post(square_offs::create))
        .route("/v1/clients/search", post(identity::search))
        .route("/v1/clients/{client_code}", get(clients::show))
        .route(
            "/v1/clients/{client_code}/identity/reveal",
            post(identity::reveal),
        )
        .route(
            "/v1/clients/{client_code}/verifications",
            post(verifications::verify),
        )
        .route(
            "/v1/clients/{client_code}/positions",
            get(clients::positions),
        )
        .route(
            "/v1/clients/{client_code}/cancel-all",
            post(clients::cancel_all),
        )
        .route("/v1/orders", get(orders::list))
        .route("/v1/orders/{order_id}", get(orders::show))
        .route("/v1/orders/{order_id}/cancel", post(orders::cancel))
        .route("/v1/orders/{order_id}/modify", post(orders::modify))
        .route("/v1/orders/{order_id}/resolve", post(orders::resolve))
        .route("/v1/positions", get(position_list::list))
        .route("/v1/positions/{stream}", get(positions::show))
        .route(
            "/v1/positions/{stream}/cancel-all",
            post(positions::cancel_all),
        )
        .route("/v1/positions/{stream}/freeze", post(positions::freeze))
        .route("/v1/positions/{stream}/unfreeze", post(positions::unfreeze))
        .route(
            "/v1/positions/{stream}/hand-back",
            post(positions::hand_back),
        )
        .route("/v1/trades", get(trades::list))
        .route("/v1/executions", get(audit::reports))
        .route("/v1/audit", get(audit::search))
        .route("/v1/audit/proofs/{position}", get(proofs::show))
        .route("/v1/incidents", get(incidents::list))
        .route("/v1/incidents/{trading_date}", get(incidents::show))
        .nest("/v1/platform", platform::router())
        .nest("/v1/bulk", bulk::router())
        .nest("/v1/suspense", suspense::router())
        .nest("/v1/auth", auth_router())
        .nest("/v1/operators", operators::router())
        .route("/v1/sessions", get(sessions::list))
        .route("/v1/sessions/{session_id}", delete(sessions::revoke))
        .route("/.well-known/jwks.json", get(log_in::public_keys))
        .route("/v1/events", get(events::log))
        .route("/v1/streams/{stream}", get(events::stream))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route_layer(from_fn_with_state(app.clone(), guard))
        .fallback(async || {
            Problem::not_found(
                "no-such-resource",
                "There is nothing here",
                "the path names no resource of this API",
            )
        })
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
        .with_state(app)
}

fn auth_router() -> Router<App> {
    log_in::router()
        .merge(enrolment::router())
        .merge(sent_code::router())
}

/// The fields of a request's log lines: never the query, a header or the body.
fn span(request: &Request<axum::body::Body>) -> tracing::Span {
    let id = request
        .headers()
        .get("x-request-id")
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default();
    tracing::info_span!("request", http.method = %request.method(), http.path = request.uri().path(), request.id = id)
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
