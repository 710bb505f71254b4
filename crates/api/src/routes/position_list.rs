//! `GET /v1/positions`: the read model's positions, of all clients. One position as the log has it is in [`super::positions`].

use super::rows::Wanted;
use super::{
    day, filter, flag, one_of, other_order, outage, page_rows, parameter, rupees, wait_for,
};
use crate::auth::Who;
use crate::document::values;
use crate::extract::Query;
use crate::problem::Problem;
use crate::routes::positions::position_key;
use crate::server::App;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use squareoff_domain::{ClientCode, Product, Segment, Symbol, Venue};
use squareoff_projections::positions::{
    PositionCursor, PositionFilter, PositionRow, PositionSort, positions,
};
use time::OffsetDateTime;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    #[param(value_type = values::TradingDay, required = false)]
    trading_date: Option<String>,
    #[param(value_type = values::ClientCode, required = false)]
    client_code: Option<String>,
    #[param(value_type = values::VenueName, required = false)]
    venue: Option<String>,
    #[param(value_type = values::Symbol, required = false)]
    symbol: Option<String>,
    #[param(value_type = values::ProductName, required = false)]
    product: Option<String>,
    #[param(value_type = values::SegmentName, required = false)]
    segment: Option<String>,
    #[param(value_type = values::TradingDay, required = false)]
    expiry: Option<String>,
    #[param(value_type = bool, required = false)]
    open: Option<String>,
    #[param(value_type = bool, required = false)]
    working: Option<String>,
    #[param(value_type = bool, required = false)]
    frozen: Option<String>,
    #[param(value_type = bool, required = false)]
    breaks: Option<String>,
    /// What they are in the order of: `client_code`, which is the order of their streams, where nothing is said.
    #[param(value_type = values::PositionOrder, required = false)]
    sort: Option<String>,
    /// `next` of the page before, in the same order.
    #[param(value_type = values::PositionCursor, required = false)]
    after: Option<String>,
    #[param(value_type = u32, minimum = 1, maximum = 500, default = 100, required = false)]
    limit: Option<String>,
    #[param(value_type = values::LogPosition, required = false)]
    at_least: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = PositionPage)]
pub struct Page {
    positions: Vec<Position>,
    /// `after` of the next page; absent when this one was not full.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = values::PositionCursor, required = false)]
    next: Option<String>,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

/// Quantities in units, signed where a short position is negative; money in rupees.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Position {
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
    #[schema(value_type = Option<values::SegmentName>, required = true)]
    segment: Option<String>,
    #[schema(required = true)]
    kind: Option<String>,
    #[schema(value_type = Option<values::TradingDay>, required = true)]
    expiry: Option<String>,
    bod_quantity: i64,
    #[schema(value_type = values::Rupees)]
    bod_average_price: String,
    net_quantity: i64,
    /// On its way to the exchange.
    working_quantity: i64,
    external_working_quantity: i64,
    /// What may still be squared off.
    closable_quantity: i64,
    working_orders: i32,
    #[schema(value_type = Option<values::Rupees>, required = true)]
    average_price: Option<String>,
    #[schema(value_type = values::Rupees)]
    realized_profit: String,
    #[schema(value_type = Option<values::Rupees>, required = true)]
    unrealized_profit: Option<String>,
    #[schema(value_type = Option<values::Rupees>, required = true)]
    mark_price: Option<String>,
    bought_quantity: i64,
    sold_quantity: i64,
    /// Trades that the drop copy tells alone, or otherwise.
    unbooked_trades: i32,
    contradicted_trades: i32,
    contradictions: i32,
    #[schema(required = true)]
    frozen_reason: Option<String>,
    #[schema(required = true)]
    handed_back_epoch: Option<i64>,
    version: i64,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = values::Instant)]
    updated_at: OffsetDateTime,
}

/// The positions of all clients, in the order of their streams unless `sort` says otherwise.
///
/// What an order is of may change between two pages: a position that moves ahead meanwhile is on none of those behind it.
///
/// Without `trading_date` of the latest date there is.
#[utoipa::path(
    get,
    path = "/v1/positions",
    operation_id = "listPositions",
    tag = "Positions",
    params(ListQuery),
    responses((status = 200, description = "A page of positions; with `Accept: text/csv` its rows, `Link` to the next and `x-log-position`", content((Page = "application/json"), (String = "text/csv")))),
    extensions(("x-problems" = json!(["cursor-of-another-order"]))),
)]
pub async fn list(
    State(app): State<App>,
    who: Who,
    rows: Wanted,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let limit = page_rows(query.limit.as_deref())?;
    let (sort, descending) = sorted(query.sort)?;
    let after = query.after.map(|after| page(sort, &after)).transpose()?;
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
        sort,
        descending,
        after,
        limit: Some(limit),
    };
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = positions(&app.reads, &wanted).await.map_err(outage)?;
    let full = i64::try_from(found.value.len()).unwrap_or(i64::MAX) >= limit;
    let next = found.value.last().filter(|_| full);
    let next = next.map(|row| text(sort.key(row)));
    let positions: Vec<_> = found.value.into_iter().map(Position::from).collect();
    let position = found.position.to_string();
    rows.page(
        positions,
        "after",
        next,
        position,
        |positions, next, position| Page {
            positions,
            next,
            position,
        },
    )
}

/// Every order there is.
pub const SORTS: &[&str] = &[
    "client_code",
    "-client_code",
    "symbol",
    "-symbol",
    "closable_quantity",
    "-closable_quantity",
    "notional",
    "-notional",
    "unrealized_profit",
    "-unrealized_profit",
];

/// The order that is asked for, and whether it is from the most to the least.
fn sorted(sort: Option<String>) -> Result<(PositionSort, bool), Problem> {
    let Some(sort) = sort else {
        return Ok((PositionSort::default(), false));
    };
    let sort = one_of("sort", sort, SORTS)?;
    let (field, descending) = match sort.strip_prefix('-') {
        Some(field) => (field, true),
        None => (sort.as_str(), false),
    };
    let known = PositionSort::ALL.iter().find(|it| it.as_str() == field);
    let known = known.ok_or_else(|| Problem::bug(format!("{field} is in no list")))?;
    Ok((*known, descending))
}

/// Where a page begins, as [`text`] wrote it.
fn page(sort: PositionSort, after: &str) -> Result<PositionCursor, Problem> {
    let (number, stream) = match after.split_once('~') {
        Some((number, stream)) => (Some(number), stream),
        None => (None, after),
    };
    let key = position_key(stream).map_err(|problem| {
        Problem::invalid_parameter(problem.detail.replacen("`stream`", "`after`", 1))
    })?;
    let number = number.map(|number| parameter::<i64>("after", number));
    let number = number.transpose()?;
    if number.is_some() != sort.is_of_number() {
        return Err(other_order("`after` is of a list in another order"));
    }
    Ok(PositionCursor {
        number,
        stream: stream.to_owned(),
        symbol: key.symbol.to_string(),
    })
}

fn text(cursor: PositionCursor) -> String {
    match cursor.number {
        Some(number) => format!("{number}~{}", cursor.stream),
        None => cursor.stream,
    }
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
