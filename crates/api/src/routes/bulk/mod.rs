//! `/v1/bulk`: many positions squared off at once, proposed by one person and approved by another.

mod propose;
mod show;

use crate::auth::Actor;
use crate::bulk::desk;
use crate::decide::accepted;
use crate::extract::{IdempotencyKey, Json, NoBody, Path, Reason};
use crate::problem::Problem;
use crate::routes::rupees;
use crate::server::App;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use propose::propose;
use serde::{Deserialize, Serialize};
pub(crate) use show::Shown;
use show::{items, list, phases, show};
use squareoff_domain::bulk::{BulkAsk, BulkFilter, BulkId, BulkProposed, BulkRefusal};
use squareoff_domain::position::TimeInForce;
use squareoff_domain::{ClientCode, Product, Segment, Symbol, TradingDate, Venue};
use uuid::Uuid;

pub fn router() -> Router<App> {
    Router::new()
        .route("/", get(list).post(propose))
        .route("/{bulk_id}", get(show))
        .route("/{bulk_id}/phases", get(phases))
        .route("/{bulk_id}/items", get(items))
        .route("/{bulk_id}/approve", post(approve))
        .route("/{bulk_id}/reject", post(reject))
        .route("/{bulk_id}/pause", post(pause))
        .route("/{bulk_id}/resume", post(resume))
        .route("/{bulk_id}/abort", post(abort))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Why {
    reason: Reason,
}

async fn approve(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    Path(text): Path<String>,
    _: NoBody,
) -> Result<Response, Problem> {
    ask(&app, &actor, &key, &text, BulkAsk::Approve).await
}

async fn reject(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    Path(text): Path<String>,
    Json(body): Json<Why>,
) -> Result<Response, Problem> {
    let reason = body.reason.given()?;
    ask(&app, &actor, &key, &text, BulkAsk::Reject { reason }).await
}

async fn pause(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    Path(text): Path<String>,
    Json(body): Json<Why>,
) -> Result<Response, Problem> {
    let reason = body.reason.given()?;
    ask(&app, &actor, &key, &text, BulkAsk::Pause { reason }).await
}

async fn resume(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    Path(text): Path<String>,
    _: NoBody,
) -> Result<Response, Problem> {
    ask(&app, &actor, &key, &text, BulkAsk::Resume).await
}

async fn abort(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    Path(text): Path<String>,
    Json(body): Json<Why>,
) -> Result<Response, Problem> {
    let reason = body.reason.given()?;
    ask(&app, &actor, &key, &text, BulkAsk::Abort { reason }).await
}

async fn ask(
    app: &App,
    actor: &Actor,
    key: &IdempotencyKey,
    text: &str,
    wanted: BulkAsk,
) -> Result<Response, Problem> {
    let id = bulk_id(text)?;
    let request_id = key.request_id(&actor.0);
    let answer = desk::ask(app, actor, id, request_id, wanted).await?;
    let body = Done {
        request_id: request_id.0,
        bulk_id: id.0,
        stream: answer.stream,
        version: answer.version,
        position: answer.position.to_string(),
    };
    Ok(accepted(&body, None, answer.replayed))
}

fn bulk_id(text: &str) -> Result<BulkId, Problem> {
    text.parse().map(BulkId).map_err(|_| {
        Problem::invalid_parameter(format!("`bulk_id`: `{text}` is not a bulk's id: a UUID"))
    })
}

fn known(app: &App, text: &str) -> Result<BulkId, Problem> {
    let id = bulk_id(text)?;
    let known = app.book.summary(id).is_some();
    known
        .then_some(id)
        .ok_or_else(|| BulkRefusal::UnknownBulk.into())
}

fn money(ten_thousandths: u64) -> String {
    rupees(i64::try_from(ten_thousandths).unwrap_or(i64::MAX))
}

/// Which positions; every field that is there must match.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    #[serde(skip_serializing_if = "Option::is_none")]
    client_code: Option<ClientCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    venue: Option<Venue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<Symbol>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<Product>,
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<Segment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry: Option<TradingDate>,
    /// Every position: said, not left out by a slip of the hand.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    all: bool,
}

impl Filter {
    /// # Errors
    /// `malformed-request` when it says neither what nor all, or both.
    fn given(self) -> Result<BulkFilter, Problem> {
        let filter = BulkFilter {
            client: self.client_code,
            venue: self.venue,
            symbol: self.symbol,
            product: self.product,
            segment: self.segment,
            expiry: self.expiry,
        };
        let all = filter == BulkFilter::default();
        match (self.all, all) {
            (true, true) | (false, false) => Ok(filter),
            (false, true) => Err(Problem::malformed(
                "`filter` is empty: for every position say \"all\": true",
            )),
            (true, false) => Err(Problem::malformed(
                "`filter` says \"all\" and names something: which is meant?",
            )),
        }
    }

    fn of(filter: &BulkFilter) -> Self {
        Filter {
            all: *filter == BulkFilter::default(),
            client_code: filter.client.clone(),
            venue: filter.venue,
            symbol: filter.symbol.clone(),
            product: filter.product,
            segment: filter.segment,
            expiry: filter.expiry,
        }
    }
}

/// What a proposal costs; money in rupees.
#[derive(Serialize)]
struct Cost {
    items: u32,
    orders_to_cancel: u32,
    slices: u32,
    notional: String,
    messages: u64,
    message_rate_per_s: u32,
    estimated_seconds: u64,
}

/// A bulk as it was proposed.
#[derive(Serialize)]
struct What {
    trading_date: TradingDate,
    as_of: String,
    filter: Filter,
    time_in_force: TimeInForce,
    reason: String,
    proposed_by: String,
    #[serde(flatten)]
    cost: Cost,
}

impl What {
    fn of(proposed: &BulkProposed) -> Self {
        What {
            trading_date: proposed.trading_date,
            as_of: proposed.as_of.to_string(),
            filter: Filter::of(&proposed.filter),
            time_in_force: proposed.terms.time_in_force,
            reason: proposed.reason.clone(),
            proposed_by: proposed.proposed_by.clone(),
            cost: Cost {
                items: proposed.items,
                orders_to_cancel: proposed.orders_to_cancel,
                slices: proposed.slices,
                notional: money(proposed.notional),
                messages: proposed.messages,
                message_rate_per_s: proposed.message_rate_per_s,
                estimated_seconds: proposed.estimated_seconds,
            },
        }
    }
}

#[derive(Serialize)]
struct Done {
    request_id: Uuid,
    bulk_id: Uuid,
    stream: String,
    version: u64,
    position: String,
}
