//! The exchange side: order events become FIX messages, the venue's reports become events.
//!
//! Called by the role `gateway`, once per venue. `outbound` follows the log for all sessions of the venue, `inbound` answers each
//! session's engine, and `copy` takes the venue's drop copy on a session beside them.
//!
//! 1. Identity comes first: a ClOrdID stands in the log before any byte leaves.
//! 2. Journal before socket: at most once out. What no journal of the venue holds has not gone.
//! 3. Log before sequence number: at least once in, and the position's execution keys make it exactly once.
//! 4. One gateway per session, fenced by the session's stream, which it reads as it grows, and by the journal's lock.
//! 5. It lives off the log: no read database can stop an order.
//! 6. What was not sent when its activation of the platform ended, a kill switch covered it or its market closed is dropped and said
//!    to be; cancels always go.
//! 7. What may or may not have been sent is never sent again: it is in doubt until the venue or a person says.
//! 8. No more messages go than the venue takes of a session (`throttle`), the urgent first and the clients in turn (`turns`).
//! 9. A session is ready when the venue has said how every order stands that may still fill (`recovery`); a difference freezes the
//!    position, and no fill is ever made up.
//!
//! What the session has taken and not yet journaled when its connection breaks, 1,536 messages at most, goes out at the next log-on
//! however late that is.

mod connection;
mod copy;
mod days;
mod dispatch;
mod inbound;
mod index;
mod lanes;
mod open;
mod opened;
mod outbound;
#[cfg(feature = "testing")]
mod packets;
mod plan;
mod queue;
mod reconcile;
mod record;
mod recovery;
mod sent;
mod stands;
mod suspend;
mod throttle;
mod translate;
mod turns;
mod venue;
mod working;

pub use connection::{Connection, Tls};
pub use copy::{CONFIRM_TIME_LIMIT, DropCopySession, run as run_drop_copy};
use futures::future::join_all;
use lanes::Lanes;
use opened::{Opened, backfill, keep, keep_asking, keep_saying};
use outbound::{Lane, Outbound, OutboundError};
use record::{RecordError, Recorder};
pub use recovery::ANSWER_TIME_LIMIT;
use recovery::Recovery;
use squareoff_domain::Venue;
use squareoff_domain::session::{self, SessionReport, Share};
pub use squareoff_fix::message::Dialect;
use squareoff_fix::{DriverError, Journal, JournalError, Timestamp};
use squareoff_store::{EventStore, Streams};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use thiserror::Error;
use throttle::Throttle;
use venue::Engine;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};
pub use venue::Protocol;

/// Messages handed to a session and not yet journaled: some batches of the session's own.
const SESSION_QUEUE: usize = 1_024;

/// One venue and our sessions to it.
#[derive(Debug, Clone)]
pub struct VenueConfig {
    pub venue: Venue,
    pub protocol: Protocol,
    /// At least one. Each client's orders go over one of them, which its place in this list tells.
    pub sessions: Vec<VenueSession>,
    /// Sessions that are not used any more. What their journals hold has gone.
    pub former: Vec<FormerSession>,
}

#[derive(Debug, Clone)]
pub struct VenueSession {
    pub connection: Connection,
    /// Our SenderCompID (49); the venue's TargetCompID (56) is its name.
    pub comp_id: String,
    pub heartbeat_s: u32,
    /// How old an order may be when the venue asks for it again.
    pub resend_age_max: Duration,
    /// Messages that the venue takes of the session in a second.
    pub message_rate_per_s: u32,
    /// Whether the venue is to cancel what works when the connection is lost: CancelOrdersOnDisconnect (8013) of our Logon.
    pub cancel_on_disconnect: bool,
    /// How long the venue may be silent when it is asked how orders stand: [`ANSWER_TIME_LIMIT`], or a test's.
    pub answer_time_limit: Duration,
    /// Folder of the session's journal.
    pub journal: PathBuf,
}

