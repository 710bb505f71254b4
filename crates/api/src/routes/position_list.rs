//! `GET /v1/positions`: the read model's positions, of all clients. One position as the log has it is in [`super::positions`].

use super::{day, filter, flag, outage, page_rows, rupees, wait_for};
use crate::auth::Who;
use crate::extract::Query;
use crate::problem::Problem;
use crate::routes::positions::position_key;
use crate::server::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use squareoff_domain::{ClientCode, Product, Segment, Symbol, Venue};
use squareoff_projections::positions::{PositionFilter, PositionRow, positions};
use time::OffsetDateTime;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    trading_date: Option<String>,
    client_code: Option<String>,
    venue: Option<String>,
    symbol: Option<String>,
    product: Option<String>,
    segment: Option<String>,
    expiry: Option<String>,
    open: Option<String>,
    working: Option<String>,
    frozen: Option<String>,
    breaks: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    limit: Option<String>,
    at_least: Option<String>,
}

#[derive(Serialize)]
pub struct Page {
    positions: Vec<Position>,
    /// `after` of the next page; absent when this one was not full.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    position: String,
}

/// Quantities in units, signed where a short position is negative; money in rupees.
#[derive(Serialize)]
pub struct Position {
    stream: String,
    trading_date: String,
    client_code: String,
    venue: String,
    symbol: String,
    product: String,
    segment: Option<String>,
    kind: Option<String>,
    expiry: Option<String>,
    bod_quantity: i64,
    bod_average_price: String,
    net_quantity: i64,
    /// On its way to the exchange.
    working_quantity: i64,
    external_working_quantity: i64,
    /// What may still be squared off.
    closable_quantity: i64,
    working_orders: i32,
    average_price: Option<String>,
    realized_profit: String,
    unrealized_profit: Option<String>,
    mark_price: Option<String>,
    bought_quantity: i64,
    sold_quantity: i64,
    /// Trades that the drop copy tells alone, or otherwise.
    unbooked_trades: i32,
    contradicted_trades: i32,
    contradictions: i32,
    frozen_reason: Option<String>,
    handed_back_epoch: Option<i64>,
    version: i64,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

pub async fn list(
    State(app): State<App>,
    who: Who,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page>, Problem> {
    let limit = page_rows(query.limit.as_deref())?;
    if let Some(after) = &query.after {
        position_key(after).map_err(|problem| {
            Problem::invalid_parameter(problem.detail.replacen("`stream`", "`after`", 1))
        })?;
    }
    let wanted = PositionFilter {
        trading_date: day("trading_date", query.trading_date.as_deref())?,
        client_code: who.own_list(filter::<ClientCode>("client_code", query.client_code)?),
        venue: filter::<Venue>("venue", query.venue)?,
        symbol: filter::<Symbol>("symbol", query.symbol)?,
        product: filter::<Product>("product", query.product)?,
        segment: filter::<Segment>("segment", query.segment)?,
        expiry: day("expiry", query.expiry.as_deref())?,
        open: flag("open", query.open)?,
        working: flag("working", query.working)?,
        frozen: flag("frozen", query.frozen)?,
        breaks: flag("breaks", query.breaks)?,
        after: query.after,
        limit: Some(limit),
    };
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = positions(&app.reads, &wanted).await.map_err(outage)?;
    let full = i64::try_from(found.value.len()).unwrap_or(i64::MAX) >= limit;
    let next = found.value.last().filter(|_| full);
    let next = next.map(|row| row.stream.clone());
    Ok(Json(Page {
        positions: found.value.into_iter().map(Position::from).collect(),
        next,
        position: found.position.to_string(),
    }))
}

impl From<PositionRow> for Position {
    fn from(row: PositionRow) -> Self {
        Position {
            stream: row.stream,
            trading_date: row.trading_date.to_string(),
            client_code: row.client_code,
            venue: row.venue,
            symbol: row.symbol,
            product: row.product,
            segment: row.segment,
            kind: row.kind,
            expiry: row.expiry.map(|date| date.to_string()),
            bod_quantity: row.bod_quantity,
            bod_average_price: rupees(row.bod_average_price),
            net_quantity: row.net_quantity,
            working_quantity: row.working_quantity,
            external_working_quantity: row.external_working_quantity,
            closable_quantity: row.closable_quantity,
            working_orders: row.working_orders,
            average_price: row.average_price.map(rupees),
            realized_profit: rupees(row.realized_profit),
            unrealized_profit: row.unrealized_profit.map(rupees),
            mark_price: row.mark.map(rupees),
            bought_quantity: row.bought_quantity,
            sold_quantity: row.sold_quantity,
            unbooked_trades: row.unbooked_trades,
            contradicted_trades: row.contradicted_trades,
            contradictions: row.contradictions,
            frozen_reason: row.frozen_reason,
            handed_back_epoch: row.handed_back_epoch,
            version: row.version,
            updated_at: row.updated_at,
        }
    }
}
