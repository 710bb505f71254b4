//! One session of a venue between its claim and its end: the log is told what the journal knows, the session's engine is made, and it is
//! kept connected and said to be ready. Called by [`crate::run`].

use crate::connection::Connection;
use crate::dispatch::{PutOff, dispatched};
use crate::inbound::Inbounds;
use crate::index::Index;
#[cfg(feature = "testing")]
use crate::packets;
use crate::record::{RecordError, Recorder};
use crate::recovery::Recovery;
use crate::sent::Sent;
use crate::throttle::Throttle;
use crate::venue::Engine;
use crate::{Dialect, GatewayError, VenueSession, is_new, stopped};
use squareoff_domain::Venue;
use squareoff_domain::session::{self, SessionReport};
use squareoff_fix::{DriverError, Endpoint, Journal, Kind, OutboundMessage, Role, SessionConfig};
#[cfg(feature = "testing")]
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How often a session is said to be still ready; of three times in a row one has to come through.
const KEEP_PAUSE: Duration = Duration::from_secs(session::KEPT_S.unsigned_abs() / 3);
/// How often it is looked whether more may be asked of a venue: a few messages' time at a usual rate.
const ASKING_PAUSE: Duration = Duration::from_millis(50);
/// Journal records looked at together when the log is told what it missed.
const BACKFILL: usize = 512;

/// A session that is claimed and not yet connected.
pub struct Opened {
    pub session: VenueSession,
    pub recorder: Recorder,
    pub journal: Journal,
    pub fence: u64,
    pub outbound: mpsc::Receiver<OutboundMessage>,
    pub up: watch::Sender<bool>,
    pub throttle: Arc<Mutex<Throttle>>,
    pub recovery: Arc<Mutex<Recovery>>,
    /// Whether we never had another session to the venue.
    pub is_sole: bool,
}

impl Opened {
    /// Tells the log what the journal knows, and makes the session's engine.
    pub async fn endpoint(
        self,
        venue: Venue,
        dialect: Dialect,
        index: &Arc<Mutex<Index>>,
        fenced: &watch::Sender<Option<String>>,
    ) -> Result<Endpoint<Inbounds>, GatewayError> {
        let sent = backfill(&self.recorder, index, &self.journal).await?;
        let inbound = Inbounds {
            venue,
            recorder: self.recorder,
            index: Arc::clone(index),
            fence: self.fence,
            resend_age_max: self.session.resend_age_max,
            recovery: self.recovery,
            cancel_on_disconnect: self.session.cancel_on_disconnect,
            is_sole: self.is_sole,
            up: self.up,
            fenced: fenced.clone(),
            sent,
            generation: self.journal.generation(),
            throttle: self.throttle,
            put_off: PutOff::default(),
        };
        if is_new(&self.journal) {
            inbound.doubt_unanswered().await?;
        }
        let settings = SessionConfig {
            heart_bt_int_s: self.session.heartbeat_s,
            reset: self.session.connection.reset,
            cancel_on_disconnect: self.session.cancel_on_disconnect,
            schedule: self.session.connection.schedule,
            ..SessionConfig::new(Role::Initiator, &self.session.comp_id, venue.as_str())
                .speaking(dialect)
        };
        let clock = self.session.connection.clock;
        let (journal, queue) = (self.journal, self.outbound);
        Ok(Endpoint::new(settings, journal, queue, inbound, clock))
    }
}

#[cfg(feature = "testing")]
impl Opened {
    pub async fn packets(
        self,
        venue: Venue,
        index: &Arc<Mutex<Index>>,
        fenced: &watch::Sender<Option<String>>,
    ) -> Result<packets::Engine, GatewayError> {
        backfill(&self.recorder, index, &self.journal).await?;
        let open = packets::unanswered(&self.recorder, index, &self.journal).await?;
        Ok(packets::Engine {
            venue,
            comp_id: self.session.comp_id,
            recorder: self.recorder,
            index: Arc::clone(index),
            fence: self.fence,
            journal: self.journal,
            queue: self.outbound,
            up: self.up,
            fenced: fenced.clone(),
            open,
            numbers: HashMap::new(),
            parked: Vec::new(),
        })
    }
}

/// Says while the session is ready that it still is: when the gateway is killed, nobody says so any more.
pub async fn keep_saying(
    recorder: Recorder,
    fence: u64,
    up: watch::Receiver<bool>,
    fenced: watch::Sender<Option<String>>,
) {
    loop {
        tokio::time::sleep(KEEP_PAUSE).await;
        if !*up.borrow() {
            continue;
        }
        match recorder.session(SessionReport::Keep { fence }).await {
            Ok(_) => {}
            Err(RecordError::Fenced(_)) => {
                fenced.send_replace(Some(recorder.session_name()));
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "that the session is still ready could not be recorded");
            }
        }
    }
}

/// Asks the venue what waits to be asked, as fast as it may be, and a silent one again.
pub async fn keep_asking(recovery: Arc<Mutex<Recovery>>, limit: Duration) {
    loop {
        tokio::time::sleep(ASKING_PAUSE.min(limit)).await;
        let mut recovery = recovery.lock().unwrap_or_else(PoisonError::into_inner);
        recovery.ask_more();
        recovery.remind(limit);
    }
}

/// Tells the log which orders the journal holds: a crash between the two leaves orders that were sent and do not say so. Gives the
/// messages by their numbers.
pub async fn backfill(
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
        dispatched(recorder, index, records()).await?;
        records().for_each(|(id, seq)| sent.push(seq, id));
    }
    Ok(sent)
}

/// Keeps a session connected while it is wanted, until `stopping` turns true; it logs out before it is away.
pub async fn keep(
    connection: &Connection,
    engine: &mut Engine,
    mut wanted: watch::Receiver<bool>,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), DriverError> {
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stopping) => return Ok(()),
            () = turned(&mut wanted, true) => {}
        }
        let (hang_up, hung_up) = watch::channel(false);
        let mut connected = pin!(engine.run(connection, hung_up));
        tokio::select! {
            ended = &mut connected => return ended,
            () = stopped(&mut stopping) => {}
            () = turned(&mut wanted, false) => tracing::warn!("people have disconnected the venue; the session logs out"),
        }
        hang_up.send_replace(true);
        connected.await?;
    }
}

/// Waits until it is so; when nobody can say any more it never is.
async fn turned(wanted: &mut watch::Receiver<bool>, to: bool) {
    if wanted.wait_for(|wanted| *wanted == to).await.is_err() {
        std::future::pending::<()>().await;
    }
}
