//! A log, a gateway that can die at a point, a line, an exchange that can die, and a rival at it.

use super::exchange::{Exchange, RIVAL};
use super::rival::Rival;
use crate::desk::{COMP_ID, Desk};
use crate::line::Line;
use crate::rig::{PATIENCE, Running, until};
use crate::venue::open_journal;
use squareoff_fix::JournalError;
use squareoff_fix::faults::Faults;
use squareoff_gateway::{
    ANSWER_TIME_LIMIT, CONFIRM_TIME_LIMIT, Connection, Dialect, DropCopySession, GatewayError,
    Protocol, VenueConfig, VenueSession, run_drop_copy,
};
use squareoff_store::EventStore;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;

pub struct Life {
    log: TempDir,
    journal: TempDir,
    store: EventStore,
    pub desk: Desk,
    pub line: Line,
    pub exchange: Exchange,
    pub rival: Rival,
    /// Of the gateway that runs.
    pub faults: Faults,
    gateway: Option<Running>,
    copy_journal: TempDir,
    copy: Option<Running>,
}

impl Life {
    /// Everything runs, and the gateway's session is ready.
    pub async fn new() -> Life {
        let [log, journal, copy_journal] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
        let store = EventStore::open(log.path()).unwrap();
        let desk = Desk::new(&store);
        desk.activate().await;
        let line = Line::new().await;
        let mut exchange = Exchange::new();
        line.lead_to(Some(exchange.start().await));
        let rival = Rival::dial(line.address, RIVAL);
        let mut life = Life {
            log,
            journal,
            store,
            desk,
            line,
            exchange,
            rival,
            faults: Faults::default(),
            gateway: None,
            copy_journal,
            copy: None,
        };
        life.start_gateway();
        life.desk.until_session("ready 1").await;
        life.until_quiet().await;
        life
    }

    pub async fn start_exchange(&mut self) {
        self.line.lead_to(Some(self.exchange.start().await));
    }

    pub fn start_gateway(&mut self) {
        assert!(self.gateway.is_none());
        let session = VenueSession {
            connection: Connection::plain(self.line.address.to_string()),
            comp_id: COMP_ID.into(),
            heartbeat_s: 30,
            // What a test is not about does not wait for its turn.
            message_rate_per_s: 100_000,
            resend_age_max: Duration::from_secs(600),
            answer_time_limit: ANSWER_TIME_LIMIT,
            cancel_on_disconnect: false,
            journal: self.journal.path().into(),
        };
        let config = VenueConfig {
            venue: squareoff_domain::Venue::Nse,
            protocol: Protocol::Fix(Dialect::Fix44),
            sessions: vec![session],
            former: vec![],
        };
        self.faults = Faults::default();
        let (faults, store) = (self.faults.clone(), self.store.clone());
        self.gateway = Some(Running::spawn(
            move |stopping: watch::Receiver<bool>| async move {
                loop {
                    let life =
                        squareoff_gateway::run(config.clone(), store.clone(), stopping.clone());
                    match faults.within(life).await {
                        // A killed one's last batch may still be on its way to the disk, and holds the journal until it is there.
                        Err(GatewayError::Journal(JournalError::InUse { .. })) => {
                            tokio::task::yield_now().await;
                        }
                        ended => return ended,
                    }
                }
            },
        ));
    }

    /// Another broker, or another session of ours.
    pub fn dial(&self, name: &str) -> Rival {
        Rival::dial(self.line.address, name)
    }

    pub fn start_copy(&mut self) {
        self.start_copy_with(CONFIRM_TIME_LIMIT);
    }

    /// A drop copy that may leave a trade out for so long.
    pub fn start_copy_with(&mut self, confirm_time_limit: Duration) {
        assert!(self.copy.is_none());
        let session = DropCopySession {
            venue: squareoff_domain::Venue::Nse,
            connection: Connection::plain(self.line.address.to_string()),
            dialect: Dialect::Fix44,
            comp_id: format!("{COMP_ID}-DC"),
            heartbeat_s: 30,
            confirm_time_limit,
            journal: self.copy_journal.path().into(),
        };
        let store = self.store.clone();
        self.copy = Some(Running::spawn(move |stopping| async move {
            loop {
                let run = run_drop_copy(session.clone(), store.clone(), stopping.clone());
                match run.await {
                    Err(GatewayError::Journal(JournalError::InUse { .. })) => {
                        tokio::task::yield_now().await;
                    }
                    ended => return ended,
                }
            }
        }));
    }

    pub async fn kill_copy(&mut self) {
        self.copy.take().unwrap().kill().await;
    }

    pub async fn kill_gateway(&mut self) {
        self.gateway.take().unwrap().kill().await;
    }

    /// The journal of a gateway that does not run is gone.
    pub async fn remove_journal(&self) {
        drop(open_journal(self.journal.path(), COMP_ID, "NSE").await);
        for entry in std::fs::read_dir(self.journal.path()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }

    /// Waits for the gateway to come to the point that was armed, and kills it there.
    pub async fn until_dead(&mut self) {
        let reached = tokio::time::timeout(PATIENCE, self.faults.reached());
        reached.await.expect("the gateway comes to the point");
        self.gateway.take().unwrap().kill().await;
    }

    /// The gateway has taken in what it was told so far, to its inbound number.
    pub async fn until_quiet(&self) {
        until("nothing is being taken in", async || {
            self.faults.is_between_messages()
        })
        .await;
    }

    /// The gateway ends in an orderly way and the exchange at once. Gives what is left of them.
    pub async fn end(mut self) -> Remains {
        self.gateway.take().unwrap().stop().await.unwrap();
        if let Some(copy) = self.copy.take() {
            copy.stop().await.unwrap();
        }
        self.exchange.kill();
        let journal = open_journal(self.journal.path(), COMP_ID, "NSE").await;
        Remains {
            _log: self.log,
            desk: self.desk,
            exchange: self.exchange,
            next_inbound: journal.next_inbound(),
        }
    }
}

pub struct Remains {
    _log: TempDir,
    pub desk: Desk,
    pub exchange: Exchange,
    /// Of the gateway's journal.
    pub next_inbound: u64,
}
