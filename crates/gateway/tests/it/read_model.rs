//! The read models in a Postgres of their own, fed from a test's log while everything else goes on, and held against it.

use crate::desk::Desk;
use crate::rig::PATIENCE;
use squareoff_domain::PositionKey;
use squareoff_projections::day::{Day, day};
use squareoff_projections::testing::TestDatabase;
use squareoff_projections::{RunError, checkpoint, run};
use squareoff_store::{EventStore, Position};
use std::collections::BTreeMap;
use tokio::task::JoinHandle;

pub struct ReadModel {
    test: TestDatabase,
    store: EventStore,
    task: JoinHandle<Result<(), RunError>>,
}

impl ReadModel {
    pub async fn start(store: &EventStore) -> ReadModel {
        let test = TestDatabase::start().await.unwrap();
        let store = store.clone();
        let task = follow(&store, &test);
        ReadModel { test, store, task }
    }

    /// As kill -9 would, and a start behind it.
    pub async fn restart(&mut self) {
        self.task.abort();
        assert!(
            (&mut self.task).await.is_err(),
            "it runs until it is killed"
        );
        self.task = follow(&self.store, &self.test);
    }

    /// Every position, order and trade of these positions, as far as the rows say otherwise than the log folded to its end. Asked again when
    /// the log grew meanwhile, as by a cancel that was under way.
    pub async fn differences(&self, desk: &Desk, keys: &[PositionKey]) -> Vec<String> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let head = self.store.head().await.unwrap();
            let differences = self.differences_at(desk, keys, head, deadline).await;
            if differences.is_empty() || self.store.head().await.unwrap() == head {
                return differences;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "the log comes to an end"
            );
        }
    }

    async fn differences_at(
        &self,
        desk: &Desk,
        keys: &[PositionKey],
        head: Position,
        deadline: tokio::time::Instant,
    ) -> Vec<String> {
        let pool = self.test.database().pool(1);
        while checkpoint(&pool).await.unwrap() < head {
            assert!(
                tokio::time::Instant::now() < deadline,
                "the rows come to {head:?}"
            );
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let shown = day(&pool, keys[0].date, None).await.unwrap().value;
        pool.close().await;
        let (mut rows, mut folded) = (of_rows(&shown), BTreeMap::new());
        for key in keys {
            fold(&mut folded, desk, key).await;
        }
        folded.retain(|name, what| rows.remove(name).as_ref() != Some(what));
        let missing = folded
            .into_iter()
            .map(|(name, what)| format!("{name}: the log says {what}"));
        let more = rows
            .into_iter()
            .map(|(name, what)| format!("{name}: the rows say {what}"));
        missing.chain(more).collect()
    }
}

impl Drop for ReadModel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn follow(store: &EventStore, test: &TestDatabase) -> JoinHandle<Result<(), RunError>> {
    tokio::spawn(run(store.clone(), test.database(), std::future::pending()))
}

fn of_rows(day: &Day) -> BTreeMap<String, String> {
    let positions = day.positions.iter().map(|row| {
        let what = format!(
            "net {} working {} frozen {}",
            row.net_quantity, row.working_quantity, row.frozen
        );
        (row.stream.clone(), what)
    });
    let orders = day.orders.iter().map(|row| {
        let (quantity, price) = (row.quantity, row.price);
        let what = format!(
            "{quantity} at {price} filled {} leaves {} {}",
            row.cumulative_quantity, row.leaves_quantity, row.status
        );
        (row.order_id.to_string(), what)
    });
    // What the drop copy told of a correction before the order session did is no trade of its own.
    let trades = day.trades.iter().filter(|row| row.status != "correction");
    let trades = trades.map(|row| {
        let what = format!(
            "{} at {} counts {} {}",
            row.quantity, row.price, row.live_quantity, row.status
        );
        (row.execution_key.clone(), what)
    });
    positions.chain(orders).chain(trades).collect()
}

async fn fold(into: &mut BTreeMap<String, String>, desk: &Desk, key: &PositionKey) {
    let position = desk.position(key).await;
    let what = format!(
        "net {} working {} frozen {}",
        position.net.0,
        position.working().units(),
        position.frozen.is_some()
    );
    into.insert(key.stream(), what);
    for (id, order) in &position.orders {
        let (quantity, price) = (order.quantity.units(), order.price.0);
        let what = format!(
            "{quantity} at {price} filled {} leaves {} {}",
            order.filled().units(),
            order.leaves().units(),
            order.status().as_str()
        );
        into.insert(id.0.to_string(), what);
    }
    for (key, trade) in position.trades() {
        let counts = trade.live_quantity().units();
        let status = trade.status.as_str();
        let (quantity, price) = (trade.quantity.units(), trade.price.0);
        let what = format!("{quantity} at {price} counts {counts} {status}");
        into.insert(key.to_string(), what);
    }
}
