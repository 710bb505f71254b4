//! How long a day of a million executions takes to reconcile: log, ledger, trade file and Postgres, and how much memory at most.

use crate::desk::fill;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use squareoff_domain::Timestamp;
use squareoff_projections::testing::TestDatabase;
use squareoff_projections::{RebuildOptions, SwapWhen, rebuild};
use squareoff_reconcile::read::{Scope, log};
use squareoff_reconcile::reconcile::CATCH_UP_MAX;
use squareoff_reconcile::sides::Log;
use squareoff_reconcile::{Asked, Verdict, reconcile};
use squareoff_store::EventStore;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Orders of each position, with two fills each: 1,008,000 executions in 3,032,000 events.
const ROUNDS: usize = 63;
const RUNS: usize = 3;

/// Prints a JSON line. `args`: rounds of orders, runs (defaults: 63, 3).
pub fn run(args: &[String]) -> Result<()> {
    let number =
        |index: usize, default: usize| args.get(index).map_or(Ok(default), |arg| arg.parse());
    let rounds = number(0, ROUNDS).context("rounds of orders")?;
    let runs = number(1, RUNS).context("number of runs")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let folder = tempfile::tempdir_in(".")?;
    let store = EventStore::open(&folder.path().join("log"))?;
    runtime.block_on(async {
        fill(&store, rounds).await?;
        let scope = Scope {
            date: "2026-11-20".parse()?,
            venue: None,
        };
        let (ledger, trades) = (folder.path().join("ledger.jsonl"), folder.path().join("trades.csv"));
        let (events, executions) = {
            let day = log::log(&store, scope, store.head().await?).await?;
            write_files(&day, &ledger, &trades)?;
            (day.events, day.trades.len())
        };
        let test = TestDatabase::start().await?;
        let options = RebuildOptions::new(SwapWhen::Equal);
        rebuild(&store, &test.database(), options, |_| {}).await?;
        let (mut took, mut peak) = (vec![], 0);
        let each = parts(&store, scope, &ledger, &trades).await?;
        for _ in 0..runs {
            forget_peak()?;
            let began = Instant::now();
            let asked = Asked {
                scope,
                ledger: Some(ledger.clone()),
                trades_file: Some(trades.clone()),
                positions_file: None,
                read_model: Ok(test.database().pool(2)),
                required: [].into(),
                now: Timestamp(1_795_000_000_000_000_000),
                end_of_day: false,
                settle: Some(Duration::ZERO),
                catch_up: CATCH_UP_MAX,
            };
            let done = reconcile(&store, asked).await?;
            took.push(began.elapsed());
            peak = peak.max(peak_mib()?);
            ensure!(done.verdict() == Verdict::Equal, "{:?}", done.compared.breaks.first());
        }
        took.sort_unstable();
        let median = took.get(took.len() / 2).map(Duration::as_secs_f64);
        println!(
            "{}",
            json!({
                "bench": "reconcile", "executions": executions, "events": events, "sides": 4, "runs": runs,
                "seconds": median, "peak_mib": peak, "parts": each,
            })
        );
        Ok(())
    })
}

/// How long each reading takes alone.
async fn parts(
    store: &EventStore,
    scope: Scope,
    ledger: &Path,
    trades: &Path,
) -> Result<serde_json::Value> {
    let seconds = |began: Instant| (began.elapsed().as_secs_f64() * 100.0).round() / 100.0;
    let began = Instant::now();
    log::log(store, scope, store.head().await?).await?;
    let log_s = seconds(began);
    let began = Instant::now();
    squareoff_reconcile::read::ledger::ledger(ledger, scope)?;
    let ledger_s = seconds(began);
    let began = Instant::now();
    squareoff_reconcile::read::files::trades(trades, scope)?;
    Ok(json!({ "log_s": log_s, "ledger_s": ledger_s, "trades_file_s": seconds(began) }))
}

/// What a venue would have written of these trades.
fn write_files(day: &Log, ledger: &Path, trades: &Path) -> Result<()> {
    let mut lines = BufWriter::new(File::create(ledger)?);
    let mut rows = BufWriter::new(File::create(trades)?);
    writeln!(
        rows,
        "trading_date,venue,account,symbol,side,quantity,price,exec_id,cl_ord_id,traded_at"
    )?;
    let mut numbers = std::collections::HashMap::new();
    for (place, booked) in day.trades.iter().enumerate() {
        let (told, terms) = (&booked.told, booked.told.terms);
        let id = told.execution.as_str().rsplit_once('|').context("a key")?.1;
        let (account, symbol) = (told.account.as_deref(), told.symbol.as_deref());
        let (account, symbol) = (account.context("a client")?, symbol.context("a symbol")?);
        let order = told.order.as_deref().context("an order")?;
        let next = numbers.len() + 1;
        let number = *numbers.entry(order).or_insert(next);
        let line = json!({
            "ordinal": place + 1, "fact": "executed", "exec_id": id, "venue": "NSE", "session": "NSE:SQUAREOFF", "generation": 1,
            "msg_seq_num": place + 1, "completes": true, "trade_date": "2026-11-20", "transact_time": "20261120-09:15:01.250",
            "order": number, "order_id": format!("NSE-O{number}"), "cl_ord_id": order, "account": account, "symbol": symbol,
            "side": terms.side.as_str().to_lowercase(), "time_in_force": "day", "quantity_units": terms.quantity.units(),
            "price_e4": terms.price.0, "leaves_units": 0, "cum_units": terms.quantity.units(), "notional_e4": terms.value().0,
            "last_units": terms.quantity.units(), "last_price_e4": terms.price.0,
        });
        writeln!(lines, "{line}")?;
        let (side, quantity, price) = (terms.side, terms.quantity, terms.price);
        writeln!(
            rows,
            "2026-11-20,NSE,{account},{symbol},{side},{quantity},{price},{id},{order},2026-11-20T14:45:01+05:30"
        )?;
    }
    Ok(lines.flush().and_then(|()| rows.flush())?)
}

/// Lets the kernel measure the peak of this process anew.
fn forget_peak() -> Result<()> {
    Ok(fs::write("/proc/self/clear_refs", "5")?)
}

fn peak_mib() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.context("the kernel tells the peak")?.trim();
    let kib: u64 = kib.trim_end_matches(" kB").parse()?;
    Ok(kib / 1_024)
}
