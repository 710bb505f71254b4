//! Our FIX engine beside others, in one run: `bench/peers/run.sh fix`. The same order over loopback, one at a time and with a hundred
//! under way, each engine with the file store that it comes with. Rounds alternate, each begins with another engine.

#[path = "../../../src/fix.rs"]
#[allow(dead_code, reason = "our own measurement prints its own line")]
mod fix;
mod hotfix;
mod quickfix;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use fix::Run;
use serde_json::json;
use squareoff_fix::Validation;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// As in `squareoff` itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Peer {
    /// Ours on both ends
    Squareoff,
    /// hotfix's initiator, our acceptor
    Hotfix,
    /// QuickFIX's initiator, our acceptor
    QuickfixInitiator,
    /// Our initiator, QuickFIX's acceptor
    QuickfixAcceptor,
    /// QuickFIX on both ends
    Quickfix,
}

#[derive(Parser)]
struct Arguments {
    /// Only these
    #[arg(long, value_delimiter = ',')]
    peers: Vec<Peer>,
    /// A Python that has quickfix-py
    #[arg(long)]
    python: PathBuf,
    /// Folder for the stores' files: on the disk that is measured, never in memory
    #[arg(long, default_value = "target/peers")]
    folder: PathBuf,
    /// Orders one at a time
    #[arg(long, default_value_t = 2_000)]
    singles: usize,
    /// Orders with the window; of QuickFIX and hotfix a fifth, because they are slower
    #[arg(long, default_value_t = 100_000)]
    orders: usize,
    #[arg(long, default_value_t = 100)]
    window: usize,
    /// Runs, of which the median counts
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut peers = match arguments.peers.is_empty() {
        true => Peer::value_variants().to_vec(),
        false => arguments.peers.clone(),
    };
    let mut ran: BTreeMap<Peer, Vec<(Run, Run)>> = BTreeMap::new();
    for _ in 0..arguments.runs {
        for peer in &peers {
            let orders = match peer {
                Peer::Squareoff => arguments.orders,
                Peer::Hotfix
                | Peer::QuickfixInitiator
                | Peer::QuickfixAcceptor
                | Peer::Quickfix => arguments.orders / 5,
            };
            let single = measure(*peer, &arguments, arguments.singles, 1).await?;
            let many = measure(*peer, &arguments, orders, arguments.window).await?;
            let line = json!({
                "bench": "fix", "peer": name(*peer), "window": arguments.window, "orders": orders,
                "p50_ms": single.p50_ms, "p99_ms": single.p99_ms,
                "orders_per_s": many.orders_per_s.round(), "window_p50_ms": many.p50_ms,
            });
            println!("{line}");
            ran.entry(*peer).or_default().push((single, many));
        }
        peers.rotate_left(1);
    }
    println!(
        "\n| ends | p50 ms | p99 ms | orders/s with {} |\n|---|---|---|---|",
        arguments.window
    );
    for (peer, runs) in &ran {
        let middle = |figure: fn(&(Run, Run)) -> f64| {
            let mut figures: Vec<f64> = runs.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures[figures.len() / 2]
        };
        let (p50, p99) = (middle(|run| run.0.p50_ms), middle(|run| run.0.p99_ms));
        let rate = middle(|run| run.1.orders_per_s);
        println!("| `{}` | {p50:.2} | {p99:.2} | {rate:.0} |", name(*peer));
    }
    Ok(())
}

fn name(peer: Peer) -> String {
    let value = peer.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

async fn measure(peer: Peer, arguments: &Arguments, orders: usize, window: usize) -> Result<Run> {
    let folder = std::path::absolute(&arguments.folder)?;
    std::fs::create_dir_all(&folder)?;
    let folder = tempfile::Builder::new().prefix("fix-").tempdir_in(folder)?;
    let (python, folder) = (&arguments.python, folder.path());
    match peer {
        Peer::Squareoff => fix::measure(folder, Validation::Basic, orders, window).await,
        Peer::Hotfix => hotfix::run(folder, orders, window).await,
        Peer::QuickfixInitiator => quickfix::initiator(python, folder, orders, window).await,
        Peer::QuickfixAcceptor => quickfix::acceptor(python, folder, orders, window).await,
        Peer::Quickfix => quickfix::both(python, folder, orders, window).await,
    }
}
