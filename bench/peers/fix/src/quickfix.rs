//! QuickFIX in a process of its own (`peer.py`), with its file store: on one end, or on both.

use crate::fix::{Exchange, Initiator, Run, closed_loop};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use squareoff_fix::Validation;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Its initiator, our acceptor.
pub async fn initiator(python: &Path, folder: &Path, orders: usize, window: usize) -> Result<Run> {
    let exchange = Exchange::start(folder, Validation::Basic).await?;
    let run = measured(python, folder, exchange.address, orders, window).await?;
    exchange.stop().await?;
    Ok(run)
}

/// Our initiator, its acceptor.
pub async fn acceptor(python: &Path, folder: &Path, orders: usize, window: usize) -> Result<Run> {
    let address = free_address()?;
    let peer = Peer::start(python, folder, &["acceptor"], address).await?;
    let (initiator, mut reported) = Initiator::start(folder, address, Validation::Basic)?;
    let send = async |number: usize| initiator.order(number).await;
    let run = closed_loop(orders, window, send, &mut reported).await?;
    initiator.stop().await?;
    peer.stop().await?;
    Ok(run)
}

/// QuickFIX on both ends.
pub async fn both(python: &Path, folder: &Path, orders: usize, window: usize) -> Result<Run> {
    let address = free_address()?;
    let far = folder.join("acceptor");
    std::fs::create_dir(&far)?;
    let peer = Peer::start(python, &far, &["acceptor"], address).await?;
    let run = measured(python, folder, address, orders, window).await?;
    peer.stop().await?;
    Ok(run)
}

async fn measured(
    python: &Path,
    folder: &Path,
    address: SocketAddr,
    orders: usize,
    window: usize,
) -> Result<Run> {
    let numbers = [orders.to_string(), window.to_string()];
    let arguments = ["initiator", &numbers[0], &numbers[1]];
    let mut peer = Peer::start(python, folder, &arguments, address).await?;
    let line = peer.said.next_line().await?.context("QuickFIX has ended")?;
    let line: Value = serde_json::from_str(&line)?;
    let figure = |name: &str| line[name].as_f64().context("a figure");
    let run = Run {
        orders_per_s: figure("orders_per_s")?,
        p50_ms: figure("p50_ms")?,
        p99_ms: figure("p99_ms")?,
    };
    peer.stop().await?;
    Ok(run)
}

/// Killed when dropped.
struct Peer {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    async fn start(
        python: &Path,
        folder: &Path,
        arguments: &[&str],
        address: SocketAddr,
    ) -> Result<Peer> {
        let (role, rest) = arguments.split_first().context("a role")?;
        let mut child = Command::new(python)
            .arg("bench/peers/fix/peer.py")
            .args([*role, &address.port().to_string()])
            .arg(folder)
            .args(rest)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("QuickFIX's Python")?;
        let said = child.stdout.take().context("its output")?;
        let mut said = BufReader::new(said).lines();
        let line = said.next_line().await?;
        ensure!(line.as_deref() == Some("started"), "QuickFIX: {line:?}");
        Ok(Peer { child, said })
    }

    async fn stop(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait().await?;
        ensure!(status.success(), "QuickFIX ended with {status}");
        Ok(())
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
