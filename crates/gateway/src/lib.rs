//! The exchange side: order events become FIX messages, the venue's reports become events.
//!
//! Called by the role `gateway`. One task pair per venue session: `outbound` follows the log, `inbound` answers the session's engine.
//!
//! 1. Identity comes first: a ClOrdID stands in the log before any byte leaves.
//! 2. Journal before socket: at most once out.
//! 3. Log before sequence number: at least once in, and the position's execution keys make it exactly once.
//! 4. One gateway per session, fenced by the session's stream and by the journal's lock.
//! 5. It lives off the log: no read database can stop an order.
//!
//! Not here yet: message-rate throttling, mass status on recovery, drop copy, several sessions to one venue.

mod inbound;
mod index;
mod outbound;
mod queue;
mod record;
mod translate;

use inbound::Inbounds;
use index::Index;
use outbound::{Outbound, OutboundError};
use record::{RecordError, Recorder};
use squareoff_domain::Venue;
use squareoff_domain::session::SessionReport;
use squareoff_fix::session::Reset;
use squareoff_fix::{DriverError, Endpoint, Journal, JournalError, Kind, Role, SessionConfig, Timestamp, connect_loop};
use squareoff_store::{EventStore, Position};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

/// Messages handed to a session and not yet journaled: some batches of the session's own.
const SESSION_QUEUE: usize = 1_024;
/// Journal records looked at together when the log is told what it missed.
const BACKFILL: usize = 512;

/// One session to one venue.
#[derive(Debug, Clone)]
pub struct VenueSession {
    pub venue: Venue,
    /// host:port of the venue's acceptor.
    pub address: String,
    /// Our SenderCompID (49); the venue's TargetCompID (56) is its name.
    pub comp_id: String,
    pub heartbeat_s: u32,
    /// How old an order may be when the venue asks for it again.
    pub resend_age_max: Duration,
    /// Folder of the session's journal.
    pub journal: PathBuf,
}

#[derive(Debug, Error)]
pub enum GatewayError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    #[error(transparent)]
    Driver(#[from] DriverError),
    #[error("another gateway took the session {session} over")]
    Fenced { session: String },
}

/// Keeps one session until `shutdown` turns true: claims it, tells the log what the journal knows and the log does not, connects,
/// and reconnects.
///
/// # Errors
/// [`GatewayError`]: what no reconnecting mends.
pub async fn run(config: VenueSession, store: EventStore, shutdown: watch::Receiver<bool>) -> Result<(), GatewayError> {
    // The lock on the journal's folder comes first: on one machine it keeps a second gateway out before it can claim.
    let journal = Journal::open(&config.journal, &config.comp_id, config.venue.as_str(), Timestamp::now())?;
    let recorder = Recorder::new(&store, config.venue, &config.comp_id);
    let fence = recorder.session(SessionReport::Claim).await?;
    tracing::info!(venue = %config.venue, fence, journal.position = journal.last_position(), "the gateway claimed its session");

    let index = Arc::new(Mutex::new(Index::default()));
    let (session, queue) = mpsc::channel(SESSION_QUEUE);
    let (up, is_up) = watch::channel(false);
    let (fenced, mut is_fenced) = watch::channel(false);
    let outbound = Outbound {
        venue: config.venue,
        store,
        index: Arc::clone(&index),
        recorder: recorder.clone(),
        sent_through: Position::from_u64(journal.last_position()),
        session,
        up: is_up,
    };
    let (caught_up, is_caught_up) = oneshot::channel();
    let mut outbound = tokio::spawn(outbound.run(caught_up));
    if is_caught_up.await.is_err() {
        return joined(outbound.await);
    }
    backfill(&recorder, &index, &journal).await?;

    let inbound = Inbounds {
        venue: config.venue,
        recorder: recorder.clone(),
        index,
        fence,
        resend_age_max: config.resend_age_max,
        up,
        fenced,
        sent: VecDeque::new(),
    };
    let settings = SessionConfig {
        heart_bt_int_s: config.heartbeat_s,
        reset: Reset::WhenFresh,
        ..SessionConfig::new(Role::Initiator, &config.comp_id, config.venue.as_str())
    };
    let mut endpoint = Endpoint::new(settings, journal, queue, inbound, Timestamp::now);
    tokio::select! {
        ended = connect_loop(&config.address, &mut endpoint, shutdown) => {
            ended?;
            drop(endpoint);
            joined(outbound.await)
        }
        ended = &mut outbound => joined(ended),
        _ = is_fenced.wait_for(|fenced| *fenced) => Err(GatewayError::Fenced { session: recorder.session_name() }),
    }
}

/// Tells the log which orders the journal holds: a crash between the two leaves orders that were sent and do not say so.
async fn backfill(recorder: &Recorder, index: &Mutex<Index>, journal: &Journal) -> Result<(), GatewayError> {
    let mut journaled = Vec::new();
    for record in journal.iter() {
        let record = record?;
        if record.kind == Kind::App {
            journaled.push((record.id, record.seq));
        }
    }
    for batch in journaled.chunks(BACKFILL) {
        inbound::dispatched(recorder, index, batch.iter().map(|(id, seq)| (id.as_str(), *seq))).await?;
    }
    Ok(())
}

fn joined(outbound: Result<Result<(), OutboundError>, tokio::task::JoinError>) -> Result<(), GatewayError> {
    match outbound {
        Ok(ended) => Ok(ended?),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
