//! Reconciliation: what the event log says of a trading day, held against everybody else who saw it, trade by trade, order by order and
//! position by position.
//!
//! | module | does |
//! |---|---|
//! | [`sides`] | what each side says, as plain values |
//! | [`mod@compare`] | the comparison: pure, without IO or clock |
//! | [`breaks`] | what a difference is: its kind, its money, its likely cause and what to do |
//! | [`totals`] | counts, quantities and rupees of each side by venue, segment, client and instrument |
//! | [`read`] | reads the sides: log, ledger, files, Postgres |
//! | [`mod@reconcile`] | all of it for one day, as the command does it |
//!
//! 1. The log is the hub: every other side is held against it, and nobody is taken to be right.
//! 2. Equal means equal: quantities and prices have no tolerance.
//! 3. A side that is absent is said to be absent. It counts as nothing, least of all as equal.
//! 4. The same sides in any order of their lines give the same breaks in the same order.
//! 5. It reads. Nothing is appended, corrected or settled from here: a break is for a person.

pub mod breaks;
pub mod compare;
pub mod read;
pub mod reconcile;
pub mod sides;
pub mod totals;

pub use breaks::{Break, Kind};
pub use compare::{Compared, compare};
pub use reconcile::{Asked, ReconcileError, Reconciliation, Verdict, reconcile};
pub use sides::{Sides, Source};
