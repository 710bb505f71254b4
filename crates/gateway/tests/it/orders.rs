//! An order's way to the venue and what comes back.

use crate::desk::{SLICE, find};
use crate::rig::Rig;
use crate::venue::{self, report};
use squareoff_domain::position::{OrderStatus, TimeInForce};
use squareoff_domain::{PositionKey, Quantity};
use squareoff_fix::message::{ExecType, ExecutionReport, NewOrderSingle, OrdStatus, OrdType, Side};
use squareoff_fix::{AppMessage, PriceE4, Timestamp};

#[tokio::test]
async fn an_order_goes_out_with_every_field_and_its_fills_close_the_position() {
    let rig = Rig::new().await;
    let key = rig.desk.open("C00042", "NIFTY26NOVFUT", 50).await;
    let id = rig.desk.order(&key, 50).await;
    let order = rig.venue.until_order(1).await;
    let expected = NewOrderSingle {
        cl_ord_id: id.to_string(),
        account: Some("C00042".into()),
        symbol: "NIFTY26NOVFUT".into(),
        security_exchange: Some("NSE".into()),
        side: Side::Sell,
        order_qty: 50,
        ord_type: OrdType::Limit,
        price: Some(PriceE4(970_000)),
        time_in_force: Some(squareoff_fix::message::TimeInForce::Day),
        // When it was decided, not when it was sent.
        transact_time: Timestamp(1_795_000_000_123_000_000),
        text: None,
    };
    assert_eq!(order, expected);

    rig.venue.acknowledge(&order);
    rig.venue.fill(&order, 20);
    rig.venue.fill(&order, 30);
    let position = rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    assert_eq!(find(&position, &id).1.status(), OrderStatus::Filled);
    assert_eq!(position.working(), Quantity::ZERO);
    let story = [
        "bod 50",
        "accepted 50",
        "placed o1 sell 50@97.00",
        "dispatched o1 #3",
        &format!("acknowledged o1 X-{id}"),
        "executed o1 20@97.00",
        "executed o1 30@97.00",
    ];
    assert_eq!(rig.desk.story(&key).await, story);
    rig.end().await;
}

#[tokio::test]
async fn a_short_position_is_bought_back() {
    let rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", -15).await;
    rig.desk.order(&key, 15).await;
    let order = rig.venue.until_order(1).await;
    assert_eq!(
        (order.side, order.order_qty, order.price),
        (Side::Buy, 15, Some(PriceE4(1_030_000)))
    );
    rig.venue.fill(&order, 15);
    rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    rig.end().await;
}

#[tokio::test]
async fn events_name_the_request_that_their_order_came_from() {
    let rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    for _ in 0..2 {
        rig.desk.order(&key, 25).await;
    }
    let orders = rig.venue.until_orders(2).await;
    // In one batch or in several: an append is about one request.
    for order in [&orders[0], &orders[1], &orders[0], &orders[1]] {
        rig.venue.fill(order, 10);
    }
    rig.desk
        .until(&key, "all fills", |p| p.executions.len() == 4)
        .await;
    let position = rig.desk.position(&key).await;
    let mut executed = 0;
    for stored in rig.desk.stream(&key.stream()).await {
        let body: String = String::from_utf8(stored.body).unwrap();
        for (id, order) in &position.orders {
            if &*stored.event_type == "Executed" && body.contains(&id.to_string()) {
                let asked = position
                    .requests
                    .iter()
                    .find(|(_, asked)| format!("{asked:?}").contains(&id.to_string()));
                assert_eq!(stored.correlation_id, asked.unwrap().0.0, "{order:?}");
                assert_eq!((stored.epoch, &*stored.actor), (1, "gateway:NSE-BROKER"));
                executed += 1;
            }
        }
    }
    assert_eq!(executed, 4);
    rig.end().await;
}

#[tokio::test]
async fn a_rejected_order_frees_what_it_reserved() {
    let rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    rig.desk.order(&key, 50).await;
    let order = rig.venue.until_order(1).await;
    rig.venue.report(ExecutionReport {
        order_id: "NONE".into(),
        ord_status: OrdStatus::Rejected,
        ord_rej_reason: Some(3),
        text: Some("price out of range".into()),
        ..report(&order, ExecType::Rejected, "R1")
    });
    rig.desk
        .until(&key, "freed", |p| p.closable().units() == 50)
        .await;
    let story = rig.desk.story(&key).await;
    assert_eq!(story.last().unwrap(), "rejected o1 3 price out of range");
    rig.end().await;
}

#[tokio::test]
async fn the_rest_of_an_immediate_order_is_canceled() {
    for ends_with in [ExecType::Canceled, ExecType::Expired, ExecType::DoneForDay] {
        let rig = Rig::new().await;
        let key = rig.desk.open("C1", "ALPHA", 50).await;
        let ioc = TimeInForce::ImmediateOrCancel;
        rig.desk.square_off_as(&key, 50, ioc).await;
        let order = rig.venue.until_order(1).await;
        let wire = Some(squareoff_fix::message::TimeInForce::ImmediateOrCancel);
        assert_eq!(order.time_in_force, wire);
        rig.venue.acknowledge(&order);
        rig.venue.fill(&order, 35);
        rig.venue.report(ExecutionReport {
            cum_qty: 35,
            leaves_qty: 0,
            ..report(&order, ends_with, "D1")
        });
        let done = |p: &squareoff_domain::position::Position| p.working().is_zero();
        let position = rig.desk.until(&key, "nothing works", done).await;
        assert_eq!((position.net.0, position.closable().units()), (15, 15));
        rig.end().await;
    }
}

