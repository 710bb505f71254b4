//! What a run tells its bulk's stream: outcomes in batches, because 150,000 appends of one outcome each would cost more than the work.
//! What a crash leaves untold is derived again from the positions.

use super::run::check_busy;
use super::worker::WorkerError;
use crate::server::now;
use squareoff_domain::bulk::{self, Bulk, BulkId, BulkOutcome, BulkReport, ITEMS_PER_EVENT_MAX};
use squareoff_store::{Caller, Streams};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

/// How long the first of a batch waits for others: the desk sees its progress four times a second.
const BATCH_TIME: Duration = Duration::from_millis(250);
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// What happened to the item of this index.
pub enum Told {
    Cancelled(u32),
    Settled(u32, BulkOutcome),
}

/// Records what is told until nobody can tell any more.
pub async fn record(
    bulks: &Streams<Bulk>,
    stream: &str,
    actor: &Arc<str>,
    id: BulkId,
    mut telling: mpsc::Receiver<Told>,
) -> Result<(), WorkerError> {
    while let Some(first) = telling.recv().await {
        let (mut items, mut outcomes) = (Vec::new(), Vec::new());
        let mut next = Some(first);
        let until = Instant::now() + BATCH_TIME;
        while let Some(told) = next {
            match told {
                Told::Cancelled(index) => items.push(index),
                Told::Settled(index, outcome) => outcomes.push((index, outcome)),
            }
            if items.len().max(outcomes.len()) == ITEMS_PER_EVENT_MAX {
                break;
            }
            next = timeout_at(until, telling.recv()).await.ok().flatten();
        }
        if !items.is_empty() {
            tell(bulks, stream, actor, id, BulkReport::CancelsDone { items }).await?;
        }
        if !outcomes.is_empty() {
            tell(
                bulks,
                stream,
                actor,
                id,
                BulkReport::ItemsSettled { outcomes },
            )
            .await?;
        }
    }
    Ok(())
}

pub async fn tell(
    bulks: &Streams<Bulk>,
    stream: &str,
    actor: &Arc<str>,
    id: BulkId,
    report: BulkReport,
) -> Result<(), WorkerError> {
    let caller = Caller {
        actor: Arc::clone(actor),
        // Repetitions are known by what they say, not by an id.
        request_id: Uuid::now_v7(),
        correlation_id: id.0,
        epoch: 0,
        now: now(),
    };
    let decide = |bulk: &Bulk| Ok::<_, Infallible>((bulk::record(bulk, report.clone()), ()));
    loop {
        match bulks.transact(stream, &caller, decide).await {
            Ok(_) => return Ok(()),
            Err(error) => check_busy(error)?,
        }
        sleep(BUSY_PAUSE).await;
    }
}
