//! QuickFIX on the other end of a real socket that is cut again and again, in both roles: every order is answered once, the race of a
//! fill with a cancel too. Skipped, and said so, where its Python wheel can't be installed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use squareoff_fix::message::{
    CxlRejResponseTo, ExecType, ExecutionReport, NewOrderSingle, OrdStatus, OrderCancelReject,
    OrderCancelRequest,
};
use squareoff_fix::{
    AppMessage, Application, Endpoint, Inbound, NotRecorded, OutboundMessage, PriceE4, Record,
    Registry, Resend, Role, SentRecord, SessionState, Timestamp, accept_loop,
};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::ends::*;
use crate::support::config;

/// Orders of each test; every third is a race of a fill with its cancel.
const ORDERS: u64 = 12;
/// Bytes towards the acceptor before each cut: in the middle of messages, some soon, some late.
const CUTS: [usize; 3] = [700, 900, 1500];

/// The interpreter that has QuickFIX; `None` where it can't be had.
fn python() -> Option<PathBuf> {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/requirements.txt");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fix-peer");
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let python = folder.join("venv/bin/python");
    let wanted = fs::read(&requirements).unwrap();
    let done = folder.join("installed");
    if fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return Some(python);
    }
    let run = |command: &mut Command| command.output().is_ok_and(|done| done.status.success());
    let venv = folder.join("venv");
    let made = run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&venv));
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
    ];
    let installed = made && run(Command::new(&python).args(install).arg(&requirements));
    if !installed {
        println!("1 skipped: QuickFIX can't be installed here");
        return None;
    }
    fs::write(done, wanted).unwrap();
    Some(python)
}

/// QuickFIX in a process of its own; ended when dropped.
struct Peer(Child);

