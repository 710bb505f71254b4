//! `POST /v1/square-offs`: close one position, all of it or a part.

use super::approvals::{Wanted as Approval, waiting};
use crate::approvals::Waits;
use crate::auth::Who;
use crate::decide::{self, Answer, Decided};
use crate::document::values;
use crate::extract::{IdempotencyKey, Json, limit_price, whole_units};
use crate::if_match::IfMatch;
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::routes::clients::unknown as unknown_client;
use crate::server::App;
use crate::verified;
use axum::extract::State;
use axum::response::Response;
use serde::de::{self, Deserializer, Unexpected, Visitor};
use serde::{Deserialize, Serialize};
use squareoff_domain::position::{
    PositionEvent, PricePolicy, Request, SquareOffTerms, TimeInForce, Wanted,
};
use squareoff_domain::{ClientCode, PositionKey, Price, Product, Quantity, Refusal, Symbol, Venue};
use std::fmt;
use uuid::Uuid;

/// The longest reference to the client's instruction, in characters.
const EVIDENCE_CHARS_MAX: usize = 200;

/// What is to be closed. Each field is checked as it is read, so that the problem names the field.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = SquareOff)]
#[serde(deny_unknown_fields)]
pub struct Body {
    #[schema(value_type = values::ClientCode)]
    client_code: ClientCode,
    #[schema(value_type = values::VenueName)]
    venue: Venue,
    #[schema(value_type = values::Symbol)]
    symbol: Symbol,
    #[schema(value_type = values::ProductName)]
    product: Product,
    #[serde(deserialize_with = "quantity")]
    #[schema(value_type = values::QuantityAsked)]
    quantity: Wanted,
    /// Absent: a marketable limit.
    #[serde(default, deserialize_with = "limit_price")]
    #[schema(value_type = Option<values::RupeesAsked>)]
    limit_price: Option<Price>,
    #[schema(value_type = Option<values::TimeInForceName>)]
    time_in_force: Option<TimeInForce>,
    /// Where the client's instruction is kept.
    #[schema(value_type = Option<values::Evidence>)]
    evidence: Option<String>,
}

pub(super) fn quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Wanted, D::Error> {
    struct Expected;

    impl Visitor<'_> for Expected {
        type Value = Wanted;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let max = Quantity::MAX;
            write!(f, "a whole number of units up to {max}, or \"all\"")
        }

        fn visit_u64<E: de::Error>(self, units: u64) -> Result<Wanted, E> {
            Ok(Wanted::Units(units))
        }

        /// Less than zero is refused as zero is: by the rule, in its place.
        fn visit_i64<E: de::Error>(self, units: i64) -> Result<Wanted, E> {
            Ok(Wanted::Units(u64::try_from(units).unwrap_or(0)))
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<Wanted, E> {
            let units = whole_units(number);
            let units = units.ok_or_else(|| E::invalid_type(Unexpected::Float(number), &self));
            units.map(Wanted::Units)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Wanted, E> {
            match text {
                "all" => Ok(Wanted::All),
                _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
            }
        }
    }

    deserializer.deserialize_any(Expected)
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SquareOffAccepted)]
struct Accepted {
    request_id: Uuid,
    #[schema(value_type = values::AcceptedAs)]
    status: &'static str,
    /// Only there when it waits for a second person: then there are no orders yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<Approval>,
    order_ids: Vec<Uuid>,
    orders: Vec<Placed>,
    /// Of the position, or of the approval that it waits for.
    #[schema(value_type = values::StreamName)]
    stream: String,
    version: u64,
    #[schema(value_type = values::LogPosition)]
    position: String,
    /// Where the receipt's proof is got, as soon as the log is sealed up to it.
    #[schema(value_type = values::ProofPath)]
    proof: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = OrderPlaced)]
struct Placed {
    order_id: Uuid,
    cl_ord_id: String,
    #[schema(value_type = values::SideName)]
    side: &'static str,
    quantity: u64,
    #[schema(value_type = values::Rupees)]
    limit_price: String,
}

