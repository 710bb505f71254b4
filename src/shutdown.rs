//! When a role has to stop: SIGTERM, SIGINT, or the death of the process that started it.

use std::io::Read;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Turns true once, when the role has to stop. With `exit_with_parent` the end of standard input counts: a supervisor holds the other
/// end of it, and the kernel closes that even when the supervisor is killed.
///
/// # Errors
/// When the process may not listen to signals.
pub fn listen(exit_with_parent: bool) -> std::io::Result<watch::Receiver<bool>> {
    let (stop, stopped) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let by_signal = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up.recv() => {}
        }
        by_signal.send_replace(true);
    });
    if exit_with_parent {
        std::thread::spawn(move || {
            let mut byte = [0];
            while matches!(std::io::stdin().read(&mut byte), Ok(1)) {}
            stop.send_replace(true);
        });
    }
    Ok(stopped)
}

/// Ends when `stopped` turns true.
pub async fn requested(mut stopped: watch::Receiver<bool>) {
    if stopped.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
