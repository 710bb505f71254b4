//! The broker's primary platform, as far as its files reach: what they are, a generated sample of them, and
//! their import into the event log.
//!
//! | module | does |
//! |---|---|
//! | [`book`] | the day's contracts, clients and positions, and the folder of CSV files they are written to |
//! | [`sample`] | generates a made-up book from a seed |
//! | [`bod`] | reads a folder strictly and names every mistake |
//! | [`import`](mod@import) | records a book in the log; the same book again appends nothing |
//! | [`drop_copy`] | a venue's own list of trades: confirms what is booked, or says that it is wrong |
//! | [`intraday`] | what the primary did on the day: its orders that may still fill, its trades |
//!
//! 1. A book is imported whole or refused whole: one bad cell and nothing is appended.
//! 2. Identities are read and checked here, shown in no message, and recorded by whoever has the keys (`squareoff-identity`).
//!
//! Not here yet: a live feed, the primary's health. The hand-back is asked for over HTTP.

pub mod bod;
pub mod book;
pub mod drop_copy;
mod format;
pub mod import;
pub mod intraday;
pub mod sample;

pub use bod::{BodError, Mistake, read};
pub use book::{
    Book, ClientLine, ContractLine, Existing, Identity, PositionLine, Versions, WriteError,
};
pub use import::{ImportError, ImportReport, ImportedBy, import};
pub use intraday::{Intraday, IntradayReport};
pub use sample::{SampleBook, SampleError, generate};