/// Closes one position of the platform's trading date, all of it or a part.
///
/// The side is what closes it. A quantity above the freeze quantity becomes several orders. The request is durable with the
/// answer; what the exchange makes of it comes later. What is worth more than one person may place (`approval_notional`) is not
/// ordered: it waits for a second person, and `status` says so.
#[utoipa::path(
    post,
    path = "/v1/square-offs",
    operation_id = "squareOff",
    tag = "Square-offs",
    params(IdempotencyKey),
    request_body = Body,
    responses((status = 202, description = "Durable: the orders are on their way, or it waits for a second person as `status` says", body = Accepted)),
    extensions(("x-problems" = json!([
        "event-log-behind", "unknown-client", "platform-not-active", "unknown-position", "unknown-instrument",
        "new-orders-halted", "market-not-open", "exchange-not-connected", "position-handed-back",
        "position-frozen", "instrument-restricted", "quantity-not-positive", "nothing-to-close",
        "exceeds-open-quantity", "odd-lot", "not-whole-lots", "freeze-below-lot", "too-many-slices",
        "stale-reference", "price-off-tick", "price-out-of-band", "price-out-of-protection", "client-erased", "identity-not-recorded", "identity-incomplete", "caller-not-verified"]))),
)]
pub async fn create(
    State(app): State<App>,
    who: Who,
    key: IdempotencyKey,
    Json(body): Json<Body>,
) -> Result<Response, Problem> {
    decide::check_knowing(&app)?;
    let terms = terms(
        body.quantity,
        body.limit_price,
        body.time_in_force,
        body.evidence.clone(),
    )?;
    let actor = who.actor();
    let request_id = key.request_id(&actor.0);
    let asked = Asked {
        client: Some(&body.client_code),
        ..Asked::of_desk("square-off", request_id)
    };
    let position = app.keep(&actor, &asked, position(&app, &who, &body))?;
    let verified = verified::check(&app, &who, &position.client, Some(request_id)).await;
    app.keep(&actor, &asked, verified)?;
    let request = Request::SquareOff { request_id, terms };
    let seen = IfMatch(None);
    match decide::decide_within_limit(&app, &actor, &position, &request, seen).await? {
        Decided::Accepted(answer) => Ok(accepted(request_id.0, answer)),
        Decided::Waits(waits) => Ok(waits_for_approval(request_id.0, &waits)),
    }
}

/// The position of the platform's trading day that the body names.
fn position(app: &App, who: &Who, body: &Body) -> Result<PositionKey, Problem> {
    let platform = app.directory.platform();
    let date = platform.trading_date.ok_or(Refusal::PlatformNotActive)?;
    let key = PositionKey {
        date,
        client: body.client_code.clone(),
        venue: body.venue,
        symbol: body.symbol.clone(),
        product: body.product,
    };
    if !app.directory.knows_client(&key.client) || !who.owns(&key.client) {
        return Err(unknown_client(&key.client));
    }
    check_listed(app, &key)?;
    Ok(key)
}

/// # Errors
/// `unknown-instrument`.
pub(super) fn check_listed(app: &App, key: &PositionKey) -> Result<(), Problem> {
    let (date, venue, symbol) = (key.date, key.venue, &key.symbol);
    if app.directory.contract(date, venue, symbol).is_some() {
        return Ok(());
    }
    Err(Problem {
        detail: format!("{venue}:{symbol} has no contract on {date}"),
        ..Refusal::UnknownInstrument.into()
    })
}

/// # Errors
/// `malformed-request` for evidence that can't be kept.
pub(super) fn terms(
    quantity: Wanted,
    limit_price: Option<Price>,
    time_in_force: Option<TimeInForce>,
    evidence: Option<String>,
) -> Result<SquareOffTerms, Problem> {
    let unfit = |text: &String| {
        text.chars().count() > EVIDENCE_CHARS_MAX || text.chars().any(char::is_control)
    };
    if evidence.as_ref().is_some_and(unfit) {
        return Err(Problem::malformed(format!(
            "`evidence` may have at most {EVIDENCE_CHARS_MAX} characters and none that control"
        )));
    }
    Ok(SquareOffTerms {
        quantity,
        price: limit_price.map_or(PricePolicy::MarketableLimit, PricePolicy::Limit),
        time_in_force: time_in_force.unwrap_or(TimeInForce::Day),
        evidence,
    })
}

fn accepted(request_id: Uuid, answer: Answer) -> Response {
    let placed = |event: &PositionEvent| match event {
        PositionEvent::OrderPlaced(placed) => Some(Placed {
            order_id: placed.order_id.0,
            cl_ord_id: placed.cl_ord_id.to_string(),
            side: placed.side.as_str(),
            quantity: placed.quantity.units(),
            limit_price: placed.price.to_string(),
        }),
        _ => None,
    };
    let orders: Vec<_> = answer.events.iter().filter_map(placed).collect();
    let body = Accepted {
        request_id,
        status: "accepted",
        approval: None,
        order_ids: orders.iter().map(|order| order.order_id).collect(),
        orders,
        stream: answer.stream,
        version: answer.version,
        position: answer.position.to_string(),
        proof: super::proofs::path(&answer.position.to_string()),
    };
    let first = body.order_ids.first().copied();
    decide::accepted(&body, first, answer.replayed)
}

fn waits_for_approval(request_id: Uuid, waits: &Waits) -> Response {
    let position = waits.answer.position.to_string();
    let body = Accepted {
        request_id,
        status: "waiting-for-approval",
        approval: Some(Approval::of(waits)),
        order_ids: vec![],
        orders: vec![],
        stream: waits.answer.stream.clone(),
        version: waits.answer.version,
        proof: super::proofs::path(&position),
        position,
    };
    waiting(&body, waits)
}
