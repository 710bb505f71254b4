//! Who the clients are, from the command line: masked for everybody, in the clear behind a recorded reason, forgotten on request; and the
//! care of the keys.

use crate::config::{Config, MASTER_KEY_VARIABLE};
use crate::folder::Folder;
use crate::platform::{caller, now};
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use secrecy::SecretString;
use squareoff_domain::ClientCode;
use squareoff_domain::client::{ClientState, client_stream, is_pan};
use squareoff_identity::{
    KeyStore, MasterKeySource, Rewrapped, Shown, Vault, client_streams, make_master_key,
};
use squareoff_store::{EventStore, Streams};
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;
use uuid::Uuid;
use zeroize::Zeroizing;

/// How often a process that stays removes backups that are too old: far shorter than they are kept.
const KEEP_PERIOD: Duration = Duration::from_secs(60 * 60);
/// A PAN with all the space around it that somebody may type.
const PAN_BYTES_MAX: u64 = 256;

#[derive(clap::Args)]
pub struct Arguments {
    /// Who does it: it stands in the log.
    #[arg(
        long = "as",
        global = true,
        value_name = "ACTOR",
        default_value = "operator"
    )]
    actor: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The client, with the identity masked.
    Show {
        client: ClientCode,
        /// In the clear, which is recorded with the reason before it is shown.
        #[arg(long, requires = "reason")]
        reveal: bool,
        #[arg(long, requires = "reveal")]
        reason: Option<String>,
    },
    /// The clients with the PAN that is read from standard input: an argument would stay in the shell's history.
    Find,
    /// Forgets who the client is, for ever: destroys the data key and leaves a tombstone. What the client traded stays.
    Erase {
        client: ClientCode,
        #[arg(long)]
        reason: String,
    },
    /// Puts the client's identity under a new data key and destroys the old one.
    RotateKey {
        client: ClientCode,
        #[arg(long)]
        reason: String,
    },
    /// Wraps every data key by another master key. Interrupted, the same again finishes.
    RotateMasterKey {
        /// The file of the new master key.
        #[arg(long, value_name = "FILE")]
        new_key_file: PathBuf,
        /// Makes the file with a new key first, unless it is there.
        #[arg(long)]
        make: bool,
    },
    /// Copies the key store into the folder of its backups.
    BackUpKeys,
    /// Puts a backup in the place of the key store, without the keys of clients that were erased since.
    RestoreKeys { file: PathBuf },
}

/// Key store and master key as the configuration has them.
///
/// # Errors
/// When the folders cannot be made.
pub fn vault(config: &Config, folder: &Folder) -> Result<Vault> {
    let keys = folder.keys();
    let backups = match &config.keys_backup {
        Some(path) => path.clone(),
        None => keys.join("backup"),
    };
    let store = KeyStore::open(&keys, &backups).context("the key store cannot be used")?;
    let master = match (&config.master_key, &config.master_key_file) {
        (Some(key), _) => MasterKeySource::Text {
            setting: MASTER_KEY_VARIABLE.to_owned(),
            text: SecretString::from(key.0.as_str()),
        },
        (None, Some(path)) => MasterKeySource::File(path.clone()),
        (None, None) => MasterKeySource::FileMadeOnce(keys.join("master.key")),
    };
    Ok(Vault::new(store, master))
}

/// Finishes what a crash cut short, and removes backups when they are too old, for as long as the process runs.
pub async fn keep(vault: Vault, streams: Streams<ClientState>) {
    loop {
        if let Err(error) = vault.settle(&streams, now()).await {
            tracing::warn!(%error, "the key store could not be looked after");
        }
        tokio::time::sleep(KEEP_PERIOD).await;
    }
}

