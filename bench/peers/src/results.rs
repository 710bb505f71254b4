//! Results as lines of JSON in a file, so that a comparison can be run in slices, and the table made of them.

use crate::peer::Peer;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Prints `line` and adds it to `file`.
pub fn note(file: &Path, line: &Value) -> Result<()> {
    println!("{line}");
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    Ok(writeln!(file, "{line}")?)
}

/// Medians over the runs in `file`, in Markdown.
pub fn table(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let lines = text.lines().map(serde_json::from_str::<Value>);
    let lines = lines.collect::<Result<Vec<_>, _>>()?;
    let mut groups: BTreeMap<(String, u64), BTreeMap<String, Vec<&Value>>> = BTreeMap::new();
    for line in &lines {
        let Some(bench) = line["bench"].as_str() else {
            continue;
        };
        let clients = line["clients"].as_u64().unwrap_or_default();
        let peer = line["peer"].as_str().unwrap_or_default().to_owned();
        let group = groups.entry((bench.to_owned(), clients)).or_default();
        group.entry(peer).or_default().push(line);
    }
    let mut table = String::new();
    for ((bench, clients), peers) in &groups {
        table += &match bench.as_str() {
            "append" => format!("\n{clients} clients, one event each append\n\n"),
            _ => format!("\n{bench}\n\n"),
        };
        table += "| store | events/s | p50 ms | p99 ms | runs, events/s |\n|---|---|---|---|---|\n";
        let rates = |runs: &[&Value]| sorted(runs, "events_per_s");
        let mut rows: Vec<_> = peers.iter().collect();
        rows.sort_by(|(_, a), (_, b)| middle(&rates(b)).total_cmp(&middle(&rates(a))));
        for (peer, runs) in &rows {
            let each: Vec<_> = rates(runs)
                .iter()
                .map(|rate| format!("{rate:.0}"))
                .collect();
            let milliseconds = |name| match middle(&sorted(runs, name)) {
                none if none.is_nan() => "".into(),
                some => format!("{some:.2}"),
            };
            table += &format!(
                "| {peer} | {:.0} | {} | {} | {} |\n",
                middle(&rates(runs)),
                milliseconds("p50_ms"),
                milliseconds("p99_ms"),
                each.join(", ")
            );
        }
        let best = rows.iter().find(|(peer, _)| Peer::is_rival(peer));
        let ours = peers.get(&Peer::Squareoff.name());
        if let (Some((peer, best)), Some(ours)) = (best, ours) {
            let times = middle(&rates(ours)) / middle(&rates(best));
            table += &format!("\nsquareoff is {times:.1} times {peer}, the best of the others.\n");
        }
    }
    Ok(table)
}

fn sorted(runs: &[&Value], name: &str) -> Vec<f64> {
    let mut figures: Vec<f64> = runs.iter().filter_map(|run| run[name].as_f64()).collect();
    figures.sort_by(f64::total_cmp);
    figures
}

/// The median, of an even number the mean of the middle two; not a number when there is none.
fn middle(sorted: &[f64]) -> f64 {
    let [low, high] = [sorted.len().wrapping_sub(1) / 2, sorted.len() / 2];
    match (sorted.get(low), sorted.get(high)) {
        (Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => f64::NAN,
    }
}
