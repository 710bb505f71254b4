//! `POST /v1/clients/{client_code}/square-offs`: close several positions of one client, or all that are open, or see what that would come to.
//!
//! Each position is asked by a request of its own, whose id is made of the idempotency key and its stream: what was accepted before a crash
//! or a lost answer is not ordered again, and what is refused of one stops no other.

use super::approvals::Wanted as Approval;
use super::positions::AT_ONCE;
use super::square_offs::{check_listed, quantity, terms};
use super::{parameter, rupees};
use crate::auth::{Actor, Who};
use crate::decide::{Decided, accepted, check_knowing, try_out, within_limit};
use crate::document::values;
use crate::extract::{IdempotencyKey, Json, Path, limit_price};
use crate::if_match::IfMatch;
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::routes::clients::unknown as unknown_client;
use crate::server::App;
use crate::verified;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use squareoff_domain::position::{PositionEvent, Request, SquareOffTerms, TimeInForce, Wanted};
use squareoff_domain::{
    ClientCode, PositionKey, Price, Product, Quantity, Refusal, RequestId, Symbol, TradingDate,
    Venue,
};
use squareoff_store::Position as LogPosition;
use std::collections::HashSet;
use uuid::Uuid;

/// Positions that one request may name.
const NAMED_MAX: usize = 100;

/// What is to be closed.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = ClientSquareOffs)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// Absent: everything that is open, at a marketable limit.
    #[schema(min_items = 1, max_items = 100)]
    square_offs: Option<Vec<Named>>,
    /// Says what would become of each, and orders nothing.
    dry_run: Option<bool>,
    /// Where the client's instruction is kept.
    #[schema(value_type = Option<values::Evidence>)]
    evidence: Option<String>,
}

/// One of the client's positions, and how it is to be closed.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = ClientSquareOff)]
#[serde(deny_unknown_fields)]
struct Named {
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
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ClientSquareOffsAccepted)]
struct Accepted {
    request_id: Uuid,
    #[schema(value_type = values::ClientCode)]
    client_code: String,
    dry_run: bool,
    /// In the order in which they were named, or of their streams.
    square_offs: Vec<Outcome>,
    /// Of the last event that came of it; absent when none did.
    #[schema(value_type = Option<values::LogPosition>, required = true)]
    position: Option<String>,
}

/// What became of one position, or in a dry run would.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ClientSquareOffOutcome)]
struct Outcome {
    #[schema(value_type = values::PositionStream)]
    stream: String,
    /// `accepted`, `waiting-for-approval` by a second person, or the code of the problem that the position alone would have got.
    outcome: &'static str,
    /// Why not, in a sentence.
    #[schema(required = true)]
    detail: Option<String>,
    /// Only there when it waits for a second person, and is no dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    approval: Option<Approval>,
    orders: Vec<Ordered>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ClientOrder)]
struct Ordered {
    /// Absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    order_id: Option<Uuid>,
    #[schema(value_type = values::SideName)]
    side: &'static str,
    quantity: u64,
    #[schema(value_type = values::Rupees)]
    limit_price: String,
}

/// A position and how it is to be closed.
type One = (PositionKey, SquareOffTerms);

