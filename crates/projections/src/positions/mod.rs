//! Positions: one row per client, instrument, product and trading day, as the domain's fold leaves them. What depends on the
//! instrument (segment, expiry, the mark and the profit against it) is joined when it is asked for, because it changes with other
//! events.

mod matching;
mod query;

pub use matching::{Matching, MatchingPosition, positions_matching};
pub use query::{
    PositionCursor, PositionFilter, PositionSort, position, positions, positions_of_client,
    positions_open,
};

use crate::cell::table_row;
use crate::contracts::Listing;
use crate::fold::FoldedPosition;
use crate::units::{date, small_count, units, whole};
use squareoff_domain::position::Netting;
use squareoff_domain::{Price, Quantity};
use time::{Date, OffsetDateTime};

table_row! {
    /// A row of `positions` as it is stored; see [`PositionRow`] for what is shown.
    pub(crate) struct StoredPosition in "positions" by "src/positions/upsert.sql" {
        pub stream: String,
        pub trading_date: Date,
        pub client_code: String,
        pub venue: String,
        pub symbol: String,
        pub product: String,
        pub bod_quantity: i64,
        pub bod_average_price: i64,
        pub net_quantity: i64,
        pub working_quantity: i64,
        pub external_working_quantity: i64,
        pub closable_quantity: i64,
        pub working_orders: i32,
        pub external_working_orders: i32,
        pub average_price: Option<i64>,
        pub open_cost: i64,
        pub realized_profit: i64,
        pub bought_quantity: i64,
        pub sold_quantity: i64,
        pub trades: i32,
        pub unbooked_trades: i32,
        pub contradicted_trades: i32,
        pub contradictions: i32,
        pub frozen_reason: Option<String>,
        pub handed_back_epoch: Option<i64>,
        pub version: i64,
        pub updated_position: i64,
        pub updated_at: OffsetDateTime,
    }
}

/// A position as it is shown. Quantities in units, prices and money in 1/10,000 rupee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionRow {
    /// The position's stream, its identity, and the cursor of a list.
    pub stream: String,
    pub trading_date: Date,
    pub client_code: String,
    pub venue: String,
    pub symbol: String,
    pub product: String,
    /// Of the contract, while it is known: `CM`, `FO`, `CD`, `COM`; `equity`, `index-future` and so on; `CE` or `PE`.
    pub segment: Option<String>,
    pub kind: Option<String>,
    pub expiry: Option<Date>,
    pub option_type: Option<String>,
    pub bod_quantity: i64,
    pub bod_average_price: i64,
    /// Signed: positive is long.
    pub net_quantity: i64,
    /// The most that orders on their way may still fill, ours and external; and of that the external orders.
    pub working_quantity: i64,
    pub external_working_quantity: i64,
    /// What may still be asked for.
    pub closable_quantity: i64,
    /// How many orders may still fill.
    pub working_orders: i32,
    pub external_working_orders: i32,
    /// Of the open quantity; `None` when flat.
    pub average_price: Option<i64>,
    pub realized_profit: i64,
    /// Against the mark; `None` without one, zero when flat.
    pub unrealized_profit: Option<i64>,
    /// The contract's reference price, and when it was current.
    pub mark: Option<i64>,
    pub mark_at: Option<OffsetDateTime>,
    /// Today's turnover.
    pub bought_quantity: i64,
    pub sold_quantity: i64,
    /// Executions, live or busted.
    pub trades: i32,
    /// Breaks: trades that only the drop copy told of, and trades that it tells otherwise.
    pub unbooked_trades: i32,
    pub contradicted_trades: i32,
    /// Facts that contradicted what was known.
    pub contradictions: i32,
    /// Why nothing may be placed until a person unfreezes it.
    pub frozen_reason: Option<String>,
    /// The epoch in which the primary got it back.
    pub handed_back_epoch: Option<i64>,
    /// Version of the stream, and log position and time of the event, that last changed what is shown.
    pub version: i64,
    pub updated_position: i64,
    pub updated_at: OffsetDateTime,
}

