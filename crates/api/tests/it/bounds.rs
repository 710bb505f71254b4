//! How long a peer may take over each step of a connection, and how many connections there are: here a moment and two, so that no
//! test waits for what a node allows.

use crate::by_hand;
use crate::desk::{Desk, PATIENCE, nifty};
use crate::encrypted::{files, renew};
use crate::node::{ACTOR, Node, answer, close_all, nowhere};
use axum::http::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use squareoff_api::{Bounds, Tls, listen, serve};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Long enough for nothing but what never comes.
const MOMENT: Duration = Duration::from_millis(300);

const ALIVE: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

/// A server of a node's application under bounds of its own.
struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Served {
    fn start(node: &Node, bounds: Bounds, tls: Option<Tls>) -> Self {
        let app = node.app.clone().with_bounds(bounds);
        let listener = listen("127.0.0.1:0".parse().unwrap(), tls.as_ref()).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(serve(listener, app, tls, async { drop(stopped.await) }));
        Served {
            address,
            stop,
            ended,
        }
    }

    /// A connection over which `bytes` were sent.
    async fn peer(&self, bytes: &[u8]) -> TcpStream {
        let mut peer = TcpStream::connect(self.address).await.unwrap();
        peer.write_all(bytes).await.unwrap();
        peer
    }
}

/// What comes until the other side ends the connection.
async fn to_its_end(peer: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let read = tokio::time::timeout(PATIENCE, peer.read_to_end(&mut said));
    // It may be cut while something is on its way.
    let _ = read.await.expect("the connection is held for ever");
    String::from_utf8_lossy(&said).into_owned()
}

/// One more answer over a connection that stays open.
async fn alive(peer: &mut TcpStream) {
    peer.write_all(ALIVE).await.unwrap();
    answered(peer).await;
}

async fn answered(peer: &mut TcpStream) {
    let mut said = Vec::new();
    while !said.ends_with(b"ok\n") {
        let read = tokio::time::timeout(PATIENCE, peer.read_buf(&mut said));
        assert_ne!(read.await.unwrap().unwrap(), 0, "it was cut");
    }
    assert!(said.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_head_that_does_not_come_whole_ends_its_connection_however_far_it_came() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let bounds = Bounds {
        head_max: MOMENT,
        ..Bounds::default()
    };
    let served = Served::start(&node, bounds, None);
    for begun in [
        // Nothing at all, and what may become HTTP/2: which of the two it is, is not known yet.
        &b""[..],
        b"PRI * HTTP/2.0\r\n",
        b"GET /v1/ev",
        b"GET /v1/events HTTP/1.1\r\nHost: x\r\n",
        // HTTP/2 that asks nothing.
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    ] {
        let said = to_its_end(&mut served.peer(begun).await).await;
        assert!(!said.contains("HTTP/1.1 200"), "{begun:?}: {said}");
    }
    // Nor is a connection kept for a second request that never comes.
    let mut peer = served.peer(ALIVE).await;
    answered(&mut peer).await;
    assert_eq!(to_its_end(&mut peer).await, "");
}

/// HTTP/2 has pings, which a peer answers for ever.
#[tokio::test]
async fn an_http2_connection_ends_when_nothing_more_is_asked_and_not_while_an_answer_goes_on() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let bounds = Bounds {
        head_max: MOMENT,
        ..Bounds::default()
    };
    let served = Served::start(&node, bounds, None);
    let stream = TokioIo::new(TcpStream::connect(served.address).await.unwrap());
    let connected = http2::handshake(TokioExecutor::new(), stream).await;
    let (mut peer, connection) = connected.unwrap();
    let ended = tokio::spawn(connection);
    let mut ask = async |path: &str| {
        let request = Request::get(format!("http://{}{path}", served.address))
            .header("authorization", format!("Bearer {}", node.token(ACTOR)))
            .body(String::new());
        let answer = peer.send_request(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body()
    };
    let live = ask("/v1/live").await;
    tokio::time::sleep(3 * MOMENT).await;
    drop(ask("/healthz").await);
    assert!(!ended.is_finished());
    drop(live);
    let ended = tokio::time::timeout(PATIENCE, ended);
    let ended = ended.await.expect("the connection is held for ever");
    ended.unwrap().unwrap();
}

#[tokio::test]
async fn a_handshake_that_dawdles_ends_its_connection() {
    let (desk, folder) = (Desk::open().await, tempfile::tempdir().unwrap());
    let node = Node::start(&desk).await;
    let files = files(folder.path());
    renew(&files);
    let bounds = Bounds {
        handshake_max: MOMENT,
        ..Bounds::default()
    };
    let served = Served::start(&node, bounds, Some(Tls::open(files).unwrap()));
    // The beginning of a record that holds the beginning of a ClientHello.
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let said = to_its_end(&mut served.peer(begun).await).await;
        assert_eq!(said, "", "{begun:?}");
    }
}

/// What was asked goes on without whoever asked: the same key tells what became of it.
#[tokio::test]
async fn an_answer_that_takes_too_long_is_given_up_and_the_same_key_finds_it_done() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let bounds = Bounds {
        answer_max: MOMENT,
        ..Bounds::default()
    };
    let hasty = Node::serving(&desk, Node::app(&desk, &nowhere()).with_bounds(bounds)).await;
    let hand = by_hand::log(&desk);
    // Another process holds the log: nothing is committed.
    hand.execute_batch("begin immediate").unwrap();
    let ask = |node: &Node| answer(node.square_off_as(ACTOR, "one", &close_all(&nifty())));
    let late = ask(&hasty).await;
    late.assert_problem(503, "took-too-long", "the same Idempotency-Key");
    hand.execute_batch("rollback").unwrap();
    ask(&node).await.accepted();
    assert_eq!(desk.placed(&nifty()).await, [20, 20]);
}

#[tokio::test]
async fn whoever_is_one_connection_too_many_waits_until_another_goes() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let bounds = Bounds {
        connections_max: 2,
        ..Bounds::default()
    };
    let served = Served::start(&node, bounds, None);
    let (mut first, mut second) = (served.peer(b"").await, served.peer(b"").await);
    alive(&mut first).await;
    alive(&mut second).await;
    // The system takes it into its queue, and there its request waits.
    let mut third = served.peer(ALIVE).await;
    let early = tokio::time::timeout(MOMENT, third.read_u8()).await;
    assert!(early.is_err(), "three are served at once");
    alive(&mut first).await;
    drop(second);
    answered(&mut third).await;
    alive(&mut first).await;
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off_when_the_server_has_stopped_long_enough() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let bounds = Bounds {
        drain_max: MOMENT,
        ..Bounds::default()
    };
    let served = Served::start(&node, bounds, None);
    let head = format!(
        "POST /v1/square-offs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nIdempotency-Key: never\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n",
        node.token(ACTOR)
    );
    let mut peer = served.peer(head.as_bytes()).await;
    let mut wanted = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    peer.read_exact(&mut wanted).await.unwrap();
    let mut silent = served.peer(b"").await;
    served.stop.send(()).unwrap();
    let ended = tokio::time::timeout(PATIENCE, served.ended);
    ended.await.expect("it drains for ever").unwrap();
    assert_eq!(to_its_end(&mut peer).await, "");
    assert_eq!(to_its_end(&mut silent).await, "");
    assert!(desk.placed(&nifty()).await.is_empty());
}
