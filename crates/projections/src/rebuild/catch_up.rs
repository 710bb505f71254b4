//! The rebuilt tables follow the log as the live ones do: batches of rows with their checkpoint.

use super::RebuildError;
use super::beside::Beside;
use crate::runner::BATCH_EVENTS_MAX;
use crate::write::{Target, WriteError, write};
use squareoff_store::{EventStore, Position};

/// Folds and writes up to `target`; nothing when the rebuilt tables are there or further.
pub(super) async fn catch_up(
    store: &EventStore,
    beside: &mut Beside,
    target: Position,
) -> Result<(), RebuildError> {
    while beside.position < target {
        let mut events = store.read_all(beside.position, BATCH_EVENTS_MAX).await?;
        events.retain(|event| event.position <= target);
        let Some(to) = events.last().map(|event| event.position) else {
            return Ok(());
        };
        let rows = beside.fold.fold(store, events).await?;
        write(&mut beside.one, Target::Next, &rows, (beside.position, to))
            .await
            .map_err(|error| match error {
                WriteError::Moved(_) => RebuildError::Disturbed,
                WriteError::Sql(error) => error.into(),
            })?;
        beside.position = to;
    }
    Ok(())
}