/// Does what was commanded, and prints what came of it.
///
/// # Errors
/// The refusal, or what keeps the keys or the log out of reach.
pub async fn run(
    config: &Config,
    folder: &Folder,
    store: &EventStore,
    arguments: Arguments,
) -> Result<()> {
    let Arguments { actor, command } = arguments;
    let vault = vault(config, folder)?;
    let streams = client_streams(store);
    let by = caller(store, &actor, Uuid::now_v7()).await?;
    match command {
        Command::Show {
            client,
            reveal: false,
            ..
        } => println!("{}", show(&vault, &streams, &client).await?),
        Command::Show { client, reason, .. } => {
            let reason = reason.unwrap_or_default();
            let revealed = vault.reveal(&streams, &client, &reason, &by).await?;
            let fields = revealed.identity.iter();
            let fields: serde_json::Map<_, _> = fields
                .map(|(field, text)| (field.as_str().to_owned(), text.into()))
                .collect();
            println!(
                "{}",
                serde_json::json!({ "client_code": client, "identity": fields, "position": revealed.position.map(|position| position.to_string()) })
            );
        }
        Command::Find => {
            let mut text = Zeroizing::new(String::new());
            std::io::stdin()
                .take(PAN_BYTES_MAX)
                .read_to_string(&mut text)
                .context("the PAN could not be read from standard input")?;
            let capitals = Zeroizing::new(text.trim().to_ascii_uppercase());
            if !is_pan(&capitals) {
                bail!("standard input has no PAN: five letters, four digits, a letter");
            }
            let pan = SecretString::from(text.as_str());
            let mut found = 0;
            for client in vault.find(&pan)? {
                let state = streams.load(&client_stream(&client)).await?.state;
                if vault.has_pan(&client, &state, &pan)? {
                    println!("{}", show(&vault, &streams, &client).await?);
                    found += 1;
                }
            }
            if found == 0 {
                eprintln!("no client has this PAN");
            }
        }
        Command::Erase { client, reason } => {
            let erased = vault.erase(&streams, &client, &reason, &by).await?;
            println!(
                "{client} is erased{}: {} destroyed; what was traded stays. The broker's own files (clients.csv, mails, backups of this machine) are not ours to erase",
                if erased.before { " already" } else { "" },
                match erased.keys {
                    1 => "1 key".to_owned(),
                    keys => format!("{keys} keys"),
                }
            );
        }
        Command::RotateKey { client, reason } => {
            vault.rotate_key(&streams, &client, &reason, &by).await?;
            println!("{client} has a new data key, the old one is destroyed");
        }
        Command::RotateMasterKey { new_key_file, make } => {
            if make && !new_key_file.exists() {
                make_master_key(&new_key_file)?;
            }
            let shown = new_key_file.display().to_string();
            let to = MasterKeySource::File(new_key_file);
            match vault.rotate_master(&streams, &to, now()).await? {
                Rewrapped::Now { keys, lost: 0 } => println!("{keys} keys are wrapped by {shown}"),
                Rewrapped::Now { keys, lost } => println!(
                    "{keys} keys are wrapped by {shown}; {lost} did not open under the old master key and are gone"
                ),
                Rewrapped::Already => println!("every key was wrapped by {shown} already"),
            }
            println!(
                "now set master_key_file to {shown}, or put it in the old one's place, and destroy the old one"
            );
        }
        Command::BackUpKeys => {
            println!("{}", vault.back_up(now()).await?.display());
        }
        Command::RestoreKeys { file } => {
            let (kept, left_out) = vault.restore(&streams, &file).await?;
            println!("{kept} keys are restored, {left_out} of erased clients left out");
        }
    }
    Ok(())
}

async fn show(
    vault: &Vault,
    streams: &Streams<ClientState>,
    code: &ClientCode,
) -> Result<serde_json::Value> {
    let state = streams.load(&client_stream(code)).await?.state;
    let Some(client) = &state.client else {
        bail!("no client has the code {code}");
    };
    let identity = match vault.show(code, &state) {
        Shown::None => serde_json::json!({ "state": "none" }),
        Shown::Erased => {
            let erased = state.erased.as_ref();
            serde_json::json!({
                "state": "erased",
                "by": erased.map(|erased| &erased.by),
                "reason": erased.map(|erased| &erased.reason),
            })
        }
        Shown::Sealed { fields, why } => {
            let fields: Vec<_> = fields.into_iter().map(|field| field.as_str()).collect();
            serde_json::json!({ "state": "sealed", "fields": fields, "why": why })
        }
        Shown::Masked(fields) => {
            let fields: serde_json::Map<_, _> = fields
                .into_iter()
                .map(|(field, text)| (field.as_str().to_owned(), text.into()))
                .collect();
            serde_json::json!({ "state": "recorded", "masked": fields })
        }
    };
    Ok(serde_json::json!({
        "client_code": client.client,
        "category": client.category,
        "branch": client.branch,
        "segments": client.segments,
        "identity": identity,
    }))
}
