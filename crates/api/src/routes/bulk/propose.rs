//! A proposal: which positions, at which cost, and what it would take; or only that, as a dry run.

use super::{Cost, Filter, What, money};
use crate::auth::Actor;
use crate::bulk::desk;
use crate::bulk::plan::{Candidate, Close, Plan, plan};
use crate::decide::{Answer, accepted, check_knowing};
use crate::document::values;
use crate::extract::{Json, OptionalIdempotencyKey, Reason};
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::routes::{outage, rfc3339};
use crate::server::{App, now};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use squareoff_domain::bulk::{
    BulkEvent, BulkFilter, BulkId, BulkPrice, BulkProposal, BulkProposed, BulkRefusal, BulkStatus,
    BulkTerms,
};
use squareoff_domain::position::TimeInForce;
use squareoff_domain::{Segment, TradingDate};
use squareoff_projections::positions::positions_matching;
use squareoff_store::Position;
use uuid::Uuid;

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = BulkProposal)]
#[serde(deny_unknown_fields)]
pub struct Body {
    filter: Filter,
    #[schema(value_type = values::ReasonText)]
    reason: Reason,
    #[schema(value_type = Option<values::TimeInForceName>)]
    time_in_force: Option<TimeInForce>,
    /// Nothing is proposed: the answer says what it would be.
    #[serde(default)]
    dry_run: bool,
}

/// What a bulk would be.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BulkDryRun)]
struct DryRun {
    dry_run: bool,
    #[schema(value_type = values::TradingDay)]
    trading_date: TradingDate,
    /// The log position that the positions were read at.
    #[schema(value_type = values::LogPosition)]
    as_of: String,
    #[serde(flatten)]
    cost: Cost,
    orders_to_cancel_ours: u32,
    orders_to_cancel_external: u32,
    phases: Vec<Phase>,
    closes: Vec<SegmentClose>,
    /// Whether it is over before the first of its segments closes; null when no close is known.
    #[schema(required = true)]
    fits_before_close: Option<bool>,
    left_out: LeftOut,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BulkPlanPhase)]
struct Phase {
    #[schema(value_type = values::BulkPhaseName)]
    phase: &'static str,
    items: u32,
    slices: u32,
    #[schema(value_type = values::Rupees)]
    notional: String,
}

#[derive(Serialize, utoipa::ToSchema)]
struct SegmentClose {
    #[schema(value_type = values::SegmentName)]
    segment: Segment,
    #[schema(value_type = values::Instant)]
    closes_at: String,
    seconds_to_close: u64,
    spare_seconds: i64,
    fits: bool,
}

/// Open positions under the filter that can't be closed.
#[derive(Serialize, Default, utoipa::ToSchema)]
#[schema(as = BulkLeftOut)]
struct LeftOut {
    #[schema(value_type = u64)]
    frozen: usize,
    #[schema(value_type = u64)]
    handed_back: usize,
    #[schema(value_type = u64)]
    without_contract: usize,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BulkProposed)]
struct Proposed {
    request_id: Uuid,
    bulk_id: Uuid,
    #[schema(value_type = values::BulkState)]
    status: &'static str,
    #[serde(flatten)]
    what: What,
    #[schema(value_type = values::StreamName)]
    stream: String,
    version: u64,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

/// Proposes to square many positions off at once, or says what it would be.
///
/// The items are the open positions of the trading date that are neither frozen nor handed back, as the read model shows them at
/// `as_of`. With `dry_run` nothing is proposed and no key is needed. More than 20,000 items are listed in several pieces: when the
/// answer is lost, send the same again.
#[utoipa::path(
    post,
    path = "/v1/bulk",
    operation_id = "proposeBulk",
    tag = "Bulk",
    params(OptionalIdempotencyKey),
    request_body = Body,
    responses((status = 200, description = "What it would be", body = DryRun), (status = 202, description = "Proposed: another person approves", body = Proposed)),
    extensions(("x-problems" = json!([
        "event-log-behind", "filter-unclear", "reason-missing", "platform-not-active", "nothing-to-square-off", "too-many-items",
        "bulk-already-proposed", "not-the-proposer", "list-incomplete", "bulk-in-another-status",
        "read-model-unavailable"
    ]))),
)]
pub(super) async fn propose(
    State(app): State<App>,
    actor: Actor,
    key: OptionalIdempotencyKey,
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
    let request_id = key.needed()?.request_id(&actor.0);
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
