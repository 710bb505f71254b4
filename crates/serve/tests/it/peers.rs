//! Clients that others wrote, as judges: the Python and the Node client of KurrentDB, at versions that stand in `tests/peers/`.
//!
//! They are installed into the build folder, once for each set of versions. Without a registry in reach and nothing installed, these
//! tests fail and say so.

use crate::certificate::certificate;
use squareoff_serve::{Options, Server, Token, Write, start};
use squareoff_store::EventStore;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use tokio::process::Command;

const TOKEN: &str = "0123456789abcdef";

#[tokio::test]
async fn the_python_client_reads_appends_and_subscribes() {
    let python = python().await;
    judge(async |connection, what| {
        let script = peers().join("peer.py");
        run(Command::new(&python).arg(script).args([connection, what])).await;
    })
    .await;
}

#[tokio::test]
async fn the_node_client_reads_appends_and_subscribes() {
    let modules = node().await;
    judge(async |connection, what| {
        let script = modules.join("peer.js");
        run(Command::new("node").arg(script).args([connection, what])).await;
    })
    .await;
}

/// Lets a client write to a log, then read it from a server that lets nobody write.
async fn judge(peer: impl AsyncFn(&str, &str)) {
    let folder = tempfile::tempdir().unwrap();
    let store = EventStore::open(folder.path()).unwrap();
    let serve = async |options| -> Server { start(store.clone(), options).await.unwrap() };
    let server = serve(Options {
        write: Write::AnyEvents,
        ..Options::default()
    })
    .await;
    peer(
        &format!("kurrentdb://{}?tls=false", server.address()),
        "write",
    )
    .await;
    server.stop().await;
    let server = serve(Options::default()).await;
    peer(
        &format!("kurrentdb+discover://{}?tls=false", server.address()),
        "read",
    )
    .await;
    server.stop().await;
}

#[tokio::test]
async fn over_tls_only_who_brings_the_token_reads() {
    let python = python().await;
    let folder = tempfile::tempdir().unwrap();
    let tls = certificate(folder.path());
    let trusted = tls.certificate.display().to_string();
    let store = EventStore::open(&folder.path().join("log")).unwrap();
    let options = Options {
        tls: Some(tls),
        token: Token::new(TOKEN),
        ..Options::default()
    };
    let server = start(store, options).await.unwrap();
    let port = server.address().port();
    for (token, says) in [
        (TOKEN, "events: 0"),
        ("0123456789abcdee", "this server asks for its token"),
    ] {
        let uri = format!("kurrentdb://auditor:{token}@localhost:{port}?tlsCaFile={trusted}");
        let script = "import sys\n\
            from kurrentdbclient import KurrentDBClient\n\
            try:\n    client = KurrentDBClient(uri=sys.argv[1])\n    print('events:', len(list(client.read_all())))\n\
            except Exception as error:\n    print(type(error).__name__, error)";
        let said = run(Command::new(&python).args(["-c", script, &uri])).await;
        assert!(said.contains(says), "{said}");
    }
    server.stop().await;
}

/// Every role of the platform stops at an event that it can't read.
#[tokio::test]
async fn of_a_log_of_the_platform_only_its_own_events_are_appended() {
    let python = python().await;
    let folder = tempfile::tempdir().unwrap();
    let store = EventStore::open(folder.path()).unwrap();
    let options = Options {
        write: Write::KnownEvents,
        ..Options::default()
    };
    let server = start(store.clone(), options).await.unwrap();
    let uri = format!("kurrentdb://asha:@{}?tls=false", server.address());
    for (event_type, body, says) in [
        (
            "Teleported",
            "{}",
            "Teleported is no event type of this release",
        ),
        ("ExposureBreached", "{}", "the body is no ExposureBreached"),
        ("ExposureBreached", r#"{"excess": 130}"#, "done"),
    ] {
        let script = "import sys\n\
            from kurrentdbclient import KurrentDBClient, NewEvent, StreamState\n\
            client = KurrentDBClient(uri=sys.argv[1])\n\
            event = NewEvent(type=sys.argv[2], data=sys.argv[3].encode())\n\
            try:\n    client.append_to_stream('s', current_version=StreamState.ANY, events=event)\n    print('done')\n\
            except Exception as error:\n    print(error)";
        let said = run(Command::new(&python).args(["-c", script, &uri, event_type, body])).await;
        assert!(said.contains(says), "{said}");
    }
    let stored = store.read_stream("s", 1, 10).await.unwrap();
    let [stored] = &stored[..] else {
        panic!("{stored:?}")
    };
    assert_eq!((stored.schema_version, stored.epoch), (1, 0));
    assert_eq!(stored.request_id, stored.id);
    assert!(squareoff_store::codec::decode(stored).is_ok());
    server.stop().await;
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers")
}

/// The interpreter that has the Python client.
pub async fn python() -> PathBuf {
    let requirements = peers().join("requirements.txt");
    let installed = installed("python", &[&requirements], async |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder)).await;
        let mut install = Command::new(folder.join("bin/pip"));
        install.args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "-r",
        ]);
        run(install.arg(&requirements)).await;
    })
    .await;
    installed.join("bin/python")
}

/// The folder with the Node client and our script beside it.
async fn node() -> PathBuf {
    let files = ["package.json", "package-lock.json", "peer.js"].map(|name| peers().join(name));
    installed("node", &[&files[0], &files[1], &files[2]], async |folder| {
        for file in &files {
            fs::copy(file, folder.join(file.file_name().unwrap())).unwrap();
        }
        let mut install = Command::new("npm");
        // What a package would run when it is installed is not needed here.
        install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        run(install.current_dir(folder)).await;
    })
    .await
}

/// The folder that `install` filled for these files, now or before. One process at a time.
async fn installed(name: &str, files: &[&PathBuf], install: impl AsyncFnOnce(&Path)) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    for file in files {
        fs::read(file).unwrap().hash(&mut hasher);
    }
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers");
    let folder = cache.join(format!("{name}-{:016x}", hasher.finish()));
    let done = folder.join("installed");
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    tokio::task::spawn_blocking(move || lock.lock().map(|()| lock))
        .await
        .unwrap()
        .map(|lock| async move {
            if !done.exists() {
                install(&folder).await;
                fs::write(&done, "").unwrap();
            }
            drop(lock);
            folder
        })
        .unwrap()
        .await
}

/// Runs to the end and returns what was printed.
pub async fn run(command: &mut Command) -> String {
    let said = command.kill_on_drop(true).output().await.unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let error = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{command:?}: {text}{error}");
    text
}
