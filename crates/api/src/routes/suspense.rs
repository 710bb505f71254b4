//! `/v1/suspense`: executions that fit nothing. The desk says where they belong, or that they are no trade of ours.

use super::positions::position_key;
use super::rows::Wanted;
use super::{cursor, filter, next, one_of, outage, page_rows, rupees, wait_for};
use crate::auth::Actor;
use crate::decide::{accepted, check_knowing, first_answer, problem};
use crate::document::values;
use crate::extract::{IdempotencyKey, Json, Query, Reason};
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::routes::clients::unknown as unknown_client;
use crate::server::{App, now};
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use squareoff_domain::position::{self, Report};
use squareoff_domain::suspense::{
    self, Settled, SuspendedExecution, Suspense, SuspenseAsk, SuspenseEvent, SuspenseRefusal,
    SuspenseRequest,
};
use squareoff_domain::{
    Account, ExecutionKey, PositionKey, Refusal, RequestId, Symbol, Timestamp, TradingDate, Venue,
};
use squareoff_projections::suspense::{SuspenseFilter, SuspenseRow, suspense as suspended};
use squareoff_store::codec::LogEvent;
use squareoff_store::{Caller, Position};
use std::convert::Infallible;
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// Events of one read of a suspense stream.
const PAGE: usize = 1_000;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(match_report))
        .routes(routes!(dismiss))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = SuspenseMatch)]
#[serde(deny_unknown_fields)]
pub struct Match {
    #[schema(value_type = values::VenueName)]
    venue: Venue,
    #[schema(value_type = values::TradingDay)]
    trading_date: TradingDate,
    report_key: String,
    /// The stream of the position.
    #[schema(value_type = values::PositionStream)]
    stream: String,
    #[schema(value_type = values::ReasonText)]
    reason: Reason,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = SuspenseDismissal)]
#[serde(deny_unknown_fields)]
pub struct Dismiss {
    #[schema(value_type = values::VenueName)]
    venue: Venue,
    #[schema(value_type = values::TradingDay)]
    trading_date: TradingDate,
    report_key: String,
    #[schema(value_type = values::ReasonText)]
    reason: Reason,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    #[param(value_type = values::SuspenseState, required = false)]
    state: Option<String>,
    #[param(value_type = values::VenueName, required = false)]
    venue: Option<String>,
    #[param(value_type = values::AccountText, required = false)]
    account: Option<String>,
    #[param(value_type = values::Symbol, required = false)]
    symbol: Option<String>,
    #[param(value_type = values::ExecutionText, required = false)]
    execution_key: Option<String>,
    #[param(value_type = values::LogPosition, required = false)]
    before: Option<String>,
    #[param(value_type = u32, minimum = 1, maximum = 500, default = 100, required = false)]
    limit: Option<String>,
    #[param(value_type = values::LogPosition, required = false)]
    at_least: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SuspensePage)]
struct Page {
    suspense: Vec<Suspended>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = values::LogPosition, required = false)]
    next: Option<String>,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

/// Quantity in units, price in rupees; absent when the report is of no execution.
#[derive(Serialize, utoipa::ToSchema)]
struct Suspended {
    #[schema(value_type = values::StreamName)]
    stream: String,
    #[schema(value_type = values::VenueName)]
    venue: String,
    report_key: String,
    #[schema(value_type = values::SuspenseState)]
    state: String,
    /// Why it fits nothing.
    reason: String,
    message: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = values::Instant)]
    suspended_at: OffsetDateTime,
    #[schema(value_type = Option<values::ExecutionText>, required = true)]
    execution_key: Option<String>,
    #[schema(value_type = Option<values::AccountText>, required = true)]
    account: Option<String>,
    #[schema(value_type = Option<values::Symbol>, required = true)]
    symbol: Option<String>,
    #[schema(value_type = Option<values::SideName>, required = true)]
    side: Option<String>,
    #[schema(required = true)]
    quantity: Option<i64>,
    #[schema(value_type = Option<values::Rupees>, required = true)]
    price: Option<String>,
    #[schema(value_type = Option<values::PositionStream>, required = true)]
    matched_stream: Option<String>,
    #[schema(required = true)]
    settled_by: Option<String>,
    #[schema(required = true)]
    settled_reason: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<values::Instant>, required = true)]
    settled_at: Option<OffsetDateTime>,
    /// The position that the primary named against what was settled.
    #[schema(value_type = Option<values::PositionStream>, required = true)]
    contradicted_stream: Option<String>,
    #[schema(value_type = values::LogPosition)]
    event_position: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SuspenseAccepted)]
