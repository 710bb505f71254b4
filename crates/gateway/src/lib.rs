//! The exchange side: order events become FIX messages, the venue's reports become events.
//!
//! Called by the role `gateway`. One task pair per venue session: `outbound` follows the log, `inbound` answers the session's engine.
//!
//! 1. Identity comes first: a ClOrdID stands in the log before any byte leaves.
//! 2. Journal before socket: at most once out.
//! 3. Log before sequence number: at least once in, and the position's execution keys make it exactly once.
//! 4. One gateway per session, fenced by the session's stream, which it reads as it grows, and by the journal's lock.
//! 5. It lives off the log: no read database can stop an order.
//! 6. What was not sent when its activation of the platform ended, a kill switch covered it or its market closed is dropped and said
//!    to be; cancels always go.
//! 7. What may or may not have been sent is never sent again: it is in doubt until the venue or a person says.
//!
//! Not here yet: message-rate throttling, mass status on recovery (reports that were lost with a journal are not asked for), drop copy, several sessions to one venue. What the session has taken and not yet journaled when its connection breaks, 1,536
//! messages at most, goes out at the next log-on however late that is.

mod days;
mod inbound;
mod index;
mod outbound;
mod plan;
mod queue;
mod record;
mod sent;
mod suspend;
mod translate;
mod working;

use inbound::Inbounds;
use index::Index;
use outbound::{Outbound, OutboundError};
use record::{RecordError, Recorder};
use sent::Sent;
use squareoff_domain::Venue;
use squareoff_domain::session::{self, SessionReport};
use squareoff_fix::session::Reset;
use squareoff_fix::{
    DriverError, Endpoint, Journal, JournalError, Kind, Role, SessionConfig, Timestamp,
    connect_loop,
};
use squareoff_store::{EventStore, Position};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};

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
    Outbound(OutboundError),
    #[error(transparent)]
    Driver(#[from] DriverError),
    #[error("another gateway took the session {session} over")]
    Fenced { session: String },
}

/// Keeps one session until `shutdown` turns true: claims it, tells the log what the journal knows and the log does not, connects,
/// and reconnects. Whatever ends it, it logs out first and says so in the log: a session that stands there as ready is given orders.
///
/// # Errors
/// [`GatewayError`]: what no reconnecting mends.
pub async fn run(
    config: VenueSession,
    store: EventStore,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), GatewayError> {
    // The lock on the journal's folder comes first: on one machine it keeps a second gateway out before it can claim.
    let journal = Journal::open(
        &config.journal,
        &config.comp_id,
        config.venue.as_str(),
        Timestamp::now(),
    )?;
    let recorder = Recorder::new(&store, config.venue, &config.comp_id);
    let fence = recorder.session(SessionReport::Claim).await?;
    tracing::info!(venue = %config.venue, fence, journal.position = journal.last_position(), "the gateway claimed its session");

    // Nothing tells what an earlier life sent: this is the first, or the journal was lost.
    let journal_is_new = (journal.generation(), journal.last_seq()) == (1, 0);
    let index = Arc::new(Mutex::new(Index::default()));
    let (session, queue) = mpsc::channel(SESSION_QUEUE);
    let (up, is_up) = watch::channel(false);
    let (fenced, mut is_fenced) = watch::channel(false);
    let outbound = Outbound {
        venue: config.venue,
        store,
        index: Arc::clone(&index),
        recorder: recorder.clone(),
        session_stream: session::stream(config.venue, &config.comp_id),
        fence,
        sent_through: Position::from_u64(journal.last_position()),
        journal_is_new,
        session,
        up: is_up,
    };
    let (caught_up, is_caught_up) = oneshot::channel();
    // A set ends its task when it is dropped: nothing of a gateway outlives it.
    let mut outbounds = JoinSet::new();
    outbounds.spawn(outbound.run(caught_up));
    tokio::select! {
        told = is_caught_up => if told.is_err() {
            return joined(outbounds.join_next().await, &recorder);
        },
        () = stopped(&mut shutdown) => return Ok(()),
    }
    let sent = backfill(&recorder, &index, &journal).await?;

    let inbound = Inbounds {
        venue: config.venue,
        recorder: recorder.clone(),
        index,
        fence,
        resend_age_max: config.resend_age_max,
        up,
        fenced,
        sent,
        generation: journal.generation(),
    };
    if journal_is_new {
        inbound.doubt_unanswered().await?;
    }
    let settings = SessionConfig {
        heart_bt_int_s: config.heartbeat_s,
        reset: Reset::WhenFresh,
        ..SessionConfig::new(Role::Initiator, &config.comp_id, config.venue.as_str())
    };
    let mut endpoint = Endpoint::new(settings, journal, queue, inbound, Timestamp::now);
    let (stop, stopping) = watch::channel(false);
    let mut connected = pin!(connect_loop(&config.address, &mut endpoint, stopping));
    let ended = tokio::select! {
        ended = &mut connected => return Ok(ended?),
        () = stopped(&mut shutdown) => Ok(()),
        ended = outbounds.join_next() => joined(ended, &recorder),
        _ = is_fenced.wait_for(|fenced| *fenced) => Err(fenced_off(&recorder)),
    };
    stop.send_replace(true);
    let logged_out = connected.await;
    ended?;
    Ok(logged_out?)
}

/// Tells the log which orders the journal holds: a crash between the two leaves orders that were sent and do not say so. Gives the
/// messages by their numbers.
async fn backfill(
    recorder: &Recorder,
    index: &Mutex<Index>,
    journal: &Journal,
) -> Result<Sent, GatewayError> {
    let mut journaled = Vec::new();
    for record in journal.iter() {
        let record = record?;
        if record.kind == Kind::App {
            journaled.push((record.id, record.seq));
        }
    }
    let mut sent = Sent::default();
    for batch in journaled.chunks(BACKFILL) {
        let records = || batch.iter().map(|(id, seq)| (id.as_str(), *seq));
        inbound::dispatched(recorder, index, records()).await?;
        records().for_each(|(id, seq)| sent.push(seq, id));
    }
    Ok(sent)
}

/// How the outbound side ended.
fn joined(
    ended: Option<Result<Result<(), OutboundError>, JoinError>>,
    recorder: &Recorder,
) -> Result<(), GatewayError> {
    match ended {
        None | Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(OutboundError::Fenced { .. }))) => Err(fenced_off(recorder)),
        Some(Ok(Err(error))) => Err(GatewayError::Outbound(error)),
        Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
    }
}

fn fenced_off(recorder: &Recorder) -> GatewayError {
    GatewayError::Fenced {
        session: recorder.session_name(),
    }
}

/// Waits until the process is to stop; a dropped sender means the same.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}
