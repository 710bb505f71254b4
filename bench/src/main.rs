//! Reproducible measurements: one line of JSON each, medians of several runs, with the machine and its load in the first line.
//!
//! `squareoff-bench append|replay|project|rebuild|e2e|all`. Run it from a release build on a quiet machine; see bench/README.md.

mod append;
mod desk;
mod e2e;
mod project;
mod rebuild;
mod replay;

use anyhow::{Result, bail};
use serde_json::json;

/// As in `squareoff` itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: squareoff-bench append [seconds runs] | replay [events runs] | project [rounds runs] | rebuild [rounds runs] | e2e [orders runs] | all";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        bail!(USAGE)
    };
    machine();
    match name.as_str() {
        "append" => append::run(rest),
        "replay" => replay::run(rest),
        "project" => project::run(rest),
        "rebuild" => rebuild::run(rest),
        "e2e" => e2e::run(rest),
        "all" => {
            append::run(&[])?;
            replay::run(&[])?;
            project::run(&[])?;
            rebuild::run(&[])?;
            e2e::run(&[])
        }
        _ => bail!(USAGE),
    }
}

/// What the figures below were measured on.
fn machine() {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(": "));
    let load: Vec<_> = read("/proc/loadavg")
        .split_whitespace()
        .take(3)
        .map(str::to_owned)
        .collect();
    println!(
        "{}",
        json!({
            "machine": model.map_or("unknown", |(_, model)| model),
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "load": load,
            "build": if cfg!(debug_assertions) { "debug: figures mean nothing" } else { "release" },
        })
    );
}
