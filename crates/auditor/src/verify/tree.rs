//! A whole tree in memory, to compare with its tiles and its older heads.

use crate::tlog::{EMPTY_ROOT, Hash, TILE_WIDTH, Tile, node_hash, perfect_root};
use std::thread;

/// Leaves that are worth a thread.
const LEAVES_PER_THREAD_MIN: usize = 1 << 14;

/// The hashes of every level of tiles, 32 bytes a leaf.
#[derive(Debug)]
pub(crate) struct Tree {
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    pub(crate) fn of(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        loop {
            let above = roots_of_full_tiles(&levels[levels.len() - 1]);
            if above.is_empty() {
                return Tree { levels };
            }
            levels.push(above);
        }
    }

    pub(crate) fn leaves(&self) -> &[Hash] {
        &self.levels[0]
    }

    pub(crate) fn size(&self) -> u64 {
        self.leaves().len() as u64
    }

    /// The root of the first `size` leaves, of which there must be as many.
    pub(crate) fn root(&self, size: u64) -> Hash {
        let mut peaks = Vec::new();
        let mut from = 0;
        for height in (0..u64::BITS)
            .rev()
            .filter(|height| size >> height & 1 == 1)
        {
            let (level, within) = (height / 8, height % 8);
            let at = (from >> (8 * level)) as usize;
            peaks.push(perfect_root(
                &self.levels[level as usize][at..][..1 << within],
            ));
            from += 1 << height;
        }
        let Some(last) = peaks.pop() else {
            return EMPTY_ROOT;
        };
        peaks
            .iter()
            .rfold(last, |right, left| node_hash(left, &right))
    }

    /// What a tile must hold.
    pub(crate) fn tile(&self, tile: Tile) -> &[Hash] {
        let from = (tile.index * TILE_WIDTH) as usize;
        &self.levels[usize::from(tile.level)][from..][..usize::from(tile.width)]
    }
}

fn roots_of_full_tiles(hashes: &[Hash]) -> Vec<Hash> {
    let width = TILE_WIDTH as usize;
    let full = &hashes[..hashes.len() / width * width];
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let part = full
        .len()
        .div_ceil(cores)
        .max(LEAVES_PER_THREAD_MIN)
        .next_multiple_of(width);
    let roots = |part: &[Hash]| part.chunks(width).map(perfect_root).collect::<Vec<_>>();
    let mut parts = full.chunks(part);
    let first = parts.next().unwrap_or_default();
    thread::scope(|scope| {
        let others: Vec<_> = parts.map(|part| scope.spawn(move || roots(part))).collect();
        let mut all = roots(first);
        for other in others {
            all.extend(other.join().expect("hashing does not panic"));
        }
        all
    })
}
