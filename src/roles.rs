//! The roles: each runs until it is told to stop, alone in its process.

use crate::client;
use crate::config::{CallerVerification, Config, DropCopySettings, VenueSettings};
use crate::folder::Folder;
use crate::operator;
use crate::shutdown;
use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use squareoff_api::notify::{Notifier, Outbox};
use squareoff_api::{App, DevelopmentKey, Settings, Tls};
use squareoff_auditor::seal::{SealSettings, key};
use squareoff_auditor::tlog::{KeyKind, Signer};
use squareoff_auditor::witness::WitnessSettings;
use squareoff_gateway::{
    ANSWER_TIME_LIMIT, CONFIRM_TIME_LIMIT, Connection, DropCopySession, FormerSession, Protocol,
    VenueConfig, VenueSession, run_drop_copy,
};
use squareoff_projections::{Database, Part};
use squareoff_store::EventStore;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Connections of the API to the read database: queries are short, and Postgres takes sixty from all of us.
const READ_CONNECTIONS: u32 = 16;
/// Before a drop copy that ended is begun again: what ended it, a journal or the log, is not mended in an instant.
const DROP_COPY_PAUSE: Duration = Duration::from_secs(5);

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

/// The read database as a part asks it: in its own role in the Postgres of a supervisor, or as who the setting names.
fn reads_of(part: Part, config: &Config, folder: &Folder) -> Result<Database> {
    let database = Database::from_url(&database_url(config, folder)?).context("DATABASE_URL")?;
    Ok(match config.database_url {
        Some(_) => database,
        None => database.of_part(part),
    })
}

/// The event log: in KurrentDB where the configuration says so, else in the data folder.
///
/// # Errors
/// In one sentence.
pub async fn event_store(config: &Config, folder: &Folder) -> Result<EventStore> {
    let store = match &config.event_store {
        Some(address) => EventStore::connect(address.as_str()).await?,
        None => EventStore::open(&folder.log())?,
    };
    Ok(store)
}

pub async fn api(config: &Config, stop: watch::Receiver<bool>) -> Result<()> {
    let folder = Folder::open(&config.data)?;
    let store = event_store(config, &folder).await?;
    let reads = reads_of(Part::Api, config, &folder)?.pool(READ_CONNECTIONS);
    let key = DevelopmentKey::load_or_create(&folder.development_key())?;
    let vault = client::vault(config, &folder)?;
    let access = operator::access(config, &folder, &store)?;
    let sample = config.sample_log_ins.unwrap_or(false);
    // Where log-ins are samples, messages go nowhere else.
    let outbox = sample.then(|| Outbox::open(&folder.outbox())).transpose()?;
    let app = App::start(store, reads, key, settings(config))
        .with_seal(&folder.audit())
        .with_vault(vault.clone())
        .with_rates(config.api_rates)
        .with_access(access.clone(), sample)
        .with_notifier(outbox.map(Notifier::Outbox));
    tokio::spawn(operator::keep(access));
    tokio::spawn(client::keep(vault, app.clients.clone()));
    let tls = config.api_tls.clone().map(Tls::open).transpose()?;
    let listener = squareoff_api::listen(config.api_listen, tls.as_ref())?;
    tracing::info!(address = %config.api_listen, tls = tls.is_some(), "the API listens");
    squareoff_api::serve(listener, app, tls, shutdown::requested(stop)).await;
    tracing::info!("the API has finished");
    Ok(())
}

fn settings(config: &Config) -> Settings {
    Settings {
        reference_age_max_s: config.reference_age_max_s,
        venue_message_rate: config.bulk_message_rate(),
        caller_verification: config.caller_verification == CallerVerification::Required,
        caller_verification_minutes: config.caller_verification_minutes,
        approval_notional: config.approval_notional.0,
        session_close: config.session_close,
    }
}

/// Works off bulk square-offs and cancel-alls. It needs the log alone.
pub async fn bulk(config: &Config, stop: watch::Receiver<bool>) -> Result<()> {
    let folder = Folder::open(&config.data)?;
    let _held = folder.hold("bulk")?;
    let store = event_store(config, &folder).await?;
    squareoff_api::bulk::run(store, settings(config), shutdown::requested(stop)).await?;
    tracing::info!("the bulk worker has finished");
    Ok(())
}

pub async fn gateway(config: &Config, stop: watch::Receiver<bool>) -> Result<()> {
    let folder = Folder::open(&config.data)?;
    let _held = folder.hold("gateway")?;
    let store = event_store(config, &folder).await?;
    // One session that cannot go on ends the role: its supervisor starts all of them afresh.
    let venues = config.venues.iter();
    let venues = venues.map(|venue| venue_config(venue, &folder));
    let venues = venues.collect::<Result<Vec<_>>>()?;
    let drop_copies = config.venues.iter();
    let drop_copies = drop_copies.map(|venue| drop_copy(venue, &folder));
    let mut copies = JoinSet::new();
    for copy in drop_copies
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
    {
        copies.spawn(keep_drop_copy(copy, store.clone(), stop.clone()));
    }
    let run = |venue| squareoff_gateway::run(venue, store.clone(), stop.clone());
    try_join_all(venues.into_iter().map(run)).await?;
    copies.join_all().await;
    tracing::info!("the gateway has finished");
    Ok(())
}

