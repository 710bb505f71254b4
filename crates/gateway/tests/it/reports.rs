//! Reports that come twice, fit nothing, or can't be.

use crate::rig::Rig;
use crate::venue::{Candour, acknowledged, cancel_reject, report};
use squareoff_fix::message::{ExecType, ExecutionReport, NewOrderSingle, OrderCancelRequest};
use squareoff_fix::{AppMessage, PriceE4};
use std::collections::BTreeSet;

/// A rig with one order of 50 at the venue.
pub async fn with_order() -> (Rig, squareoff_domain::PositionKey, NewOrderSingle) {
    let rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    rig.desk.order(&key, 50).await;
    let order = rig.venue.until_order(1).await;
    (rig, key, order)
}

#[tokio::test]
async fn an_execution_reported_twice_is_booked_once() {
    let (mut rig, key, order) = with_order().await;
    rig.venue.acknowledge(&order);
    let fill = rig.book.lock().unwrap().fill(&order, 20);
    // Under a new number, in the same batch or another.
    rig.venue.report(fill.clone());
    rig.venue.report(fill.clone());
    rig.desk.until(&key, "the fill", |p| p.net.0 == 30).await;
    rig.venue.report(fill);
    rig.venue.acknowledge(&order);
    rig.venue.fill(&order, 10);
    rig.desk.until(&key, "the next", |p| p.net.0 == 20).await;
    let story = rig.desk.story(&key).await;

    // Everything again, under the same numbers with PossDup.
    rig.kill().await;
    rig.forget_inbound_number();
    rig.start().await;
    rig.venue.fill(&order, 20);
    rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    let after = rig.desk.story(&key).await;
    assert_eq!(after[..story.len()], story);
    assert_eq!(after[story.len()..], ["executed o1 20@97.00"]);
    assert!(rig.desk.held().await.is_empty());
    rig.end().await;
}

#[tokio::test]
async fn one_execution_id_for_two_trades_is_a_conflict_that_stays_visible() {
    let (rig, key, order) = with_order().await;
    let fill = rig.book.lock().unwrap().fill(&order, 20);
    rig.venue.report(fill.clone());
    let other = ExecutionReport {
        last_qty: Some(25),
        ..fill
    };
    rig.venue.report(other.clone());
    rig.venue.report(other);
    rig.venue.fill(&order, 5);
    rig.desk.until(&key, "the next", |p| p.net.0 == 25).await;
    assert_eq!(
        rig.desk.story(&key).await[4..],
        [
            "executed o1 20@97.00",
            "conflicted o1 25@97.00",
            "frozen",
            "executed o1 5@97.00"
        ]
    );
    rig.end().await;
}

#[tokio::test]
async fn a_report_for_no_order_of_ours_is_held_once() {
    let (mut rig, key, order) = with_order().await;
    let stray = |id: &str| ExecutionReport {
        cl_ord_id: Some(id.into()),
        ..acknowledged(&order)
    };
    let mut trade = stray("NOBODYS");
    (trade.exec_type, trade.exec_id) = (ExecType::Trade, "E77".into());
    (trade.last_qty, trade.last_px) = (Some(5), Some(PriceE4(970_000)));
    rig.venue.report(trade.clone());
    rig.venue.report(trade.clone());
    let held = rig.desk.until_held(1).await;
    assert!(held[0].report_key.starts_with("E77 "), "{held:#?}");
    assert!(held[0].reason.contains("NOBODYS"));
    for field in ["35=8|", "|17=E77|", "|11=NOBODYS|", "|32=5|", "|31=97|"] {
        let message = format!("|{}", held[0].message);
        assert!(message.contains(field), "{field} in {message}");
    }
    // The same ExecID with another content is another report, and so is one without a ClOrdID.
    rig.venue.report(ExecutionReport {
        last_qty: Some(6),
        ..trade.clone()
    });
    rig.venue.report(ExecutionReport {
        cl_ord_id: None,
        ..trade.clone()
    });
    // An id that can't be one of ours at all.
    rig.venue.report(stray(&"long ".repeat(100)));
    let before = rig.desk.until_held(4).await;

    // It would list the stranger's order as one of ours.
    rig.book.lock().unwrap().candour = Candour::Refusal;
    // All of it again: nothing new. The venue's messages are in the log, so the session goes on.
    rig.kill().await;
    rig.forget_inbound_number();
    rig.start().await;
    rig.venue.fill(&order, 50);
    rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    assert_eq!(rig.desk.held().await, before);
    rig.end().await;
}

#[tokio::test]
async fn an_answer_that_names_only_the_order_finds_it() {
    let (rig, key, order) = with_order().await;
    let id = order.cl_ord_id.parse().unwrap();
    rig.desk.cancel(&key, &id).await;
    let cancel = rig.venue.until_cancel(1).await;
    // A venue's own id where ours should be, ours in OrigClOrdID (41).
    rig.venue.report(ExecutionReport {
        cl_ord_id: Some("VENUE-7".into()),
        orig_cl_ord_id: Some(cancel.orig_cl_ord_id),
        ..report(&order, ExecType::Canceled, "C1")
    });
    rig.desk
        .until(&key, "freed", |p| p.closable().units() == 50)
        .await;
    rig.end().await;
}

