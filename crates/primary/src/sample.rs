//! A made-up book, so that the platform can be tried without a broker's data.
//!
//! Instruments and figures look like the Indian market of 2026 but are `sample` in every line; clients are invented: no PAN, e-mail
//! or phone number here can belong to anybody.
//!
//! 1. The same arguments give the same bytes, on every machine and in every release of the random number crates.
//! 2. Contracts depend on seed and date alone: a book of more clients trades the same instruments at the same prices.
//! 3. Each (client, instrument, product) stands at most once; delivery (CNC) is cash and long, carry-forward (NRML) derivatives.
//! 4. Every quantity is whole lots and closes in at most [`SLICES_MAX`] orders.

mod calendar;
mod clients;
mod dice;
mod instruments;
mod intraday;
mod positions;

use crate::book::Book;
use dice::{Dice, Part};
use squareoff_domain::TradingDate;
use thiserror::Error;

pub use intraday::intraday;
pub use positions::SLICES_MAX;

/// What the `source` column says of every generated line.
pub const SOURCE: &str = "sample";
/// Above any broker's client count that is worth a sample, and what the made-up PANs and memory are sized for.
pub const CLIENTS_MAX: u32 = 1_000_000;

/// What to generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleBook {
    pub seed: u64,
    pub clients: u32,
    pub positions: u32,
    pub trading_date: TradingDate,
}

impl SampleBook {
    /// The sample book of `trading_date` that the documentation talks of: seed 7, 2,000 clients, 8,000 positions.
    pub const fn of(trading_date: TradingDate) -> Self {
        SampleBook {
            seed: 7,
            clients: 2_000,
            positions: 8_000,
            trading_date,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SampleError {
    #[error("{clients} clients are more than the {CLIENTS_MAX} of a sample book")]
    TooManyClients { clients: u32 },
    /// A client holds each instrument and product once.
    #[error("{clients} clients can hold at most {most} positions, not {positions}")]
    TooManyPositions {
        positions: u32,
        clients: u32,
        most: u64,
    },
    #[error("a sample book can't be dated {0}: only years 1971 to 2261")]
    DateOutOfRange(TradingDate),
}

/// # Errors
/// [`SampleError`] when there can be no such book.
pub fn generate(sample: &SampleBook) -> Result<Book, SampleError> {
    let SampleBook {
        seed,
        clients,
        positions,
        trading_date,
    } = *sample;
    if clients > CLIENTS_MAX {
        return Err(SampleError::TooManyClients { clients });
    }
    // Instants are 64 bits of nanoseconds since 1970; the sample needs a day before and three months behind the date.
    if !(1971..=2261).contains(&trading_date.year()) {
        return Err(SampleError::DateOutOfRange(trading_date));
    }
    let contracts = instruments::list(trading_date, &mut Dice::new(seed, Part::Contracts));
    let clients = clients::list(clients, &mut Dice::new(seed, Part::Clients));
    let dice = &mut Dice::new(seed, Part::Positions);
    let positions = positions::list(positions, trading_date, &clients, &contracts, dice)?;
    Ok(Book::of_lines(trading_date, contracts, clients, positions))
}
