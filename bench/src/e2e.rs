//! From a request over HTTP to the fill in the read model, through every process: `squareoff demo`, several times.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::process::Command;

const ORDERS: u32 = 1_000;
const RUNS: usize = 3;

/// Prints one JSON line. `args`: square-offs, runs (defaults: 1,000, 3).
pub fn run(args: &[String]) -> Result<()> {
    let orders = args
        .first()
        .map_or(Ok(ORDERS), |arg| arg.parse())
        .context("square-offs")?;
    let runs = args
        .get(1)
        .map_or(Ok(RUNS), |arg| arg.parse())
        .context("number of runs")?;
    let names = ["p50_ms", "p99_ms", "orders_per_s", "replay_events_per_s"];
    let medians = demo(&["--orders", &orders.to_string()], runs, &names)?;
    println!(
        "{}",
        json!({ "bench": "e2e", "square_offs": orders, "runs": runs, "median": medians })
    );
    Ok(())
}

/// Runs `squareoff demo` so many times; the medians of these figures of its line.
pub fn demo(
    arguments: &[&str],
    runs: usize,
    names: &[&str],
) -> Result<serde_json::Map<String, Value>> {
    let squareoff = std::env::current_exe()?.with_file_name("squareoff");
    let mut lines = Vec::new();
    for _ in 0..runs {
        let output = Command::new(&squareoff)
            .arg("demo")
            .args(arguments)
            .output();
        let output = output.with_context(|| format!("{} cannot be run", squareoff.display()))?;
        ensure!(
            output.status.success(),
            "the demo failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        lines.push(serde_json::from_slice::<Value>(&output.stdout)?);
    }
    let median = |name: &str| {
        let mut figures: Vec<f64> = lines
            .iter()
            .filter_map(|line| line[name].as_f64())
            .collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied()
    };
    let medians = names.iter();
    Ok(medians
        .map(|name| ((*name).to_owned(), json!(median(name))))
        .collect())
}
