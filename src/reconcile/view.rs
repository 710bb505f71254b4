//! Each side as the reports show it: whether it is there, how far it goes, what it adds up to.

use squareoff_domain::{Timestamp, Venue};
use squareoff_reconcile::sides::ReadModel;
use squareoff_reconcile::totals::{Sum, Sums};
use squareoff_reconcile::{Reconciliation, Source};
use squareoff_store::Position;
use std::collections::BTreeSet;

pub struct Side {
    pub source: Source,
    pub there: bool,
    /// Of the last thing that it knows.
    pub as_of: Option<Timestamp>,
    pub position: Option<Position>,
    /// Where it was read, or why it is absent.
    pub note: String,
    pub sum: Sum,
}

pub fn sides(done: &Reconciliation) -> Vec<Side> {
    let log = &done.sides.log;
    let path = |path: &Option<std::path::PathBuf>, option: &str| match path {
        Some(path) => path.display().to_string(),
        None => format!("absent: {option}"),
    };
    let of = |source: Source| {
        let sum = done.compared.totals.segments.values();
        let sum = sum
            .filter_map(|sums| sums.get(&source))
            .fold(Sum::default(), |sum, other| sum.plus(*other));
        let (as_of, position, note) = match source {
            Source::Log => (Some(log.at), Some(log.position), String::new()),
            Source::DropCopy => {
                let last = log.reach.values().max_by_key(|reach| reach.last);
                let note = match last {
                    Some(_) => String::new(),
                    None => "absent: it told nothing of this day".to_owned(),
                };
                (
                    last.map(|last| last.last_at),
                    last.map(|last| last.last),
                    note,
                )
            }
            Source::Ledger => {
                let ledger = done.sides.ledger.as_ref();
                let mut note = path(&done.ledger_path, "say where it is with --ledger");
                for (first, last) in ledger.iter().flat_map(|ledger| &ledger.lost) {
                    note.push_str(&format!(
                        "; it says that a crash lost its facts {first} to {last}"
                    ));
                }
                for (kind, lines) in ledger.iter().flat_map(|ledger| &ledger.passed_over) {
                    note.push_str(&format!(
                        "; {lines} lines of the unknown kind `{kind}`, about no trade"
                    ));
                }
                (ledger.and_then(|ledger| ledger.last_at), None, note)
            }
            Source::TradesFile => {
                let rows = done.sides.trades_file.iter().flatten();
                let last = rows.filter_map(|told| told.at).max();
                (last, None, path(&done.trades_path, "give it with --trades"))
            }
            Source::ReadModel => match &done.sides.read_model {
                Some(ReadModel::At(_)) => (None, Some(log.position), String::new()),
                Some(ReadModel::Behind { position, .. }) => (
                    None,
                    Some(*position),
                    "behind the log: not compared".to_owned(),
                ),
                None => {
                    let why = done.read_model_failed.as_ref();
                    let note = why.map_or("absent".to_owned(), |why| format!("absent: {why}"));
                    (None, None, note)
                }
            },
            Source::PositionsFile => (
                None,
                None,
                path(&done.positions_path, "give it with --positions"),
            ),
        };
        Side {
            source,
            there: done.is_there(source),
            as_of,
            position,
            note,
            sum,
        }
    };
    Source::ALL.iter().map(|source| of(*source)).collect()
}

/// The sides with trades that speak for this venue; those that speak for every venue of the day when `None`.
pub fn with_trades(done: &Reconciliation, venue: Option<Venue>) -> Vec<Source> {
    let traded: BTreeSet<Venue> = match venue {
        Some(venue) => [venue].into(),
        None => {
            let segments = done.compared.totals.segments.keys();
            segments.map(|(venue, _)| *venue).collect()
        }
    };
    let has_trades = |source: &&Source| match source {
        Source::Log
        | Source::DropCopy
        | Source::Ledger
        | Source::TradesFile
        | Source::ReadModel => {
            done.is_there(**source) && done.venues(**source).is_superset(&traded)
        }
        Source::PositionsFile => false,
    };
    Source::ALL.iter().filter(has_trades).copied().collect()
}

pub fn sum_of(sums: &Sums, source: Source) -> Sum {
    sums.get(&source).copied().unwrap_or_default()
}
