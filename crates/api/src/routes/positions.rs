//! `/v1/positions/{stream}`: one client's position in one instrument and product on one trading day, by the name of its stream, which
//! every answer about the position carries. Read from the log itself, so that it shows what was decided a moment ago.

use super::rfc3339;
use crate::auth::{Actor, Who};
use crate::decide::{Answer, accepted, attempt, check_knowing, decide, unknown_position, unread};
use crate::document::values;
use crate::extract::{IdempotencyKey, Json, NoBody, Path, Reason};
use crate::if_match::{IfMatch, etag};
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::server::App;
use crate::verified;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use squareoff_domain::position::{self, Order, Origin, PositionEvent, Request};
use squareoff_domain::{OrderId, PositionKey, Price, Quantity, Refusal, RequestId};
use squareoff_store::Position;
use std::sync::Arc;
use uuid::Uuid;

/// Positions of one client that are worked on at once.
pub(super) const AT_ONCE: usize = 32;

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = Why)]
#[serde(deny_unknown_fields)]
pub struct Why {
    #[schema(value_type = values::ReasonText)]
    reason: Reason,
}

/// Quantities in units, signed where a short position is negative; money in rupees.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = PositionShown)]
pub struct Shown {
    #[schema(value_type = values::PositionStream)]
    stream: String,
    #[schema(value_type = values::TradingDay)]
    trading_date: String,
    #[schema(value_type = values::ClientCode)]
    client_code: String,
    #[schema(value_type = values::VenueName)]
    venue: &'static str,
    #[schema(value_type = values::Symbol)]
    symbol: String,
    #[schema(value_type = values::ProductName)]
    product: &'static str,
    bod_quantity: i64,
    #[schema(value_type = values::Rupees)]
    bod_average_price: String,
    net_quantity: i64,
    /// What may still fill: our orders, and external ones on the closing side.
    working_quantity: u64,
    /// Of all external orders, on either side.
    external_working_quantity: u64,
    closable_quantity: u64,
    /// Of what is open; absent when flat.
    #[schema(value_type = Option<values::Rupees>, required = true)]
    average_price: Option<String>,
    #[schema(value_type = values::Rupees)]
    realized_profit: String,
    #[schema(value_type = Option<values::Rupees>, required = true)]
    unrealized_profit: Option<String>,
    /// What is unrealized is reckoned at: the contract's reference price.
    #[schema(value_type = Option<values::Rupees>, required = true)]
    mark_price: Option<String>,
    #[schema(value_type = Option<values::Instant>, required = true)]
    mark_at: Option<String>,
    bought_quantity: u64,
    sold_quantity: u64,
    /// Why nothing may be placed; absent when it may.
    #[schema(required = true)]
    frozen_reason: Option<String>,
    /// The epoch in which the primary got it back.
    #[schema(required = true)]
    handed_back_epoch: Option<u32>,
    /// Orders that may still fill, ours and external.
    working_orders: Vec<Working>,
    version: u64,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = WorkingOrder)]
struct Working {
    order_id: Uuid,
    #[schema(value_type = values::OrderOrigin)]
    origin: &'static str,
    cl_ord_id: String,
    #[schema(required = true)]
    exchange_order_id: Option<String>,
    #[schema(value_type = values::SideName)]
    side: &'static str,
    quantity: u64,
    #[schema(value_type = values::Rupees)]
    limit_price: String,
    #[schema(value_type = values::OrderState)]
    status: &'static str,
    cumulative_quantity: u64,
    leaves_quantity: u64,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = PositionAccepted)]
struct Accepted {
    request_id: Uuid,
    #[schema(value_type = values::PositionStream)]
    stream: String,
    version: u64,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = PositionCancelled)]
