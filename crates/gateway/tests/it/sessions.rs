//! Who holds the session, how it is told, and how the gateway ends.

use crate::desk::{COMP_ID, caller};
use crate::rig::{Rig, until};
use squareoff_domain::session;
use squareoff_domain::{Timestamp, Venue};
use squareoff_fix::{JournalError, SessionState};
use squareoff_gateway::GatewayError;
use squareoff_store::NewEvent;
use uuid::Uuid;

#[tokio::test]
async fn a_session_is_claimed_ready_and_down_in_the_log() {
    let mut rig = Rig::new().await;
    assert_eq!(rig.desk.session().await, ["claimed 1", "ready 1"]);
    rig.line.cut();
    until("it is back", async || rig.desk.session().await.len() == 4).await;
    rig.stop().await.unwrap();
    let lines = rig.desk.session().await;
    assert_eq!(
        lines[3..],
        ["ready 1", "down 1: logged out as asked: shutting down"]
    );
    assert!(lines[2].starts_with("down 1: "), "{lines:?}");
    let said = rig.book.lock().unwrap().states.last().cloned();
    let Some(SessionState::LoggedOff { reason }) = said else {
        panic!("{said:?}")
    };
    assert_eq!(reason, "the peer logged out: shutting down");
    // A kill says nothing; the next life's claim does.
    rig.start().await;
    rig.kill().await;
    rig.start().await;
    let lines = rig.desk.session().await;
    assert_eq!(lines[5..], ["claimed 2", "ready 2", "claimed 3", "ready 3"]);
    rig.end().await;
}

#[tokio::test]
async fn a_gateway_whose_session_is_claimed_by_another_stops() {
    let mut rig = Rig::new().await;
    rig.desk.claim_session().await;
    let ended = rig.take_gateway().ended().await;
    assert!(
        matches!(&ended, Err(GatewayError::Fenced { session }) if session == "NSE-BROKER"),
        "{ended:?}"
    );
    let error = ended.unwrap_err().to_string();
    assert_eq!(error, "another gateway took the session NSE-BROKER over");
    // It has left the venue to the other, in an orderly way, and said nothing more in the log.
    until("it is logged out", async || {
        matches!(
            rig.book.lock().unwrap().states.last(),
            Some(SessionState::LoggedOff { .. })
        )
    })
    .await;
    assert_eq!(
        rig.desk.session().await,
        ["claimed 1", "ready 1", "claimed 2"]
    );
}

#[tokio::test]
async fn so_does_one_that_is_not_connected() {
    let mut rig = Rig::without_gateway().await;
    rig.line.lead_to(None);
    rig.launch();
    until("it dials", async || rig.line.dials() > 0).await;
    rig.desk.claim_session().await;
    let ended = rig.take_gateway().ended().await;
    assert!(
        matches!(ended, Err(GatewayError::Fenced { .. })),
        "{ended:?}"
    );
}

#[tokio::test]
async fn two_gateways_on_one_log_share_no_order() {
    let mut rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 1_000).await;
    for _ in 0..20 {
        rig.desk.order(&key, 10).await;
    }
    // On another machine: a journal of its own, the same log.
    let elsewhere = tempfile::tempdir().unwrap();
    let first = rig.take_gateway();
    rig.venue.until_orders(20).await;
    rig.desk
        .until(&key, "all dispatched", |p| {
            p.orders.values().all(|order| order.dispatched)
        })
        .await;
    rig.journal = elsewhere;
    rig.launch();
    let ended = first.ended().await;
    assert!(
        matches!(ended, Err(GatewayError::Fenced { .. })),
        "{ended:?}"
    );
    rig.desk.until_session("ready 2").await;
    rig.desk.order(&key, 10).await;
    rig.venue.until_orders(21).await;
    rig.end().await;
}

