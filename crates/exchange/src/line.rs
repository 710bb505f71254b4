//! The sessions' lines, as market control may disturb them: what is told can be held back, a connection cut, messages sent again
//! unasked.
//!
//! Made once at start, one for each session; `control` disturbs them, pumps and connections follow. Nothing of it is kept: a
//! restart's lines are undisturbed, and the ledger never differs by it.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use squareoff_fix::encode::{Body, Header, Identity, frame};
use squareoff_fix::{Decoder, Frame, Timestamp, tag};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

use crate::config::SessionName;

/// Replays that may wait for a connection; a script that wants more waits itself.
pub const REPLAYS_MAX: usize = 16;
/// How an ExecutionReport shows itself on the wire, and how much of it goes out before the cut.
const REPORT: &[u8] = b"\x0135=8\x01";
const CUT_BEHIND_BYTES: usize = 16;
/// A message ends with its checksum: `10=`, three digits and the separator.
const TRAILER_BYTES: usize = 7;

/// One session's line.
#[derive(Debug)]
pub struct Line {
    name: SessionName,
    held: watch::Sender<bool>,
    wire: Mutex<Wire>,
}

/// What the connection is to do next.
#[derive(Debug, Default)]
struct Wire {
    /// Connections that named the session; the protocol lets only one log on.
    connections: usize,
    cut: Option<Cut>,
    /// ResendRequests that the broker never made.
    forged: VecDeque<Vec<u8>>,
    waiting: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    Now,
    /// In the middle of the next ExecutionReport.
    MidMessage,
}

impl Line {
    fn new(name: SessionName) -> Self {
        Self {
            name,
            held: watch::Sender::new(false),
            wire: Mutex::default(),
        }
    }

    /// Whether the session is told nothing for now.
    #[must_use]
    pub fn held(&self) -> watch::Receiver<bool> {
        self.held.subscribe()
    }

    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// Whether a connection stands.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.lock().connections > 0
    }

    pub fn cut(&self, cut: Cut) {
        let mut wire = self.lock();
        wire.cut = Some(cut);
        wake(&mut wire);
    }

    /// Lets the session believe that the broker asked for messages again; `false` when too many such requests wait.
    #[must_use]
    pub fn replay(&self, from: u64, to: u64) -> bool {
        let mut body = Body::new();
        body.count(tag::BEGIN_SEQ_NO, from)
            .count(tag::END_SEQ_NO, to);
        let Ok(body) = body.finish() else {
            return false;
        };
        let identity = Identity {
            begin_string: "FIX.4.4".to_owned(),
            sender: self.name.theirs.clone(),
            target: self.name.ours.clone(),
        };
        // Number 1 was the log-on's: a resend request is answered whatever its number, and uses up none.
        let header = Header {
            kind: b"2",
            seq: 1,
            sending_time: Timestamp::now(),
            ..Header::default()
        };
        let mut wire = self.lock();
        if wire.forged.len() >= REPLAYS_MAX {
            return false;
        }
        wire.forged
            .push_back(frame(&identity, &header, &body).to_vec());
        wake(&mut wire);
        true
    }

    /// A new connection has named the session. What was meant for an earlier one is not meant for it.
    fn begin(&self) {
        let mut wire = self.lock();
        if wire.connections == 0 {
            *wire = Wire::default();
        }
        wire.connections += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Wire> {
        self.wire
            .lock()
            .expect("no panic happens while the lock is held")
    }
}

fn wake(wire: &mut Wire) {
    if let Some(waiting) = wire.waiting.take() {
        waiting.wake();
    }
}

/// Every session's line, by its label.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    lines: BTreeMap<String, Arc<Line>>,
}

impl Lines {
    /// Undisturbed lines.
    pub fn new<'a>(sessions: impl Iterator<Item = &'a SessionName>) -> Self {
        let lines = sessions.map(|name| (name.label(), Arc::new(Line::new(name.clone()))));
        Self {
            lines: lines.collect(),
        }
    }

    #[must_use]
    pub fn of(&self, session: &str) -> Option<&Arc<Line>> {
        self.lines.get(session)
    }

    /// Every line, by its session's label.
    pub fn all(&self) -> impl Iterator<Item = (&String, &Arc<Line>)> {
        self.lines.iter()
    }

    /// The lines of a venue's sessions.
    pub fn of_venue(&self, venue: &str) -> impl Iterator<Item = &Arc<Line>> {
        let lines = self.lines.values();
        lines.filter(move |line| line.name.venue == venue)
    }
}

