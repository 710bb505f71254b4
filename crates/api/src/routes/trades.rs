//! `GET /v1/trades`.

use super::{
    cursor, day, filter, flag, next, one_of, order_id, outage, page_rows, rupees, wait_for,
};
use crate::auth::Who;
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use squareoff_domain::position::TradeStatus;
use squareoff_domain::{ClientCode, ExecutionKey, Symbol, Venue};
use squareoff_projections::trades::{CORRECTION, TradeFilter, TradeRow, UNBOOKED, trades};
use time::OffsetDateTime;
use uuid::Uuid;

/// Who told of a trade.
const ORIGINS: &[&str] = &["ours", "external", "primary", "drop-copy"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    client_code: Option<String>,
    order_id: Option<String>,
    venue: Option<String>,
    symbol: Option<String>,
    trading_date: Option<String>,
    origin: Option<String>,
    status: Option<String>,
    execution_key: Option<String>,
    /// Only what the drop copy tells otherwise, or alone.
    breaks: Option<String>,
    /// `next` of the page before.
    before: Option<String>,
    limit: Option<String>,
    at_least: Option<String>,
}

#[derive(Serialize)]
pub struct Page {
    trades: Vec<Trade>,
    /// `before` of the next page; absent when this one was not full.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    position: String,
}

/// Quantities in units, prices in rupees.
#[derive(Serialize)]
struct Trade {
    execution_key: String,
    origin: String,
    /// Absent of what the primary or the drop copy told.
    order_id: Option<Uuid>,
    stream: String,
    trading_date: String,
    client_code: String,
    venue: String,
    symbol: String,
    product: String,
    side: String,
    /// As last corrected; what it was when it is busted.
    quantity: i64,
    price: String,
    told_quantity: i64,
    told_price: String,
    /// What it counts: nothing when it is busted or not booked.
    live_quantity: i64,
    status: String,
    /// For a person to look into.
    is_break: bool,
    drop_copy_side: Option<String>,
    drop_copy_quantity: Option<i64>,
    drop_copy_price: Option<String>,
    exchange_order_id: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    executed_at: OffsetDateTime,
    /// The fill came after the order had ended here.
    late: bool,
    event_position: String,
}

pub async fn list(
    State(app): State<App>,
    who: Who,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page>, Problem> {
    let origin = query.origin;
    let origin = origin.map(|origin| one_of("origin", origin, ORIGINS));
    let status = query.status.map(|status| {
        let known = TradeStatus::ALL.iter().map(|known| known.as_str());
        let known: Vec<_> = known.chain([UNBOOKED, CORRECTION]).collect();
        one_of("status", status, &known)
    });
    let limit = page_rows(query.limit.as_deref())?;
    let wanted = TradeFilter {
        client_code: who.own_list(filter::<ClientCode>("client_code", query.client_code)?),
        order_id: query.order_id.as_deref().map(order_id).transpose()?,
        venue: filter::<Venue>("venue", query.venue)?,
        symbol: filter::<Symbol>("symbol", query.symbol)?,
        trading_date: day("trading_date", query.trading_date.as_deref())?,
        origin: origin.transpose()?,
        status: status.transpose()?,
        execution_key: filter::<ExecutionKey>("execution_key", query.execution_key)?,
        breaks: flag("breaks", query.breaks)?,
        before: cursor(query.before.as_deref())?,
        limit: Some(limit),
    };
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = trades(&app.reads, &wanted).await.map_err(outage)?;
    let next = next(&found.value, limit, |row| row.position);
    let trades = found.value.into_iter().map(Trade::from).collect();
    Ok(Json(Page {
        trades,
        next,
        position: found.position.to_string(),
    }))
}

impl From<TradeRow> for Trade {
    fn from(row: TradeRow) -> Self {
        Trade {
            execution_key: row.execution_key,
            origin: row.origin.into_owned(),
            order_id: row.order_id,
            stream: row.stream.to_string(),
            trading_date: row.trading_date.to_string(),
            client_code: row.client_code.to_string(),
            venue: row.venue.into_owned(),
            symbol: row.symbol.to_string(),
            product: row.product.into_owned(),
            side: row.side.into_owned(),
            quantity: row.quantity,
            price: rupees(row.price),
            told_quantity: row.told_quantity,
            told_price: rupees(row.told_price),
            live_quantity: row.live_quantity,
            status: row.status.into_owned(),
            is_break: row.is_break,
            drop_copy_side: row.drop_copy_side,
            drop_copy_quantity: row.drop_copy_quantity,
            drop_copy_price: row.drop_copy_price.map(rupees),
            exchange_order_id: row.exchange_order_id,
            executed_at: row.executed_at,
            late: row.late,
            event_position: row.position.to_string(),
        }
    }
}
