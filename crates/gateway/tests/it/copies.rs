//! The drop copy: a second witness of every trade, over a session of its own, against the simulated exchange.

use crate::crash::exchange::{SYMBOL, TERMINAL};
use crate::crash::life::Life;
use crate::rig::until;
use squareoff_domain::position::{Position, TradeStatus};
use squareoff_domain::suspense::ReportSuspended;
use squareoff_domain::{ClOrdId, ExecutionKey, PositionKey};
use squareoff_fix::message::Side;
use squareoff_store::StoredEvent;
use std::collections::BTreeSet;

/// A position with an order of 50 that works.
async fn working(life: &Life, client: &str) -> (PositionKey, ClOrdId) {
    let key = life.desk.open(client, SYMBOL, 100).await;
    let id = life.desk.order(&key, 50).await;
    life.desk
        .until_order(&key, &id, "acknowledged", |order| order.acknowledged)
        .await;
    (key, id)
}

fn statuses(position: &Position) -> Vec<TradeStatus> {
    let trades = position.trades().into_iter();
    trades.map(|(_, trade)| trade.status).collect()
}

fn only_trade(position: &Position) -> ExecutionKey {
    assert_eq!(position.executions.len(), 1);
    position.executions.keys().next().unwrap().clone()
}

fn exec_id(key: &ExecutionKey) -> &str {
    key.as_str().rsplit('|').next().unwrap()
}

