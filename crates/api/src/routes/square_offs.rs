//! `POST /v1/square-offs`: close one position, all of it or a part.

use crate::auth::Actor;
use crate::decide::{self, Answer};
use crate::extract::{IdempotencyKey, Json};
use crate::problem::Problem;
use crate::server::App;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use squareoff_domain::position::{PositionEvent, PricePolicy, Request, SquareOffTerms, TimeInForce, Wanted};
use squareoff_domain::{PositionKey, Price, Refusal};
use uuid::Uuid;

/// The longest reference to the client's instruction.
const EVIDENCE_BYTES_MAX: usize = 200;

/// The body. Texts are parsed one by one, so that the problem names the field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    client_code: String,
    venue: String,
    symbol: String,
    product: String,
    quantity: Quantity,
    /// Rupees, as text; absent: a marketable limit.
    limit_price: Option<String>,
    time_in_force: Option<TimeInForce>,
    /// Where the client's instruction is kept.
    evidence: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "`quantity` must be a whole number of units or \"all\"")]
enum Quantity {
    Units(i64),
    All(All),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum All {
    All,
}

#[derive(Serialize)]
struct Accepted {
    request_id: Uuid,
    order_ids: Vec<Uuid>,
    orders: Vec<Placed>,
    stream: String,
    version: u64,
    position: String,
}

#[derive(Serialize)]
struct Placed {
    order_id: Uuid,
    cl_ord_id: String,
    side: &'static str,
    quantity: u64,
    limit_price: String,
}

pub async fn create(State(app): State<App>, actor: Actor, key: IdempotencyKey, Json(body): Json<Body>) -> Result<Response, Problem> {
    let terms = body.terms()?;
    let field = |name: &str, error: String| Problem::malformed(format!("`{name}`: {error}"));
    let client = body.client_code.parse().map_err(|error| field("client_code", format!("{error}")))?;
    let venue = body.venue.parse().map_err(|error| field("venue", format!("{error}")))?;
    let symbol = body.symbol.parse().map_err(|error| field("symbol", format!("{error}")))?;
    let product = body.product.parse().map_err(|error| field("product", format!("{error}")))?;

    let date = app.directory.platform().trading_date.ok_or(Refusal::PlatformNotActive)?;
    if !app.directory.knows_client(&client) {
        return Err(Problem::not_found("unknown-client", "There is no such client", format!("no client has the code {client}")));
    }
    if app.directory.contract(date, venue, &symbol).is_none() {
        return Err(Refusal::UnknownInstrument.into());
    }
    let request_id = key.request_id(&actor.0);
    let key = PositionKey { date, client, venue, symbol, product };
    let answer = decide::decide(&app, &actor, &key, request_id, &Request::SquareOff { request_id, terms }).await?;
    Ok(accepted(request_id.0, answer))
}

impl Body {
    fn terms(&self) -> Result<SquareOffTerms, Problem> {
        let quantity = match self.quantity {
            Quantity::All(All::All) => Wanted::All,
            // Less than zero is refused as zero is: by the rule, in its place.
            Quantity::Units(units) => Wanted::Units(u64::try_from(units).unwrap_or(0)),
        };
        let price = match &self.limit_price {
            None => PricePolicy::MarketableLimit,
            Some(text) => PricePolicy::Limit(
                text.parse::<Price>().map_err(|error| Problem::malformed(format!("`limit_price`: {error}")))?,
            ),
        };
        let evidence = self.evidence.clone();
        if evidence.as_ref().is_some_and(|text| text.len() > EVIDENCE_BYTES_MAX || text.chars().any(char::is_control)) {
            return Err(Problem::malformed(format!("`evidence` may have at most {EVIDENCE_BYTES_MAX} bytes and no control characters")));
        }
        Ok(SquareOffTerms { quantity, price, time_in_force: self.time_in_force.unwrap_or(TimeInForce::Day), evidence })
    }
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
    };
    let mut response = (StatusCode::ACCEPTED, axum::Json(&body)).into_response();
    if let Some(location) = body.order_ids.first().and_then(|id| HeaderValue::from_str(&format!("/v1/orders/{id}")).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    if answer.replayed {
        response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    }
    response
}
