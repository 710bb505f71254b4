//! Which event log the read models are of: the checkpoint's row keeps the id of the log's first event, so that a database of another
//! log is told apart and never mixed with ours.

use crate::units::stored_position;
use sqlx::PgConnection;
use squareoff_store::{EventStore, Position, ReadError};
use thiserror::Error;

/// The database holds what another log said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "the read models are of another event log (they reflect position {checkpoint}, this log ends at {head}): use another database, or drop its schema read_live"
)]
pub struct OtherLog {
    pub checkpoint: Position,
    pub head: Position,
}

/// Why the read models' place in the log is not known.
#[derive(Debug, Error)]
pub enum OriginError {
    #[error(transparent)]
    OtherLog(#[from] OtherLog),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
}

/// The log position that the tables of the connection's schema reflect, after making sure that they are of this log. Tables that
/// reflect nothing yet become this log's, as soon as it has an event.
pub(crate) async fn checkpoint_in(
    store: &EventStore,
    connection: &mut PgConnection,
) -> Result<Position, OriginError> {
    let first = store.read_all(Position::START, 1).await?;
    let first = first.first().map(|event| event.id);
    let row = sqlx::query!("SELECT position, log_id FROM checkpoint")
        .fetch_one(&mut *connection)
        .await?;
    let checkpoint = stored_position(row.position);
    let head = store.head().await?;
    let ours = row.log_id.is_none_or(|log_id| Some(log_id) == first);
    if !ours || checkpoint > head {
        return Err(OtherLog { checkpoint, head }.into());
    }
    if row.log_id.is_none() && checkpoint == Position::START {
        sqlx::query!("UPDATE checkpoint SET log_id = $1", first)
            .execute(connection)
            .await?;
    }
    Ok(checkpoint)
}
