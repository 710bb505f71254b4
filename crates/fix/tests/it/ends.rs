//! A gateway that orders, an exchange that answers, and what they saw; and some who misbehave.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use squareoff_fix::journal::{Journal, JournalError, Record};
use squareoff_fix::message::{ExecutionReport, NewOrderSingle, OrdType, OutboundMessage, Side};
use squareoff_fix::session::Inbound;
use squareoff_fix::{
    AppMessage, Application, DriverError, Endpoint, NotRecorded, PriceE4, Registry, Resend, Role,
    SentRecord, SessionState, Timestamp, accept_loop, connect_loop,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::config;

/// A guard against hanging, far above what a test takes.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What an application has seen; shared with the test.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub received: Vec<(u64, AppMessage)>,
    pub resent: Vec<String>,
    pub sent: Vec<SentRecord>,
    pub states: Vec<SessionState>,
    pub refuse_records: u32,
    pub refuse_sent: u32,
    pub fill_over: bool,
    pub due_at: Option<Instant>,
    pub dues: usize,
}

#[derive(Clone)]
pub struct App {
    pub seen: Arc<Mutex<Seen>>,
    /// Where an exchange answers orders.
    pub answers: Option<mpsc::UnboundedSender<OutboundMessage>>,
}

impl App {
    pub fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("no test panics with it held")
    }
}

impl Application for App {
    async fn receive(&mut self, batch: Vec<Inbound>) -> Result<(), NotRecorded> {
        let mut seen = self.seen();
        if seen.refuse_records > 0 {
            seen.refuse_records -= 1;
            return Err(NotRecorded("the disk is on fire".to_owned()));
        }
        for inbound in batch {
            // What was recorded under this number before has come again.
            if seen.received.iter().any(|(seq, _)| *seq == inbound.seq) {
                assert!(inbound.poss_dup);
                continue;
            }
            if let (AppMessage::NewOrderSingle(order), Some(answers)) =
                (&inbound.message, &self.answers)
            {
                let report = AppMessage::ExecutionReport(Box::new(acknowledgement(order)));
                let report = OutboundMessage::new(&order.cl_ord_id, inbound.seq, &report).unwrap();
                let _ = answers.send(report);
            }
            seen.received.push((inbound.seq, inbound.message));
        }
        Ok(())
    }

    async fn resend(&mut self, records: Vec<Record>) -> Result<Vec<Resend>, NotRecorded> {
        let mut seen = self.seen();
        let decision = if seen.fill_over {
            Resend::GapFill
        } else {
            Resend::Again
        };
        seen.resent
            .extend(records.iter().map(|record| record.id.clone()));
        Ok(vec![decision; records.len()])
    }

    async fn sent(&mut self, batch: &[SentRecord]) -> Result<(), NotRecorded> {
        let mut seen = self.seen();
        if seen.refuse_sent > 0 {
            seen.refuse_sent -= 1;
            return Err(NotRecorded("not now".to_owned()));
        }
        seen.sent.extend_from_slice(batch);
        Ok(())
    }

    fn due_at(&self) -> Option<Instant> {
        self.seen().due_at
    }

    async fn due(&mut self) -> Result<(), NotRecorded> {
        let mut seen = self.seen();
        (seen.due_at, seen.dues) = (None, seen.dues + 1);
        Ok(())
    }

    async fn state(&mut self, state: SessionState) -> Result<(), NotRecorded> {
        self.seen().states.push(state);
        Ok(())
    }
}

pub fn order(cl_ord_id: &str) -> AppMessage {
    AppMessage::NewOrderSingle(NewOrderSingle {
        cl_ord_id: cl_ord_id.to_owned(),
        account: Some("CL0001".to_owned()),
        symbol: "NIFTY26MAYFUT".to_owned(),
        security_exchange: Some("NSE".to_owned()),
        side: Side::Sell,
        order_qty: 65,
        ord_type: OrdType::Limit,
        price: Some(PriceE4(245_000_500)),
        time_in_force: None,
        transact_time: Timestamp(1_777_540_500_000_000_000),
        text: None,
    })
}

pub fn acknowledgement(order: &NewOrderSingle) -> ExecutionReport {
    let id = &order.cl_ord_id;
    ExecutionReport::accepted(order, format!("X-{id}"), format!("E-{id}"))
}

/// One end: its application, its queue, the task that runs it.
pub struct End {
    pub app: App,
    pub queue: mpsc::Sender<OutboundMessage>,
    pub stop: watch::Sender<bool>,
    pub task: JoinHandle<Result<(), DriverError>>,
}

impl End {
    pub async fn stop(self) -> App {
        self.stop.send_replace(true);
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended
            .expect("it stops in time")
            .expect("it does not panic")
            .expect("the journal is fine");
        self.app
    }

    /// As a kill would: nothing is said to the peer.
    pub async fn kill(self) -> App {
        self.task.abort();
        let _ = self.task.await;
        self.app
    }

    pub async fn send(&self, message: OutboundMessage) {
        self.queue.send(message).await.expect("the endpoint lives");
    }