/// Closes several positions of a client, or everything that is open, on the platform's trading date.
///
/// Each position is decided alone: one that is refused stops no other, and its outcome says why. With `dry_run` nothing is ordered. After a
/// lost answer send the same again under the same key: it goes on where it was.
#[utoipa::path(
    post,
    path = "/v1/clients/{client_code}/square-offs",
    operation_id = "squareOffClient",
    tag = "Square-offs",
    params(("client_code" = values::ClientCode, Path, description = "The client"), IdempotencyKey),
    request_body = Body,
    responses(
        (status = 200, description = "A dry run, or none was accepted: nothing was ordered, and each outcome says why", body = Accepted),
        (status = 202, description = "Durable: orders are on their way, or wait for a second person, as each outcome says", body = Accepted),
    ),
    extensions(("x-problems" = json!([
        "event-log-behind", "position-named-twice", "unknown-client", "platform-not-active", "nothing-to-close", "client-erased",
        "identity-not-recorded", "identity-incomplete", "caller-not-verified"]))),
)]
pub async fn create(
    State(app): State<App>,
    who: Who,
    key: IdempotencyKey,
    Path(client_code): Path<String>,
    Json(body): Json<Body>,
) -> Result<Response, Problem> {
    let client: ClientCode = parameter("client_code", &client_code)?;
    // A position that this node has not read about yet would be passed over.
    check_knowing(&app)?;
    check(&body)?;
    let actor = who.actor();
    let request_id = key.request_id(&actor.0);
    let asked = Asked {
        client: Some(&client),
        ..Asked::of_desk("square-off", request_id)
    };
    let begun = begin(&app, &who, &client, request_id, &body).await;
    let ones = app.keep(&actor, &asked, begun)?;
    let (of_all, dry_run) = (body.square_offs.is_none(), body.is_dry());
    let one = async |one: One| {
        if dry_run {
            dry(&app, one).await
        } else {
            ask(&app, &actor, request_id, one, of_all).await
        }
    };
    let outcomes = stream::iter(ones).map(one).buffered(AT_ONCE);
    let mut outcomes: Vec<(Outcome, Option<Done>)> = outcomes.try_collect().await?;
    if of_all {
        outcomes.retain(|(outcome, _)| !is_flat(outcome.outcome));
        if outcomes.is_empty() {
            let nothing = Err(NOTHING_TO_CLOSE.into());
            return app.keep(&actor, &asked, nothing);
        }
    }
    let done = || outcomes.iter().filter_map(|(_, done)| *done);
    let position = done().map(|done| done.position).max();
    let replayed = done().all(|done| done.replayed);
    let body = Accepted {
        request_id: request_id.0,
        client_code,
        dry_run,
        position: position.map(|position| position.to_string()),
        square_offs: outcomes.into_iter().map(|(outcome, _)| outcome).collect(),
    };
    match position {
        Some(_) => Ok(accepted(&body, None, replayed)),
        None => Ok(axum::Json(body).into_response()),
    }
}

impl Body {
    fn is_dry(&self) -> bool {
        self.dry_run.unwrap_or(false)
    }
}

/// # Errors
/// `malformed-request`, `position-named-twice`.
fn check(body: &Body) -> Result<(), Problem> {
    let Some(named) = &body.square_offs else {
        return Ok(());
    };
    if named.is_empty() || named.len() > NAMED_MAX {
        return Err(Problem::malformed(format!(
            "`square_offs` may name 1 to {NAMED_MAX} positions; leave it out for all that are open"
        )));
    }
    let mut seen = HashSet::new();
    for one in named {
        if !seen.insert((one.venue, &one.symbol, one.product)) {
            let Named {
                venue,
                symbol,
                product,
                ..
            } = one;
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "position-named-twice",
                "A position is named twice",
                format!("`square_offs` names {venue}:{symbol} {product} twice"),
            ));
        }
    }
    Ok(())
}

/// What is to be asked, of a client whom this person may act for.
async fn begin(
    app: &App,
    who: &Who,
    client: &ClientCode,
    request_id: RequestId,
    body: &Body,
) -> Result<Vec<One>, Problem> {
    let date = app.directory.platform().trading_date;
    let date = date.ok_or(Refusal::PlatformNotActive)?;
    if !app.directory.knows_client(client) || !who.owns(client) {
        return Err(unknown_client(client));
    }
    let mut ones = ones(app, date, client, body)?;
    if body.is_dry() {
        return Ok(ones);
    }
    // What was accepted before is answered again whatever has become of the verification since, and nothing else is asked without one.
    let is_known = |(key, _): &One| {
        let of_request = app.directory.stream_of_request(id_of(request_id, key));
        of_request.is_some()
    };
    if !ones.iter().all(is_known)
        && let Err(problem) = verified::check(app, who, client, None).await
    {
        if body.square_offs.is_some() {
            return Err(problem);
        }
        ones.retain(is_known);
        if ones.is_empty() {
            return Err(problem);
        }
    }
    app.limits.acted_on(client.as_str())?;
    Ok(ones)
}

fn ones(
    app: &App,
    date: TradingDate,
    client: &ClientCode,
    body: &Body,
) -> Result<Vec<One>, Problem> {
    let evidence = || body.evidence.clone();
    let Some(named) = &body.square_offs else {
        let terms = terms(Wanted::All, None, None, evidence())?;
        let mut streams = app.directory.positions_of(date, client);
        streams.sort();
        let keys = streams
            .iter()
            .filter_map(|stream| PositionKey::of_stream(stream));
        return Ok(keys.map(|key| (key, terms.clone())).collect());
    };
    let one = |named: &Named| {
        let key = PositionKey {
            date,
            client: client.clone(),
            venue: named.venue,
            symbol: named.symbol.clone(),
            product: named.product,
        };
        let (price, time_in_force) = (named.limit_price, named.time_in_force);
        Ok((
            key,
            terms(named.quantity, price, time_in_force, evidence())?,
        ))
    };
    named.iter().map(one).collect()
}

