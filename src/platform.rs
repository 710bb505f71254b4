//! The platform's own stream, from the command line.

use anyhow::{Result, bail};
use squareoff_domain::platform::{self, Platform, PlatformAsk, PlatformRequest, STREAM};
use squareoff_domain::{RequestId, Timestamp, TradingDate};
use squareoff_store::{Caller, Committed, EventStore, Streams, TransactError};
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// Activates the platform for `date`, unless a person stood it down on that date: that stays. An epoch of another date is stood
/// down first. Whether the platform is active now.
///
/// # Errors
/// When the log does not take it.
pub async fn activate_for(
    store: &EventStore,
    date: TradingDate,
    actor: &str,
    reason: &str,
) -> Result<bool> {
    let now = state(store).await?;
    if now.trading_date == Some(date) {
        return Ok(now.epoch_in_force().is_some());
    }
    if now.epoch_in_force().is_some() {
        let reason = format!("another trading date begins: {date}");
        ask(store, actor, PlatformAsk::StandDown { reason }).await?;
    }
    let reason = reason.to_owned();
    let trading_date = date;
    ask(
        store,
        actor,
        PlatformAsk::ActivateAlone {
            trading_date,
            reason,
        },
    )
    .await?;
    Ok(true)
}

/// The platform as it is now.
///
/// # Errors
/// When the log cannot be read.
pub async fn state(store: &EventStore) -> Result<Platform> {
    let loaded = Streams::<Platform>::new(store.clone()).load(STREAM).await?;
    Ok((*loaded.state).clone())
}

/// Asks the platform for a change and says what came of it.
///
/// # Errors
/// The refusal, or an outage of the log.
pub async fn ask(store: &EventStore, actor: &str, ask: PlatformAsk) -> Result<Committed<()>> {
    let request_id = Uuid::now_v7();
    let epoch = state(store).await?.epoch;
    let caller = Caller {
        actor: actor.into(),
        request_id,
        correlation_id: request_id,
        epoch,
        now: now(),
    };
    let request = PlatformRequest {
        request_id: RequestId(request_id),
        by: actor.to_owned(),
        ask,
    };
    let decide = |platform: &Platform| Ok((platform::decide(platform, request.clone())?, ()));
    match Streams::<Platform>::new(store.clone())
        .transact(STREAM, &caller, decide)
        .await
    {
        Ok(committed) => Ok(committed),
        Err(TransactError::Refused(refusal)) => {
            let refusal: platform::PlatformRefusal = refusal;
            bail!("{refusal}")
        }
        Err(error) => Err(error.into()),
    }
}

/// The clock of the command line.
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// The state as a line of JSON.
pub fn describe(platform: &Platform) -> String {
    let phase = platform.phase.as_str();
    let date = platform.trading_date.map(|date| date.to_string());
    serde_json::json!({ "platform": phase, "epoch": platform.epoch, "trading_date": date })
        .to_string()
}
