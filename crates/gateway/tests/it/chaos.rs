//! Everything at once: orders and cancels while the gateway is killed, the venue restarts and the line breaks, by the numbers of a
//! seed. In the end the venue's book and the log say the same.

use crate::line::{TO_GATEWAY, TO_VENUE};
use crate::rig::Rig;
use crate::venue::Manner;
use squareoff_domain::position::{Order, OrderStatus, Position};
use std::collections::BTreeSet;
use std::time::Duration;

/// xorshift: the same faults for the same seed, as far as the scheduler lets them be.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).unwrap()
    }
}

async fn survive(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut rig = Rig::without_gateway().await.with_manner(Manner::Fills);
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
        let done = |p: &Position| p.working().is_zero();
        rig.desk.until(key, "all done", done).await;
    }
    let mut processed = BTreeSet::new();
    let mut booked = 0;
    for key in &keys {
        let position = rig.desk.position(key).await;
        let is_filled = |order: &&Order| order.status() == OrderStatus::Filled;
        let filled: Vec<_> = position.orders.values().filter(is_filled).collect();
        assert_eq!(position.net.0, 100_000 - 10 * filled.len() as i64);
        processed.extend(filled.iter().map(|order| order.cl_ord_id.to_string()));
        booked += position.executions.len() as u64;
        assert!(position.contradictions.is_empty());
    }
    {
        let book = rig.book.lock().unwrap();
        let orders = book.orders().into_iter().map(|order| order.cl_ord_id);
        assert_eq!(BTreeSet::from_iter(orders), processed);
        assert_eq!(book.executions(), booked);
    }
    assert!(rig.desk.held().await.is_empty());
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_venues_book_and_the_log_agree_whatever_breaks() {
    for seed in 1..=4 {
        survive(seed).await;
    }
}
