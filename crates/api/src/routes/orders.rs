//! `GET /v1/orders`, `GET /v1/orders/{order_id}`, and what is asked of one order: `cancel`, `modify`, `resolve`.

use super::{
    cursor, day, filter, flag, next, one_of, order_id, outage, page_rows, rupees, uuid, wait_for,
};
use crate::auth::Who;
use crate::decide::{accepted, check_knowing, decide, stream_of, unknown_order};
use crate::extract::{IdempotencyKey, Json, NoBody, Path, Query, Reason, limit_price, units};
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::server::App;
use crate::verified;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use squareoff_domain::position::{Change, OrderStatus, Outcome, Request};
use squareoff_domain::{ClientCode, OrderId, PositionKey, Price, Product, Symbol, Venue};
use squareoff_projections::orders::{OrderFilter, OrderRow, order, orders};
use time::OffsetDateTime;
use uuid::Uuid;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    client_code: Option<String>,
    status: Option<String>,
    venue: Option<String>,
    symbol: Option<String>,
    product: Option<String>,
    trading_date: Option<String>,
    origin: Option<String>,
    request_id: Option<String>,
    /// Only what may still fill.
    working: Option<String>,
    /// `next` of the page before.
    before: Option<String>,
    limit: Option<String>,
    at_least: Option<String>,
}

/// What is left out stays as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Modify {
    #[serde(default, deserialize_with = "limit_price")]
    limit_price: Option<Price>,
    /// The new quantity of the whole order, what has filled included.
    #[serde(default, deserialize_with = "units")]
    quantity: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    outcome: Outcome,
    reason: Reason,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    at_least: Option<String>,
}

#[derive(Serialize)]
pub struct Page {
    orders: Vec<Order>,
    /// `before` of the next page; absent when this one was not full.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    position: String,
}

/// Quantities in units, prices in rupees.
#[derive(Serialize)]
pub struct Order {
    order_id: Uuid,
    /// `ours` or `external`.
    origin: String,
    cl_ord_id: String,
    /// What the exchange knows it by, since its last accepted change.
    current_cl_ord_id: String,
    exchange_order_id: Option<String>,
    /// Absent of an external order.
    request_id: Option<Uuid>,
    stream: String,
    trading_date: String,
    client_code: String,
    venue: String,
    symbol: String,
    product: String,
    side: String,
    quantity: i64,
    limit_price: String,
    placed_quantity: i64,
    placed_limit_price: String,
    /// Changes asked for, whatever became of them.
    replaces: i32,
    time_in_force: String,
    slice: i32,
    slices: i32,
    status: String,
    cumulative_quantity: i64,
    leaves_quantity: i64,
    average_price: Option<String>,
    /// Fills that came after the order had ended here.
    late_fills: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    reject_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reject_text: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    placed_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    version: i64,
}

#[derive(Serialize)]
pub struct Shown {
    #[serde(flatten)]
    order: Order,
    position: String,
}

#[derive(Serialize)]
struct Accepted {
    request_id: Uuid,
    order_id: Uuid,
    stream: String,
    version: u64,
    position: String,
}

pub async fn list(
    State(app): State<App>,
    who: Who,
    Query(query): Query<ListQuery>,
) -> Result<axum::Json<Page>, Problem> {
    let status = query.status.map(|status| {
        let known = OrderStatus::ALL.iter().map(|known| known.as_str());
        one_of("status", status, &known.collect::<Vec<_>>())
    });
    let origin = query.origin;
    let origin = origin.map(|origin| one_of("origin", origin, &["ours", "external"]));
    let limit = page_rows(query.limit.as_deref())?;
    let wanted = OrderFilter {
        client_code: who.own_list(filter::<ClientCode>("client_code", query.client_code)?),
        status: status.transpose()?,
        venue: filter::<Venue>("venue", query.venue)?,
        symbol: filter::<Symbol>("symbol", query.symbol)?,
        product: filter::<Product>("product", query.product)?,
        trading_date: day("trading_date", query.trading_date.as_deref())?,
        origin: origin.transpose()?,
        request_id: uuid("request_id", query.request_id.as_deref())?,
        working: flag("working", query.working)?,
        before: cursor(query.before.as_deref())?,
        limit: Some(limit),
    };
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = orders(&app.reads, &wanted).await.map_err(outage)?;
    let next = next(&found.value, limit, |row| row.placed_position);
    let orders = found.value.into_iter().map(Order::from).collect();
    Ok(axum::Json(Page {
        orders,
        next,
        position: found.position.to_string(),
    }))
}

