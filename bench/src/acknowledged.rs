//! From a request over HTTP to the exchange's acknowledgement in the log, at a fixed rate and through every process:
//! `squareoff demo --rate`, several times.

use crate::e2e::demo;
use anyhow::{Context, Result};
use serde_json::json;

/// Ten seconds of it.
const ORDERS: u32 = 10_000;
const RATE_PER_S: u32 = 1_000;
const RUNS: usize = 3;

/// Prints one JSON line. `args`: square-offs, a second, runs (defaults: 10,000, 1,000, 3).
pub fn run(args: &[String]) -> Result<()> {
    let number =
        |index: usize, default: u32| args.get(index).map_or(Ok(default), |arg| arg.parse());
    let orders = number(0, ORDERS).context("square-offs")?;
    let rate = number(1, RATE_PER_S).context("square-offs a second")?;
    let runs = args
        .get(2)
        .map_or(Ok(RUNS), |arg| arg.parse())
        .context("number of runs")?;
    let arguments = ["--orders", &orders.to_string(), "--rate", &rate.to_string()];
    let names = [
        "accepted_p50_ms",
        "accepted_p99_ms",
        "acknowledged_p50_ms",
        "acknowledged_p99_ms",
        "seen_p50_ms",
        "seen_p99_ms",
        "approved_p50_ms",
        "approved_p99_ms",
        "confirmed_p50_ms",
        "confirmed_p99_ms",
    ];
    let medians = demo(&arguments, runs, &names)?;
    println!(
        "{}",
        json!({ "bench": "acknowledged", "square_offs": orders, "per_s": rate, "runs": runs, "median": medians })
    );
    Ok(())
}
