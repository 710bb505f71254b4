//! Lists of trades, newest or oldest first, one trade, and the totals that are checked against the exchange's ledger.

use super::TradeRow;
use crate::query::{Reflecting, page_size, reflecting};
use sqlx::PgPool;
use time::Date;
use uuid::Uuid;

/// Which trades of a list; every field that is set must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TradeFilter {
    pub client_code: Option<String>,
    pub order_id: Option<Uuid>,
    pub venue: Option<String>,
    pub symbol: Option<String>,
    pub trading_date: Option<Date>,
    /// `ours`, `external`, `primary` or `drop-copy`.
    pub origin: Option<String>,
    /// As in [`TradeRow::status`].
    pub status: Option<String>,
    pub execution_key: Option<String>,
    /// Only what the drop copy says otherwise, or alone says: cheap, however many trades there are.
    pub breaks: bool,
    /// Oldest first; else newest first.
    pub oldest_first: bool,
    /// The cursor: only trades behind the one of this log position in the list's order, the `position` of the last row of the page before.
    pub behind: Option<i64>,
    /// Rows of a page: 1 to [`crate::PAGE_ROWS_MAX`], [`crate::PAGE_ROWS_DEFAULT`] when `None`; what is outside is moved inside.
    pub limit: Option<i64>,
}

/// All live trades of orders, ours and external, of one client in one instrument on one side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TradeTotal {
    pub client_code: String,
    pub venue: String,
    pub symbol: String,
    pub side: String,
    /// Units.
    pub quantity: i64,
    pub trades: i64,
}

/// How many trades of orders there are, and how many different executions they name: equal unless a venue used an ExecID twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradeCount {
    pub trades: i64,
    pub executions: i64,
}

/// Trades, newest first, or oldest first.
///
/// # Errors
/// When Postgres is away.
pub async fn trades(
    pool: &PgPool,
    filter: &TradeFilter,
) -> Result<Reflecting<Vec<TradeRow>>, sqlx::Error> {
    macro_rules! page {
        ($file:literal) => {
            reflecting!(pool, |connection| sqlx::query_file_as!(
                TradeRow,
                $file,
                filter.client_code.as_deref(),
                filter.order_id,
                filter.venue.as_deref(),
                filter.symbol.as_deref(),
                filter.trading_date,
                filter.origin.as_deref(),
                filter.status.as_deref(),
                filter.execution_key.as_deref(),
                filter.breaks,
                filter.behind,
                page_size(filter.limit),
            )
            .fetch_all(connection))
        };
    }
    if filter.oldest_first {
        page!("src/trades/oldest.sql")
    } else {
        page!("src/trades/list.sql")
    }
}

/// The trade whose first event is at this log position.
///
/// # Errors
/// When Postgres is away.
pub async fn trade(
    pool: &PgPool,
    position: i64,
) -> Result<Reflecting<Option<TradeRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        TradeRow,
        "src/trades/by_position.sql",
        position
    )
    .fetch_optional(connection))
}

/// Every total, in order of client, venue, symbol and side.
///
/// # Errors
/// When Postgres is away.
pub async fn trade_totals(pool: &PgPool) -> Result<Reflecting<Vec<TradeTotal>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        TradeTotal,
        "src/trades/totals.sql"
    )
    .fetch_all(connection))
}

/// # Errors
/// When Postgres is away.
pub async fn trade_count(pool: &PgPool) -> Result<Reflecting<TradeCount>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_as!(
        TradeCount,
        r#"SELECT count(*) AS "trades!", count(DISTINCT execution_key) AS "executions!"
               FROM trades
               WHERE order_id IS NOT NULL"#,
    )
    .fetch_one(connection))
}
