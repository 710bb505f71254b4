//! The program itself: its mistakes said in one sentence, and kill -9 at any moment.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use squareoff_exchange::ledger;
use squareoff_fix::message::ExecType;
use squareoff_fix::{AppMessage, Reset};

use crate::broker::Broker;
use crate::floor::Floor;

const PATIENCE: Duration = Duration::from_secs(120);

fn program(floor: &Floor, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squareoff-exchange"));
    command.args([
        "--listen",
        listen,
        "--sessions",
        "NSE:SQUAREOFF,BSE:SQUAREOFF",
        "--seed",
        "7",
    ]);
    command.args([
        "--no-liquidity",
        "NSE:QUIET",
        "--trade-date",
        "2026-11-20",
        "--exit-with-parent",
    ]);
    command
        .arg("--data")
        .arg(floor.data())
        .arg("--contracts")
        .arg(floor.contracts());
    command
        .arg("--port-file")
        .arg(floor.dir.path().join("address"));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// A started program, killed when the test ends.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(floor: &Floor, listen: &str) -> Running {
    let port_file = floor.dir.path().join("address");
    let _ = std::fs::remove_file(&port_file);
    let mut command = program(floor, listen);
    command.stderr(Stdio::null());
    let child = command.spawn().unwrap();
    let mut running = Running {
        child,
        address: "127.0.0.1:0".parse().unwrap(),
    };
    running.address = poll("the port file", || std::fs::read_to_string(&port_file).ok())
        .parse()
        .unwrap();
    running
}

fn poll<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn refusal(mut command: Command) -> String {
    let Output { status, stderr, .. } = command.output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(!status.success(), "must fail: {stderr}");
    let said: Vec<&str> = stderr
        .lines()
        .filter(|line| line.starts_with("squareoff-exchange: "))
        .collect();
    assert_eq!(said.len(), 1, "one sentence: {stderr}");
    said[0].to_owned()
}

#[test]
fn a_mistake_at_start_is_one_sentence_and_a_failure() {
    let floor = Floor::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let said = refusal(program(&floor, &port));
    assert!(said.contains(&format!("cannot listen on {port}")), "{said}");

    let said = refusal({
        let mut command = program(&floor, "127.0.0.1:0");
        command.args(["--sessions", "MCX:SQUAREOFF"]);
        command
    });
    assert!(
        said.contains("session MCX:SQUAREOFF: contract file")
            && said.contains("nothing for venue MCX"),
        "{said}"
    );

    let said = refusal({
        let mut command = program(&floor, "127.0.0.1:0");
        command.args(["--hours", "CM=09:15-15:30,COM=09:00-23:30"]);
        command
    });
    assert!(
        said.contains("segment: \"COM\" is not at any venue"),
        "{said}"
    );

    for (flag, value, expected) in [
        (
            "--cancel-on-disconnect",
            "NSE:NOBODY",
            "cancel on disconnect: NSE:NOBODY is no session",
        ),
        (
            "--control",
            "0.0.0.0:0",
            "control: 0.0.0.0:0 is not on this machine alone",
        ),
        (
            "--drop-copy",
            "NSE:COPY",
            "drop copy NSE:COPY: no session is of firm NSE:COPY",
        ),
    ] {
        let said = refusal({
            let mut command = program(&floor, "127.0.0.1:0");
            command.args([flag, value]);
            command
        });
        assert_eq!(said, format!("squareoff-exchange: {expected}"));
    }

    let running = start(&floor, "127.0.0.1:0");
    let said = refusal(program(&floor, "127.0.0.1:0"));
    assert!(said.contains("is in use by another exchange"), "{said}");
    drop(running);

    std::fs::remove_file(floor.contracts()).unwrap();
    let said = refusal(program(&floor, "127.0.0.1:0"));
    assert!(
        said.contains("contracts.csv") && said.contains("No such file"),
        "{said}"
    );
}

