//! A broker that speaks bytes: what a session engine would hide is seen here.

use std::net::SocketAddr;
use std::time::Duration;

use squareoff_fix::encode::{Body, Header, Identity, frame};
use squareoff_fix::{AppMessage, Decoder, Frame, Message, Timestamp, tag};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::broker::{message, patiently};

pub struct Wire {
    stream: TcpStream,
    decoder: Decoder,
    seq: u64,
}

impl Wire {
    /// Connects as NSE's SQUAREOFF and logs on with numbers that begin at 1; `terms` is more of the log-on.
    pub async fn log_on(address: SocketAddr, terms: &[(u32, bool)]) -> Self {
        let mut body = Body::new();
        body.count(tag::ENCRYPT_METHOD, 0);
        body.count(tag::HEART_BT_INT, 30);
        body.flag(tag::RESET_SEQ_NUM_FLAG, true);
        for (tag, value) in terms {
            body.flag(*tag, *value);
        }
        let body = body.finish().unwrap();
        patiently("a log-on", async {
            loop {
                let mut wire = Self {
                    stream: TcpStream::connect(address).await.unwrap(),
                    decoder: Decoder::default(),
                    seq: 0,
                };
                wire.send(b"A", &body).await;
                // Refused as long as the connection before this one is being closed.
                if wire
                    .receive()
                    .await
                    .is_some_and(|answer| answer.kind() == b"A")
                {
                    return wire;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    pub async fn send(&mut self, kind: &[u8], body: &[u8]) {
        self.seq += 1;
        let identity = Identity {
            begin_string: "FIX.4.4".to_owned(),
            sender: "SQUAREOFF".to_owned(),
            target: "NSE".to_owned(),
        };
        let header = Header {
            kind,
            seq: self.seq,
            sending_time: Timestamp::now(),
            ..Header::default()
        };
        let bytes = frame(&identity, &header, body);
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// Sends a line, see [`message`].
    pub async fn say(&mut self, line: &str) {
        let message = message(line);
        self.send(message.kind().as_bytes(), &message.write().unwrap())
            .await;
    }

    /// The next message; `None` when the exchange has closed, with what it left unfinished in the decoder.
    pub async fn receive(&mut self) -> Option<Message> {
        loop {
            if let Some(Frame::Message(message)) = self.decoder.next() {
                return Some(message);
            }
            let read = self.stream.read_buf(&mut self.decoder.buffer);
            match patiently("bytes of the exchange", read).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next report: its sequence number, whether it is a possible duplicate, and what it says.
    pub async fn hear(&mut self) -> (String, bool, String) {
        loop {
            let message = self.receive().await.expect("the exchange is there");
            let text =
                |tag| String::from_utf8_lossy(message.get(tag).unwrap_or_default()).into_owned();
            if message.kind() == b"8" {
                let said = crate::broker::shown(&AppMessage::read(&message).unwrap());
                return (
                    text(tag::MSG_SEQ_NUM),
                    text(tag::POSS_DUP_FLAG) == "Y",
                    said,
                );
            }
        }
    }

    /// The bytes of a message that never came to its end.
    pub fn unfinished(&self) -> &[u8] {
        &self.decoder.buffer
    }
}
