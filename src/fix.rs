//! `squareoff fix`: what an operator asks of the FIX sessions' files.

use anyhow::{Context, Result};
use squareoff_fix::journal;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Prints what a session sent, oldest first: number, time, and each field by its name. Also while the session runs.
    Journal {
        /// The session's folder, below `gateway` in the data folder, or `drop-copy`.
        folder: PathBuf,
    },
}

/// # Errors
/// What keeps the journal from being read, in one sentence.
pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Journal { folder } => {
            let mut out = BufWriter::new(std::io::stdout().lock());
            let printed = journal::print(&folder, &mut out);
            match printed {
                // Whoever reads on may have seen enough.
                Err(journal::JournalError::Io { source, .. })
                    if source.kind() == ErrorKind::BrokenPipe =>
                {
                    Ok(())
                }
                printed => {
                    printed.with_context(|| format!("no journal in {}", folder.display()))?;
                    out.flush().context("the output")
                }
            }
        }
    }
}
