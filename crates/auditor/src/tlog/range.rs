//! A tree in the hashes of its perfect subtrees, from the left: all that appending and the root need.

use super::hash::{EMPTY_ROOT, Hash, leaf_hash, node_hash};

/// The compact range `0..size`: one hash for each one-bit of `size`, the largest subtree first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompactRange {
    size: u64,
    peaks: Vec<Hash>,
}

impl CompactRange {
    /// The tree of `size` leaves whose perfect subtrees, the largest first, are `peaks`; `None` when their number is another.
    pub(crate) fn of_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(CompactRange { size, peaks })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // Each trailing one-bit of the old size is a subtree that is as large as what has been put together by now.
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("a peak for each one-bit");
            hash = node_hash(&left, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Appends an entry.
    pub fn push_entry(&mut self, entry: &[u8]) {
        self.push(leaf_hash(entry));
    }

    /// The root of the tree as it is now (RFC 6962's MTH).
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else {
            return EMPTY_ROOT;
        };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

impl Extend<Hash> for CompactRange {
    fn extend<T: IntoIterator<Item = Hash>>(&mut self, leaves: T) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}
