//! A peer's server as a child process: started in a folder of its own, waited for, killed when dropped.

use anyhow::{Context, Result, bail};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Guard against hanging.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Starts `command` with its output in `log`; it is killed with the handle.
pub fn spawn(mut command: Command, log: &Path) -> Result<Child> {
    let file = std::fs::File::create(log)?;
    command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .kill_on_drop(true);
    let program = command.as_std().get_program().to_owned();
    command.spawn().with_context(|| {
        format!(
            "{} can't be started; `make bench-peers` installs it",
            program.display()
        )
    })
}

/// Waits until the server listens on `port`.
pub async fn wait_for_port(child: &mut Child, port: u16, log: &Path) -> Result<()> {
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        if let Some(status) = child.try_wait()? {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            bail!("the server ended ({status}) and said: {said}");
        }
        if began.elapsed() > PATIENCE {
            bail!("the server did not listen on port {port} in time");
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
