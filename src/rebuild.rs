//! `squareoff rebuild`: the read models anew, beside the live ones, with a progress bar.

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use squareoff_projections::{Database, RebuildOptions, RebuildReport, Stage, SwapWhen, rebuild};
use squareoff_store::EventStore;
use std::process::ExitCode;

/// Rebuilds and says what came of it; the exit code is 1 when the live read models differed.
///
/// # Errors
/// When the rebuild could not be done; the live read models are as they were.
pub async fn run(
    store: &EventStore,
    url: &str,
    compare_only: bool,
    replace: bool,
) -> Result<ExitCode> {
    let database = Database::from_url(url).context("DATABASE_URL")?;
    let swap = match (compare_only, replace) {
        (true, _) => SwapWhen::Never,
        (false, true) => SwapWhen::Always,
        (false, false) => SwapWhen::Equal,
    };
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template(
        "{msg:<12} {bar:40} {pos}/{len} events, {per_sec}, {eta} left",
    );
    bar.set_style(style.context("the progress bar's template")?);
    let report = rebuild(store, &database, RebuildOptions { swap }, |progress| {
        bar.set_length(progress.target.as_u64());
        bar.set_position(progress.position.as_u64());
        bar.set_message(stage(progress.stage));
    })
    .await;
    bar.finish_and_clear();
    let report = report?;
    print!("{}", describe(&report));
    let mended = replace && report.swapped;
    Ok(if report.equal() || mended {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Folding => "folding",
        Stage::Copying => "copying",
        Stage::Indexing => "indexing",
        Stage::CatchingUp => "catching up",
        Stage::Comparing => "comparing",
        Stage::Swapping => "swapping",
    }
}

/// What a rebuild did, in a few lines.
pub fn describe(report: &RebuildReport) -> String {
    let mut text = format!(
        "{} events rebuilt in {:.2} s ({} events/s)\n",
        report.events,
        report.elapsed.as_secs_f64(),
        report.events_per_s()
    );
    match &report.comparison {
        None => text.push_str("the live read models were empty: nothing to compare with\n"),
        Some(comparison) if comparison.equal() => {
            text.push_str(&format!(
                "equal to the live read models at position {} (SHA-256 {})\n",
                comparison.position, comparison.hash_live
            ));
        }
        Some(comparison) => {
            text.push_str(&format!(
                "NOT equal to the live read models at position {}:\n",
                comparison.position
            ));
            for difference in &comparison.differences {
                let rows = |what: &str, rows: &[String]| {
                    rows.iter()
                        .map(|row| format!("  {} {what}: {row}\n", difference.table))
                        .collect::<String>()
                };
                text.push_str(&rows("only live", &difference.only_live));
                text.push_str(&rows("only rebuilt", &difference.only_next));
            }
        }
    }
    text.push_str(if report.swapped {
        "swapped in\n"
    } else {
        "the live read models stay in place\n"
    });
    text
}
