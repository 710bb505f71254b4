//! The venue asks for messages that it never got.

use crate::desk::find;
use crate::line::TO_VENUE;
use crate::replaces::{CHEAPER, acknowledged_order};
use crate::rig::{Rig, until};
use crate::venue::replaced;
use squareoff_domain::position::{OrderStatus, Position, Report};
use squareoff_domain::{ClOrdId, PositionKey};
use std::time::Duration;

/// A rig whose next messages to the venue are lost.
async fn deaf(resend_age_max: Duration) -> (Rig, PositionKey) {
    let mut rig = Rig::without_gateway().await;
    rig.resend_age_max = resend_age_max;
    rig.start().await;
    let key = rig.desk.open("C1", "ALPHA", 100).await;
    rig.line.swallow(TO_VENUE, true);
    (rig, key)
}

async fn lost(rig: &Rig, key: &PositionKey, id: &ClOrdId) {
    rig.desk
        .until_order(key, id, "journaled", |order| order.dispatched)
        .await;
    until("it is lost", async || rig.line.swallowed(TO_VENUE) > 0).await;
}

fn reconnect(rig: &Rig) {
    rig.line.swallow(TO_VENUE, false);
    rig.line.cut();
}

fn ended_as(id: &ClOrdId, status: OrderStatus) -> impl Fn(&Position) -> bool {
    move |position| find(position, id).1.status() == status
}

#[tokio::test]
async fn a_fresh_order_is_sent_again_under_its_number() {
    let (rig, key) = deaf(Duration::from_secs(60)).await;
    let id = rig.desk.order(&key, 50).await;
    lost(&rig, &key, &id).await;
    reconnect(&rig);
    let order = rig.venue.until_order(1).await;
    assert_eq!(order.cl_ord_id, id.as_str());
    {
        let book = rig.book.lock().unwrap();
        assert!(book.processed[0].poss_dup);
        // Behind the log-on and the question how orders stand.
        assert_eq!(book.processed[0].seq, 3);
    }
    rig.venue.fill(&order, 50);
    rig.desk.until(&key, "the fill", |p| p.net.0 == 50).await;
    rig.end().await;
}

#[tokio::test]
async fn an_old_order_is_recorded_as_not_delivered_and_never_goes() {
    let (mut rig, key) = deaf(Duration::ZERO).await;
    let id = rig.desk.order(&key, 50).await;
    lost(&rig, &key, &id).await;
    reconnect(&rig);
    let position = rig
        .desk
        .until(&key, "known", ended_as(&id, OrderStatus::NotDelivered))
        .await;
    assert_eq!(position.closable().units(), 100);
    // What comes behind it goes, and it does not, in this life or another.
    rig.desk.order(&key, 30).await;
    assert_eq!(rig.venue.until_order(1).await.order_qty, 30);
    rig.kill().await;
    rig.start().await;
    rig.desk.order(&key, 20).await;
    assert_eq!(rig.venue.until_order(2).await.order_qty, 20);
    let story = rig.desk.story(&key).await;
    let told = story.iter().filter(|line| *line == "not-delivered o1");
    assert_eq!(told.count(), 1, "{story:#?}");
    rig.end().await;
}

/// The first message behind the gap is the proof that the gap was filled; the venue acts on it after that.
#[tokio::test]
async fn nothing_is_filled_over_before_it_is_recorded() {
    let (rig, key) = deaf(Duration::ZERO).await;
    let id = rig.desk.order(&key, 50).await;
    lost(&rig, &key, &id).await;
    rig.line.lead_to(None);
    reconnect(&rig);
    rig.desk.until_session("down").await;
    // It waits, and goes as soon as the venue is back: perhaps before the venue asks for what it missed.
    rig.desk.order(&key, 10).await;
    rig.line.lead_to(Some(rig.venue.address));
    assert_eq!(rig.venue.until_order(1).await.order_qty, 10);
    let stream = rig.desk.stream(&key.stream()).await;
    let lost = stream
        .iter()
        .find(|stored| &*stored.event_type == "OrderNotDelivered");
    let recorded_at = lost.expect("it was recorded").recorded_at.0;
    assert!(recorded_at <= rig.book.lock().unwrap().processed_at[0].0);
    rig.end().await;
}

