//! Requests that two readers could read in two ways: where there is a proxy in front, what one of them takes for a body the other could
//! take for the next request. Each is refused, or is read the one way that RFC 9112 gives, and what was hidden in it is never answered.

use crate::desk::{Desk, PATIENCE, nifty};
use crate::node::{ACTOR, Node, close_all, with};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What is hidden in a body, or comes behind one.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nHost: hidden\r\nConnection: close\r\n\r\n";

/// The status of each answer to bytes sent over a connection of its own, up to its end, and all that came.
async fn answers(node: &Node, bytes: &str) -> (Vec<u16>, String) {
    let address = node.url.strip_prefix("http://").unwrap();
    let mut peer = TcpStream::connect(address).await.unwrap();
    peer.write_all(bytes.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    // The peer may cut what it does not read.
    let read = tokio::time::timeout(PATIENCE, peer.read_to_end(&mut said));
    let _ = read.await.expect("the connection is held for ever");
    let said = String::from_utf8_lossy(&said).into_owned();
    let status = |line: &str| line.split(' ').next()?.parse().ok();
    let statuses = said.split("HTTP/1.1 ").skip(1).filter_map(status);
    (statuses.collect(), said)
}

/// The head of a square-off, with these lines about its body.
fn head(node: &Node, key: &str, lines: &str) -> String {
    format!(
        "POST /v1/square-offs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nIdempotency-Key: {key}\r\n\
         Content-Type: application/json\r\n{lines}\r\n",
        node.token(ACTOR)
    )
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

#[tokio::test]
async fn a_body_whose_end_can_be_read_in_two_ways_is_refused_and_nothing_hidden_in_it_is_answered()
{
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let body = close_all(&nifty()).to_string();
    let (long, short) = (body.len() + HIDDEN.len(), body.len());
    let chunked = format!("{}0\r\n\r\n", chunk(&body));
    let te = || "Transfer-Encoding: chunked\r\n".to_owned();
    let cases = [
        (
            "two lengths",
            format!("Content-Length: {short}\r\nContent-Length: {long}\r\n"),
            &body,
        ),
        (
            "two lengths in one field",
            format!("Content-Length: {short}, {long}\r\n"),
            &body,
        ),
        (
            "a signed length",
            format!("Content-Length: +{short}\r\n"),
            &body,
        ),
        (
            "a length in hexadecimal",
            format!("Content-Length: 0x{short:x}\r\n"),
            &body,
        ),
        (
            "a space before the colon",
            format!("Content-Length : {short}\r\n"),
            &body,
        ),
        (
            "a length on a folded line",
            format!("Content-Length:\r\n {short}\r\n"),
            &body,
        ),
        (
            "a folded line",
            format!("X-Folded: a\r\n\tContent-Length: {long}\r\nContent-Length: {short}\r\n"),
            &body,
        ),
        (
            "a carriage return alone",
            format!("X-Bare: a\rContent-Length: {long}\r\nContent-Length: {short}\r\n"),
            &body,
        ),
        (
            "a coding that is none",
            "Transfer-Encoding: xchunked\r\n".to_owned(),
            &chunked,
        ),
        (
            "chunks that are not the last coding",
            "Transfer-Encoding: chunked, gzip\r\n".to_owned(),
            &chunked,
        ),
        ("a chunk's size that is none", te(), &format!("x{chunked}")),
        ("a chunk's size with a sign", te(), &format!("+{chunked}")),
        (
            "a chunk's size beyond all numbers",
            te(),
            &format!("f000000000000000{chunked}"),
        ),
        (
            "a chunk longer than its size",
            te(),
            &format!("1\r\n{body}\r\n0\r\n\r\n"),
        ),
        (
            "a chunk's extension that ends in a line feed alone",
            te(),
            &format!("{short:x};a\n{body}\r\n0\r\n\r\n"),
        ),
    ];
    for (number, (what, lines, body)) in cases.into_iter().enumerate() {
        let head = head(&node, &number.to_string(), &lines);
        let (statuses, said) = answers(&node, &format!("{head}{body}{HIDDEN}")).await;
        assert!(statuses.len() <= 1, "{what}: {said}");
        let is_refused = |status: &u16| (400..500).contains(status);
        assert!(statuses.iter().all(is_refused), "{what}: {said}");
    }
    assert!(desk.placed(&nifty()).await.is_empty());
    assert_eq!(node.get("/healthz").await.text, "ok\n");
}

/// Chunks are stronger than a length, and what says both ends its connection (RFC 9112, 6.1): what comes behind it is of nobody.
#[tokio::test]
async fn a_body_of_chunks_with_a_length_besides_is_read_as_chunks_and_nothing_is_read_behind_it() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let body = with(&close_all(&nifty()), &[("quantity", json!(5))]).to_string();
    let chunked = format!("{}0\r\n\r\n", chunk(&body));
    let long = chunked.len() + HIDDEN.len();
    let (te, cl) = ("Transfer-Encoding: chunked\r\n", "Content-Length: ");
    let cases = [
        format!("{te}{cl}{long}\r\n"),
        format!("{cl}{long}\r\n{te}"),
        format!("{cl}3\r\n{te}"),
        format!("{te}{cl}0\r\n"),
    ];
    let count = cases.len();
    for (number, lines) in cases.into_iter().enumerate() {
        let head = head(&node, &number.to_string(), &lines);
        let (statuses, said) = answers(&node, &format!("{head}{chunked}{HIDDEN}")).await;
        assert_eq!(statuses, [202], "{lines}: {said}");
    }
    assert_eq!(desk.placed(&nifty()).await, vec![5; count]);
}

#[tokio::test]
async fn what_is_odd_but_can_be_read_in_one_way_is_one_request() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let body = with(&close_all(&nifty()), &[("quantity", json!(5))]).to_string();
    let short = body.len();
    let te = "Transfer-Encoding: chunked\r\n".to_owned();
    let cases = [
        // An extension of the chunk, whatever it says, ends with its line.
        (
            te.clone(),
            format!("{short:x};;=a=\"b;c\r\n{body}\r\n0;\"\r\n\r\n"),
        ),
        // What stands behind the chunks says nothing of where they end.
        (
            te,
            format!("{}0\r\nContent-Length: 3\r\nHost: y\r\n\r\n", chunk(&body)),
        ),
        (
            format!("Content-Length: {short}\nX-Line: feed\n"),
            body.clone(),
        ),
        (
            format!("Content-Length: {short}\r\nContent-Length: {short}\r\n"),
            body,
        ),
    ];
    let count = cases.len();
    for (number, (lines, body)) in cases.into_iter().enumerate() {
        let head = head(&node, &number.to_string(), &lines);
        // What comes behind it is the next request, no more and no less of it.
        let (statuses, said) = answers(&node, &format!("{head}{body}{HIDDEN}")).await;
        assert_eq!(statuses, [202, 200], "{lines}: {said}");
    }
    assert_eq!(desk.placed(&nifty()).await, vec![5; count]);
}
