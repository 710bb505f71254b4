//! Everything at once against the simulated exchange: orders, cancels and changes, trades that are busted and corrected, orders that are
//! over-filled and that market control cancels and expires, while gateway, exchange, drop copy and projections are killed by turns. In
//! the end the exchange's ledger and the log say the same of every order and execution, the drop copy confirms it, and the rows in
//! Postgres are what the log folds to.

use crate::chaos::Dice;
use crate::crash::exchange::{Ledger, SYMBOL};
use crate::crash::life::Life;
use crate::desk::find;
use crate::read_model::ReadModel;
use crate::replaces::CHEAPER;
use crate::rig::PATIENCE;
use squareoff_domain::PositionKey;
use squareoff_domain::position::{Position, TradeStatus};
use squareoff_exchange::fact::Happening;

/// More than all orders of a storm and what they are over-filled by.
const OPEN: i64 = 10_000;
/// More than any order.
const TOO_MUCH: i64 = 60;

async fn endure(seed: u64) {
    let mut dice = Dice::new(seed);
    let mut life = Life::new().await;
    life.start_copy();
    let mut read_model = ReadModel::start(&life.desk.store).await;
    let mut keys = Vec::new();
    for n in 0..4 {
        keys.push(life.desk.open(&format!("C{n}"), SYMBOL, OPEN).await);
    }
    over_fill_one(&life, &keys[0]).await;
    for _ in 0..30 {
        for _ in 0..1 + dice.below(3) {
            ask(&life, &keys[dice.below(keys.len())], &mut dice).await;
        }
        match dice.below(9) {
            0 => {
                life.kill_gateway().await;
                life.start_gateway();
            }
            1 => {
                life.exchange.kill();
                life.line.lead_to(None);
                life.start_exchange().await;
            }
            2 => {
                life.kill_copy().await;
                life.start_copy();
            }
            3 => life.line.cut(),
            4 | 5 => interfere(&life, &mut dice),
            6 => read_model.restart().await,
            _ => life.rival.bid(5 * (1 + dice.below(6) as i64)).await,
        }
    }
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let differences = differences(&life, &keys).await;
        if differences.is_empty() {
            break;
        }
        let in_time = tokio::time::Instant::now() < deadline;
        assert!(in_time, "seed {seed}: {differences:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let differences = read_model.differences(&life.desk, &keys).await;
    assert!(differences.is_empty(), "seed {seed}: {differences:#?}");
    let remains = life.end().await;
    assert_eq!(remains.exchange.ledger().duplicates, 0);
    assert!(remains.desk.held().await.is_empty());
}

/// An order, or a cancel or change of one that works.
async fn ask(life: &Life, key: &PositionKey, dice: &mut Dice) {
    let position = life.desk.position(key).await;
    let units = 5 * (1 + dice.below(8) as u64);
    let works = position
        .orders
        .values()
        .find(|order| !order.leaves().is_zero());
    match (dice.below(4), works) {
        (0, Some(order)) => life.desk.try_cancel(key, &order.cl_ord_id).await,
        (1, Some(order)) => life.desk.try_modify(key, &order.cl_ord_id, CHEAPER).await,
        _ if position.closable().units() >= units && position.frozen.is_none() => {
            drop(life.desk.order(key, units).await);
        }
        _ => {}
    }
}

fn over_fill(order_id: &str) -> String {
    format!(r#"{{"over_fill":{{"order_id":"{order_id}","quantity":{TOO_MUCH}}}}}"#)
}

/// So that no storm is without: the venue fills more of an order than it has, and the log says so.
async fn over_fill_one(life: &Life, key: &PositionKey) {
    let id = life.desk.order(key, 10).await;
    life.desk
        .until_order(key, &id, "acknowledged", |order| order.acknowledged)
        .await;
    let order_id = find(&life.desk.position(key).await, &id)
        .1
        .exchange_order_id;
    life.exchange
        .control(&over_fill(order_id.unwrap().as_str()));
    life.desk
        .until_order(key, &id, "over-filled", |order| {
            order.cumulative > order.quantity
        })
        .await;
    let story = life.desk.story(key).await;
    let excess = TOO_MUCH - 10;
    assert!(
        story.contains(&format!("overfilled o1 {excess}")),
        "{story:#?}"
    );
}

/// Market control changes a trade or ends an order; what it can't do it refuses.
fn interfere(life: &Life, dice: &mut Dice) {
    let Ledger { facts, .. } = life.exchange.ledger();
    let is_trade = |happening: &Happening| matches!(happening, Happening::Executed { .. });
    let trades: Vec<_> = facts
        .iter()
        .filter(|fact| is_trade(&fact.happening))
        .collect();
    let what = dice.below(5);
    let command = if what < 2 {
        if trades.is_empty() {
            return;
        }
        let trade = trades[dice.below(trades.len())].exec_id();
        if what == 0 {
            format!(r#"{{"bust":{{"exec_id":"{trade}"}}}}"#)
        } else {
            format!(r#"{{"correct":{{"exec_id":"{trade}","quantity":5,"price":"96.95"}}}}"#)
        }
    } else {
        let Some(fact) = facts.get(dice.below(facts.len().max(1))) else {
            return;
        };
        let order_id = fact.order_id();
        match ["cancel", "expire", "over_fill"][what - 2] {
            "over_fill" => over_fill(&order_id),
            verb => format!(r#"{{"{verb}":{{"order_id":"{order_id}"}}}}"#),
        }
    };
    life.exchange.control(&command);
}

/// What the log, the ledger and the drop copy do not agree on.
async fn differences(life: &Life, keys: &[PositionKey]) -> Vec<String> {
    let ledger = life.exchange.ledger();
    let mut found = Vec::new();
    let mut booked = Vec::new();
    for key in keys {
        let position = life.desk.position(key).await;
        for order in position.orders.values() {
            let id = order.cl_ord_id.to_string();
            let at_venue = ledger.filled.get(&id).copied().unwrap_or_default();
            if order.cumulative.units() as i64 != at_venue {
                found.push(format!("{id}: {} here, {at_venue} there", order.cumulative));
            }
            if !order.leaves().is_zero() && (!order.acknowledged || order.in_doubt) {
                found.push(format!("{id} is {}", order.status().as_str()));
            }
        }
        let sold: u64 = position
            .orders
            .values()
            .map(|order| order.cumulative.units())
            .sum();
        assert_eq!(position.net.0, OPEN - sold as i64, "{key:?}");
        found.extend(position.frozen.iter().map(|why| format!("frozen: {why}")));
        found.extend(unconfirmed(&position));
        let execution = |key: &squareoff_domain::ExecutionKey| {
            key.as_str().rsplit('|').next().unwrap().to_owned()
        };
        booked.extend(position.executions.keys().map(execution));
    }
    booked.sort();
    let there = ledger.executions().into_iter().map(|execution| execution.0);
    if booked != there.collect::<Vec<_>>() {
        found.push(format!("executions: {} here", booked.len()));
    }
    found
}

fn unconfirmed(position: &Position) -> Vec<String> {
    let trades = position.trades().into_iter().filter_map(|(key, trade)| {
        let settled = matches!(trade.status, TradeStatus::Confirmed | TradeStatus::Busted);
        let is_break = position.is_break(key);
        (!settled || is_break).then(|| format!("{key} is {}", trade.status.as_str()))
    });
    let unbooked = position.unbooked();
    let unbooked = unbooked.map(|(key, _)| format!("{key} is in the drop copy alone"));
    trades.chain(unbooked).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_ledger_drop_copy_and_rows_agree_whatever_is_killed_busted_corrected_or_over_filled() {
    for seed in 1..=4 {
        endure(seed).await;
    }
}