struct Cancelled {
    request_id: Uuid,
    order_ids: Vec<Uuid>,
    #[schema(value_type = values::PositionStream)]
    stream: String,
    version: u64,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

/// What a cancel of everything came to on one position.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = CancelOutcome)]
pub struct Outcome {
    #[schema(value_type = values::PositionStream)]
    stream: String,
    /// `cancelling`, or the code of the problem that the position alone would have got.
    #[schema(value_type = String)]
    outcome: &'static str,
    /// The orders whose cancel is on its way because of this request.
    order_ids: Vec<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    version: Option<u64>,
}

/// One position as it stands in the log at this moment.
///
/// Nothing it shows can be behind. Profit is at average cost, without charges and taxes.
#[utoipa::path(
    get,
    path = "/v1/positions/{stream}",
    operation_id = "showPosition",
    tag = "Positions",
    params(("stream" = values::PositionStream, Path, description = "The position")),
    responses((status = 200, description = "The position", body = Shown, headers(("ETag" = String, description = "The version of the position's stream, for `If-Match`")))),
    extensions(("x-problems" = json!(["unknown-position", "event-log-behind", "event-log-unavailable"]))),
)]
pub async fn show(
    State(app): State<App>,
    who: Who,
    Path(text): Path<String>,
) -> Result<Response, Problem> {
    let key = position_key(&text)?;
    check_knowing(&app)?;
    who.own(&key.client, || unknown_position(&key))?;
    let loaded = app.positions.load(&text).await.map_err(unread)?;
    let position = &*loaded.state;
    if position.key.is_none() {
        return Err(unknown_position(&key));
    }
    let contract = app.directory.contract(key.date, key.venue, &key.symbol);
    let mark = contract.map(|contract| (contract.reference_price, contract.reference_at));
    let profit = position.profit(mark.map(|(price, _)| price));
    let may_fill = |order: &&Order| !order.leaves().is_zero();
    let external = position.orders.values().filter(|order| !order.is_ours());
    let working = position.orders.iter();
    let shown = Shown {
        stream: text,
        trading_date: key.date.to_string(),
        client_code: key.client.to_string(),
        venue: key.venue.as_str(),
        symbol: key.symbol.to_string(),
        product: key.product.as_str(),
        bod_quantity: position.bod.0,
        bod_average_price: position.bod_average_price.to_string(),
        net_quantity: position.net.0,
        working_quantity: position.working().units(),
        external_working_quantity: external.map(Order::leaves).sum::<Quantity>().units(),
        closable_quantity: position.closable().units(),
        average_price: profit.average_price.as_ref().map(Price::to_string),
        realized_profit: profit.realized.to_string(),
        unrealized_profit: profit.unrealized.map(|money| money.to_string()),
        mark_price: mark.map(|(price, _)| price.to_string()),
        mark_at: mark.map(|(_, at)| rfc3339(at)),
        bought_quantity: profit.bought,
        sold_quantity: profit.sold,
        frozen_reason: position.frozen.clone(),
        handed_back_epoch: position.handed_back,
        working_orders: working
            .filter(|(_, order)| may_fill(order))
            .map(|(id, order)| Working::of(*id, order))
            .collect(),
        version: loaded.version,
        position: loaded.position.unwrap_or(Position::START).to_string(),
    };
    Ok((etag(loaded.version), axum::Json(shown)).into_response())
}

/// Cancels every order that works on the position, ours and external.
#[utoipa::path(
    post,
    path = "/v1/positions/{stream}/cancel-all",
    operation_id = "cancelAllOfPosition",
    tag = "Positions",
    params(("stream" = values::PositionStream, Path, description = "The position"), IdempotencyKey, IfMatch),
    responses((status = 202, description = "The cancels are on their way, not done", body = Cancelled)),
    extensions(("x-problems" = json!(["unknown-position", "nothing-to-cancel", "client-erased", "identity-not-recorded", "identity-incomplete", "caller-not-verified"]))),
)]
pub async fn cancel_all(
    State(app): State<App>,
    who: Who,
    key: IdempotencyKey,
    seen: IfMatch,
    Path(text): Path<String>,
    _: NoBody,
) -> Result<Response, Problem> {
    let position = position_key(&text)?;
    let actor = who.actor();
    let request_id = key.request_id(&actor.0);
    let asked = Asked::of_position("cancel-all", request_id, &position);
    let own = who.own(&position.client, || unknown_position(&position));
    app.keep(&actor, &asked, own)?;
    let verified = verified::check(&app, &who, &position.client, Some(request_id)).await;
    app.keep(&actor, &asked, verified)?;
    let request = Request::Cancel {
        request_id,
        order: None,
    };
    let answer = decide(&app, &actor, &position, &request, seen).await?;
    let body = Cancelled {
        request_id: request_id.0,
        order_ids: order_ids(&answer.events),
        stream: answer.stream,
        version: answer.version,
        position: answer.position.to_string(),
    };
    Ok(accepted(&body, None, answer.replayed))
}

/// Freezes the position: nothing more is placed on it; cancels go on.
#[utoipa::path(
    post,
    path = "/v1/positions/{stream}/freeze",
    operation_id = "freezePosition",
    tag = "Positions",
    params(("stream" = values::PositionStream, Path, description = "The position"), IdempotencyKey, IfMatch),
    request_body = Why,
    responses((status = 202, description = "It is frozen", body = Accepted)),
    extensions(("x-problems" = json!(["reason-missing", "unknown-position"]))),
)]
pub async fn freeze(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    seen: IfMatch,
    Path(text): Path<String>,
    Json(body): Json<Why>,
) -> Result<Response, Problem> {
    let request_id = key.request_id(&actor.0);
    let reason = body.reason.0;
    ask(
        &app,
        &actor,
        &text,
        seen,
        Request::Freeze { request_id, reason },
    )
    .await
}

/// Unfreezes the position, also after a contradiction froze it.
#[utoipa::path(
    post,
    path = "/v1/positions/{stream}/unfreeze",
    operation_id = "unfreezePosition",
    tag = "Positions",
    params(("stream" = values::PositionStream, Path, description = "The position"), IdempotencyKey, IfMatch),
    request_body = Why,
    responses((status = 202, description = "It is not frozen any more", body = Accepted)),
    extensions(("x-problems" = json!(["reason-missing", "unknown-position", "position-not-frozen"]))),
)]
pub async fn unfreeze(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    seen: IfMatch,
    Path(text): Path<String>,
    Json(body): Json<Why>,
) -> Result<Response, Problem> {
    let request_id = key.request_id(&actor.0);
    let reason = body.reason.0;
    ask(
        &app,
        &actor,
        &text,
        seen,
        Request::Unfreeze { request_id, reason },
    )
    .await
}

