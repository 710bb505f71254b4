//! The venue's rate: no more goes than it takes, the urgent first, and less when it says that it is too much.

use crate::rig::Rig;
use crate::venue::{Book, canceled};
use squareoff_domain::ClOrdId;
use squareoff_domain::position::OrderStatus;
use squareoff_fix::message::{BusinessMessageReject, BusinessRejectReason};
use squareoff_fix::{AppMessage, Timestamp};

/// The most messages that were sent in any second, by the gateway's own clock.
fn most_in_a_second(book: &Book) -> usize {
    let at = Vec::from_iter(book.processed.iter().map(|inbound| inbound.sending_time));
    let within = |from: &Timestamp| {
        let until = from.plus(1_000_000_000);
        at.iter().filter(|at| *at >= from && **at < until).count()
    };
    at.iter().map(within).max().unwrap_or_default()
}

#[tokio::test]
async fn a_backlog_leaves_at_the_venues_rate_and_its_cancels_first() {
    let mut rig = Rig::new().await;
    let held = rig.desk.open("C0", "ALPHA", 100).await;
    let working = rig.desk.order(&held, 50).await;
    rig.venue.until_order(1).await;
    rig.stop().await.unwrap();
    rig.message_rate_per_s = 20;
    for n in 1..=3 {
        let key = rig.desk.open(&format!("C{n}"), "ALPHA", 100).await;
        for _ in 0..10 {
            rig.desk.order(&key, 5).await;
        }
    }
    rig.desk.cancel(&held, &working).await;
    rig.start().await;
    let orders = rig.venue.until_orders(31).await;
    {
        let book = rig.book.lock().unwrap();
        // The one that came last was the first to go, and the clients took turns.
        assert_eq!(book.kinds()[1], "F");
        let clients = orders[1..7]
            .iter()
            .map(|order| order.account.clone().unwrap());
        assert_eq!(
            Vec::from_iter(clients),
            ["C1", "C2", "C3", "C1", "C2", "C3"]
        );
        // A session that the machine held up sends what it was given meanwhile: a little more at most.
        let most = most_in_a_second(&book);
        assert!(most <= 2 * 20, "{most} in a second");
    }
    rig.end().await;
}

fn too_many(kind: &str, id: &ClOrdId) -> AppMessage {
    AppMessage::BusinessMessageReject(BusinessMessageReject {
        ref_seq_num: None,
        ref_kind: kind.into(),
        ref_id: Some(id.to_string()),
        reason: BusinessRejectReason::ThrottleLimitExceeded,
        text: Some("throttle limit exceeded".into()),
    })
}

#[tokio::test]
async fn an_order_refused_for_the_rate_has_ended_and_is_not_sent_again() {
    let mut rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 100).await;
    let id = rig.desk.order(&key, 50).await;
    rig.venue.until_order(1).await;
    rig.venue.say(too_many("D", &id));
    rig.desk
        .until(&key, "free again", |p| p.working().is_zero())
        .await;
    let status = rig.desk.order_status(&key, &id).await;
    assert_eq!(status, OrderStatus::Rejected);
    rig.kill().await;
    rig.start().await;
    // Whoever asks again gets an order of another id.
    let again = rig.desk.order(&key, 50).await;
    let orders = rig.venue.until_orders(2).await;
    assert_eq!(orders[1].cl_ord_id, again.as_str());
    rig.end().await;
}

#[tokio::test]
async fn a_cancel_refused_for_the_rate_is_asked_again_under_an_id_of_its_own() {
    let mut rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 100).await;
    let id = rig.desk.order(&key, 50).await;
    let order = rig.venue.until_order(1).await;
    rig.venue.acknowledge(&order);
    rig.desk
        .until_order(&key, &id, "acknowledged", |order| order.acknowledged)
        .await;
    let first = rig.desk.cancel(&key, &id).await;
    rig.venue.until_cancel(1).await;
    rig.venue.say(too_many("F", &first));
    rig.venue.until_cancel(2).await;
    // The second is in the log with the refusal of the first: another life has nothing to make up for.
    rig.kill().await;
    rig.start().await;
    let second = rig.venue.until_cancel(2).await;
    assert_ne!(second.cl_ord_id, first.as_str());
    rig.venue.report(canceled(&order, &second));
    rig.desk
        .until(&key, "free again", |p| p.working().is_zero())
        .await;
    let story = rig.desk.story(&key).await;
    assert_eq!(
        story[story.len() - 4..],
        [
            "cancel-requested o1.c1",
            "cancel-rejected o1.c1 99 throttle limit exceeded",
            "cancel-requested o1.c2",
            "canceled o1 venue",
        ]
    );
    rig.end().await;
}
