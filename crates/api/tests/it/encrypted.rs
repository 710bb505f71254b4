//! The API over TLS: who it shows itself as, that a renewed certificate is shown without a restart, and nothing goes in the clear.

use crate::desk::Desk;
use crate::node::{ACTOR, Node, nowhere};
use axum::http::{Request, StatusCode};
use futures::future::join_all;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use reqwest::{Certificate, Client, Version};
use squareoff_api::{ServeError, Tls, TlsFiles, listen, serve};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Guard against hanging.
const PATIENCE: Duration = Duration::from_secs(120);

/// Writes a certificate for `localhost` and its key; gives the certificate.
pub fn renew(files: &TlsFiles) -> Certificate {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(&files.certificate, made.cert.pem()).unwrap();
    fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()
}

pub fn files(folder: &Path) -> TlsFiles {
    TlsFiles {
        certificate: folder.join("api.pem"),
        key: folder.join("api.key"),
    }
}

/// A browser that trusts this certificate and no other, and keeps no connection.
fn trusting(certificate: Certificate) -> Client {
    Client::builder()
        .no_proxy()
        .tls_certs_only([certificate])
        .pool_max_idle_per_host(0)
        .timeout(PATIENCE)
        .build()
        .unwrap()
}

struct Served {
    address: SocketAddr,
    token: String,
    task: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn served(desk: &Desk, files: TlsFiles) -> Served {
    let app = Node::app(desk, &nowhere());
    let token = app.key.token(ACTOR).unwrap();
    let tls = Tls::open(files).unwrap();
    let listener = listen("127.0.0.1:0".parse().unwrap(), Some(&tls)).unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(serve(listener, app, Some(tls), std::future::pending()));
    Served {
        address,
        token,
        task,
    }
}

impl Served {
    fn url(&self) -> String {
        format!("https://localhost:{}/v1/events", self.address.port())
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let (desk, folder) = (Desk::open().await, tempfile::tempdir().unwrap());
    let files = files(folder.path());
    let former = renew(&files);
    let first = trusting(former.clone());
    let served = served(&desk, files.clone()).await;
    let ask = async |client: &Client| {
        client
            .get(served.url())
            .bearer_auth(&served.token)
            .send()
            .await
    };
    let answer = ask(&first).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.version(), Version::HTTP_11);
    assert!(answer.headers().contains_key("strict-transport-security"));
    // A key that fits no certificate changes nothing.
    fs::write(&files.key, "not a key").unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(ask(&first).await.unwrap().status(), 200);
    let second = trusting(renew(&files));
    let begun = Instant::now();
    while ask(&second).await.is_err() {
        assert!(
            begun.elapsed() < PATIENCE,
            "the old certificate is still shown"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Anew: a session that was resumed would ask for no certificate.
    assert!(ask(&trusting(former)).await.is_err());
}

#[tokio::test]
async fn over_http_2_many_ask_at_once_on_one_connection_and_no_head_is_too_long() {
    let (desk, folder) = (Desk::open().await, tempfile::tempdir().unwrap());
    let files = files(folder.path());
    renew(&files);
    let served = served(&desk, files.clone()).await;
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(&files.certificate).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let socket = TcpStream::connect(served.address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, socket).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let connected = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (sender, connection) = connected.unwrap();
    let driven = tokio::spawn(connection);
    let ask = |longer: usize| {
        let request = Request::get(served.url())
            .header("authorization", format!("Bearer {}", served.token))
            .header("x-filler", "x".repeat(longer));
        let mut sender = sender.clone();
        let request = request.body(String::new()).unwrap();
        async move {
            sender.ready().await?;
            sender.send_request(request).await
        }
    };
    let answers = join_all((0..300).map(|_| ask(1))).await;
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(
            (answer.status(), answer.version()),
            (StatusCode::OK, Version::HTTP_2)
        );
    }
    // More than a head may have: refused, and not with it the connection's others.
    let long = ask(20 << 10).await.unwrap();
    assert_eq!(long.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(ask(1).await.unwrap().status(), StatusCode::OK);
    driven.abort();
}

#[tokio::test]
async fn nothing_is_answered_in_the_clear() {
    let (desk, folder) = (Desk::open().await, tempfile::tempdir().unwrap());
    let files = files(folder.path());
    renew(&files);
    let served = served(&desk, files).await;
    let mut connection = TcpStream::connect(served.address).await.unwrap();
    let request = b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    connection.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[tokio::test]
async fn files_that_are_no_identity_are_named_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let said = |files: &TlsFiles| Tls::open(files.clone()).err().unwrap().to_string();
    assert!(said(&files).contains("api.pem cannot be read"));
    renew(&files);
    let key = fs::read(&files.key).unwrap();
    fs::write(&files.key, "xyz").unwrap();
    assert!(said(&files).contains("api.key is no PEM file with a private key"));
    renew(&files);
    fs::write(&files.key, key).unwrap();
    assert!(
        said(&files).contains("api.key can't be used"),
        "{}",
        said(&files)
    );
    fs::write(&files.certificate, "").unwrap();
    assert!(said(&files).contains("api.pem is no PEM file with a certificate: it has none"));
}

#[tokio::test]
async fn an_address_that_others_reach_needs_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    renew(&files);
    let tls = Tls::open(files).unwrap();
    let everywhere: SocketAddr = "0.0.0.0:0".parse().unwrap();
    let refused = listen(everywhere, None).unwrap_err();
    assert!(matches!(refused, ServeError::NotLoopback(_)), "{refused}");
    listen(everywhere, Some(&tls)).unwrap();
}
