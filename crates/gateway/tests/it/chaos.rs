//! Everything at once: orders and cancels while the gateway is killed, the venue restarts and the line breaks, by the numbers of a
//! seed. In the end the venue's book and the log say the same.

use crate::line::{TO_GATEWAY, TO_VENUE};
use crate::replaces::CHEAPER;
use crate::rig::{PATIENCE, Rig};
use crate::venue::Manner;
use squareoff_domain::PositionKey;
use std::collections::BTreeSet;
use std::time::Duration;

/// xorshift: the same faults for the same seed, as far as the scheduler lets them be.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).unwrap()
    }
}

/// Gives how many replaces the venue got.
async fn survive(seed: u64, manner: Manner) -> usize {
    let mut dice = Dice::new(seed);
    let mut rig = Rig::without_gateway().await.with_manner(manner);
    // What was lost goes again, or, with other seeds, never.
    rig.resend_age_max = Duration::from_secs(60 * (seed % 2));
    rig.start().await;
    let mut keys = Vec::new();
    for n in 0..5 {
        keys.push(rig.desk.open(&format!("C{n}"), "ALPHA", 100_000).await);
    }
    for _ in 0..40 {
        for _ in 0..1 + dice.below(6) {
            let key = &keys[dice.below(keys.len())];
            let order = rig.desk.order(key, 10).await;
            if dice.below(8) == 0 {
                rig.desk.try_cancel(key, &order).await;
            }
        }
        if manner == Manner::HalfFills {
            let key = &keys[dice.below(keys.len())];
            change_some(&rig, key, &mut dice).await;
        }
        match dice.below(6) {
            0 => {
                rig.kill().await;
                rig.launch();
            }
            1 => rig.restart_venue().await,
            2 => rig.line.cut(),
            3 => rig.line.cut_after(TO_VENUE, 1 + dice.below(900)),
            4 => rig.line.cut_after(TO_GATEWAY, 1 + dice.below(900)),
            _ => tokio::task::yield_now().await,
        }
    }
    for key in &keys {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !rig.desk.position(key).await.working().is_zero() {
            if manner == Manner::HalfFills {
                change_some(&rig, key, &mut dice).await;
            }
            let in_time = tokio::time::Instant::now() < deadline;
            assert!(in_time, "{:#?}", rig.desk.story(key).await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    // What the venue processed is known here with what has filled of it; what it did not never came to anything.
    let filled = rig.book.lock().unwrap().filled.clone();
    let mut processed = BTreeSet::new();
    let mut booked = 0;
    for key in &keys {
        let position = rig.desk.position(key).await;
        let mut net = 100_000;
        for order in position.orders.values() {
            let id = order.cl_ord_id.to_string();
            let at_venue = filled.get(&id).copied().unwrap_or_default();
            assert_eq!(order.cumulative.units() as i64, at_venue, "{order:#?}");
            net -= at_venue;
            if at_venue > 0 {
                processed.insert(id);
            }
        }
        assert_eq!(position.net.0, net);
        booked += position.executions.len() as u64;
        assert!(position.contradictions.is_empty());
        assert!(!position.orders.values().any(|order| order.in_doubt));
    }
    {
        let book = rig.book.lock().unwrap();
        let orders = book.orders().into_iter().map(|order| order.cl_ord_id);
        assert_eq!(BTreeSet::from_iter(orders), processed);
        assert_eq!(book.executions(), booked);
    }
    assert!(rig.desk.held().await.is_empty());
    let replaces = rig.book.lock().unwrap().replaces().len();
    rig.end().await;
    replaces
}

/// Asks to change or to cancel what of a position works; often it is in no state for it.
async fn change_some(rig: &Rig, key: &PositionKey, dice: &mut Dice) {
    let position = rig.desk.position(key).await;
    let working = position.orders.values();
    for order in working.filter(|order| !order.leaves().is_zero()) {
        match dice.below(3) {
            0 => rig.desk.try_cancel(key, &order.cl_ord_id).await,
            1 => rig.desk.try_modify(key, &order.cl_ord_id, CHEAPER).await,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_venues_book_and_the_log_agree_whatever_breaks() {
    for seed in 1..=4 {
        survive(seed, Manner::Fills).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_so_they_do_when_orders_are_replaced_and_cancelled() {
    let mut replaces = 0;
    for seed in 1..=4 {
        replaces += survive(seed, Manner::HalfFills).await;
    }
    assert!(replaces > 0);
}
