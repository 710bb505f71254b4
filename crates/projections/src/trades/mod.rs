//! Trades: one row per execution event; added, never changed.

mod query;

pub use query::{TradeCount, TradeFilter, TradeTotal, trade_count, trade_totals, trades};

use crate::copy::CopyRows;
use crate::units::{instant, position, units};
use crate::write::column;
use sqlx::PgConnection;
use squareoff_domain::PositionKey;
use squareoff_domain::position::Executed;
use squareoff_store::StoredEvent;
use time::OffsetDateTime;
use uuid::Uuid;

/// A row of `trades`. Quantity in units, price in 1/10,000 rupee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradeRow {
    /// Log position of the execution event: the row's identity and the cursor of a list.
    pub position: i64,
    /// `<venue>|<trade date>|<ExecID>`.
    pub execution_key: String,
    pub order_id: Uuid,
    pub stream: String,
    pub client_code: String,
    pub venue: String,
    pub symbol: String,
    pub product: String,
    pub side: String,
    pub quantity: i64,
    pub price: i64,
    pub exchange_order_id: String,
    /// When it happened, as the event's envelope says.
    pub executed_at: OffsetDateTime,
    /// The order had already ended here when the fill came.
    pub late: bool,
}

pub(crate) fn row(stored: &StoredEvent, key: &PositionKey, executed: &Executed) -> TradeRow {
    TradeRow {
        position: position(stored.position),
        execution_key: executed.execution.as_str().to_owned(),
        order_id: executed.order_id.0,
        stream: stored.stream.as_ref().to_owned(),
        client_code: key.client.as_str().to_owned(),
        venue: key.venue.as_str().to_owned(),
        symbol: key.symbol.as_str().to_owned(),
        product: key.product.as_str().to_owned(),
        side: executed.side.as_str().to_owned(),
        quantity: units(executed.quantity),
        price: executed.price.0,
        exchange_order_id: executed.exchange_order_id.as_str().to_owned(),
        executed_at: instant(stored.occurred_at),
        late: executed.late,
    }
}

pub(crate) async fn insert(
    connection: &mut PgConnection,
    rows: &[TradeRow],
) -> Result<(), sqlx::Error> {
    sqlx::query_file!(
        "src/trades/insert.sql",
        &column(rows, |row| row.position),
        &column(rows, |row| &*row.execution_key) as &[&str],
        &column(rows, |row| row.order_id),
        &column(rows, |row| &*row.stream) as &[&str],
        &column(rows, |row| &*row.client_code) as &[&str],
        &column(rows, |row| &*row.venue) as &[&str],
        &column(rows, |row| &*row.symbol) as &[&str],
        &column(rows, |row| &*row.product) as &[&str],
        &column(rows, |row| &*row.side) as &[&str],
        &column(rows, |row| row.quantity),
        &column(rows, |row| row.price),
        &column(rows, |row| &*row.exchange_order_id) as &[&str],
        &column(rows, |row| row.executed_at),
        &column(rows, |row| row.late),
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) const COPY: &str = "COPY trades (position, execution_key, order_id, stream, client_code, venue, symbol, product, side, \
     quantity, price, exchange_order_id, executed_at, late) FROM STDIN (FORMAT binary)";

pub(crate) fn copy(row: &TradeRow, rows: &mut CopyRows) {
    rows.row(14);
    rows.big(row.position);
    rows.text(&row.execution_key);
    rows.uuid(row.order_id);
    rows.text(&row.stream);
    rows.text(&row.client_code);
    rows.text(&row.venue);
    rows.text(&row.symbol);
    rows.text(&row.product);
    rows.text(&row.side);
    rows.big(row.quantity);
    rows.big(row.price);
    rows.text(&row.exchange_order_id);
    rows.instant(row.executed_at);
    rows.flag(row.late);
}
