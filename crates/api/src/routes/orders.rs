//! `GET /v1/orders`, `GET /v1/orders/{order_id}`, and what is asked of one order: `cancel`, `modify`, `resolve`.

use super::approvals::{Wanted as Approval, waiting};
use super::rows::Wanted;
use super::{
    by_age, day, filter, flag, next, one_of, order_id, outage, page_rows, rupees, uuid, wait_for,
};
use crate::auth::Who;
use crate::decide::{
    Decided, accepted, check_knowing, decide, decide_within_limit, stream_of, unknown_order,
};
use crate::document::values;
use crate::extract::{IdempotencyKey, Json, NoBody, Path, Query, Reason, limit_price, units};
use crate::if_match::{IfMatch, etag};
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::server::App;
use crate::verified;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use squareoff_domain::position::{Change, OrderStatus, Outcome, Request};
use squareoff_domain::{ClientCode, OrderId, PositionKey, Price, Product, Symbol, Venue};
use squareoff_projections::orders::{OrderFilter, OrderRow, order, orders};
use squareoff_store::Position;
use time::OffsetDateTime;
use uuid::Uuid;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    #[param(value_type = values::ClientCode, required = false)]
    client_code: Option<String>,
    #[param(value_type = values::OrderState, required = false)]
    status: Option<String>,
    #[param(value_type = values::VenueName, required = false)]
    venue: Option<String>,
    #[param(value_type = values::Symbol, required = false)]
    symbol: Option<String>,
    #[param(value_type = values::ProductName, required = false)]
    product: Option<String>,
    #[param(value_type = values::TradingDay, required = false)]
    trading_date: Option<String>,
    #[param(value_type = values::OrderOrigin, required = false)]
    origin: Option<String>,
    #[param(value_type = Uuid, required = false)]
    request_id: Option<String>,
    /// Only what may still fill.
    #[param(value_type = bool, required = false)]
    working: Option<String>,
    /// Newest first, or oldest first.
    #[param(value_type = values::OrderSort, required = false)]
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

/// What is left out stays as it is.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = OrderChange)]
#[serde(deny_unknown_fields)]
pub struct Modify {
    #[serde(default, deserialize_with = "limit_price")]
    #[schema(value_type = Option<values::RupeesAsked>)]
    limit_price: Option<Price>,
    /// The new quantity of the whole order, what has filled included.
    #[serde(default, deserialize_with = "units")]
    #[schema(value_type = Option<values::Units>)]
    quantity: Option<u64>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = OrderResolution)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    #[schema(value_type = values::DoubtOutcome)]
    outcome: Outcome,
    #[schema(value_type = values::ReasonText)]
    reason: Reason,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    #[param(value_type = values::LogPosition, required = false)]
    at_least: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = OrderPage)]
pub struct Page {
    orders: Vec<Order>,
    /// `before` of the next page, or `after` where the oldest are first; absent when this one was not full.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = values::LogPosition, required = false)]
    next: Option<String>,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

/// Quantities in units, prices in rupees.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Order {
    order_id: Uuid,
    /// `ours` or `external`.
    #[schema(value_type = values::OrderOrigin)]
    origin: String,
    cl_ord_id: String,
    /// What the exchange knows it by, since its last accepted change.
    current_cl_ord_id: String,
    #[schema(required = true)]
    exchange_order_id: Option<String>,
    /// Absent of an external order.
    #[schema(required = true)]
    request_id: Option<Uuid>,
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
    quantity: i64,
    #[schema(value_type = values::Rupees)]
    limit_price: String,
    placed_quantity: i64,
    #[schema(value_type = values::Rupees)]
    placed_limit_price: String,
    /// Changes asked for, whatever became of them.
    replaces: i32,
    #[schema(value_type = values::TimeInForceName)]
    time_in_force: String,
    slice: i32,
    slices: i32,
    #[schema(value_type = values::OrderState)]
    status: String,
    cumulative_quantity: i64,
    leaves_quantity: i64,
    #[schema(value_type = Option<values::Rupees>, required = true)]
    average_price: Option<String>,
    /// Fills that came after the order had ended here.
    late_fills: i32,
    #[schema(required = true)]
    reject_code: Option<i64>,
    #[schema(required = true)]
    reject_text: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = values::Instant)]
    placed_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = values::Instant)]
    updated_at: OffsetDateTime,
    version: i64,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = OrderShown)]