#[derive(Debug, Clone)]
pub struct FormerSession {
    pub comp_id: String,
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
    #[error("the drop copy can't begin: {0}")]
    DropCopy(String),
    #[error("another gateway took the session {session} over")]
    Fenced { session: String },
}

/// Keeps the sessions to one venue until `shutdown` turns true: claims them, tells the log what the journals know and the log does not,
/// connects, and reconnects. Whatever ends one of them, all log out first and say so in the log: a session that stands there as ready is
/// given orders.
///
/// # Errors
/// [`GatewayError`]: what no reconnecting mends.
pub async fn run(
    config: VenueConfig,
    store: EventStore,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), GatewayError> {
    let (venue, protocol) = (config.venue, config.protocol);
    // The locks on the journals' folders come first: on one machine they keep a second gateway out before it can claim.
    let mut journals = Vec::new();
    for session in &config.sessions {
        journals.push(open(&session.journal, &session.comp_id, venue)?);
    }
    let names = config
        .sessions
        .iter()
        .map(|session| name(venue, &session.comp_id));
    let mut handed = Lanes::new(names.collect());
    let mut told = HashSet::new();
    for (number, journal) in journals.iter().enumerate() {
        let comp_id = &config.sessions[number].comp_id;
        if learn(&mut handed, Some(number), journal)? {
            told.insert(session::stream(venue, comp_id));
        }
    }
    let positions = Streams::new(store.clone());
    let mut former = Vec::new();
    for session in &config.former {
        let journal = open(&session.journal, &session.comp_id, venue)?;
        if learn(&mut handed, None, &journal)? {
            told.insert(session::stream(venue, &session.comp_id));
        }
        former.push((Recorder::new(&positions, venue, &session.comp_id), journal));
    }

    let index = Arc::new(Mutex::new(protocol.index()));
    let mut opened = Vec::new();
    let mut lanes = Vec::new();
    let of = u32::try_from(config.sessions.len()).unwrap_or(u32::MAX);
    for ((number, session), journal) in (0..).zip(config.sessions).zip(journals) {
        let recorder = Recorder::new(&positions, venue, &session.comp_id);
        let share = Share { number, of };
        let fence = recorder.session(SessionReport::Claim { share }).await?;
        tracing::info!(session = %recorder.session_name(), fence, journal.position = journal.last_position(), "the gateway claimed its session");
        let (queue, outbound) = mpsc::channel(SESSION_QUEUE);
        let (up, is_up) = watch::channel(false);
        let throttle = Throttle::new(session.message_rate_per_s, Instant::now());
        let throttle = Arc::new(Mutex::new(throttle));
        let recovery = Recovery::new(
            queue.clone(),
            recorder.session_name(),
            fence,
            Arc::clone(&throttle),
            protocol.dialect(),
            is_new(&journal),
        );
        lanes.push(Lane {
            stream: session::stream(venue, &session.comp_id),
            fence,
            session: queue,
            up: is_up,
            throttle: Arc::clone(&throttle),
        });
        opened.push(Opened {
            session,
            recorder,
            journal,
            fence,
            outbound,
            up,
            throttle,
            recovery: Arc::new(Mutex::new(recovery)),
            is_sole: false,
        });
    }
    let (wanted, is_wanted) = watch::channel(false);
    let outbound = Outbound {
        venue,
        protocol,
        wanted,
        store,
        index: Arc::clone(&index),
        recorder: opened[0].recorder.clone(),
        lanes,
        handed,
        told,
    };
    let (caught_up, is_caught_up) = oneshot::channel();
    // A set ends its task when it is dropped: nothing of a gateway outlives it.
    let mut outbounds = JoinSet::new();
    outbounds.spawn(outbound.run(caught_up));
    tokio::select! {
        told = is_caught_up => if told.is_err() {
            return joined(outbounds.join_next().await);
        },
        () = stopped(&mut shutdown) => return Ok(()),
    }
    let is_sole = opened.len() == 1 && former.is_empty();
    for (recorder, journal) in &former {
        backfill(recorder, &index, journal).await?;
        // Nobody logs on there any more, so that neither side can ask for what the other missed.
        let reason = format!("session {} is not used any more", recorder.session_name());
        inbound::doubt_unanswered(recorder, &index, &reason).await?;
    }
    drop(former);

    let (fenced, mut is_fenced) = watch::channel(None);
    let (stop, stopping) = watch::channel(false);
    let mut keeping = JoinSet::new();
    for opened in &opened {
        let (recorder, fence) = (opened.recorder.clone(), opened.fence);
        keeping.spawn(keep_saying(
            recorder,
            fence,
            opened.up.subscribe(),
            fenced.clone(),
        ));
    }
    let mut asking = JoinSet::new();
    let mut engines = Vec::new();
    for mut opened in opened {
        opened.is_sole = is_sole;
        let connection = opened.session.connection.clone();
        let engine = match protocol {
            Protocol::Fix(dialect) => {
                let recovery = Arc::clone(&opened.recovery);
                asking.spawn(keep_asking(recovery, opened.session.answer_time_limit));
                let endpoint = opened.endpoint(venue, dialect, &index, &fenced).await?;
                Engine::Fix(Box::new(endpoint))
            }
            #[cfg(feature = "testing")]
            Protocol::Packets => {
                let engine = opened.packets(venue, &index, &fenced).await?;
                Engine::Packets(Box::new(engine))
            }
        };
        engines.push((connection, engine));
    }
    let connections = engines.iter_mut().map(|(connection, engine)| async {
        let ended = keep(connection, engine, is_wanted.clone(), stopping.clone()).await;
        // What one session can't go on with ends all: whoever starts the gateway again starts all of them.
        stop.send_replace(true);
        ended
    });
    let mut connected = pin!(join_all(connections));
    let ended = tokio::select! {
        ended = &mut connected => return Ok(ended.into_iter().collect::<Result<(), _>>()?),
        () = stopped(&mut shutdown) => Ok(()),
        ended = outbounds.join_next() => joined(ended),
        name = lost(&mut is_fenced) => Err(GatewayError::Fenced { session: name }),
    };
    stop.send_replace(true);
    let logged_out = connected.await;
    ended?;
    Ok(logged_out.into_iter().collect::<Result<(), _>>()?)
}