impl Peer {
    fn start(python: &Path, role: &str, port: u16, folder: &Path) -> (Peer, ChildStdout) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/peer.py");
        let mut command = Command::new(python);
        command
            .arg(script)
            .args([role, &port.to_string()])
            .arg(folder);
        command.arg(ORDERS.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = child.stdout.take().unwrap();
        (Peer(child), said)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn new_order_of(n: u64) -> [Option<AppMessage>; 2] {
    let race = n.is_multiple_of(3);
    let symbol = if race { "RACE" } else { "TCS" };
    let AppMessage::NewOrderSingle(order) = order(&format!("Q{n}")) else {
        panic!("an order is one");
    };
    let order = NewOrderSingle {
        symbol: symbol.to_owned(),
        ..order
    };
    let cancel = OrderCancelRequest {
        cl_ord_id: format!("K{n}"),
        orig_cl_ord_id: order.cl_ord_id.clone(),
        order_id: None,
        account: None,
        symbol: order.symbol.clone(),
        security_exchange: None,
        side: order.side,
        order_qty: order.order_qty,
        transact_time: order.transact_time,
    };
    [
        Some(AppMessage::NewOrderSingle(order)),
        race.then_some(AppMessage::OrderCancelRequest(cancel)),
    ]
}

/// How often each thing was said of each order, by id and kind.
fn told<'a>(messages: impl Iterator<Item = &'a AppMessage>) -> BTreeMap<String, usize> {
    let mut told = BTreeMap::new();
    for message in messages {
        let key = match message {
            AppMessage::ExecutionReport(report) => {
                let id = report.cl_ord_id.as_deref().unwrap_or("none");
                format!("{id} {:?}", report.exec_type)
            }
            AppMessage::OrderCancelReject(reject) => format!("{} too late", reject.cl_ord_id),
            other => format!("{other:?}"),
        };
        *told.entry(key).or_default() += 1;
    }
    told
}

fn all_told() -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for n in 1..=ORDERS {
        all.insert(format!("Q{n} New"), 1);
        all.insert(format!("Q{n} Trade"), 1);
        if n.is_multiple_of(3) {
            all.insert(format!("K{n} too late"), 1);
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_initiator_trades_with_quickfix_over_a_line_that_is_cut() {
    let Some(python) = tokio::task::spawn_blocking(python).await.unwrap() else {
        return;
    };
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let theirs = free.local_addr().unwrap();
    drop(free);
    let folder = tempfile::tempdir().unwrap();
    let (_peer, _said) = Peer::start(&python, "acceptor", theirs.port(), folder.path());
    let place = Place::new();
    let gateway = place.gateway(cutting_proxy(theirs, CUTS.to_vec()).await);
    let mut position = 0;
    for message in (1..=ORDERS).flat_map(new_order_of).flatten() {
        position += 1;
        let message = OutboundMessage::new(format!("{position}"), position, &message).unwrap();
        gateway.send(message).await;
    }
    gateway
        .until("every answer once", |seen| {
            told(seen.received.iter().map(|(_, message)| message)) == all_told()
        })
        .await;
    let states = gateway.app.seen().states.clone();
    let log_ons = states
        .iter()
        .filter(|state| **state == SessionState::LoggedOn);
    assert!(log_ons.count() >= 2, "the line was cut: {states:?}");
    gateway.stop().await;
}

/// An exchange as the peer's script is one.
struct Venue {
    answers: mpsc::Sender<OutboundMessage>,
    executions: u64,
    /// The highest number acted on: what comes again is not acted on again.
    acted: u64,
    orders: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Venue {
    fn say(&self, message: &AppMessage) -> Result<(), NotRecorded> {
        let message = OutboundMessage::new("", 0, message).unwrap();
        self.answers
            .try_send(message)
            .map_err(|error| NotRecorded(error.to_string()))
    }

    fn report(&mut self, order: &NewOrderSingle, exec_type: ExecType) -> AppMessage {
        self.executions += 1;
        let filled = exec_type == ExecType::Trade;
        let units = order.order_qty;
        AppMessage::ExecutionReport(Box::new(ExecutionReport {
            exec_id: format!("E{}", self.executions),
            exec_type,
            ord_status: if filled {
                OrdStatus::Filled
            } else {
                OrdStatus::New
            },
            last_qty: filled.then_some(units),
            last_px: filled.then_some(PriceE4(15_000)),
            leaves_qty: if filled { 0 } else { units },
            cum_qty: if filled { units } else { 0 },
            ..acknowledgement(order)
        }))
    }

    fn act(&mut self, message: &AppMessage) -> Result<(), NotRecorded> {
        match message {
            AppMessage::NewOrderSingle(order) => {
                *self
                    .orders
                    .lock()
                    .unwrap()
                    .entry(order.cl_ord_id.clone())
                    .or_default() += 1;
                let accepted = self.report(order, ExecType::New);
                self.say(&accepted)?;
                if order.symbol != "RACE" {
                    let filled = self.report(order, ExecType::Trade);
                    self.say(&filled)?;
                }
            }
            AppMessage::OrderCancelRequest(cancel) => {
                let AppMessage::NewOrderSingle(order) = order(&cancel.orig_cl_ord_id) else {
                    panic!("an order is one");
                };
                let filled = self.report(&order, ExecType::Trade);
                self.say(&filled)?;
                self.say(&AppMessage::OrderCancelReject(OrderCancelReject {
                    order_id: "NONE".to_owned(),
                    cl_ord_id: cancel.cl_ord_id.clone(),
                    orig_cl_ord_id: cancel.orig_cl_ord_id.clone(),
                    ord_status: OrdStatus::Filled,
                    response_to: CxlRejResponseTo::Cancel,
                    reason: Some(0),
                    account: None,
                    transact_time: None,
                    text: None,
                }))?;
            }
            other => panic!("QuickFIX sent {other:?}"),
        }
        Ok(())
    }
}

impl Application for Venue {
    async fn receive(&mut self, batch: Vec<Inbound>) -> Result<(), NotRecorded> {
        for inbound in batch {
            if inbound.seq > self.acted {
                self.act(&inbound.message)?;
                self.acted = inbound.seq;
            }
        }
        Ok(())
    }

    async fn resend(&mut self, records: Vec<Record>) -> Result<Vec<Resend>, NotRecorded> {
        Ok(vec![Resend::Again; records.len()])
    }

    async fn sent(&mut self, _: &[SentRecord]) -> Result<(), NotRecorded> {
        Ok(())
    }

    async fn state(&mut self, _: SessionState) -> Result<(), NotRecorded> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quickfix_trades_with_our_acceptor_over_a_line_that_is_cut() {
    let Some(python) = tokio::task::spawn_blocking(python).await.unwrap() else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ours: SocketAddr = listener.local_addr().unwrap();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (answers, outbound) = mpsc::channel(256);
    let orders = Arc::default();
    let venue = Venue {
        answers,
        executions: 0,
        acted: 0,
        orders: Arc::clone(&orders),
    };
    let journal = journal(Role::Acceptor, folders[0].path());
    let mut registry = Registry::new();
    registry.add(Endpoint::new(
        config(Role::Acceptor),
        journal,
        outbound,
        venue,
        Timestamp::now,
    ));
    let (stop, stopping) = watch::channel(false);
    let accepting = tokio::spawn(accept_loop(listener, registry, stopping));
    let proxy = cutting_proxy(ours, CUTS.to_vec()).await;
    let (peer, said) = Peer::start(&python, "initiator", proxy.port(), folders[1].path());
    let said = tokio::task::spawn_blocking(move || {
        use std::io::BufRead as _;
        let lines = std::io::BufReader::new(said).lines();
        let lines = lines.map_while(Result::ok);
        lines.take_while(|line| line != "done").collect::<Vec<_>>()
    });
    let said = tokio::time::timeout(PATIENCE * 3, said)
        .await
        .expect("QuickFIX gets every answer")
        .unwrap();
    let mut reports = BTreeMap::new();
    for line in said.iter().filter_map(|line| line.strip_prefix("report ")) {
        let words: Vec<_> = line.split(' ').collect();
        let kind = match words[1] {
            "0" => format!("{} New", words[0]),
            "F" => format!("{} Trade", words[0]),
            _ => format!("{} too late", words[0]),
        };
        *reports.entry(kind).or_default() += 1;
    }
    assert_eq!(reports, all_told(), "{said:?}");
    let log_ons = said.iter().filter(|line| *line == "logged on").count();
    assert!(log_ons >= 2, "the line was cut: {said:?}");
    let each_once = (1..=ORDERS).map(|n| (format!("Q{n}"), 1)).collect();
    assert_eq!(*orders.lock().unwrap(), each_once);
    drop(peer);
    stop.send_replace(true);
    accepting.await.unwrap().unwrap();
}
