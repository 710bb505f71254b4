//! Public FIX acceptance scripts against our session engine, or against any acceptor: `make fix-conformance`.

mod acceptor;
mod compare;
mod fast;
mod runner;
mod script;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use squareoff_fix::{Timestamp, accept_loop};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use acceptor::Settings;
use runner::{Outcome, play};

#[derive(Debug, Parser)]
enum Command {
    /// Plays the scripts of a folder, or one script.
    Run {
        /// Those beside the checkout, where they are, unless named.
        scripts: Option<PathBuf>,
        /// An acceptor that listens there, in real time; without it our own, in this process, on a clock that jumps.
        #[arg(long)]
        address: Option<SocketAddr>,
    },
    /// The acceptor that the scripts expect, until Ctrl-C.
    Accept {
        #[arg(long, default_value = "127.0.0.1:5001")]
        listen: SocketAddr,
        #[command(flatten)]
        settings: Settings,
        /// Where its journal goes; a temporary folder otherwise.
        #[arg(long)]
        journal: Option<PathBuf>,
    },
}

/// What holds unless the scripts or the command line say otherwise.
fn usual() -> Settings {
    Settings {
        begin_string: "FIX.4.4".to_owned(),
        sender: "ISLD".to_owned(),
        target: "TW44".to_owned(),
        default_appl_ver_id: "9".to_owned(),
        latency_limit_s: 120,
    }
}

/// Where the public scripts lie, seen from the project's folder; they are no part of it.
const USUAL_SCRIPTS: &str = "../shared/fix44-acceptance";

fn usual_scripts() -> Option<PathBuf> {
    let named = std::env::var_os("SQUAREOFF_FIX_SCRIPTS").map(PathBuf::from);
    let beside = PathBuf::from(USUAL_SCRIPTS);
    named.or_else(|| beside.exists().then_some(beside))
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Run { scripts, address } => match scripts.or_else(usual_scripts) {
            Some(scripts) => run(&scripts, address),
            None => {
                println!("1 skipped: no public FIX scripts at {USUAL_SCRIPTS}");
                Ok(ExitCode::SUCCESS)
            }
        },
        Command::Accept {
            listen,
            settings,
            journal,
        } => accept(listen, &settings, journal),
    };
    done.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

fn run(folder: &std::path::Path, address: Option<SocketAddr>) -> Result<ExitCode, String> {
    let scripts = runner::scripts(folder)?;
    let outcomes = match address {
        None => {
            let settings = runner::identity(&scripts, &usual());
            println!(
                "acceptor {} of {} for {}",
                settings.sender, settings.begin_string, settings.target
            );
            let journals = tempfile::tempdir().map_err(|error| error.to_string())?;
            fast::run(&scripts, &settings, journals.path()).map_err(|error| error.to_string())?
        }
        Some(address) => {
            let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
            runtime.block_on(async {
                let mut outcomes = Vec::new();
                for (name, steps) in &scripts {
                    let dial = || TcpStream::connect(address);
                    outcomes.push(play(name, steps, dial, Timestamp::now).await);
                }
                outcomes
            })
        }
    };
    Ok(tell(&outcomes))
}

fn tell(outcomes: &[Outcome]) -> ExitCode {
    let mut passed = [0, 0];
    for outcome in outcomes {
        match (&outcome.relaxed, &outcome.strict) {
            (Err(why), _) => println!("{} fails: {why}", outcome.name),
            (Ok(()), Err(why)) => println!("{} fails strictly: {why}", outcome.name),
            (Ok(()), Ok(())) => {}
        }
        passed[0] += usize::from(outcome.relaxed.is_ok());
        passed[1] += usize::from(outcome.strict.is_ok());
    }
    let ([relaxed, strict], all) = (passed, outcomes.len());
    println!("relaxed {relaxed}/{all}, strict {strict}/{all}");
    if relaxed == all {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn accept(
    listen: SocketAddr,
    settings: &Settings,
    journal: Option<PathBuf>,
) -> Result<ExitCode, String> {
    let shown = |error: std::io::Error| error.to_string();
    let temporary = tempfile::tempdir().map_err(shown)?;
    let journal = journal.unwrap_or_else(|| temporary.path().to_owned());
    let registry = acceptor::registry(settings, &journal, Timestamp::now)
        .map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Runtime::new().map_err(shown)?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|error| format!("{listen}: {error}"))?;
        let address = listener.local_addr().map_err(shown)?;
        println!("listening on {address}");
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                stop.send_replace(true);
            }
        });
        let ended = accept_loop(listener, registry, stopping).await;
        ended
            .map(|()| ExitCode::SUCCESS)
            .map_err(|error| error.to_string())
    })
}
