//! The sample book, its files and their import, through the crate's public face.

// Clippy sees tests only in test functions, not in what they share.
#![allow(clippy::unwrap_used)]

mod bad_files;
mod drop_copy;
mod import;
mod intraday;
mod killed;
mod sample;
mod write;

use squareoff_primary::{Book, SampleBook, generate};

fn small() -> SampleBook {
    SampleBook {
        clients: 60,
        positions: 400,
        ..SampleBook::of("2026-11-20".parse().unwrap())
    }
}

fn small_book() -> Book {
    generate(&small()).unwrap()
}
