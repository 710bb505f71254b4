//! Bytes as a history: each byte string is a script of requests, reports and events over a small universe of ids, so that they meet.
//! Shared by the fuzz targets (`fuzz/fuzz_targets/`), which search for bytes, and `corpus.rs`, which replays the ones they kept.
//!
//! What each aggregate's `run` holds, whatever the bytes:
//! 1. nothing panics, be the events such that no decision could have made them, with numbers at the ends of their types;
//! 2. a report told twice gives no event the second time, an accepted request asked twice gives none either, and a refusal has none;
//! 3. of a position never more can be closed than is open, and no accepted request puts more on its way than that.
//!
//! A script may also fold events that nobody decided; from there on only the first holds, for what the rules kept is broken already.

pub mod approval;
pub mod bulk;
mod event;
pub mod platform;
pub mod position;
mod script;
pub mod suspense;
mod universe;
