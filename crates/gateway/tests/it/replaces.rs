//! Replaces of a price or quantity: what goes out, what comes back, and what crosses on the way.

use crate::desk::find;
use crate::rig::Rig;
use crate::venue::{cancel_reject, canceled, replace_reject, replaced, report};
use squareoff_domain::position::{Change, OrderStatus, Position};
use squareoff_domain::{ClOrdId, PositionKey, Price};
use squareoff_fix::AppMessage;
use squareoff_fix::message::{
    ExecType, ExecutionReport, NewOrderSingle, OrdType, OrderCancelReplaceRequest, Side,
    TimeInForce,
};
use squareoff_fix::{PriceE4, Timestamp};

pub const CHEAPER: Change = Change {
    price: Some(Price(965_000)),
    quantity: None,
};

pub fn down_to(units: u64) -> Change {
    Change {
        price: None,
        quantity: Some(units),
    }
}

pub async fn acknowledged_order(rig: &Rig) -> (PositionKey, NewOrderSingle, ClOrdId) {
    let key = rig.desk.open("C1", "ALPHA", 100).await;
    let id = rig.desk.order(&key, 50).await;
    let order = rig.venue.until_order(1).await;
    rig.venue.acknowledge(&order);
    rig.desk
        .until_order(&key, &id, "acknowledged", |order| order.acknowledged)
        .await;
    (key, order, id)
}

fn answered(id: &ClOrdId) -> impl Fn(&Position) -> bool {
    move |position| !find(position, id).1.replace_pending()
}

#[tokio::test]
async fn a_replace_names_its_order_and_the_answer_changes_it() {
    let rig = Rig::new().await;
    let (key, order, id) = acknowledged_order(&rig).await;
    let first = rig.desk.modify(&key, &id, CHEAPER).await;
    let replace = rig.venue.until_replace(1).await;
    let expected = OrderCancelReplaceRequest {
        cl_ord_id: first.to_string(),
        orig_cl_ord_id: id.to_string(),
        order_id: Some(format!("X-{id}")),
        account: Some("C1".into()),
        symbol: "ALPHA".into(),
        security_exchange: Some("NSE".into()),
        side: Side::Sell,
        order_qty: 50,
        ord_type: OrdType::Limit,
        price: Some(PriceE4(965_000)),
        time_in_force: Some(TimeInForce::Day),
        transact_time: Timestamp(1_795_000_000_123_000_000),
    };
    assert_eq!(replace, expected);
    rig.venue.report(ExecutionReport {
        exec_type: ExecType::PendingReplace,
        ..replaced(&order, &replace, 0)
    });
    rig.venue.report(replaced(&order, &replace, 0));
    rig.desk.until(&key, "replaced", answered(&id)).await;
    // The next goes by the id of the one before, and so does the cancel.
    let second = rig.desk.modify(&key, &id, down_to(30)).await;
    let replace = rig.venue.until_replace(2).await;
    assert_eq!(replace.orig_cl_ord_id, first.as_str());
    assert_eq!(
        (replace.cl_ord_id.as_str(), replace.order_qty),
        (second.as_str(), 30)
    );
    rig.venue.report(replaced(&order, &replace, 0));
    rig.desk.until(&key, "replaced", answered(&id)).await;
    assert_eq!(rig.desk.position(&key).await.working().units(), 30);
    rig.desk.cancel(&key, &id).await;
    let cancel = rig.venue.until_cancel(1).await;
    assert_eq!(cancel.orig_cl_ord_id, second.as_str());
    rig.venue.report(canceled(&order, &cancel));
    rig.desk
        .until(&key, "freed", |p| p.working().is_zero())
        .await;
    assert_eq!(
        rig.desk.story(&key).await[5..],
        [
            "replace-requested o1.r1 50@96.50",
            "replaced o1.r1 50@96.50",
            "replace-requested o1.r2 30@96.50",
            "replaced o1.r2 30@96.50",
            "cancel-requested o1.c1",
            "canceled o1 venue",
        ]
    );
    assert!(rig.desk.held().await.is_empty());
    rig.end().await;
}

#[tokio::test]
async fn a_replace_that_the_venue_refuses_leaves_the_order_as_it_was() {
    for by_report in [false, true] {
        let rig = Rig::new().await;
        let (key, order, id) = acknowledged_order(&rig).await;
        rig.desk.modify(&key, &id, down_to(30)).await;
        let replace = rig.venue.until_replace(1).await;
        if by_report {
            rig.venue.report(ExecutionReport {
                cl_ord_id: Some(replace.cl_ord_id),
                orig_cl_ord_id: Some(replace.orig_cl_ord_id),
                ord_rej_reason: Some(3),
                text: Some("no".into()),
                ..report(&order, ExecType::Rejected, "R1")
            });
        } else {
            let reject = replace_reject(&replace, 3, "no");
            rig.venue.say(AppMessage::OrderCancelReject(reject));
        }
        rig.desk.until(&key, "answered", answered(&id)).await;
        let position = rig.desk.position(&key).await;
        assert_eq!(position.working().units(), 50);
        assert_eq!(find(&position, &id).1.status(), OrderStatus::New);
        let story = rig.desk.story(&key).await;
        assert_eq!(story.last().unwrap(), "replace-rejected o1.r1 3 no");
        rig.end().await;
    }
}

