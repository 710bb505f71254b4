//! TLS of the API, from PEM files that may be renewed while it runs.
//!
//! A certificate is renewed by writing the files anew: the next handshakes show it, connections that stand go on. Files that do not fit
//! together, as between the two writes, are named in the log and change nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

/// Between looks at the files.
const LOOK: Duration = Duration::from_secs(2);

/// A certificate chain, our own first, and its private key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Why TLS can't be had with these files.
#[derive(Debug, Error)]
pub enum TlsError {
    #[error("{} cannot be read: {source}", file.display())]
    Io { file: PathBuf, source: io::Error },
    #[error("{} is no PEM file with a {what}: {reason}", file.display())]
    Pem {
        file: PathBuf,
        what: &'static str,
        reason: String,
    },
    #[error("{} can't be used: {reason}", file.display())]
    Unusable { file: PathBuf, reason: String },
}

/// What the server shows of itself. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
    files: TlsFiles,
}

/// The certificate of the next handshake.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(
            &self.0.read().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

impl Tls {
    /// Reads the files; TLS 1.2 and 1.3, HTTP/2 before HTTP/1.1.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let (certified, _) = read(&files)?;
        let shown = Arc::new(Shown(RwLock::new(Arc::new(certified))));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&files.certificate, error))?
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Tls {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            shown,
            files,
        })
    }

    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Shows what the files hold whenever they change; runs for ever.
    pub(crate) async fn follow(self) {
        let mut seen = contents(&self.files).ok();
        loop {
            tokio::time::sleep(LOOK).await;
            let now = contents(&self.files).ok();
            if now == seen {
                continue;
            }
            seen = now;
            match read(&self.files) {
                Ok((certified, bytes)) => {
                    seen = Some(bytes);
                    let mut shown = self.shown.0.write().unwrap_or_else(PoisonError::into_inner);
                    *shown = Arc::new(certified);
                    tracing::info!(file = %self.files.certificate.display(), "the API shows its renewed certificate");
                }
                Err(error) => {
                    tracing::warn!(%error, "the API goes on with the certificate it has");
                }
            }
        }
    }
}

/// The files as they are: small, and compared whole, because a clock or a copy can keep a changed file's time.
type Contents = (Vec<u8>, Vec<u8>);

fn contents(files: &TlsFiles) -> Result<Contents, TlsError> {
    let read = |file: &Path| {
        fs::read(file).map_err(|source| TlsError::Io {
            file: file.to_owned(),
            source,
        })
    };
    Ok((read(&files.certificate)?, read(&files.key)?))
}

fn read(files: &TlsFiles) -> Result<(CertifiedKey, Contents), TlsError> {
    let (certificate, key) = contents(files)?;
    let pem = |file: &Path, what, reason: String| TlsError::Pem {
        file: file.to_owned(),
        what,
        reason,
    };
    let chain = CertificateDer::pem_slice_iter(&certificate)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| pem(&files.certificate, "certificate", error.to_string()))?;
    if chain.is_empty() {
        return Err(pem(&files.certificate, "certificate", "it has none".into()));
    }
    let private = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|error| pem(&files.key, "private key", error.to_string()))?;
    let signing = aws_lc_rs::sign::any_supported_type(&private)
        .map_err(|error| unusable(&files.key, error))?;
    let certified = CertifiedKey::new(chain, signing);
    // A key of another certificate would only fail at the first handshake.
    certified
        .keys_match()
        .map_err(|error| unusable(&files.key, error))?;
    Ok((certified, (certificate, key)))
}

fn unusable(file: &Path, error: rustls::Error) -> TlsError {
    TlsError::Unusable {
        file: file.to_owned(),
        reason: error.to_string(),
    }
}
