//! Everything at once: orders and cancels while the gateway is killed, the venue restarts and the line breaks, by the numbers of a
//! seed. In the end the venue's book and the log say the same.

use crate::line::{TO_GATEWAY, TO_VENUE};
use crate::rig::Rig;
use crate::venue::Manner;
use squareoff_domain::position::Position;

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
    let mut rig = Rig::new().await.with_manner(Manner::Fills);
    let mut keys = Vec::new();
    for n in 0..5 {
        keys.push(rig.desk.open(&format!("C{n}"), "ALPHA", 100_000).await);
    }
    let mut placed = 0;
    for _ in 0..40 {
        for _ in 0..1 + dice.below(6) {
            let key = &keys[dice.below(keys.len())];
            rig.desk.order(key, 10).await;
            placed += 1;
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
        rig.desk
            .until(key, "all filled", |p: &Position| {
                p.orders
                    .values()
                    .all(|order| order.cumulative == order.quantity)
            })
            .await;
    }
    rig.venue.until_orders(placed).await;
    let (mut booked, mut orders) = (0, 0);
    for key in &keys {
        let position = rig.desk.position(key).await;
        let closed = 10 * i64::try_from(position.orders.len()).unwrap();
        assert_eq!(position.net.0, 100_000 - closed);
        booked += position.executions.len() as u64;
        orders += position.orders.len();
        assert!(position.contradictions.is_empty());
    }
    assert_eq!(
        (booked, orders),
        (rig.book.lock().unwrap().executions(), placed)
    );
    assert!(rig.desk.held().await.is_empty());
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_venues_book_and_the_log_agree_whatever_breaks() {
    for seed in 1..=3 {
        survive(seed).await;
    }
}
