//! The broker's own files: the venue's trades of the day, and the positions that the books end the day with. Their columns are those of
//! the drop copy's and the beginning of the day's files (`squareoff_primary`), read as strictly.

use super::{Scope, Texts};
use crate::sides::{Closing, Terms, Told};
use squareoff_domain::{TradingDate, Venue};
use squareoff_primary::BodError;
use squareoff_primary::bod::read_positions;
use squareoff_primary::drop_copy;
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FileError {
    #[error(transparent)]
    Mistakes(#[from] BodError),
    #[error("{file} is of {of}, not of {asked}")]
    OtherDate {
        file: &'static str,
        of: TradingDate,
        asked: TradingDate,
    },
    #[error("the trade file has no trade at {venue}")]
    OtherVenue { venue: Venue },
}

/// # Errors
/// [`FileError`]: every mistake by line and column, or that the file is of another day.
pub fn trades(path: &Path, scope: Scope) -> Result<Vec<Told>, FileError> {
    let (rows, _) = drop_copy::read(path)?;
    if let Some(other) = rows.iter().find(|row| row.date != scope.date) {
        return Err(FileError::OtherDate {
            file: "the trade file",
            of: other.date,
            asked: scope.date,
        });
    }
    let mut texts = Texts::default();
    let of_venue = rows.into_iter().filter(|row| scope.takes(row.venue));
    let trades: Vec<Told> = of_venue
        .map(|row| Told {
            execution: row.execution,
            terms: Terms {
                side: row.side,
                quantity: row.quantity,
                price: row.price,
            },
            busted: false,
            account: Some(texts.shared(row.account.as_str())),
            symbol: Some(texts.shared(row.symbol.as_str())),
            order: row.cl_ord_id.map(|id| Arc::from(id.as_str())),
            at: Some(row.traded_at),
        })
        .collect();
    match scope.venue {
        Some(venue) if trades.is_empty() => Err(FileError::OtherVenue { venue }),
        Some(_) | None => Ok(trades),
    }
}

/// # Errors
/// As [`trades`].
pub fn positions(path: &Path, scope: Scope) -> Result<Vec<Closing>, FileError> {
    let lines = read_positions(path)?;
    if let Some(other) = lines.iter().find(|line| line.key.date != scope.date) {
        return Err(FileError::OtherDate {
            file: "the position file",
            of: other.key.date,
            asked: scope.date,
        });
    }
    let of_venue = lines.into_iter().filter(|line| scope.takes(line.key.venue));
    let closing = of_venue.map(|line| Closing {
        key: line.key,
        net: line.net_quantity,
        average_price: line.average_price,
    });
    Ok(closing.collect())
}
