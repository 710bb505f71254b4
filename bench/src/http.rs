//! As much of HTTP/1.1 as a load needs, so that the client costs next to nothing beside the server.

use anyhow::{Context, Result, bail, ensure};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Reads one answer off the connection, which has to be of this status.
pub async fn answered(stream: &mut TcpStream, read: &mut Vec<u8>, status: &str) -> Result<()> {
    read.clear();
    loop {
        ensure!(stream.read_buf(read).await? > 0, "the server hung up");
        let Some(head) = read.windows(4).position(|at| at == b"\r\n\r\n") else {
            continue;
        };
        let text = String::from_utf8_lossy(&read[..head]).to_ascii_lowercase();
        let length = text.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.split("\r\n").next());
        let length: usize = length.context("a content-length")?.parse()?;
        if read.len() < head + 4 + length {
            continue;
        }
        if !text.starts_with(&format!("http/1.1 {status}")) {
            bail!("not {status}: {}", String::from_utf8_lossy(read));
        }
        return Ok(());
    }
}
