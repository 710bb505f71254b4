//! The read database: the log's events become rows in Postgres, and people's questions are answered from them.
//!
//! | module | does |
//! |---|---|
//! | [`cluster`] | starts and watches a private PostgreSQL server |
//! | [`clients`], [`contracts`], [`positions`], [`orders`], [`trades`], [`bulks`], [`platform`], [`incidents`], [`suspense`], [`approvals`], [`audit`] | one read model each: rows, SQL, queries |
//! | [`day`](mod@day) | all rows of one trading day in one snapshot, for the reconciliation |
//! | [`run`] | projects the log live |
//! | [`LiveFold`] | says of each event what live readers are told |
//! | [`rebuild()`] | makes the read models anew beside the live ones, compares, swaps; goes on when it was killed |
//! | [`rebuild_as_of`] | makes an auditor's copy of a moment of the log |
//! | [`Part`] | has a role of its own in the database, with the rights that it needs |
//! | [`Watcher`] | waits for a position |
//!
//! 1. A batch of events and the checkpoint commit in one transaction. 2. Same events, same rows: one fold serves both ways.
//! 3. Every answer says which log position it reflects. 4. Read models can be dropped and rebuilt; nothing else lives in their schema.
//!
//! It appends nothing to the log, and knows neither JSON nor HTTP.

pub mod approvals;
pub mod audit;
pub mod bulks;
mod cell;
pub mod clients;
pub mod cluster;
pub mod contracts;
mod copy;
mod database;
pub mod day;
mod fold;
pub mod incidents;
pub mod orders;
mod origin;
pub mod platform;
pub mod positions;
mod query;
mod rebuild;
mod rights;
mod runner;
pub mod suspense;
#[cfg(feature = "testing")]
pub mod testing;
pub mod trades;
mod units;
mod watcher;
mod write;

pub use database::{Database, DatabaseError};
pub use fold::{FoldError, LiveChange, LiveFold, LivePlatform};
pub use origin::{OriginError, OtherLog};
pub use query::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, Reflecting, checkpoint};
pub use rebuild::{
    AsOf, AsOfReport, Comparison, Copied, Difference, Moment, Progress, RebuildError,
    RebuildOptions, RebuildReport, SEGMENT_EVENTS, SEGMENT_EVENTS_MAX, SchemaName, SchemaNameError,
    Stage, SwapWhen, drop_as_of, list_as_of, rebuild, rebuild_as_of,
};
pub use rights::Part;
pub use runner::{BATCH_EVENTS_MAX, RunError, run};
pub use watcher::{NotYet, Watcher};
