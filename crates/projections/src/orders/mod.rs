//! Orders: one row each, with the status the domain derives.

mod query;

pub use query::{OrderFilter, order, orders};

use crate::copy::CopyRows;
use crate::fold::{Folded, Placed};
use crate::units::units;
use crate::write::column;
use sqlx::PgConnection;
use squareoff_domain::OrderId;
use squareoff_domain::position::{Order, TimeInForce};
use time::OffsetDateTime;
use uuid::Uuid;

/// A row of `orders`. Quantities in units, prices in 1/10,000 rupee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    pub order_id: Uuid,
    pub cl_ord_id: String,
    /// Stream of the order's position.
    pub stream: String,
    pub client_code: String,
    pub venue: String,
    pub symbol: String,
    pub product: String,
    pub side: String,
    pub quantity: i64,
    pub price: i64,
    /// `DAY` or `IOC`.
    pub time_in_force: String,
    /// Which slice of how many, from 1.
    pub slice: i32,
    pub slices: i32,
    pub request_id: Uuid,
    pub exchange_order_id: Option<String>,
    pub cumulative_quantity: i64,
    /// The most that may still fill.
    pub leaves_quantity: i64,
    /// Value over quantity of the fills, rounded towards zero; `None` before the first.
    pub average_price: Option<i64>,
    /// As [`squareoff_domain::position::OrderStatus::as_str`].
    pub status: String,
    pub reject_code: Option<i64>,
    pub reject_text: Option<String>,
    pub placed_at: OffsetDateTime,
    /// Position of the order's first event: the cursor of a list.
    pub placed_position: i64,
    /// Version of the stream, and log position and time of the event, that last changed the order.
    pub version: i64,
    pub updated_position: i64,
    pub updated_at: OffsetDateTime,
}

pub(crate) fn row(
    stream: &str,
    folded: &Folded,
    id: OrderId,
    order: &Order,
    placed: &Placed,
) -> OrderRow {
    let key = &folded.key;
    let cumulative = order.cumulative.units();
    let average = placed.value.checked_div(i128::from(cumulative));
    OrderRow {
        order_id: id.0,
        cl_ord_id: order.cl_ord_id.as_str().to_owned(),
        stream: stream.to_owned(),
        client_code: key.client.as_str().to_owned(),
        venue: key.venue.as_str().to_owned(),
        symbol: key.symbol.as_str().to_owned(),
        product: key.product.as_str().to_owned(),
        side: order.side.as_str().to_owned(),
        quantity: units(order.quantity),
        price: order.price.0,
        time_in_force: time_in_force(order.time_in_force).to_owned(),
        slice: placed.slice,
        slices: placed.slices,
        request_id: placed.request_id.0,
        exchange_order_id: order
            .exchange_order_id
            .as_ref()
            .map(|id| id.as_str().to_owned()),
        cumulative_quantity: units(order.cumulative),
        leaves_quantity: units(order.leaves()),
        average_price: average.map(|price| i64::try_from(price).unwrap_or(i64::MAX)),
        status: order.status().as_str().to_owned(),
        reject_code: placed.reject.as_ref().map(|(code, _)| *code),
        reject_text: placed.reject.as_ref().map(|(_, text)| text.clone()),
        placed_at: placed.placed_at,
        placed_position: placed.placed_position,
        version: placed.version,
        updated_position: placed.updated_position,
        updated_at: placed.updated_at,
    }
}

/// As FIX tag 59 and the events spell it.
const fn time_in_force(time_in_force: TimeInForce) -> &'static str {
    match time_in_force {
        TimeInForce::Day => "DAY",
        TimeInForce::ImmediateOrCancel => "IOC",
    }
}

pub(crate) async fn upsert(
    connection: &mut PgConnection,
    rows: &[OrderRow],
) -> Result<(), sqlx::Error> {
    sqlx::query_file!(
        "src/orders/upsert.sql",
        &column(rows, |row| row.order_id),
        &column(rows, |row| &*row.cl_ord_id) as &[&str],
        &column(rows, |row| &*row.stream) as &[&str],
        &column(rows, |row| &*row.client_code) as &[&str],
        &column(rows, |row| &*row.venue) as &[&str],
        &column(rows, |row| &*row.symbol) as &[&str],
        &column(rows, |row| &*row.product) as &[&str],
        &column(rows, |row| &*row.side) as &[&str],
        &column(rows, |row| row.quantity),
        &column(rows, |row| row.price),
        &column(rows, |row| &*row.time_in_force) as &[&str],
        &column(rows, |row| row.slice),
        &column(rows, |row| row.slices),
        &column(rows, |row| row.request_id),
        &column(rows, |row| row.exchange_order_id.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.cumulative_quantity),
        &column(rows, |row| row.leaves_quantity),
        &column(rows, |row| row.average_price) as &[Option<i64>],
        &column(rows, |row| &*row.status) as &[&str],
        &column(rows, |row| row.reject_code) as &[Option<i64>],
        &column(rows, |row| row.reject_text.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.placed_at),
        &column(rows, |row| row.placed_position),
        &column(rows, |row| row.version),
        &column(rows, |row| row.updated_position),
        &column(rows, |row| row.updated_at),
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) const COPY: &str = "COPY orders (order_id, cl_ord_id, stream, client_code, venue, symbol, product, side, quantity, \
     price, time_in_force, slice, slices, request_id, exchange_order_id, cumulative_quantity, leaves_quantity, average_price, \
     status, reject_code, reject_text, placed_at, placed_position, version, updated_position, updated_at) \
     FROM STDIN (FORMAT binary)";

pub(crate) fn copy(row: &OrderRow, rows: &mut CopyRows) {
    rows.row(26);
    rows.uuid(row.order_id);
    rows.text(&row.cl_ord_id);
    rows.text(&row.stream);
    rows.text(&row.client_code);
    rows.text(&row.venue);
    rows.text(&row.symbol);
    rows.text(&row.product);
    rows.text(&row.side);
    rows.big(row.quantity);
    rows.big(row.price);
    rows.text(&row.time_in_force);
    rows.integer(row.slice);
    rows.integer(row.slices);
    rows.uuid(row.request_id);
    rows.text_or_null(row.exchange_order_id.as_deref());
    rows.big(row.cumulative_quantity);
    rows.big(row.leaves_quantity);
    rows.big_or_null(row.average_price);
    rows.text(&row.status);
    rows.big_or_null(row.reject_code);
    rows.text_or_null(row.reject_text.as_deref());
    rows.instant(row.placed_at);
    rows.big(row.placed_position);
    rows.big(row.version);
    rows.big(row.updated_position);
    rows.instant(row.updated_at);
}
