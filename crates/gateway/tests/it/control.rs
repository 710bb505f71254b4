//! The venue's control: orders held for approval, trades taken back and corrected.

use crate::desk::find;
use crate::replaces::acknowledged_order;
use crate::rig::Rig;
use crate::venue::{canceled, report};
use squareoff_domain::position::OrderStatus;
use squareoff_domain::{Price, Side};
use squareoff_fix::message::{ExecType, ExecutionReport, NewOrderSingle};
use squareoff_fix::{LocalMktDate, PriceE4, Timestamp};

fn suspended(order: &NewOrderSingle) -> ExecutionReport {
    ExecutionReport {
        text: Some("quantity freeze".into()),
        ..report(order, ExecType::Suspended, "S1")
    }
}

#[tokio::test]
async fn an_order_held_by_the_venue_is_frozen_until_it_is_approved_or_rejected() {
    for approved in [true, false] {
        let rig = Rig::new().await;
        let key = rig.desk.open("C1", "ALPHA", 100).await;
        let id = rig.desk.order(&key, 50).await;
        let order = rig.venue.until_order(1).await;
        rig.venue.report(suspended(&order));
        rig.desk
            .until_order(&key, &id, "frozen", |order| order.held)
            .await;
        let status = rig.desk.order_status(&key, &id).await;
        assert_eq!(status, OrderStatus::Frozen);
        assert_eq!(rig.desk.position(&key).await.working().units(), 50);
        let after = if approved {
            rig.venue.acknowledge(&order);
            rig.venue.fill(&order, 50);
            vec![
                format!("acknowledged o1 X-{id}"),
                "executed o1 50@97.00".into(),
            ]
        } else {
            rig.venue.report(ExecutionReport {
                ord_rej_reason: Some(99),
                text: Some("control".into()),
                ..report(&order, ExecType::Rejected, "S2")
            });
            vec!["rejected o1 99 control".into()]
        };
        rig.desk
            .until(&key, "done", |p| p.working().is_zero())
            .await;
        let story = rig.desk.story(&key).await;
        assert_eq!(story[4], "frozen o1 quantity freeze");
        assert_eq!(story[5..], after);
        rig.end().await;
    }
}

#[tokio::test]
async fn a_frozen_order_can_be_cancelled() {
    let rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 100).await;
    let id = rig.desk.order(&key, 50).await;
    let order = rig.venue.until_order(1).await;
    rig.venue.report(suspended(&order));
    rig.desk
        .until_order(&key, &id, "frozen", |order| order.held)
        .await;
    rig.desk.cancel(&key, &id).await;
    let cancel = rig.venue.until_cancel(1).await;
    assert_eq!(cancel.order_id, Some(format!("X-{id}")));
    rig.venue.report(canceled(&order, &cancel));
    rig.desk
        .until(&key, "freed", |p| p.working().is_zero())
        .await;
    rig.end().await;
}

/// A report about the trade `of`, on the trading day that the message names.
fn about(order: &NewOrderSingle, kind: ExecType, id: &str, of: &str) -> ExecutionReport {
    ExecutionReport {
        exec_ref_id: Some(of.into()),
        trade_date: LocalMktDate::new(2026, 11, 20),
        transact_time: Some(Timestamp(1_795_000_000_000_000_000)),
        ..report(order, kind, id)
    }
}

