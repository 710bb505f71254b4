//! The connections that are taken: without delay for small writes, and not kept for peers that are gone or take nothing.

use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

fn set_options(stream: &TcpStream, silence_max: Duration) -> io::Result<()> {
    // Nagle's algorithm would hold a change back until the one before it is acknowledged, which a peer may put off for 40 ms.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(silence_max)
        .with_interval(silence_max / 3);
    socket.set_tcp_keepalive(&keepalive)?;
    // Without it a peer that vanished is sent to again for a quarter of an hour.
    socket.set_tcp_user_timeout(Some(silence_max))
}

/// A connection that ends when its peer takes nothing for `silence_max` while something waits for it.
pub(crate) struct Socket {
    stream: TcpStream,
    /// Since a write had to wait.
    waiting: Option<Pin<Box<Sleep>>>,
    silence_max: Duration,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, silence_max: Duration) -> Self {
        if let Err(error) = set_options(&stream, silence_max) {
            // The peer is gone already; its connection ends at the first read.
            tracing::debug!(%error, "a connection takes no options");
        }
        Socket {
            stream,
            waiting: None,
            silence_max,
        }
    }

    /// What came of an attempt to write.
    fn attempted<T>(
        &mut self,
        attempt: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if attempt.is_ready() {
            self.waiting = None;
            return attempt;
        }
        let limit = self.silence_max;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(waiting.as_mut().poll(context));
        // The next attempt fails as well, but not at once again and again.
        waiting.as_mut().reset(Instant::now() + limit);
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer takes nothing",
        )))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.attempted(attempt, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.attempted(attempt, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up_and_one_that_is_slow_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut peer = TcpStream::connect(address).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = Socket::new(stream, Duration::from_millis(200));
        // More than the kernel's buffers hold.
        let bytes = vec![7; 64 << 20];
        let writing = tokio::spawn(async move {
            let written = socket.write_all(&bytes).await;
            (socket, bytes, written)
        });
        let mut taken = vec![0; 64 << 20];
        peer.read_exact(&mut taken).await.unwrap();
        let (mut socket, bytes, written) = writing.await.unwrap();
        written.unwrap();
        let given_up = socket.write_all(&bytes).await.unwrap_err();
        assert_eq!(given_up.kind(), io::ErrorKind::TimedOut);
    }
}
