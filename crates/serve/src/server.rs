//! Starting and stopping: what is asked for is checked before anything listens.

use crate::access::Token;
use crate::cluster::{Members, Node};
use crate::connection;
use crate::faults::Faults;
use crate::propose::{Types, Write};
use squareoff_store::EventStore;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};
use tonic::Status;

/// How to serve. The default is read-only on a free port of the loopback address.
#[derive(Debug, Clone)]
pub struct Options {
    pub listen: SocketAddr,
    pub write: Write,
    pub tls: Option<Tls>,
    pub token: Option<Token>,
}

/// Certificate chain and private key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug, Error)]
pub enum ServeError {
    #[error(
        "{listen} can be reached from other machines: give a certificate, its key and a token file, or listen on a loopback address"
    )]
    Open { listen: SocketAddr },
    #[error("only the embedded log is served; this one is at a server of its own")]
    NotEmbedded,
    #[error("{file} is no PEM file with a {what}: {reason}", file = file.display())]
    Pem {
        file: PathBuf,
        what: &'static str,
        reason: String,
    },
    #[error("certificate {certificate} and key {key} can't be used: {reason}", certificate = certificate.display(), key = key.display())]
    Tls {
        certificate: PathBuf,
        key: PathBuf,
        reason: String,
    },
    #[error("{listen} can't be listened on: {error}")]
    Bind {
        listen: SocketAddr,
        error: std::io::Error,
    },
}

/// A running server. Dropped, it stops as with [`Server::stop`], but nobody waits for it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    closing: watch::Sender<bool>,
    connections: JoinHandle<()>,
    shared: Arc<Shared>,
}

/// What every call needs.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: EventStore,
    pub(crate) write: Write,
    pub(crate) token: Option<Token>,
    pub(crate) node: Node,
    pub(crate) types: Types,
    pub(crate) faults: Faults,
    closing: watch::Receiver<bool>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            write: Write::Nothing,
            tls: None,
            token: None,
        }
    }
}

/// Serves `store`, on tasks of the caller's runtime, until the [`Server`] is stopped or dropped.
///
/// # Errors
/// [`ServeError`] in one sentence.
pub async fn start(store: EventStore, options: Options) -> Result<Server, ServeError> {
    let listen = options.listen;
    let guarded = options.tls.is_some() && options.token.is_some();
    if !listen.ip().is_loopback() && !guarded {
        return Err(ServeError::Open { listen });
    }
    let bound = bind(listen).await?;
    let node = Node::new(Members::new(&[bound.1]), 0);
    start_node(store, options, bound, node)
}

pub(crate) async fn bind(listen: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let fail = |error| ServeError::Bind { listen, error };
    let listener = TcpListener::bind(listen).await.map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    Ok((listener, address))
}

pub(crate) fn start_node(
    store: EventStore,
    options: Options,
    (listener, address): (TcpListener, SocketAddr),
    node: Node,
) -> Result<Server, ServeError> {
    if !matches!(store, EventStore::Embedded(_)) {
        return Err(ServeError::NotEmbedded);
    }
    let tls = options.tls.as_ref().map(acceptor).transpose()?;
    let (closing, closed) = watch::channel(false);
    let shared = Arc::new(Shared {
        store,
        write: options.write,
        token: options.token,
        node,
        types: Types::default(),
        faults: Faults::default(),
        closing: closed,
    });
    let connections = tokio::spawn(connection::accept(listener, tls, shared.clone()));
    tracing::info!(listen = %address, "the event log is served over KurrentDB's protocol");
    Ok(Server {
        address,
        closing,
        connections,
        shared,
    })
}

impl Server {
    /// Where it listens: with a port of 0 asked for, the one that was free.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends subscriptions and sessions, lets other calls finish for a moment, and closes.
    pub async fn stop(mut self) {
        self.close();
        // Cancelled only with the runtime.
        let _ = (&mut self.connections).await;
    }

    /// What is to go wrong.
    #[cfg(feature = "faults")]
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    fn close(&self) {
        self.shared.node.stopped();
        self.closing.send_replace(true);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Returns when the server stops.
    pub(crate) async fn closing(&self) {
        let mut closing = self.closing.clone();
        // An error says that the server is gone altogether.
        let _ = closing.wait_for(|closing| *closing).await;
    }
}

/// What a call under way is told then.
pub(crate) fn stopping() -> Status {
    Status::unavailable("the server stops")
}

fn acceptor(tls: &Tls) -> Result<TlsAcceptor, ServeError> {
    let pem = |file: &Path, what, reason: String| ServeError::Pem {
        file: file.to_owned(),
        what,
        reason,
    };
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| pem(&tls.certificate, "certificate", error.to_string()))?;
    if chain.is_empty() {
        return Err(pem(
            &tls.certificate,
            "certificate",
            "it has none".to_owned(),
        ));
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key)
        .map_err(|error| pem(&tls.key, "private key", error.to_string()))?;
    let config =
        ServerConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(|error| ServeError::Tls {
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        reason: error.to_string(),
    })?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
