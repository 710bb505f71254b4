//! Histories that no one thought of, replayed: the corpus that fuzzing found interesting (`fuzz/corpus/`), on every run of the tests.

#![allow(
    clippy::unwrap_used,
    reason = "a test; the lint knows only functions marked as one"
)]

mod corpus;
mod histories;