/// Made of the key and the stream, so that one key is one request of each position.
fn id_of(request_id: RequestId, key: &PositionKey) -> RequestId {
    RequestId(Uuid::new_v5(&request_id.0, key.stream().as_bytes()))
}

/// What the log holds of an outcome.
#[derive(Clone, Copy)]
struct Done {
    position: LogPosition,
    replayed: bool,
}

async fn ask(
    app: &App,
    actor: &Actor,
    request_id: RequestId,
    (key, terms): One,
    of_all: bool,
) -> Result<(Outcome, Option<Done>), Problem> {
    let request_id = id_of(request_id, &key);
    let request = Request::SquareOff { request_id, terms };
    let decided = match check_listed(app, &key) {
        Ok(()) => within_limit(app, actor, &key, &request, IfMatch(None)).await,
        Err(problem) => Err(problem),
    };
    let decided = match decided {
        // That there is nothing to close of what nobody named is no refusal.
        Err(problem) if of_all && is_flat(problem.code) => Err(problem),
        decided => {
            let asked = Asked::of_position("square-off", request_id, &key);
            app.keep(actor, &asked, decided)
        }
    };
    let stream = key.stream();
    match decided {
        Ok(Decided::Accepted(answer)) => Ok((
            Outcome::accepted(stream, answer.events.iter().filter_map(Ordered::of)),
            Some(Done {
                position: answer.position,
                replayed: answer.replayed,
            }),
        )),
        Ok(Decided::Waits(waits)) => Ok((
            Outcome::waiting(stream, Approval::of(&waits)),
            Some(Done {
                position: waits.answer.position,
                replayed: waits.answer.replayed,
            }),
        )),
        Err(problem) => Ok((Outcome::refused(stream, problem)?, None)),
    }
}

async fn dry(app: &App, (key, terms): One) -> Result<(Outcome, Option<Done>), Problem> {
    let request_id = RequestId(Uuid::now_v7());
    let request = Request::SquareOff { request_id, terms };
    let tried = match check_listed(app, &key) {
        Ok(()) => try_out(app, &key, &request).await,
        Err(problem) => Err(problem),
    };
    let stream = key.stream();
    let outcome = match tried {
        Ok((events, worth)) => {
            let limit = app.settings.approval_notional;
            let is_above = |limit| worth.is_some_and(|worth| worth.notional > limit);
            let orders = events.iter().filter_map(Ordered::of);
            let orders = orders.map(|order| Ordered {
                order_id: None,
                ..order
            });
            let mut outcome = Outcome::accepted(stream, orders);
            if limit.is_some_and(is_above) {
                outcome.outcome = WAITING;
            }
            outcome
        }
        Err(problem) => Outcome::refused(stream, problem)?,
    };
    Ok((outcome, None))
}

const WAITING: &str = "waiting-for-approval";

const NOTHING_TO_CLOSE: Refusal = Refusal::NothingToClose {
    open: Quantity::ZERO,
    working: Quantity::ZERO,
};

/// Whether the position has nothing that could be closed.
fn is_flat(outcome: &str) -> bool {
    // A stream without a position holds reports only that nobody knows.
    [NOTHING_TO_CLOSE.code(), Refusal::UnknownPosition.code()].contains(&outcome)
}

impl Outcome {
    fn accepted(stream: String, orders: impl Iterator<Item = Ordered>) -> Self {
        Outcome {
            stream,
            outcome: "accepted",
            detail: None,
            approval: None,
            orders: orders.collect(),
        }
    }

    fn waiting(stream: String, approval: Approval) -> Self {
        Outcome {
            outcome: WAITING,
            approval: Some(approval),
            ..Outcome::accepted(stream, std::iter::empty())
        }
    }

    /// # Errors
    /// The problem, when it is an outage: what was done stays done, and the same key goes on from there.
    fn refused(stream: String, problem: Problem) -> Result<Self, Problem> {
        if problem.status.is_server_error() && problem.code != Refusal::SessionNotReady.code() {
            return Err(problem);
        }
        Ok(Outcome {
            outcome: problem.code,
            detail: Some(problem.detail),
            ..Outcome::accepted(stream, std::iter::empty())
        })
    }
}

impl Ordered {
    fn of(event: &PositionEvent) -> Option<Self> {
        match event {
            PositionEvent::OrderPlaced(placed) => Some(Ordered {
                order_id: Some(placed.order_id.0),
                side: placed.side.as_str(),
                quantity: placed.quantity.units(),
                limit_price: rupees(placed.price.0),
            }),
            _ => None,
        }
    }
}
