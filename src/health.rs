//! `squareoff health`: for a container's health check or a person in a hurry.

use crate::config::Config;
use crate::folder::Folder;
use crate::roles::database_url;
use anyhow::{Context, Result, bail};
use squareoff_domain::session::{self, Session};
use squareoff_projections::Database;
use squareoff_store::{EventStore, Streams};
use std::time::Duration;

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Role {
    Api,
    Bulk,
    Gateway,
    Projections,
}

/// How far the read model may be behind the log and still count as healthy, in events.
const LAG_EVENTS_MAX: u64 = 10_000;
const TIMEOUT: Duration = Duration::from_secs(5);

/// # Errors
/// What is wrong, in one sentence.
pub async fn check(config: &Config, role: Role) -> Result<()> {
    let folder = Folder::open(&config.data)?;
    match role {
        Role::Api => {
            let url = format!("http://{}/readyz", config.api_listen);
            let response = reqwest::Client::new()
                .get(&url)
                .timeout(TIMEOUT)
                .send()
                .await
                .context("the API does not answer")?;
            if !response.status().is_success() {
                bail!(
                    "the API is not ready: {}",
                    response.text().await.unwrap_or_default()
                );
            }
        }
        Role::Bulk => {
            if !folder.is_held("bulk") {
                bail!("no bulk worker runs on {}", folder.path().display());
            }
        }
        Role::Gateway => {
            if !folder.is_held("gateway") {
                bail!("no gateway runs on {}", folder.path().display());
            }
            let sessions = Streams::<Session>::new(EventStore::open(&folder.log())?);
            for venue in &config.venues {
                let stream = session::stream(*venue, &config.comp_id);
                if !sessions.load(&stream).await?.state.ready {
                    bail!("{stream} is not ready");
                }
            }
        }
        Role::Projections => {
            if !folder.is_held("projections") {
                bail!("no projections run on {}", folder.path().display());
            }
            let head = EventStore::open(&folder.log())?.head().await?;
            let pool = Database::from_url(&database_url(config, &folder)?)?.pool(1);
            let checkpoint = squareoff_projections::checkpoint(&pool)
                .await
                .context("the read database does not answer")?;
            let lag = head.as_u64().saturating_sub(checkpoint.as_u64());
            if lag > LAG_EVENTS_MAX {
                bail!("the read model is {lag} events behind the log");
            }
        }
    }
    Ok(())
}
