//! The vault over a real log: what is recorded, shown, found, revealed and forgotten, and what a crash in the middle leaves.

// A helper outside a test function may unwrap as a test does.
#![allow(clippy::unwrap_used)]

mod acting;
mod crashes;
mod world;