async fn until_status(life: &Life, key: &PositionKey, status: TradeStatus) -> Position {
    let what = format!("the trade is {}", status.as_str());
    let is = |position: &Position| statuses(position) == [status];
    life.desk.until(key, &what, is).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trade_is_provisional_until_the_drop_copy_tells_it_too() {
    let mut life = Life::new().await;
    let (key, _) = working(&life, "C1").await;
    life.rival.bid(20).await;
    until_status(&life, &key, TradeStatus::Provisional).await;
    life.start_copy();
    until_status(&life, &key, TradeStatus::Confirmed).await;
    // Its death stops no order, and it is told what it missed.
    life.kill_copy().await;
    life.rival.bid(30).await;
    let mixed = [TradeStatus::Confirmed, TradeStatus::Provisional];
    life.desk
        .until(&key, "the fill", |position| statuses(position) == mixed)
        .await;
    life.start_copy();
    let confirmed = [TradeStatus::Confirmed; 2];
    life.desk
        .until(&key, "both", |position| statuses(position) == confirmed)
        .await;
    let remains = life.end().await;
    assert!(remains.desk.held().await.is_empty());
}

/// One by one they would come in more slowly than trades are made on a busy day, and the log would be locked for each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trades_of_many_positions_told_together_are_confirmed_together() {
    const POSITIONS: i64 = 64;
    let mut life = Life::new().await;
    let mut keys = Vec::new();
    for number in 0..POSITIONS {
        keys.push(working(&life, &format!("C{number}")).await.0);
    }
    life.rival.bid(50 * POSITIONS).await;
    for key in &keys {
        until_status(&life, key, TradeStatus::Provisional).await;
    }
    life.start_copy();
    let mut commits = BTreeSet::new();
    for key in &keys {
        until_status(&life, key, TradeStatus::Confirmed).await;
        let stream = life.desk.stream(&key.stream()).await;
        let of_copy = |stored: &&StoredEvent| &*stored.event_type == "TradeConfirmed";
        // The writer gives all of one commit one time.
        commits.extend(
            stream
                .iter()
                .filter(of_copy)
                .map(|stored| stored.recorded_at),
        );
    }
    assert!(commits.len() <= 32, "{} commits", commits.len());
    life.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trade_taken_back_or_corrected_on_both_sides_is_no_break() {
    let mut life = Life::new().await;
    life.start_copy();
    let (busted, _) = working(&life, "C1").await;
    life.rival.bid(50).await;
    let trade = only_trade(&until_status(&life, &busted, TradeStatus::Confirmed).await);
    life.exchange.control(&format!(
        r#"{{"bust":{{"exec_id":"{}"}}}}"#,
        exec_id(&trade)
    ));
    life.desk
        .until(&busted, "taken back on both sides", |position| {
            statuses(position) == [TradeStatus::Busted] && !position.is_break(&trade)
        })
        .await;
    let (corrected, _) = working(&life, "C2").await;
    life.rival.bid(50).await;
    let trade = only_trade(&until_status(&life, &corrected, TradeStatus::Confirmed).await);
    let correct = r#"{"correct":{"exec_id":"EXEC","quantity":45,"price":"96.95"}}"#;
    life.exchange
        .control(&correct.replace("EXEC", exec_id(&trade)));
    let position = life
        .desk
        .until(&corrected, "corrected on both sides", |position| {
            position.net.0 == 55 && statuses(position) == [TradeStatus::Confirmed]
        })
        .await;
    assert_eq!(position.unbooked().count(), 0);
    life.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trade_that_only_the_drop_copy_says_was_taken_back_is_a_break() {
    let mut life = Life::new().await;
    life.start_copy();
    let (key, _) = working(&life, "C1").await;
    life.rival.bid(50).await;
    let trade = only_trade(&until_status(&life, &key, TradeStatus::Confirmed).await);
    life.kill_gateway().await;
    life.exchange.control(&format!(
        r#"{{"bust":{{"exec_id":"{}"}}}}"#,
        exec_id(&trade)
    ));
    let position = until_status(&life, &key, TradeStatus::Contradicted).await;
    assert!(position.is_break(&trade));
    // The trade counts until the order session says so itself.
    assert_eq!(position.net.0, 50);
    life.start_gateway();
    let position = until_status(&life, &key, TradeStatus::Busted).await;
    assert!(!position.is_break(&trade));
    assert_eq!(position.net.0, 100);
    life.end().await;
}

/// The order session lost a report for good: the mass status shows that something is missing, the drop copy what.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trade_that_the_order_session_never_told_is_named_by_the_drop_copy() {
    let mut life = Life::new().await;
    life.start_copy();
    let (key, id) = working(&life, "C1").await;
    life.kill_gateway().await;
    life.rival.bid(20).await;
    let position = life
        .desk
        .until(&key, "the drop copy tells", |position| {
            position.unbooked().count() == 1
        })
        .await;
    assert_eq!((position.net.0, position.executions.len()), (100, 0));
    let missing = position.unbooked().next().unwrap().0.clone();
    assert!(position.is_break(&missing));
    life.remove_journal().await;
    life.start_gateway();
    life.desk.until_session("ready 2").await;
    let position = life.desk.position(&key).await;
    // Told on the new connection or not: what the log has of it, it has from the venue.
    let told = position.executions.contains_key(&missing);
    let reason = format!("order {id}: the venue says that 20 have filled, the log 0");
    assert_eq!(position.frozen, (!told).then_some(reason));
    life.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trade_of_ours_that_no_order_here_answers_to_is_held_once() {
    let mut life = Life::new().await;
    let mut terminal = life.dial(TERMINAL);
    life.rival.bid(50).await;
    terminal.order(Side::Sell, 50).await;
    life.start_copy();
    let held = life.desk.until_held(1).await;
    let trade = held[0].execution.as_ref().unwrap();
    assert_eq!(held[0].report_key, format!("drop-copy {}", trade.execution));
    assert_eq!((trade.quantity.units(), trade.price.0), (50, 970_000));
    life.kill_copy().await;
    life.start_copy();
    let (key, _) = working(&life, "C1").await;
    life.rival.bid(50).await;
    until_status(&life, &key, TradeStatus::Confirmed).await;
    until("nothing more is held", async || {
        life.desk.held().await.len() == 1
    })
    .await;
    life.end().await;
}

/// The reports that are held under this key.
async fn held_as(life: &Life, key: &str) -> Vec<ReportSuspended> {
    let held = life.desk.held().await.into_iter();
    held.filter(|report| report.report_key == key).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trade_that_the_drop_copy_leaves_out_is_held_once_for_a_person() {
    const PATIENCE: std::time::Duration = std::time::Duration::from_millis(20);
    let mut life = Life::new().await;
    life.start_copy_with(PATIENCE);
    let (key, _) = working(&life, "C1").await;
    life.exchange
        .control(r#"{"fault":{"kind":"withhold_copy"}}"#);
    life.rival.bid(50).await;
    let trade = only_trade(&until_status(&life, &key, TradeStatus::Provisional).await);
    let report_key = format!("unconfirmed {trade}");
    until("the trade is held", async || {
        !held_as(&life, &report_key).await.is_empty()
    })
    .await;
    let held = held_as(&life, &report_key).await;
    let what = format!("{}: SELL 50 at 97.00", key.stream());
    assert_eq!(held[0].message, what);
    // It is booked already, so that there is nothing to book.
    assert_eq!(held[0].execution, None);
    // Another life holds another one, and not this one again.
    life.kill_copy().await;
    life.start_copy_with(PATIENCE);
    let (other, _) = working(&life, "C2").await;
    life.exchange
        .control(r#"{"fault":{"kind":"withhold_copy"}}"#);
    life.rival.bid(50).await;
    let later = only_trade(&until_status(&life, &other, TradeStatus::Provisional).await);
    until("the other is held", async || {
        let key = format!("unconfirmed {later}");
        !held_as(&life, &key).await.is_empty()
    })
    .await;
    assert_eq!(held_as(&life, &report_key).await.len(), 1);
    life.end().await;
}