/// `<venue>-<comp id>`, as events name a session.
fn name(venue: Venue, comp_id: &str) -> String {
    format!("{venue}-{comp_id}")
}

fn open(folder: &Path, comp_id: &str, venue: Venue) -> Result<Journal, JournalError> {
    Journal::open(folder, comp_id, venue.as_str(), Timestamp::now())
}

/// Nothing tells what an earlier life sent: this is the first, or the journal was lost.
fn is_new(journal: &Journal) -> bool {
    (journal.generation(), journal.last_seq()) == (1, 0)
}

/// Takes in what a journal holds; whether it tells all that it was ever given.
fn learn(lanes: &mut Lanes, lane: Option<usize>, journal: &Journal) -> Result<bool, JournalError> {
    let history = journal.history()?;
    lanes.learn(lane, history.ids.iter().filter_map(|id| id.parse().ok()));
    Ok(history.complete && !is_new(journal))
}

/// How the outbound side ended.
fn joined(ended: Option<Result<Result<(), OutboundError>, JoinError>>) -> Result<(), GatewayError> {
    match ended {
        None | Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(OutboundError::Fenced { stream, .. }))) => {
            let session = stream.trim_start_matches("session-").to_owned();
            Err(GatewayError::Fenced { session })
        }
        Some(Ok(Err(error))) => Err(GatewayError::Outbound(error)),
        Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// Waits until another gateway took a session over; which.
async fn lost(fenced: &mut watch::Receiver<Option<String>>) -> String {
    loop {
        let name = fenced.borrow_and_update().clone();
        if let Some(name) = name {
            return name;
        }
        if fenced.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits until the process is to stop; a dropped sender means the same.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}
