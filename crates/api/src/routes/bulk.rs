//! `/v1/bulk`: many positions squared off at once, proposed by one person and approved by another.

use super::{cursor, next, one_of, outage, page_rows, parameter, rfc3339, rupees, wait_for};
use crate::auth::Actor;
use crate::bulk::desk;
use crate::bulk::plan::{Candidate, Close, Plan, plan};
use crate::bulk::{MeasuredPace, Summary};
use crate::decide::{Answer, accepted, check_knowing};
use crate::extract::{IdempotencyKey, Json, Path, Query, Reason};
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::server::{App, now};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use squareoff_domain::bulk::{
    BulkAsk, BulkEvent, BulkFilter, BulkId, BulkPhase, BulkPrice, BulkProposal, BulkProposed,
    BulkRefusal, BulkStatus, BulkTerms,
};
use squareoff_domain::position::TimeInForce;
use squareoff_domain::{ClientCode, Product, Segment, Symbol, Timestamp, TradingDate, Venue};
use squareoff_projections::bulks::{
    BulkItemFilter, BulkItemShown, PhaseProgress, bulk_items, bulk_progress,
};
use squareoff_projections::positions::positions_matching;
use squareoff_store::Position;
use time::OffsetDateTime;
use uuid::Uuid;

/// Every state an item can be in, as the read model writes them.
const STATES: &[&str] = &[
    "planned",
    "cancelling",
    "sent",
    "partly-filled",
    "closed",
    "nothing-to-do",
    "refused",
    "failed",
    "skipped",
];
const STATUSES: &[BulkStatus] = &[
    BulkStatus::Proposed,
    BulkStatus::Running,
    BulkStatus::Paused,
    BulkStatus::Rejected,
    BulkStatus::Aborted,
    BulkStatus::Completed,
];

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
pub struct Body {
    filter: Filter,
    reason: Reason,
    time_in_force: Option<TimeInForce>,
    /// Nothing is proposed: the answer says what it would be.
    #[serde(default)]
    dry_run: bool,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Why {
    reason: Reason,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    status: Option<String>,
    /// `next` of the page before.
    before: Option<String>,
    limit: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemsQuery {
    phase: Option<String>,
    client_code: Option<String>,
    state: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    limit: Option<String>,
    at_least: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    at_least: Option<String>,
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

/// What a bulk would be.
#[derive(Serialize)]
struct DryRun {
    dry_run: bool,
    trading_date: TradingDate,
    /// The log position that the positions were read at.
    as_of: String,
    #[serde(flatten)]
    cost: Cost,
    orders_to_cancel_ours: u32,
    orders_to_cancel_external: u32,
    phases: Vec<Phase>,
    closes: Vec<SegmentClose>,
    /// Whether it is over before the first of its segments closes; null when no close is known.
    fits_before_close: Option<bool>,
    left_out: LeftOut,
}

#[derive(Serialize)]
struct Phase {
    phase: &'static str,
    items: u32,
    slices: u32,
    notional: String,
}

#[derive(Serialize)]
struct SegmentClose {
    segment: Segment,
    closes_at: String,
    seconds_to_close: u64,
    spare_seconds: i64,
    fits: bool,
}

/// Open positions under the filter that can't be closed.
#[derive(Serialize, Default)]
struct LeftOut {
    frozen: usize,
    handed_back: usize,
    without_contract: usize,
}

#[derive(Serialize)]
struct Proposed {
    request_id: Uuid,
    bulk_id: Uuid,
    status: &'static str,
    #[serde(flatten)]
    what: What,
    stream: String,
    version: u64,
    position: String,
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

#[derive(Serialize)]
struct Done {
    request_id: Uuid,
    bulk_id: Uuid,
    stream: String,
    version: u64,
    position: String,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    bulk: Listed,
    position: String,
}

#[derive(Serialize)]
struct Page {
    bulks: Vec<Listed>,
    /// `before` of the next page; absent when this one was not full.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    position: String,
}

#[derive(Serialize)]
struct Listed {
    bulk_id: Uuid,
    status: &'static str,
    phase: Option<&'static str>,
    #[serde(flatten)]
    what: What,
    proposed_at: String,
    approved_by: Option<String>,
    approved_at: Option<String>,
    stopped_by: Option<String>,
    stopped_because: Option<String>,
    ended_at: Option<String>,
    progress: Progress,
}

/// Items by what became of them; together they are `items`.
#[derive(Serialize)]
struct Progress {
    /// Not begun.
    planned: u32,
    /// Asked for, and not ended.
    sent: u32,
    closed: u32,
    nothing_to_do: u32,
    refused: u32,
    failed: u32,
    skipped: u32,
    /// Items without working orders, of those that the cancelling came to.
    cancelled: u32,
    /// Over the last seconds; null unless it is running.
    items_per_s: Option<f64>,
    estimated_seconds_left: Option<u64>,
    estimated_end_at: Option<String>,
}

#[derive(Serialize)]
struct Phases {
    bulk_id: Uuid,
    phases: Vec<PhaseShown>,
    position: String,
}

/// Items, and quantities in units.
#[derive(Serialize)]
struct PhaseShown {
    phase: String,
    items: i64,
    planned: i64,
    cancelling: i64,
    sent: i64,
    partly_filled: i64,
    closed: i64,
    nothing_to_do: i64,
    refused: i64,
    failed: i64,
    skipped: i64,
    quantity: i64,
    quantity_closed: i64,
}

#[derive(Serialize)]
struct Items {
    bulk_id: Uuid,
    items: Vec<Item>,
    /// `after` of the next page; absent when this one was not full.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    position: String,
}

#[derive(Serialize)]
struct Item {
    item: i32,
    stream: String,
    client_code: String,
    venue: String,
    symbol: String,
    product: String,
    phase: String,
    state: String,
    net_quantity: i64,
    notional: String,
    net_quantity_now: Option<i64>,
    working_quantity_now: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome_quantity: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome_reason: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    settled_at: Option<OffsetDateTime>,
}

async fn propose(
    State(app): State<App>,
    actor: Actor,
    key: Result<IdempotencyKey, Problem>,
    Json(body): Json<Body>,
) -> Result<Response, Problem> {
    check_knowing(&app)?;
    let filter = body.filter.given()?;
    let reason = body.reason.given()?;
    let time_in_force = body.time_in_force.unwrap_or(TimeInForce::Day);
    if body.dry_run {
        let (date, chosen) = choose(&app, &filter).await?;
        let made = plan(chosen.candidates, app.settings.venue_message_rate);
        return Ok(
            axum::Json(dry_run(&app, date, chosen.as_of, &made, chosen.left_out)).into_response(),
        );
    }
    let request_id = key?.request_id(&actor.0);
    let id = BulkId(request_id.0);
    let terms = BulkTerms {
        price: BulkPrice::MarketableLimit,
        time_in_force,
        cancel_external: true,
    };
    let asked = Asked::of_desk("propose-bulk", request_id);
    let wanted = Wanted {
        filter,
        terms,
        reason,
    };
    let proposed = proposed(&app, &actor, id, wanted).await;
    let (answer, event) = app.keep(&actor, &asked, proposed)?;
    let body = Proposed {
        request_id: request_id.0,
        bulk_id: id.0,
        status: BulkStatus::Proposed.as_str(),
        what: What::of(&event),
        stream: answer.stream,
        version: answer.version,
        position: answer.position.to_string(),
    };
    let mut response = accepted(&body, None, answer.replayed);
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/bulk/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

struct Wanted {
    filter: BulkFilter,
    terms: BulkTerms,
    reason: String,
}

/// Proposes, or gives the first answer again; a list that was cut off is completed when the book still gives the same one.
async fn proposed(
    app: &App,
    actor: &Actor,
    id: BulkId,
    wanted: Wanted,
) -> Result<(Answer<BulkEvent>, BulkProposed), Problem> {
    let before = desk::load(app, id).await?;
    if let Some(first) = &before.proposed {
        let same = (&first.filter, &first.terms, &first.reason)
            == (&wanted.filter, &wanted.terms, &wanted.reason);
        if !same {
            return Err(BulkRefusal::RequestIdReused.into());
        }
    }
    let request_id = squareoff_domain::RequestId(id.0);
    if before.is_listed()
        && let Some(first) = &before.proposed
    {
        let answer = desk::first(app, id, request_id).await?;
        return Ok((answer, (**first).clone()));
    }
    let (date, chosen) = choose(app, &wanted.filter).await?;
    let rate = app.settings.venue_message_rate;
    let made = plan(chosen.candidates, rate);
    let items = u32::try_from(made.items.len()).unwrap_or(u32::MAX);
    if let Some(first) = &before.proposed {
        let listed = before.items.iter().map(|(_, item)| item);
        let goes_on = made
            .items
            .iter()
            .zip(listed)
            .all(|(made, listed)| made == listed);
        if items != first.items || date != first.trading_date || !goes_on {
            let (listed, items) = (before.counts.listed, first.items);
            return Err(BulkRefusal::ListIncomplete { listed, items }.into());
        }
    }
    let proposal = BulkProposal {
        bulk_id: id,
        filter: wanted.filter,
        terms: wanted.terms,
        as_of: chosen.as_of.as_u64(),
        trading_date: date,
        items,
        orders_to_cancel: made.cancels_ours.saturating_add(made.cancels_external),
        slices: made.slices,
        notional: made.notional,
        messages: made.messages,
        estimated_seconds: made.seconds,
        message_rate_per_s: rate,
        reason: wanted.reason,
    };
    let answer = desk::propose(app, actor, proposal, &made, request_id).await?;
    let bulk = desk::load(app, id).await?;
    let event = bulk.proposed.as_ref().map(|event| (**event).clone());
    let event = event.ok_or_else(|| Problem::bug(format!("{id} was proposed and is not")))?;
    Ok((answer, event))
}

struct Chosen {
    candidates: Vec<Candidate>,
    left_out: LeftOut,
    as_of: Position,
}

/// The open positions of the trading date under the filter, as the read model shows them.
async fn choose(app: &App, filter: &BulkFilter) -> Result<(TradingDate, Chosen), Problem> {
    let date = desk::trading_date(app)?;
    let found = positions_matching(&app.reads, date, filter)
        .await
        .map_err(outage)?;
    let mut left_out = LeftOut {
        without_contract: found.value.without_contract.len(),
        ..LeftOut::default()
    };
    let mut candidates = Vec::new();
    for position in found.value.positions {
        if position.handed_back {
            left_out.handed_back += 1;
        } else if position.frozen {
            left_out.frozen += 1;
        } else {
            candidates.push(Candidate {
                key: position.key,
                net: position.net,
                working_ours: position.working_ours,
                working_external: position.working_external,
                contract: position.contract,
            });
        }
    }
    let as_of = found.position;
    Ok((
        date,
        Chosen {
            candidates,
            left_out,
            as_of,
        },
    ))
}

fn dry_run(
    app: &App,
    date: TradingDate,
    as_of: Position,
    plan: &Plan,
    left_out: LeftOut,
) -> DryRun {
    let closes = plan.closes(app.settings.session_close, date, now());
    let fits = |close: &Close| close.spare_seconds >= 0;
    DryRun {
        dry_run: true,
        trading_date: date,
        as_of: as_of.to_string(),
        cost: Cost {
            items: u32::try_from(plan.items.len()).unwrap_or(u32::MAX),
            orders_to_cancel: plan.cancels_ours.saturating_add(plan.cancels_external),
            slices: plan.slices,
            notional: money(plan.notional),
            messages: plan.messages,
            message_rate_per_s: app.settings.venue_message_rate,
            estimated_seconds: plan.seconds,
        },
        orders_to_cancel_ours: plan.cancels_ours,
        orders_to_cancel_external: plan.cancels_external,
        phases: plan
            .phases
            .iter()
            .map(|(phase, of_phase)| Phase {
                phase: phase.as_str(),
                items: of_phase.items,
                slices: of_phase.slices,
                notional: money(of_phase.notional),
            })
            .collect(),
        fits_before_close: (!closes.is_empty()).then(|| closes.iter().all(fits)),
        closes: closes
            .iter()
            .map(|close| SegmentClose {
                segment: close.segment,
                closes_at: rfc3339(close.closes_at),
                seconds_to_close: close.seconds_to_close,
                spare_seconds: close.spare_seconds,
                fits: fits(close),
            })
            .collect(),
        left_out,
    }
}

async fn approve(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    Path(text): Path<String>,
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

async fn list(
    State(app): State<App>,
    _: Actor,
    Query(query): Query<ListQuery>,
) -> Result<axum::Json<Page>, Problem> {
    let statuses: Vec<_> = STATUSES.iter().map(|status| status.as_str()).collect();
    let status = query
        .status
        .map(|text| one_of("status", text, &statuses))
        .transpose()?;
    let limit = page_rows(query.limit.as_deref())?;
    let before = cursor(query.before.as_deref())?.unwrap_or(i64::MAX);
    let position = app.book.progress().position;
    let wanted = |(_, summary): &(BulkId, Summary)| {
        place(summary) < before
            && status
                .as_deref()
                .is_none_or(|status| summary.status.as_str() == status)
    };
    let found = app.book.summaries().into_iter().filter(wanted);
    let found: Vec<_> = found.take(usize::try_from(limit).unwrap_or(0)).collect();
    let next = next(&found, limit, |(_, summary)| place(summary));
    let bulks = found
        .iter()
        .map(|(id, summary)| Listed::of(*id, summary))
        .collect();
    let position = position.to_string();
    Ok(axum::Json(Page {
        bulks,
        next,
        position,
    }))
}

async fn show(
    State(app): State<App>,
    _: Actor,
    Path(text): Path<String>,
) -> Result<axum::Json<Shown>, Problem> {
    let id = bulk_id(&text)?;
    let position = app.book.progress().position.to_string();
    let summary = app.book.summary(id).ok_or(BulkRefusal::UnknownBulk)?;
    let bulk = Listed::of(id, &summary);
    Ok(axum::Json(Shown { bulk, position }))
}

async fn phases(
    State(app): State<App>,
    _: Actor,
    Path(text): Path<String>,
    Query(query): Query<Reading>,
) -> Result<axum::Json<Phases>, Problem> {
    let id = known(&app, &text)?;
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = bulk_progress(&app.reads, id.0).await.map_err(outage)?;
    Ok(axum::Json(Phases {
        bulk_id: id.0,
        phases: found
            .value
            .phases
            .into_iter()
            .map(PhaseShown::from)
            .collect(),
        position: found.position.to_string(),
    }))
}

async fn items(
    State(app): State<App>,
    _: Actor,
    Path(text): Path<String>,
    Query(query): Query<ItemsQuery>,
) -> Result<axum::Json<Items>, Problem> {
    let id = known(&app, &text)?;
    let phases: Vec<_> = BulkPhase::ALL.iter().map(|phase| phase.as_str()).collect();
    let limit = page_rows(query.limit.as_deref())?;
    let after = query.after.as_deref();
    let wanted = BulkItemFilter {
        phase: query
            .phase
            .map(|text| one_of("phase", text, &phases))
            .transpose()?,
        client_code: super::filter::<ClientCode>("client_code", query.client_code)?,
        state: query
            .state
            .map(|text| one_of("state", text, STATES))
            .transpose()?,
        after: after.map(|text| parameter("after", text)).transpose()?,
        limit: Some(limit),
    };
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = bulk_items(&app.reads, id.0, &wanted)
        .await
        .map_err(outage)?;
    let next = next(&found.value, limit, |row| i64::from(row.item));
    Ok(axum::Json(Items {
        bulk_id: id.0,
        items: found.value.into_iter().map(Item::from).collect(),
        next,
        position: found.position.to_string(),
    }))
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

/// The cursor of a list: where the proposal stands in the log.
fn place(summary: &Summary) -> i64 {
    i64::try_from(summary.proposed_position.as_u64()).unwrap_or(i64::MAX)
}

fn money(ten_thousandths: u64) -> String {
    rupees(i64::try_from(ten_thousandths).unwrap_or(i64::MAX))
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

impl Listed {
    fn of(id: BulkId, summary: &Summary) -> Self {
        let (counts, pace) = (summary.counts, summary.pace());
        // What was asked for ends as closed or failed.
        let sent = summary
            .asked
            .saturating_sub(counts.closed.saturating_add(counts.failed));
        let sent = sent.min(summary.left());
        Listed {
            bulk_id: id.0,
            status: summary.status.as_str(),
            phase: summary.phase.map(BulkPhase::as_str),
            what: What::of(&summary.proposed),
            proposed_at: rfc3339(summary.proposed_at),
            approved_by: summary.approved_by.clone(),
            approved_at: summary.approved_at.map(rfc3339),
            stopped_by: summary.stopped_by.clone(),
            stopped_because: summary.stopped_because.clone(),
            ended_at: summary.ended_at.map(rfc3339),
            progress: Progress {
                planned: summary.left() - sent,
                sent,
                closed: counts.closed,
                nothing_to_do: counts.nothing_to_do,
                refused: counts.refused,
                failed: counts.failed,
                skipped: counts.skipped,
                cancelled: counts.cancelled,
                items_per_s: pace.and_then(items_per_s),
                estimated_seconds_left: pace.map(|pace| pace.seconds_left),
                estimated_end_at: pace.map(|pace| rfc3339(end(pace))),
            },
        }
    }
}

/// `None` before anything is measured.
fn items_per_s(pace: MeasuredPace) -> Option<f64> {
    let thousandths = u32::try_from(pace.items_per_1000_s).unwrap_or(u32::MAX);
    (thousandths > 0).then(|| f64::from(thousandths) / 1_000.0)
}

fn end(pace: MeasuredPace) -> Timestamp {
    let left = i64::try_from(pace.seconds_left).unwrap_or(i64::MAX);
    Timestamp(now().0.saturating_add(left.saturating_mul(1_000_000_000)))
}

impl From<PhaseProgress> for PhaseShown {
    fn from(row: PhaseProgress) -> Self {
        PhaseShown {
            phase: row.phase,
            items: row.items,
            planned: row.planned,
            cancelling: row.cancelling,
            sent: row.sent,
            partly_filled: row.partly_filled,
            closed: row.closed,
            nothing_to_do: row.nothing_to_do,
            refused: row.refused,
            failed: row.failed,
            skipped: row.skipped,
            quantity: row.quantity,
            quantity_closed: row.quantity_closed,
        }
    }
}

impl From<BulkItemShown> for Item {
    fn from(row: BulkItemShown) -> Self {
        Item {
            item: row.item,
            stream: row.stream,
            client_code: row.client_code,
            venue: row.venue,
            symbol: row.symbol,
            product: row.product,
            phase: row.phase,
            state: row.state,
            net_quantity: row.net_quantity,
            notional: rupees(row.notional),
            net_quantity_now: row.net_quantity_now,
            working_quantity_now: row.working_quantity_now,
            outcome_quantity: row.outcome_quantity,
            outcome_reason: row.outcome_reason,
            settled_at: row.settled_at,
        }
    }
}
