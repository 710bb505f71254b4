//! One batch, one transaction: the rows and the checkpoint that says they are there.

use crate::approvals::ApprovalRow;
use crate::bulks::{BulkItemRow, BulkRow};
use crate::clients;
use crate::contracts::ContractRow;
use crate::copy::CopyRows;
use crate::fold::{Listed, Rows};
use crate::incidents::IncidentRow;
use crate::orders::OrderRow;
use crate::platform::{CancelAllRow, HaltRow, MarketPhaseRow, PlatformRow};
use crate::positions::StoredPosition;
use crate::suspense::SuspenseRow;
use crate::trades::TradeRow;
use crate::units;
use sqlx::{Connection, PgConnection};
use squareoff_store::Position;
use thiserror::Error;

/// Advisory locks of this project: the class, and what is locked. They belong to one database.
pub(crate) const LOCK_CLASS: i32 = 0x5351;
/// Held by the session of the runner that projects; a second runner waits for it.
pub(crate) const LOCK_RUNNER: i32 = 1;
/// Held by a transaction that writes the live tables, and by a rebuild while they must stand still.
pub(crate) const LOCK_WRITE: i32 = 2;
/// Held by the session that leads a rebuild.
pub(crate) const LOCK_REBUILD: i32 = 3;
/// Shared by the sessions in which a rebuild works: the server may be busy with one for a moment after its client was killed.
pub(crate) const LOCK_REBUILD_WORK: i32 = 4;
/// Held by a transaction that grants rights.
pub(crate) const LOCK_RIGHTS: i32 = 5;

/// Channel on which the position of each commit is told.
pub(crate) const CHANNEL: &str = "squareoff_read_position";

/// Where rows are going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The live tables: under the lock, and told to who waits.
    Live,
    /// The tables of a rebuild, which nobody else sees.
    Next,
}

#[derive(Debug, Error)]
pub(crate) enum WriteError {
    /// Somebody else moved the checkpoint: a rebuild was swapped in. Begin again from what is there.
    #[error("the checkpoint is no longer at {0}")]
    Moved(Position),
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
}

/// Writes `rows`, which lead from the checkpoint `from` to `to`.
pub(crate) async fn write(
    connection: &mut PgConnection,
    target: Target,
    rows: &Rows<Listed>,
    (from, to): (Position, Position),
) -> Result<(), WriteError> {
    let mut transaction = connection.begin().await?;
    if target == Target::Live {
        // Before any table is named: after a swap the names mean the new ones.
        lock_transaction(&mut transaction, LOCK_WRITE).await?;
    }
    write_rows(&mut transaction, rows).await?;
    let moved = sqlx::query_scalar!(
        "UPDATE checkpoint SET position = $2 WHERE position = $1 RETURNING position",
        units::position(from),
        units::position(to),
    )
    .fetch_optional(&mut *transaction)
    .await?;
    if moved.is_none() {
        transaction.rollback().await?;
        return Err(WriteError::Moved(from));
    }
    if target == Target::Live {
        sqlx::query!("SELECT pg_notify($1, $2)", CHANNEL, to.to_string())
            .execute(&mut *transaction)
            .await?;
    }
    Ok(transaction.commit().await?)
}

/// Every read model has its line here, as in `fold/rows.rs`.
async fn write_rows(connection: &mut PgConnection, rows: &Rows<Listed>) -> Result<(), sqlx::Error> {
    macro_rules! upsert {
        ($($rows:expr => $upsert:path,)+) => {
            $(if !$rows.is_empty() {
                $upsert(&mut *connection, &$rows).await?;
            })+
        };
    }
    upsert! {
        rows.clients => clients::upsert,
        rows.contracts => ContractRow::upsert,
        rows.platform => PlatformRow::upsert,
        rows.halts => HaltRow::upsert,
        rows.cancel_alls => CancelAllRow::upsert,
        rows.market_phases => MarketPhaseRow::upsert,
        rows.incidents => IncidentRow::upsert,
        rows.positions => StoredPosition::upsert,
        rows.orders => OrderRow::upsert,
        rows.trades => TradeRow::upsert,
        rows.bulks => BulkRow::upsert,
        rows.bulk_items => BulkItemRow::upsert,
        rows.suspense => SuspenseRow::upsert,
        rows.approvals => ApprovalRow::upsert,
    }
    // Only ever added to, and the checkpoint lets no event come twice: so it is copied, which costs less.
    let mut audit = CopyRows::default();
    rows.audit.iter().for_each(|entry| audit.encode(entry));
    audit.copy_into(connection).await
}

/// Waits for the lock; it ends with the transaction.
pub(crate) async fn lock_transaction(
    connection: &mut PgConnection,
    what: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT pg_advisory_xact_lock($1, $2)", LOCK_CLASS, what)
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes the lock for the session if it is free.
pub(crate) async fn try_lock_session(
    connection: &mut PgConnection,
    what: i32,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_lock($1, $2) AS "taken!""#,
        LOCK_CLASS,
        what
    )
    .fetch_one(connection)
    .await
}

/// One column of `rows`, as an array parameter.
pub(crate) fn column<'a, R, T>(rows: &'a [R], field: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(field).collect()
}
