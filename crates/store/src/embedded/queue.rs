//! The way to the writer: a bounded queue, and the thread that drains it.
//!
//! While one commit syncs, the next batch queues up by itself. Callers that were answered together ask again together, a moment
//! later than the first of them: a batch waits that moment for as many as were answered last, and never when that was one.

use super::tail::tell;
use super::writer::Writer;
use crate::entry::Draft;
use crate::{AppendError, Appended, NewEvent, Position};
use rusqlite::Connection;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

/// Requests that wait for a commit; at 50,000 a second a full queue is 80 ms.
const QUEUE_REQUESTS_MAX: usize = 4_096;
/// Their entries together, so that large ones can't fill the memory.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// One transaction takes at most this much beyond its first request: it bounds the time others wait for the lock.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// The moment a batch waits for its company: without it, every second batch is of stragglers and the sync serves half as many.
const GATHER_PAUSE: Duration = Duration::from_micros(20);
const GATHER_PAUSES_MAX: usize = 2;

/// The way to the writer.
#[derive(Debug)]
pub(super) struct Queue {
    requests: mpsc::Sender<Request>,
    bytes: Arc<AtomicUsize>,
    failed: Arc<OnceLock<String>>,
}

/// An append that waits for its answer. The caller's thread has made the bytes already; the writer only fills in what it alone knows.
pub(super) struct Request {
    pub(super) stream: Arc<str>,
    pub(super) expected: u64,
    pub(super) drafts: Vec<Draft>,
    bytes: usize,
    answer: oneshot::Sender<Answer>,
}

pub(super) type Answer = Result<Appended, AppendError>;

impl Request {
    pub(super) fn new(
        stream: &str,
        expected: u64,
        events: &[NewEvent],
    ) -> (Self, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        let draft = |(event, nth)| Draft::of(stream, expected.saturating_add(nth), event);
        let drafts: Vec<_> = events.iter().zip(1..).map(draft).collect();
        let bytes = drafts.iter().map(|draft| draft.bytes.len()).sum();
        (
            Request {
                stream: stream.into(),
                expected,
                drafts,
                bytes,
                answer,
            },
            answered,
        )
    }
}

impl Queue {
    /// The disk error that closed the log for appends.
    pub(super) fn failed(&self) -> Option<&str> {
        self.failed.get().map(String::as_str)
    }

    pub(super) async fn append(&self, stream: &str, expected: u64, events: &[NewEvent]) -> Answer {
        let (request, answered) = Request::new(stream, expected, events);
        let bytes = request.bytes;
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > QUEUE_BYTES_MAX {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(AppendError::Overloaded);
        }
        if let Err(refused) = self.requests.try_send(request) {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(match refused {
                TrySendError::Full(_) => AppendError::Overloaded,
                TrySendError::Closed(_) => AppendError::Closed,
            });
        }
        let gone = |_| AppendError::Unknown {
            reason: "the writer ended before it answered".into(),
        };
        answered.await.map_err(gone)?
    }
}

pub(super) fn start(
    connection: Connection,
    head: Arc<watch::Sender<Position>>,
) -> std::io::Result<Queue> {
    let (requests, queue) = mpsc::channel(QUEUE_REQUESTS_MAX);
    let bytes = Arc::new(AtomicUsize::new(0));
    let failed = Arc::new(OnceLock::new());
    let writer = Writer::new(connection, failed.clone());
    let queued = bytes.clone();
    std::thread::Builder::new()
        .name("store-writer".into())
        .spawn(move || drain(writer, queue, &queued, &head))?;
    Ok(Queue {
        requests,
        bytes,
        failed,
    })
}

fn drain(
    mut writer: Writer,
    mut queue: mpsc::Receiver<Request>,
    queued: &AtomicUsize,
    head: &watch::Sender<Position>,
) {
    let mut batch = Vec::with_capacity(QUEUE_REQUESTS_MAX);
    let mut company = 0;
    while let Some(first) = queue.blocking_recv() {
        for _ in 0..GATHER_PAUSES_MAX {
            if queue.len() + 1 < company {
                std::thread::sleep(GATHER_PAUSE);
            }
        }
        let mut bytes = first.bytes;
        batch.push(first);
        while batch.len() < QUEUE_REQUESTS_MAX && bytes < BATCH_BYTES_MAX {
            let Ok(request) = queue.try_recv() else { break };
            bytes += request.bytes;
            batch.push(request);
        }
        company = batch.len();
        let answers = writer.commit(&mut batch);
        queued.fetch_sub(bytes, Ordering::Relaxed);
        // Before the answers: no subscriber of this process takes the log's end to lie before what somebody was told is in it.
        tell(head, writer.head());
        for (request, answer) in batch.drain(..).zip(answers) {
            // A caller that has gone away needs no answer; its append stands.
            let _ = request.answer.send(answer);
        }
    }
}
