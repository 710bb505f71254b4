//! Market control over its socket, as the broker hears of it over FIX.

use std::path::Path;

use serde_json::{Value, json};
use squareoff_exchange::server::Server;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::broker::{Broker, patiently};
use crate::floor::Floor;

/// One connection to the control socket.
struct Desk {
    stream: BufReader<UnixStream>,
}

impl Desk {
    async fn open(data: &Path) -> Self {
        let stream = UnixStream::connect(data.join("control")).await.unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Value {
        self.stream.get_mut().write_all(bytes).await.unwrap();
        let mut line = String::new();
        patiently("an answer", self.stream.read_line(&mut line))
            .await
            .unwrap();
        serde_json::from_str(&line).unwrap()
    }

    async fn ask(&mut self, command: &str) -> Value {
        self.send(format!("{command}\n").as_bytes()).await
    }

    async fn done(&mut self, command: &str) {
        assert_eq!(self.ask(command).await, json!({"ok": true}), "{command}");
    }
}

async fn open(floor: &Floor) -> (Server, Broker, Desk) {
    let server = floor.start().await;
    let broker = Broker::dial(floor.dir.path(), "NSE", server.address());
    let desk = Desk::open(&floor.data()).await;
    (server, broker, desk)
}

async fn close(server: Server, broker: Broker) {
    broker.hang_up().await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_line_that_is_no_command_is_an_error_and_the_next_one_is_served() {
    let floor = Floor::new();
    let (server, broker, mut desk) = open(&floor).await;
    for line in [
        "",
        "closed",
        "{}",
        "[]",
        "null",
        "\"orders\"",
        r#"{"phase"}"#,
        r#"{"phase":{"segment":"CM"}}"#,
        r#"{"phase":{"segment":"CM","to":"lunch"}}"#,
        r#"{"phase":{"segment":"CM","to":"open","until":"noon"}}"#,
        r#"{"phase":{"segment":"CM","to":"open"},"orders":true}"#,
        r#"{"bust":{"exec_id":5}}"#,
        r#"{"correct":{"exec_id":"NSE-1","quantity":1.5,"price":"1"}}"#,
        r#"{"freeze_next":5}"#,
        r#"{"scheduled":{"segment":"CM","to":"open","due":0}}"#,
        r#"{"carry":[]}"#,
        r#"{"orders":true} {"orders":true}"#,
    ] {
        let answer = desk.ask(line).await;
        let error = answer["error"]
            .as_str()
            .unwrap_or_else(|| panic!("{line}: {answer}"));
        assert!(error.starts_with("not a command: "), "{line}: {error}");
    }
    let answer = desk.send(b"\xff\xfe\n").await;
    assert!(answer["error"].is_string(), "{answer}");
    let answer = desk.ask(r#"{"bust":{"exec_id":"NSE-1"}}"#).await;
    assert_eq!(
        answer,
        json!({"error": "exec_id: \"NSE-1\" is not an execution of today"})
    );
    let empty = json!({"ok": true, "total": 0, "orders": []});
    assert_eq!(desk.ask(r#"{"orders":true}"#).await, empty);
    let answer = desk.send(&[b'x'; 4_096]).await;
    assert_eq!(answer, json!({"error": "a line has at most 4096 bytes"}));
    let mut desk = Desk::open(&floor.data()).await;
    assert_eq!(
        desk.ask(r#"{"orders":true}"#).await,
        empty,
        "others are served"
    );
    assert_eq!(floor.summary().facts, 0);
    close(server, broker).await;
    assert!(!floor.data().join("control").exists());
}

#[tokio::test]
async fn a_session_is_told_the_phases_at_its_log_on_and_every_change() {
    let floor = Floor::new();
    let (server, mut broker, mut desk) = open(&floor).await;
    assert_eq!(broker.hear_phases(1).await, ["CM Open"]);
    broker.say("A buy 5 QUIET 100").await;
    assert_eq!(broker.hear(1).await, ["ack A"]);
    desk.done(r#"{"phase":{"segment":"CM","to":"closed"}}"#)
        .await;
    assert_eq!(broker.hear_phases(1).await, ["CM Closed"]);
    assert_eq!(broker.hear(1).await, ["exp A cum 0 leaves 0"]);
    broker.say("B buy 5 QUIET 100").await;
    broker.say("C cancel A").await;
    assert_eq!(broker.hear(2).await, ["rej B 2", "cxlrej C of A 0"]);
    let mut bse = Broker::dial(floor.dir.path(), "BSE", server.address());
    assert_eq!(
        bse.hear_phases(1).await,
        ["CM Closed"],
        "a segment of every venue"
    );
    bse.hang_up().await;
    close(server, broker).await;

    let (server, mut broker, mut desk) = open(&floor).await;
    assert_eq!(
        broker.hear_phases(1).await,
        ["CM Closed"],
        "the ledger knows it"
    );
    desk.done(r#"{"phase":{"segment":"CM","to":"open","venue":"NSE"}}"#)
        .await;
    assert_eq!(broker.hear_phases(1).await, ["CM Open"]);
    broker.say("D buy 5 QUIET 100").await;
    assert_eq!(broker.hear(1).await, ["ack D"]);
    close(server, broker).await;
}

#[tokio::test]
async fn trades_are_busted_and_corrected_and_the_ledger_adds_up() {
    let floor = Floor::new();
    let (server, mut broker, mut desk) = open(&floor).await;
    broker.say("A buy 15 QUIET 100").await;
    broker.say("B sell 10 QUIET 100").await;
    assert_eq!(broker.hear(4).await[2], "fill A 10@100 cum 10 leaves 5");
    let trades = desk.ask(r#"{"trades":true}"#).await;
    assert_eq!(trades["trades"][0]["exec_id"], "NSE-3");
    assert_eq!(trades["trades"][0]["counterpart_exec_id"], "NSE-4");
    desk.done(r#"{"correct":{"exec_id":"NSE-3","quantity":5,"price":"99.95"}}"#)
        .await;
    desk.done(r#"{"bust":{"exec_id":"NSE-3"}}"#).await;
    let expected = [
        "correct A of NSE-3 5@99.95 cum 5 leaves 10",
        "correct B of NSE-4 5@99.95 cum 5 leaves 0",
        "bust A of NSE-3 cum 0 leaves 15",
        "bust B of NSE-4 cum 0 leaves 0",
    ];
    assert_eq!(broker.hear(4).await, expected);
    broker.say("C sell 15 QUIET 100").await;
    assert_eq!(broker.hear(3).await[1], "fill A 15@100 cum 15 leaves 0");
    close(server, broker).await;
    let summary = floor.summary();
    assert_eq!((summary.busts, summary.executions), (2, 4));
    let units = ["A", "B", "C"].map(|id| summary.cum_units[id]);
    assert_eq!(units, [15, 0, 15]);
}

#[tokio::test]
async fn orders_are_frozen_released_replaced_and_ended() {
    let floor = Floor::new();
    let (server, mut broker, mut desk) = open(&floor).await;
    desk.done(r#"{"freeze_next":{"symbol":"QUIET","orders":2}}"#)
        .await;
    broker.say("A buy 15 QUIET 100").await;
    broker.say("B buy 5 QUIET 100").await;
    let frozen = ["frozen A Suspended", "frozen B Suspended"];
    assert_eq!(broker.hear(2).await, frozen);
    close(server, broker).await;

    let (server, mut broker, mut desk) = open(&floor).await;
    let orders = desk.ask(r#"{"orders":true}"#).await;
    assert_eq!(orders["total"], 2);
    let id = |at: usize| {
        orders["orders"][at]["order_id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    desk.done(&format!(
        r#"{{"release":{{"order_id":"{}","accept":true}}}}"#,
        id(0)
    ))
    .await;
    desk.done(&format!(
        r#"{{"release":{{"order_id":"{}","accept":false}}}}"#,
        id(1)
    ))
    .await;
    assert_eq!(broker.hear(2).await, ["ack A", "rej B 99"]);
    broker.say("R replace A buy 10 QUIET 99.95").await;
    broker.say("S replace A buy 7 QUIET 99.95").await;
    broker.say("C sell 5 QUIET 99.95").await;
    broker.say("D cancel R").await;
    let expected = [
        "repl A by R 10@99.95 cum 0 leaves 10",
        "replrej S of R 99",
        "ack C",
        "fill R 5@99.95 cum 5 leaves 5",
        "fill C 5@99.95 cum 5 leaves 0",
        "can R by D",
    ];
    assert_eq!(broker.hear(6).await, expected);
    broker.say("E buy 5 QUIET 95").await;
    broker.say("F buy 5 QUIET 95").await;
    assert_eq!(broker.hear(2).await, ["ack E", "ack F"]);
    let orders = desk.ask(r#"{"orders":true}"#).await;
    let id = |at: usize| {
        orders["orders"][at]["order_id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    desk.done(&format!(r#"{{"expire":{{"order_id":"{}"}}}}"#, id(0)))
        .await;
    desk.done(&format!(r#"{{"cancel":{{"order_id":"{}"}}}}"#, id(1)))
        .await;
    let expected = ["exp E cum 0 leaves 0", "can itself by F"];
    assert_eq!(broker.hear(2).await, expected);
    close(server, broker).await;
}

#[tokio::test]
async fn orders_from_before_the_outage_rest_here_and_are_the_sessions_own() {
    let floor = Floor::new();
    let header = squareoff_exchange::carried::COLUMNS.join(",");
    let row = |id: &str, price: &str| {
        format!(
            "2026-11-20,C00007,NSE,QUIET,MIS,SELL,15,5,{price},{id},11{id},2026-11-20T09:20:00+05:30\n"
        )
    };
    let orders = floor.contracts().with_file_name("orders.csv");
    let rows = [row("EXT1", "100.00"), row("EXT2", "100.05")].concat();
    std::fs::write(&orders, format!("{header}\n{rows}")).unwrap();
    let (server, mut broker, _) = open(&floor).await;
    broker.say("M working").await;
    let standing = [
        "stands EXT1 PartiallyFilled cum 5 leaves 10",
        "stands EXT2 PartiallyFilled cum 5 leaves 10 last",
    ];
    assert_eq!(
        broker.hear(2).await,
        standing,
        "and nothing was told unasked"
    );
    close(server, broker).await;

    let (server, mut broker, mut desk) = open(&floor).await;
    broker.say("A buy 5 QUIET 100").await;
    let expected = [
        "ack A",
        "fill EXT1 5@100 cum 10 leaves 5",
        "fill A 5@100 cum 5 leaves 0",
    ];
    assert_eq!(broker.hear(3).await, expected);
    broker.say("B cancel EXT2").await;
    assert_eq!(broker.hear(1).await, ["can EXT2 by B"]);
    let orders = desk.ask(r#"{"orders":true}"#).await;
    assert_eq!(orders["total"], 1, "a restart carries nothing in twice");
    assert_eq!(orders["orders"][0]["order_id"], "11EXT1");
    assert_eq!(orders["orders"][0]["account"], "C00007");
    close(server, broker).await;
}

#[tokio::test]
async fn an_order_file_that_cannot_be_read_keeps_the_exchange_from_starting() {
    let floor = Floor::new();
    let orders = floor.contracts().with_file_name("orders.csv");
    std::fs::write(orders, "trading_date\n2026-11-20\n").unwrap();
    let refused = Server::start(floor.config()).await.err().unwrap();
    let said = refused.to_string();
    assert!(
        said.contains("orders.csv: the header row has no column client_code"),
        "{said}"
    );
}

#[tokio::test]
async fn session_hours_open_and_close_a_segment() {
    // A day long over, and one that no test sees.
    for (date, phase) in [("2020-01-01", "CM Closed"), ("2199-12-31", "CM PreOpen")] {
        let floor = Floor::new();
        let mut config = floor.config();
        config.trade_date = date.parse().unwrap();
        config.hours = vec!["CM=09:15-15:30".parse().unwrap()];
        let server = Server::start(config).await.unwrap();
        let mut broker = Broker::dial(floor.dir.path(), "NSE", server.address());
        assert_eq!(broker.hear_phases(1).await, [phase]);
        broker.say("A buy 5 QUIET 100").await;
        assert_eq!(broker.hear(1).await, ["rej A 2"]);
        close(server, broker).await;
    }
}
