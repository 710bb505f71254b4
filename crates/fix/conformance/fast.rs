//! Scripts and acceptor in one process without sockets, on a clock that jumps over every wait.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use squareoff_fix::Timestamp;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::watch;
use tokio::time::Instant;

use super::acceptor::{Settings, registry};
use super::runner::{Outcome, play};
use super::script::Step;

/// More than any script has on its way at a time.
const PIPE_BYTES: usize = 1 << 20;

/// The time of tokio's clock, which stands still while something is to do and jumps when nothing is.
pub fn now() -> Timestamp {
    static START: OnceLock<(Instant, Timestamp)> = OnceLock::new();
    let (start, at) = START.get_or_init(|| (Instant::now(), Timestamp::now()));
    at.plus(i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX))
}

/// Plays every script against an acceptor of its own, with a journal of its own below `folder`.
///
/// # Errors
/// When a journal or the runtime can't be made.
pub fn run(
    scripts: &[(String, Vec<Step>)],
    settings: &Settings,
    folder: &Path,
) -> io::Result<Vec<Outcome>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    runtime.block_on(async {
        let mut outcomes = Vec::new();
        for (index, (name, steps)) in scripts.iter().enumerate() {
            let journal = folder.join(format!("{index}"));
            let registry = registry(settings, &journal, now).map_err(io::Error::other)?;
            let registry = Arc::new(registry);
            let (_stop, stopping) = watch::channel(false);
            let dial = || {
                let (ours, theirs): (DuplexStream, DuplexStream) = duplex(PIPE_BYTES);
                let (registry, mut stopping) = (Arc::clone(&registry), stopping.clone());
                tokio::spawn(async move { registry.serve(theirs, "script", &mut stopping).await });
                async { Ok(ours) }
            };
            outcomes.push(play(name, steps, dial, now).await);
        }
        Ok(outcomes)
    })
}
