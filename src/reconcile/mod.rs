//! `squareoff reconcile`: one trading day of the log against the drop copy, the venue's record, the broker's files and Postgres. The exit
//! status is the verdict: 0 equal, 1 breaks, 2 nothing that could be called either.
//!
//! It reads alone, so it may run beside the platform, as often as wanted. The comparison is `squareoff_reconcile`'s; here it is asked for
//! and printed.

mod csv;
mod json;
mod rupees;
mod save;
mod text;
mod view;

use crate::config::Config;
use crate::folder::Folder;
use crate::replay::paper::Paper;
use crate::replay::zone::Zone;
use crate::roles;
use anyhow::{Context, Result, bail};
use squareoff_domain::{Timestamp, TradingDate, Venue};
use squareoff_projections::Database;
use squareoff_reconcile::read::{Scope, log::latest_date};
use squareoff_reconcile::reconcile::CATCH_UP_MAX;
use squareoff_reconcile::{Asked, Reconciliation, Source, Verdict, reconcile};
use std::io::{ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Connections to the read database: one listens for the position, one reads.
const CONNECTIONS: u32 = 2;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 every side that is there says the same; 1 breaks; 2 nothing could be compared, or not everything, \
                        and no break was found. Columns of the files, kinds of breaks, a cron line and a timer: docs/RECONCILIATION.md."
)]
pub struct Arguments {
    /// The trading date; default that of the platform's last activation.
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<TradingDate>,
    /// This venue alone.
    #[arg(long)]
    venue: Option<Venue>,
    /// The exchange's ledger; default the simulated exchange's own, where the data folder has one.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// The broker's or the venue's trade file of the day.
    #[arg(long, value_name = "CSV")]
    trades: Option<PathBuf>,
    /// The positions that the broker's own books end the day with.
    #[arg(long, value_name = "CSV")]
    positions: Option<PathBuf>,
    /// A side that has to be there: without it the exit status is never 0. May be given again.
    #[arg(long, value_name = "SIDE", value_parser = side)]
    require: Vec<Source>,
    /// The day is over: what is unconfirmed, working or open now is a break. So it is for a past date, and when every market has closed.
    #[arg(long)]
    end_of_day: bool,
    /// While the day goes on: what happened in so many last seconds may still be on its way, and is counted apart; default 60.
    #[arg(long, value_name = "SECONDS")]
    settle: Option<u32>,
    /// How long Postgres may take to reach the log's position.
    #[arg(long, value_name = "SECONDS", default_value_t = CATCH_UP_MAX.as_secs(), value_parser = clap::value_parser!(u64).range(..=3_600))]
    wait: u64,
    /// One JSON document.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// The breaks as CSV.
    #[arg(long)]
    csv: bool,
    /// Writes `reconciliation-<date>.txt`, .json and .csv into this folder, each whole or not at all, and prints one line.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["json", "csv"])]
    out: Option<PathBuf>,
    /// Columns to fit the text into; default the terminal's, and whole lines where there is none.
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(32..))]
    width: Option<u16>,
}

fn side(text: &str) -> Result<Source, String> {
    let known = Source::ALL.iter().filter(|source| **source != Source::Log);
    let mut found = known.clone().filter(|source| source.as_str() == text);
    found.next().copied().ok_or_else(|| {
        let names: Vec<_> = known.map(|source| source.as_str()).collect();
        format!("is not one of {}", names.join(", "))
    })
}

/// # Errors
/// In one sentence, when nothing could be compared.
pub async fn run(config: &Config, arguments: Arguments) -> Result<ExitCode> {
    let folder = Folder::open(&config.data)?;
    let store = roles::event_store(config, &folder).await?;
    let date = match arguments.date {
        Some(date) => date,
        None => latest_date(&store).await?.context(
            "the platform was never activated on this log: say which trading date with --date",
        )?,
    };
    let now = crate::platform::now();
    let ledger = arguments.ledger.clone().or_else(|| {
        let own = folder
            .exchange()
            .join(squareoff_exchange::ledger::FILE_NAME);
        own.exists().then_some(own)
    });
    let read_model = match roles::database_url(config, &folder) {
        Ok(url) => Ok(Database::from_url(&url)
            .context("DATABASE_URL")?
            .pool(CONNECTIONS)),
        Err(error) => Err(error.to_string()),
    };
    let asked = Asked {
        scope: Scope {
            date,
            venue: arguments.venue,
        },
        ledger,
        trades_file: arguments.trades.clone(),
        positions_file: arguments.positions.clone(),
        read_model,
        required: arguments.require.iter().copied().collect(),
        now,
        end_of_day: arguments.end_of_day || date < crate::book::today_in_india(now)?,
        settle: arguments
            .settle
            .map(|seconds| Duration::from_secs(seconds.into())),
        catch_up: Duration::from_secs(arguments.wait),
    };
    let done = reconcile(&store, asked).await?;
    match &arguments.out {
        Some(out) => {
            let saved = save::save(&done, out)?;
            say(&format!("{}: {}\n", text::verdict(&done), saved.display()))?;
        }
        None => print(&done, &arguments)?,
    }
    Ok(match done.verdict() {
        Verdict::Equal => ExitCode::SUCCESS,
        Verdict::Breaks => ExitCode::from(1),
        Verdict::Incomplete(why) => {
            for sentence in why {
                eprintln!("squareoff: {sentence}");
            }
            ExitCode::from(2)
        }
    })
}

fn print(done: &Reconciliation, arguments: &Arguments) -> Result<()> {
    if arguments.json {
        return say(&format!("{}\n", json::report(done)));
    }
    if arguments.csv {
        return say(&csv::breaks(done)?);
    }
    let stdout = std::io::stdout();
    let width = if stdout.is_terminal() {
        let size = rustix::termios::tcgetwinsize(stdout.as_fd()).ok();
        size.map(|size| size.ws_col).filter(|width| *width > 0)
    } else {
        None
    };
    let colour = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
    let paper = Paper {
        width: arguments.width.or(width).map(usize::from),
        colour,
        zone: Zone::IST,
    };
    say(&text::report(done, &paper))
}

/// A reader that goes away (`| head`) is no error, and changes no verdict.
fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            bail!("the report cannot be printed: {error}")
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// As the report shows a time.
fn shown(at: Timestamp) -> String {
    Zone::IST.show(at)
}
