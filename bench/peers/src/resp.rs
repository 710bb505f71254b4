//! The Redis protocol's client side as far as SierraDB needs it: one call at a time on one connection, nothing a load generator doesn't use.

use anyhow::{Context, Result, bail};
use bytes::BytesMut;
use redis_protocol::resp3::decode::complete::decode_bytes_mut;
use redis_protocol::resp3::types::BytesFrame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const READ_BYTES: usize = 256 << 10;

pub struct Resp {
    stream: TcpStream,
    received: BytesMut,
    call: Vec<u8>,
}

impl Resp {
    pub async fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let mut connection = Resp {
            stream,
            received: BytesMut::with_capacity(READ_BYTES),
            call: Vec::with_capacity(1 << 10),
        };
        connection.call(&[b"HELLO", b"3"]).await?;
        Ok(connection)
    }

    pub async fn call(&mut self, words: &[&[u8]]) -> Result<BytesFrame> {
        self.call.clear();
        self.call
            .extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
        for word in words {
            self.call
                .extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            self.call.extend_from_slice(word);
            self.call.extend_from_slice(b"\r\n");
        }
        self.stream.write_all(&self.call).await?;
        loop {
            let decoded = decode_bytes_mut(&mut self.received).context("an answer of sierradb")?;
            match decoded {
                Some((BytesFrame::SimpleError { data, .. }, ..)) => bail!("sierradb: {data}"),
                Some((BytesFrame::BlobError { data, .. }, ..)) => bail!("sierradb: {data:?}"),
                Some((frame, ..)) => return Ok(frame),
                None => {}
            }
            // A page is decoded from its start each time: read as much of it at once as there is.
            self.received.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.received).await? == 0 {
                bail!("sierradb closed the connection");
            }
        }
    }
}
