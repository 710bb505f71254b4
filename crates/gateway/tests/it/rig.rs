//! A log, a gateway, a line and a venue, each of which can be stopped and started by itself.

use crate::desk::{COMP_ID, Desk};
use crate::line::Line;
use crate::venue::{Book, Manner, Venue, open_journal};
use squareoff_fix::{Journal, JournalError};
use squareoff_gateway::{
    ANSWER_TIME_LIMIT, Connection, Dialect, GatewayError, Protocol, VenueConfig, VenueSession,
};
use squareoff_store::EventStore;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A guard against hanging, far above what a test takes.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Polls until it is so.
pub async fn until(what: &str, is: impl AsyncFn() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is().await {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), GatewayError>>,
}

impl Running {
    /// A gateway in a task of its own; it ends when it is told to.
    pub fn spawn<F>(life: impl FnOnce(watch::Receiver<bool>) -> F) -> Running
    where
        F: Future<Output = Result<(), GatewayError>> + Send + 'static,
    {
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(life(stopping));
        Running { stop, task }
    }

    /// As the operator ends it.
    pub async fn stop(self) -> Result<(), GatewayError> {
        self.stop.send_replace(true);
        self.ended().await
    }

    /// Waits for it to end by itself.
    pub async fn ended(self) -> Result<(), GatewayError> {
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.expect("it ends in time").expect("it does not panic")
    }

    /// As kill -9 would: nothing is said to anybody.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// A gateway, not yet logged on.
pub fn run_gateway(config: VenueConfig, store: EventStore) -> Running {
    let (stop, stopping) = watch::channel(false);
    let task = tokio::spawn(async move {
        loop {
            let ended =
                squareoff_gateway::run(config.clone(), store.clone(), stopping.clone()).await;
            // A killed one's last batch may still be on its way to the disk, and holds the journal until it is there.
            match ended {
                Err(GatewayError::Journal(JournalError::InUse { .. })) => {
                    tokio::task::yield_now().await;
                }
                ended => return ended,
            }
        }
    });
    Running { stop, task }
}

pub struct Rig {
    pub log: TempDir,
    pub journal: TempDir,
    _venue_folder: TempDir,
    pub store: EventStore,
    pub desk: Desk,
    pub line: Line,
    pub book: Arc<Mutex<Book>>,
    pub venue: Venue,
    pub resend_age_max: Duration,
    pub message_rate_per_s: u32,
    pub cancel_on_disconnect: bool,
    pub answer_time_limit: Duration,
    gateway: Option<Running>,
}

impl Rig {
    /// The platform is active, the venue is there, no gateway runs.
    pub async fn without_gateway() -> Rig {
        let [log, journal, venue_folder] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
        let store = EventStore::open(log.path()).unwrap();
        let desk = Desk::new(&store);
        desk.activate().await;
        let book = Arc::default();
        let venue = Venue::start(venue_folder.path(), &book).await;
        let line = Line::new().await;
        line.lead_to(Some(venue.address));
        Rig {
            log,
            journal,
            _venue_folder: venue_folder,
            store,
            desk,
            line,
            book,
            venue,
            resend_age_max: Duration::from_secs(60),
            // What a test is not about does not wait for its turn.
            message_rate_per_s: 100_000,
            cancel_on_disconnect: false,
            answer_time_limit: ANSWER_TIME_LIMIT,
            gateway: None,
        }
    }

    /// Everything runs and is logged on.
    pub async fn new() -> Rig {
        let mut rig = Rig::without_gateway().await;
        rig.start().await;
        rig
    }

    pub fn with_manner(self, manner: Manner) -> Rig {
        self.book.lock().unwrap().manner = manner;
        self
    }

    pub fn config(&self) -> VenueConfig {
        let session = VenueSession {
            connection: Connection::plain(self.line.address.to_string()),
            comp_id: COMP_ID.into(),
            heartbeat_s: 30,
            resend_age_max: self.resend_age_max,
            message_rate_per_s: self.message_rate_per_s,
            cancel_on_disconnect: self.cancel_on_disconnect,
            answer_time_limit: self.answer_time_limit,
            journal: self.journal.path().into(),
        };
        VenueConfig {
            venue: squareoff_domain::Venue::Nse,
            protocol: Protocol::Fix(Dialect::Fix44),
            sessions: vec![session],
            former: vec![],
        }
    }

    /// A gateway on this rig's log and journal, not yet logged on.
    pub fn run(&self) -> Running {
        run_gateway(self.config(), self.store.clone())
    }

    /// Starts the gateway and waits until it is logged on.
    pub async fn start(&mut self) {
        let lines = self.desk.session().await;
        let lives = lines.iter().filter(|line| line.starts_with("claimed"));
        let ready = format!("ready {}", lives.count() + 1);
        self.launch();
        self.desk.until_session(&ready).await;
    }

    /// Starts the gateway.
    pub fn launch(&mut self) {
        assert!(self.gateway.is_none());
        self.gateway = Some(self.run());
    }

    pub fn take_gateway(&mut self) -> Running {
        self.gateway.take().expect("a gateway runs")
    }

    pub async fn kill(&mut self) {
        self.take_gateway().kill().await;
    }

    pub async fn stop(&mut self) -> Result<(), GatewayError> {
        self.take_gateway().stop().await
    }

    /// Kills the venue's process and starts another on its journal and book.
    pub async fn restart_venue(&mut self) {
        self.venue.restart().await;
        self.line.lead_to(Some(self.venue.address));
    }

    /// The gateway's journal, while no gateway runs.
    pub async fn open_journal(&self) -> Journal {
        open_journal(self.journal.path(), COMP_ID, crate::venue::NAME).await
    }

    /// The gateway forgets how far it has received.
    pub fn forget_inbound_number(&self) {
        std::fs::remove_file(self.journal.path().join("inbound.num")).unwrap();
    }

    /// Ends the gateway and looks for what must never be: an order that the venue got twice as a new one.
    pub async fn end(mut self) {
        self.stop().await.unwrap();
        let book = self.book.lock().unwrap();
        assert_eq!(book.duplicates, Vec::<String>::new());
    }
}