struct Accepted {
    request_id: Uuid,
    report_key: String,
    #[schema(value_type = values::StreamName)]
    stream: String,
    version: u64,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

/// Reports that fit no order, newest first.
#[utoipa::path(
    get,
    path = "/v1/suspense",
    operation_id = "listSuspense",
    tag = "Suspense",
    params(ListQuery),
    responses((status = 200, description = "A page of reports; with `Accept: text/csv` its rows, `Link` to the next and `x-log-position`", content((Page = "application/json"), (String = "text/csv")))),
)]
async fn list(
    State(app): State<App>,
    _: Actor,
    rows: Wanted,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let limit = page_rows(query.limit.as_deref())?;
    let states = &["open", "matched", "dismissed"];
    let state = query.state.map(|state| one_of("state", state, states));
    let wanted = SuspenseFilter {
        state: state.transpose()?,
        venue: filter::<Venue>("venue", query.venue)?,
        account: filter::<Account>("account", query.account)?,
        symbol: filter::<Symbol>("symbol", query.symbol)?,
        execution_key: filter::<ExecutionKey>("execution_key", query.execution_key)?,
        before: cursor(query.before.as_deref())?,
        limit: Some(limit),
    };
    wait_for(&app, query.at_least.as_deref()).await?;
    let found = suspended(&app.reads, &wanted).await.map_err(outage)?;
    let next = next(&found.value, limit, |row| row.position);
    let suspense: Vec<_> = found.value.into_iter().map(Suspended::from).collect();
    let position = found.position.to_string();
    rows.page(
        suspense,
        "before",
        next,
        position,
        |suspense, next, position| Page {
            suspense,
            next,
            position,
        },
    )
}

/// Says which position an execution belongs to, and books it there.
///
/// A match that broke off is concluded by the same request, or by anybody's match to the same position; nothing is booked twice.
#[utoipa::path(
    post,
    path = "/v1/suspense/match",
    operation_id = "matchSuspense",
    tag = "Suspense",
    params(IdempotencyKey),
    request_body = Match,
    responses((status = 202, description = "It is booked", body = Accepted)),
    extensions(("x-problems" = json!([
        "event-log-behind", "reason-missing", "unknown-client", "unknown-instrument", "unknown-report",
        "already-matched", "match-begun", "already-dismissed", "no-execution", "other-instrument"
    ]))),
)]
async fn match_report(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    Json(body): Json<Match>,
) -> Result<Response, Problem> {
    check_knowing(&app)?;
    let position = position_key(&body.stream).map_err(|problem| Problem {
        detail: problem.detail,
        ..Problem::malformed("")
    })?;
    let stream = suspense::stream(body.venue, body.trading_date);
    let request = SuspenseRequest {
        request_id: key.request_id(&actor.0),
        by: actor.0.to_string(),
        report_key: body.report_key,
        reason: body.reason.given()?,
        ask: SuspenseAsk::Match {
            position: position.clone(),
        },
    };
    let asked = Asked::of_position("match-suspense", request.request_id, &position);
    let answer = async {
        check_traded(&app, &position)?;
        if let Some(execution) = begin(&app, &actor, &stream, &request).await? {
            book(&app, &actor, &stream, &request, (&position, execution)).await?;
        }
        settle(&app, &actor, &stream, &request, |held| {
            Ok(suspense::conclude(held, request.clone()))
        })
        .await
    };
    app.keep(&actor, &asked, answer.await)
}

/// Says that a report is no trade of ours; it can still be matched later.
#[utoipa::path(
    post,
    path = "/v1/suspense/dismiss",
    operation_id = "dismissSuspense",
    tag = "Suspense",
    params(IdempotencyKey),
    request_body = Dismiss,
    responses((status = 202, description = "It is dismissed", body = Accepted)),
    extensions(("x-problems" = json!(["reason-missing", "unknown-report", "already-matched", "match-begun", "already-dismissed"]))),
)]
async fn dismiss(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    Json(body): Json<Dismiss>,
) -> Result<Response, Problem> {
    let stream = suspense::stream(body.venue, body.trading_date);
    let request = SuspenseRequest {
        request_id: key.request_id(&actor.0),
        by: actor.0.to_string(),
        report_key: body.report_key,
        reason: body.reason.given()?,
        ask: SuspenseAsk::Dismiss,
    };
    let asked = Asked::of_desk("dismiss-suspense", request.request_id);
    let answer = settle(&app, &actor, &stream, &request, |held| {
        suspense::decide(held, request.clone())
    })
    .await;
    app.keep(&actor, &asked, answer)
}

/// A position that nobody of the broker's can have is a slip of the hand.
fn check_traded(app: &App, position: &PositionKey) -> Result<(), Problem> {
    if !app.directory.knows_client(&position.client) {
        return Err(unknown_client(&position.client));
    }
    let contract = app
        .directory
        .contract(position.date, position.venue, &position.symbol);
    if contract.is_none() {
        return Err(Refusal::UnknownInstrument.into());
    }
    Ok(())
}

/// Begins the match, unless it is begun to that position already. Gives the execution that is to be booked; `None` when all is done.
async fn begin(
    app: &App,
    actor: &Actor,
    stream: &str,
    request: &SuspenseRequest,
) -> Result<Option<SuspendedExecution>, Problem> {
    let caller = caller(app, actor, begin_id(request.request_id), request.request_id);
    let decide = |state: &Suspense| {
        let events = suspense::decide(state, request.clone())?;
        let held = state.held.get(&request.report_key);
        let open = held.filter(|held| !matches!(held.settled, Some(Settled::Matched { .. })));
        let execution = open.and_then(|held| held.execution.clone());
        Ok::<_, SuspenseRefusal>((events, execution))
    };
    let committed = app.suspense.transact(stream, &caller, decide).await;
    let committed = committed.map_err(|error| problem(error, Problem::from))?;
    Ok(committed.value)
}

