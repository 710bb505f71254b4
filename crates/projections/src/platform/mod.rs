//! The platform as it is: its phase, the kill switches, the orders to cancel everything, each segment's market phase; and with the same
//! fold the incidents, see [`crate::incidents`].

mod fold;
mod query;

pub(crate) use fold::FoldedPlatform;
pub use query::{PlatformShown, platform};

use crate::cell::table_row;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

table_row! {
    /// The one row of `platform`.
    pub struct PlatformRow in "platform" by "src/platform/upsert.sql" {
        pub stream: String,
        /// As [`squareoff_domain::platform::Phase::as_str`].
        pub phase: String,
        /// Since when, and the actor of the event that brought it there.
        pub phase_since: OffsetDateTime,
        pub phase_by: String,
        /// Zero until the first activation.
        pub epoch: i64,
        /// Of the activation that is or was in force last.
        pub trading_date: Option<Date>,
        /// The activation that was asked for and is not in force yet.
        pub asked_date: Option<Date>,
        pub asked_reason: Option<String>,
        pub asked_outage_began_at: Option<OffsetDateTime>,
        pub asked_by: Option<String>,
        pub asked_approved_by: Option<String>,
        /// Who asked for the hand-back that is under way.
        pub handback_requested_by: Option<String>,
        /// Version of the stream, and log position and time of the event, that the row reflects.
        pub version: i64,
        pub updated_position: i64,
        pub updated_at: OffsetDateTime,
    }
}

table_row! {
    /// A row of `halts`: a kill switch, also after it was taken back.
    pub struct HaltRow in "halts" by "src/platform/upsert_halts.sql" {
        /// `all`, `NSE`, `NSE/FO`.
        pub scope: String,
        pub halted: bool,
        pub reason: String,
        pub halted_by: String,
        pub halted_at: OffsetDateTime,
        /// A person who asked to take it back, while another has to approve; who asked, once it is taken back.
        pub resume_requested_by: Option<String>,
        pub resume_reason: Option<String>,
        /// Who approved.
        pub resumed_by: Option<String>,
        pub resumed_at: Option<OffsetDateTime>,
        pub version: i64,
        pub updated_position: i64,
    }
}

table_row! {
    /// A row of `cancel_alls`.
    pub struct CancelAllRow in "cancel_alls" by "src/platform/upsert_cancel_alls.sql" {
        pub kill_id: Uuid,
        /// `all`, `NSE`, `NSE/FO`.
        pub scope: String,
        /// `requested`, `ordered`, `rejected`, or `lapsed` with the activation.
        pub state: String,
        pub reason: String,
        pub requested_by: String,
        pub requested_at: OffsetDateTime,
        pub requested_position: i64,
        pub decided_by: Option<String>,
        pub decided_at: Option<OffsetDateTime>,
        pub version: i64,
        pub updated_position: i64,
    }
}

table_row! {
    /// A row of `market_phases`: what was told last of a segment.
    pub struct MarketPhaseRow in "market_phases" by "src/platform/upsert_market_phases.sql" {
        pub venue: String,
        /// `CM`, `FO`, `CD`, `COM`.
        pub segment: String,
        /// The day that is spoken of: another day's phase says nothing of today.
        pub trading_date: Date,
        /// As [`squareoff_domain::platform::MarketPhase::as_str`].
        pub phase: String,
        pub source: String,
        pub since: OffsetDateTime,
        pub version: i64,
        pub updated_position: i64,
    }
}
