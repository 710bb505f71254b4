//! Both ends over TLS: who is trusted, and what is said of files that can't be used.

use std::fs;
use std::path::Path;

use squareoff_fix::driver::tls::{Identity, ServerName, TlsError, acceptor, connector};
use squareoff_fix::{Registry, Role, accept_loop_tls, connect_loop_tls};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::ends::*;

/// A certificate for `localhost` that signs itself.
fn identity(folder: &Path, name: &str) -> Identity {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let identity = Identity {
        certificate: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
    };
    fs::write(&identity.certificate, made.cert.pem()).unwrap();
    fs::write(&identity.key, made.signing_key.serialize_pem()).unwrap();
    identity
}

#[tokio::test]
async fn orders_go_over_tls_when_each_side_trusts_the_other() {
    let files = tempfile::tempdir().unwrap();
    let [ours, theirs, stranger] =
        ["ours", "theirs", "stranger"].map(|name| identity(files.path(), name));
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (endpoint_theirs, _queue) = endpoint(
        Role::Acceptor,
        place.folders[1].path(),
        app(&place.exchange),
    );
    let mut registry = Registry::new();
    registry.add(endpoint_theirs);
    let (stop, stopping) = watch::channel(false);
    let tls = acceptor(&theirs, Some(&ours.certificate)).unwrap();
    let accepting = tokio::spawn(accept_loop_tls(listener, registry, tls, stopping.clone()));

    // Not TLS at all, and a certificate that nobody signed: closed, and nobody else is disturbed.
    let plain = TcpStream::connect(address).await.unwrap();
    let answer = say(plain, &logon("GATE", "EXCH")).await;
    assert!(!answer.contains("35=A"), "{answer}");

    let (mut endpoint, queue) = endpoint(
        Role::Initiator,
        place.folders[0].path(),
        app(&place.gateway),
    );
    queue.send(new_order(1)).await.unwrap();
    let server = || ServerName::try_from("localhost").unwrap();
    for untrusted in [
        connector(&stranger.certificate, Some(&ours)).unwrap(),
        connector(&theirs.certificate, Some(&stranger)).unwrap(),
        connector(&theirs.certificate, None).unwrap(),
    ] {
        let address = address.to_string();
        let dialling = connect_loop_tls(
            &address,
            server(),
            untrusted,
            &mut endpoint,
            stopping.clone(),
        );
        let limit = std::time::Duration::from_millis(300);
        assert!(tokio::time::timeout(limit, dialling).await.is_err());
        assert_eq!(place.exchange.lock().unwrap().received.len(), 0);
    }

    let trusted = connector(&theirs.certificate, Some(&ours)).unwrap();
    let dialling = tokio::spawn(async move {
        connect_loop_tls(
            &address.to_string(),
            server(),
            trusted,
            &mut endpoint,
            stopping,
        )
        .await
    });
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while place.exchange.lock().unwrap().received.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "no order over TLS");
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    stop.send_replace(true);
    dialling.await.unwrap().unwrap();
    accepting.await.unwrap().unwrap();
}

#[test]
fn a_file_that_can_not_be_used_is_named() {
    let files = tempfile::tempdir().unwrap();
    let own = identity(files.path(), "own");
    let empty = files.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    let missing = files.path().join("missing.pem");
    for file in [&empty, &missing] {
        let refused = connector(file, None).err().unwrap();
        assert!(matches!(&refused, TlsError::Pem { file: named, .. } if named == file));
        let swapped = Identity {
            certificate: file.clone(),
            ..own.clone()
        };
        assert!(acceptor(&swapped, None).is_err());
        let swapped = Identity {
            key: file.clone(),
            ..own.clone()
        };
        assert!(acceptor(&swapped, None).is_err());
        assert!(acceptor(&own, Some(file)).is_err());
    }
    let other = identity(files.path(), "other");
    let mixed = Identity {
        key: other.key,
        ..own
    };
    let refused = acceptor(&mixed, None).err().unwrap();
    assert!(matches!(refused, TlsError::Unusable { .. }), "{refused}");
}