/// The request's own id is that of its answer, which concludes.
fn begin_id(request: RequestId) -> RequestId {
    RequestId(Uuid::new_v5(&request.0, b"begin"))
}

/// Once, whatever is repeated: the position knows the execution by its key.
async fn book(
    app: &App,
    actor: &Actor,
    stream: &str,
    request: &SuspenseRequest,
    (position, execution): (&PositionKey, SuspendedExecution),
) -> Result<(), Problem> {
    let traded_at = told_at(app, stream, &request.report_key).await?;
    let report = trade(position, execution, traded_at, &request.report_key);
    let request_id = Uuid::new_v5(&request.request_id.0, b"fact");
    let caller = caller(app, actor, RequestId(request_id), request.request_id);
    let record = |state: &position::Position| {
        let events = position::record(state, &report);
        Ok::<_, Infallible>((events, ()))
    };
    let booked = app
        .positions
        .transact(&position.stream(), &caller, record)
        .await;
    booked.map_err(|error| problem(error, |never| match never {}))?;
    Ok(())
}

fn trade(
    position: &PositionKey,
    execution: SuspendedExecution,
    traded_at: Timestamp,
    report_key: &str,
) -> Report {
    Report::PrimaryTrade {
        key: position.clone(),
        execution: execution.execution,
        side: execution.side,
        quantity: execution.quantity,
        price: execution.price,
        traded_at,
        source: format!("suspense {report_key}"),
    }
}

/// When the report was recorded, which is as near to its trade as the log knows.
async fn told_at(app: &App, stream: &str, report_key: &str) -> Result<Timestamp, Problem> {
    let mut from = 1;
    loop {
        let page = app.store.read_stream(stream, from, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(now());
        };
        from = last.version + 1;
        for stored in &page {
            match SuspenseEvent::decode(stored).map_err(Problem::bug)? {
                SuspenseEvent::ReportSuspended(report) if report.report_key == report_key => {
                    return Ok(stored.occurred_at);
                }
                SuspenseEvent::ReportSuspended(_)
                | SuspenseEvent::SuspenseMatchBegun(_)
                | SuspenseEvent::SuspenseMatched(_)
                | SuspenseEvent::SuspenseDismissed(_)
                | SuspenseEvent::SuspenseContradicted(_) => {}
            }
        }
    }
}

/// Appends what ends the request, and answers.
async fn settle(
    app: &App,
    actor: &Actor,
    stream: &str,
    request: &SuspenseRequest,
    decide: impl Fn(&Suspense) -> Result<Vec<SuspenseEvent>, SuspenseRefusal>,
) -> Result<Response, Problem> {
    let request_id = request.request_id;
    let caller = caller(app, actor, request_id, request_id);
    let committed = app
        .suspense
        .transact(stream, &caller, |state: &Suspense| {
            Ok::<_, SuspenseRefusal>((decide(state)?, ()))
        })
        .await
        .map_err(|error| problem(error, Problem::from))?;
    let replayed = committed.appended == 0;
    let (version, position) = if replayed {
        // Somebody else's match to the same position may have concluded it.
        let mut first = first_answer::<SuspenseEvent>(app, stream, request_id).await?;
        if first.is_none() {
            first = first_answer(app, stream, begin_id(request_id)).await?;
        }
        first.map_or((committed.version, Position::START), |first| {
            (first.version, first.position)
        })
    } else {
        let position = committed.position.unwrap_or(Position::START);
        (committed.version, position)
    };
    let body = Accepted {
        request_id: request_id.0,
        report_key: request.report_key.clone(),
        stream: stream.to_owned(),
        version,
        position: position.to_string(),
    };
    Ok(accepted(&body, None, replayed))
}

fn caller(app: &App, actor: &Actor, request_id: RequestId, correlation: RequestId) -> Caller {
    Caller {
        actor: actor.0.clone(),
        request_id: request_id.0,
        correlation_id: correlation.0,
        epoch: app.directory.platform().epoch,
        now: now(),
    }
}

impl From<SuspenseRow> for Suspended {
    fn from(row: SuspenseRow) -> Self {
        Suspended {
            stream: row.stream,
            venue: row.venue,
            report_key: row.report_key,
            state: row.state,
            reason: row.reason,
            message: row.message,
            suspended_at: row.suspended_at,
            execution_key: row.execution_key,
            account: row.account,
            symbol: row.symbol,
            side: row.side,
            quantity: row.quantity,
            price: row.price.map(rupees),
            matched_stream: row.matched_stream,
            settled_by: row.settled_by,
            settled_reason: row.settled_reason,
            settled_at: row.settled_at,
            contradicted_stream: row.contradicted_stream,
            event_position: row.position.to_string(),
        }
    }
}
