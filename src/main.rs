//! `squareoff`: one binary, one subcommand per role. Wires, never decides.

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use squareoff::config::{Config, LogFormat};
use squareoff::demo::{self, Kill};
use squareoff::folder::Folder;
use squareoff::{book, health, platform, rebuild, replay, roles, shutdown, up};
use squareoff_api::DevelopmentKey;
use squareoff_primary::book::Existing;
use squareoff_store::{EventStore, Position};
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
    /// Prints the event log, or one stream of it, as JSON Lines.
    Replay {
        #[arg(long)]
        stream: Option<String>,
        /// Only events behind this log position.
        #[arg(long, default_value = "0")]
        from: Position,
    },
    /// Builds the read models anew beside the live ones, compares them by hash, and swaps them in; or makes an auditor's copy.
    Rebuild(rebuild::Rebuild),
    /// The broker's book.
    #[command(subcommand)]
    Book(Book),
    /// The platform's own state.
    Platform(platform::Arguments),
    /// Prints a bearer token of the local development key.
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
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("squareoff: {error:#}");
            ExitCode::FAILURE
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
    let store = || -> Result<(Folder, EventStore)> {
        let folder = Folder::open(&config.data)?;
        let store = EventStore::open(&folder.log())?;
        Ok((folder, store))
    };
    match arguments.command {
        Command::Up => up::run(config, shutdown::listen(false)?).await?,
        Command::Demo { orders, bulk, kill } => {
            let options = demo::Options {
                square_offs: orders,
                bulk,
                kill,
            };
            return demo::run(config, options, shutdown::listen(false)?).await;
        }
        Command::Api(role) => roles::api(&config, stop(&role)?).await?,
        Command::Gateway(role) => roles::gateway(&config, stop(&role)?).await?,
        Command::Projections(role) => roles::projections(&config, stop(&role)?).await?,
        Command::Bulk(role) => roles::bulk(&config, stop(&role)?).await?,
        Command::Replay { stream, from } => {
            replay::run(&store()?.1, stream.as_deref(), from).await?
        }
        Command::Rebuild(arguments) => {
            let (folder, store) = store()?;
            let url = roles::database_url(&config, &folder)?;
            return rebuild::run(&store, &url, arguments).await;
        }
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
            let (folder, store) = store()?;
            let from = from.unwrap_or_else(|| folder.book());
            let book = book::read(&from)?;
            let report = book::import(&store, &book, OPERATOR).await?;
            let intraday = book::import_intraday(&store, &book, &from, OPERATOR).await?;
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
        }
        Command::Book(Book::DropCopy { file }) => {
            let (_, store) = store()?;
            let report = book::import_drop_copy(&store, &file, OPERATOR).await?;
            println!(
                "{} trades of the venue: {} new to their positions, {} held in suspense",
                report.trades, report.told, report.suspended
            );
        }
        Command::Platform(arguments) => {
            let (folder, store) = store()?;
            platform::run(&store, &folder, arguments).await?;
        }
        Command::Token { actor } => {
            let folder = Folder::open(&config.data)?;
            println!(
                "{}",
                DevelopmentKey::load_or_create(&folder.development_key())?.token(&actor)?
            );
        }
        Command::Health { role } => {
            if let Err(error) = health::check(&config, role).await {
                bail!("{error:#}");
            }
        }
        Command::Settings => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Who the events of the command line are by, until log-in exists.
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
