//! Suspense: reports of the exchange that fit nothing, and what became of them.

mod fold;
mod query;

pub(crate) use fold::FoldedSuspense;
pub use query::{SuspenseFilter, suspended, suspense};

use crate::cell::table_row;
use time::OffsetDateTime;

table_row! {
    /// A row of `suspense`. Quantity in units, price in 1/10,000 rupee.
    pub struct SuspenseRow in "suspense" by "src/suspense/upsert.sql" {
        /// Log position of the report: the row's identity and the cursor of a list.
        pub position: i64,
        pub stream: String,
        pub venue: String,
        /// Names the report within its stream.
        pub report_key: String,
        /// Why it fits nothing.
        pub reason: String,
        /// The message, `|` for the field separator.
        pub message: String,
        pub suspended_at: OffsetDateTime,
        /// The execution it tells of, where it does.
        pub execution_key: Option<String>,
        pub account: Option<String>,
        pub symbol: Option<String>,
        pub side: Option<String>,
        pub quantity: Option<i64>,
        pub price: Option<i64>,
        /// `open`, `matched` or `dismissed`.
        pub state: String,
        /// Stream of the position it belongs to; unless it is `matched`, of the one where a match of it was begun and not concluded.
        pub matched_stream: Option<String>,
        /// The person, or the source of the primary's row.
        pub settled_by: Option<String>,
        pub settled_reason: Option<String>,
        pub settled_at: Option<OffsetDateTime>,
        /// Stream of the position that the primary named last against what was settled.
        pub contradicted_stream: Option<String>,
        /// Version of the stream, and log position, that the row reflects.
        pub version: i64,
        pub updated_position: i64,
    }
}
