//! Cancels, and orders that must not go any more.

use crate::desk::find;
use crate::rig::{Rig, until};
use crate::venue::{cancel_reject, canceled, report};
use squareoff_domain::position::OrderStatus;
use squareoff_fix::message::{ExecType, ExecutionReport, OrdStatus, OrderCancelRequest, Side};
use squareoff_fix::{AppMessage, Timestamp};

#[tokio::test]
async fn a_cancel_names_its_order_and_the_answer_ends_it() {
    let rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    let id = rig.desk.order(&key, 50).await;
    let order = rig.venue.until_order(1).await;
    rig.venue.acknowledge(&order);
    rig.venue.fill(&order, 20);
    rig.desk.until(&key, "the fill", |p| p.net.0 == 30).await;
    let cancel_id = rig.desk.cancel(&key, &id).await;
    let cancel = rig.venue.until_cancel(1).await;
    let expected = OrderCancelRequest {
        cl_ord_id: cancel_id.to_string(),
        orig_cl_ord_id: id.to_string(),
        order_id: Some(format!("X-{id}")),
        account: Some("C1".into()),
        symbol: "ALPHA".into(),
        security_exchange: Some("NSE".into()),
        side: Side::Sell,
        order_qty: 50,
        transact_time: Timestamp(1_795_000_000_123_000_000),
    };
    assert_eq!(cancel, expected);
    rig.venue.report(ExecutionReport {
        cum_qty: 20,
        ..canceled(&order, &cancel)
    });
    let ended = |p: &squareoff_domain::position::Position| p.working().is_zero();
    let position = rig.desk.until(&key, "nothing works", ended).await;
    assert_eq!(find(&position, &id).1.status(), OrderStatus::Canceled);
    assert_eq!(position.closable().units(), 30);
    assert_eq!(
        rig.desk.story(&key).await[5..],
        [
            "executed o1 20@97.00",
            "cancel-requested o1.c1",
            "canceled o1 venue"
        ]
    );
    rig.end().await;
}

#[tokio::test]
async fn a_cancel_that_is_refused_leaves_the_order_and_the_next_has_an_id_of_its_own() {
    let rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    let id = rig.desk.order(&key, 50).await;
    let order = rig.venue.until_order(1).await;
    rig.venue.acknowledge(&order);
    rig.desk
        .until_order(&key, &id, "acked", |order| {
            order.exchange_order_id.is_some()
        })
        .await;
    rig.desk.cancel(&key, &id).await;
    let first = rig.venue.until_cancel(1).await;
    let reject = cancel_reject(&first, 0, "too late");
    // Twice: the second says nothing new.
    rig.venue.say(AppMessage::OrderCancelReject(reject.clone()));
    rig.venue.say(AppMessage::OrderCancelReject(reject));
    rig.desk
        .until_order(&key, &id, "works on", |order| !order.cancel_pending())
        .await;
    rig.desk.cancel(&key, &id).await;
    let second = rig.venue.until_cancel(2).await;
    assert_ne!(first.cl_ord_id, second.cl_ord_id);
    // Some venues refuse a cancel with an ExecutionReport: it is still the cancel that is refused.
    rig.venue.report(ExecutionReport {
        cl_ord_id: Some(second.cl_ord_id),
        orig_cl_ord_id: Some(second.orig_cl_ord_id),
        ord_status: OrdStatus::New,
        text: Some("not now".into()),
        ..report(&order, ExecType::Rejected, "R2")
    });
    rig.desk
        .until_order(&key, &id, "works on", |order| {
            !order.cancel_pending() && order.cancels.len() == 2
        })
        .await;
    assert_eq!(
        rig.desk.story(&key).await[5..],
        [
            "cancel-requested o1.c1",
            "cancel-rejected o1.c1 0 too late",
            "cancel-requested o1.c2",
            "cancel-rejected o1.c2 99 not now"
        ]
    );
    assert_eq!(rig.desk.position(&key).await.working().units(), 50);
    rig.end().await;
}

#[tokio::test]
async fn an_order_overtaken_by_its_cancel_is_never_sent() {
    let mut rig = Rig::without_gateway().await;
    rig.line.lead_to(None);
    rig.launch();
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    let first = rig.desk.order(&key, 20).await;
    rig.desk.order(&key, 30).await;
    rig.desk.cancel(&key, &first).await;
    rig.desk
        .until(&key, "freed", |p| p.working().units() == 30)
        .await;
    rig.line.lead_to(Some(rig.venue.address));
    let order = rig.venue.until_order(1).await;
    assert_eq!(order.order_qty, 30);
    rig.venue.fill(&order, 30);
    rig.desk.until(&key, "the fill", |p| p.net.0 == 20).await;
    assert!(rig.book.lock().unwrap().cancels().is_empty());
    assert_eq!(
        rig.desk.story(&key).await[5..],
        [
            "cancel-requested o1.c1",
            "canceled o1 unsent",
            "dispatched o2 #2",
            "executed o2 30@97.00"
        ]
        .map(|line| line.replace("#2", &dispatched_number(&rig)))
    );
    // A gateway that starts again knows it, though its journal has moved on: neither order nor cancel goes.
    rig.kill().await;
    rig.start().await;
    let key = rig.desk.open("C2", "ALPHA", 10).await;
    rig.desk.order(&key, 10).await;
    rig.venue.until_order(2).await;
    assert!(rig.book.lock().unwrap().cancels().is_empty());
    rig.end().await;
}

