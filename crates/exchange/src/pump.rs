//! What goes out on a session: its facts in ledger order, its answers between them.
//!
//! A task beside the session's driver; it shares nothing with it but queues. An order session is told of its own orders, a
//! drop copy of every execution of its firm at its venue, whichever session the order came on.
//!
//! 1. It begins behind the last position that the FIX journal holds. The ledger ordinal is the journal position, so a fact goes
//!    into the journal exactly once, over any crash.
//! 2. Memory is bounded: while the broker is away the pump waits, and the ledger is the queue.
//! 3. A drop copy whose numbers were reset lost what it had: the trading day is told again, with PossResend.
//! 4. A session that is held is told nothing until it is let go; then everything, in order.

use std::collections::HashSet;
use std::sync::Arc;

use squareoff_fix::message::{Dialect, EncodeError};
use squareoff_fix::{AppMessage, OutboundMessage};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::watch;

use crate::fact::{Fact, HOUSE, Happening};
use crate::fault::Fault;
use crate::feed::Feed;
use crate::ledger::LedgerError;
use crate::translate;

/// Answers waiting to go out. A mass status of a busy day fits; a broker that asks without reading loses answers.
pub const ANSWERS_MAX: usize = 65_536;
/// Reports between pump and driver: two journal batches, so that one is written while the next is made.
pub const OUTBOUND_MAX: usize = 1_024;

/// What a session is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stream {
    /// It places orders and hears of them.
    Orders,
    /// It hears of the executions of these sessions, and asks for nothing.
    Copies(HashSet<String>),
}

/// What is to go out beside the facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A message that isn't a fact, and the ledger ordinal that it must come after.
    Answer(u64, AppMessage),
    /// The trading day from its beginning.
    DayAgain,
}

/// One session's pump.
pub struct Pump {
    /// `OURS:THEIRS`.
    pub label: String,
    pub dialect: Dialect,
    pub venue: String,
    pub stream: Stream,
    pub feed: Arc<Feed>,
    /// The ledger ordinal behind which it begins.
    pub position: u64,
    /// Behind which the facts of this trading day begin.
    pub before_today: u64,
    pub replies: Receiver<Reply>,
    pub outbound: Sender<OutboundMessage>,
    pub held: watch::Receiver<bool>,
}

impl Pump {
    /// Tells everything there is and comes to be; ends when the driver is gone.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn run(mut self) -> Result<(), LedgerError> {
        let mut committed = self.feed.committed();
        let mut waiting: Option<Reply> = None;
        let mut told_before = 0;
        loop {
            if *self.held.borrow_and_update() {
                tokio::select! {
                    changed = self.held.changed() => if changed.is_err() { return Ok(()) },
                    () = self.outbound.closed() => return Ok(()),
                }
                continue;
            }
            for fact in next(&self.feed, self.position).await? {
                self.position = fact.ordinal;
                let meant = self.meant(fact).await?;
                if !self.offer(&meant, self.position <= told_before).await {
                    return Ok(());
                }
                if *self.held.borrow() {
                    break;
                }
            }
            if self.position < *committed.borrow_and_update() {
                continue;
            }
            tokio::select! {
                // Biased: what is committed comes before an answer that tells of it.
                biased;
                changed = committed.changed() => if changed.is_err() { return Ok(()) },
                changed = self.held.changed() => if changed.is_err() { return Ok(()) },
                reply = async { match waiting.take() { Some(reply) => Some(reply), None => self.replies.recv().await } } => {
                    match reply {
                        None => return Ok(()),
                        Some(Reply::DayAgain) => {
                            told_before = self.position.max(told_before);
                            self.position = self.before_today.min(self.position);
                        }
                        Some(Reply::Answer(after, _)) if after > self.position => waiting = reply,
                        Some(Reply::Answer(_, message)) => {
                            if !self.send(OutboundMessage::new_in(self.dialect, "", 0, &message)).await {
                                return Ok(());
                            }
                        }
                    }
                }
            }
        }
    }

    /// What the session is told of a fact.
    fn message(&self, fact: &Fact) -> Option<AppMessage> {
        match &self.stream {
            Stream::Orders => {
                let is_its_own = fact.session == self.label || fact.answers(&self.label);
                let is_told = is_its_own || (fact.session == HOUSE && fact.venue == self.venue);
                let is_told = is_told && fact.fault != Some(Fault::WithholdReport);
                is_told.then(|| translate::report(fact)).flatten()
            }
            Stream::Copies(sessions) => {
                let is_told = sessions.contains(&fact.session);
                let is_told = is_told && fact.fault != Some(Fault::WithholdCopy);
                is_told.then(|| translate::copy(fact)).flatten()
            }
        }
    }

    /// The fact whose report goes out once more, when this one says so; else the fact itself.
    async fn meant(&self, fact: Arc<Fact>) -> Result<Arc<Fact>, LedgerError> {
        let Happening::Repeated { execution, to_copy } = fact.happening else {
            return Ok(fact);
        };
        if to_copy != matches!(self.stream, Stream::Copies(_)) {
            return Ok(fact);
        }
        let found = next(&self.feed, execution - 1).await?;
        Ok(found.into_iter().next().unwrap_or(fact))
    }

    /// Whether the driver is still there.
    async fn offer(&self, fact: &Fact, again: bool) -> bool {
        let Some(report) = self.message(fact) else {
            return true;
        };
        // A report told once more stands in the journal behind the first.
        let message = OutboundMessage::new_in(self.dialect, fact.exec_id(), self.position, &report);
        let message = message.map(|message| match again {
            true => message.possibly_resent(),
            false => message,
        });
        self.send(message).await
    }

    async fn send(&self, message: Result<OutboundMessage, EncodeError>) -> bool {
        match message {
            Ok(message) => self.outbound.send(message).await.is_ok(),
            Err(error) => {
                // Inbound fields are bounded far below a message's length; if it happens all the same, the others go on.
                tracing::error!(%error, "a report could not be written");
                true
            }
        }
    }
}

async fn next(feed: &Arc<Feed>, position: u64) -> Result<Vec<Arc<Fact>>, LedgerError> {
    if let Some(facts) = feed.recent(position) {
        return Ok(facts);
    }
    let feed = Arc::clone(feed);
    let read = tokio::task::spawn_blocking(move || feed.after(position));
    read.await
        .expect("reading the ledger doesn't panic and is never aborted")
}
