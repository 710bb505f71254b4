//! The progress of a rebuild: a bar where a person looks on, plain lines otherwise, both on standard error.

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use squareoff_projections::{Progress, Stage};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Between plain lines of one stage.
const LINE_INTERVAL: Duration = Duration::from_secs(2);

/// How it is shown.
pub enum Showing {
    Bar {
        bar: ProgressBar,
        stage: Option<Stage>,
    },
    Lines(Lines),
}

#[derive(Default)]
pub struct Lines {
    /// The stage at hand, when it began and with how much done, and when it was last told.
    stage: Option<(Stage, Instant, u64, Instant)>,
}

impl Showing {
    /// # Errors
    /// Never, short of a mistake in the bar's template.
    pub fn new() -> Result<Self> {
        if !std::io::stderr().is_terminal() {
            return Ok(Showing::Lines(Lines::default()));
        }
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template(
            "{msg:<9} {bar:40} {percent:>3} % {human_pos}/{human_len}, {per_sec}, {eta} left",
        );
        bar.set_style(style.context("the progress bar's template")?);
        Ok(Showing::Bar { bar, stage: None })
    }

    pub fn show(&mut self, now: Progress) {
        match self {
            Showing::Bar { bar, stage } => {
                if stage.replace(now.stage) != Some(now.stage) {
                    bar.reset();
                    bar.set_message(now.stage.as_str());
                    // What was done before this run does not count for its speed.
                    bar.set_length(now.total);
                    bar.set_position(now.done);
                    bar.reset_eta();
                }
                bar.set_length(now.total);
                bar.set_position(now.done);
            }
            Showing::Lines(lines) => {
                if let Some(line) = lines.line(now, Instant::now()) {
                    eprintln!("{line}");
                }
            }
        }
    }

    pub fn end(&self) {
        match self {
            Showing::Bar { bar, .. } => bar.finish_and_clear(),
            Showing::Lines(_) => {}
        }
    }
}

impl Lines {
    /// What is to be said at `at`: a stage's first word and then one every [`LINE_INTERVAL`].
    fn line(&mut self, now: Progress, at: Instant) -> Option<String> {
        let Progress {
            stage, done, total, ..
        } = now;
        let Some((_, began, first, told)) = self.stage.as_mut().filter(|known| known.0 == stage)
        else {
            self.stage = Some((stage, at, done, at));
            return Some(format!("{}: {}", stage.as_str(), parts(stage, done, total)));
        };
        if at.duration_since(*told) < LINE_INTERVAL {
            return None;
        }
        *told = at;
        let elapsed_ms = at.duration_since(*began).as_millis().max(1);
        let since = u128::from(done.saturating_sub(*first));
        let per_s = since * 1_000 / elapsed_ms;
        let mut line = format!("{}: {}", stage.as_str(), parts(stage, done, total));
        if in_events(stage) {
            line.push_str(&format!(", {per_s} events/s"));
        }
        let left = u128::from(total.saturating_sub(done)) * elapsed_ms;
        if let Some(left_ms) = left.checked_div(since) {
            line.push_str(&format!(", {} s left", left_ms / 1_000));
        }
        Some(line)
    }
}

fn parts(stage: Stage, done: u64, total: u64) -> String {
    let percent = (u128::from(done) * 100)
        .checked_div(u128::from(total))
        .unwrap_or(100);
    if in_events(stage) {
        format!("{done} of {total} events ({percent} %)")
    } else if total > 1 {
        format!("{done} of {total} steps ({percent} %)")
    } else {
        "begun".into()
    }
}

const fn in_events(stage: Stage) -> bool {
    match stage {
        Stage::Folding | Stage::Copying | Stage::CatchingUp => true,
        Stage::Indexing | Stage::Comparing | Stage::Swapping => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squareoff_store::Position;

    #[test]
    fn lines_say_speed_and_what_is_left_and_are_not_many() {
        let began = Instant::now();
        let mut lines = Lines::default();
        let mut said = vec![];
        for (stage, done, total, ms) in [
            (Stage::Folding, 100_000, 1_000_000, 0),
            (Stage::Folding, 150_000, 1_000_000, 100),
            (Stage::Folding, 500_000, 1_000_000, 2_000),
            (Stage::Folding, 900_000, 1_000_000, 3_900),
            (Stage::Indexing, 0, 12, 5_000),
            (Stage::Indexing, 6, 12, 7_000),
            (Stage::Swapping, 0, 1, 7_001),
            (Stage::CatchingUp, 0, 0, 7_002),
        ] {
            let now = Progress {
                stage,
                done,
                total,
                kept: Position::START,
            };
            said.extend(lines.line(now, began + Duration::from_millis(ms)));
        }
        assert_eq!(
            said,
            [
                "fold: 100000 of 1000000 events (10 %)",
                "fold: 500000 of 1000000 events (50 %), 200000 events/s, 2 s left",
                "index: 0 of 12 steps (0 %)",
                "index: 6 of 12 steps (50 %), 2 s left",
                "swap: begun",
                "catch-up: 0 of 0 events (100 %)",
            ]
        );
    }
}