#[tokio::test]
async fn a_late_fill_of_an_order_taken_for_lost_is_booked() {
    let (rig, key) = deaf(Duration::ZERO).await;
    let id = rig.desk.order(&key, 50).await;
    lost(&rig, &key, &id).await;
    reconnect(&rig);
    rig.desk
        .until(&key, "known", ended_as(&id, OrderStatus::NotDelivered))
        .await;
    // It had it after all, and lost its own number.
    rig.desk.order(&key, 10).await;
    let mut order = rig.venue.until_order(1).await;
    order.cl_ord_id = id.to_string();
    order.order_qty = 50;
    rig.venue.fill(&order, 50);
    rig.desk.until(&key, "the fill", |p| p.net.0 == 50).await;
    let story = rig.desk.story(&key).await;
    assert!(
        story.contains(&"executed o1 50@97.00 late".into()),
        "{story:#?}"
    );
    rig.end().await;
}

#[tokio::test]
async fn cancels_are_sent_again_while_fresh_and_recorded_as_lost_when_old() {
    for fresh in [true, false] {
        let age = Duration::from_secs(if fresh { 60 } else { 0 });
        let (rig, key) = deaf(age).await;
        rig.line.swallow(TO_VENUE, false);
        let id = rig.desk.order(&key, 50).await;
        let order = rig.venue.until_order(1).await;
        rig.venue.acknowledge(&order);
        rig.desk
            .until_order(&key, &id, "acked", |order| {
                order.exchange_order_id.is_some()
            })
            .await;
        rig.line.swallow(TO_VENUE, true);
        let cancel_id = rig.desk.cancel(&key, &id).await;
        until("it is lost", async || rig.line.swallowed(TO_VENUE) > 0).await;
        reconnect(&rig);
        if fresh {
            let cancel = rig.venue.until_cancel(1).await;
            assert_eq!(cancel.cl_ord_id, cancel_id.as_str());
            assert!(rig.book.lock().unwrap().processed[1].poss_dup);
        } else {
            rig.desk
                .until_order(&key, &id, "lives on", |order| !order.cancel_pending())
                .await;
            let story = rig.desk.story(&key).await;
            assert_eq!(story.last().unwrap(), "cancel-not-delivered o1.c1");
            assert_eq!(rig.desk.position(&key).await.working().units(), 50);
            // A second one goes, under an id of its own.
            rig.desk.cancel(&key, &id).await;
            rig.venue.until_cancel(1).await;
        }
        rig.end().await;
    }
}

/// Both were lost. To send the order only to cancel it would give it a moment to fill.
#[tokio::test]
async fn an_order_cancelled_before_the_venue_had_it_is_not_sent_again() {
    let (rig, key) = deaf(Duration::from_secs(60)).await;
    let id = rig.desk.order(&key, 50).await;
    lost(&rig, &key, &id).await;
    let before = rig.line.swallowed(TO_VENUE);
    rig.desk.cancel(&key, &id).await;
    until("the cancel is lost", async || {
        rig.line.swallowed(TO_VENUE) > before
    })
    .await;
    reconnect(&rig);
    // Two messages were lost, and each is told by itself.
    until("both are known", async || {
        let story = rig.desk.story(&key).await;
        story
            .iter()
            .any(|line| line == "cancel-not-delivered o1.c1")
    })
    .await;
    rig.desk.order(&key, 10).await;
    assert_eq!(rig.venue.until_order(1).await.order_qty, 10);
    assert!(rig.book.lock().unwrap().cancels().is_empty());
    assert_eq!(
        rig.desk.story(&key).await[4..7],
        [
            "cancel-requested o1.c1",
            "not-delivered o1",
            "cancel-not-delivered o1.c1"
        ]
    );
    rig.end().await;
}