    pub async fn until(&self, what: &str, is: impl Fn(&Seen) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !is(&self.app.seen()) {
            assert!(
                tokio::time::Instant::now() < deadline,
                "never: {what}; {:?}",
                self.app.seen()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

pub fn journal(role: Role, folder: &Path) -> Journal {
    let identity = config(role).identity;
    // A killed end's last batch may still be on its way to the disk, and holds the journal until it is there.
    for _ in 0..1000 {
        let now = Timestamp::now();
        match Journal::open(folder, &identity.sender, &identity.target, now) {
            Err(JournalError::InUse { .. }) => std::thread::sleep(Duration::from_millis(1)),
            opened => return opened.expect("the journal opens"),
        }
    }
    panic!("the journal stays in use")
}

pub fn app(seen: &Arc<Mutex<Seen>>) -> App {
    App {
        seen: Arc::clone(seen),
        answers: None,
    }
}

pub fn endpoint(
    role: Role,
    folder: &Path,
    app: App,
) -> (Endpoint<App>, mpsc::Sender<OutboundMessage>) {
    let (queue, outbound) = mpsc::channel(64);
    let endpoint = Endpoint::new(
        config(role),
        journal(role, folder),
        outbound,
        app,
        Timestamp::now,
    );
    (endpoint, queue)
}

pub fn gateway(folder: &Path, seen: &Arc<Mutex<Seen>>, address: SocketAddr) -> End {
    let app = app(seen);
    let (mut endpoint, queue) = endpoint(Role::Initiator, folder, app.clone());
    let (stop, stopping) = watch::channel(false);
    let task =
        tokio::spawn(
            async move { connect_loop(&address.to_string(), &mut endpoint, stopping).await },
        );
    End {
        app,
        queue,
        stop,
        task,
    }
}

pub fn exchange(folder: &Path, seen: &Arc<Mutex<Seen>>, listener: TcpListener) -> End {
    let (answers, mut answered) = mpsc::unbounded_channel();
    let app = App {
        seen: Arc::clone(seen),
        answers: Some(answers),
    };
    let (endpoint, queue) = endpoint(Role::Acceptor, folder, app.clone());
    let forward = queue.clone();
    tokio::spawn(async move {
        while let Some(message) = answered.recv().await {
            if forward.send(message).await.is_err() {
                break;
            }
        }
    });
    let mut registry = Registry::new();
    registry.add(endpoint);
    let (stop, stopping) = watch::channel(false);
    let task = tokio::spawn(accept_loop(listener, registry, stopping));
    End {
        app,
        queue,
        stop,
        task,
    }
}

pub struct Place {
    pub folders: [TempDir; 2],
    pub gateway: Arc<Mutex<Seen>>,
    pub exchange: Arc<Mutex<Seen>>,
}

impl Place {
    pub fn new() -> Place {
        Place {
            folders: [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()],
            gateway: Arc::default(),
            exchange: Arc::default(),
        }
    }

    pub async fn start(&self) -> (End, End, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let exchange = exchange(self.folders[1].path(), &self.exchange, listener);
        (self.gateway(address), exchange, address)
    }

    pub fn gateway(&self, address: SocketAddr) -> End {
        gateway(self.folders[0].path(), &self.gateway, address)
    }
}

pub fn new_order(n: u64) -> OutboundMessage {
    OutboundMessage::new(format!("C{n}"), n, &order(&format!("C{n}"))).unwrap()
}

pub fn reports(seen: &Seen) -> Vec<String> {
    let report = |message: &AppMessage| match message {
        AppMessage::ExecutionReport(report) => report.cl_ord_id.clone(),
        _ => None,
    };
    seen.received
        .iter()
        .filter_map(|(_, m)| report(m))
        .collect()
}

/// Forwards connections, each of which ends after the next number of bytes towards the exchange.
pub async fn cutting_proxy(to: SocketAddr, cuts: Vec<usize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut cuts = cuts.into_iter();
        while let Ok((mut from, _)) = listener.accept().await {
            let Ok(mut to) = TcpStream::connect(to).await else {
                continue;
            };
            let (mut there, mut back) = (cuts.next().unwrap_or(usize::MAX), [0; 2048]);
            let mut buffer = [0; 2048];
            loop {
                tokio::select! {
                    n = from.read(&mut buffer) => match n {
                        Ok(n @ 1..) => {
                            let n = n.min(there);
                            there -= n;
                            if to.write_all(&buffer[..n]).await.is_err() || there == 0 { break }
                        }
                        _ => break,
                    },
                    n = to.read(&mut back) => match n {
                        Ok(n @ 1..) => if from.write_all(&back[..n]).await.is_err() { break },
                        _ => break,
                    },
                }
            }
        }
    });
    address
}

impl Place {
    /// The position up to which the first life of the gateway had journaled, read from its file while the
    /// second life holds the lock.
    pub async fn last_position(&self, at_most: u64) -> u64 {
        let copy = tempfile::tempdir().unwrap();
        let from = self.folders[0].path().join("outbound.log");
        std::fs::copy(from, copy.path().join("outbound.log")).unwrap();
        journal(Role::Initiator, copy.path())
            .last_position()
            .min(at_most)
    }
}

/// Writes bytes, then reads until the peer closes.
pub async fn say(mut stream: TcpStream, bytes: &[u8]) -> String {
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    let _ = read.expect("the peer closes");
    String::from_utf8_lossy(&answer).into_owned()
}

pub fn logon(sender: &str, target: &str) -> Vec<u8> {
    use squareoff_fix::encode::{Body, Header, Identity, frame};
    let identity = Identity {
        begin_string: "FIX.4.4".to_owned(),
        sender: sender.to_owned(),
        target: target.to_owned(),
    };
    let mut body = Body::new();
    body.count(98, 0).count(108, 30);
    let header = Header {
        kind: b"A",
        seq: 1,
        sending_time: Timestamp::now(),
        ..Header::default()
    };
    frame(&identity, &header, &body.finish().unwrap()).to_vec()
}
