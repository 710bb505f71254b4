//! Reproducible measurements: one line of JSON each, medians of several runs, with the machine and its load in the first line.
//!
//! `squareoff-bench append|paced|replay|adapter|fix|project|rebuild|reconcile|e2e|acknowledged|verify|live|requests|queries|shed|all`. Run it from a release build on a quiet machine; see bench/README.md.

mod acknowledged;
mod adapter;
mod append;
mod day;
mod desk;
mod e2e;
mod fix;
mod http;
mod live;
mod paced;
mod project;
mod queries;
mod rebuild;
mod reconcile;
mod replay;
mod requests;
mod shed;
mod verify;

use anyhow::{Result, bail};
use serde_json::json;

/// As in `squareoff` itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: squareoff-bench append [seconds runs] | paced [rate seconds runs] | replay [events runs] | adapter [seconds runs] | fix [orders runs] | project [rounds runs] | rebuild [rounds runs] | reconcile [rounds runs] | e2e [orders runs] | acknowledged [orders rate runs] | verify [events runs] | live [connections events-per-second seconds] | requests [per-second seconds runs] | queries [rounds] | shed [people times seconds] | all";

fn main() -> Result<()> {
    // As in `squareoff` itself.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        bail!(USAGE)
    };
    // The server of `live` and `shed`, and that of `requests`, are processes of their own, and speak to those alone.
    match name.as_str() {
        "live-serve" => return live::serve(rest),
        "requests-serve" => return requests::serve(rest),
        _ => {}
    }
    machine();
    match name.as_str() {
        "append" => append::run(rest),
        "paced" => paced::run(rest),
        "replay" => replay::run(rest),
        "adapter" => adapter::run(rest),
        "fix" => fix::run(rest),
        "project" => project::run(rest),
        "rebuild" => rebuild::run(rest),
        "reconcile" => reconcile::run(rest),
        "e2e" => e2e::run(rest),
        "acknowledged" => acknowledged::run(rest),
        "verify" => verify::run(rest),
        "live" => live::run(rest),
        "requests" => requests::run(rest),
        "queries" => queries::run(rest),
        "shed" => shed::run(rest),
        "all" => {
            append::run(&[])?;
            paced::run(&[])?;
            replay::run(&[])?;
            adapter::run(&[])?;
            fix::run(&[])?;
            project::run(&[])?;
            rebuild::run(&[])?;
            reconcile::run(&[])?;
            e2e::run(&[])?;
            acknowledged::run(&[])?;
            verify::run(&[])?;
            live::run(&[])?;
            requests::run(&[])?;
            queries::run(&[])?;
            shed::run(&[])
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