pub struct Shown {
    #[serde(flatten)]
    order: Order,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = OrderAccepted)]
struct Accepted {
    request_id: Uuid,
    #[schema(value_type = values::AcceptedAs)]
    status: &'static str,
    /// Only there when a change waits for a second person.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<Approval>,
    order_id: Uuid,
    /// Of the position, or of the approval that it waits for.
    #[schema(value_type = values::StreamName)]
    stream: String,
    version: u64,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

/// The orders, newest first unless `sort` says otherwise.
#[utoipa::path(
    get,
    path = "/v1/orders",
    operation_id = "listOrders",
    tag = "Orders",
    params(ListQuery),
    responses((status = 200, description = "A page of orders; with `Accept: text/csv` its rows, `Link` to the next and `x-log-position`", content((Page = "application/json"), (String = "text/csv")))),
    extensions(("x-problems" = json!(["cursor-of-another-order"]))),
)]
pub async fn list(
    State(app): State<App>,
    who: Who,
    rows: Wanted,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let status = query.status.map(|status| {
        let known = OrderStatus::ALL.iter().map(|known| known.as_str());
        one_of("status", status, &known.collect::<Vec<_>>())
    });
    let origin = query.origin;
    let origin = origin.map(|origin| one_of("origin", origin, &["ours", "external"]));
    let limit = page_rows(query.limit.as_deref())?;
    let pages = (query.before.as_deref(), query.after.as_deref());
    let (oldest_first, behind) = by_age("placed_at", query.sort, pages)?;
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
        oldest_first,
        behind,
        limit: Some(limit),
    };
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = orders(&app.reads, &wanted).await.map_err(outage)?;
    let next = next(&found.value, limit, |row| row.placed_position);
    let orders: Vec<_> = found.value.into_iter().map(Order::from).collect();
    let position = found.position.to_string();
    rows.page(
        orders,
        if oldest_first { "after" } else { "before" },
        next,
        position,
        |orders, next, position| Page {
            orders,
            next,
            position,
        },
    )
}

/// One order, as the read model shows it.
#[utoipa::path(
    get,
    path = "/v1/orders/{order_id}",
    operation_id = "showOrder",
    tag = "Orders",
    params(("order_id" = Uuid, Path, description = "The order"), Reading),
    responses((status = 200, description = "The order", body = Shown, headers(("ETag" = String, description = "The version of the position's stream, for `If-Match`")))),
    extensions(("x-problems" = json!(["unknown-order"]))),
)]
pub async fn show(
    State(app): State<App>,
    who: Who,
    Path(text): Path<String>,
    Query(query): Query<Reading>,
) -> Result<Response, Problem> {
    let id = order_id(&text)?;
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = order(&app.reads, id).await.map_err(outage)?;
    let is_own = |row: &OrderRow| {
        let client = row.client_code.parse::<ClientCode>();
        client.is_ok_and(|client| who.owns(&client))
    };
    let row = found.value.filter(is_own);
    let row = row.ok_or_else(|| unknown_order(OrderId(id)))?;
    let version = etag(row.version);
    let shown = Shown {
        order: row.into(),
        position: found.position.to_string(),
    };
    Ok((version, axum::Json(shown)).into_response())
}

/// Cancels one order, ours or the primary's.
///
/// Allowed whatever the platform's and the session's state. The cancel is on its way, not done: look at the order.
#[utoipa::path(
    post,
    path = "/v1/orders/{order_id}/cancel",
    operation_id = "cancelOrder",
    tag = "Orders",
    params(("order_id" = Uuid, Path, description = "The order"), IdempotencyKey, IfMatch),
    responses((status = 202, description = "The cancel is on its way", body = Accepted)),
    extensions(("x-problems" = json!(["event-log-behind", "unknown-order", "order-ended", "cancel-pending", "too-many-cancels", "client-erased", "identity-not-recorded", "identity-incomplete", "caller-not-verified"]))),
)]
pub async fn cancel(
    State(app): State<App>,
    who: Who,
    key: IdempotencyKey,
    seen: IfMatch,
    Path(text): Path<String>,
    _: NoBody,
) -> Result<Response, Problem> {
    let (order, request_id) = (OrderId(order_id(&text)?), key.request_id(&who.name));
    let request = Request::Cancel {
        request_id,
        order: Some(order),
    };
    ask(&app, &who, order, seen, ("cancel", request)).await
}

