//! Contracts of a day, in order of venue and symbol, and one by its name.

use super::ContractRow;
use crate::query::{Reflecting, page_size, reflecting};
use sqlx::{PgConnection, PgPool};
use time::Date;

/// Which contracts of a list; every field that is set must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractFilter {
    pub trading_date: Date,
    pub venue: Option<String>,
    pub segment: Option<String>,
    pub expiry: Option<Date>,
    /// The cursor: venue and symbol of the last row of the page before.
    pub after: Option<(String, String)>,
    /// Rows of a page, as in every list.
    pub limit: Option<i64>,
}

/// # Errors
/// When Postgres is away.
pub async fn contracts(
    pool: &PgPool,
    filter: &ContractFilter,
) -> Result<Reflecting<Vec<ContractRow>>, sqlx::Error> {
    let (venue, symbol) = filter.after.clone().unzip();
    reflecting!(pool, |connection| sqlx::query_file_as!(
        ContractRow,
        "src/contracts/list.sql",
        filter.trading_date,
        filter.venue.as_deref(),
        filter.segment.as_deref(),
        filter.expiry,
        venue.as_deref(),
        symbol.as_deref(),
        page_size(filter.limit),
    )
    .fetch_all(connection))
}

/// The contract of this name, on this day.
///
/// # Errors
/// When Postgres is away.
pub async fn contract(
    pool: &PgPool,
    trading_date: Date,
    venue: &str,
    symbol: &str,
) -> Result<Reflecting<Option<ContractRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        ContractRow,
        "src/contracts/by_name.sql",
        trading_date,
        venue,
        symbol
    )
    .fetch_optional(connection))
}

/// Every contract of a day.
pub(crate) async fn contracts_of(
    connection: &mut PgConnection,
    trading_date: Date,
) -> Result<Vec<ContractRow>, sqlx::Error> {
    sqlx::query_file_as!(ContractRow, "src/contracts/of_day.sql", trading_date)
        .fetch_all(connection)
        .await
}