/// A connection that its session's line can disturb, as soon as its first message has named the session.
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    lines: Lines,
    line: Option<Arc<Line>>,
    /// Everything read before the session was named.
    first: Decoder,
    /// Nothing gets through any more, in either direction.
    is_cut: bool,
    /// The last bytes read: whether they end a message.
    tail: Vec<u8>,
    /// What is left of a request that the broker never made.
    forged: Vec<u8>,
}

impl<S> Drop for Connection<S> {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.lock().connections -= 1;
        }
    }
}

impl<S> Connection<S> {
    #[must_use]
    pub fn new(stream: S, lines: Lines) -> Self {
        Self {
            stream,
            lines,
            line: None,
            first: Decoder::default(),
            is_cut: false,
            tail: Vec::new(),
            forged: Vec::new(),
        }
    }

    fn is_between_messages(&self) -> bool {
        let at = self.tail.len().checked_sub(TRAILER_BYTES);
        at.is_some_and(|at| self.tail[at..].starts_with(b"10=")) && self.tail.ends_with(b"\x01")
    }

    fn remember(&mut self, read: &[u8]) {
        self.tail
            .extend_from_slice(&read[read.len().saturating_sub(TRAILER_BYTES)..]);
        let surplus = self.tail.len().saturating_sub(TRAILER_BYTES);
        self.tail.drain(..surplus);
        if self.line.is_none() {
            self.first.buffer.extend_from_slice(read);
            self.identify();
        }
    }

    /// Looks for the first message; the session refuses what does not begin with one, so this stays short.
    fn identify(&mut self) {
        let Some(Frame::Message(message)) = self.first.next() else {
            return;
        };
        let id = |tag| String::from_utf8_lossy(message.get(tag).unwrap_or_default()).into_owned();
        let (ours, theirs) = (id(tag::TARGET_COMP_ID), id(tag::SENDER_COMP_ID));
        self.line = self.lines.of(&format!("{ours}:{theirs}")).map(Arc::clone);
        if let Some(line) = &self.line {
            line.begin();
        }
        self.first = Decoder::default();
    }

    fn wire(&self) -> Option<MutexGuard<'_, Wire>> {
        self.line.as_ref().map(|line| line.lock())
    }

    /// Whether the connection is cut by now.
    fn follow(&mut self) -> bool {
        self.is_cut |= self.wire().is_some_and(|wire| wire.cut == Some(Cut::Now));
        self.is_cut
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::ConnectionReset, "cut by market control")
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = &mut *self;
        if let Some(mut wire) = this.wire() {
            wire.waiting = Some(context.waker().clone());
        }
        if this.follow() {
            return Poll::Ready(Err(gone()));
        }
        if this.forged.is_empty()
            && this.is_between_messages()
            && let Some(forged) = this.wire().and_then(|mut wire| wire.forged.pop_front())
        {
            this.forged = forged;
        }
        if !this.forged.is_empty() {
            let count = this.forged.len().min(into.remaining());
            into.put_slice(&this.forged[..count]);
            this.forged.drain(..count);
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, into);
        if into.filled().len() > before {
            this.remember(&into.filled()[before..]);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let this = &mut *self;
        if this.follow() {
            return Poll::Ready(Err(gone()));
        }
        let is_due = this
            .wire()
            .is_some_and(|wire| wire.cut == Some(Cut::MidMessage));
        let report = || bytes.windows(REPORT.len()).position(|at| at == REPORT);
        let Some(at) = is_due.then(report).flatten() else {
            return Pin::new(&mut this.stream).poll_write(context, bytes);
        };
        let wrote = Pin::new(&mut this.stream).poll_write(context, &bytes[..at + CUT_BEHIND_BYTES]);
        if let Poll::Ready(Ok(count)) = wrote
            && count == at + CUT_BEHIND_BYTES
        {
            this.is_cut = true;
            if let Some(mut wire) = this.wire() {
                wire.cut = None;
            }
        }
        wrote
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