#[test]
fn it_stops_in_order_when_asked_or_when_its_parent_is_gone() {
    let floor = Floor::new();
    let mut orphaned = start(&floor, "127.0.0.1:0");
    drop(orphaned.child.stdin.take());
    let status = poll("the program to end", || orphaned.child.try_wait().unwrap());
    assert!(status.success());
    for signal in ["-TERM", "-INT"] {
        let mut asked = start(&floor, "127.0.0.1:0");
        let pid = asked.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        let status = poll("the program to end", || asked.child.try_wait().unwrap());
        assert!(status.success(), "{signal}");
    }
}

/// Kills the program again and again while orders and reports stream, and compares what the broker heard with the ledger.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_loses_nothing_and_says_nothing_twice() {
    const ROUNDS: usize = 12;
    const PER_ROUND: usize = 60;
    const ORDERS: usize = ROUNDS * PER_ROUND;
    let floor = Floor::new();
    let mut running = start(&floor, "127.0.0.1:0");
    let address = running.address;
    let mut broker = Broker::dial(floor.dir.path(), "NSE", address);
    let dir = floor.dir.path();
    let mut copy = Broker::dial_with("SQUAREOFF-DC", Reset::WhenFresh, dir, "NSE", address);
    let mut heard = BTreeMap::new();
    let mut done = 0;
    for round in 0..ROUNDS {
        for order in round * PER_ROUND..(round + 1) * PER_ROUND {
            let line = match order % 3 {
                0 => format!("A{order} buy 250 MADE 101"),
                1 => format!("A{order} buy 5 QUIET 95"),
                _ if order % 2 == 0 => format!("X{order} cancel A{}", order - 1),
                _ => format!("X{order} replace A{} buy 10 QUIET 95.05", order - 1),
            };
            broker.say(&line).await;
        }
        // The kill comes while this round's reports do: first with nothing heard of it, then after more and more.
        for _ in 0..round * 7 % 40 {
            take(&broker.receive().await.message, &mut heard, &mut done);
        }
        drop(running);
        while let Some(late) = broker.received() {
            take(&late.message, &mut heard, &mut done);
        }
        running = start(&floor, &address.to_string());
    }
    while done < ORDERS {
        take(&broker.receive().await.message, &mut heard, &mut done);
    }
    let rest = broker.hear_all().await;
    assert!(rest.is_empty(), "{rest:?}");
    broker.hang_up().await;
    let mut copied = BTreeMap::new();
    let executions: BTreeMap<_, _> = heard.iter().filter(|(_, units)| **units > 0).collect();
    while copied.len() < executions.len() {
        take(&copy.receive().await.message, &mut copied, &mut done);
    }
    assert!(
        copied.iter().eq(executions),
        "the drop copy was told every execution, each once"
    );
    copy.hang_up().await;
    drop(running);
    compare(&floor.ledger(), &heard);
    assert_eq!(floor.summary().duplicate_cl_ord_ids, 0);
    assert_eq!(floor.summary().orders_accepted as usize, ORDERS / 3 * 2);
    assert_eq!(floor.summary().replacements as usize, ORDERS / 6);
}

/// Notes an execution report by its ExecID; each may come once. An order is done when filled or canceled; one that
/// rests counts with its acknowledgement, and its cancel or replacement with the report of that.
fn take(message: &AppMessage, heard: &mut BTreeMap<String, i64>, done: &mut usize) {
    let AppMessage::ExecutionReport(report) = message else {
        panic!("{message:?}")
    };
    let before = heard.insert(report.exec_id.clone(), report.last_qty.unwrap_or(0));
    assert_eq!(before, None, "said twice: {report:?}");
    let rests = report.exec_type == ExecType::New && report.symbol == "QUIET";
    let ends = report.exec_type == ExecType::Canceled
        || report.exec_type == ExecType::Replaced
        || (report.exec_type == ExecType::Trade && report.leaves_qty == 0);
    *done += usize::from(rests || ends);
}

fn compare(ledger: &Path, heard: &BTreeMap<String, i64>) {
    let mut expected = BTreeMap::new();
    for fact in ledger::read(ledger).unwrap() {
        let fact = fact.unwrap();
        let units = match fact.happening {
            squareoff_exchange::fact::Happening::Executed { last_units, .. } => last_units,
            _ => 0,
        };
        expected.insert(fact.exec_id(), units);
    }
    assert_eq!(heard, &expected);
}
