//! The adapter for KurrentDB: what is wrong with the connection is one sentence, and TLS and log-in come from the connection string.

use crate::log::{Log, Served, any_event};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use squareoff_serve::{Options, Tls, Token, Write};
use squareoff_store::{AppendError, EventStore, OpenError, Position};
use std::io::{Read, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use tempfile::TempDir;

const TOKEN: &str = "a-token-of-some-length";

async fn refused(address: &str) -> String {
    let error = EventStore::connect(address).await.unwrap_err().to_string();
    assert!(
        !error.contains('\n') && !error.contains("secret"),
        "{error}"
    );
    error
}

/// A server with TLS and a token, and the file of its certificate.
struct Guarded {
    folder: TempDir,
    certificate: PathBuf,
    server: squareoff_serve::Server,
}

async fn guarded() -> Guarded {
    let folder = tempfile::tempdir().unwrap();
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let (certificate, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&certificate, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    let options = Options {
        write: Write::AnyEvents,
        tls: Some(Tls {
            certificate: certificate.clone(),
            key,
        }),
        token: Token::new(TOKEN),
        ..Options::default()
    };
    let store = EventStore::open(&folder.path().join("log")).unwrap();
    let server = squareoff_serve::start(store, options).await.unwrap();
    Guarded {
        folder,
        certificate,
        server,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_and_log_in_come_from_the_connection_string() {
    let guarded = guarded().await;
    let (address, certificate) = (guarded.server.address(), guarded.certificate.display());
    let good = format!("kurrentdb://desk:{TOKEN}@{address}?tlsCaFile={certificate}");
    let store = EventStore::connect(&good).await.unwrap();
    store.append("s", 0, vec![any_event()]).await.unwrap();
    assert_eq!(store.read_all(Position::START, 10).await.unwrap().len(), 1);
    // Whoever verifies nothing is let in too, and has said so.
    let open = format!("kurrentdb://desk:{TOKEN}@{address}?tlsVerifyCert=false");
    assert!(EventStore::connect(&open).await.is_ok());

    let untrusted = refused(&format!("kurrentdb://desk:{TOKEN}@{address}")).await;
    assert_eq!(
        untrusted,
        format!(
            "the event log at kurrentdb://{address} can't be used: its certificate is not one that is trusted here (tlsCaFile names \
             who signed it), or it does not speak TLS (tls=false connects without)"
        )
    );
    let wrong = format!("kurrentdb://desk:not-secret@{address}?tlsCaFile={certificate}");
    let wrong = refused(&wrong).await;
    assert!(wrong.contains("denies"), "{wrong}");
    let plain = refused(&format!("kurrentdb://{address}?tls=false")).await;
    assert!(plain.contains("can't be used: "), "{plain}");
    let missing = guarded.folder.path().join("missing.pem");
    let missing = refused(&format!(
        "kurrentdb://{address}?tlsCaFile={}",
        missing.display()
    ))
    .await;
    assert!(
        missing.contains("its certificates can't be used"),
        "{missing}"
    );
    let broken = guarded.folder.path().join("broken.pem");
    std::fs::write(
        &broken,
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let broken = refused(&format!(
        "kurrentdb://{address}?tlsCaFile={}",
        broken.display()
    ))
    .await;
    assert!(
        broken.contains("its certificate file can't be read"),
        "{broken}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_none_is_one_sentence() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    assert_eq!(
        refused(&format!("kurrentdb://desk:secret@{address}?tls=false")).await,
        format!("the event log at kurrentdb://{address} can't be used: the connection is refused")
    );
    let three = format!(
        "kurrentdb://desk:secret@{address},{address},{address}?tls=false&gossipTimeout=300"
    );
    let three = refused(&three).await;
    assert!(
        three.ends_with("can't be used: no node of it answers"),
        "{three}"
    );
    // Somebody listens and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let silent = refused(&format!(
        "kurrentdb://{address}?tls=false&defaultDeadline=200&gossipTimeout=100"
    ))
    .await;
    assert!(silent.contains("answer"), "{silent}");
    let log = Log::kurrent().await;
    let Some(address) = log.address() else {
        unreachable!("it is served")
    };
    let tls = address.replace("tls=false", "tls=true");
    assert!(refused(&tls).await.contains("it does not speak TLS"));
    let wrong = EventStore::connect("kurrentdb://desk:secret@host?tsl=true").await;
    assert!(matches!(wrong, Err(OpenError::Address { .. })), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_release_or_of_none_is_named() {
    let log = Log::kurrent().await;
    let (Some(address), Served::Server(server)) = (log.address(), &log.served) else {
        unreachable!("it is served")
    };
    for (claimed, said) in [
        (
            "99.1.0",
            "is of version 99.1.0; this release works with KurrentDB 21 to 26",
        ),
        (
            "5.0.11",
            "is of version 5.0.11; this release works with KurrentDB 21 to 26",
        ),
        (
            "next",
            "is of version unknown; this release works with KurrentDB 21 to 26",
        ),
    ] {
        server.faults().claim_version(claimed);
        let refused = refused(&address).await;
        assert!(refused.ends_with(said), "{claimed}: {refused}");
    }
    server.faults().claim_version("26.0.0");
    assert!(EventStore::connect(&address).await.is_ok());
    // A web server of the first kind.
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = web.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut caller in web.incoming().flatten() {
            let mut asked = [0; 1_024];
            let _ = caller.read(&mut asked);
            let _ = caller.write_all(b"HTTP/1.1 505 HTTP Version Not Supported\r\n\r\n");
            // Closed before all was read it would be a reset connection.
            while caller.read(&mut asked).is_ok_and(|bytes| bytes > 0) {}
        }
    });
    let web = refused(&format!("kurrentdb://{address}?tls=false")).await;
    assert!(web.ends_with("what answers there is no KurrentDB"), "{web}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_only_reads_says_so_and_is_read() {
    let log = Log::embedded();
    let embedded = log.store();
    embedded.append("s", 0, vec![any_event()]).await.unwrap();
    let server = squareoff_serve::start(embedded.clone(), Options::default())
        .await
        .unwrap();
    let log = Log {
        served: Served::Server(server),
        ..log
    };
    let store = log.store();
    let refused = store.append("s", 1, vec![any_event()]).await.unwrap_err();
    assert!(
        matches!(refused, AppendError::ReadOnly { .. }),
        "{refused:?}"
    );
    let read = store.read_all(Position::START, 10).await.unwrap();
    let held = embedded.read_all(Position::START, 10).await.unwrap();
    assert_eq!(
        (read.len(), &read[0].body, read[0].previous),
        (1, &held[0].body, held[0].previous)
    );
    let entries = store.read_entries(Position::START, 10).await.unwrap();
    assert_eq!(
        entries[0].leaf_hash(),
        squareoff_store::Entry::of(&held[0]).leaf_hash()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_went_away_is_named_and_found_again() {
    let mut log = Log::kurrent().await;
    let Some(address) = log.address() else {
        unreachable!("it is served")
    };
    let address = address.replace("10000", "200");
    let store = EventStore::connect(&address).await.unwrap();
    store.append("s", 0, vec![any_event()]).await.unwrap();
    let Served::Server(server) = std::mem::replace(&mut log.served, Served::Nobody) else {
        unreachable!("it is served")
    };
    let listen = server.address();
    server.stop().await;
    assert!(store.read_all(Position::START, 10).await.is_err());
    let refused = store.append("s", 1, vec![any_event()]).await.unwrap_err();
    assert!(
        matches!(
            refused,
            AppendError::Unavailable { .. } | AppendError::Unknown { .. }
        ),
        "{refused:?}"
    );
    let options = Options {
        listen,
        write: Write::AnyEvents,
        ..Options::default()
    };
    let embedded = EventStore::open(log.folder.path()).unwrap();
    let _server = squareoff_serve::start(embedded, options).await.unwrap();
    store.append("s", 1, vec![any_event()]).await.unwrap();
    assert_eq!(store.read_all(Position::START, 10).await.unwrap().len(), 2);
}
