//! Messages of ours that the venue refuses before they reach its order book (35=3, 35=j), and as duplicates.

use crate::rig::Rig;
use crate::venue::report;
use squareoff_domain::PositionKey;
use squareoff_fix::AppMessage;
use squareoff_fix::message::{
    BusinessMessageReject, BusinessRejectReason, ExecType, ExecutionReport, NewOrderSingle,
    OrdStatus, Reject,
};

fn reject(seq: u64) -> AppMessage {
    AppMessage::Reject(Reject {
        ref_seq_num: seq,
        ref_tag: Some("44".into()),
        ref_kind: Some("D".into()),
        reason: Some(5),
        text: Some("Value is incorrect".into()),
    })
}

fn business_reject(id: Option<&str>, seq: Option<u64>) -> AppMessage {
    AppMessage::BusinessMessageReject(BusinessMessageReject {
        ref_seq_num: seq,
        ref_kind: "D".into(),
        ref_id: id.map(str::to_owned),
        reason: BusinessRejectReason::ApplicationNotAvailable,
        text: Some("closed".into()),
    })
}

async fn with_order() -> (Rig, PositionKey, NewOrderSingle, u64) {
    let rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    rig.desk.order(&key, 50).await;
    let order = rig.venue.until_order(1).await;
    let seq = rig.book.lock().unwrap().processed[0].seq;
    (rig, key, order, seq)
}

async fn is_rejected(rig: &Rig, key: &PositionKey, text: &str) {
    rig.desk
        .until(key, "freed", |p| p.closable().units() == 50)
        .await;
    let story = rig.desk.story(key).await;
    assert_eq!(story[4..], [format!("rejected o1 99 {text}")]);
    assert!(rig.desk.held().await.is_empty());
}

#[tokio::test]
async fn an_order_that_the_session_refuses_is_rejected() {
    let (rig, key, _, seq) = with_order().await;
    rig.venue.say(reject(seq));
    is_rejected(&rig, &key, "Value is incorrect").await;
    rig.end().await;
}

#[tokio::test]
async fn so_is_one_of_an_earlier_life_of_the_gateway() {
    let (mut rig, key, _, seq) = with_order().await;
    rig.kill().await;
    rig.start().await;
    rig.venue.say(reject(seq));
    is_rejected(&rig, &key, "Value is incorrect").await;
    rig.end().await;
}

#[tokio::test]
async fn an_order_that_the_application_refuses_is_rejected_by_id_or_by_number() {
    for way in 0..3 {
        let (rig, key, order, seq) = with_order().await;
        rig.venue.say(match way {
            0 => business_reject(Some(&order.cl_ord_id), None),
            1 => business_reject(None, Some(seq)),
            _ => business_reject(Some("THEIRS"), Some(seq)),
        });
        is_rejected(&rig, &key, "closed").await;
        rig.end().await;
    }
}

#[tokio::test]
async fn a_refused_cancel_leaves_the_order() {
    let (rig, key, order, _) = with_order().await;
    rig.venue.acknowledge(&order);
    let id = order.cl_ord_id.parse().unwrap();
    rig.desk.cancel(&key, &id).await;
    rig.venue.until_cancel(1).await;
    let seq = rig.book.lock().unwrap().processed[1].seq;
    rig.venue.say(reject(seq));
    rig.desk
        .until_order(&key, &id, "answered", |order| !order.cancel_pending())
        .await;
    assert_eq!(rig.desk.position(&key).await.working().units(), 50);
    let story = rig.desk.story(&key).await;
    assert_eq!(
        story.last().unwrap(),
        "cancel-rejected o1.c1 99 Value is incorrect"
    );
    rig.end().await;
}

#[tokio::test]
async fn refusals_that_name_nothing_of_ours_are_held_each() {
    let (mut rig, key, order, _) = with_order().await;
    rig.venue.say(reject(4_711));
    rig.venue.say(reject(1));
    rig.venue.say(business_reject(None, None));
    rig.venue.say(business_reject(Some("THEIRS"), Some(4_711)));
    // Two messages were refused, though in the same words.
    rig.venue.say(business_reject(None, None));
    rig.desk.until_held(5).await;
    rig.kill().await;
    rig.forget_inbound_number();
    rig.start().await;
    rig.venue.fill(&order, 50);
    rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    rig.desk.until_held(5).await;
    rig.end().await;
}

/// Sequence numbers start over, and the second refusal has the number and the words of the first.
#[tokio::test]
async fn the_same_refusal_after_a_reset_of_the_numbers_is_held_again() {
    let mut rig = Rig::new().await;
    for held in 1..=2 {
        rig.venue.say(reject(4_711));
        rig.desk.until_held(held).await;
        rig.stop().await.unwrap();
        // Nothing of ours was ever sent and nothing received: the next log-on resets both sides.
        rig.forget_inbound_number();
        rig.start().await;
    }
    rig.end().await;
}

#[tokio::test]
async fn a_refusal_of_an_acknowledged_order_does_not_end_it() {
    let (rig, key, order, seq) = with_order().await;
    rig.venue.acknowledge(&order);
    let id = order.cl_ord_id.parse().unwrap();
    rig.desk
        .until_order(&key, &id, "acked", |order| {
            order.exchange_order_id.is_some()
        })
        .await;
    // As of a repetition of it that the venue did not like.
    rig.venue.say(reject(seq));
    let held = rig.desk.until_held(1).await;
    assert!(held[0].reason.contains("acknowledged"), "{held:?}");
    assert_eq!(rig.desk.position(&key).await.working().units(), 50);
    rig.end().await;
}

#[tokio::test]
async fn an_order_refused_as_a_duplicate_of_itself_lives() {
    let (rig, key, order, _) = with_order().await;
    rig.venue.report(ExecutionReport {
        order_id: "NONE".into(),
        ord_status: OrdStatus::Rejected,
        ord_rej_reason: Some(6),
        text: Some("duplicate ClOrdID".into()),
        ..report(&order, ExecType::Rejected, "R1")
    });
    let held = rig.desk.until_held(1).await;
    assert!(held[0].reason.contains("duplicate"), "{held:?}");
    assert_eq!(rig.desk.position(&key).await.working().units(), 50);
    rig.venue.fill(&order, 50);
    rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    rig.end().await;
}