/// The venue acted and then lost its number: it asks for everything. Nothing that it answered is taken for lost, or sent again.
#[tokio::test]
async fn what_the_venue_has_answered_is_filled_over_without_a_word() {
    for age in [Duration::from_secs(60), Duration::ZERO] {
        let mut rig = Rig::without_gateway().await;
        rig.resend_age_max = age;
        rig.start().await;
        let key = rig.desk.open("C1", "ALPHA", 100).await;
        let mut ids = Vec::new();
        for n in 1..=3 {
            ids.push(rig.desk.order(&key, 10).await);
            let order = rig.venue.until_order(n).await;
            match n {
                1 => rig.venue.acknowledge(&order),
                2 => rig.venue.fill(&order, 10),
                _ => rig.venue.report(crate::venue::report(
                    &order,
                    squareoff_fix::message::ExecType::Rejected,
                    "R",
                )),
            }
        }
        rig.desk
            .until(&key, "answered", |p| {
                p.working().units() == 10 && p.net.0 == 90
            })
            .await;
        let story = rig.desk.story(&key).await;
        rig.venue.forget_inbound_number();
        rig.restart_venue().await;
        rig.desk.until_session("ready").await;
        rig.desk.order(&key, 5).await;
        rig.venue.until_order(4).await;
        assert_eq!(rig.desk.story(&key).await[..story.len()], story);
        let again = rig.desk.story(&key).await;
        assert!(!again.iter().any(|line| line.contains("not-delivered")));
        rig.end().await;
    }
}

#[tokio::test]
async fn replaces_are_sent_again_while_fresh_and_recorded_as_lost_when_old() {
    for (fresh, cancelled) in [(true, false), (false, false), (true, true)] {
        let age = Duration::from_secs(if fresh { 60 } else { 0 });
        let mut rig = Rig::without_gateway().await;
        rig.resend_age_max = age;
        rig.start().await;
        let (key, order, id) = acknowledged_order(&rig).await;
        rig.line.swallow(TO_VENUE, true);
        let replace_id = rig.desk.modify(&key, &id, CHEAPER).await;
        until("it is lost", async || rig.line.swallowed(TO_VENUE) > 0).await;
        if cancelled {
            rig.desk.try_cancel(&key, &id).await;
        }
        reconnect(&rig);
        if fresh && !cancelled {
            let replace = rig.venue.until_replace(1).await;
            assert_eq!(replace.cl_ord_id, replace_id.as_str());
            assert!(rig.book.lock().unwrap().processed[1].poss_dup);
            rig.venue.report(replaced(&order, &replace, 0));
            rig.desk
                .until_order(&key, &id, "replaced", |order| !order.replace_pending())
                .await;
        } else if cancelled {
            // The cancel that waited for the answer goes at once.
            let cancel = rig.venue.until_cancel(1).await;
            assert_eq!(cancel.orig_cl_ord_id, id.as_str());
            assert!(rig.book.lock().unwrap().replaces().is_empty());
        } else {
            rig.desk
                .until_order(&key, &id, "as it was", |order| !order.replace_pending())
                .await;
            let story = rig.desk.story(&key).await;
            assert_eq!(story.last().unwrap(), "replace-not-delivered o1.r1");
            // A second one goes, under an id of its own.
            rig.desk.modify(&key, &id, CHEAPER).await;
            let replace = rig.venue.until_replace(1).await;
            assert_ne!(replace.cl_ord_id, replace_id.as_str());
        }
        rig.end().await;
    }
}

/// The cancel of an order that is in doubt goes again like any other.
#[tokio::test]
async fn the_cancel_of_an_order_in_doubt_is_sent_again() {
    let rig = Rig::new().await;
    let (key, _, id) = acknowledged_order(&rig).await;
    let reason = "asked on the phone".into();
    let cl_ord_id = id.clone();
    let doubt = Report::InDoubt { cl_ord_id, reason };
    rig.desk.tell(&key, doubt).await;
    rig.line.swallow(TO_VENUE, true);
    rig.desk.cancel(&key, &id).await;
    until("it is lost", async || rig.line.swallowed(TO_VENUE) > 0).await;
    reconnect(&rig);
    rig.venue.until_cancel(1).await;
    rig.end().await;
}