/// The sessions to a venue that are set, and those of before that have left a journal.
fn venue_config(of: &VenueSettings, folder: &Folder) -> Result<VenueConfig> {
    let venue = of.venue;
    let connection = connection(of, &of.address)?;
    let journal = |comp_id: &str| folder.journal(&format!("{venue}-{comp_id}"));
    let session = |comp_id: &String| VenueSession {
        connection: connection.clone(),
        comp_id: comp_id.clone(),
        heartbeat_s: of.heartbeat_s,
        resend_age_max: Duration::from_secs(u64::from(of.resend_age_max_s)),
        message_rate_per_s: of.message_rate,
        answer_time_limit: ANSWER_TIME_LIMIT,
        cancel_on_disconnect: of.cancel_on_disconnect,
        journal: journal(comp_id),
    };
    let known = folder.journaled(venue).context("the gateway's journals")?;
    let former = known.into_iter().filter(|id| !of.comp_ids.contains(id));
    Ok(VenueConfig {
        venue,
        protocol: Protocol::Fix(of.fix_version.0),
        sessions: of.comp_ids.iter().map(session).collect(),
        former: former
            .map(|comp_id| FormerSession {
                journal: journal(&comp_id),
                comp_id,
            })
            .collect(),
    })
}

fn drop_copy(of: &VenueSettings, folder: &Folder) -> Result<Option<DropCopySession>> {
    let Some(DropCopySettings { address, comp_id }) = &of.drop_copy else {
        return Ok(None);
    };
    Ok(Some(DropCopySession {
        venue: of.venue,
        dialect: of.fix_version.0,
        connection: connection(of, address)?,
        comp_id: comp_id.clone(),
        heartbeat_s: of.heartbeat_s,
        confirm_time_limit: CONFIRM_TIME_LIMIT,
        journal: folder.drop_copy_journal(&format!("{}-{comp_id}", of.venue)),
    }))
}

fn connection(of: &VenueSettings, address: &str) -> Result<Connection> {
    Ok(Connection {
        tls: of.tls(address)?,
        schedule: of.hours.0.clone(),
        reset: of.number_reset.0,
        ..Connection::plain(address)
    })
}

/// A drop copy that can't go on is begun again, and no order waits for it.
async fn keep_drop_copy(copy: DropCopySession, store: EventStore, mut stop: watch::Receiver<bool>) {
    while let Err(error) = run_drop_copy(copy.clone(), store.clone(), stop.clone()).await {
        tracing::error!(venue = %copy.venue, %error, "the drop copy ended, and is begun again");
        tokio::select! {
            () = tokio::time::sleep(DROP_COPY_PAUSE) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Signs the log's tree. It needs the log alone; witnesses are asked beside it.
pub async fn seal(config: &Config, stop: watch::Receiver<bool>) -> Result<()> {
    let folder = Folder::open(&config.data)?;
    let _held = folder.hold("seal")?;
    let store = event_store(config, &folder).await?;
    let settings = SealSettings {
        folder: folder.audit(),
        origin: config.audit_origin.clone(),
        witnesses: config.witness_url.clone(),
    };
    squareoff_auditor::seal::run(store, settings, shutdown::requested(stop)).await?;
    Ok(())
}

/// The log's key, made when there is none.
///
/// # Errors
/// When it can't be made or read.
pub fn log_key(config: &Config, folder: &Folder) -> Result<Signer> {
    Ok(key(
        &folder.audit(),
        &config.audit_origin,
        KeyKind::Ed25519,
    )?)
}

/// The witness's key, made when there is none.
///
/// # Errors
/// When it can't be made or read.
pub fn witness_key(config: &Config, folder: &Folder) -> Result<Signer> {
    Ok(key(
        &folder.witness(),
        &config.witness_name,
        KeyKind::CosignatureV1,
    )?)
}

/// Signs the checkpoints of the logs it is told of. It opens nothing of theirs.
pub async fn witness(config: &Config, stop: watch::Receiver<bool>) -> Result<()> {
    let folder = Folder::open(&config.data)?;
    let _held = folder.hold("witness")?;
    if config.witness_logs.is_empty() {
        bail!(
            "the witness knows no log: set SQUAREOFF_WITNESS_LOGS to the public key in the data/audit/key.pub of each"
        );
    }
    let settings = WitnessSettings {
        folder: folder.witness(),
        signer: witness_key(config, &folder)?,
        logs: config.witness_logs.clone(),
    };
    let listener = squareoff_auditor::witness::listen(config.witness_listen).await?;
    tracing::info!(address = %config.witness_listen, "the witness listens");
    squareoff_auditor::witness::serve(listener, settings, shutdown::requested(stop)).await?;
    tracing::info!("the witness has finished");
    Ok(())
}

pub async fn projections(config: &Config, stop: watch::Receiver<bool>) -> Result<()> {
    let folder = Folder::open(&config.data)?;
    let _held = folder.hold("projections")?;
    let store = event_store(config, &folder).await?;
    let database = reads_of(Part::Projections, config, &folder)?;
    squareoff_projections::run(store, database, shutdown::requested(stop)).await?;
    tracing::info!("the projections have finished");
    Ok(())
}