#[tokio::test]
async fn what_cannot_be_understood_is_held_and_books_nothing() {
    let (rig, key, order) = with_order().await;
    rig.venue.acknowledge(&order);
    let fill = || ExecutionReport {
        last_qty: Some(20),
        last_px: order.price,
        cum_qty: 20,
        leaves_qty: 30,
        ..report(&order, ExecType::Trade, "T")
    };
    let mut count = 0;
    let mut hold = async |why: &str, report: ExecutionReport| {
        count += 1;
        rig.venue.report(ExecutionReport {
            exec_id: format!("H{count}{}", report.exec_id),
            ..report
        });
        let held = rig.desk.until_held(count).await;
        let reason = &held.last().unwrap().reason;
        assert!(reason.contains(why), "{why}: {reason}");
    };
    for (kind, why) in [
        (ExecType::Stopped, "is not understood"),
        (ExecType::Calculated, "is not understood"),
        (ExecType::Replaced, "was not asked for"),
        (ExecType::Restated, "nobody asked"),
        (ExecType::TradeCancel, "without ExecRefID (19)"),
        (ExecType::TradeCorrect, "without LastQty (32)"),
    ] {
        hold(why, report(&order, kind, "K")).await;
    }
    let correction = ExecutionReport {
        exec_type: ExecType::TradeCorrect,
        ..fill()
    };
    hold("without ExecRefID (19)", correction).await;
    for (field, value) in [
        ("32", -5),
        ("32", 0),
        ("32", i64::MAX),
        ("14", -1),
        ("151", -30),
    ] {
        let mut bad = fill();
        match field {
            "32" => bad.last_qty = Some(value),
            "14" => bad.cum_qty = value,
            _ => bad.leaves_qty = value,
        }
        let why = if value == 0 { "zero units" } else { field };
        hold(why, bad).await;
    }
    let none = ExecutionReport {
        last_qty: None,
        ..fill()
    };
    hold("without LastQty", none).await;
    let none = ExecutionReport {
        last_px: None,
        ..fill()
    };
    hold("without LastPx", none).await;
    let other = ExecutionReport {
        symbol: "BETA".into(),
        ..fill()
    };
    hold("another symbol", other).await;
    let other = ExecutionReport {
        side: squareoff_fix::message::Side::Buy,
        ..fill()
    };
    hold("other side", other).await;
    let long = ExecutionReport {
        exec_id: "x".repeat(200),
        ..fill()
    };
    hold("ExecID (17)", long).await;
    let long = ExecutionReport {
        order_id: "has a space".into(),
        ..fill()
    };
    hold("OrderID (37)", long).await;
    let huge = ExecutionReport {
        text: Some("\"".repeat(50_000)),
        order_id: "has a space".into(),
        ..fill()
    };
    hold("OrderID (37)", huge).await;

    // Held under the order's trading date, and the session goes on.
    let log = rig.desk.log().await;
    let streams: BTreeSet<_> = log
        .iter()
        .filter(|stored| stored.stream.starts_with("suspense-"))
        .map(|stored| stored.stream.to_string())
        .collect();
    assert_eq!(Vec::from_iter(streams), ["suspense-NSE-2026-11-20"]);
    rig.venue.fill(&order, 50);
    rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    assert_eq!(rig.desk.story(&key).await.len(), 6);
    rig.end().await;
}

#[tokio::test]
async fn other_messages_are_held_too() {
    let (rig, key, order) = with_order().await;
    let id = order.cl_ord_id.parse().unwrap();
    rig.venue.say(AppMessage::NewOrderSingle(order.clone()));
    let cancel = OrderCancelRequest {
        cl_ord_id: "STRAY".into(),
        orig_cl_ord_id: order.cl_ord_id.clone(),
        order_id: None,
        account: None,
        symbol: order.symbol.clone(),
        security_exchange: None,
        side: order.side,
        order_qty: 50,
        transact_time: order.transact_time,
    };
    let reject = cancel_reject(&cancel, 0, "no such cancel");
    rig.venue.say(AppMessage::OrderCancelReject(reject.clone()));
    rig.venue.say(AppMessage::OrderCancelReject(reject));
    // It names an order where a cancel should stand.
    let of_order = OrderCancelRequest {
        cl_ord_id: order.cl_ord_id.clone(),
        ..cancel
    };
    rig.venue.say(AppMessage::OrderCancelReject(cancel_reject(
        &of_order, 0, "which",
    )));
    let held = rig.desk.until_held(3).await;
    let mut kinds: Vec<_> = held.iter().map(|held| &held.message[..5]).collect();
    kinds.sort();
    assert_eq!(kinds, ["35=9|", "35=9|", "35=D|"]);
    assert!(
        !crate::desk::find(&rig.desk.position(&key).await, &id)
            .1
            .cancel_pending()
    );
    rig.end().await;
}
