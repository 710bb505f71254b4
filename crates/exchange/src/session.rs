//! One broker's FIX session: what it sends goes to the engine, what the ledger holds for it goes out.
//!
//! The driver calls [`BrokerSession`]; [`pump`] is a task beside it. They share nothing but queues.
//!
//! 1. `receive` answers only when the engine has made the batch durable, and never waits for the outbound queue
//!    (the driver that calls it empties that queue).
//! 2. The pump offers the session's facts in ledger order, beginning behind the last position its FIX journal holds.
//!    The ledger ordinal is the journal position, so a fact goes into the journal exactly once, over any crash.
//! 3. Memory is bounded: while the broker is away the pump waits, and the ledger is the queue.
//! 4. Status reports, phases told at a log-on and refusals of message types are answers, not facts: after a crash
//!    they are asked for again.

use std::sync::Arc;

use squareoff_fix::message::EncodeError;
use squareoff_fix::{
    AppMessage, Application, Inbound as FixInbound, NotRecorded, OutboundMessage, Record, Resend,
    SentRecord, SessionState,
};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender};

use crate::config::SessionName;
use crate::engine::Engine;
use crate::fact::{Cause, Fact, HOUSE};
use crate::feed::Feed;
use crate::ledger::LedgerError;
use crate::request::Inbound;
use crate::translate::{self, Meaning};

/// Answers waiting to go out. A mass status of a busy day fits; a broker that asks without reading loses answers.
pub const ANSWERS_MAX: usize = 65_536;
/// Reports between pump and driver: two journal batches, so that one is written while the next is made.
pub const OUTBOUND_MAX: usize = 1_024;

/// A message that isn't a fact, and the ledger ordinal it must come after.
pub type Reply = (u64, AppMessage);

/// The application behind one session's driver.
pub struct BrokerSession {
    name: SessionName,
    label: String,
    engine: Engine,
    /// The FIX journal's generation: sequence numbers mean something only within it.
    generation: u64,
    replies: Sender<Reply>,
}

impl BrokerSession {
    #[must_use]
    pub fn new(name: SessionName, engine: Engine, generation: u64, replies: Sender<Reply>) -> Self {
        Self {
            label: name.label(),
            name,
            engine,
            generation,
            replies,
        }
    }

    fn reply(&self, after: u64, message: AppMessage) {
        match self.replies.try_send((after, message)) {
            Ok(()) => {}
            Err(TrySendError::Full((_, message))) => {
                tracing::warn!(session = %self.label, fix.msg_type = message.kind(), "dropped an answer: too many wait");
            }
            // The pump ends only with the program.
            Err(TrySendError::Closed(_)) => {}
        }
    }
}

impl Application for BrokerSession {
    async fn receive(&mut self, batch: Vec<FixInbound>) -> Result<(), NotRecorded> {
        let mut requests = Vec::with_capacity(batch.len());
        for FixInbound { seq, message, .. } in batch {
            match translate::meaning(seq, message) {
                Meaning::Request(request) => requests.push(Inbound {
                    venue: self.name.venue.clone(),
                    cause: Cause {
                        session: self.label.clone(),
                        generation: self.generation,
                        msg_seq_num: seq,
                    },
                    request,
                }),
                Meaning::Refuse(reject) => self.reply(0, AppMessage::BusinessMessageReject(reject)),
                Meaning::Complaint(complaint) => {
                    tracing::error!(session = %self.label, complaint, "the broker refused a message of ours");
                }
            }
        }
        if requests.is_empty() {
            return Ok(());
        }
        let answers = self
            .engine
            .submit(requests)
            .await
            .map_err(|stopped| NotRecorded(stopped.to_string()))?;
        for (after, report) in answers {
            self.reply(after, translate::status_report(&self.name.venue, &report));
        }
        Ok(())
    }

    /// A fact stays true: everything asked for goes out again.
    async fn resend(&mut self, records: Vec<Record>) -> Result<Vec<Resend>, NotRecorded> {
        Ok(vec![Resend::Again; records.len()])
    }

    async fn sent(&mut self, _batch: &[SentRecord]) -> Result<(), NotRecorded> {
        Ok(())
    }

    async fn state(&mut self, state: SessionState) -> Result<(), NotRecorded> {
        match state {
            SessionState::NumbersReset { generation } => self.generation = generation,
            SessionState::LoggedOn => {
                let phases = self.engine.phases(&self.name.venue).await;
                let told = phases.map_err(|stopped| NotRecorded(stopped.to_string()))?;
                for (segment, phase) in &told.of_segments {
                    let phase = translate::phase(segment, *phase, &told.trade_date);
                    self.reply(told.after, phase);
                }
            }
            SessionState::LoggedOff { .. } => {}
        }
        Ok(())
    }
}

/// Offers a session everything of its own after `position` in the ledger, and its answers between; ends when the driver is gone.
///
/// # Errors
/// When the ledger can't be read.
pub async fn pump(
    name: SessionName,
    feed: Arc<Feed>,
    mut position: u64,
    mut replies: Receiver<Reply>,
    outbound: Sender<OutboundMessage>,
) -> Result<(), LedgerError> {
    let label = name.label();
    let is_told =
        |fact: &Fact| fact.session == label || (fact.session == HOUSE && fact.venue == name.venue);
    let mut committed = feed.committed();
    let mut waiting: Option<Reply> = None;
    loop {
        for fact in next(&feed, position).await? {
            position = fact.ordinal;
            if is_told(&fact) && !offer(&outbound, &fact).await {
                return Ok(());
            }
        }
        if position < *committed.borrow_and_update() {
            continue;
        }
        tokio::select! {
            // Biased: what is committed comes before an answer that tells of it.
            biased;
            changed = committed.changed() => if changed.is_err() { return Ok(()) },
            reply = async { match waiting.take() { Some(reply) => Some(reply), None => replies.recv().await } } => {
                match reply {
                    None => return Ok(()),
                    Some((after, _)) if after > position => waiting = reply,
                    Some((_, message)) => if !send(&outbound, OutboundMessage::new("", 0, &message)).await { return Ok(()) },
                }
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

/// Whether the driver is still there.
async fn offer(outbound: &Sender<OutboundMessage>, fact: &Fact) -> bool {
    let Some(report) = translate::report(fact) else {
        return true;
    };
    let message = OutboundMessage::new(fact.exec_id(), fact.ordinal, &report);
    send(outbound, message).await
}

async fn send(
    outbound: &Sender<OutboundMessage>,
    message: Result<OutboundMessage, EncodeError>,
) -> bool {
    match message {
        Ok(message) => outbound.send(message).await.is_ok(),
        Err(error) => {
            // Inbound fields are bounded far below a message's length; if it happens all the same, the others go on.
            tracing::error!(%error, "a report could not be written");
            true
        }
    }
}
