//! The platform as the read models know it, in one answer.

use super::{CancelAllRow, HaltRow, MarketPhaseRow, PlatformRow};
use crate::query::{Reflecting, reflecting};
use sqlx::{PgConnection, PgPool};

/// Cancel-alls that are shown: those that wait, and the last others.
const CANCEL_ALLS_MAX: i64 = 50;

/// Everything that is known of the platform.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlatformShown {
    /// `None` before its first event: dormant, never activated.
    pub state: Option<PlatformRow>,
    /// In the order of their scopes, those that were taken back too.
    pub halts: Vec<HaltRow>,
    /// Newest first.
    pub cancel_alls: Vec<CancelAllRow>,
    /// In order of venue and segment.
    pub markets: Vec<MarketPhaseRow>,
}

/// # Errors
/// When Postgres is away.
pub async fn platform(pool: &PgPool) -> Result<Reflecting<PlatformShown>, sqlx::Error> {
    reflecting!(pool, |connection| shown(connection))
}

async fn shown(connection: &mut PgConnection) -> Result<PlatformShown, sqlx::Error> {
    let state = sqlx::query_file_as!(PlatformRow, "src/platform/state.sql")
        .fetch_optional(&mut *connection)
        .await?;
    let halts = sqlx::query_file_as!(HaltRow, "src/platform/halts.sql")
        .fetch_all(&mut *connection)
        .await?;
    let cancel_alls = sqlx::query_file_as!(
        CancelAllRow,
        "src/platform/cancel_alls.sql",
        CANCEL_ALLS_MAX
    )
    .fetch_all(&mut *connection)
    .await?;
    let markets = sqlx::query_file_as!(MarketPhaseRow, "src/platform/market_phases.sql")
        .fetch_all(connection)
        .await?;
    Ok(PlatformShown {
        state,
        halts,
        cancel_alls,
        markets,
    })
}
