//! Bulk square-offs: one row each with its counts, and one row per item. Progress within an item (sent, filled) is in its position
//! and is joined when it is asked for.

mod fold;
mod query;

pub(crate) use fold::FoldedBulk;
pub use query::{
    BulkItemFilter, BulkItemShown, BulkListFilter, BulkProgress, PhaseProgress, bulk, bulk_items,
    bulk_progress, bulks,
};

use crate::cell::table_row;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

table_row! {
    /// A row of `bulks`. Quantities in units, money in 1/10,000 rupee.
    pub struct BulkRow in "bulks" by "src/bulks/upsert.sql" {
        pub bulk_id: Uuid,
        /// Position of the proposal: the cursor of a list.
        pub proposed_position: i64,
        pub trading_date: Date,
        /// As [`squareoff_domain::bulk::BulkStatus::as_str`].
        pub status: String,
        /// The phase being worked off, as [`squareoff_domain::bulk::BulkPhase::as_str`].
        pub phase: Option<String>,
        pub filter_client: Option<String>,
        pub filter_venue: Option<String>,
        pub filter_symbol: Option<String>,
        pub filter_product: Option<String>,
        pub filter_segment: Option<String>,
        pub filter_expiry: Option<Date>,
        /// `marketable-limit`.
        pub price: String,
        /// `DAY` or `IOC`.
        pub time_in_force: String,
        /// External orders are cancelled first, like ours.
        pub cancel_external: bool,
        pub reason: String,
        pub proposed_by: String,
        pub proposed_at: OffsetDateTime,
        pub approved_by: Option<String>,
        pub approved_at: Option<OffsetDateTime>,
        /// While it is paused.
        pub paused_by: Option<String>,
        pub paused_reason: Option<String>,
        /// Who rejected, aborted or completed it; why, where a person did.
        pub ended_by: Option<String>,
        pub ended_reason: Option<String>,
        pub ended_at: Option<OffsetDateTime>,
        /// Log position that the items were chosen at.
        pub as_of: i64,
        /// As proposed: items, orders to cancel and to place, worth, messages, and the seconds they take at the rate.
        pub items: i64,
        pub orders_to_cancel: i64,
        pub slices: i64,
        pub notional: i64,
        pub messages: i64,
        pub estimated_seconds: i64,
        pub message_rate_per_s: i64,
        /// Items listed, those without working orders any more, and those settled in each way.
        pub listed: i64,
        pub cancelled: i64,
        pub closed: i64,
        pub nothing_to_do: i64,
        pub refused: i64,
        pub failed: i64,
        /// Their turn never came, because the bulk was aborted.
        pub skipped: i64,
        /// Units that the bulk closed, over all settled items.
        pub closed_quantity: i64,
        /// Milliseconds of running, without pauses, up to the last event.
        pub worked_ms: i64,
        /// At the slower of the estimate's pace and the pace so far; `None` unless it is running.
        pub estimated_end_at: Option<OffsetDateTime>,
        /// Version of the bulk's stream, and log position and time of the event, that the row reflects.
        pub version: i64,
        pub updated_position: i64,
        pub updated_at: OffsetDateTime,
    }
}

table_row! {
    /// A row of `bulk_items`.
    pub struct BulkItemRow in "bulk_items" by "src/bulks/upsert_items.sql" {
        pub bulk_id: Uuid,
        /// Its index in the list, from 0: the cursor of a list.
        pub item: i32,
        /// The position's stream.
        pub stream: String,
        pub client_code: String,
        pub venue: String,
        pub symbol: String,
        pub product: String,
        /// The phase in which it is closed.
        pub phase: String,
        /// When it was listed: signed units, worth, and orders that worked on it.
        pub net_quantity: i64,
        pub notional: i64,
        pub working_orders: i64,
        /// No order works on it any more.
        pub cancelled: bool,
        /// `closed`, `nothing-to-do`, `refused`, `failed` or `skipped`; `None` while that is open.
        pub outcome: Option<String>,
        /// Units closed; or, of a failure, units left.
        pub outcome_quantity: Option<i64>,
        /// Code of the refusal, or reason of the failure.
        pub outcome_reason: Option<String>,
        pub settled_at: Option<OffsetDateTime>,
        pub version: i64,
        pub updated_position: i64,
    }
}
