//! The roles: each runs until it is told to stop, alone in its process.

use crate::config::Config;
use crate::folder::Folder;
use crate::shutdown;
use anyhow::{Context, Result};
use futures::future::try_join_all;
use squareoff_api::{App, DevelopmentKey, Settings};
use squareoff_gateway::VenueSession;
use squareoff_projections::Database;
use squareoff_store::EventStore;
use std::time::Duration;
use tokio::sync::watch;

/// Connections of the API to the read database: queries are short, and Postgres takes sixty from all of us.
const READ_CONNECTIONS: u32 = 16;

/// Where the read database is.
///
/// # Errors
/// When nobody said and no supervisor runs one.
pub fn database_url(config: &Config, folder: &Folder) -> Result<String> {
    let url = config
        .database_url
        .clone()
        .or_else(|| folder.database_url());
    url.context("there is no read database: set DATABASE_URL, or start `squareoff up`, which runs one of its own")
}

pub async fn api(config: &Config, stop: watch::Receiver<bool>) -> Result<()> {
    let folder = Folder::open(&config.data)?;
    let store = EventStore::open(&folder.log())?;
    let reads = Database::from_url(&database_url(config, &folder)?)
        .context("DATABASE_URL")?
        .pool(READ_CONNECTIONS);
    let key = DevelopmentKey::load_or_create(&folder.development_key())?;
    let app = App::start(store, reads, key, settings(config));
    let listener = squareoff_api::listen(config.api_listen).await?;
    tracing::info!(address = %config.api_listen, "the API listens");
    squareoff_api::serve(listener, app, shutdown::requested(stop)).await?;
    tracing::info!("the API has finished");
    Ok(())
}

fn settings(config: &Config) -> Settings {
    Settings {
        reference_age_max_s: config.reference_age_max_s,
        venue_message_rate: config.venue_message_rate,
        session_close: config.session_close,
    }
}

/// Works off bulk square-offs and cancel-alls. It needs the log alone.
pub async fn bulk(config: &Config, stop: watch::Receiver<bool>) -> Result<()> {
    let folder = Folder::open(&config.data)?;
    let _held = folder.hold("bulk")?;
    let store = EventStore::open(&folder.log())?;
    squareoff_api::bulk::run(store, settings(config), shutdown::requested(stop)).await?;
    tracing::info!("the bulk worker has finished");
    Ok(())
}

pub async fn gateway(config: &Config, stop: watch::Receiver<bool>) -> Result<()> {
    let folder = Folder::open(&config.data)?;
    let _held = folder.hold("gateway")?;
    let store = EventStore::open(&folder.log())?;
    let sessions = config.venues.iter().map(|venue| VenueSession {
        venue: *venue,
        address: config.exchange_address.clone(),
        comp_id: config.comp_id.clone(),
        heartbeat_s: config.heartbeat_s,
        resend_age_max: Duration::from_secs(u64::from(config.resend_age_max_s)),
        journal: folder.journal(&format!("{venue}-{}", config.comp_id)),
    });
    // One session that cannot go on ends the role: its supervisor starts all of them afresh.
    try_join_all(
        sessions.map(|session| squareoff_gateway::run(session, store.clone(), stop.clone())),
    )
    .await?;
    tracing::info!("the gateway has finished");
    Ok(())
}

pub async fn projections(config: &Config, stop: watch::Receiver<bool>) -> Result<()> {
    let folder = Folder::open(&config.data)?;
    let _held = folder.hold("projections")?;
    let store = EventStore::open(&folder.log())?;
    let database = Database::from_url(&database_url(config, &folder)?).context("DATABASE_URL")?;
    squareoff_projections::run(store, database, shutdown::requested(stop)).await?;
    tracing::info!("the projections have finished");
    Ok(())
}