/// Log-ons that were not answered took numbers before the order.
fn dispatched_number(rig: &Rig) -> String {
    format!("#{}", rig.book.lock().unwrap().processed[0].seq)
}

#[tokio::test]
async fn the_cancel_of_a_dropped_order_stays_here_whenever_the_gateway_starts_again() {
    let mut rig = Rig::without_gateway().await;
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    let first = rig.desk.order(&key, 20).await;
    rig.desk.cancel(&key, &first).await;
    rig.start().await;
    rig.desk
        .until(&key, "freed", |p| p.working().is_zero())
        .await;
    rig.desk.order(&key, 30).await;
    rig.venue.until_order(1).await;
    for lives in 2..4 {
        rig.kill().await;
        rig.start().await;
        rig.desk.order(&key, 5).await;
        rig.venue.until_order(lives).await;
    }
    assert!(rig.book.lock().unwrap().cancels().is_empty());
    rig.end().await;
}

#[tokio::test]
async fn cancelling_thousands_of_waiting_orders_takes_no_time() {
    let mut rig = Rig::without_gateway().await;
    rig.line.lead_to(None);
    rig.launch();
    let mut keys = Vec::new();
    for n in 0..10 {
        let key = rig.desk.open(&format!("C{n}"), "ALPHA", 2_000_000).await;
        assert_eq!(rig.desk.square_off(&key, 2_000_000).await.len(), 200);
        keys.push(key);
    }
    for key in &keys {
        rig.desk.cancel_all(key).await;
    }
    for key in &keys {
        rig.desk
            .until(key, "all dropped", |p| p.working().is_zero())
            .await;
    }
    let story = rig.desk.story(&keys[9]).await;
    let dropped = story.iter().filter(|line| line.ends_with("unsent")).count();
    assert_eq!(dropped, 200);
    rig.line.lead_to(Some(rig.venue.address));
    rig.desk.square_off(&keys[0], 10).await;
    rig.venue.until_order(1).await;
    assert!(rig.book.lock().unwrap().cancels().is_empty());
    rig.end().await;
}

#[tokio::test]
async fn what_was_not_sent_when_the_platform_stands_down_never_is() {
    let mut rig = Rig::without_gateway().await;
    rig.line.lead_to(None);
    rig.launch();
    let sent = rig.desk.open("C0", "ALPHA", 50).await;
    rig.line.lead_to(Some(rig.venue.address));
    let sent_id = rig.desk.order(&sent, 50).await;
    rig.venue.until_order(1).await;
    rig.line.lead_to(None);
    rig.line.cut();
    rig.desk.until_session("down").await;

    let waits = rig.desk.open("C1", "ALPHA", 50).await;
    rig.desk.order(&waits, 50).await;
    rig.desk.stand_down().await;
    rig.desk
        .until(&waits, "dropped", |p| p.working().is_zero())
        .await;
    assert_eq!(
        rig.desk.story(&waits).await.last().unwrap(),
        "canceled o1 unsent"
    );
    // What is on its way lives on, and a cancel always goes.
    rig.desk.cancel(&sent, &sent_id).await;
    rig.line.lead_to(Some(rig.venue.address));
    let cancel = rig.venue.until_cancel(1).await;
    assert_eq!(cancel.orig_cl_ord_id, sent_id.as_str());
    assert_eq!(rig.desk.position(&sent).await.working().units(), 50);
    rig.end().await;
}

#[tokio::test]
async fn yesterdays_unsent_orders_do_not_go_out_today() {
    let mut rig = Rig::without_gateway().await;
    let old = rig.desk.open("C1", "ALPHA", 50).await;
    rig.desk.order(&old, 50).await;
    rig.desk.stand_down().await;
    rig.desk.activate().await;
    let new = rig.desk.open("C2", "ALPHA", 50).await;
    rig.desk.order(&new, 50).await;
    rig.start().await;
    let order = rig.venue.until_order(1).await;
    assert_eq!(order.account.as_deref(), Some("C2"));
    until("the old one is dropped", async || {
        rig.desk.position(&old).await.working().is_zero()
    })
    .await;
    rig.end().await;
}
