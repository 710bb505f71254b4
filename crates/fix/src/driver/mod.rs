//! A session on tokio: one connection's whole life, and the loops that dial and accept.
//!
//! Called by `gateway` ([`connect_loop`]) and `exchange` ([`accept_loop_with`]); [`Endpoint::run`] takes any
//! byte stream. One task per connection does everything in turn, so nothing is locked.
//!
//! 1. Bytes are written only after their records are durable in the journal.
//! 2. Messages are taken from the queue only while logged on and the peer keeps reading; what was taken is
//!    journaled or still held when the connection ends.
//! 3. Reading goes on while writing waits, so two sides that send at once can't block each other.
//! 4. A journal that fails ends everything with [`DriverError`]; any other fault ends the connection only.
//!
//! An [`Application`] must not wait for room in its own outbound queue inside a callback: this task empties
//! it. While a callback runs nothing is read or written; one that takes longer than a heartbeat worries the peer.

mod accept;
mod connect;
pub mod faults;
mod link;
pub mod tls;

use std::future::Future;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::journal::{Journal, JournalError, Record};
use crate::message::{Logon, OutboundMessage};
use crate::session::{Inbound, Reason, Resend, Session, SessionConfig};
use crate::value::Timestamp;

pub use accept::{
    PENDING_CONNECTIONS_MAX, Registry, accept_loop, accept_loop_tls, accept_loop_with,
};
pub use connect::{
    BACKOFF_MS_MAX, BACKOFF_MS_MIN, connect_loop, connect_loop_tls, connect_loop_with,
};
use link::Link;

/// Outbound messages that go into one journal batch and one socket write.
pub const OUTBOUND_BATCH_MAX: usize = 512;
/// Records of one resend request that are decided and written at a time.
pub const RESEND_BATCH_MAX: u64 = 512;

/// The source of time: [`Timestamp::now`], or a test's.
pub type Clock = fn() -> Timestamp;

/// The application could not record a fact. The connection is closed; what was delivered comes again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not recorded: {0}")]
pub struct NotRecorded(pub String);

/// An outbound application message that is in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentRecord {
    pub id: String,
    pub position: u64,
    /// Its MsgSeqNum.
    pub seq: u64,
    pub sending_time: Timestamp,
}

/// What becomes of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionState {
    LoggedOn,
    /// The connection is over; why, in words.
    LoggedOff {
        reason: String,
    },
    /// Both sequences started at 1 again; the journal is at this generation.
    NumbersReset {
        generation: u64,
    },
}

/// What the application does with a session.
pub trait Application: Send {
    /// Application messages in sequence order, all that had arrived. `Ok` means durably recorded: only then
    /// the inbound number moves on. A message may come again after a lost connection or a restart.
    fn receive(
        &mut self,
        batch: Vec<Inbound>,
    ) -> impl Future<Output = Result<(), NotRecorded>> + Send;

    /// The peer asks for these application messages of earlier connections again; one decision each, in order.
    /// Whatever must be recorded about the decision is recorded before this returns: then it goes on the wire,
    /// and holds for this connection. Messages of this connection are never put here, they always go again:
    /// they may be on their way, so that filling them over would not keep the peer from acting on them.
    ///
    /// A message filled over is never acted on *from now on*. A peer that acted on it and then lost its own
    /// inbound number asks for it all the same: where that is possible, ask for the order's status as well.
    fn resend(
        &mut self,
        records: Vec<Record>,
    ) -> impl Future<Output = Result<Vec<Resend>, NotRecorded>> + Send;

    /// These messages are in the journal and handed to the socket. Called again on the next connection when
    /// it failed; after a restart the journal itself tells ([`Journal::iter`]).
    fn sent(
        &mut self,
        batch: &[SentRecord],
    ) -> impl Future<Output = Result<(), NotRecorded>> + Send;

    /// When [`Application::due`] is to be called though nothing comes; asked whenever the connection waits.
    fn due_at(&self) -> Option<Instant> {
        None
    }

