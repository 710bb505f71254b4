//! Both ends over real sockets, with journals that outlive them.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use squareoff_fix::{DriverError, Endpoint, OutboundMessage, Role, SessionState, Timestamp, Why};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::ends::*;
use crate::support::{config, message, name};

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

#[tokio::test]
async fn what_an_application_put_off_is_done_though_nothing_comes() {
    let place = Place::new();
    place.gateway.lock().unwrap().due_at = Some(Instant::now() + Duration::from_millis(20));
    let (gateway, exchange, _) = place.start().await;
    gateway
        .until("what is due", |seen| {
            seen.dues == 1 && seen.due_at.is_none()
        })
        .await;
    assert!(gateway.stop().await.seen().received.is_empty());
    exchange.stop().await;
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
