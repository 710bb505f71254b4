//! The HTTP server: the list of use cases, and what every request passes.

use crate::auth::DevelopmentKey;
use crate::bulk::{Book, SessionClose};
use crate::directory::Directory;
use crate::extract::BODY_BYTES_MAX;
use crate::guard::guard;
use crate::live::access::keep_checking;
use crate::live::{Limits, Live};
use crate::problem::Problem;
use crate::refusals::RefusalLog;
use crate::routes::{
    audit, bulk, clients, events, health, identity, incidents, live, orders, platform,
    position_list, positions, proofs, square_offs, suspense, trades, verifications,
};
use crate::socket::Sockets;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Request;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use sqlx::PgPool;
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
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

/// For so long after the shutdown requests are finished: less than the supervisor waits before it kills.
const SHUTDOWN_TIME_LIMIT: Duration = Duration::from_secs(8);

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
    /// Who listens to what changes.
    pub live: Live,
    /// Where refused requests go.
    pub refusals: RefusalLog,
    /// Read models; connects when first used, so that the API starts and takes orders without it.
    pub reads: PgPool,
    pub watcher: Watcher,
    pub key: DevelopmentKey,
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
        let book = Book::follow(store.clone());
        App {
            positions: Streams::new(store.clone()),
            platform: Streams::new(store.clone()),
            suspense: Streams::new(store.clone()),
            directory: Directory::follow(store.clone()),
            bulks: Streams::new(store.clone()),
            clients: Streams::new(store.clone()),
            live: Live::start(store.clone(), book.clone(), Limits::default()),
            book,
            refusals: RefusalLog::start(Streams::new(store.clone())),
            watcher: Watcher::start(reads.clone()),
            store,
            reads,
            key,
            vault: None,
            settings,
            proofs: None,
            seal: None,
        }
    }

    /// Has other limits for those who listen.
    #[must_use]
    pub fn with_live(mut self, limits: Limits) -> Self {
        self.live = Live::start(self.store.clone(), self.book.clone(), limits);
        self
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
    #[error("{0} is not a loopback address: until log-in exists the API listens on loopback only")]
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

/// Serves until `shutdown` ends, then finishes the requests that are under way, and sends those who listen away.
///
/// # Errors
/// [`ServeError::Stopped`].
pub async fn serve(
    listener: TcpListener,
    app: App,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let sockets = Sockets {
        listener,
        silence_max: app.live.limits().silence_max,
    };
    let (checked, closing) = (app.clone(), app.live.clone());
    let (asked, is_asked) = oneshot::channel();
    let shutdown = async move {
        shutdown.await;
        closing.close();
        // Nobody waits for it when serving has failed.
        let _ = asked.send(());
    };
    let served = axum::serve(sockets, router(app)).with_graceful_shutdown(shutdown);
    // Who was sent away over WebSocket is no request under way any more.
    let served = async {
        served.await.map_err(ServeError::Stopped)?;
        checked.live.emptied().await;
        Ok(())
    };
    // Somebody who reads nothing must not keep the node from ending.
    let limit = async {
        if is_asked.await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(SHUTDOWN_TIME_LIMIT).await;
    };
    tokio::select! {
        ended = served => ended,
        () = keep_checking(&checked) => Ok(()),
        () = limit => Ok(()),
    }
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
        .route("/v1/live", get(live::listen))
        .route("/v1/live/ws", get(live::listen_over_websocket))
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
