//! One broker's FIX session: what it sends goes to the engine; what the ledger holds for it goes out through [`crate::pump`].
//!
//! 1. `receive` answers only when the engine has made the batch durable, and never waits for the outbound queue
//!    (the driver that calls it empties that queue).
//! 2. Status reports, phases told at a log-on and refusals of message types are answers, not facts: after a crash
//!    they are asked for again.
//! 3. A drop-copy session asks for nothing: whatever it sends is refused.

use squareoff_fix::message::{BusinessMessageReject, BusinessRejectReason, Logon};
use squareoff_fix::{
    AppMessage, Application, Inbound as FixInbound, NotRecorded, Record, Resend, SentRecord,
    SessionState,
};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use crate::command::Command;
use crate::config::SessionName;
use crate::engine::Engine;
use crate::fact::Cause;
use crate::pump::{Reply, Stream};
use crate::request::Inbound;
use crate::translate::{self, Meaning};

/// The application behind one session's driver.
pub struct BrokerSession {
    name: SessionName,
    label: String,
    stream: Stream,
    engine: Engine,
    /// The FIX journal's generation: sequence numbers mean something only within it.
    generation: u64,
    /// Whether a drop copy was told anything under these numbers.
    has_told: bool,
    /// The log-on said that its orders go with its connection.
    has_agreed: bool,
    replies: Sender<Reply>,
}

impl BrokerSession {
    #[must_use]
    pub fn new(
        name: SessionName,
        stream: Stream,
        engine: Engine,
        generation: u64,
        has_told: bool,
        replies: Sender<Reply>,
    ) -> Self {
        Self {
            label: name.label(),
            name,
            stream,
            engine,
            generation,
            has_told,
            has_agreed: false,
            replies,
        }
    }

    fn reply(&self, after: u64, message: AppMessage) {
        self.put(Reply::Answer(after, message));
    }

    fn put(&self, reply: Reply) {
        match self.replies.try_send(reply) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                tracing::warn!(session = %self.label, "dropped an answer: too many wait");
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
            let kind = message.kind().to_owned();
            match translate::meaning(seq, message) {
                Meaning::Request(_) | Meaning::Refuse(_) if self.stream != Stream::Orders => {
                    let refused = BusinessMessageReject {
                        reason: BusinessRejectReason::NotAuthorized,
                        text: Some("a drop-copy session takes no requests".to_owned()),
                        ..BusinessMessageReject::unsupported(seq, &kind)
                    };
                    self.reply(0, AppMessage::BusinessMessageReject(refused));
                }
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

    async fn sent(&mut self, batch: &[SentRecord]) -> Result<(), NotRecorded> {
        self.has_told |= batch.iter().any(|record| record.position > 0);
        Ok(())
    }

    async fn agreed(&mut self, terms: &Logon) -> Result<(), NotRecorded> {
        self.has_agreed = terms.cancel_on_disconnect;
        Ok(())
    }

    async fn state(&mut self, state: SessionState) -> Result<(), NotRecorded> {
        match state {
            SessionState::NumbersReset { generation } => {
                self.generation = generation;
                // What was never told is still on its way.
                if self.stream != Stream::Orders && std::mem::take(&mut self.has_told) {
                    self.put(Reply::DayAgain);
                }
            }
            SessionState::LoggedOn if self.stream != Stream::Orders => {}
            SessionState::LoggedOn => {
                let phases = self.engine.phases(&self.name.venue).await;
                let told = phases.map_err(|stopped| NotRecorded(stopped.to_string()))?;
                for (segment, phase) in &told.of_segments {
                    let phase = translate::phase(segment, *phase, &told.trade_date);
                    self.reply(told.after, phase);
                }
            }
            SessionState::LoggedOff { .. } if self.stream != Stream::Orders => {}
            SessionState::LoggedOff { .. } => {
                let dropped = Command::SessionDropped {
                    session: self.label.clone(),
                    agreed: std::mem::take(&mut self.has_agreed),
                };
                let done = self.engine.control(dropped).await;
                done.map_err(|stopped| NotRecorded(stopped.to_string()))?
                    .map_err(|refused| NotRecorded(refused.to_string()))?;
            }
        }
        Ok(())
    }
}
