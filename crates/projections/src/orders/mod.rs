//! Orders: one row each, ours and external, with the status the domain derives.

mod query;

pub use query::{OrderFilter, order, orders};

use crate::cell::{Word, table_row};
use crate::fold::{FoldedPosition, Placed};
use crate::units::{date, small_count, units};
use squareoff_domain::OrderId;
use squareoff_domain::position::{Order, Origin, TimeInForce};
use std::sync::Arc;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

table_row! {
    /// A row of `orders`. Quantities in units, prices in 1/10,000 rupee.
    pub struct OrderRow in "orders" by "src/orders/upsert.sql" {
        pub order_id: Uuid,
        /// The ClOrdID it was placed with.
        pub cl_ord_id: String,
        /// What the venue knows it by, since its last accepted replace.
        pub current_cl_ord_id: String,
        /// `ours`, or `external`: placed on the primary before the outage.
        pub origin: Word,
        /// Stream of the order's position.
        pub stream: Arc<str>,
        pub trading_date: Date,
        pub client_code: Arc<str>,
        pub venue: Word,
        pub symbol: Arc<str>,
        pub product: Word,
        pub side: Word,
        /// As they stand, after what was replaced.
        pub quantity: i64,
        pub price: i64,
        /// As it was placed.
        pub placed_quantity: i64,
        pub placed_price: i64,
        /// Changes asked for, whatever became of them.
        pub replaces: i32,
        /// `DAY` or `IOC`.
        pub time_in_force: Word,
        /// Which slice of how many, from 1.
        pub slice: i32,
        pub slices: i32,
        /// `None` for an external order.
        pub request_id: Option<Uuid>,
        pub exchange_order_id: Option<String>,
        pub cumulative_quantity: i64,
        /// The most that may still fill.
        pub leaves_quantity: i64,
        /// Value over quantity of its live executions, rounded towards zero; `None` before the first.
        pub average_price: Option<i64>,
        /// As [`squareoff_domain::position::OrderStatus::as_str`].
        pub status: Word,
        /// It may still fill.
        pub working: bool,
        /// Fills that came after the order had ended here.
        pub late_fills: i32,
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
}

pub(crate) fn row(
    stream: &Arc<str>,
    folded: &FoldedPosition,
    id: OrderId,
    order: &Order,
    placed: &Placed,
) -> OrderRow {
    let key = &folded.key;
    OrderRow {
        order_id: id.0,
        cl_ord_id: order.cl_ord_id.as_str().to_owned(),
        current_cl_ord_id: order.current_cl_ord_id().as_str().to_owned(),
        origin: origin(order.origin).into(),
        stream: Arc::clone(stream),
        trading_date: date(key.date),
        client_code: Arc::clone(&folded.client),
        venue: key.venue.as_str().into(),
        symbol: Arc::clone(&folded.symbol),
        product: key.product.as_str().into(),
        side: order.side.as_str().into(),
        quantity: units(order.quantity),
        price: order.price.0,
        placed_quantity: units(placed.quantity),
        placed_price: placed.price.0,
        replaces: small_count(order.replaces.len()),
        time_in_force: time_in_force(placed.time_in_force).into(),
        slice: placed.slice,
        slices: placed.slices,
        request_id: placed.request_id.map(|request| request.0),
        exchange_order_id: order
            .exchange_order_id
            .as_ref()
            .map(|id| id.as_str().to_owned()),
        cumulative_quantity: units(order.filled()),
        leaves_quantity: units(order.leaves()),
        average_price: average_price(folded, placed),
        status: order.status().as_str().into(),
        working: !order.leaves().is_zero(),
        late_fills: placed.late_fills,
        reject_code: placed.reject.as_ref().map(|(code, _)| *code),
        reject_text: placed.reject.as_ref().map(|(_, text)| text.clone()),
        placed_at: placed.placed_at,
        placed_position: placed.placed_position,
        version: placed.changed.version,
        updated_position: placed.changed.position,
        updated_at: placed.changed.at,
    }
}

/// Of its executions as they stand.
fn average_price(folded: &FoldedPosition, placed: &Placed) -> Option<i64> {
    let trades = placed.executions.iter();
    let (value, quantity) = trades.filter_map(|key| folded.position.trade(key)).fold(
        (0_i128, 0_i128),
        |(value, quantity), trade| {
            let units = i128::from(trade.live_quantity().units());
            let worth = units.saturating_mul(i128::from(trade.price.0));
            (value.saturating_add(worth), quantity.saturating_add(units))
        },
    );
    let average = value.checked_div(quantity)?;
    Some(i64::try_from(average).unwrap_or(i64::MAX))
}

pub(crate) const fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Ours => "ours",
        Origin::External => "external",
    }
}

/// As FIX tag 59 and the events spell it.
pub(crate) const fn time_in_force(time_in_force: TimeInForce) -> &'static str {
    match time_in_force {
        TimeInForce::Day => "DAY",
        TimeInForce::ImmediateOrCancel => "IOC",
    }
}
