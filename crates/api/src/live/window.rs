//! The last changes, which readers that were away, or were slow, are caught up from.

use super::change::Change;
use squareoff_store::Position;
use std::collections::VecDeque;
use std::sync::Arc;

/// Bounded in number and bytes; what is older is read from the query API.
#[derive(Debug)]
pub struct Window {
    changes: VecDeque<Arc<Change>>,
    bytes: usize,
    /// Every change behind this position is here.
    from: Position,
    changes_max: usize,
    bytes_max: usize,
}

impl Window {
    pub fn new(changes_max: usize, bytes_max: usize) -> Self {
        Window {
            changes: VecDeque::new(),
            bytes: 0,
            from: Position::START,
            changes_max,
            bytes_max,
        }
    }

    /// Nothing before this position will be here.
    pub fn begin(&mut self, from: Position) {
        self.from = from;
    }

    pub fn push(&mut self, change: Arc<Change>) {
        self.bytes += change.bytes();
        self.changes.push_back(change);
        while self.changes.len() > self.changes_max || self.bytes > self.bytes_max {
            let Some(oldest) = self.changes.pop_front() else {
                return;
            };
            self.bytes -= oldest.bytes();
            self.from = oldest.position;
        }
    }

    /// Whether every change behind `after` is here.
    pub fn reaches(&self, after: Position) -> bool {
        after >= self.from
    }

    /// The changes behind `after`, in the log's order.
    pub fn behind(&self, after: Position) -> impl ExactSizeIterator<Item = &Arc<Change>> {
        let first = self
            .changes
            .partition_point(|change| change.position <= after);
        self.changes.range(first..)
    }
}
