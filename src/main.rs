//! `squareoff`: one binary, one subcommand per role. Wires, never decides.

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use squareoff::config::{Config, LogFormat};
use squareoff::demo::{self, Kill};
use squareoff::folder::Folder;
use squareoff::{
    audit, book, client, database, fix, health, operator, platform, rebuild, reconcile, replay,
    roles, sentence, shutdown, store, up,
};
use squareoff_api::DevelopmentKey;
use squareoff_primary::book::Existing;
use squareoff_store::EventStore;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// Rows and events are allocated in one thread and freed in another, which glibc's allocator is slow at: a rebuild takes a quarter less
/// of our own processor time with this one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Close a broker's open positions while its primary trading platform is down.
#[derive(Parser)]
#[command(
    version,
    after_help = "Settings come from squareoff.toml and from the environment: see `squareoff settings`."
)]
struct Arguments {
    /// The configuration file; default squareoff.toml when it exists.
    #[arg(long, env = "SQUAREOFF_CONFIG", global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything on this machine: Postgres, simulated exchange, sample book, every role. Stays until Ctrl-C.
    Up,
    /// Everything on free ports in a folder of its own: a thousand square-offs, checked end to end, then gone.
    Demo {
        /// How many square-offs.
        #[arg(long, default_value_t = 1_000)]
        orders: u32,
        /// All of them as one bulk, proposed by one person and approved by another.
        #[arg(long)]
        bulk: bool,
        /// So many a second, whether or not those before are answered; says how long the exchange's acknowledgements take.
        #[arg(long, value_name = "PER_SECOND", conflicts_with_all = ["bulk", "kill"], value_parser = clap::value_parser!(u32).range(1..))]
        rate: Option<u32>,
        /// Kills this part again and again (SIGKILL) while the square-offs run.
        #[arg(long, value_name = "PART")]
        kill: Option<Kill>,
    },
    /// The HTTP API.
    Api(Role),
    /// The exchange sessions.
    Gateway(Role),
    /// The read models.
    Projections(Role),
    /// The worker of bulk square-offs and of the kill switch's cancel-all.
    Bulk(Role),
    /// The sealer: keeps the log's Merkle tree and signs its head.
    Seal(Role),
    /// A witness: signs a log's checkpoints too, if each continues the one before.
    Witness {
        #[command(flatten)]
        role: Role,
        /// Only prints its public key, made when there is none.
        #[arg(long)]
        key: bool,
    },
    /// What auditors take away, and check.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Prints the event log as an auditor reads it: who, when, why and what it changed; states, a position's day, live.
    Replay(Box<replay::Replay>),
    /// The event log's file: check it, back it up, restore it, serve it.
    #[command(subcommand)]
    Store(store::Command),
    /// The FIX sessions' files: print a journal.
    #[command(subcommand)]
    Fix(fix::Command),
    /// The read database: lay it out, and its roles.
    #[command(subcommand)]
    Database(database::Command),
    /// Builds the read models anew beside the live ones, compares them by hash, and swaps them in; or makes an auditor's copy.
    Rebuild(rebuild::Rebuild),
    /// Compares a trading day of the log with the drop copy, the venue's record, the broker's files and Postgres, and lists every break.
    Reconcile(Box<reconcile::Arguments>),
    /// The broker's book.
    #[command(subcommand)]
    Book(Book),
    /// Who the clients are: shown, found, revealed, erased, and the keys of it.
    Client(client::Arguments),
    /// Who may log in: enrolled, disabled, reset; how the first administrator is made.
    Operator(operator::Arguments),
    /// The platform's own state.
    Platform(platform::Arguments),
    /// Prints a bearer token of the local development key, where sample log-ins are allowed.
    Token { actor: String },
    /// Whether a role does its work: exit code 0 or 1.
    Health { role: health::Role },
    /// Lists every setting.
    Settings,
}

#[derive(clap::Args)]
struct Role {
    /// Stop when standard input ends, which it does when the parent process dies.
    #[arg(long)]
    exit_with_parent: bool,
}

