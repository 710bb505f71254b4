//! Reconciles one day: reads every side that is there, in an order that keeps them comparable beside a running platform, and compares.
//!
//! 1. The venue's ledger is read first, the log last: what the venue had told by then is in the log, but for what is on its way.
//! 2. Postgres is read in one snapshot, and the log up to exactly the position that the snapshot shows.
//! 3. What the log or the venue learnt in the last moments of a day that still goes on is counted as on its way, not as a break.

use crate::compare::{Compared, compare, speaks_for};
use crate::read::files::{self, FileError};
use crate::read::ledger::{self, LedgerError};
use crate::read::log::{self, LogError};
use crate::read::{Scope, TRADES_MAX};
use crate::sides::{Moment, ReadModel, Sides, Source};
use sqlx::PgPool;
use squareoff_domain::{Timestamp, Venue};
use squareoff_projections::day::day;
use squareoff_projections::{Watcher, checkpoint};
use squareoff_store::{EventStore, Position as LogPosition};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;
use tokio::task::JoinHandle;

/// The longest that a reconciliation waits for Postgres to reach the log: what projections that run are behind by is seconds.
pub const CATCH_UP_MAX: Duration = Duration::from_secs(60);
/// On a day that goes on, what happened so long ago has reached everybody: reports take milliseconds, a drop copy seconds.
pub const SETTLE: Duration = Duration::from_secs(60);

/// What is to be reconciled, and with whom.
#[derive(Debug, Clone)]
pub struct Asked {
    pub scope: Scope,
    pub ledger: Option<PathBuf>,
    pub trades_file: Option<PathBuf>,
    pub positions_file: Option<PathBuf>,
    /// Or why there is none.
    pub read_model: Result<PgPool, String>,
    /// Sides that must be there; one that is not leaves the verdict open.
    pub required: BTreeSet<Source>,
    pub now: Timestamp,
    /// The day is over, whether the log knows or not.
    pub end_of_day: bool,
    /// As [`SETTLE`], which holds when it is not said and the day goes on.
    pub settle: Option<Duration>,
    pub catch_up: Duration,
}

/// Why nothing could be compared.
#[derive(Debug, Error)]
pub enum ReconcileError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(
        "Postgres has more than {TRADES_MAX} trades of the day: reconcile one --venue at a time"
    )]
    TooManyRows,
    #[error("a reader ended: {0}")]
    Reader(#[from] tokio::task::JoinError),
}

/// What it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every side that was there says the same, and somebody outside was.
    Equal,
    Breaks,
    /// No break, and not everything could be compared: why.
    Incomplete(Vec<String>),
}

#[derive(Debug, Clone)]
pub struct Reconciliation {
    pub scope: Scope,
    pub made_at: Timestamp,
    pub moment: Moment,
    pub sides: Sides,
    pub compared: Compared,
    /// Why Postgres could not be read, where it should have been.
    pub read_model_failed: Option<String>,
    /// Paths of the files, for the report.
    pub ledger_path: Option<PathBuf>,
    pub trades_path: Option<PathBuf>,
    pub positions_path: Option<PathBuf>,
    pub required: BTreeSet<Source>,
}

