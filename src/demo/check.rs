//! The proof: the reconciliation of the day must find nothing, and beyond what it looks for, nothing may be open, taken back or turned
//! around: this run had no reason to.

use anyhow::Result;
use squareoff_domain::Timestamp;
use squareoff_projections::Database;
use squareoff_reconcile::read::Scope;
use squareoff_reconcile::reconcile::CATCH_UP_MAX;
use squareoff_reconcile::sides::Log;
use squareoff_reconcile::{Asked, Break, Kind, Source, Verdict, reconcile};
use squareoff_store::EventStore;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Connections to the read database: one listens for the position, one reads.
const CONNECTIONS: u32 = 2;
/// The drop copy comes over a connection of its own, which may have been cut a moment ago.
const DROP_COPY_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(200);
/// Differences that are named.
const NAMED_MAX: usize = 10;

pub struct Checked {
    pub orders: usize,
    pub fills: usize,
    pub differences: Vec<String>,
}

/// Reconciles the day of `scope`; `ledger` is the exchange's file. The drop copy is waited for.
///
/// # Errors
/// When one of the sides cannot be read.
pub async fn check(
    store: &EventStore,
    database: &Database,
    ledger: &Path,
    scope: Scope,
    now: Timestamp,
) -> Result<Checked> {
    let asked = Asked {
        scope,
        ledger: Some(ledger.to_owned()),
        trades_file: None,
        positions_file: None,
        read_model: Ok(database.pool(CONNECTIONS)),
        required: [Source::Ledger, Source::ReadModel].into(),
        now,
        end_of_day: true,
        settle: None,
        catch_up: CATCH_UP_MAX,
    };
    let begun = Instant::now();
    let mut done = reconcile(store, asked.clone()).await?;
    while only_the_drop_copy_is_behind(&done.compared.breaks) && begun.elapsed() < DROP_COPY_MAX {
        tokio::time::sleep(POLL).await;
        done = reconcile(store, asked.clone()).await?;
    }
    let log = &done.sides.log;
    let breaks = &done.compared.breaks;
    let mut differences: Vec<String> = breaks.iter().take(NAMED_MAX).map(said).collect();
    if breaks.len() > NAMED_MAX {
        differences.push(format!("{} more breaks", breaks.len() - NAMED_MAX));
    }
    if let Verdict::Incomplete(why) = done.verdict() {
        differences.extend(why);
    }
    differences.extend(unflawed(log));
    if log.trades.is_empty() {
        differences.push(format!("nothing was executed in {} events", log.events));
    }
    Ok(Checked {
        orders: log.orders.len(),
        fills: log.trades.len(),
        differences,
    })
}

fn only_the_drop_copy_is_behind(breaks: &[Break]) -> bool {
    let of_the_copy = |found: &Break| found.kind == Kind::MissingInDropCopy;
    !breaks.is_empty() && breaks.iter().all(of_the_copy)
}

/// What a reconciliation may find in order, and a run without a flaw has none of.
fn unflawed(log: &Log) -> Vec<String> {
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    let mut say = |what: &str| *found.entry(what.to_owned()).or_default() += 1;
    for held in &log.positions {
        if held.net.0 != 0 {
            say("positions are not flat");
        }
        if held.net.0.signum() * held.bod.0.signum() < 0 {
            say("positions were closed beyond flat");
        }
        if held.frozen {
            say("positions are frozen");
        }
    }
    for booked in &log.trades {
        if booked.told.busted {
            say("trades were taken back");
        }
    }
    for _ in &log.suspended {
        say("reports are or were in suspense");
    }
    found
        .into_iter()
        .map(|(what, count)| format!("{count} {what}"))
        .collect()
}

fn said(found: &Break) -> String {
    let about = found.execution.as_deref().or(found.stream.as_deref());
    let says: Vec<_> = found
        .says
        .iter()
        .map(|(source, text)| format!("{source} has {text}"))
        .collect();
    format!(
        "{} ({} rupees) {}: {}",
        found.kind,
        found.money,
        about.or(found.order.as_deref()).unwrap_or_default(),
        says.join(", ")
    )
}
