//! Everything the read models show of one trading day, in one snapshot: what a reconciliation holds against the log.

use crate::query::{Reflecting, reflecting};
use crate::units;
use futures::TryStreamExt;
use sqlx::{PgConnection, PgPool};
use squareoff_domain::{TradingDate, Venue};
use time::Date;
use uuid::Uuid;

/// Rows of all orders, trades and positions of a day, of one venue or of all. Quantities in units, prices in 1/10,000 rupee.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Day {
    pub positions: Vec<DayPosition>,
    pub orders: Vec<DayOrder>,
    pub trades: Vec<DayTrade>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayPosition {
    pub stream: String,
    pub bod_quantity: i64,
    pub net_quantity: i64,
    pub working_quantity: i64,
    pub frozen: bool,
    pub handed_back_epoch: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayOrder {
    pub order_id: Uuid,
    pub stream: String,
    pub side: String,
    pub quantity: i64,
    pub price: i64,
    pub cumulative_quantity: i64,
    pub leaves_quantity: i64,
    pub status: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayTrade {
    pub execution_key: String,
    pub stream: String,
    pub order_id: Option<Uuid>,
    pub side: String,
    pub quantity: i64,
    pub price: i64,
    pub live_quantity: i64,
    /// As in [`TradeRow::status`](crate::trades::TradeRow::status).
    pub status: String,
}

/// The day and the log position that it reflects.
///
/// # Errors
/// When Postgres is away, or the read models were replaced during each of several tries.
pub async fn day(
    pool: &PgPool,
    date: TradingDate,
    venue: Option<Venue>,
) -> Result<Reflecting<Day>, sqlx::Error> {
    let (date, venue) = (units::date(date), venue.map(Venue::as_str));
    reflecting!(pool, |connection| read(connection, date, venue))
}

async fn read(
    connection: &mut PgConnection,
    date: Date,
    venue: Option<&str>,
) -> Result<Day, sqlx::Error> {
    let positions = sqlx::query_as!(
        DayPosition,
        r#"SELECT
               stream,
               bod_quantity,
               net_quantity,
               working_quantity,
               frozen_reason IS NOT NULL AS "frozen!",
               handed_back_epoch
           FROM positions
           WHERE trading_date = $1 AND ($2::text IS NULL OR venue = $2)"#,
        date,
        venue,
    );
    let positions = positions.fetch(&mut *connection).try_collect().await?;
    let orders = sqlx::query_as!(
        DayOrder,
        r#"SELECT
               order_id,
               stream,
               side,
               quantity,
               price,
               cumulative_quantity,
               leaves_quantity,
               status
           FROM orders
           WHERE trading_date = $1 AND ($2::text IS NULL OR venue = $2)"#,
        date,
        venue,
    );
    let orders = orders.fetch(&mut *connection).try_collect().await?;
    let trades = sqlx::query_as!(
        DayTrade,
        r#"SELECT
               execution_key,
               stream,
               order_id,
               side,
               quantity,
               price,
               live_quantity,
               status
           FROM trades
           WHERE trading_date = $1 AND ($2::text IS NULL OR venue = $2)"#,
        date,
        venue,
    );
    let trades = trades.fetch(&mut *connection).try_collect().await?;
    Ok(Day {
        positions,
        orders,
        trades,
    })
}