/// # Errors
/// [`ReconcileError`], when there is nothing to compare: the log or a file that was named can't be read.
pub async fn reconcile(store: &EventStore, asked: Asked) -> Result<Reconciliation, ReconcileError> {
    let scope = asked.scope;
    // The files don't move: they may be read beside everything else. The ledger does.
    let trades_file = asked.trades_file.clone();
    let trades_file = trades_file.map(|path| blocking(move || files::trades(&path, scope)));
    let positions_file = asked.positions_file.clone();
    let positions_file =
        positions_file.map(|path| blocking(move || files::positions(&path, scope)));
    let ledger = match asked.ledger.clone() {
        Some(path) => Some(blocking(move || ledger::ledger(&path, scope)).await??),
        None => None,
    };
    let head = store.head().await.map_err(LogError::from)?;
    let shown = match &asked.read_model {
        Ok(pool) => shown(pool, head, scope, asked.catch_up)
            .await
            .map_err(|error| format!("Postgres cannot be read: {error}")),
        Err(why) => Err(why.clone()),
    };
    let (read_model, read_model_failed, until) = match shown {
        Ok((model, position)) => (Some(model), None, position),
        Err(why) => (None, Some(why), head),
    };
    if let Some(ReadModel::At(day)) = &read_model
        && day.trades.len() > TRADES_MAX
    {
        return Err(ReconcileError::TooManyRows);
    }
    let log = log::log(store, scope, until).await?;
    let trades_file = match trades_file {
        Some(reading) => Some(reading.await??),
        None => None,
    };
    let positions_file = match positions_file {
        Some(reading) => Some(reading.await??),
        None => None,
    };
    let is_over = asked.end_of_day || log.is_over;
    let settle = asked
        .settle
        .unwrap_or(if is_over { Duration::ZERO } else { SETTLE });
    let settle = i64::try_from(settle.as_nanos()).unwrap_or(i64::MAX);
    let moment = Moment {
        is_over,
        settled_before: if settle == 0 {
            Timestamp(i64::MAX)
        } else {
            Timestamp(asked.now.0.saturating_sub(settle))
        },
    };
    let sides = Sides {
        log,
        ledger,
        trades_file,
        positions_file,
        read_model,
    };
    let compared = compare(&sides, moment);
    Ok(Reconciliation {
        scope,
        made_at: asked.now,
        moment,
        sides,
        compared,
        read_model_failed,
        ledger_path: asked.ledger,
        trades_path: asked.trades_file,
        positions_path: asked.positions_file,
        required: asked.required,
    })
}

/// On a thread of its own, from now on.
fn blocking<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    tokio::task::spawn_blocking(read)
}

/// Postgres once it shows the log up to `head`, and the log position to compare it at.
async fn shown(
    pool: &PgPool,
    head: LogPosition,
    scope: Scope,
    catch_up: Duration,
) -> Result<(ReadModel, LogPosition), sqlx::Error> {
    // The first answer tells an outage from a read model that is behind.
    if checkpoint(pool).await? < head {
        let watcher = Watcher::start(pool.clone());
        if watcher.wait_for(head, catch_up).await.is_err() {
            let position = checkpoint(pool).await?;
            let waited_s = catch_up.as_secs();
            return Ok((ReadModel::Behind { position, waited_s }, head));
        }
    }
    let shown = day(pool, scope.date, scope.venue).await?;
    Ok((ReadModel::At(shown.value), shown.position))
}

impl Reconciliation {
    pub fn verdict(&self) -> Verdict {
        if !self.compared.breaks.is_empty() {
            return Verdict::Breaks;
        }
        let why = self.gaps();
        if why.is_empty() {
            Verdict::Equal
        } else {
            Verdict::Incomplete(why)
        }
    }

    /// What keeps the verdict open, in sentences.
    pub fn gaps(&self) -> Vec<String> {
        let mut why: Vec<String> = self.read_model_failed.clone().into_iter().collect();
        for venue in &self.compared.unwitnessed {
            why.push(format!(
                "nobody outside speaks of the trades at {venue}: there is no drop copy, no ledger and no trade file of it"
            ));
        }
        let outside = [Source::DropCopy, Source::Ledger, Source::TradesFile];
        let alone = outside.iter().all(|source| !self.is_there(*source));
        if alone && self.compared.unwitnessed.is_empty() {
            why.push("there is nothing of the venue's to compare with: no drop copy, no ledger, no trade file".to_owned());
        }
        for source in &self.required {
            if !self.is_there(*source) {
                why.push(format!("{source} is required and is not there"));
            }
        }
        why
    }

    /// Whether the side was there to compare with.
    pub fn is_there(&self, source: Source) -> bool {
        match source {
            Source::Log => true,
            Source::DropCopy => !self.sides.log.reach.is_empty(),
            Source::Ledger => self.sides.ledger.is_some(),
            Source::TradesFile => self.sides.trades_file.is_some(),
            Source::ReadModel => matches!(self.sides.read_model, Some(ReadModel::At(_))),
            Source::PositionsFile => self.sides.positions_file.is_some(),
        }
    }

    /// The venues that a side speaks for.
    pub fn venues(&self, source: Source) -> BTreeSet<Venue> {
        speaks_for(&self.sides, source)
    }
}
