//! What is refused before anything listens, each in one sentence.

use crate::certificate::certificate;
use squareoff_serve::{Options, ServeError, Tls, Token, TokenError, start};
use squareoff_store::EventStore;
use std::fs;
use std::net::SocketAddr;

async fn refused(options: Options) -> String {
    let folder = tempfile::tempdir().unwrap();
    let store = EventStore::open(folder.path()).unwrap();
    start(store, options).await.unwrap_err().to_string()
}

#[tokio::test]
async fn what_others_can_reach_needs_a_certificate_and_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let token = Token::new("0123456789abcdef");
    let tls = Some(certificate(folder.path()));
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    for (tls, token) in [(None, None), (tls.clone(), None), (None, token.clone())] {
        let options = Options {
            listen: everywhere,
            tls,
            token,
            ..Options::default()
        };
        assert_eq!(
            refused(options).await,
            "0.0.0.0:0 can be reached from other machines: give a certificate, its key and a token file, or listen on a loopback address"
        );
    }
    let log = tempfile::tempdir().unwrap();
    let store = EventStore::open(log.path()).unwrap();
    let options = Options {
        listen: everywhere,
        tls,
        token,
        ..Options::default()
    };
    start(store, options).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_certificate_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let good = certificate(folder.path());
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    let missing = folder.path().join("missing.pem");
    let other = tempfile::tempdir().unwrap();
    let other = certificate(other.path());
    for (certificate, key, says) in [
        (
            &missing,
            &good.key,
            "missing.pem is no PEM file with a certificate",
        ),
        (
            &empty,
            &good.key,
            "empty.pem is no PEM file with a certificate",
        ),
        (
            &good.certificate,
            &empty,
            "empty.pem is no PEM file with a private key",
        ),
        (&good.certificate, &other.key, "can't be used"),
    ] {
        let tls = Some(Tls {
            certificate: certificate.clone(),
            key: key.clone(),
        });
        let options = Options {
            tls,
            ..Options::default()
        };
        let said = refused(options).await;
        assert!(said.contains(says), "{said}");
    }
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = EventStore::open(folder.path()).unwrap();
    let first = start(store.clone(), Options::default()).await.unwrap();
    let options = Options {
        listen: first.address(),
        ..Options::default()
    };
    let error = start(store, options).await.unwrap_err();
    assert!(matches!(error, ServeError::Bind { listen, .. } if listen == first.address()));
    first.stop().await;
}

#[test]
fn a_token_comes_from_a_file_of_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    assert!(matches!(Token::read(&file), Err(TokenError::Io { .. })));
    fs::write(&file, "short\n").unwrap();
    assert!(matches!(
        Token::read(&file),
        Err(TokenError::NotAToken { .. })
    ));
    fs::write(&file, "0123456789abcdef\n").unwrap();
    assert!(Token::read(&file).is_ok());
}
