//! `squareoff store`: what an operator asks of the event log's file; `serve` has a page of its own.

use crate::config::Config;
use crate::folder::Folder;
use crate::{serve, shutdown};
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use squareoff_store::embedded::{self, Checked};
use squareoff_store::{EventStore, Position};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Reads the event log from end to end and names everything in it that is not as it was written. Exit code 1 when there is anything.
    Check {
        /// The data folder; default the configured one.
        #[arg(value_name = "DATA FOLDER")]
        data: Option<PathBuf>,
    },
    /// Copies the event log as it stands at this moment, also while it is written to, into a new folder.
    Backup {
        /// A folder that is new or empty.
        folder: PathBuf,
    },
    /// Makes the event log of a data folder from a backup, once the backup has been proved whole. Never over a log that is there.
    Restore {
        backup: PathBuf,
        /// A data folder without an event log.
        #[arg(value_name = "DATA FOLDER")]
        data: PathBuf,
    },
    /// Serves the event log over KurrentDB's protocol, read-only unless told otherwise. Stays until Ctrl-C.
    Serve(serve::Arguments),
}

/// # Errors
/// Whatever keeps the command from being carried out, in one sentence. What a check finds is its exit code.
pub async fn run(config: &Config, command: Command) -> Result<ExitCode> {
    match command {
        Command::Check { data } => {
            let log = data.unwrap_or_else(|| config.data.clone()).join("log");
            let bar = bar();
            let checked = embedded::check(&log, |at, head| show(&bar, at, head))?;
            bar.finish_and_clear();
            Ok(tell(&checked))
        }
        Command::Backup { folder } => {
            let log = Folder::to_read(config)?.log();
            let made = embedded::backup(&log, &folder)?;
            println!(
                "{} events up to position {} in {}: {} bytes, SHA-256 {}",
                made.events,
                made.head,
                folder.display(),
                made.bytes,
                made.sha256
            );
            Ok(ExitCode::SUCCESS)
        }
        Command::Restore { backup, data } => {
            let log = Folder::open(&data)?.log();
            let bar = bar();
            let checked = embedded::restore(&backup, &log, |at, head| show(&bar, at, head))?;
            bar.finish_and_clear();
            println!(
                "{} events up to position {} in {}",
                checked.events,
                checked.head,
                log.display()
            );
            Ok(ExitCode::SUCCESS)
        }
        Command::Serve(arguments) => {
            let stop = shutdown::listen(false)?;
            let store = EventStore::open(&Folder::open(&config.data)?.log())?;
            serve::run(store, arguments, stop).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Drawn on a terminal only.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template(
        "checking {wide_bar} {human_pos}/{human_len} events, {per_sec}, {eta} left",
    );
    ProgressBar::new(0).with_style(style.expect("the template is a good one"))
}

fn show(bar: &ProgressBar, at: Position, head: Position) {
    bar.set_length(head.as_u64());
    bar.set_position(at.as_u64());
}

fn tell(checked: &Checked) -> ExitCode {
    for finding in &checked.findings {
        println!("{finding}");
    }
    if checked.findings_more > 0 {
        println!("and {} more", checked.findings_more);
    }
    let looked_at = format!(
        "{} events in {} streams up to position {}",
        checked.events, checked.streams, checked.head
    );
    if checked.is_sound() {
        println!("the log is sound: {looked_at}");
        // A stream's last event has no successor whose hash would tell: only the signed tree covers it.
        println!("whether they are the events that were signed, `squareoff audit verify` tells");
        ExitCode::SUCCESS
    } else {
        let findings = checked.findings.len() as u64 + checked.findings_more;
        println!("the log is not sound: {findings} findings in {looked_at}");
        ExitCode::FAILURE
    }
}
