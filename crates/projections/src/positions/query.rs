//! Lists of positions in the order of their streams, a client's positions, and one by its stream.

use super::PositionRow;
use crate::query::{Reflecting, page_size, reflecting};
use sqlx::PgPool;
use time::Date;

/// Which positions of a list; every field that is set must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PositionFilter {
    /// The latest day that any position is of when `None`.
    pub trading_date: Option<Date>,
    pub client_code: Option<String>,
    pub venue: Option<String>,
    pub symbol: Option<String>,
    pub product: Option<String>,
    pub segment: Option<String>,
    pub expiry: Option<Date>,
    /// Not flat.
    pub open: bool,
    /// With orders that may still fill.
    pub working: bool,
    pub frozen: bool,
    /// With trades that the drop copy tells otherwise or alone, or with contradictions.
    pub breaks: bool,
    /// The cursor: the `stream` of the last row of the page before.
    pub after: Option<String>,
    /// Rows of a page, as in every list.
    pub limit: Option<i64>,
}

/// Positions in the order of their streams: by day, client, venue, symbol, product.
///
/// # Errors
/// When Postgres is away.
pub async fn positions(
    pool: &PgPool,
    filter: &PositionFilter,
) -> Result<Reflecting<Vec<PositionRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        PositionRow,
        "src/positions/list.sql",
        filter.trading_date,
        filter.client_code.as_deref(),
        filter.venue.as_deref(),
        filter.symbol.as_deref(),
        filter.product.as_deref(),
        filter.segment.as_deref(),
        filter.expiry,
        filter.open,
        filter.working,
        filter.frozen,
        filter.breaks,
        filter.after.as_deref(),
        page_size(filter.limit),
    )
    .fetch_all(connection))
}

/// The position of this stream.
///
/// # Errors
/// When Postgres is away.
pub async fn position(
    pool: &PgPool,
    stream: &str,
) -> Result<Reflecting<Option<PositionRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        PositionRow,
        "src/positions/by_stream.sql",
        stream
    )
    .fetch_optional(connection))
}

/// A client's positions of one trading day, by venue, symbol and product; of the latest day that any position is of when `None`.
///
/// # Errors
/// When Postgres is away.
pub async fn positions_of_client(
    pool: &PgPool,
    client_code: &str,
    trading_date: Option<Date>,
) -> Result<Reflecting<Vec<PositionRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        PositionRow,
        "src/positions/of_client.sql",
        client_code,
        trading_date
    )
    .fetch_all(connection))
}

/// How many positions are not flat; of one trading day, or of all.
///
/// # Errors
/// When Postgres is away.
pub async fn positions_open(
    pool: &PgPool,
    trading_date: Option<Date>,
) -> Result<Reflecting<i64>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!"
               FROM positions
               WHERE net_quantity <> 0 AND ($1::date IS NULL OR trading_date = $1)"#,
        trading_date,
    )
    .fetch_one(connection))
}
