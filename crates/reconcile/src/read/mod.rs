//! Reads the sides. Each reader keeps what belongs to the day and the venue that are asked for, and says aloud what it can't read.

pub mod files;
pub mod ledger;
pub mod log;

use squareoff_domain::{TradingDate, Venue};
use std::collections::HashSet;
use std::sync::Arc;

/// Trades of one day that a side may have. All sides are held in memory: a million trades, each on four sides, were measured to need
/// 1.5 GiB at most, and more than 3 GiB a machine beside a running platform can't be counted on to have.
pub const TRADES_MAX: usize = 2_000_000;

/// What is reconciled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    pub date: TradingDate,
    /// All of them when `None`.
    pub venue: Option<Venue>,
}

impl Scope {
    pub fn takes(&self, venue: Venue) -> bool {
        self.venue.is_none_or(|only| only == venue)
    }
}

/// Texts that repeat over a day, each kept once.
#[derive(Debug, Default)]
pub(crate) struct Texts(HashSet<Arc<str>>);

impl Texts {
    pub fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.0.insert(Arc::clone(&new));
        new
    }
}
