//! The control socket: a Unix socket in the data folder, another door to the commands that `control` serves over HTTP.
//!
//! One JSON object a line in, one a line out, in order; a refusal has no status here. Whoever can open the folder can control
//! the market: the socket is for its owner alone, and never on a network.
//!
//! 1. A line that can't be read is answered with an error and changes nothing; the connection goes on.
//! 2. What is answered with ok is durable.
//! 3. Lines and connections are bounded.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::command::Command;
use crate::control::Desk;

pub const FILE_NAME: &str = "control";
/// Several times the longest command.
const LINE_BYTES_MAX: usize = 4_096;
/// A desk, a test and a few forgotten shells.
const CONNECTIONS_MAX: usize = 16;

/// Makes the socket, over one that a killed process left: the ledger's lock says that it serves nobody.
///
/// # Errors
/// As the system; a path that is too long for a socket's address is one of them.
pub fn listen(dir: &Path) -> io::Result<(UnixListener, PathBuf)> {
    let path = dir.join(FILE_NAME);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok((listener, path))
}

/// Serves the socket until it is aborted or the engine has stopped.
pub async fn serve(listener: UnixListener, desk: Desk) {
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut served = tokio::task::JoinSet::new();
    loop {
        while served.try_join_next().is_some() {}
        let free = Arc::clone(&free);
        let slot = free.acquire_owned().await;
        let slot = slot.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, _)) => {
                let desk = desk.clone();
                served.spawn(async move {
                    let _slot = slot;
                    if let Err(error) = converse(stream, &desk).await {
                        tracing::info!(%error, "a control connection ended");
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors, say: it passes, and a busy loop would not help.
                tracing::warn!(%error, "cannot accept a control connection");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
    }
}

async fn converse(stream: UnixStream, desk: &Desk) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut reader).take(LINE_BYTES_MAX as u64);
        if bounded.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let is_whole = line.last() == Some(&b'\n');
        let answer = if is_whole || line.len() < LINE_BYTES_MAX {
            answer(desk, &line).await
        } else {
            error(&format!("a line has at most {LINE_BYTES_MAX} bytes"))
        };
        writer.write_all(format!("{answer}\n").as_bytes()).await?;
        if !is_whole {
            return Ok(());
        }
    }
}

async fn answer(desk: &Desk, line: &[u8]) -> Value {
    let command: Command = match serde_json::from_slice(line) {
        Ok(command) => command,
        Err(why) => return error(&format!("not a command: {why}")),
    };
    tracing::info!(?command, "market control");
    match desk.carry_out(command).await {
        Err(stopped) => error(&stopped.to_string()),
        Ok(Err(refused)) => error(&refused.to_string()),
        Ok(Ok(answer)) => desk.shown(answer),
    }
}

fn error(text: &str) -> Value {
    json!({ "error": text })
}
