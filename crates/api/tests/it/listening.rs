//! Live readers as others see them: server-sent events and WebSocket messages off a socket.

use crate::desk::PATIENCE;
use crate::node::{ACTOR, Node};
use futures::{SinkExt, StreamExt};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use squareoff_store::Position;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// One server-sent event; a heartbeat is one without a name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Event {
    pub id: String,
    pub name: String,
    pub data: Value,
    pub comment: bool,
    pub retry: bool,
}

impl Event {
    pub fn position(&self) -> Position {
        self.id.parse().unwrap()
    }
}

/// An open stream of server-sent events.
pub struct Listener {
    source: Source,
    read: Vec<u8>,
}

enum Source {
    Http(Response),
    Socket(TcpStream),
}

impl Listener {
    /// With the first event that it gets.
    pub async fn open(node: &Node, query: &str) -> (Self, Event) {
        Self::open_as(node, ACTOR, query, None).await
    }

    pub async fn resume(node: &Node, query: &str, after: Position) -> (Self, Event) {
        Self::open_as(node, ACTOR, query, Some(&after.to_string())).await
    }

    pub async fn open_as(
        node: &Node,
        actor: &str,
        query: &str,
        last_event_id: Option<&str>,
    ) -> (Self, Event) {
        let mut request = request(&node.url, &node.token(actor), query);
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        Self::of(request).await
    }

    pub async fn open_at(url: &str, token: &str) -> (Self, Event) {
        Self::of(request(url, token, "")).await
    }

    async fn of(request: RequestBuilder) -> (Self, Event) {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let mut listener = Listener {
            source: Source::Http(response),
            read: Vec::new(),
        };
        let first = listener.next().await.unwrap();
        (listener, first)
    }

    /// One whose socket holds next to nothing that is not read.
    pub async fn narrow(node: &Node) -> (Self, Event) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let address = node.url.strip_prefix("http://").unwrap();
        let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
        let token = node.token(ACTOR);
        // Of HTTP/1.0, so that the answer is not cut into chunks.
        let request = format!("GET /v1/live HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut listener = Listener {
            source: Source::Socket(stream),
            read: Vec::new(),
        };
        let head = listener.until(b"\r\n\r\n").await.unwrap();
        assert!(head.starts_with(b"HTTP/1.0 200"));
        let first = listener.next().await.unwrap();
        (listener, first)
    }

    /// The next event, heartbeats aside: one may come at any time. `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Event> {
        let next = async {
            loop {
                let event = self.read_on().await?;
                if !event.comment {
                    return Some(event);
                }
            }
        };
        tokio::time::timeout(PATIENCE, next)
            .await
            .expect("nothing came")
    }

    pub async fn next_or_heartbeat(&mut self) -> Option<Event> {
        let next = tokio::time::timeout(PATIENCE, self.read_on());
        next.await.expect("nothing came")
    }

    async fn read_on(&mut self) -> Option<Event> {
        let event = self.until(b"\n\n").await?;
        Some(parse(std::str::from_utf8(&event).unwrap()))
    }

    /// What comes up to the first `end`, with it.
    async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            let found = self.read.windows(end.len()).position(|here| here == end);
            if let Some(found) = found {
                return Some(self.read.drain(..found + end.len()).collect());
            }
            match &mut self.source {
                Source::Http(response) => {
                    let bytes = response.chunk().await.ok().flatten()?;
                    self.read.extend_from_slice(&bytes);
                }
                Source::Socket(stream) => {
                    let read = stream.read_buf(&mut self.read).await;
                    read.ok().filter(|read| *read > 0)?;
                }
            }
        }
    }

    /// The next event that is a change.
    pub async fn change(&mut self) -> Event {
        let event = self.next().await.expect("the stream has ended");
        assert_eq!(event.name, "change", "{event:?}");
        event
    }

    /// The change of this position; those before it are skipped.
    pub async fn change_at(&mut self, position: Position) -> Event {
        loop {
            let change = self.change().await;
            assert!(
                change.position() <= position,
                "{position} was left out: {change:?}"
            );
            if change.position() == position {
                return change;
            }
        }
    }
}

/// Without a limit for the whole answer, which has no end.
fn request(url: &str, token: &str, query: &str) -> RequestBuilder {
    let http = Client::builder().no_proxy().build().unwrap();
    http.get(format!("{url}/v1/live{query}")).bearer_auth(token)
}

fn parse(text: &str) -> Event {
    let mut event = Event::default();
    for line in text.lines() {
        match line.split_once(": ") {
            Some(("", _)) => event.comment = true,
            Some(("id", id)) => event.id = id.to_owned(),
            Some(("event", name)) => event.name = name.to_owned(),
            Some(("retry", _)) => event.retry = true,
            Some(("data", data)) => {
                event.data = serde_json::from_str(data).unwrap();
            }
            None if line.is_empty() => {}
            _ => panic!("no line of an event: {line}"),
        }
    }
    if !event.data.is_null() {
        assert_eq!(event.data["event"], event.name.as_str());
    }
    event
}

/// An open WebSocket.
pub struct WebSocket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl WebSocket {
    /// With the first message that it gets.
    pub async fn open(url: &str, token: &str, query: &str) -> (Self, Value) {
        let socket = Self::asked(url, "/v1/live", query, token, None).await;
        let mut socket = socket.unwrap();
        let first = socket.json().await;
        (socket, first)
    }

    /// The status and type of the answer when it is no WebSocket.
    pub async fn asked(
        url: &str,
        path: &str,
        query: &str,
        token: &str,
        origin: Option<&str>,
    ) -> Result<Self, (u16, Value)> {
        let url = url.replacen("http", "ws", 1);
        let mut request = format!("{url}{path}{query}").into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("Authorization", format!("Bearer {token}").parse().unwrap());
        if let Some(origin) = origin {
            headers.insert("Origin", origin.parse().unwrap());
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(WebSocket(socket)),
            Err(tungstenite::Error::Http(refused)) => {
                let body = refused.body().as_deref().unwrap_or_default();
                let body = serde_json::from_slice(body).unwrap_or_default();
                Err((refused.status().as_u16(), body))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The next message that is text, heartbeats aside: one may come at any time.
    pub async fn json(&mut self) -> Value {
        loop {
            let message = self.json_or_heartbeat().await;
            if message["event"] != "heartbeat" {
                return message;
            }
        }
    }

    pub async fn json_or_heartbeat(&mut self) -> Value {
        match self.next(|message| message.is_text()).await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The code that it is closed with.
    pub async fn closed(&mut self) -> u16 {
        match self.next(|message| message.is_close()).await {
            Message::Close(Some(frame)) => frame.code.into(),
            other => panic!("{other:?}"),
        }
    }

    /// The next ping.
    pub async fn pinged(&mut self) {
        self.next(|message| message.is_ping()).await;
    }

    pub async fn say(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    async fn next(&mut self, wanted: impl Fn(&Message) -> bool) -> Message {
        let next = async {
            loop {
                let message = self.0.next().await.expect("the socket has ended").unwrap();
                if wanted(&message) {
                    return message;
                }
                assert!(!message.is_close(), "{message:?}");
            }
        };
        tokio::time::timeout(PATIENCE, next).await.unwrap()
    }
}
