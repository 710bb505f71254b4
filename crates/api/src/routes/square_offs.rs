//! `POST /v1/square-offs`: close one position, all of it or a part.

use crate::auth::Who;
use crate::decide::{self, Answer};
use crate::extract::{IdempotencyKey, Json, limit_price};
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

/// The longest reference to the client's instruction.
const EVIDENCE_BYTES_MAX: usize = 200;

/// The body. Each field is checked as it is read, so that the problem names the field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    client_code: ClientCode,
    venue: Venue,
    symbol: Symbol,
    product: Product,
    #[serde(deserialize_with = "quantity")]
    quantity: Wanted,
    /// Absent: a marketable limit.
    #[serde(default, deserialize_with = "limit_price")]
    limit_price: Option<Price>,
    time_in_force: Option<TimeInForce>,
    /// Where the client's instruction is kept.
    evidence: Option<String>,
}

fn quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Wanted, D::Error> {
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

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Wanted, E> {
            match text {
                "all" => Ok(Wanted::All),
                _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
            }
        }
    }

    deserializer.deserialize_any(Expected)
}

#[derive(Serialize)]
struct Accepted {
    request_id: Uuid,
    order_ids: Vec<Uuid>,
    orders: Vec<Placed>,
    stream: String,
    version: u64,
    position: String,
    /// Where the receipt's proof is got, as soon as the log is sealed up to it.
    proof: String,
}

#[derive(Serialize)]
struct Placed {
    order_id: Uuid,
    cl_ord_id: String,
    side: &'static str,
    quantity: u64,
    limit_price: String,
}

pub async fn create(
    State(app): State<App>,
    who: Who,
    key: IdempotencyKey,
    Json(body): Json<Body>,
) -> Result<Response, Problem> {
    decide::check_knowing(&app)?;
    let terms = terms(&body)?;
    let actor = who.actor();
    let request_id = key.request_id(&actor.0);
    let asked = Asked {
        client: Some(&body.client_code),
        ..Asked::of_desk("square-off", request_id)
    };
    let position = app.keep(&actor, &asked, position(&app, &who, &body))?;
    let verified = verified::check(&app, &who, &position.client, request_id).await;
    app.keep(&actor, &asked, verified)?;
    let request = Request::SquareOff { request_id, terms };
    let answer = decide::decide(&app, &actor, &position, &request).await?;
    Ok(accepted(request_id.0, answer))
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
    if app
        .directory
        .contract(date, key.venue, &key.symbol)
        .is_none()
    {
        let detail = format!("{}:{} has no contract on {date}", key.venue, key.symbol);
        return Err(Problem {
            detail,
            ..Refusal::UnknownInstrument.into()
        });
    }
    Ok(key)
}

fn terms(body: &Body) -> Result<SquareOffTerms, Problem> {
    let evidence = body.evidence.clone();
    let unfit =
        |text: &String| text.len() > EVIDENCE_BYTES_MAX || text.chars().any(char::is_control);
    if evidence.as_ref().is_some_and(unfit) {
        return Err(Problem::malformed(format!(
            "`evidence` may have at most {EVIDENCE_BYTES_MAX} bytes and no control characters"
        )));
    }
    Ok(SquareOffTerms {
        quantity: body.quantity,
        price: body
            .limit_price
            .map_or(PricePolicy::MarketableLimit, PricePolicy::Limit),
        time_in_force: body.time_in_force.unwrap_or(TimeInForce::Day),
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