#[tokio::test]
async fn a_fill_before_its_acknowledgement_implies_it() {
    let rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    let id = rig.desk.order(&key, 50).await;
    let order = rig.venue.until_order(1).await;
    rig.venue.fill(&order, 20);
    rig.venue.acknowledge(&order);
    rig.venue.fill(&order, 10);
    let position = rig.desk.until(&key, "both", |p| p.net.0 == 20).await;
    assert_eq!(
        find(&position, &id).1.status(),
        OrderStatus::PartiallyFilled
    );
    assert_eq!(
        rig.desk.story(&key).await[4..],
        ["executed o1 20@97.00", "executed o1 10@97.00"]
    );
    rig.end().await;
}

#[tokio::test]
async fn orders_of_a_position_keep_their_order_and_slices_add_up() {
    let rig = Rig::new().await;
    let mut keys: Vec<PositionKey> = Vec::new();
    for n in 0..8 {
        keys.push(rig.desk.open(&format!("C{n}"), "ALPHA", 35_000).await);
    }
    let mut placed = vec![Vec::new(); keys.len()];
    for _ in 0..2 {
        for (key, placed) in keys.iter().zip(&mut placed) {
            placed.extend(rig.desk.square_off(key, 15_000).await);
        }
    }
    let orders = rig.venue.until_orders(8 * 2 * 2).await;
    for (key, placed) in keys.iter().zip(&placed) {
        let of_key: Vec<_> = orders
            .iter()
            .filter(|order| order.account.as_deref() == Some(key.client.as_str()))
            .collect();
        let ids: Vec<_> = of_key.iter().map(|order| &*order.cl_ord_id).collect();
        let expected: Vec<_> = placed.iter().map(|id| id.as_str()).collect();
        assert_eq!(ids, expected);
        let quantities: Vec<_> = of_key.iter().map(|order| order.order_qty).collect();
        let slice = SLICE as i64;
        assert_eq!(quantities, [slice, 5_000, slice, 5_000]);
    }
    rig.end().await;
}

#[tokio::test]
async fn reports_that_only_promise_or_repeat_change_nothing() {
    let rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    rig.desk.order(&key, 50).await;
    let order = rig.venue.until_order(1).await;
    for kind in [
        ExecType::PendingNew,
        ExecType::PendingCancel,
        ExecType::PendingReplace,
        ExecType::OrderStatus,
    ] {
        rig.venue.report(report(&order, kind, "P1"));
    }
    rig.venue.fill(&order, 50);
    rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    assert_eq!(rig.desk.story(&key).await[4..], ["executed o1 50@97.00"]);
    assert!(rig.desk.held().await.is_empty());
    rig.end().await;
}

#[tokio::test]
async fn an_order_placed_while_the_venue_is_away_goes_out_after_log_on() {
    let mut rig = Rig::without_gateway().await;
    rig.line.lead_to(None);
    rig.launch();
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    let id = rig.desk.order(&key, 50).await;
    crate::rig::until("it dials", async || rig.line.dials() >= 2).await;
    rig.line.lead_to(Some(rig.venue.address));
    let order = rig.venue.until_order(1).await;
    assert_eq!(order.cl_ord_id, id.as_str());

    // And again, when the connection was lost.
    rig.line.lead_to(None);
    rig.line.cut();
    rig.desk.until_session("down").await;
    let key = rig.desk.open("C2", "ALPHA", 50).await;
    rig.desk.order(&key, 50).await;
    rig.line.lead_to(Some(rig.venue.address));
    let order = rig.venue.until_order(2).await;
    assert_eq!(order.account.as_deref(), Some("C2"));
    let bytes_were_new = rig
        .book
        .lock()
        .unwrap()
        .processed
        .iter()
        .all(|i| !i.poss_dup);
    assert!(bytes_were_new);
    rig.end().await;
}

#[tokio::test]
async fn orders_of_another_venue_are_not_ours() {
    let rig = Rig::new().await;
    let ours = rig.desk.open("C1", "ALPHA", 50).await;
    let theirs = PositionKey {
        venue: squareoff_domain::Venue::Bse,
        ..ours.clone()
    };
    rig.desk.open_as(&theirs, 50).await;
    rig.desk.order(&theirs, 50).await;
    rig.desk.order(&ours, 50).await;
    let order = rig.venue.until_order(1).await;
    assert_eq!(order.security_exchange.as_deref(), Some("NSE"));
    rig.venue
        .say(AppMessage::ExecutionReport(Box::new(venue::acknowledged(
            &order,
        ))));
    rig.end().await;
}
