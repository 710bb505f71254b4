//! That orders were sent: when it is recorded, and for which. Called by `inbound`, `opened` and `packets`.
//!
//! 1. It is told of what is in a journal, behind it: the journal decides whether an order has gone, and after a crash it tells.
//! 2. The index has it at once: whoever asks what was sent must not miss what is still to be read of the log.

use crate::index::Index;
use crate::record::{Fact, RecordError, Recorder};
use squareoff_domain::position::Report;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long it may be put off that an order was sent. A venue on the other side of a street answers within a millisecond or two; what
/// one further away takes longer to say, is then recorded by itself.
const ANSWERED_WITHIN: Duration = Duration::from_millis(5);

/// That orders were sent, not yet recorded: the venue's answer mostly comes within a moment, and goes into the log with it, as one
/// append instead of two.
#[derive(Default)]
pub struct PutOff {
    facts: Vec<Fact>,
    until: Option<Instant>,
}

impl PutOff {
    pub fn put_off(&mut self, facts: Vec<Fact>) {
        if !facts.is_empty() {
            self.until.get_or_insert(Instant::now() + ANSWERED_WITHIN);
            self.facts.extend(facts);
        }
    }

    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    pub fn until(&self) -> Option<Instant> {
        self.until
    }
}

/// Records that these orders are in the journal, where the log does not know it yet.
///
/// # Errors
/// [`RecordError::Fact`] when the log did not take it.
pub async fn dispatched<'a>(
    recorder: &Recorder,
    index: &Mutex<Index>,
    batch: impl Iterator<Item = (&'a str, u64)>,
) -> Result<(), RecordError> {
    let facts = dispatches(recorder, index, batch);
    recorder.record(facts.iter().cloned()).await?;
    were_dispatched(recorder, index, &facts);
    Ok(())
}

/// That these orders are in the journal, where the log does not know it yet. Cancels and replaces say nothing: their request is
/// enough.
pub fn dispatches<'a>(
    recorder: &Recorder,
    index: &Mutex<Index>,
    batch: impl Iterator<Item = (&'a str, u64)>,
) -> Vec<Fact> {
    let index = index.lock().unwrap_or_else(PoisonError::into_inner);
    let fact = |(id, sequence)| {
        let named = index.find_text(id)?;
        let is_new = named.is_new_order() && !index.is_dispatched(named.order.order_id);
        let report = Report::Dispatched {
            cl_ord_id: named.cl_ord_id,
            session: recorder.session_name(),
            sequence,
        };
        is_new.then_some((named.order, report))
    };
    batch.filter_map(fact).collect()
}

/// It is in the log now.
pub fn were_dispatched(recorder: &Recorder, index: &Mutex<Index>, facts: &[Fact]) {
    let session = recorder.session_name();
    let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
    for (order, _) in facts {
        index.dispatched(order.order_id, &session);
    }
}