#[tokio::test]
async fn a_second_gateway_on_one_journal_does_not_start() {
    let rig = Rig::new().await;
    let (_stop, stopping) = tokio::sync::watch::channel(false);
    let second = squareoff_gateway::run(rig.config(), rig.store.clone(), stopping).await;
    assert!(
        matches!(
            second,
            Err(GatewayError::Journal(JournalError::InUse { .. }))
        ),
        "{second:?}"
    );
    // And the first is not disturbed by it.
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    rig.desk.order(&key, 50).await;
    rig.venue.until_order(1).await;
    assert_eq!(rig.desk.session().await, ["claimed 1", "ready 1"]);
    rig.end().await;
}

#[tokio::test]
async fn it_stops_when_asked_though_the_venue_is_away() {
    let mut rig = Rig::without_gateway().await;
    rig.line.lead_to(None);
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    rig.desk.order(&key, 50).await;
    rig.launch();
    until("it dials", async || rig.line.dials() > 0).await;
    rig.stop().await.unwrap();
    assert_eq!(rig.desk.session().await, ["claimed 1"]);
}

/// An event of a position as a release after this one might write it.
async fn append_newer(rig: &Rig, stream: &str, version: u64, event_type: &'static str) {
    let by = caller(Uuid::new_v4(), 1);
    let event = NewEvent {
        id: Uuid::new_v4(),
        event_type,
        schema_version: 99,
        occurred_at: Timestamp(0),
        actor: by.actor,
        request_id: by.request_id,
        correlation_id: by.correlation_id,
        trace_id: None,
        epoch: 1,
        body: b"{}".to_vec(),
    };
    rig.store
        .append(stream, version, vec![event])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_log_of_a_newer_release_stops_it_with_a_sentence() {
    for running in [true, false] {
        let mut rig = Rig::without_gateway().await;
        let key = rig.desk.open("C1", "ALPHA", 50).await;
        if running {
            rig.start().await;
        }
        append_newer(&rig, &key.stream(), 1, "OrderPlaced").await;
        if !running {
            rig.launch();
        }
        let ended = rig.take_gateway().ended().await.unwrap_err().to_string();
        assert!(ended.contains("OrderPlaced v99 at position"), "{ended}");
        assert!(ended.ends_with("this release knows v1"), "{ended}");
        // The session does not stand there as ready.
        let lines = rig.desk.session().await;
        assert_eq!(
            lines.last().unwrap().starts_with("down 1"),
            running,
            "{lines:?}"
        );
    }
}

#[tokio::test]
async fn so_does_a_session_event_of_a_newer_release() {
    let mut rig = Rig::new().await;
    let stream = session::stream(Venue::Nse, COMP_ID);
    append_newer(&rig, &stream, 2, "SessionReady").await;
    let ended = rig.take_gateway().ended().await.unwrap_err().to_string();
    assert!(ended.contains("SessionReady v99"), "{ended}");
}

/// A session that can't be recorded as ready is given nothing to send.
#[tokio::test]
async fn a_log_that_takes_nothing_at_log_on_delays_it() {
    let rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    let file = rig.log.path().join(squareoff_store::embedded::FILE_NAME);
    let log_ons = || {
        let book = rig.book.lock().unwrap();
        let log_on = |state: &&SessionState| **state == SessionState::LoggedOn;
        book.states.iter().filter(log_on).count()
    };
    rig.line.lead_to(None);
    rig.line.cut();
    rig.desk.until_session("down").await;
    rig.desk.order(&key, 50).await;
    let locked = rusqlite::Connection::open(file).unwrap();
    locked.execute_batch("begin immediate").unwrap();
    rig.line.lead_to(Some(rig.venue.address));
    until("the venue has it back", async || log_ons() == 2).await;
    assert!(rig.book.lock().unwrap().orders().is_empty());
    locked.execute_batch("rollback").unwrap();
    rig.venue.until_order(1).await;
    assert_eq!(rig.desk.session().await.len(), 4);
    rig.end().await;
}