/// A venue reports under the old id, under the new one, or both, until it is done with the replace.
#[tokio::test]
async fn fills_during_a_pending_replace_come_under_the_old_id_or_the_new() {
    let rig = Rig::new().await;
    let (key, order, id) = acknowledged_order(&rig).await;
    rig.desk.modify(&key, &id, CHEAPER).await;
    let replace = rig.venue.until_replace(1).await;
    rig.venue.fill(&order, 10);
    let under_the_new = |fill: ExecutionReport| ExecutionReport {
        cl_ord_id: Some(replace.cl_ord_id.clone()),
        orig_cl_ord_id: Some(replace.orig_cl_ord_id.clone()),
        ..fill
    };
    let fill = rig.book.lock().unwrap().fill(&order, 5);
    rig.venue.report(under_the_new(fill));
    rig.venue.report(replaced(&order, &replace, 15));
    let fill = rig.book.lock().unwrap().fill(&order, 20);
    rig.venue.report(under_the_new(fill));
    rig.venue.fill(&order, 15);
    rig.desk.until(&key, "filled", |p| p.net.0 == 50).await;
    assert_eq!(rig.desk.order_status(&key, &id).await, OrderStatus::Filled);
    assert_eq!(
        rig.desk.story(&key).await[6..],
        [
            "executed o1 10@97.00",
            "executed o1 5@97.00",
            "replaced o1.r1 50@96.50",
            "executed o1 20@97.00",
            "executed o1 15@97.00",
        ]
    );
    assert!(rig.desk.held().await.is_empty());
    rig.end().await;
}

#[tokio::test]
async fn a_replace_overtaken_by_the_full_fill_comes_too_late() {
    let rig = Rig::new().await;
    let (key, order, id) = acknowledged_order(&rig).await;
    rig.desk.modify(&key, &id, CHEAPER).await;
    let replace = rig.venue.until_replace(1).await;
    rig.venue.fill(&order, 50);
    let reject = replace_reject(&replace, 0, "too late");
    rig.venue.say(AppMessage::OrderCancelReject(reject));
    let told = "replace-rejected o1.r1 0 too late".to_owned();
    crate::rig::until("the reject is in the log", async || {
        rig.desk.story(&key).await.contains(&told)
    })
    .await;
    assert_eq!(rig.desk.order_status(&key, &id).await, OrderStatus::Filled);
    assert!(rig.desk.held().await.is_empty());
    rig.end().await;
}

#[tokio::test]
async fn a_replace_below_what_has_filled_ends_the_order_there() {
    let rig = Rig::new().await;
    let (key, order, id) = acknowledged_order(&rig).await;
    rig.desk.modify(&key, &id, down_to(20)).await;
    let replace = rig.venue.until_replace(1).await;
    rig.venue.fill(&order, 30);
    // The venue makes of it what has filled.
    rig.venue.report(ExecutionReport {
        order_qty: Some(30),
        ..replaced(&order, &replace, 30)
    });
    rig.desk
        .until(&key, "done", |p| p.working().is_zero())
        .await;
    assert_eq!(rig.desk.order_status(&key, &id).await, OrderStatus::Filled);
    let story = rig.desk.story(&key).await;
    assert_eq!(story.last().unwrap(), "replaced o1.r1 30@97.00");
    rig.end().await;
}

#[tokio::test]
async fn a_cancel_behind_a_replace_goes_when_the_replace_is_answered() {
    for accepted in [true, false] {
        let mut rig = Rig::new().await;
        let (key, order, id) = acknowledged_order(&rig).await;
        let new = rig.desk.modify(&key, &id, CHEAPER).await;
        let replace = rig.venue.until_replace(1).await;
        rig.desk.try_cancel(&key, &id).await;
        assert_eq!(
            rig.desk.story(&key).await.last().unwrap(),
            "cancel-queued o1"
        );
        // Another life goes on from there, and sends the replace no second time.
        rig.kill().await;
        rig.start().await;
        if accepted {
            rig.venue.report(replaced(&order, &replace, 0));
        } else {
            let reject = replace_reject(&replace, 3, "no");
            rig.venue.say(AppMessage::OrderCancelReject(reject));
        }
        let cancel = rig.venue.until_cancel(1).await;
        let goes_by = if accepted { new.as_str() } else { id.as_str() };
        assert_eq!(cancel.orig_cl_ord_id, goes_by);
        rig.venue.report(canceled(&order, &cancel));
        rig.desk
            .until(&key, "freed", |p| p.working().is_zero())
            .await;
        rig.venue.until_replace(1).await;
        rig.end().await;
    }
}

