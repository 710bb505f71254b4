//! Who may come in, from the command line: how the first administrator is made, and what is left when no administrator can come in.

use crate::config::{ACCESS_KEY_VARIABLE, Config};
use crate::folder::Folder;
use crate::platform::{caller, now};
use anyhow::{Context, Result};
use clap::Subcommand;
use secrecy::{ExposeSecret, SecretString};
use squareoff_access::password::Hashing;
use squareoff_access::{Access, FirstSecret, KeySource, NewPerson, Secrets};
use squareoff_domain::people::Role;
use squareoff_domain::{ClientCode, OperatorId, Timestamp};
use squareoff_store::EventStore;
use std::time::Duration;
use uuid::Uuid;

/// How often a process that stays looks after the log-ins.
const KEEP_PERIOD: Duration = Duration::from_secs(60 * 60);

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
    /// Lets somebody in for the first time, and prints the secret that sets their password; of a program its password. Shown once.
    Enrol {
        operator: OperatorId,
        /// What colleagues call them; of a program, what it does.
        #[arg(long)]
        name: String,
        /// desk, supervisor, investor, auditor, administrator or machine.
        #[arg(long)]
        role: Role,
        /// Of an investor.
        #[arg(long, value_name = "CLIENT")]
        client: Option<ClientCode>,
        #[arg(long)]
        reason: String,
    },
    /// Everybody who is enrolled, a line of JSON each.
    List,
    /// Gives somebody another role; their log-ins end.
    Role {
        operator: OperatorId,
        role: Role,
        #[arg(long)]
        reason: String,
    },
    /// Lets somebody in no more; their log-ins end.
    Disable {
        operator: OperatorId,
        #[arg(long)]
        reason: String,
    },
    /// Lets somebody in again who was disabled.
    Reinstate {
        operator: OperatorId,
        #[arg(long)]
        reason: String,
    },
    /// Throws password, second factor and recovery codes away, and prints a new secret that sets a password.
    Reset {
        operator: OperatorId,
        #[arg(long)]
        reason: String,
    },
    /// Signs access tokens with a new key from now on.
    RotateKey {
        /// The old keys leaked: nothing that they signed counts any more.
        #[arg(long)]
        distrust: bool,
    },
}

/// What lets people in, as the configuration has it.
///
/// # Errors
/// When the secrets file can't be used.
pub fn access(config: &Config, folder: &Folder, store: &EventStore) -> Result<Access> {
    let key = match (&config.access_key, &config.access_key_file) {
        (Some(key), _) => KeySource::Text {
            setting: ACCESS_KEY_VARIABLE.to_owned(),
            text: SecretString::from(key.0.as_str()),
        },
        (None, Some(path)) => KeySource::File(path.clone()),
        (None, None) => KeySource::FileMadeOnce(folder.keys().join("access.key")),
    };
    let secrets = Secrets::open(&folder.access(), &key).context("nobody can be let in")?;
    Ok(Access::new(secrets, Hashing::start(), store.clone()))
}

/// Finishes what a crash cut short and forgets old log-ins, for as long as the process runs.
pub async fn keep(access: Access) {
    loop {
        if let Err(error) = access.settle(now()).await {
            tracing::warn!(%error, "the log-ins could not be looked after");
        }
        tokio::time::sleep(KEEP_PERIOD).await;
    }
}

/// Does what was commanded, and prints what came of it.
///
/// # Errors
/// The refusal, or what keeps the secrets or the log out of reach.
pub async fn run(
    config: &Config,
    folder: &Folder,
    store: &EventStore,
    arguments: Arguments,
) -> Result<()> {
    let Arguments { actor, command } = arguments;
    let access = access(config, folder, store)?;
    let by = caller(store, &actor, Uuid::now_v7()).await?;
    match command {
        Command::Enrol {
            operator,
            name,
            role,
            client,
            reason,
        } => {
            let person = NewPerson {
                operator: operator.clone(),
                name,
                role,
                client,
                reason,
            };
            let given = access.enrol(person, &by).await?;
            println!("{operator} is enrolled as {role}");
            hand_over(config, &operator, &given.secret);
        }
        Command::List => {
            for somebody in access.everybody(now()).await? {
                let line = serde_json::json!({
                    "operator": somebody.operator,
                    "name": somebody.name,
                    "role": somebody.role,
                    "client_code": somebody.client,
                    "disabled": somebody.disabled,
                    "ready": somebody.ready,
                    "sessions": somebody.log_ins,
                });
                println!("{line}");
            }
        }
        Command::Role {
            operator,
            role,
            reason,
        } => {
            access.change_role(&operator, role, reason, &by).await?;
            println!("{operator} is {role} now; their log-ins are ended");
        }
        Command::Disable { operator, reason } => {
            access.disable(&operator, reason, &by).await?;
            println!("{operator} is disabled; their log-ins are ended");
        }
        Command::Reinstate { operator, reason } => {
            access.reinstate(&operator, reason, &by).await?;
            println!("{operator} may log in again, with what they had");
        }
        Command::Reset { operator, reason } => {
            let given = access.reset(&operator, reason, &by).await?;
            println!("{operator} has no password, no app and no recovery codes any more");
            hand_over(config, &operator, &given.secret);
        }
        Command::RotateKey { distrust } => {
            let kid = access.rotate_signing_key(distrust, now()).await?;
            println!("access tokens are signed with {kid} from now on");
        }
    }
    Ok(())
}

fn hand_over(config: &Config, operator: &OperatorId, secret: &FirstSecret) {
    match secret {
        FirstSecret::Invitation { secret, until } => {
            let secret = secret.expose_secret();
            println!(
                "hand this secret over; until {} it sets a password and an authenticator app, once:\n\n  {secret}\n\n\
                 POST http://{}/v1/auth/enrolment {{\"account\": \"{operator}\", \"secret\": \"…\", \"password\": \"…\"}}",
                utc(*until),
                config.api_listen,
            );
        }
        FirstSecret::Password(password) => println!(
            "its password, shown this once:\n\n  {}",
            password.expose_secret()
        ),
    }
}

fn utc(at: Timestamp) -> String {
    let instant = time::OffsetDateTime::from_unix_timestamp(at.0 / 1_000_000_000);
    let instant = instant.expect("an i64 of nanoseconds is between 1677 and 2262");
    instant
        .format(&time::format_description::well_known::Rfc3339)
        .expect("RFC 3339 writes every year between 0 and 9999")
}