impl PositionRow {
    /// The join that a query makes, without Postgres.
    pub(crate) fn of(row: StoredPosition, listing: Option<&Listing>) -> Self {
        let unrealized = |listing: &Listing| {
            let worth = i128::from(listing.reference_price) * i128::from(row.net_quantity);
            let profit = worth - i128::from(row.open_cost);
            let nearest = profit.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
            i64::try_from(nearest).expect("clamped to it")
        };
        let unrealized_profit = match row.net_quantity {
            0 => Some(0),
            _ => listing.map(unrealized),
        };
        PositionRow {
            stream: row.stream,
            trading_date: row.trading_date,
            client_code: row.client_code,
            venue: row.venue,
            symbol: row.symbol,
            product: row.product,
            segment: listing.map(|listing| listing.segment.to_owned()),
            kind: listing.map(|listing| listing.kind.to_owned()),
            expiry: listing.and_then(|listing| listing.expiry),
            option_type: listing.and_then(|listing| listing.option_type.map(str::to_owned)),
            bod_quantity: row.bod_quantity,
            bod_average_price: row.bod_average_price,
            net_quantity: row.net_quantity,
            working_quantity: row.working_quantity,
            external_working_quantity: row.external_working_quantity,
            closable_quantity: row.closable_quantity,
            working_orders: row.working_orders,
            external_working_orders: row.external_working_orders,
            average_price: row.average_price,
            realized_profit: row.realized_profit,
            unrealized_profit,
            mark: listing.map(|listing| listing.reference_price),
            mark_at: listing.map(|listing| listing.reference_at),
            bought_quantity: row.bought_quantity,
            sold_quantity: row.sold_quantity,
            trades: row.trades,
            unbooked_trades: row.unbooked_trades,
            contradicted_trades: row.contradicted_trades,
            contradictions: row.contradictions,
            frozen_reason: row.frozen_reason,
            handed_back_epoch: row.handed_back_epoch,
            version: row.version,
            updated_position: row.updated_position,
            updated_at: row.updated_at,
        }
    }
}

/// `netting` is of the position's trades.
pub(crate) fn row(stream: &str, folded: &FoldedPosition, netting: &Netting) -> StoredPosition {
    let (key, position) = (&folded.key, &folded.position);
    // Marked at nothing, what is unrealized is what the open quantity cost, the other way round.
    let profit = netting.profit(Some(Price(0)));
    let closing = position.closing_side();
    let (mut orders, mut external_orders, mut external) = (0, 0, Quantity::ZERO);
    for order in position.orders.values() {
        let leaves = order.leaves();
        if leaves.is_zero() {
            continue;
        }
        orders += 1;
        if !order.is_ours() {
            external_orders += 1;
            if Some(order.side) == closing {
                external = external.plus(leaves);
            }
        }
    }
    StoredPosition {
        stream: stream.to_owned(),
        trading_date: date(key.date),
        client_code: key.client.as_str().to_owned(),
        venue: key.venue.as_str().to_owned(),
        symbol: key.symbol.as_str().to_owned(),
        product: key.product.as_str().to_owned(),
        bod_quantity: position.bod.0,
        bod_average_price: position.bod_average_price.0,
        net_quantity: position.net.0,
        working_quantity: units(position.working()),
        external_working_quantity: units(external),
        closable_quantity: units(position.closable()),
        working_orders: small_count(orders),
        external_working_orders: small_count(external_orders),
        average_price: profit.average_price.map(|price| price.0),
        open_cost: profit
            .unrealized
            .map_or(0, |worth| worth.0.saturating_neg()),
        realized_profit: profit.realized.0,
        bought_quantity: whole(profit.bought),
        sold_quantity: whole(profit.sold),
        trades: small_count(position.executions.len()),
        unbooked_trades: small_count(position.unbooked().count()),
        contradicted_trades: contradicted(folded),
        contradictions: small_count(position.contradictions.len()),
        frozen_reason: position.frozen.clone(),
        handed_back_epoch: position.handed_back.map(i64::from),
        version: folded.shown.version,
        updated_position: folded.shown.position,
        updated_at: folded.shown.at,
    }
}

/// Without a drop copy nothing is contradicted, and nothing need be derived.
fn contradicted(folded: &FoldedPosition) -> i32 {
    let position = &folded.position;
    let booked = position.confirmations.keys();
    let booked = booked.filter(|key| position.executions.contains_key(*key));
    small_count(booked.filter(|key| position.is_break(key)).count())
}
