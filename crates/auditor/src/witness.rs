//! The witness's process: C2SP tlog-witness over HTTP, with a key and a folder of its own. What it decides is [`crate::tlog::Witness`].
//!
//! It knows the logs it is told of and nothing else of the platform, so that it can run with somebody else, on another machine.

use crate::tlog::{Answer, NOTE_BYTES_MAX, Signer, VerifierKey, Witness};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use thiserror::Error;
use tokio::net::TcpListener;

/// A note and the lines of a proof before it.
const BODY_BYTES_MAX: usize = NOTE_BYTES_MAX + (8 << 10);
/// The prefix of its own health check.
const ALIVE: &str = "/healthz";

/// What the operator of a witness sets.
#[derive(Debug)]
pub struct WitnessSettings {
    /// What it last signed of each log.
    pub folder: PathBuf,
    pub signer: Signer,
    /// Whose checkpoints it signs.
    pub logs: Vec<VerifierKey>,
}

#[derive(Debug, Error)]
pub enum WitnessServeError {
    #[error("the witness cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("the witness stopped: {0}")]
    Stopped(std::io::Error),
}

/// Takes the address.
///
/// # Errors
/// [`WitnessServeError::Listen`] when the port is taken.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, WitnessServeError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| WitnessServeError::Listen { address, source })
}

/// Answers until `shutdown` ends.
///
/// # Errors
/// [`WitnessServeError::Stopped`].
pub async fn serve(
    listener: TcpListener,
    settings: WitnessSettings,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), WitnessServeError> {
    tracing::info!(key = %settings.signer.public(), "the witness signs with this key");
    for log in &settings.logs {
        tracing::info!(%log, "the witness knows this log");
    }
    axum::serve(listener, router(settings))
        .with_graceful_shutdown(shutdown)
        .await
        .map_err(WitnessServeError::Stopped)
}

#[derive(Clone)]
struct Shared {
    /// One at a time: check and record are one step.
    witness: Arc<Mutex<Witness>>,
    /// Origins by the hash that they are asked for with.
    origins: Arc<[(String, String)]>,
}

fn router(settings: WitnessSettings) -> Router {
    let origins = settings
        .logs
        .iter()
        .map(|log| (hash(log.name()), log.name().to_owned()));
    let shared = Shared {
        origins: origins.collect(),
        witness: Arc::new(Mutex::new(Witness::new(
            &settings.folder,
            settings.signer,
            settings.logs,
        ))),
    };
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{origin}/checkpoint", get(checkpoint))
        .route(ALIVE, get(async || "ok\n"))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}

async fn add_checkpoint(State(shared): State<Shared>, body: String) -> Response {
    // It waits for the disk.
    let answered = tokio::task::spawn_blocking(move || {
        let mut witness = shared
            .witness
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        witness.add_checkpoint(&body, crate::seal::now_s())
    });
    let Ok(Answer {
        status,
        content_type,
        body,
    }) = answered.await
    else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    match status {
        200 | 409 => tracing::debug!(http.status = status, "answered"),
        _ => tracing::warn!(
            http.status = status,
            said = body.trim_end(),
            "a checkpoint was not signed"
        ),
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

async fn checkpoint(State(shared): State<Shared>, UrlPath(asked): UrlPath<String>) -> Response {
    let Some((_, origin)) = shared
        .origins
        .iter()
        .find(|(hash, _)| *hash == asked)
        .cloned()
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let witness = shared.witness;
    let latest = tokio::task::spawn_blocking(move || {
        let witness = witness
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        witness.latest(&origin)
    });
    match latest.await {
        Ok(Ok(Some((_, note)))) => {
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response()
        }
        Ok(Ok(None)) => StatusCode::NOT_FOUND.into_response(),
        Ok(Err(error)) => {
            tracing::error!(%error, "what was signed last cannot be read");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn hash(origin: &str) -> String {
    Sha256::digest(origin)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
