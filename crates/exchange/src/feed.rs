//! Committed facts for those who report them: the last ones from memory, older ones from the ledger file.
//!
//! The engine publishes; one pump per session reads on from where its FIX journal stands. A session that is away for
//! hours costs nothing here: its queue is the ledger.
//!
//! 1. Nothing is given out that is not durable. 2. Facts come in ordinal order, none left out. 3. Memory is bounded:
//!    `RECENT_MAX` facts and one number per `INDEX_STRIDE` facts.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use crate::fact::Fact;
use crate::ledger::{LedgerError, Reader};

/// About 8 MiB: a reader that keeps up within a second at full speed never touches the file.
const RECENT_MAX: usize = 16_384;
/// Facts given out at once; also what one read of the file parses beyond the index point.
pub const CHUNK_MAX: usize = 1_024;
const INDEX_STRIDE: u64 = 1_024;

#[derive(Debug)]
pub struct Feed {
    ledger: PathBuf,
    inner: Mutex<Inner>,
    committed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    recent: VecDeque<Arc<Fact>>,
    index: Index,
}

/// Every so often, the byte at which a message begins. Ascending.
#[derive(Debug, Default)]
pub(crate) struct Index {
    marks: Vec<(u64, u64)>,
    in_message: bool,
}

impl Index {
    /// Takes every fact of the ledger in order with the byte its line begins at.
    pub(crate) fn note(&mut self, fact: &Fact, at: u64) {
        let due = self
            .marks
            .last()
            .is_none_or(|(ordinal, _)| fact.ordinal >= ordinal + INDEX_STRIDE);
        if due && !self.in_message {
            self.marks.push((fact.ordinal, at));
        }
        self.in_message = !fact.completes;
    }

    /// Where to begin reading to find `ordinal`.
    fn before(&self, ordinal: u64) -> u64 {
        let next = self.marks.partition_point(|(mark, _)| *mark <= ordinal);
        next.checked_sub(1).map_or(0, |at| self.marks[at].1)
    }
}

impl Feed {
    pub(crate) fn new(ledger: PathBuf, index: Index, committed: u64) -> Self {
        let inner = Mutex::new(Inner {
            recent: VecDeque::new(),
            index,
        });
        Self {
            ledger,
            inner,
            committed: watch::Sender::new(committed),
        }
    }

    /// Takes a durable batch, with the byte each line begins at.
    pub(crate) fn publish(&self, facts: Vec<Fact>, starts: &[u64]) {
        let Some(last) = facts.last().map(|fact| fact.ordinal) else {
            return;
        };
        let mut inner = self.lock();
        for (fact, at) in facts.into_iter().zip(starts) {
            inner.index.note(&fact, *at);
            inner.recent.push_back(Arc::new(fact));
        }
        let surplus = inner.recent.len().saturating_sub(RECENT_MAX);
        inner.recent.drain(..surplus);
        drop(inner);
        self.committed.send_replace(last);
    }

    /// The ordinal of the last durable fact, and its changes.
    #[must_use]
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.committed.subscribe()
    }

    /// What [`Feed::after`] gives, when memory has it; `None` when the file must be read.
    #[must_use]
    pub fn recent(&self, ordinal: u64) -> Option<Vec<Arc<Fact>>> {
        let inner = self.lock();
        if ordinal >= *self.committed.borrow() {
            return Some(Vec::new());
        }
        let first = inner.recent.front()?.ordinal;
        let skip = usize::try_from((ordinal + 1).checked_sub(first)?).ok()?;
        Some(
            inner
                .recent
                .iter()
                .skip(skip)
                .take(CHUNK_MAX)
                .cloned()
                .collect(),
        )
    }

    /// The next facts after an ordinal, about [`CHUNK_MAX`]; empty when there are none yet. May read the file.
    ///
    /// # Errors
    /// When the ledger file can't be read.
    pub fn after(&self, ordinal: u64) -> Result<Vec<Arc<Fact>>, LedgerError> {
        if let Some(facts) = self.recent(ordinal) {
            return Ok(facts);
        }
        let committed = *self.committed.borrow();
        let at = self.lock().index.before(ordinal + 1);
        let mut reader = Reader::new(&self.ledger, at)?;
        let mut found = Vec::new();
        while found.len() < CHUNK_MAX
            && let Some(message) = reader.message()?
        {
            let facts = message.into_iter().map(|(_, fact)| fact);
            found.extend(
                facts
                    .filter(|fact| fact.ordinal > ordinal && fact.ordinal <= committed)
                    .map(Arc::new),
            );
            if found.last().is_some_and(|fact| fact.ordinal == committed) {
                break;
            }
        }
        Ok(found)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("no panic happens while the lock is held")
    }
}
