//! The bytes, read from the front. At their end every choice is the first, so that each byte string is a whole script.

/// Steps of one history: most of what can meet has met by then, and a run stays short.
const STEPS_MAX: usize = 100;

/// What breaks arithmetic.
const EXTREMES: &[u64] = &[
    u64::MAX,
    u64::MAX - 1,
    1 << 63,
    i64::MAX as u64,
    1_000_000_000_000,
    999_999_999_999,
    u32::MAX as u64,
    1 << 32,
];

pub struct Script<'a> {
    bytes: &'a [u8],
    steps: usize,
}

impl<'a> Script<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Script { bytes, steps: 0 }
    }

    /// What kind of step comes next, below `kinds`; `None` at the end.
    pub fn step(&mut self, kinds: usize) -> Option<usize> {
        self.steps += 1;
        (!self.bytes.is_empty() && self.steps <= STEPS_MAX).then(|| self.below(kinds))
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        *first
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit
    }

    pub fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// Small as a rule, with the multiples of the universe's lot among them; sometimes at an end.
    pub fn number(&mut self) -> u64 {
        match self.byte() {
            small @ ..200 => u64::from(small),
            tens @ 200..240 => u64::from(tens - 200) * 5_000,
            end @ 240.. => EXTREMES[usize::from(end) % EXTREMES.len()],
        }
    }

    pub fn signed(&mut self) -> i64 {
        let number = self.number().cast_signed();
        if self.flag() {
            number.wrapping_neg()
        } else {
            number
        }
    }
}
