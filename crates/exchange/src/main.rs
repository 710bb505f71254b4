//! `squareoff-exchange`: a simulated exchange as a process of its own. Wires, never decides.

use std::collections::HashSet;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use squareoff_exchange::config::{self, Config, Options, SessionName, Tls, TradeDate};
use squareoff_exchange::hours::Hours;
use squareoff_exchange::server::Server;
use squareoff_fix::driver::tls::Identity;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// A simulated exchange: FIX acceptor, price-time books, seeded liquidity, its own ledger.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Address to accept FIX sessions on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Address to serve market control and market data on, over HTTP; of this machine alone. It is written to DIR/control.http.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// Folder for the ledger and the FIX journals.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The day's contract file (CSV, all venues). An `orders.csv` beside it holds orders from before the outage.
    #[arg(long, value_name = "FILE")]
    contracts: PathBuf,
    /// Sessions to accept, as our CompID (the venue) and the broker's; several of one broker name it as their firm.
    #[arg(
        long,
        value_name = "VENUE:COMPID[@FIRM],...",
        value_delimiter = ',',
        required = true
    )]
    sessions: Vec<SessionName>,
    /// Drop-copy sessions, told every execution of a firm at a venue; unless given, VENUE:FIRM-DC for each.
    #[arg(long, value_name = "VENUE:COMPID@FIRM,...", value_delimiter = ',')]
    drop_copy: Option<Vec<SessionName>>,
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
    /// Sessions whose working orders are canceled when they drop; a log-on may ask for it as well (8013=Y).
    #[arg(long, value_name = "VENUE:COMPID,...", value_delimiter = ',')]
    cancel_on_disconnect: Vec<String>,
    /// How many requests about orders a session may send in a second; what is more is refused (380=8).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    messages_per_second: Option<u32>,
    /// Venues whose sessions speak FIX 4.2 instead of 4.4.
    #[arg(long, value_name = "VENUE,...", value_delimiter = ',')]
    fix42: Vec<String>,
    /// Accept connections over TLS, with this certificate chain (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Ask brokers for a certificate that one of these has signed (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_client_ca: Option<PathBuf>,
    /// Lines of the ledger to lose before the start, as in a crash of a disk that lied.
    #[arg(long, value_name = "N", default_value_t = 0)]
    lose_tail: u64,
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
        drop_copies: arguments.drop_copy,
        seed: arguments.seed,
        quiet: arguments.no_liquidity.into_iter().collect::<HashSet<_>>(),
        trade_date: arguments.trade_date.unwrap_or_else(TradeDate::today),
        hours: arguments.hours,
    };
    let own = arguments.tls_certificate.zip(arguments.tls_key);
    let tls = own.map(|(certificate, key)| Tls {
        own: Identity { certificate, key },
        client_ca: arguments.tls_client_ca,
    });
    let options = Options {
        control: arguments.control,
        cancel_on_disconnect: arguments.cancel_on_disconnect.into_iter().collect(),
        messages_per_second: arguments.messages_per_second,
        fix42: arguments.fix42.into_iter().collect(),
        tls,
        lose_tail: arguments.lose_tail,
    };
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let mut server = Server::start_with(config, options).await?;
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
