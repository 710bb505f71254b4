//! `GET /v1/trades`.

use super::{cursor, filter, next, order_id, outage, page_rows, rupees, wait_for};
use crate::auth::Actor;
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use squareoff_domain::{ClientCode, Symbol, Venue};
use squareoff_projections::trades::{TradeFilter, TradeRow, trades};
use time::OffsetDateTime;
use uuid::Uuid;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    client_code: Option<String>,
    order_id: Option<String>,
    venue: Option<String>,
    symbol: Option<String>,
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

/// Quantity in units, price in rupees.
#[derive(Serialize)]
struct Trade {
    execution_key: String,
    /// Absent when no order of ours or of the primary is known to have made it.
    order_id: Option<Uuid>,
    stream: String,
    client_code: String,
    venue: String,
    symbol: String,
    side: String,
    quantity: i64,
    price: String,
    #[serde(with = "time::serde::rfc3339")]
    executed_at: OffsetDateTime,
    /// The fill came after the order had ended here.
    late: bool,
    event_position: String,
}

pub async fn list(
    State(app): State<App>,
    _: Actor,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page>, Problem> {
    let limit = page_rows(query.limit.as_deref())?;
    let wanted = TradeFilter {
        client_code: filter::<ClientCode>("client_code", query.client_code)?,
        order_id: query.order_id.as_deref().map(order_id).transpose()?,
        venue: filter::<Venue>("venue", query.venue)?,
        symbol: filter::<Symbol>("symbol", query.symbol)?,
        before: cursor(query.before.as_deref())?,
        limit: Some(limit),
        ..TradeFilter::default()
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
            order_id: row.order_id,
            stream: row.stream,
            client_code: row.client_code,
            venue: row.venue,
            symbol: row.symbol,
            side: row.side,
            quantity: row.quantity,
            price: rupees(row.price),
            executed_at: row.executed_at,
            late: row.late,
            event_position: row.position.to_string(),
        }
    }
}
