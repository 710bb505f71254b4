//! Both verifiers, ours and `verify.py`, over the shared vectors and over random edits; the sealer and the witness over a real log and real
//! files, and what an export of it proves.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod cases;
mod edits;
mod exporting;
mod live;
mod python;
mod rig;
mod sample;
mod sealing;
mod witnessing;