#[derive(Subcommand)]
enum Book {
    /// Writes a sample book.
    Sample {
        /// Folder to write; default the data folder's.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Replaces a book that is there.
        #[arg(long)]
        replace: bool,
    },
    /// Records a book in the event log, with the orders and trades of the primary beside it; the same again records nothing.
    Import { folder: Option<PathBuf> },
    /// Records a venue's own list of trades: confirms what is booked, and shows what differs.
    DropCopy {
        #[arg(value_name = "CSV")]
        file: PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    // The allocator asks for pages of 2 MiB and gives them back. In a dozen processes, clearing them took 6% of all processor time, and the
    // longest waits came of it (bench/README.md). Where it can't be said, all works as well.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let arguments = Arguments::parse();
    // 1 is a verdict of a reconciliation: that it could not be made is another.
    let failed = match &arguments.command {
        Command::Reconcile(_) => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    };
    match run(arguments).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("squareoff: {}", sentence::in_one(&error));
            failed
        }
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode> {
    if matches!(arguments.command, Command::Settings) {
        return match writeln!(std::io::stdout(), "{}", squareoff::config::describe()) {
            // A reader that goes away (`| head`) is no error.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
            Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
        };
    }
    let config = Config::load(arguments.config.as_deref())?;
    log(&config);
    let stop = |role: &Role| shutdown::listen(role.exit_with_parent);
    let opened = async || -> Result<(Folder, EventStore)> {
        let folder = Folder::open(&config.data)?;
        let store = roles::event_store(&config, &folder).await?;
        Ok((folder, store))
    };
    match arguments.command {
        Command::Up => up::run(config, shutdown::listen(false)?).await?,
        Command::Demo {
            orders,
            bulk,
            rate,
            kill,
        } => {
            let options = demo::Options {
                square_offs: orders,
                bulk,
                rate_per_s: rate,
                kill,
            };
            return demo::run(config, options, shutdown::listen(false)?).await;
        }
        Command::Api(role) => roles::api(&config, stop(&role)?).await?,
        Command::Gateway(role) => roles::gateway(&config, stop(&role)?).await?,
        Command::Projections(role) => roles::projections(&config, stop(&role)?).await?,
        Command::Bulk(role) => roles::bulk(&config, stop(&role)?).await?,
        Command::Seal(role) => roles::seal(&config, stop(&role)?).await?,
        Command::Witness { key: true, .. } => {
            let folder = Folder::open(&config.data)?;
            println!("{}", roles::witness_key(&config, &folder)?.public());
        }
        Command::Witness { role, key: false } => roles::witness(&config, stop(&role)?).await?,
        Command::Audit(command) => return audit::run(&config, command).await,
        Command::Replay(asked) => {
            let folder = Folder::to_read(&config)?;
            let store = roles::event_store(&config, &folder).await?;
            replay::run(&store, *asked).await?;
        }
        Command::Store(command) => return store::run(&config, command).await,
        Command::Fix(command) => fix::run(command)?,
        Command::Database(command) => {
            let folder = Folder::to_read(&config)?;
            database::run(&roles::database_url(&config, &folder)?, command).await?;
        }
        Command::Rebuild(arguments) => {
            let (folder, store) = opened().await?;
            let url = roles::database_url(&config, &folder)?;
            return rebuild::run(&store, &url, arguments).await;
        }
        Command::Reconcile(arguments) => return reconcile::run(&config, *arguments).await,
        Command::Book(Book::Sample { out, replace }) => {
            let folder = Folder::open(&config.data)?;
            let out = out.unwrap_or_else(|| folder.book());
            let book = book::generate(&config)?;
            let existing = if replace {
                Existing::Replace
            } else {
                Existing::Keep
            };
            book::write_sample(&config, &book, &out, existing)?;
            println!(
                "{} contracts, {} clients, {} positions in {}",
                book.contracts.len(),
                book.clients.len(),
                book.positions.len(),
                out.display()
            );
        }
        Command::Book(Book::Import { folder: from }) => {
            let (folder, store) = opened().await?;
            let from = from.unwrap_or_else(|| folder.book());
            let book = book::read(&from)?;
            let report = book::import(&store, &book, OPERATOR).await?;
            let intraday = book::import_intraday(&store, &book, &from, OPERATOR).await?;
            let vault = client::vault(&config, &folder)?;
            let identities = book::record_identities(&vault, &store, &book, OPERATOR).await?;
            println!(
                "{} contracts, {} clients, {} positions: {} events recorded, {} known already, {} contradicted",
                report.contracts,
                report.clients,
                report.positions,
                report.events_appended,
                report.unchanged,
                report.contradicted
            );
            println!(
                "{} orders, {} trades of the primary: {} events recorded, {} contradicted, {} taken out of suspense",
                intraday.orders,
                intraday.trades,
                intraday.events_appended,
                intraday.contradicted,
                intraday.matched
            );
            println!(
                "{} identities encrypted and recorded, {} known already, {} of erased clients left out",
                identities.recorded, identities.unchanged, identities.erased
            );
        }
        Command::Book(Book::DropCopy { file }) => {
            let (_, store) = opened().await?;
            let report = book::import_drop_copy(&store, &file, OPERATOR).await?;
            println!(
                "{} trades of the venue: {} new to their positions, {} held in suspense",
                report.trades, report.told, report.suspended
            );
        }
        Command::Client(arguments) => {
            let (folder, store) = opened().await?;
            client::run(&config, &folder, &store, arguments).await?;
        }
        Command::Operator(arguments) => {
            let (folder, store) = opened().await?;
            operator::run(&config, &folder, &store, arguments).await?;
        }
        Command::Platform(arguments) => {
            let (folder, store) = opened().await?;
            platform::run(&store, &folder, arguments).await?;
        }
        Command::Token { actor } => {
            let folder = Folder::open(&config.data)?;
            println!(
                "{}",
                DevelopmentKey::load_or_create(&folder.development_key())?.token(&actor)?
            );
        }
        Command::Health { role } => match health::check(&config, role).await {
            Ok(note) => note.iter().for_each(|note| println!("{note}")),
            Err(error) => bail!(sentence::in_one(&error)),
        },
        Command::Settings => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Who the events of the command line are by where nobody is named.
const OPERATOR: &str = "operator";

fn log(config: &Config) {
    let filter = tracing_subscriber::EnvFilter::new(&config.log);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => subscriber.with_ansi(false).init(),
        LogFormat::Json => subscriber.json().init(),
    }
}
