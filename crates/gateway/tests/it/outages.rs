//! Floods of reports, and a log that is locked, full or closed while they come: nothing that was not recorded counts as received.

use crate::desk::caller;
use crate::line::TO_GATEWAY;
use crate::reports::with_order;
use crate::rig::until;
use crate::venue::acknowledged;
use squareoff_fix::SessionState;
use squareoff_fix::message::ExecutionReport;
use squareoff_store::{AppendError, EventStore, NewEvent};
use uuid::Uuid;

/// A batch of the session holds what had waited behind a gap: more events than one append of the log takes.
#[tokio::test]
async fn a_flood_of_reports_about_one_position_is_recorded_piece_by_piece() {
    let (rig, key, order) = with_order().await;
    rig.venue.acknowledge(&order);
    rig.desk
        .until_order(&key, &order.cl_ord_id.parse().unwrap(), "acked", |order| {
            order.exchange_order_id.is_some()
        })
        .await;
    rig.line.swallow(TO_GATEWAY, true);
    rig.venue.fill(&order, 50);
    until("the first is lost", async || {
        rig.line.swallowed(TO_GATEWAY) > 0
    })
    .await;
    rig.line.swallow(TO_GATEWAY, false);
    // Each an over-fill: two events at least.
    for _ in 0..700 {
        rig.venue.fill(&order, 5);
    }
    let booked = |p: &squareoff_domain::position::Position| p.executions.len() == 701;
    let position = rig.desk.until(&key, "all fills", booked).await;
    assert_eq!(position.net.0, -700 * 5);
    // The connection was never given up.
    assert_eq!(rig.desk.session().await, ["claimed 1", "ready 1"]);
    rig.end().await;
}

/// The log takes 4 MiB at once; these are more, in one batch.
#[tokio::test]
async fn a_flood_of_large_reports_for_nobody_is_held_piece_by_piece() {
    let (rig, key, order) = with_order().await;
    rig.line.swallow(TO_GATEWAY, true);
    rig.venue.acknowledge(&order);
    until("the first is lost", async || {
        rig.line.swallowed(TO_GATEWAY) > 0
    })
    .await;
    rig.line.swallow(TO_GATEWAY, false);
    for n in 0..60 {
        rig.venue.report(ExecutionReport {
            cl_ord_id: Some(format!("NOBODYS{n}")),
            text: Some("\"".repeat(50_000)),
            ..acknowledged(&order)
        });
    }
    rig.venue.fill(&order, 50);
    rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    rig.desk.until_held(60).await;
    assert_eq!(rig.desk.session().await, ["claimed 1", "ready 1"]);
    rig.end().await;
}

/// The log's queue is full: that passes, and no reason to give the connection up.
#[tokio::test]
async fn a_log_with_a_full_queue_is_asked_again() {
    let (rig, key, order) = with_order().await;
    let dispatched =
        |p: &squareoff_domain::position::Position| p.orders.values().all(|order| order.dispatched);
    rig.desk.until(&key, "dispatched", dispatched).await;
    let file = rig.log.path().join(squareoff_store::embedded::FILE_NAME);
    let locked = rusqlite::Connection::open(file).unwrap();
    locked.execute_batch("begin immediate").unwrap();
    crowd(&rig.store, 100).await;
    rig.venue.fill(&order, 50);
    until("it is on its way", async || {
        rig.book.lock().unwrap().sent.len() == 2
    })
    .await;
    // Longer than it takes to get here.
    crowd(&rig.store, 5_000).await;
    locked.execute_batch("rollback").unwrap();
    rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    assert_eq!(rig.line.dials(), 1);
    rig.end().await;
}

/// Appends, without waiting for answers, until so many were turned away; what was asked for is done all the same.
async fn crowd(store: &EventStore, turned_away: usize) {
    let mut refused = 0;
    while refused < turned_away {
        let asked = store.append("junk", 0, junk());
        tokio::select! {
            biased;
            answer = asked => refused += usize::from(answer == Err(AppendError::Overloaded)),
            () = tokio::task::yield_now() => {}
        }
        tokio::task::yield_now().await;
    }
}

fn junk() -> Vec<NewEvent> {
    let by = caller(Uuid::new_v4(), 0);
    vec![NewEvent {
        id: Uuid::new_v4(),
        // One that the gateway knows and needs nothing of; it would stop at another.
        event_type: "ClientRegistered",
        schema_version: 1,
        occurred_at: by.now,
        actor: by.actor,
        request_id: by.request_id,
        correlation_id: by.correlation_id,
        trace_id: None,
        epoch: 0,
        body: b"{}".to_vec(),
    }]
}

/// A log that stays closed: the connection is given up, and the report comes again on the next.
#[tokio::test]
async fn what_could_not_be_recorded_was_not_received() {
    let (rig, key, order) = with_order().await;
    let file = rig.log.path().join(squareoff_store::embedded::FILE_NAME);
    let locked = rusqlite::Connection::open(file).unwrap();
    locked.execute_batch("begin immediate").unwrap();
    rig.venue.fill(&order, 20);
    until("the gateway gives up", async || {
        let book = rig.book.lock().unwrap();
        matches!(book.states.last(), Some(SessionState::LoggedOff { .. }))
    })
    .await;
    locked.execute_batch("rollback").unwrap();
    rig.venue.fill(&order, 30);
    rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    let lines = rig.desk.session().await;
    assert!(lines[2].contains("not recorded"), "{lines:?}");
    rig.end().await;
}

/// Each commit of the log needs its lock; somebody else holds it for a while.
#[tokio::test]
async fn what_cannot_be_recorded_now_is_recorded_later() {
    let (rig, key, order) = with_order().await;
    let file = rig.log.path().join(squareoff_store::embedded::FILE_NAME);
    let locked = rusqlite::Connection::open(file).unwrap();
    locked.execute_batch("begin immediate").unwrap();
    rig.venue.acknowledge(&order);
    rig.venue.fill(&order, 50);
    until("both are sent", async || {
        rig.book.lock().unwrap().sent.len() == 3
    })
    .await;
    assert_eq!(rig.desk.position(&key).await.net.0, 50);
    locked.execute_batch("rollback").unwrap();
    rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    rig.end().await;
}

#[tokio::test]
async fn a_report_that_was_received_and_not_recorded_comes_again() {
    let (mut rig, key, order) = with_order().await;
    let file = rig.log.path().join(squareoff_store::embedded::FILE_NAME);
    let locked = rusqlite::Connection::open(file).unwrap();
    locked.execute_batch("begin immediate").unwrap();
    rig.venue.acknowledge(&order);
    rig.venue.fill(&order, 20);
    until("both are sent", async || {
        rig.book.lock().unwrap().sent.len() == 3
    })
    .await;
    rig.kill().await;
    locked.execute_batch("rollback").unwrap();
    rig.start().await;
    rig.venue.fill(&order, 30);
    rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    let story = rig.desk.story(&key).await;
    let executed = story.iter().filter(|line| line.starts_with("executed"));
    assert_eq!(executed.count(), 2, "{story:#?}");
    rig.end().await;
}
