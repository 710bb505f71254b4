//! Lists of positions in the order of their streams or of another field, a client's positions, and one by its stream.

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
    pub sort: PositionSort,
    pub descending: bool,
    /// The cursor: what [`PositionSort::key`] says of the last row of the page before.
    pub after: Option<PositionCursor>,
    /// Rows of a page, as in every list.
    pub limit: Option<i64>,
}

/// What a list of positions is in the order of; where that is the same, in the order of their streams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PositionSort {
    /// Their streams: client, venue, symbol, product.
    #[default]
    ClientCode,
    Symbol,
    ClosableQuantity,
    /// The open quantity at the reference price, without sign.
    Notional,
    UnrealizedProfit,
}

/// Where a page of a list ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionCursor {
    /// Of the last row, where the list is in the order of a number.
    pub number: Option<i64>,
    pub stream: String,
    /// Of the last row.
    pub symbol: String,
}

impl PositionSort {
    pub const ALL: &'static [PositionSort] = &[
        PositionSort::ClientCode,
        PositionSort::Symbol,
        PositionSort::ClosableQuantity,
        PositionSort::Notional,
        PositionSort::UnrealizedProfit,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            PositionSort::ClientCode => "client_code",
            PositionSort::Symbol => "symbol",
            PositionSort::ClosableQuantity => "closable_quantity",
            PositionSort::Notional => "notional",
            PositionSort::UnrealizedProfit => "unrealized_profit",
        }
    }

    /// Whether the list is in the order of a number.
    pub const fn is_of_number(self) -> bool {
        match self {
            PositionSort::ClientCode | PositionSort::Symbol => false,
            PositionSort::ClosableQuantity
            | PositionSort::Notional
            | PositionSort::UnrealizedProfit => true,
        }
    }

    /// The cursor behind the row. What nobody knows counts as nothing, as in `sorted.sql`.
    pub fn key(self, row: &PositionRow) -> PositionCursor {
        let number = match self {
            PositionSort::ClientCode | PositionSort::Symbol => None,
            PositionSort::ClosableQuantity => Some(row.closable_quantity),
            PositionSort::Notional => {
                let value = i128::from(row.net_quantity.unsigned_abs())
                    * i128::from(row.mark.unwrap_or_default());
                Some(i64::try_from(value).unwrap_or(i64::MAX))
            }
            PositionSort::UnrealizedProfit => {
                let known = row.mark.and(row.unrealized_profit);
                Some(known.unwrap_or_default())
            }
        };
        PositionCursor {
            number,
            stream: row.stream.clone(),
            symbol: row.symbol.clone(),
        }
    }
}

/// Positions in the order that the filter says.
///
/// # Errors
/// When Postgres is away.
pub async fn positions(
    pool: &PgPool,
    filter: &PositionFilter,
) -> Result<Reflecting<Vec<PositionRow>>, sqlx::Error> {
    let after = filter.after.as_ref();
    let stream = after.map(|after| after.stream.as_str());
    // The order of the key needs no sorting.
    if (filter.sort, filter.descending) == (PositionSort::ClientCode, false) {
        return reflecting!(pool, |connection| sqlx::query_file_as!(
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
            stream,
            page_size(filter.limit),
        )
        .fetch_all(connection));
    }
    let number = after.and_then(|after| after.number).unwrap_or_default();
    let word = match filter.sort {
        PositionSort::Symbol => after.map_or("", |after| after.symbol.as_str()),
        PositionSort::ClientCode
        | PositionSort::ClosableQuantity
        | PositionSort::Notional
        | PositionSort::UnrealizedProfit => "",
    };
    reflecting!(pool, |connection| sqlx::query_file_as!(
        PositionRow,
        "src/positions/sorted.sql",
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
        stream,
        page_size(filter.limit),
        filter.sort.as_str(),
        filter.descending,
        number,
        word,
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
