//! `GET /v1/trades`.

use super::rows::Wanted;
use super::{
    by_age, day, filter, flag, next, one_of, order_id, outage, page_rows, rupees, wait_for,
};
use crate::auth::Who;
use crate::document::values;
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use squareoff_domain::position::TradeStatus;
use squareoff_domain::{ClientCode, ExecutionKey, Symbol, Venue};
use squareoff_projections::trades::{CORRECTION, TradeFilter, TradeRow, UNBOOKED, trades};
use time::OffsetDateTime;
use uuid::Uuid;

/// Who told of a trade.
const ORIGINS: &[&str] = &["ours", "external", "primary", "drop-copy"];

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    #[param(value_type = values::ClientCode, required = false)]
    client_code: Option<String>,
    #[param(value_type = Uuid, required = false)]
    order_id: Option<String>,
    #[param(value_type = values::VenueName, required = false)]
    venue: Option<String>,
    #[param(value_type = values::Symbol, required = false)]
    symbol: Option<String>,
    #[param(value_type = values::TradingDay, required = false)]
    trading_date: Option<String>,
    #[param(value_type = values::TradeOrigin, required = false)]
    origin: Option<String>,
    #[param(value_type = values::TradeState, required = false)]
    status: Option<String>,
    #[param(value_type = values::ExecutionText, required = false)]
    execution_key: Option<String>,
    /// Only what the drop copy tells otherwise, or alone.
    #[param(value_type = bool, required = false)]
    breaks: Option<String>,
    /// Newest first, or oldest first.
    #[param(value_type = values::TradeSort, required = false)]
    sort: Option<String>,
    /// `next` of the page before, where the newest are first.
    #[param(value_type = values::LogPosition, required = false)]
    before: Option<String>,
    /// The same, where the oldest are first.
    #[param(value_type = values::LogPosition, required = false)]
    after: Option<String>,
    #[param(value_type = u32, minimum = 1, maximum = 500, default = 100, required = false)]
    limit: Option<String>,
    #[param(value_type = values::LogPosition, required = false)]
    at_least: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = TradePage)]
pub struct Page {
    trades: Vec<Trade>,
    /// `before` of the next page, or `after` where the oldest are first; absent when this one was not full.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = values::LogPosition, required = false)]
    next: Option<String>,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

/// Quantities in units, prices in rupees.
#[derive(Serialize, utoipa::ToSchema)]
struct Trade {
    #[schema(value_type = values::ExecutionText)]
    execution_key: String,
    #[schema(value_type = values::TradeOrigin)]
    origin: String,
    /// Absent of what the primary or the drop copy told.
    #[schema(required = true)]
    order_id: Option<Uuid>,
    #[schema(value_type = values::PositionStream)]
    stream: String,
    #[schema(value_type = values::TradingDay)]
    trading_date: String,
    #[schema(value_type = values::ClientCode)]
    client_code: String,
    #[schema(value_type = values::VenueName)]
    venue: String,
    #[schema(value_type = values::Symbol)]
    symbol: String,
    #[schema(value_type = values::ProductName)]
    product: String,
    #[schema(value_type = values::SideName)]
    side: String,
    /// As last corrected; what it was when it is busted.
    quantity: i64,
    #[schema(value_type = values::Rupees)]
    price: String,
    told_quantity: i64,
    #[schema(value_type = values::Rupees)]
    told_price: String,
    /// What it counts: nothing when it is busted or not booked.
    live_quantity: i64,
    #[schema(value_type = values::TradeState)]
    status: String,
    /// For a person to look into.
    is_break: bool,
    #[schema(value_type = Option<values::SideName>, required = true)]
    drop_copy_side: Option<String>,
    #[schema(required = true)]
    drop_copy_quantity: Option<i64>,
    #[schema(value_type = Option<values::Rupees>, required = true)]
    drop_copy_price: Option<String>,
    #[schema(required = true)]
    exchange_order_id: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = values::Instant)]
    executed_at: OffsetDateTime,
    /// The fill came after the order had ended here.
    late: bool,
    #[schema(value_type = values::LogPosition)]
    event_position: String,
}

/// The trades, newest first unless `sort` says otherwise; `breaks=true` is the list of breaks, for a person to look into.
#[utoipa::path(
    get,
    path = "/v1/trades",
    operation_id = "listTrades",
    tag = "Trades",
    params(ListQuery),
    responses((status = 200, description = "A page of trades; with `Accept: text/csv` its rows, `Link` to the next and `x-log-position`", content((Page = "application/json"), (String = "text/csv")))),
    extensions(("x-problems" = json!(["cursor-of-another-order"]))),
)]
pub async fn list(
    State(app): State<App>,
    who: Who,
    rows: Wanted,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let origin = query.origin;
    let origin = origin.map(|origin| one_of("origin", origin, ORIGINS));
    let status = query.status.map(|status| {
        let known = TradeStatus::ALL.iter().map(|known| known.as_str());
        let known: Vec<_> = known.chain([UNBOOKED, CORRECTION]).collect();
        one_of("status", status, &known)
    });
    let limit = page_rows(query.limit.as_deref())?;
    let pages = (query.before.as_deref(), query.after.as_deref());
    let (oldest_first, behind) = by_age("executed_at", query.sort, pages)?;
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
        oldest_first,
        behind,
        limit: Some(limit),
    };
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = trades(&app.reads, &wanted).await.map_err(outage)?;
    let next = next(&found.value, limit, |row| row.position);
    let trades: Vec<_> = found.value.into_iter().map(Trade::from).collect();
    let position = found.position.to_string();
    rows.page(
        trades,
        if oldest_first { "after" } else { "before" },
        next,
        position,
        |trades, next, position| Page {
            trades,
            next,
            position,
        },
    )
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
