//! Trades: one row per execution as it stands, and one per trade that only the drop copy told of until its execution comes.

mod query;

pub use query::{TradeCount, TradeFilter, TradeTotal, trade, trade_count, trade_totals, trades};

use crate::cell::{Word, table_row};
use crate::fold::{FoldedPosition, Told};
use crate::orders::origin;
use crate::units::{date, units};
use squareoff_domain::{ExecutionKey, Quantity};
use std::sync::Arc;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// Beside [`squareoff_domain::position::TradeStatus::as_str`]: only the drop copy told of it, a break.
pub const UNBOOKED: &str = "unbooked";
/// The drop copy told of it before it turned out to be the correction of another trade, which is where it counts.
pub const CORRECTION: &str = "correction";

table_row! {
    /// A row of `trades`. Quantities in units, prices in 1/10,000 rupee.
    pub struct TradeRow in "trades" by "src/trades/upsert.sql" {
        /// Log position of the first event that told of it: the row's identity and the cursor of a list.
        pub position: i64,
        /// `<venue>|<trade date>|<ExecID>`.
        pub execution_key: String,
        /// Of an order of `ours`, of an `external` one, told by the `primary`, or by the `drop-copy` alone.
        pub origin: Word,
        /// `None` for what the primary or the drop copy told.
        pub order_id: Option<Uuid>,
        pub stream: Arc<str>,
        pub trading_date: Date,
        pub client_code: Arc<str>,
        pub venue: Word,
        pub symbol: Arc<str>,
        pub product: Word,
        pub side: Word,
        /// As it stands: as last corrected, or what it was when it is busted.
        pub quantity: i64,
        pub price: i64,
        /// As it was first told.
        pub told_quantity: i64,
        pub told_price: i64,
        /// What it counts: nothing when it is busted or not booked.
        pub live_quantity: i64,
        /// As [`squareoff_domain::position::TradeStatus::as_str`], or [`UNBOOKED`], or [`CORRECTION`].
        pub status: Word,
        /// The drop copy says otherwise, or it alone says so: for a person to look into.
        pub is_break: bool,
        /// What the drop copy says of it; of several sayings that it was taken back (a quantity of zero), else the one that agrees, or
        /// else the greatest.
        pub drop_copy_side: Option<String>,
        pub drop_copy_quantity: Option<i64>,
        pub drop_copy_price: Option<i64>,
        pub exchange_order_id: Option<String>,
        /// When the venue made it as far as was told, otherwise when it was recorded.
        pub executed_at: OffsetDateTime,
        /// When it was recorded and who told, if the first to tell booked it; `None` for what the drop copy told first.
        pub told_at: Option<OffsetDateTime>,
        pub told_by: Option<String>,
        /// The order had already ended here when the fill came.
        pub late: bool,
        /// Version of the stream, and log position and time of the event, that last changed the trade.
        pub version: i64,
        pub updated_position: i64,
        pub updated_at: OffsetDateTime,
    }
}

pub(crate) fn row(
    stream: &Arc<str>,
    folded: &FoldedPosition,
    execution: &ExecutionKey,
    told: &Told,
) -> TradeRow {
    let (key, position) = (&folded.key, &folded.position);
    let trade = position.trade(execution);
    let unbooked = || {
        position
            .unbooked()
            .any(|(unbooked, _)| unbooked == execution)
    };
    let status = match trade {
        Some(trade) => trade.status.as_str(),
        None if unbooked() => UNBOOKED,
        None => CORRECTION,
    };
    let order = trade.and_then(|trade| trade.order);
    let from = match (trade, order.and_then(|id| position.orders.get(&id))) {
        (None, _) => "drop-copy",
        (Some(_), Some(order)) => origin(order.origin),
        (Some(trade), None) if trade.order.is_some() => "ours",
        (Some(_), None) => "primary",
    };
    let (quantity, price) = trade.map_or((told.quantity, told.price), |trade| {
        (trade.quantity, trade.price)
    });
    let side = trade.map_or(told.side, |trade| trade.side);
    let said = position.confirmations.get(execution);
    let void = said.and_then(|said| said.iter().find(|said| said.quantity.is_zero()));
    let agrees = said.and_then(|said| {
        let mut said = said.iter().rev();
        said.find(|said| (said.side, said.quantity, said.price) == (side, quantity, price))
    });
    let said = void.or(agrees).or(said.and_then(|said| said.last()));
    TradeRow {
        position: told.position,
        execution_key: execution.as_str().to_owned(),
        origin: from.into(),
        order_id: order.map(|order| order.0),
        stream: Arc::clone(stream),
        trading_date: date(key.date),
        client_code: Arc::clone(&folded.client),
        venue: key.venue.as_str().into(),
        symbol: Arc::clone(&folded.symbol),
        product: key.product.as_str().into(),
        side: side.as_str().into(),
        quantity: units(quantity),
        price: price.0,
        told_quantity: units(told.quantity),
        told_price: told.price.0,
        live_quantity: units(trade.map_or(Quantity::ZERO, |trade| trade.live_quantity())),
        status: status.into(),
        is_break: position.is_break(execution),
        drop_copy_side: said.map(|said| said.side.as_str().to_owned()),
        drop_copy_quantity: said.map(|said| units(said.quantity)),
        drop_copy_price: said.map(|said| said.price.0),
        exchange_order_id: told
            .exchange_order_id
            .as_ref()
            .map(|id| id.as_str().to_owned()),
        executed_at: told.executed_at,
        told_at: told.booked.as_ref().map(|(at, _)| *at),
        told_by: told.booked.as_ref().map(|(_, by)| by.to_string()),
        late: told.late,
        version: told.changed.version,
        updated_position: told.changed.position,
        updated_at: told.changed.at,
    }
}
