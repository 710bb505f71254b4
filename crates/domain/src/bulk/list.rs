//! The items of a bulk as they were listed, and where each is. Kept so that copying 150,000 of them is cheap, because every append
//! folds into a copy: the items themselves are shared, an item's status is one byte.

use super::event::{BulkItem, BulkOutcome};
use std::sync::Arc;

/// Items in the chunks they were listed in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BulkList {
    /// Each with the index of its first item, ascending.
    chunks: Vec<(usize, Arc<[BulkItem]>)>,
    length: usize,
}

impl BulkList {
    pub const fn len(&self) -> usize {
        self.length
    }

    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub fn get(&self, index: u32) -> Option<&BulkItem> {
        let index = slot(index);
        let after = self.chunks.partition_point(|(first, _)| *first <= index);
        let (first, items) = self.chunks.get(after.checked_sub(1)?)?;
        items.get(index - first)
    }

    pub fn last(&self) -> Option<&BulkItem> {
        self.chunks.last().and_then(|(_, items)| items.last())
    }

    /// Every item with its index.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &BulkItem)> {
        (0..).zip(self.chunks.iter().flat_map(|(_, items)| items.iter()))
    }

    pub(super) fn push(&mut self, items: &[BulkItem]) {
        // An empty chunk would hide the one before it.
        if !items.is_empty() {
            self.chunks.push((self.length, items.into()));
            self.length += items.len();
        }
    }
}

/// Where an item is. What exactly became of it stands in its event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ItemStatus {
    #[default]
    Open,
    Closed,
    NothingToDo,
    Refused,
    Failed,
    Skipped,
}

impl From<&BulkOutcome> for ItemStatus {
    fn from(outcome: &BulkOutcome) -> Self {
        match outcome {
            BulkOutcome::Closed { .. } => ItemStatus::Closed,
            BulkOutcome::NothingToDo => ItemStatus::NothingToDo,
            BulkOutcome::Refused { .. } => ItemStatus::Refused,
            BulkOutcome::Failed { .. } => ItemStatus::Failed,
            BulkOutcome::Skipped => ItemStatus::Skipped,
        }
    }
}

/// An index as a place in a vector; one that no memory could hold names no place.
pub(super) fn slot(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
