//! Random numbers that stay the same for ever: ChaCha8 (a published algorithm) and an own way to a range, because the random
//! number crates may change theirs.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub struct Dice(ChaCha8Rng);

/// Each part of the book draws from a stream of its own, so that one can grow without moving the others.
#[derive(Clone, Copy)]
pub enum Part {
    Contracts = 1,
    Clients = 2,
    Positions = 3,
    Intraday = 4,
}

impl Dice {
    pub fn new(seed: u64, part: Part) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(part as u64);
        Dice(rng)
    }

    /// 0 to `end` - 1, and 0 for an `end` of 0. Even enough for a sample.
    pub fn below(&mut self, end: u64) -> u64 {
        let scaled = u128::from(self.0.next_u64()) * u128::from(end);
        u64::try_from(scaled >> 64).expect("the high half of a product of two u64 fits one")
    }

    /// `low` to `high`, both included; `low` when they are the wrong way round.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below a usize")
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// True `per_mille` times in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// `value` times a random number of basis points.
    pub fn scale(&mut self, value: i64, low_bp: u64, high_bp: u64) -> i64 {
        let basis_points = i64::try_from(self.between(low_bp, high_bp)).unwrap_or(i64::MAX);
        value.saturating_mul(basis_points) / 10_000
    }
}