    /// Does what the application put off until now.
    fn due(&mut self) -> impl Future<Output = Result<(), NotRecorded>> + Send {
        std::future::ready(Ok(()))
    }

    /// What both sides agreed on at log-on, told just before [`SessionState::LoggedOn`]: the heartbeat, and whether the
    /// acceptor cancels working orders when the connection is lost.
    fn agreed(&mut self, terms: &Logon) -> impl Future<Output = Result<(), NotRecorded>> + Send {
        let _ = terms;
        std::future::ready(Ok(()))
    }

    /// The session's state changed.
    fn state(
        &mut self,
        state: SessionState,
    ) -> impl Future<Output = Result<(), NotRecorded>> + Send;
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error(transparent)]
    Session(#[from] Reason),
    #[error("the peer closed the connection")]
    PeerClosed,
    #[error("the connection broke: {0}")]
    Io(String),
    #[error(transparent)]
    NotRecorded(#[from] NotRecorded),
    #[error("the peer does not read what it is sent")]
    NotReading,
}

/// How a connection went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub why: Why,
    pub was_logged_on: bool,
}

/// What no further connection can mend.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the thread that writes the journal died")]
    Writer,
    #[error("the listener failed: {0}")]
    Listener(#[from] std::io::Error),
}

/// One side of a session: everything that outlives a connection.
pub struct Endpoint<A> {
    session: Session,
    journal: Journal,
    outbound: mpsc::Receiver<OutboundMessage>,
    app: A,
    clock: Clock,
    /// Taken from the queue and not yet numbered.
    taken: Vec<OutboundMessage>,
    /// In the journal, and the application does not know it yet.
    untold: Vec<SentRecord>,
    queue_closed: bool,
}

impl<A: Application> Endpoint<A> {
    /// `journal` must be opened for the CompIDs of `config`; `outbound` is the application's bounded queue.
    pub fn new(
        config: SessionConfig,
        journal: Journal,
        outbound: mpsc::Receiver<OutboundMessage>,
        app: A,
        clock: Clock,
    ) -> Endpoint<A> {
        Endpoint {
            session: Session::new(config),
            journal,
            outbound,
            app,
            clock,
            taken: Vec::new(),
            untold: Vec::new(),
            queue_closed: false,
        }
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The journal, to be read.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The settings of the session.
    pub fn config(&self) -> &SessionConfig {
        self.session.config()
    }

    /// The application.
    pub fn app(&self) -> &A {
        &self.app
    }

    /// The application, between connections.
    pub fn app_mut(&mut self) -> &mut A {
        &mut self.app
    }

    /// Runs one connection until it ends. `already` holds bytes that were read from it before. `shutdown`
    /// turning true logs out and waits, bounded, for the answer.
    ///
    /// # Errors
    /// [`DriverError`] when the journal failed: the endpoint must not be used again.
    pub async fn run<S>(
        &mut self,
        stream: S,
        already: BytesMut,
        shutdown: &mut watch::Receiver<bool>,
    ) -> Result<Ended, DriverError>
    where
        S: AsyncRead + AsyncWrite + Send,
    {
        let mut link = Link::new(self, stream, already);
        let ended = link.run(shutdown).await;
        let was_logged_on = link.was_logged_on();
        drop(link);
        self.session.disconnected();
        let reason = match &ended {
            Ok(why) => why.to_string(),
            Err(error) => error.to_string(),
        };
        if was_logged_on {
            let target = &self.session.config().identity.target;
            tracing::info!(fix.target = %target, %reason, "logged off");
            let told = self.app.state(SessionState::LoggedOff { reason }).await;
            if let Err(error) = told {
                tracing::warn!(%error, "the application could not record the log-off");
            }
        }
        Ok(Ended {
            why: ended?,
            was_logged_on,
        })
    }
}

/// Waits until the process is to stop; a dropped sender means the same.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}
