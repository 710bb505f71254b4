//! Orders that the primary platform had placed before the outage: shown here, cancelled from here, and their fills counted.

use crate::desk::find;
use crate::rig::Rig;
use crate::venue::{canceled, report};
use squareoff_domain::position::{ExternalOrderObserved, OrderStatus, Report};
use squareoff_domain::{ClOrdId, OrderId, PositionKey, Price, Quantity, Side};
use squareoff_fix::message::{
    ExecType, ExecutionReport, NewOrderSingle, OrdStatus, OrdType, Side as FixSide,
};
use squareoff_fix::{PriceE4, Timestamp};

const NUMBER: &str = "1100000077";

/// An order of the primary's to sell 50, of which 10 have filled before.
async fn observed(rig: &Rig, key: &PositionKey, id: &str) -> ClOrdId {
    let exchange_order_id = NUMBER.parse().unwrap();
    let cl_ord_id: ClOrdId = id.parse().unwrap();
    let order = ExternalOrderObserved {
        order_id: OrderId::of_external(key, &exchange_order_id),
        cl_ord_id: cl_ord_id.clone(),
        exchange_order_id,
        key: key.clone(),
        side: Side::Sell,
        quantity: Quantity::new(50).unwrap(),
        cumulative: Quantity::new(10).unwrap(),
        price: Price(970_000),
        source: "2026-11-20/orders".into(),
    };
    let ended = false;
    rig.desk
        .tell(key, Report::ExternalOrder { order, ended })
        .await;
    cl_ord_id
}

/// The same order as the venue has it.
fn at_venue(id: &ClOrdId) -> NewOrderSingle {
    NewOrderSingle {
        cl_ord_id: id.to_string(),
        account: Some("C1".into()),
        symbol: "ALPHA".into(),
        security_exchange: Some("NSE".into()),
        side: FixSide::Sell,
        order_qty: 50,
        ord_type: OrdType::Limit,
        price: Some(PriceE4(970_000)),
        time_in_force: None,
        transact_time: Timestamp(0),
        text: None,
    }
}

fn fill(id: &ClOrdId, exec_id: &str, units: i64, cum_qty: i64) -> ExecutionReport {
    ExecutionReport {
        order_id: NUMBER.into(),
        last_qty: Some(units),
        last_px: Some(PriceE4(970_000)),
        ord_status: OrdStatus::PartiallyFilled,
        cum_qty,
        leaves_qty: 50 - cum_qty,
        ..report(&at_venue(id), ExecType::Trade, exec_id)
    }
}

#[tokio::test]
async fn an_order_of_the_primary_is_cancelled_by_its_own_ids() {
    let mut rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 100).await;
    let id = observed(&rig, &key, "P77").await;
    let cancel_id = rig.desk.cancel(&key, &id).await;
    let cancel = rig.venue.until_cancel(1).await;
    assert_eq!(cancel.orig_cl_ord_id, "P77");
    assert_eq!(cancel.cl_ord_id, cancel_id.as_str());
    assert_eq!(cancel.order_id.as_deref(), Some(NUMBER));
    assert_eq!((cancel.side, cancel.order_qty), (FixSide::Sell, 50));
    // A fill on the way, under the primary's id, and then the answer, in another life of the gateway.
    rig.venue.report(fill(&id, "E1", 5, 15));
    rig.desk.until(&key, "the fill", |p| p.net.0 == 95).await;
    rig.kill().await;
    rig.start().await;
    rig.venue.report(ExecutionReport {
        order_id: NUMBER.into(),
        cum_qty: 15,
        ..canceled(&at_venue(&id), &cancel)
    });
    rig.desk
        .until(&key, "freed", |p| p.working().is_zero())
        .await;
    let status = find(&rig.desk.position(&key).await, &id).1.status();
    assert_eq!(status, OrderStatus::Canceled);
    assert_eq!(
        rig.desk.story(&key).await,
        [
            "bod 100",
            "external x1 50@97.00",
            "cancel-requested x1.c1",
            "executed x1 5@97.00",
            "canceled x1 venue",
        ]
    );
    rig.venue.until_cancel(1).await;
    assert!(rig.desk.held().await.is_empty());
    rig.end().await;
}

/// The primary numbers its orders as it likes: on two positions alike, or like one of ours.
#[tokio::test]
async fn an_id_of_the_primary_never_stands_for_an_order_of_ours() {
    let rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 100).await;
    let ours = rig.desk.order(&key, 50).await;
    let order = rig.venue.until_order(1).await;
    let other = rig.desk.open("C2", "ALPHA", 100).await;
    observed(&rig, &other, ours.as_str()).await;
    rig.desk.cancel_all(&other).await;
    rig.venue.until_cancel(1).await;
    rig.venue.fill(&order, 50);
    rig.desk.until(&key, "the fill", |p| p.net.0 == 50).await;
    assert_eq!(rig.desk.position(&other).await.net.0, 100);
    rig.end().await;
}

#[tokio::test]
async fn two_positions_may_have_an_order_of_one_id() {
    let rig = Rig::new().await;
    let first = rig.desk.open("C1", "ALPHA", 100).await;
    let second = rig.desk.open("C2", "ALPHA", 100).await;
    let id = observed(&rig, &first, "P77").await;
    observed(&rig, &second, "P77").await;
    rig.desk.cancel(&first, &id).await;
    let cancel = rig.venue.until_cancel(1).await;
    assert_eq!(cancel.account.as_deref(), Some("C1"));
    rig.venue.report(canceled(&at_venue(&id), &cancel));
    rig.desk
        .until(&first, "freed", |p| p.working().is_zero())
        .await;
    assert_eq!(rig.desk.position(&second).await.working().units(), 40);
    rig.end().await;
}
