//! TLS for both roles, from PEM files: who signed the peer, and who we are.
//!
//! Called by whoever starts a session, before its loop. Everything that can be wrong with the files is said then.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};

pub use tokio_rustls::rustls::pki_types::ServerName;
pub use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Why TLS can't be had with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{file} is no PEM file with a {what}: {reason}", file = file.display())]
    Pem {
        file: PathBuf,
        what: &'static str,
        reason: String,
    },
    #[error("the certificates of {file} can't be used: {reason}", file = file.display())]
    Unusable { file: PathBuf, reason: String },
}

/// A certificate chain, our own first, and its private key, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// For an initiator: `ca` holds the certificates that may have signed the acceptor's, `own` is what we show when asked.
///
/// # Errors
/// [`TlsError`], naming the file.
pub fn connector(ca: &Path, own: Option<&Identity>) -> Result<TlsConnector, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(ca, error))?
        .with_root_certificates(roots(ca)?);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => builder
            .with_client_auth_cert(chain(&own.certificate)?, key(&own.key)?)
            .map_err(|error| unusable(&own.certificate, error))?,
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

/// For an acceptor: `own` is what we show; with `client_ca`, peers must show a certificate signed by one of those.
///
/// # Errors
/// [`TlsError`], naming the file.
pub fn acceptor(own: &Identity, client_ca: Option<&Path>) -> Result<TlsAcceptor, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&own.certificate, error))?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let roots = Arc::new(roots(ca)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| TlsError::Unusable {
                file: ca.to_owned(),
                reason: error.to_string(),
            })?)
        }
    };
    let config = builder
        .with_single_cert(chain(&own.certificate)?, key(&own.key)?)
        .map_err(|error| unusable(&own.certificate, error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(file)? {
        roots
            .add(certificate)
            .map_err(|error| unusable(file, error))?;
    }
    Ok(roots)
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = |reason: String| TlsError::Pem {
        file: file.to_owned(),
        what: "certificate",
        reason,
    };
    let chain = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| pem(error.to_string()))?;
    if chain.is_empty() {
        return Err(pem("it has none".to_owned()));
    }
    Ok(chain)
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| TlsError::Pem {
        file: file.to_owned(),
        what: "private key",
        reason: error.to_string(),
    })
}

fn unusable(file: &Path, error: rustls::Error) -> TlsError {
    TlsError::Unusable {
        file: file.to_owned(),
        reason: error.to_string(),
    }
}