/// Changes an order of ours: another price, a lower quantity, or both.
///
/// `quantity` is that of the whole order, what has filled included, and only goes down. The change passes the same gate as a
/// new order. One that makes the orders of its request worth more than one person may place waits for a second, and `status` says so.
#[utoipa::path(
    post,
    path = "/v1/orders/{order_id}/modify",
    operation_id = "modifyOrder",
    tag = "Orders",
    params(("order_id" = Uuid, Path, description = "The order"), IdempotencyKey, IfMatch),
    request_body = Modify,
    responses((status = 202, description = "The change is on its way, or waits for a second person as `status` says", body = Accepted)),
    extensions(("x-problems" = json!([
        "event-log-behind", "platform-not-active", "unknown-position", "unknown-instrument",
        "new-orders-halted", "market-not-open", "exchange-not-connected", "position-handed-back",
        "position-frozen", "instrument-restricted", "quantity-not-positive", "unknown-order", "not-our-order",
        "order-ended", "order-in-doubt", "cancel-pending", "replace-pending", "order-not-acknowledged",
        "too-many-replaces", "nothing-to-change", "quantity-not-lower", "quantity-not-above-filled",
        "not-whole-lots", "stale-reference", "price-off-tick", "price-out-of-band", "price-out-of-protection", "client-erased", "identity-not-recorded", "identity-incomplete", "caller-not-verified"]))),
)]
pub async fn modify(
    State(app): State<App>,
    who: Who,
    key: IdempotencyKey,
    seen: IfMatch,
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
    ask(&app, &who, order, seen, ("modify", request)).await
}

/// Ends the doubt about an order of which nobody here knew whether the exchange has it.
///
/// `not-delivered` frees what the order reserved.
#[utoipa::path(
    post,
    path = "/v1/orders/{order_id}/resolve",
    operation_id = "resolveOrder",
    tag = "Orders",
    params(("order_id" = Uuid, Path, description = "The order"), IdempotencyKey, IfMatch),
    request_body = Resolve,
    responses((status = 202, description = "It is recorded", body = Accepted)),
    extensions(("x-problems" = json!(["event-log-behind", "reason-missing", "unknown-order", "order-ended", "order-not-in-doubt"]))),
)]
pub async fn resolve(
    State(app): State<App>,
    who: Who,
    key: IdempotencyKey,
    seen: IfMatch,
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
    ask(&app, &who, order, seen, ("resolve", request)).await
}

/// Asks the position that the order stands in.
async fn ask(
    app: &App,
    who: &Who,
    order: OrderId,
    seen: IfMatch,
    (what, request): (&'static str, Request),
) -> Result<Response, Problem> {
    let request_id = request.request_id();
    let (actor, asked) = (who.actor(), Asked::of_desk(what, request_id));
    let position = app.keep(&actor, &asked, position_of(app, who, order).await)?;
    // To say what became of an order in doubt is the exchange's word, not the client's.
    if !matches!(request, Request::ResolveInDoubt { .. }) {
        let asked = Asked::of_position(what, request_id, &position);
        let verified = verified::check(app, who, &position.client, Some(request_id)).await;
        app.keep(&actor, &asked, verified)?;
    }
    let decided = if matches!(request, Request::Modify { .. }) {
        decide_within_limit(app, &actor, &position, &request, seen).await?
    } else {
        Decided::Accepted(decide(app, &actor, &position, &request, seen).await?)
    };
    let body = |status, approval, stream: &str, version, position: Position| Accepted {
        request_id: request_id.0,
        status,
        approval,
        order_id: order.0,
        stream: stream.to_owned(),
        version,
        position: position.to_string(),
    };
    match decided {
        Decided::Accepted(answer) => {
            let (version, position) = (answer.version, answer.position);
            let body = body("accepted", None, &answer.stream, version, position);
            Ok(accepted(&body, Some(order.0), answer.replayed))
        }
        Decided::Waits(waits) => {
            let (version, position) = (waits.answer.version, waits.answer.position);
            let (approval, stream) = (Some(Approval::of(&waits)), &waits.answer.stream);
            let body = body("waiting-for-approval", approval, stream, version, position);
            Ok(waiting(&body, &waits))
        }
    }
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
