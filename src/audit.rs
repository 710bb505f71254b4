//! `squareoff audit`: the folder that an auditor takes away, and the check of it or of the live log. The exit status is the verdict.

use crate::config::Config;
use crate::folder::Folder;
use crate::roles::event_store;
use crate::sentence;
use anyhow::{Context, Result};
use squareoff_auditor::export::{self, Bound, ExportSettings, Filter};
use squareoff_auditor::seal::{PUBLIC_KEY, Positions};
use squareoff_auditor::tlog::VerifierKey;
use squareoff_auditor::verify::{Report, Trust, Verdict, verify_export, verify_store};
use squareoff_domain::ClientCode;
use squareoff_store::{EventStore, Position, ReadError};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::runtime::Handle;

/// Entries of one read of the live log.
const PAGE: usize = 4_096;

#[derive(clap::Subcommand)]
pub enum Audit {
    /// Writes entries, tiles, checkpoints, keys and a verifier into a new folder. A filter takes part of it, each entry with its proof.
    Export {
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The first event: a log position, or the time it was recorded at, as 2026-11-20T09:15:00+05:30.
        #[arg(long)]
        from: Option<Bound>,
        /// The last event, taken too.
        #[arg(long)]
        to: Option<Bound>,
        /// Only streams that bear this client's code.
        #[arg(long)]
        client: Option<ClientCode>,
        #[arg(long)]
        stream: Option<String>,
    },
    /// Checks an export, or without a folder the live log, against the signed checkpoint. Exit code 0: intact; 1: not, with the first
    /// event that is not as it was; 2: there is nothing to say.
    Verify {
        folder: Option<PathBuf>,
        /// Public key of the log, got from elsewhere than the export; default the one of the export, which proves nothing against whoever
        /// wrote it, or of the data folder.
        #[arg(long, value_name = "VKEY")]
        key: Option<String>,
        /// Public key of a witness that must have signed too; may be given again.
        #[arg(long, value_name = "VKEY")]
        witness: Vec<String>,
        /// A checkpoint that somebody kept: must be of the same log's past; may be given again.
        #[arg(long, value_name = "FILE")]
        older: Vec<PathBuf>,
    },
}

/// # Errors
/// What could not be read or written, in one sentence. Damage that was found is exit code 1 and no error.
pub async fn run(config: &Config, command: Audit) -> Result<ExitCode> {
    match command {
        Audit::Export {
            out,
            from,
            to,
            client,
            stream,
        } => {
            let filter = Filter {
                from,
                to,
                client,
                stream,
            };
            write(config, out, filter).await
        }
        Audit::Verify {
            folder,
            key,
            witness,
            older,
        } => match check(config, folder, key, &witness, &older).await {
            Ok(code) => Ok(code),
            Err(error) => {
                eprintln!("squareoff: {}", sentence::in_one(&error));
                Ok(ExitCode::from(2))
            }
        },
    }
}

async fn write(config: &Config, out: PathBuf, filter: Filter) -> Result<ExitCode> {
    let folder = Folder::to_read(config)?;
    let store = event_store(config, &folder).await?;
    let settings = ExportSettings {
        audit: folder.audit(),
        witness_keys: witness_keys(config, &folder),
        out,
        filter,
    };
    let exported = export::export(&store, &settings).await?;
    println!(
        "{} entries under the checkpoint of {}{}, {} not sealed yet, in {}",
        exported.entries,
        exported.size,
        if exported.cosigned {
            ", witnessed"
        } else {
            ", which no witness has signed"
        },
        exported.unsealed,
        settings.out.display()
    );
    if exported.entries == 0 && exported.size > 0 {
        eprintln!(
            "squareoff: no sealed event matches, so the export proves nothing: is the client, stream or time spelt as it is in the log?"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Those that the settings name; else the one that `squareoff up` runs beside the sealer.
fn witness_keys(config: &Config, folder: &Folder) -> Vec<String> {
    if config.witness_url.is_empty() {
        let own = std::fs::read_to_string(folder.witness().join(PUBLIC_KEY));
        own.map(|key| key.trim_end().to_owned())
            .into_iter()
            .collect()
    } else {
        let witnesses = config.witness_url.iter();
        witnesses.map(|witness| witness.key.to_string()).collect()
    }
}

async fn check(
    config: &Config,
    exported: Option<PathBuf>,
    key: Option<String>,
    witnesses: &[String],
    older: &[PathBuf],
) -> Result<ExitCode> {
    let witnesses = witnesses.iter().map(|key| VerifierKey::parse(key));
    let witnesses = witnesses.collect::<Result<_, _>>().context("--witness")?;
    let own = |path: &Path| -> Result<String> {
        let read = std::fs::read_to_string(path);
        read.with_context(|| format!("the log's public key {} cannot be read", path.display()))
    };
    let heads = older.iter().map(|path| {
        let read = std::fs::read_to_string(path);
        read.with_context(|| format!("{} cannot be read", path.display()))
    });
    let heads = heads.collect::<Result<Vec<_>>>()?;
    let (report, map) = match exported {
        Some(folder) => {
            let key = match key {
                Some(key) => key,
                None => {
                    eprintln!(
                        "the key is the export's own: whoever wrote the export chose it. Give the one you were given before with --key"
                    );
                    own(&folder.join("log.vkey"))?
                }
            };
            let trust = trust(&key, witnesses)?;
            let checked =
                tokio::task::spawn_blocking(move || verify_export(&folder, &trust, &heads));
            (checked.await??, None)
        }
        None => {
            let folder = Folder::to_read(config)?;
            let key = key.map_or_else(|| own(&folder.audit().join(PUBLIC_KEY)), Ok)?;
            let trust = trust(&key, witnesses)?;
            let store = event_store(config, &folder).await?;
            (
                live(store, folder.audit(), trust, heads).await?,
                Positions::open(&folder.audit()).ok(),
            )
        }
    };
    Ok(say(&report, map.as_ref()))
}

fn trust(key: &str, witnesses: Vec<VerifierKey>) -> Result<Trust> {
    let log = VerifierKey::parse(key.trim_end()).context("the log's public key")?;
    Ok(Trust { log, witnesses })
}

/// Checks the live log against its own tiles and checkpoint.
///
/// # Errors
/// When log or folder can't be read.
pub(crate) async fn live(
    store: EventStore,
    audit: PathBuf,
    trust: Trust,
    heads: Vec<String>,
) -> Result<Report> {
    let runtime = Handle::current();
    let checked = tokio::task::spawn_blocking(move || {
        let mut after = Position::START;
        verify_store(&audit, &trust, &heads, || {
            let entries = runtime.block_on(store.read_entries(after, PAGE))?;
            if let Some(last) = entries.last() {
                after = last.position;
            }
            Ok::<_, ReadError>(entries.into_iter().map(|entry| entry.bytes).collect())
        })
    });
    Ok(checked.await??)
}

fn say(report: &Report, map: Option<&Positions>) -> ExitCode {
    match &report.verdict {
        Verdict::Intact => {
            println!(
                "intact: {} of {} sealed events proved, {} older checkpoints are of the same past, {} events not sealed yet",
                report.entries, report.size, report.checkpoints, report.unsealed
            );
            ExitCode::SUCCESS
        }
        Verdict::Damaged(damage) => {
            println!("damaged: {damage}");
            let position = damage
                .index
                .zip(map)
                .and_then(|(index, map)| map.at(index).ok().flatten());
            if let Some(position) = position {
                println!("the event with that index was sealed at log position {position}");
            }
            ExitCode::FAILURE
        }
    }
}