#[tokio::test]
async fn a_trade_taken_back_counts_nothing_any_more() {
    let mut rig = Rig::new().await;
    let (key, order, id) = acknowledged_order(&rig).await;
    let fill = rig.book.lock().unwrap().fill(&order, 20);
    rig.venue.report(fill.clone());
    rig.desk.until(&key, "the fill", |p| p.net.0 == 80).await;
    let bust = about(&order, ExecType::TradeCancel, "B1", &fill.exec_id);
    rig.venue.report(bust.clone());
    // Without TradeDate (75) it is of the position's day.
    rig.venue.report(ExecutionReport {
        trade_date: None,
        ..bust
    });
    rig.desk.until(&key, "taken back", |p| p.net.0 == 100).await;
    // It comes again with everything else.
    rig.kill().await;
    rig.forget_inbound_number();
    rig.start().await;
    rig.venue.fill(&order, 5);
    rig.desk.until(&key, "the next", |p| p.net.0 == 95).await;
    let position = rig.desk.position(&key).await;
    assert_eq!(find(&position, &id).1.leaves().units(), 45);
    assert_eq!(
        rig.desk.story(&key).await[5..],
        [
            "executed o1 20@97.00",
            "busted o1 NSE|2026-11-20|E1",
            "executed o1 5@97.00"
        ]
    );
    assert!(rig.desk.held().await.is_empty());
    rig.end().await;
}

#[tokio::test]
async fn a_trade_corrected_counts_as_corrected() {
    let rig = Rig::new().await;
    let (key, order, _) = acknowledged_order(&rig).await;
    rig.venue.fill(&order, 20);
    let correction = |id: &str, of: &str, units, price| ExecutionReport {
        last_qty: Some(units),
        last_px: Some(PriceE4(price)),
        ..about(&order, ExecType::TradeCorrect, id, of)
    };
    rig.venue.report(correction("K1", "E1", 15, 968_000));
    rig.desk.until(&key, "corrected", |p| p.net.0 == 85).await;
    rig.venue.report(correction("K2", "K1", 10, 969_000));
    rig.desk.until(&key, "and again", |p| p.net.0 == 90).await;
    let position = rig.desk.position(&key).await;
    let trade = position.trade(&"NSE|2026-11-20|E1".parse().unwrap());
    assert_eq!(trade.unwrap().price, Price(969_000));
    assert_eq!(
        rig.desk.story(&key).await[5..],
        [
            "executed o1 20@97.00",
            "corrected o1 NSE|2026-11-20|E1 by NSE|2026-11-20|K1 15@96.80",
            "corrected o1 NSE|2026-11-20|K1 by NSE|2026-11-20|K2 10@96.90",
        ]
    );
    rig.end().await;
}

#[tokio::test]
async fn what_takes_back_a_trade_of_nobodys_is_held() {
    let rig = Rig::new().await;
    let (key, order, _) = acknowledged_order(&rig).await;
    for kind in [ExecType::TradeCancel, ExecType::TradeCorrect] {
        rig.venue.report(ExecutionReport {
            cl_ord_id: Some("NOBODYS".into()),
            ..about(&order, kind, "B9", "E9")
        });
    }
    let held = rig.desk.until_held(2).await;
    // There is nothing to book in it.
    assert!(held.iter().all(|held| held.execution.is_none()));
    assert_eq!(rig.desk.position(&key).await.net.0, 100);
    rig.end().await;
}

#[tokio::test]
async fn a_trade_that_fits_nothing_is_held_as_the_trade_that_it_is() {
    let rig = Rig::new().await;
    let (_, order, _) = acknowledged_order(&rig).await;
    rig.venue.report(ExecutionReport {
        cl_ord_id: Some("NOBODYS".into()),
        last_qty: Some(15),
        last_px: Some(PriceE4(968_000)),
        trade_date: LocalMktDate::new(2026, 11, 19),
        ..report(&order, ExecType::Trade, "E77")
    });
    let held = rig.desk.until_held(1).await;
    let trade = held[0].execution.clone().unwrap();
    assert_eq!(trade.execution.as_str(), "NSE|2026-11-19|E77");
    assert_eq!(trade.account.unwrap().as_str(), "C1");
    assert_eq!(trade.symbol.unwrap().as_str(), "ALPHA");
    assert_eq!(
        (trade.side, trade.quantity.units(), trade.price),
        (Side::Sell, 15, Price(968_000))
    );
    rig.end().await;
}
