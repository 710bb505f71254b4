//! Lists of orders, newest or oldest first, and one order by its id.

use super::OrderRow;
use crate::query::{Reflecting, page_size, reflecting};
use sqlx::PgPool;
use time::Date;
use uuid::Uuid;

/// Which orders of a list; every field that is set must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderFilter {
    pub client_code: Option<String>,
    /// As [`squareoff_domain::position::OrderStatus::as_str`].
    pub status: Option<String>,
    pub venue: Option<String>,
    pub symbol: Option<String>,
    pub product: Option<String>,
    pub trading_date: Option<Date>,
    /// `ours` or `external`.
    pub origin: Option<String>,
    /// The square-off that it was placed for.
    pub request_id: Option<Uuid>,
    /// Only orders that may still fill: cheap, however many there were.
    pub working: bool,
    /// Oldest first; else newest first.
    pub oldest_first: bool,
    /// The cursor: only orders behind the one of this log position in the list's order, the `placed_position` of the last row of the page
    /// before.
    pub behind: Option<i64>,
    /// Rows of a page: 1 to [`crate::PAGE_ROWS_MAX`], [`crate::PAGE_ROWS_DEFAULT`] when `None`; what is outside is moved inside.
    pub limit: Option<i64>,
}

/// Orders, newest first, or oldest first.
///
/// # Errors
/// When Postgres is away.
pub async fn orders(
    pool: &PgPool,
    filter: &OrderFilter,
) -> Result<Reflecting<Vec<OrderRow>>, sqlx::Error> {
    macro_rules! page {
        ($file:literal) => {
            reflecting!(pool, |connection| sqlx::query_file_as!(
                OrderRow,
                $file,
                filter.client_code.as_deref(),
                filter.status.as_deref(),
                filter.venue.as_deref(),
                filter.symbol.as_deref(),
                filter.product.as_deref(),
                filter.trading_date,
                filter.origin.as_deref(),
                filter.request_id,
                filter.working,
                filter.behind,
                page_size(filter.limit),
            )
            .fetch_all(connection))
        };
    }
    if filter.oldest_first {
        page!("src/orders/oldest.sql")
    } else {
        page!("src/orders/list.sql")
    }
}

/// The order of this id.
///
/// # Errors
/// When Postgres is away.
pub async fn order(
    pool: &PgPool,
    order_id: Uuid,
) -> Result<Reflecting<Option<OrderRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        OrderRow,
        "src/orders/by_id.sql",
        order_id
    )
    .fetch_optional(connection))
}
