//! Orders above the value that one person may place, and what a second one said.

mod fold;
mod query;

pub(crate) use fold::FoldedApproval;
pub use query::{ApprovalFilter, approval, approvals};

use crate::cell::{Word, table_row};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

table_row! {
    /// A row of `approvals`. Quantity in units, prices and values in 1/10,000 rupee.
    pub struct ApprovalRow in "approvals" by "src/approvals/upsert.sql" {
        /// Log position of what was asked: the row's identity and the cursor of a list.
        pub position: i64,
        pub approval_id: Uuid,
        pub stream: String,
        pub request_id: Uuid,
        /// As `ApprovalStatus` says it.
        pub state: Word,
        /// `square-off` or `modify`.
        pub what: Word,
        pub position_stream: String,
        pub trading_date: Date,
        pub client_code: String,
        pub venue: Word,
        pub symbol: String,
        pub product: Word,
        /// The order that is to be changed.
        pub order_id: Option<Uuid>,
        pub quantity: i64,
        /// Absent where the market makes the price.
        pub limit_price: Option<i64>,
        /// What a unit was counted at.
        pub counted_price: i64,
        pub time_in_force: Option<String>,
        pub evidence: Option<String>,
        pub notional: i64,
        /// What one person may place.
        pub limit_notional: i64,
        pub epoch: i64,
        pub asked_by: String,
        pub asked_at: OffsetDateTime,
        pub answered_by: Option<String>,
        pub answered_at: Option<OffsetDateTime>,
        pub reason: Option<String>,
        /// The request that the position accepted.
        pub order_request_id: Option<Uuid>,
        pub refusal_code: Option<String>,
        pub refusal_detail: Option<String>,
        /// Version of the stream, and log position, that the row reflects.
        pub version: i64,
        pub updated_position: i64,
    }
}