/// Hands the position back: the primary has it again, and in this epoch nothing more is placed.
#[utoipa::path(
    post,
    path = "/v1/positions/{stream}/hand-back",
    operation_id = "handBackPosition",
    tag = "Positions",
    params(("stream" = values::PositionStream, Path, description = "The position"), IdempotencyKey, IfMatch),
    responses((status = 202, description = "It is handed back", body = Accepted)),
    extensions(("x-problems" = json!(["event-log-behind", "unknown-position", "position-handed-back", "orders-working"]))),
)]
pub async fn hand_back(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    seen: IfMatch,
    Path(text): Path<String>,
    _: NoBody,
) -> Result<Response, Problem> {
    // The epoch it is handed back in stands in the event.
    check_knowing(&app)?;
    let request_id = key.request_id(&actor.0);
    ask(&app, &actor, &text, seen, Request::HandBack { request_id }).await
}

async fn ask(
    app: &App,
    actor: &Actor,
    stream: &str,
    seen: IfMatch,
    request: Request,
) -> Result<Response, Problem> {
    let position = position_key(stream)?;
    let answer = decide(app, actor, &position, &request, seen).await?;
    let body = Accepted {
        request_id: request.request_id().0,
        stream: answer.stream,
        version: answer.version,
        position: answer.position.to_string(),
    };
    Ok(accepted(&body, None, answer.replayed))
}

/// A position's resource is named as its stream is.
pub fn position_key(stream: &str) -> Result<PositionKey, Problem> {
    PositionKey::of_stream(stream)
        .filter(|key| key.stream() == stream)
        .ok_or_else(|| {
            let expected = "position-<date>-<client>-<venue>:<symbol>-<product>";
            let detail = format!("`stream`: `{stream}` is not a position: {expected}");
            Problem::invalid_parameter(detail)
        })
}

/// Cancels everything on each of these positions, each under an id made of the request's and the stream, so that a repetition finds
/// what was done. The outcomes in the order of the streams, the last position of the log that they are in, and whether nothing was new.
pub async fn cancel_each(
    app: &App,
    actor: &Actor,
    request_id: RequestId,
    streams: Vec<Arc<str>>,
) -> Result<(Vec<Outcome>, Position, bool), Problem> {
    let one = |stream: Arc<str>| async move {
        let key = position_key(&stream)?;
        let request = Request::Cancel {
            request_id: RequestId(Uuid::new_v5(&request_id.0, stream.as_bytes())),
            order: None,
        };
        let answer = attempt(app, actor, &key, &request).await;
        Ok::<_, Problem>((stream, answer))
    };
    let asked = stream::iter(streams).map(one).buffered(AT_ONCE);
    let answers: Vec<(Arc<str>, Result<Answer, Problem>)> = asked.try_collect().await?;
    let (mut outcomes, mut last, mut replayed) = (Vec::new(), Position::START, true);
    for (stream, answer) in answers {
        let stream = stream.to_string();
        outcomes.push(match answer {
            Ok(answer) => {
                last = last.max(answer.position);
                replayed &= answer.replayed;
                Outcome {
                    stream,
                    outcome: "cancelling",
                    order_ids: order_ids(&answer.events),
                    version: Some(answer.version),
                }
            }
            // A stream that holds no position, only reports that nobody knows.
            Err(problem) if problem.code == Refusal::UnknownPosition.code() => continue,
            // Nothing works on it: that is as good as cancelled.
            Err(problem) if problem.code == Refusal::NothingToCancel.code() => Outcome {
                stream,
                outcome: problem.code,
                order_ids: vec![],
                version: None,
            },
            // An outage: what was done stays done, and the same key goes on from there.
            Err(problem) => return Err(problem),
        });
    }
    Ok((outcomes, last, replayed))
}

/// The orders whose cancel was asked for.
fn order_ids(events: &[PositionEvent]) -> Vec<Uuid> {
    let ids = events.iter().filter_map(PositionEvent::order_id);
    ids.map(|id| id.0).collect()
}

impl Working {
    fn of(id: OrderId, order: &position::Order) -> Self {
        Working {
            order_id: id.0,
            origin: match order.origin {
                Origin::Ours => "ours",
                Origin::External => "external",
            },
            cl_ord_id: order.current_cl_ord_id().to_string(),
            exchange_order_id: order.exchange_order_id.as_ref().map(ToString::to_string),
            side: order.side.as_str(),
            quantity: order.quantity.units(),
            limit_price: order.price.to_string(),
            status: order.status().as_str(),
            cumulative_quantity: order.filled().units(),
            leaves_quantity: order.leaves().units(),
        }
    }
}
