//! Both ends over real sockets, with journals that outlive them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use squareoff_fix::journal::{Journal, Record};
use squareoff_fix::message::{
    ExecType, ExecutionReport, NewOrderSingle, OrdStatus, OrdType, OutboundMessage, Side,
};
use squareoff_fix::session::Inbound;
use squareoff_fix::{
    AppMessage, Application, DriverError, Endpoint, NotRecorded, PriceE4, Registry, Resend, Role,
    SentRecord, SessionState, Timestamp, Why, accept_loop, connect_loop,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::support::{config, message, name};

/// A guard against hanging, far above what a test takes.
const PATIENCE: Duration = Duration::from_secs(15);

/// What an application has seen; shared with the test.
#[derive(Clone, Debug, Default)]
struct Seen {
    received: Vec<(u64, AppMessage)>,
    resent: Vec<String>,
    sent: Vec<SentRecord>,
    states: Vec<SessionState>,
    refuse_records: u32,
    refuse_sent: u32,
    fill_over: bool,
}

#[derive(Clone)]
struct App {
    seen: Arc<Mutex<Seen>>,
    /// Where an exchange answers orders.
    answers: Option<mpsc::UnboundedSender<OutboundMessage>>,
}

impl App {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
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

    async fn state(&mut self, state: SessionState) -> Result<(), NotRecorded> {
        self.seen().states.push(state);
        Ok(())
    }
}

fn order(cl_ord_id: &str) -> AppMessage {
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

fn acknowledgement(order: &NewOrderSingle) -> ExecutionReport {
    ExecutionReport {
        order_id: format!("X-{}", order.cl_ord_id),
        cl_ord_id: Some(order.cl_ord_id.clone()),
        orig_cl_ord_id: None,
        exec_id: format!("E-{}", order.cl_ord_id),
        exec_ref_id: None,
        secondary_exec_id: None,
        exec_type: ExecType::New,
        ord_status: OrdStatus::New,
        ord_rej_reason: None,
        account: order.account.clone(),
        symbol: order.symbol.clone(),
        security_exchange: order.security_exchange.clone(),
        side: order.side,
        order_qty: Some(order.order_qty),
        ord_type: Some(order.ord_type),
        price: order.price,
        time_in_force: None,
        last_qty: None,
        last_px: None,
        leaves_qty: order.order_qty,
        cum_qty: 0,
        avg_px: PriceE4(0),
        transact_time: Some(order.transact_time),
        text: None,
        mass_status_req_id: None,
        ord_status_req_id: None,
        copy: None,
        tot_num_reports: None,
        last_rpt_requested: None,
    }
}

/// One end: its application, its queue, the task that runs it.
struct End {
    app: App,
    queue: mpsc::Sender<OutboundMessage>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), DriverError>>,
}

impl End {
    async fn stop(self) -> App {
        self.stop.send_replace(true);
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended
            .expect("it stops in time")
            .expect("it does not panic")
            .expect("the journal is fine");
        self.app
    }

    /// As a kill would: nothing is said to the peer.
    async fn kill(self) -> App {
        self.task.abort();
        let _ = self.task.await;
        self.app
    }

    async fn send(&self, message: OutboundMessage) {
        self.queue.send(message).await.expect("the endpoint lives");
    }

    async fn until(&self, what: &str, is: impl Fn(&Seen) -> bool) {
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

fn journal(role: Role, folder: &Path) -> Journal {
    let identity = config(role).identity;
    Journal::open(folder, &identity.sender, &identity.target, Timestamp::now())
        .expect("the journal opens")
}

fn app(seen: &Arc<Mutex<Seen>>) -> App {
    App {
        seen: Arc::clone(seen),
        answers: None,
    }
}

fn endpoint(role: Role, folder: &Path, app: App) -> (Endpoint<App>, mpsc::Sender<OutboundMessage>) {
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

fn gateway(folder: &Path, seen: &Arc<Mutex<Seen>>, address: SocketAddr) -> End {
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

fn exchange(folder: &Path, seen: &Arc<Mutex<Seen>>, listener: TcpListener) -> End {
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

struct Place {
    folders: [TempDir; 2],
    gateway: Arc<Mutex<Seen>>,
    exchange: Arc<Mutex<Seen>>,
}

impl Place {
    fn new() -> Place {
        Place {
            folders: [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()],
            gateway: Arc::default(),
            exchange: Arc::default(),
        }
    }

    async fn start(&self) -> (End, End, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let exchange = exchange(self.folders[1].path(), &self.exchange, listener);
        (self.gateway(address), exchange, address)
    }

    fn gateway(&self, address: SocketAddr) -> End {
        gateway(self.folders[0].path(), &self.gateway, address)
    }
}

fn new_order(n: u64) -> OutboundMessage {
    OutboundMessage::new(format!("C{n}"), n, &order(&format!("C{n}"))).unwrap()
}

fn reports(seen: &Seen) -> Vec<String> {
    let report = |message: &AppMessage| match message {
        AppMessage::ExecutionReport(report) => report.cl_ord_id.clone(),
        _ => None,
    };
    seen.received
        .iter()
        .filter_map(|(_, m)| report(m))
        .collect()
}

#[tokio::test]
async fn an_order_is_answered_and_numbers_survive_a_restart_of_both_ends() {
    let place = Place::new();
    for round in 1..=3 {
        let (gateway, exchange, _) = place.start().await;
        gateway.send(new_order(round)).await;
        gateway
            .until("the report", |seen| reports(seen).len() as u64 == round)
            .await;
        gateway
            .until("the log-on", |seen| {
                seen.states.contains(&SessionState::LoggedOn)
            })
            .await;
        let app = gateway.stop().await;
        exchange.stop().await;
        let seen = app.seen().clone();
        assert_eq!(reports(&seen).last(), Some(&format!("C{round}")));
        let sent = seen.sent.last().unwrap();
        assert_eq!(
            (sent.id.as_str(), sent.position),
            (format!("C{round}").as_str(), round)
        );
        let off = seen.states.last().unwrap();
        assert!(
            matches!(off, SessionState::LoggedOff { reason } if reason.contains("shutting down")),
            "{off:?}"
        );
        // Each round is a log-on, an order and a log-out: no number is ever used again.
        let ours = journal(Role::Initiator, place.folders[0].path());
        assert_eq!(
            (ours.last_seq(), ours.next_inbound()),
            (3 * round, 3 * round + 1)
        );
        assert_eq!(ours.last_position(), round);
        let theirs = journal(Role::Acceptor, place.folders[1].path());
        assert_eq!(
            (theirs.last_seq(), theirs.next_inbound()),
            (3 * round, 3 * round + 1)
        );
    }
    assert_eq!(place.exchange.lock().unwrap().received.len(), 3);
}

/// Forwards connections, each of which ends after the next number of bytes towards the exchange.
async fn cutting_proxy(to: SocketAddr, cuts: Vec<usize>) -> SocketAddr {
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

#[tokio::test]
async fn a_connection_cut_in_the_middle_of_messages_loses_nothing() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let cuts = vec![40, 200, 330, 500, 777, 1500];
    let address = cutting_proxy(listener.local_addr().unwrap(), cuts).await;
    let exchange = exchange(place.folders[1].path(), &place.exchange, listener);
    let gateway = place.gateway(address);
    for n in 1..=40 {
        gateway.send(new_order(n)).await;
    }
    gateway
        .until("all reports", |seen| reports(seen).len() == 40)
        .await;
    let all: Vec<_> = (1..=40).map(|n| format!("C{n}")).collect();
    assert_eq!(reports(&place.gateway.lock().unwrap()), all);
    assert!(!place.gateway.lock().unwrap().resent.is_empty());
    assert_eq!(place.exchange.lock().unwrap().received.len(), 40);
    let sent: Vec<_> = place
        .gateway
        .lock()
        .unwrap()
        .sent
        .iter()
        .map(|sent| sent.position)
        .collect();
    assert_eq!(sent, (1..=40).collect::<Vec<u64>>());
    gateway.stop().await;
    exchange.stop().await;
}

#[tokio::test]
async fn either_end_killed_at_any_moment_comes_back_and_nothing_is_lost() {
    let place = Place::new();
    let (mut gateway, mut exchange, _) = place.start().await;
    for round in 0..6_u64 {
        for n in 1..=5 {
            gateway.send(new_order(round * 5 + n)).await;
        }
        // Killed after a different number of orders each time, with the rest on its way.
        let some = round * 5 + round % 5;
        exchange
            .until("some orders", |seen| seen.received.len() as u64 >= some)
            .await;
        if round % 2 == 0 {
            gateway.kill().await;
            exchange.kill().await;
            (gateway, exchange, _) = place.start().await;
            // What had not reached the journal is sent again from the application's log.
            let last = place.last_position(round * 5 + 5).await;
            for n in last + 1..=round * 5 + 5 {
                gateway.send(new_order(n)).await;
            }
        }
        exchange
            .until("all orders of the round", |seen| {
                seen.received.len() as u64 == round * 5 + 5
            })
            .await;
    }
    let orders = place.exchange.lock().unwrap().received.len();
    assert_eq!(orders, 30);
    gateway.stop().await;
    exchange.stop().await;
}

impl Place {
    /// The position up to which the first life of the gateway had journaled, read from its file while the
    /// second life holds the lock.
    async fn last_position(&self, at_most: u64) -> u64 {
        let copy = tempfile::tempdir().unwrap();
        let from = self.folders[0].path().join("outbound.log");
        std::fs::copy(from, copy.path().join("outbound.log")).unwrap();
        journal(Role::Initiator, copy.path())
            .last_position()
            .min(at_most)
    }
}

#[tokio::test]
async fn what_the_application_could_not_record_comes_again() {
    let place = Place::new();
    place.exchange.lock().unwrap().refuse_records = 2;
    place.gateway.lock().unwrap().refuse_sent = 1;
    let (gateway, exchange, _) = place.start().await;
    gateway.send(new_order(1)).await;
    gateway
        .until("the report", |seen| reports(seen).len() == 1)
        .await;
    gateway
        .until("sent is told again", |seen| seen.sent.len() == 1)
        .await;
    exchange.until("it was told why", |seen| {
        seen.states.iter().any(|state| matches!(state, SessionState::LoggedOff { reason } if reason.contains("on fire")))
    }).await;
    assert_eq!(place.exchange.lock().unwrap().received.len(), 1);
    gateway.stop().await;
    exchange.stop().await;
}

#[tokio::test]
async fn a_stale_message_is_filled_over_when_the_application_says_so() {
    let place = Place::new();
    let (gateway, exchange, _) = place.start().await;
    gateway.send(new_order(1)).await;
    gateway
        .until("the report", |seen| reports(seen).len() == 1)
        .await;
    gateway.stop().await;
    exchange.stop().await;
    // The exchange lost its journal's inbound number and its memory: it asks for everything again.
    std::fs::remove_file(place.folders[1].path().join("inbound.num")).unwrap();
    place.exchange.lock().unwrap().received.clear();
    place.gateway.lock().unwrap().fill_over = true;
    let (gateway, exchange, _) = place.start().await;
    gateway
        .until("asked to decide", |seen| seen.resent == ["C1"])
        .await;
    gateway.send(new_order(2)).await;
    gateway
        .until("the second report", |seen| reports(seen).len() == 2)
        .await;
    let orders: Vec<_> = place
        .exchange
        .lock()
        .unwrap()
        .received
        .iter()
        .map(|(seq, _)| *seq)
        .collect();
    assert_eq!(orders, [5]);
    gateway.stop().await;
    exchange.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_ends_sending_at_once_do_not_block_each_other() {
    const EACH: u64 = 3_000;
    let place = Place::new();
    let (gateway, exchange, _) = place.start().await;
    let filler = "x".repeat(90);
    let pour = |queue: mpsc::Sender<OutboundMessage>| {
        let filler = filler.clone();
        tokio::spawn(async move {
            for n in 1..=EACH {
                queue
                    .send(message(&format!("{n}-{filler}"), n))
                    .await
                    .unwrap();
            }
        })
    };
    let pours = [pour(gateway.queue.clone()), pour(exchange.queue.clone())];
    for poured in pours {
        poured.await.unwrap();
    }
    for end in [&gateway, &exchange] {
        end.until("everything", |seen| seen.received.len() as u64 == EACH)
            .await;
        let numbers: Vec<u64> = end
            .app
            .seen()
            .received
            .iter()
            .map(|(_, m)| name(m).split('-').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(numbers, (1..=EACH).collect::<Vec<_>>());
    }
    gateway.stop().await;
    exchange.stop().await;
}

#[tokio::test]
async fn strangers_and_second_connections_are_refused_without_disturbing_anyone() {
    let place = Place::new();
    let (gateway, exchange, address) = place.start().await;
    gateway
        .until("the log-on", |seen| {
            seen.states.contains(&SessionState::LoggedOn)
        })
        .await;
    for (sender, target) in [("GATE", "EXCH"), ("OTHER", "EXCH"), ("GATE", "OTHER")] {
        let stream = TcpStream::connect(address).await.unwrap();
        assert_eq!(
            say(stream, &logon(sender, target)).await,
            "",
            "{sender} -> {target}"
        );
    }
    for garbage in [
        "GET / HTTP/1.1\r\n\r\n8=FIX.4.4\x019=5\x0135=0\x0110=000\x01",
        "8=FIX.4.4\x019=999999\x01",
    ] {
        let stream = TcpStream::connect(address).await.unwrap();
        assert_eq!(say(stream, garbage.as_bytes()).await, "");
    }
    gateway.send(new_order(1)).await;
    gateway
        .until("the report", |seen| reports(seen).len() == 1)
        .await;
    assert_eq!(
        place.gateway.lock().unwrap().states,
        [SessionState::LoggedOn]
    );
    gateway.stop().await;
    exchange.stop().await;
}

#[tokio::test]
async fn connections_that_never_log_on_are_capped() {
    let place = Place::new();
    let (gateway, exchange, address) = place.start().await;
    gateway
        .until("the log-on", |seen| {
            seen.states.contains(&SessionState::LoggedOn)
        })
        .await;
    let mut silent = Vec::new();
    for _ in 0..squareoff_fix::driver::PENDING_CONNECTIONS_MAX {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let one_more = TcpStream::connect(address).await.unwrap();
    assert_eq!(say(one_more, b"").await, "");
    gateway.send(new_order(1)).await;
    gateway
        .until("the report", |seen| reports(seen).len() == 1)
        .await;
    gateway.stop().await;
    exchange.stop().await;
}

/// Writes bytes, then reads until the peer closes.
async fn say(mut stream: TcpStream, bytes: &[u8]) -> String {
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    let _ = read.expect("the peer closes");
    String::from_utf8_lossy(&answer).into_owned()
}

fn logon(sender: &str, target: &str) -> Vec<u8> {
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

#[tokio::test]
async fn a_journal_that_fails_stops_the_session_and_nothing_unjournaled_goes_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut broken = journal(Role::Initiator, folder.path());
    // A batch that was handed out and never came back, as after a failed write.
    drop(broken.prepare(&[]).unwrap());
    let (_queue, outbound) = mpsc::channel(1);
    let app = app(&Arc::default());
    let mut endpoint = Endpoint::new(
        config(Role::Initiator),
        broken,
        outbound,
        app,
        Timestamp::now,
    );
    let (ours, mut theirs) = tokio::io::duplex(4096);
    let (_stop, mut stopping) = watch::channel(false);
    let error = endpoint
        .run(ours, BytesMut::new(), &mut stopping)
        .await
        .unwrap_err();
    assert!(matches!(error, DriverError::Journal(_)), "{error}");
    let mut written = Vec::new();
    theirs.read_to_end(&mut written).await.unwrap();
    assert_eq!(written, []);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_answers_the_logon_is_given_up() {
    /// The paused clock of the runtime.
    fn clock() -> Timestamp {
        thread_local!(static START: tokio::time::Instant = tokio::time::Instant::now());
        let passed = START.with(tokio::time::Instant::elapsed);
        Timestamp(1_777_540_500_000_000_000).plus(passed.as_nanos() as i64)
    }
    let folder = tempfile::tempdir().unwrap();
    let (_queue, outbound) = mpsc::channel(1);
    let ours = journal(Role::Initiator, folder.path());
    let mut endpoint = Endpoint::new(
        config(Role::Initiator),
        ours,
        outbound,
        app(&Arc::default()),
        clock,
    );
    let (ours, _theirs) = tokio::io::duplex(4096);
    let (_stop, mut stopping) = watch::channel(false);
    let ended = endpoint
        .run(ours, BytesMut::new(), &mut stopping)
        .await
        .unwrap();
    assert_eq!(ended.why, Why::Session(squareoff_fix::Reason::NoLogon));
    assert!(!ended.was_logged_on);
}
