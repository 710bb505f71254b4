//! Rows that a batch of events changed, table by table, one each, as they are after it; and what becomes of each as soon as it is made.

use crate::approvals::ApprovalRow;
use crate::audit::Entry;
use crate::bulks::{BulkItemRow, BulkRow};
use crate::clients::ClientRow;
use crate::contracts::ContractRow;
use crate::copy::{CopyRow, CopyRows};
use crate::incidents::IncidentRow;
use crate::orders::OrderRow;
use crate::platform::{CancelAllRow, HaltRow, MarketPhaseRow, PlatformRow};
use crate::positions::StoredPosition;
use crate::suspense::SuspenseRow;
use crate::trades::TradeRow;
use sqlx::PgConnection;
use std::fmt::Debug;

/// What rows are kept as.
pub(crate) trait Form {
    type Table<R: CopyRow + Debug>: Table<R>;
}

pub(crate) trait Table<R>: Debug + Default {
    fn add(&mut self, rows: impl IntoIterator<Item = R>);
}

/// As they are, for statements that take them column by column.
#[derive(Debug)]
pub(crate) struct Listed;

impl Form for Listed {
    type Table<R: CopyRow + Debug> = Vec<R>;
}

impl<R: Debug> Table<R> for Vec<R> {
    fn add(&mut self, rows: impl IntoIterator<Item = R>) {
        self.extend(rows);
    }
}

/// As the bytes that COPY takes: a rebuild's rows are hundreds of thousands, and to keep them as they are means to write them to memory, to
/// read them from there on another processor, and to give every text of theirs back from there.
#[derive(Debug)]
pub(crate) struct Encoded;

impl Form for Encoded {
    type Table<R: CopyRow + Debug> = CopyRows<R>;
}

impl<R: CopyRow> Table<R> for CopyRows<R> {
    fn add(&mut self, rows: impl IntoIterator<Item = R>) {
        rows.into_iter().for_each(|row| self.encode(&row));
    }
}

macro_rules! tables {
    ($($table:ident: $row:ty,)+) => {
        #[derive(Debug)]
        pub(crate) struct Rows<F: Form> {
            $(pub $table: F::Table<$row>,)+
        }

        impl<F: Form> Default for Rows<F> {
            fn default() -> Self {
                Rows { $($table: Default::default(),)+ }
            }
        }

        impl Rows<Encoded> {
            /// Copies all into their tables, and keeps their memory for others: a segment's is a hundred megabytes, which the system
            /// would have to clear anew.
            pub(crate) async fn copy_into(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
                $(self.$table.copy_into(&mut *connection).await?;)+
                Ok(())
            }
        }
    };
}

tables! {
    approvals: ApprovalRow,
    audit: Entry,
    bulk_items: BulkItemRow,
    bulks: BulkRow,
    cancel_alls: CancelAllRow,
    clients: ClientRow,
    contracts: ContractRow,
    halts: HaltRow,
    incidents: IncidentRow,
    market_phases: MarketPhaseRow,
    orders: OrderRow,
    platform: PlatformRow,
    positions: StoredPosition,
    suspense: SuspenseRow,
    trades: TradeRow,
}

impl Rows<Encoded> {
    /// As [`Rows::copy_into`], audit trail and trades over a connection of their own, which commits each of them.
    pub(crate) async fn copy_over_two(
        &mut self,
        one: &mut PgConnection,
        two: &mut PgConnection,
    ) -> Result<(), sqlx::Error> {
        let mut audit = std::mem::take(&mut self.audit);
        let mut trades = std::mem::take(&mut self.trades);
        let apart = async {
            audit.copy_into(&mut *two).await?;
            trades.copy_into(&mut *two).await
        };
        tokio::try_join!(self.copy_into(one), apart)?;
        (self.audit, self.trades) = (audit, trades);
        Ok(())
    }
}
