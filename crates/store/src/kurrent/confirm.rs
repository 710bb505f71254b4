//! Reads back what was appended, many appends with one read.
//!
//! KurrentDB answers an append whose ids stand at that place already as done, without a look at their content, and does not say that
//! nothing was written. So each append is read back before it is answered: its bytes as they stand, its exact position, and the hash
//! that the stream's next event carries. Appends that are answered together stand together in `$all`, so one read serves them all.

use super::clients::Clients;
use super::read::{self, What};
use crate::{Position, StoredEvent};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Events of one read beyond those that are sought: others append too.
const OTHERS_MAX: usize = 256;
/// Appends confirmed by one read.
const TOGETHER_MAX: usize = 1_024;
/// Appends that are answered out of order stand this near to each other, in bytes of KurrentDB's log. What stands further back was
/// appended long ago, and is asked of its stream.
const NEAR: u64 = 1 << 20;

/// An event of which the server said that it stands at `position`.
struct Ask {
    position: Position,
    stream: Arc<str>,
    version: u64,
    answer: oneshot::Sender<StoredEvent>,
}

/// The way to the task that reads back.
#[derive(Debug)]
pub(super) struct Confirm {
    asks: mpsc::UnboundedSender<Ask>,
}

impl Confirm {
    /// Starts the task, which ends with this handle. Its queue holds at most one ask per append on its way, and those are bounded.
    pub(super) fn start(clients: Arc<Clients>) -> Self {
        let (asks, queue) = mpsc::unbounded_channel();
        tokio::spawn(run(clients, queue));
        Confirm { asks }
    }

    /// The event as it stands; `None` when it was not found there, and the stream is to be asked.
    pub(super) async fn event(
        &self,
        position: Position,
        stream: Arc<str>,
        version: u64,
    ) -> Option<StoredEvent> {
        let (answer, answered) = oneshot::channel();
        let ask = Ask {
            position,
            stream,
            version,
            answer,
        };
        self.asks.send(ask).ok()?;
        answered.await.ok()
    }
}

async fn run(clients: Arc<Clients>, mut queue: mpsc::UnboundedReceiver<Ask>) {
    let mut seen = Position::START;
    let mut asks: Vec<Ask> = Vec::new();
    loop {
        if asks.is_empty() {
            let Some(ask) = queue.recv().await else {
                return;
            };
            asks.push(ask);
        }
        while asks.len() < TOGETHER_MAX
            && let Ok(ask) = queue.try_recv()
        {
            asks.push(ask);
        }
        // Dropped unanswered: they ask their stream.
        asks.retain(|ask| ask.position.as_u64().saturating_add(NEAR) > seen.as_u64());
        let Some(from) = asks.iter().map(|ask| ask.position).min() else {
            continue;
        };
        asks.sort_unstable_by_key(|ask| ask.position);
        let until = Instant::now() + clients.address().call_max();
        let max = asks.len() + OTHERS_MAX;
        let page = read::recorded(&clients, &What::All { from }, max, until).await;
        let page = page.unwrap_or_default();
        let Some(last) = page.last().and_then(|event| read::position(event).ok()) else {
            asks.clear();
            continue;
        };
        seen = seen.max(answer(&mut asks, &page, last));
    }
}

/// Answers those whose event is on the page and drops those whose should have been; the rest stand behind the page. Returns the last
/// position that was sought on it.
fn answer(asks: &mut Vec<Ask>, page: &[kurrentdb::RecordedEvent], last: Position) -> Position {
    let mut events = page.iter().peekable();
    let mut done = Position::START;
    let behind = asks.partition_point(|ask| ask.position <= last);
    for ask in asks.drain(..behind) {
        done = ask.position;
        let at = ask.position.as_u64();
        while events.next_if(|event| event.position.commit < at).is_some() {}
        let Some(event) = events.peek() else {
            break;
        };
        if let Ok(mut found) = read::stored(std::slice::from_ref(*event))
            && let Some(event) = found.pop()
            && (event.position, &event.stream, event.version)
                == (ask.position, &ask.stream, ask.version)
        {
            // Who asked may be gone; the append stands.
            let _ = ask.answer.send(event);
        }
    }
    done
}
