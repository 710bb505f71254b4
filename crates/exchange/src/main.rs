//! `squareoff-exchange`: a simulated exchange as a process of its own. Wires, never decides.

use std::collections::HashSet;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use squareoff_exchange::config::{self, Config, SessionName, TradeDate};
use squareoff_exchange::hours::Hours;
use squareoff_exchange::server::Server;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// A simulated exchange: FIX 4.4 acceptor, price-time books, seeded liquidity, its own ledger.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Address to accept FIX sessions on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Folder for the ledger and the FIX journals.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The day's contract file (CSV, all venues). An `orders.csv` beside it holds orders from before the outage.
    #[arg(long, value_name = "FILE")]
    contracts: PathBuf,
    /// Sessions to accept, as our CompID (the venue) and the broker's.
    #[arg(
        long,
        value_name = "VENUE:BROKER,...",
        value_delimiter = ',',
        required = true
    )]
    sessions: Vec<SessionName>,
    /// Seed of the liquidity: same seed, same quotes.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Instruments without seeded liquidity: orders there rest until another order comes.
    #[arg(long, value_name = "VENUE:SYMBOL,...", value_delimiter = ',', value_parser = config::instrument)]
    no_liquidity: Vec<(String, String)>,
    /// The trading day; today in India unless given.
    #[arg(long, value_name = "YYYY-MM-DD")]
    trade_date: Option<TradeDate>,
    /// When segments are open, in India; a segment without hours is open all day.
    #[arg(long, value_name = "SEGMENT=HH:MM-HH:MM,...", value_delimiter = ',')]
    hours: Vec<Hours>,
    /// File to write the bound address to, once connections are accepted.
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
    /// Stop when standard input ends, which it does when the parent process dies.
    #[arg(long)]
    exit_with_parent: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("squareoff-exchange: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let config = Config {
        listen: arguments.listen,
        data: arguments.data,
        contracts: arguments.contracts,
        sessions: arguments.sessions,
        seed: arguments.seed,
        quiet: arguments.no_liquidity.into_iter().collect::<HashSet<_>>(),
        trade_date: arguments.trade_date.unwrap_or_else(TradeDate::today),
        hours: arguments.hours,
    };
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let mut server = Server::start(config).await?;
    if let Some(path) = &arguments.port_file {
        write_whole(path, &server.address().to_string())?;
    }
    let orphaned = orphaned(arguments.exit_with_parent);
    tokio::select! {
        _ = interrupt.recv() => tracing::info!("interrupted"),
        _ = terminate.recv() => tracing::info!("asked to terminate"),
        () = orphaned => tracing::info!("standard input ended"),
        error = server.failed() => return Err(error.into()),
    }
    server.stop().await?;
    Ok(())
}

/// Readers wait for the file to appear, so it must never be seen half written.
fn write_whole(path: &Path, text: &str) -> anyhow::Result<()> {
    let beside = path.with_extension("writing");
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, path))
        .with_context(|| format!("port file {}", path.display()))
}

/// Resolves when standard input ends; never, unless it is watched.
async fn orphaned(watched: bool) {
    let (ended, end) = oneshot::channel();
    if !watched {
        return std::future::pending().await;
    }
    // A thread, because a blocked read of standard input would hold up the runtime's shutdown.
    std::thread::spawn(move || {
        let mut byte = [0];
        while matches!(std::io::stdin().read(&mut byte), Ok(1)) {}
        let _ = ended.send(());
    });
    let _ = end.await;
}
