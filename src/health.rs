//! `squareoff health`: for a container's health check or a person in a hurry.

use crate::config::Config;
use crate::folder::Folder;
use crate::platform;
use crate::roles::{database_url, event_store};
use anyhow::{Context, Result, bail};
use squareoff_auditor::seal::Status;
use squareoff_domain::sealing::STREAM;
use squareoff_domain::session::{self, Session};
use squareoff_domain::suspense::{self, Suspense};
use squareoff_projections::Database;
use squareoff_store::{EventStore, Position, Streams};
use std::time::Duration;

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Role {
    Api,
    Bulk,
    Gateway,
    Projections,
    Seal,
    Witness,
}

/// How far the read model may be behind the log and still count as healthy, in events.
const LAG_EVENTS_MAX: usize = 10_000;
/// Events that may wait for a checkpoint: two seconds of a busy day, and a sealer that has just begun.
const UNSEALED_MAX: usize = 10_000;
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks our own process on this machine for nothing that anyone may not see: whose certificate it shows does not matter.
///
/// # Errors
/// The system has no randomness for TLS.
pub fn client() -> reqwest::Result<reqwest::Client> {
    let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true);
    client.timeout(TIMEOUT).build()
}

/// What a person is to look into all the same.
///
/// # Errors
/// What is wrong, in one sentence.
pub async fn check(config: &Config, role: Role) -> Result<Option<String>> {
    let mut note = None;
    let folder = Folder::open(&config.data)?;
    match role {
        Role::Api => {
            let url = format!("{}/readyz", config.api_url());
            let response = client()?
                .get(&url)
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
            let store = event_store(config, &folder).await?;
            let sessions = Streams::<Session>::new(store.clone());
            let streams = config.venues.iter().flat_map(|of| {
                let ids = of.comp_ids.iter();
                ids.map(|id| session::stream(of.venue, id))
            });
            for stream in streams {
                if !sessions.load(&stream).await?.state.ready {
                    bail!("{stream} is not ready");
                }
            }
            note = held(config, &store).await?;
        }
        Role::Seal => {
            if !folder.is_held("seal") {
                bail!("no sealer runs on {}", folder.path().display());
            }
            let status = Status::read(&folder.audit()).unwrap_or_default();
            if let Some((who, alarm)) = status.alarms.iter().next() {
                bail!("alarm of {who}: {alarm}");
            }
            let store = event_store(config, &folder).await?;
            let last = Position::from_u64(status.position);
            let behind = store.read_all(last, UNSEALED_MAX + 1).await?;
            let behind = behind.iter().filter(|event| *event.stream != *STREAM);
            let unsealed = behind.count();
            if unsealed > UNSEALED_MAX {
                bail!(
                    "more than {UNSEALED_MAX} events are not sealed yet; the last checkpoint covers {}",
                    status.size
                );
            }
        }
        Role::Witness => {
            if !folder.is_held("witness") {
                bail!("no witness runs on {}", folder.path().display());
            }
            let url = format!("http://{}/healthz", config.witness_listen);
            let asked = reqwest::Client::new()
                .get(&url)
                .timeout(TIMEOUT)
                .send()
                .await;
            asked
                .and_then(reqwest::Response::error_for_status)
                .context("the witness does not answer")?;
        }
        Role::Projections => {
            if !folder.is_held("projections") {
                bail!("no projections run on {}", folder.path().display());
            }
            let store = event_store(config, &folder).await?;
            let pool = Database::from_url(&database_url(config, &folder)?)?.pool(1);
            let checkpoint = squareoff_projections::checkpoint(&pool)
                .await
                .context("the read database does not answer")?;
            // Positions of a log may have gaps: the events themselves say how many they are.
            let behind = store.read_all(checkpoint, LAG_EVENTS_MAX + 1).await?;
            if behind.len() > LAG_EVENTS_MAX {
                bail!("the read model is more than {LAG_EVENTS_MAX} events behind the log");
            }
        }
    }
    Ok(note)
}

/// How many reports of the trading day nobody has settled: a trade that fits nothing, or one that the drop copy leaves out.
async fn held(config: &Config, store: &EventStore) -> Result<Option<String>> {
    let Some(date) = platform::state(store).await?.trading_date else {
        return Ok(None);
    };
    let suspense = Streams::<Suspense>::new(store.clone());
    let mut open = 0;
    for of in &config.venues {
        let state = suspense
            .load(&suspense::stream(of.venue, date))
            .await?
            .state;
        open += state
            .held
            .values()
            .filter(|held| held.settled.is_none())
            .count();
    }
    Ok((open > 0).then(|| {
        format!("{open} reports of {date} are held in suspense and wait for a person: GET /v1/suspense?state=open")
    }))
}