/// The venue was away: the replace had not left yet, and would only be in the way.
#[tokio::test]
async fn a_cancel_overtakes_a_replace_that_still_waits() {
    for killed in [false, true] {
        let mut rig = Rig::new().await;
        let (key, order, id) = acknowledged_order(&rig).await;
        rig.line.lead_to(None);
        rig.line.cut();
        rig.desk.until_session("down").await;
        if killed {
            rig.kill().await;
        }
        rig.desk.modify(&key, &id, CHEAPER).await;
        rig.desk.try_cancel(&key, &id).await;
        if killed {
            rig.launch();
        }
        rig.desk
            .until(&key, "the cancel may go", |p| {
                find(p, &id).1.cancels.len() == 1
            })
            .await;
        rig.line.lead_to(Some(rig.venue.address));
        let cancel = rig.venue.until_cancel(1).await;
        assert_eq!(cancel.orig_cl_ord_id, id.as_str());
        rig.venue.report(canceled(&order, &cancel));
        rig.desk
            .until(&key, "freed", |p| p.working().is_zero())
            .await;
        assert!(rig.book.lock().unwrap().replaces().is_empty());
        assert_eq!(
            rig.desk.story(&key).await[5..],
            [
                "replace-requested o1.r1 50@96.50",
                "cancel-queued o1",
                "replace-not-delivered o1.r1",
                "cancel-requested o1.c1",
                "canceled o1 venue",
            ]
        );
        rig.end().await;
    }
}

#[tokio::test]
async fn replaces_wait_while_the_venue_is_away_and_go_in_their_order() {
    let mut rig = Rig::new().await;
    let (key, order, id) = acknowledged_order(&rig).await;
    rig.line.lead_to(None);
    rig.line.cut();
    rig.desk.until_session("down").await;
    rig.desk.modify(&key, &id, CHEAPER).await;
    rig.desk.order(&key, 10).await;
    rig.kill().await;
    rig.launch();
    rig.line.lead_to(Some(rig.venue.address));
    rig.venue.until_orders(2).await;
    let replace = rig.venue.until_replace(1).await;
    let kinds = rig.book.lock().unwrap().kinds();
    assert_eq!(kinds, ["D", "G", "D"]);
    rig.venue.report(replaced(&order, &replace, 0));
    rig.desk.until(&key, "replaced", answered(&id)).await;
    rig.end().await;
}

#[tokio::test]
async fn what_ends_the_order_takes_its_waiting_replace_along() {
    let rig = Rig::new().await;
    let (key, order, id) = acknowledged_order(&rig).await;
    rig.line.lead_to(None);
    rig.line.cut();
    rig.desk.until_session("down").await;
    rig.desk.modify(&key, &id, CHEAPER).await;
    // What the venue says reaches the log some other way.
    let filled = rig.book.lock().unwrap().fill(&order, 50);
    let key_of = format!("NSE|2026-11-20|{}", filled.exec_id);
    rig.desk.tell_filled(&key, &id, &key_of, 50).await;
    rig.desk.order(&key, 10).await;
    rig.line.lead_to(Some(rig.venue.address));
    rig.venue.until_orders(2).await;
    assert!(rig.book.lock().unwrap().replaces().is_empty());
    rig.end().await;
}

#[tokio::test]
async fn a_change_that_nobody_asked_for_is_held() {
    let rig = Rig::new().await;
    let (key, order, id) = acknowledged_order(&rig).await;
    rig.venue.report(ExecutionReport {
        order_qty: Some(20),
        ..report(&order, ExecType::Restated, "D1")
    });
    rig.desk.until_held(1).await;
    // A venue's own id for it: the order is ours, the change is not.
    rig.venue.report(ExecutionReport {
        cl_ord_id: Some("VENUE7".into()),
        orig_cl_ord_id: Some(order.cl_ord_id.clone()),
        order_qty: Some(20),
        ..report(&order, ExecType::Replaced, "D2")
    });
    let held = rig.desk.until_held(2).await;
    assert!(held.iter().all(|held| held.execution.is_none()));
    // And neither is one that answers a cancel.
    rig.desk.cancel(&key, &id).await;
    let cancel = rig.venue.until_cancel(1).await;
    rig.venue.report(ExecutionReport {
        cl_ord_id: Some(cancel.cl_ord_id.clone()),
        ..report(&order, ExecType::Replaced, "D3")
    });
    rig.desk.until_held(3).await;
    let reject = cancel_reject(&cancel, 0, "no");
    rig.venue.say(AppMessage::OrderCancelReject(reject));
    rig.desk
        .until(&key, "answered", |p| !find(p, &id).1.cancel_pending())
        .await;
    assert_eq!(rig.desk.position(&key).await.working().units(), 50);
    rig.end().await;
}
