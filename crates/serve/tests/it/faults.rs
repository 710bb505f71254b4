//! Faults on demand, and the cluster of three, as the Python client meets them. What the adapter makes of each is its own tests' matter.

use crate::peers::{python, run};
use squareoff_serve::{Call, Cluster, Fault, Options, Server, Write, start};
use squareoff_store::EventStore;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;

/// Appends one event with an id of its own to stream `s`, and prints the error, if there is one, and the log's length.
const APPEND: &str = "import sys\n\
    from kurrentdbclient import KurrentDBClient, NewEvent, StreamState\n\
    client = KurrentDBClient(uri=sys.argv[1])\n\
    try:\n    client.append_to_stream('s', current_version=StreamState.NO_STREAM, events=NewEvent(type='T', data=b'{}'), timeout=2)\n\
    except Exception as error:\n    print(type(error).__name__)\n\
    print(len(list(client.read_all())))";

/// Subscribes to everything from the start and prints how many events came before the end.
const SUBSCRIBE: &str = "import sys\n\
    from kurrentdbclient import KurrentDBClient\n\
    client = KurrentDBClient(uri=sys.argv[1])\n\
    print(sum(1 for event in client.subscribe_to_all()))";

/// Prints how many events there are.
const COUNT: &str = "import sys\n\
    from kurrentdbclient import KurrentDBClient\n\
    client = KurrentDBClient(uri=sys.argv[1])\n\
    print(len(list(client.read_all())))";

fn options() -> Options {
    Options {
        write: Write::AnyEvents,
        ..Options::default()
    }
}

async fn served() -> (TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let store = EventStore::open(folder.path()).unwrap();
    let server = start(store, options()).await.unwrap();
    (folder, server)
}

async fn script(script: &str, addresses: &[std::net::SocketAddr]) -> String {
    let hosts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    let uri = format!("kurrentdb://{}?tls=false", hosts.join(","));
    let said = run(Command::new(python().await).args(["-c", script, &uri])).await;
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The client tries again by itself where it may; the log then answers as the first time.
#[tokio::test]
async fn an_append_is_there_once_whatever_befalls_its_answer() {
    for fault in [
        Fault::AbortAfterCommit,
        Fault::ResetAfterCommit,
        Fault::Reset,
        Fault::SlowAnswer(Duration::from_millis(100)),
        Fault::HangAfterCommit,
        Fault::Hang,
    ] {
        let (_folder, server) = served().await;
        server.faults().inject(Call::Append, 0, fault.clone());
        assert_eq!(script(APPEND, &[server.address()]).await, "1", "{fault:?}");
        assert_eq!(server.faults().left(), 0, "{fault:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_subscription_may_end_as_if_all_had_been_said() {
    let (_folder, server) = served().await;
    script(APPEND, &[server.address()]).await;
    // Its confirmation and a page pass.
    server.faults().inject(Call::Subscribe, 2, Fault::EndStream);
    assert_eq!(script(SUBSCRIBE, &[server.address()]).await, "1");
    server.stop().await;
}

#[tokio::test]
async fn a_fault_waits_for_its_turn() {
    let (_folder, server) = served().await;
    let elsewhere = "127.0.0.1:1".parse().unwrap();
    server
        .faults()
        .inject(Call::Append, 1, Fault::NotLeader(elsewhere));
    assert_eq!(script(APPEND, &[server.address()]).await, "1");
    assert_eq!(server.faults().left(), 1);
    server.faults().clear();
    assert_eq!(server.faults().left(), 0);
    server.stop().await;
}

#[tokio::test]
async fn of_three_nodes_the_leader_is_found_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = EventStore::open(folder.path()).unwrap();
    let mut cluster = Cluster::start(&store, &options()).await.unwrap();
    let addresses = cluster.addresses().to_vec();
    assert_eq!(cluster.leader(), 0);
    assert_eq!(script(APPEND, &addresses).await, "1");
    // A client that found the leader is told when it no longer leads, and goes there.
    let follow = "import sys\n\
        from kurrentdbclient import KurrentDBClient, NewEvent, StreamState\n\
        client = KurrentDBClient(uri=sys.argv[1])\n\
        append = lambda: client.append_to_stream('t', current_version=StreamState.ANY, events=NewEvent(type='T', data=b'{}'))\n\
        append()\n\
        print(client.connection_target, flush=True)\n\
        sys.stdin.readline()\n\
        append()\n\
        print(client.connection_target)";
    let uri = format!(
        "kurrentdb://{},{},{}?tls=false",
        addresses[0], addresses[1], addresses[2]
    );
    let mut client = Command::new(python().await)
        .args(["-c", follow, &uri])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = tokio::io::BufReader::new(client.stdout.take().unwrap());
    let mut line = String::new();
    tokio::io::AsyncBufReadExt::read_line(&mut said, &mut line)
        .await
        .unwrap();
    assert_eq!(line.trim(), addresses[0].to_string());
    cluster.lead(2);
    let mut input = client.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut input, b"\n")
        .await
        .unwrap();
    line.clear();
    tokio::io::AsyncBufReadExt::read_line(&mut said, &mut line)
        .await
        .unwrap();
    assert_eq!(line.trim(), addresses[2].to_string());
    assert!(client.wait().await.unwrap().success());

    // A node that is gone is told of by the others.
    cluster.stop(0).await;
    assert!(cluster.server(0).is_none() && cluster.server(1).is_some());
    assert_eq!(script(COUNT, &addresses[1..]).await, "3");
    cluster.stop(1).await;
    cluster.stop(2).await;
}
