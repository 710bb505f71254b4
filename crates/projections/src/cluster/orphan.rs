//! What an earlier supervisor left behind: a server that outlived it, or the pid file of one that was killed.
//!
//! Called only under the supervisor's lock, so whatever server runs on this data folder has nobody who waits for it.

use super::ClusterError;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::path::Path;
use std::time::{Duration, Instant};

/// A fast shutdown writes a checkpoint: seconds at most with our settings. Then it is killed; the log replays what was not written.
const ORPHAN_STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// A killed server is gone when the kernel has torn it down.
const ORPHAN_KILL_TIMEOUT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);

/// Ends a server that still runs on `data`, and removes a pid file whose number now belongs to somebody else.
pub(crate) async fn clear(data: &Path) -> Result<(), ClusterError> {
    let file = data.join("postmaster.pid");
    let Ok(text) = std::fs::read_to_string(&file) else {
        return Ok(());
    };
    let pid = text
        .lines()
        .next()
        .and_then(|line| line.trim().parse().ok())
        .and_then(Pid::from_raw);
    match pid.filter(|pid| is_alive(*pid)) {
        // A dead server's file is the next server's to judge: it also looks for orphaned workers by their shared memory.
        None => Ok(()),
        Some(pid) if serves(pid, data) => {
            tracing::warn!(
                pid = pid.as_raw_nonzero().get(),
                "stopping a database server that outlived its supervisor"
            );
            stop(pid).await;
            Ok(())
        }
        Some(_) => {
            std::fs::remove_file(&file).map_err(ClusterError::io("removing the stale", &file))
        }
    }
}

async fn stop(pid: Pid) {
    let signal = |signal| kill_process(pid, signal).unwrap_or_default();
    signal(Signal::INT);
    if !gone(pid, ORPHAN_STOP_TIMEOUT).await {
        signal(Signal::KILL);
        gone(pid, ORPHAN_KILL_TIMEOUT).await;
    }
}

async fn gone(pid: Pid, timeout: Duration) -> bool {
    let deadline = Instant::now() + timeout;
    while is_alive(pid) {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(POLL).await;
    }
    true
}

/// Not a zombie: where nobody reaps orphans, a server that has ended keeps its number for ever.
fn is_alive(pid: Pid) -> bool {
    if test_kill_process(pid).is_err() {
        return false;
    }
    let stat =
        std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    !stat
        .rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('Z'))
}

/// Whether the process was started as `postgres -D <data>`. Without `/proc` the pid file is believed.
fn serves(pid: Pid, data: &Path) -> bool {
    match std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())) {
        Ok(line) => line
            .split(|byte| *byte == 0)
            .any(|argument| argument == data.as_os_str().as_encoded_bytes()),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pid_file_whose_number_is_somebody_elses_is_removed_and_that_process_left_alone() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("postmaster.pid");
        std::fs::write(
            &file,
            format!("{}\n{}\n", std::process::id(), data.path().display()),
        )
        .unwrap();
        clear(data.path()).await.unwrap();
        assert!(!file.exists());
    }
}
