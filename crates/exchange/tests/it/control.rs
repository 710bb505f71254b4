//! Market control over HTTP, as the broker hears of it over FIX.

use serde_json::json;
use squareoff_exchange::config::Options;
use squareoff_exchange::server::Server;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::broker::{Broker, patiently};
use crate::desk::Desk;
use crate::floor::Floor;

async fn open(floor: &Floor) -> (Server, Broker, Desk) {
    let server = floor.start().await;
    let broker = Broker::dial(floor.dir.path(), "NSE", server.address());
    let desk = Desk::open(&floor.data());
    (server, broker, desk)
}

async fn close(server: Server, broker: Broker) {
    broker.hang_up().await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_no_command_is_one_sentence_and_changes_nothing() {
    let floor = Floor::new();
    let (server, broker, desk) = open(&floor).await;
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
        r#"{"fault":{"kind":"rain"}}"#,
        r#"{"seeded":{"over_fill":-1}}"#,
        r#"{"scheduled":{"segment":"CM","to":"open","due":0}}"#,
        r#"{"carry":[]}"#,
        r#"{"session_dropped":{"session":"NSE:SQUAREOFF","agreed":true}}"#,
        r#"{"orders":true} {"orders":true}"#,
    ] {
        desk.refused(line, 400, "not a command: ").await;
    }
    assert_eq!(desk.send(&b"\xff\xfe"[..]).await.0, 400);
    let answer = desk.send(vec![b'x'; 4_097]).await;
    assert_eq!(
        answer,
        (400, json!({"error": "a command has at most 4096 bytes"}))
    );
    for (command, status, begins) in [
        (
            r#"{"bust":{"exec_id":"NSE-1"}}"#,
            404,
            "exec_id: \"NSE-1\" is not",
        ),
        (
            r#"{"outage":{"segment":"CD"}}"#,
            404,
            "segment: \"CD\" is not",
        ),
        (
            r#"{"disaster":{"venue":"MCX","trades":1}}"#,
            404,
            "venue: \"MCX\"",
        ),
        (
            r#"{"disaster":{"venue":"NSE","trades":1}}"#,
            409,
            "trades: NSE has 0",
        ),
        (r#"{"bust_dropped":true}"#, 409, "trades: none was lost"),
        (
            r#"{"fault":{"kind":"over_fill","times":0}}"#,
            400,
            "times: 0",
        ),
        (
            r#"{"fault":{"kind":"over_fill","symbol":"X"}}"#,
            404,
            "symbol: \"X\"",
        ),
        (r#"{"seeded":{"over_fill":10001}}"#, 400, "seeded: 10001"),
        (
            r#"{"throttle":{"messages_per_second":0}}"#,
            400,
            "messages_per_second: 0",
        ),
        (
            r#"{"throttle":{"session":"NSE:X","messages_per_second":1}}"#,
            404,
            "session: \"NSE:X\"",
        ),
        (
            r#"{"cancel_on_disconnect":{"session":"X","on":true}}"#,
            404,
            "session: \"X\"",
        ),
        (
            r#"{"hold":{"session":"X","held":true}}"#,
            404,
            "session: \"X\" is not here",
        ),
        (
            r#"{"disconnect":{"session":"BSE:SQUAREOFF"}}"#,
            409,
            "session: BSE:SQUAREOFF is not connected",
        ),
        (
            r#"{"replay":{"session":"BSE:SQUAREOFF"}}"#,
            409,
            "session: BSE:SQUAREOFF",
        ),
        (r#"{"clock":{"to":"noon"}}"#, 400, "to: \"noon\" is not"),
        (
            r#"{"clock":{"forward_s":9999999}}"#,
            400,
            "clock: that is more",
        ),
        (
            r#"{"fill":{"order_id":"NSE-O1","quantity":5}}"#,
            404,
            "order_id: \"NSE-O1\"",
        ),
    ] {
        desk.refused(command, status, begins).await;
    }
    assert_eq!(desk.get("/ledger?since=5").await.status().as_u16(), 400);
    assert_eq!(desk.get("/lunch").await.status().as_u16(), 404);
    assert_eq!(desk.get("/control").await.status().as_u16(), 405);
    let empty = json!({"ok": true, "total": 0, "orders": []});
    assert_eq!(desk.read("/orders").await, empty);
    assert_eq!(floor.summary().facts, 0);
    close(server, broker).await;
    for door in ["control", "control.http"] {
        assert!(!floor.data().join(door).exists());
    }
}

#[tokio::test]
async fn a_command_that_is_not_json_is_not_taken() {
    let floor = Floor::new();
    let (server, broker, _) = open(&floor).await;
    let address = std::fs::read_to_string(floor.data().join("control.http")).unwrap();
    let request = reqwest::Client::new().post(format!("http://{address}/control"));
    let answer = request
        .header("content-type", "text/plain")
        .body(r#"{"no_faults":true}"#);
    assert_eq!(answer.send().await.unwrap().status().as_u16(), 400);
    close(server, broker).await;
}

#[tokio::test]
async fn the_socket_takes_the_same_commands_a_line_each() {
    let floor = Floor::new();
    let (server, broker, desk) = open(&floor).await;
    let stream = UnixStream::connect(floor.data().join("control")).await;
    let mut stream = BufReader::new(stream.unwrap());
    let unknown = "exec_id: \"NSE-1\" is not an execution of today";
    for (command, expected) in [
        (
            r#"{"bust":{"exec_id":"NSE-1"}}"#.to_owned(),
            json!({"error": unknown}),
        ),
        (r#"{"orders":true}"#.to_owned(), desk.read("/orders").await),
        (
            r#"{"fault":{"kind":"over_fill"}}"#.to_owned(),
            json!({"ok": true}),
        ),
        (
            "x".repeat(4_096),
            json!({"error": "a line has at most 4096 bytes"}),
        ),
    ] {
        let stream_in = stream.get_mut();
        stream_in.write_all(command.as_bytes()).await.unwrap();
        if command.len() < 4_096 {
            stream_in.write_all(b"\n").await.unwrap();
        }
        let mut line = String::new();
        patiently("an answer", stream.read_line(&mut line))
            .await
            .unwrap();
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&line).unwrap(),
            expected
        );
    }
    close(server, broker).await;
}

#[tokio::test]
async fn control_is_of_this_machine_alone() {
    let floor = Floor::new();
    let options = Options {
        control: "0.0.0.0:0".parse().unwrap(),
        ..Options::default()
    };
    let refused = Server::start_with(floor.config(), options).await;
    let refused = refused.err().unwrap().to_string();
    assert_eq!(refused, "control: 0.0.0.0:0 is not on this machine alone");
}

#[tokio::test]
async fn the_state_and_the_ledger_can_be_read_while_it_runs() {
    let floor = Floor::new();
    let (server, mut broker, desk) = open(&floor).await;
    broker.say("A buy 15 QUIET 100").await;
    broker.say("B sell 5 QUIET 100").await;
    assert_eq!(broker.hear(4).await.len(), 4);
    let state = desk.read("/state").await;
    let counts =
        ["facts", "orders", "orders_working", "executions"].map(|name| &state["state"][name]);
    assert_eq!(counts, [4, 2, 1, 2]);
    assert_eq!(state["state"]["phases"][1]["segment"], "CM");
    let line = state["lines"].as_array().unwrap().iter();
    let up: Vec<_> = line.filter(|line| line["connected"] == true).collect();
    assert_eq!(up[0]["session"], "NSE:SQUAREOFF");
    let text = desk.get("/ledger?after=2").await.text().await.unwrap();
    let file = std::fs::read_to_string(floor.ledger()).unwrap();
    let last: Vec<&str> = file.lines().skip(2).collect();
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        last,
        "line by line as in the file"
    );
    assert_eq!(desk.get("/ledger?after=4").await.text().await.unwrap(), "");
    close(server, broker).await;
}

#[tokio::test]
async fn a_session_is_told_the_phases_at_its_log_on_and_every_change() {
    let floor = Floor::new();
    let (server, mut broker, desk) = open(&floor).await;
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

    let (server, mut broker, desk) = open(&floor).await;
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
    let (server, mut broker, desk) = open(&floor).await;
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
    let (server, mut broker, desk) = open(&floor).await;
    desk.done(r#"{"freeze_next":{"symbol":"QUIET","orders":2}}"#)
        .await;
    broker.say("A buy 15 QUIET 100").await;
    broker.say("B buy 5 QUIET 100").await;
    let frozen = ["frozen A Suspended", "frozen B Suspended"];
    assert_eq!(broker.hear(2).await, frozen);
    close(server, broker).await;

    let (server, mut broker, desk) = open(&floor).await;
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

    let (server, mut broker, desk) = open(&floor).await;
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