pub async fn show(
    State(app): State<App>,
    who: Who,
    Path(text): Path<String>,
    Query(query): Query<Reading>,
) -> Result<axum::Json<Shown>, Problem> {
    let id = order_id(&text)?;
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = order(&app.reads, id).await.map_err(outage)?;
    let is_own = |row: &OrderRow| {
        let client = row.client_code.parse::<ClientCode>();
        client.is_ok_and(|client| who.owns(&client))
    };
    let row = found.value.filter(is_own);
    let row = row.ok_or_else(|| unknown_order(OrderId(id)))?;
    Ok(axum::Json(Shown {
        order: row.into(),
        position: found.position.to_string(),
    }))
}

pub async fn cancel(
    State(app): State<App>,
    who: Who,
    key: IdempotencyKey,
    Path(text): Path<String>,
    _: NoBody,
) -> Result<Response, Problem> {
    let (order, request_id) = (OrderId(order_id(&text)?), key.request_id(&who.name));
    let request = Request::Cancel {
        request_id,
        order: Some(order),
    };
    ask(&app, &who, order, "cancel", request).await
}

pub async fn modify(
    State(app): State<App>,
    who: Who,
    key: IdempotencyKey,
    Path(text): Path<String>,
    Json(body): Json<Modify>,
) -> Result<Response, Problem> {
    let (order, request_id) = (OrderId(order_id(&text)?), key.request_id(&who.name));
    let change = Change {
        price: body.limit_price,
        quantity: body.quantity,
    };
    let request = Request::Modify {
        request_id,
        order,
        change,
    };
    // What is decided about the platform has to be of its present state.
    check_knowing(&app)?;
    ask(&app, &who, order, "modify", request).await
}

pub async fn resolve(
    State(app): State<App>,
    who: Who,
    key: IdempotencyKey,
    Path(text): Path<String>,
    Json(body): Json<Resolve>,
) -> Result<Response, Problem> {
    let (order, request_id) = (OrderId(order_id(&text)?), key.request_id(&who.name));
    let request = Request::ResolveInDoubt {
        request_id,
        order,
        outcome: body.outcome,
        reason: body.reason.0,
    };
    ask(&app, &who, order, "resolve", request).await
}

/// Asks the position that the order stands in.
async fn ask(
    app: &App,
    who: &Who,
    order: OrderId,
    what: &'static str,
    request: Request,
) -> Result<Response, Problem> {
    let request_id = request.request_id();
    let (actor, asked) = (who.actor(), Asked::of_desk(what, request_id));
    let position = app.keep(&actor, &asked, position_of(app, who, order).await)?;
    // To say what became of an order in doubt is the exchange's word, not the client's.
    if !matches!(request, Request::ResolveInDoubt { .. }) {
        let asked = Asked::of_position(what, request_id, &position);
        let verified = verified::check(app, who, &position.client, request_id).await;
        app.keep(&actor, &asked, verified)?;
    }
    let answer = decide(app, &actor, &position, &request).await?;
    let body = Accepted {
        request_id: request_id.0,
        order_id: order.0,
        stream: answer.stream,
        version: answer.version,
        position: answer.position.to_string(),
    };
    Ok(accepted(&body, Some(order.0), answer.replayed))
}

async fn position_of(app: &App, who: &Who, order: OrderId) -> Result<PositionKey, Problem> {
    let stream = stream_of(app, order).await?;
    let position = PositionKey::of_stream(&stream)
        .ok_or_else(|| Problem::bug(format!("{stream} names no position")))?;
    who.own(&position.client, || unknown_order(order))?;
    Ok(position)
}

impl From<OrderRow> for Order {
    fn from(row: OrderRow) -> Self {
        Order {
            order_id: row.order_id,
            origin: row.origin.into_owned(),
            cl_ord_id: row.cl_ord_id,
            current_cl_ord_id: row.current_cl_ord_id,
            exchange_order_id: row.exchange_order_id,
            request_id: row.request_id,
            stream: row.stream.to_string(),
            trading_date: row.trading_date.to_string(),
            client_code: row.client_code.to_string(),
            venue: row.venue.into_owned(),
            symbol: row.symbol.to_string(),
            product: row.product.into_owned(),
            side: row.side.into_owned(),
            quantity: row.quantity,
            limit_price: rupees(row.price),
            placed_quantity: row.placed_quantity,
            placed_limit_price: rupees(row.placed_price),
            replaces: row.replaces,
            time_in_force: row.time_in_force.into_owned(),
            slice: row.slice,
            slices: row.slices,
            status: row.status.into_owned(),
            cumulative_quantity: row.cumulative_quantity,
            leaves_quantity: row.leaves_quantity,
            average_price: row.average_price.map(rupees),
            late_fills: row.late_fills,
            reject_code: row.reject_code,
            reject_text: row.reject_text,
            placed_at: row.placed_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}
