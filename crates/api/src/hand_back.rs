//! What the primary platform gets back: every position of the day handed back, and the numbers to check the hand-over by.
//!
//! 1. Nothing is handed back while an order of ours may still fill, or is in doubt.
//! 2. The package is of one point of the log: every position as it stood there.
//! 3. Asked again after it broke off, the work goes on where it stopped.

use crate::auth::Actor;
use crate::decide::{attempt, check_knowing, unread};
use crate::platform;
use crate::problem::Problem;
use crate::server::App;
use axum::http::StatusCode;
use futures::stream::{self, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use squareoff_domain::platform::{HandbackPackage, Phase, PlatformAsk, PlatformRefusal};
use squareoff_domain::position::{Order, Position, Request};
use squareoff_domain::{PositionKey, Refusal, RequestId};
use squareoff_store::Loaded;
use std::sync::Arc;
use uuid::Uuid;

/// Positions worked on at once: the log makes one durable commit of what they append.
const AT_ONCE: usize = 64;
/// How often the numbers are taken again because a late report came between.
const TRIES_MAX: usize = 5;

/// Hands back what is not handed back yet, and takes the numbers of all.
///
/// # Errors
/// `platform-not-draining`, `orders-working`, `busy`, and the outages of the log.
pub async fn package(
    app: &App,
    actor: &Actor,
    request_id: RequestId,
) -> Result<HandbackPackage, Problem> {
    let platform = platform::load(app).await?.state;
    // A repetition asks for what it asked for the first time, whatever came since.
    if let Some(asked) = platform.requests.get(&request_id)
        && let PlatformAsk::CompleteHandback { package } = &asked.ask
    {
        return Ok(package.clone());
    }
    let (phase, date) = (platform.phase, platform.trading_date);
    let date = date
        .filter(|_| phase == Phase::Draining)
        .ok_or_else(|| Problem::from(PlatformRefusal::NotDraining { phase }))?;
    check_knowing(app)?;
    let streams = app.directory.positions_on(date);
    check_nothing_works(&load(app, &streams).await?)?;
    hand_back(app, actor, request_id, &streams).await?;
    for _ in 0..TRIES_MAX {
        let head = app.store.head().await?;
        let positions = load(app, &streams).await?;
        check_nothing_works(&positions)?;
        if positions
            .iter()
            .all(|loaded| loaded.position.is_none_or(|position| position <= head))
        {
            return Ok(numbers(&positions, head.as_u64()));
        }
    }
    Err(Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "busy",
        "Others are changing the same position",
        "positions kept changing while the hand-back's numbers were taken",
    ))
}

async fn load(app: &App, streams: &[Arc<str>]) -> Result<Vec<Loaded<Position>>, Problem> {
    let loading = stream::iter(streams.to_vec()).map(|stream| {
        let positions = app.positions.clone();
        async move { positions.load(&stream).await.map_err(unread) }
    });
    let mut positions: Vec<_> = loading.buffer_unordered(AT_ONCE).try_collect().await?;
    // A stream may hold a report of an order nobody knows, and no position.
    positions.retain(|loaded: &Loaded<Position>| loaded.state.key.is_some());
    positions.sort_by(|a, b| a.state.key.cmp(&b.state.key));
    Ok(positions)
}

fn check_nothing_works(positions: &[Loaded<Position>]) -> Result<(), Problem> {
    let may_fill = |order: &&Order| order.is_ours() && !order.leaves().is_zero();
    let working = |loaded: &&Loaded<Position>| loaded.state.orders.values().any(|it| may_fill(&it));
    let working: Vec<_> = positions.iter().filter(working).collect();
    let Some(first) = working.first() else {
        return Ok(());
    };
    let orders = working
        .iter()
        .flat_map(|loaded| loaded.state.orders.values())
        .filter(may_fill);
    let (mut count, mut in_doubt) = (0_u32, 0_u32);
    for order in orders {
        count = count.saturating_add(1);
        in_doubt = in_doubt.saturating_add(u32::from(order.in_doubt));
    }
    let of = first.state.key.as_ref().map(PositionKey::stream);
    Err(Problem {
        detail: format!(
            "{count} orders on {} positions may still fill, {in_doubt} of them in doubt; the first is on {}",
            working.len(),
            of.unwrap_or_default(),
        ),
        ..Refusal::OrdersWorking { orders: count }.into()
    })
}

/// Each under an id of its own, made of the request's: a repetition finds what is done.
async fn hand_back(
    app: &App,
    actor: &Actor,
    request_id: RequestId,
    streams: &[Arc<str>],
) -> Result<(), Problem> {
    let one = |stream: Arc<str>| async move {
        let Some(key) = PositionKey::of_stream(&stream) else {
            return Ok(());
        };
        let request_id = RequestId(Uuid::new_v5(&request_id.0, stream.as_bytes()));
        match attempt(app, actor, &key, &Request::HandBack { request_id }).await {
            Ok(_) => Ok(()),
            Err(problem) if problem.code == Refusal::HandedBack.code() => Ok(()),
            Err(problem) if problem.code == Refusal::UnknownPosition.code() => Ok(()),
            Err(problem) => Err(problem),
        }
    };
    let handing = stream::iter(streams.to_vec()).map(one);
    handing
        .buffer_unordered(AT_ONCE)
        .try_for_each(|()| async { Ok(()) })
        .await
}

fn numbers(positions: &[Loaded<Position>], last_position: u64) -> HandbackPackage {
    let count = |of: fn(&Position) -> usize| {
        let sum: usize = positions.iter().map(|loaded| of(&loaded.state)).sum();
        u64::try_from(sum).unwrap_or(u64::MAX)
    };
    let mut digest = Sha256::new();
    for loaded in positions {
        let position = &loaded.state;
        if let Some(key) = &position.key {
            digest.update(format!("{} {}\n", key.stream(), position.net.0));
        }
    }
    let digest = digest.finalize();
    let live = |position: &Position| {
        let trades = position.trades();
        let live = trades
            .iter()
            .filter(|(_, trade)| !trade.live_quantity().is_zero());
        live.count()
    };
    let ours = |position: &Position| position.orders.values().filter(|it| it.is_ours()).count();
    HandbackPackage {
        positions: u64::try_from(positions.len()).unwrap_or(u64::MAX),
        orders: count(ours),
        executions: count(live),
        net_digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        last_position,
    }
}
