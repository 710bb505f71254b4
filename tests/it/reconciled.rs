//! A reconciliation of a real day: a running platform, its own exchange's ledger, a real Postgres. First all agree, also beside the
//! running platform; then one side after the other is changed behind the platform's back, and each change is found and named.

use crate::commands::{refused, said, squareoff};
use crate::up::Up;
use serde_json::{Value, json};
use squareoff::demo::free_port;
use squareoff_projections::testing::TestDatabase;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Guard against hanging; nothing waits for it on purpose.
const PATIENCE: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(50);
/// Positions that are squared off.
const CLOSED: usize = 12;

/// What the command said, and its exit status.
struct Day<'a> {
    folder: &'a Path,
    url: String,
}

impl Day<'_> {
    fn run(&self, arguments: &[&str]) -> Output {
        let all = [&["reconcile", "--settle", "0"], arguments].concat();
        squareoff(self.folder, &all, &[("DATABASE_URL", &self.url)])
    }

    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.run(&[&["--json"], arguments].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {errors}"));
        (output.status.code().unwrap(), report)
    }

    /// The kinds of breaks and the executions they are about, of a run that finds some.
    fn breaks(&self, arguments: &[&str]) -> Vec<(String, String)> {
        let (status, report) = self.json(arguments);
        let breaks = report["breaks"].as_array().unwrap();
        assert_eq!(status, i32::from(!breaks.is_empty()), "{report:#}");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let about = |found: &Value| (text(&found["kind"]), text(&found["execution_key"]));
        breaks.iter().map(about).collect()
    }
}

/// The facts of a ledger that are executions, as lines.
fn executions(ledger: &str) -> Vec<(usize, Value)> {
    let facts = ledger
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let facts = facts
        .enumerate()
        .filter(|(_, fact): &(usize, Value)| fact["fact"] == "executed");
    facts.collect()
}

fn key(fact: &Value) -> String {
    let text = |field: &str| fact[field].as_str().unwrap().to_owned();
    format!(
        "{}|{}|{}",
        text("venue"),
        text("trade_date"),
        text("exec_id")
    )
}

/// The trades of a ledger, and those that the primary told, as a venue's end-of-day file.
fn trade_file(ledger: &str, primary: &str) -> String {
    let mut text =
        "trading_date,venue,account,symbol,side,quantity,price,exec_id,cl_ord_id,traded_at\n"
            .to_owned();
    for (_, fact) in executions(ledger) {
        let word = |field: &str| fact[field].as_str().unwrap().to_owned();
        let price = fact["last_price_e4"].as_i64().unwrap();
        let price = format!("{}.{:04}", price / 10_000, price % 10_000);
        let at = word("transact_time");
        let at = format!("{}-{}-{}T{}Z", &at[..4], &at[4..6], &at[6..8], &at[9..]);
        text.push_str(&format!(
            "{},{},{},{},{},{},{price},{},{},{at}\n",
            word("trade_date"),
            word("venue"),
            word("account"),
            word("symbol"),
            word("side").to_uppercase(),
            fact["last_units"],
            word("exec_id"),
            word("cl_ord_id")
        ));
    }
    // trading_date,client_code,venue,symbol,product,side,quantity,price,exec_id,traded_at
    for line in primary.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        text.push_str(&format!(
            "{},{},{},{},{},{},{},{},,{}\n",
            cells[0],
            cells[2],
            cells[1],
            cells[3],
            cells[5],
            cells[6],
            cells[7],
            cells[8],
            cells[9]
        ));
    }
    text
}

async fn square_off(folder: &Path, address: &str) {
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .unwrap();
    let begun = Instant::now();
    let ready = format!("http://{address}/readyz");
    while !http
        .get(&ready)
        .send()
        .await
        .is_ok_and(|answer| answer.status() == 200)
    {
        let output = || fs::read_to_string(folder.join("up.out")).unwrap();
        assert!(begun.elapsed() < PATIENCE, "{}", output());
        tokio::time::sleep(POLL).await;
    }
    let token = said(&squareoff(folder, &["token", "desk-asha"], &[]));
    let book = fs::read_to_string(folder.join("book/positions.csv")).unwrap();
    // The session to the exchange may come up a moment after the API. A position that was closed already is not accepted again.
    let mut accepted = std::collections::BTreeSet::new();
    while begun.elapsed() < PATIENCE {
        for (place, line) in book.lines().skip(1).enumerate() {
            let cells: Vec<&str> = line.split(',').collect();
            let body = json!({
                "client_code": cells[1], "venue": cells[2], "symbol": cells[3], "product": cells[4], "quantity": "all",
            });
            let request = http
                .post(format!("http://{address}/v1/square-offs"))
                .bearer_auth(token.trim())
                .header("Idempotency-Key", place.to_string())
                .json(&body);
            if request.send().await.unwrap().status() == 202 {
                accepted.insert(place);
            }
            if accepted.len() == CLOSED {
                return;
            }
        }
        tokio::time::sleep(POLL).await;
    }
    panic!("only {} positions could be squared off", accepted.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_change_behind_the_platforms_back_is_found_and_named() {
    let test = TestDatabase::start().await.unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let day = Day {
        folder,
        url: test.url(),
    };
    let address = free_port().unwrap();
    let settings = [
        ("DATABASE_URL", day.url.as_str()),
        ("SQUAREOFF_SAMPLE_CLIENTS", "8"),
        ("SQUAREOFF_SAMPLE_POSITIONS", "40"),
        ("SQUAREOFF_SAMPLE_ORDERS", "2"),
        ("SQUAREOFF_CALLER_VERIFICATION", "off"),
        // It would tell of what the venue's list is to lack.
        ("SQUAREOFF_DROP_COPY_COMP_ID", "none"),
    ];
    let up = Up::start(folder, &address, &settings);
    square_off(folder, &address).await;
    // Beside the running platform, until the last fill has come to everybody.
    let begun = Instant::now();
    let pool = test.database().pool(1);
    loop {
        let (status, report) = day.json(&[]);
        // Each fills whole, in pieces: more trades than orders do not say that the last order has got its own.
        let working = "SELECT count(*) FROM orders WHERE origin = 'ours' AND working";
        let working: i64 = sqlx::query_scalar(working).fetch_one(&pool).await.unwrap();
        let trades = report["sources"][2]["total"]["trades"].as_u64().unwrap();
        if status == 0 && working == 0 && trades >= CLOSED as u64 {
            assert_eq!(report["before_reach"], 2, "{report:#}");
            assert_eq!(report["sources"][1]["present"], false, "{report:#}");
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{report:#}");
        tokio::time::sleep(POLL).await;
    }
    up.stop();
    // The last words of the parts came behind the projections': let Postgres show them too.
    let projections = Command::new(env!("CARGO_BIN_EXE_squareoff"))
        .arg("projections")
        .env("DATABASE_URL", &day.url)
        .env("SQUAREOFF_DATA", folder)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let projections = Up(projections);

    let ledger_path = folder.join("exchange/ledger.jsonl");
    let ledger = fs::read_to_string(&ledger_path).unwrap();
    let executed = executions(&ledger);
    // Of the venue that traded most: without its only trade the ledger would say nothing of a venue, which is another verdict.
    let at_venue = |venue: &Value| {
        executed
            .iter()
            .filter(|(_, fact)| fact["venue"] == *venue)
            .count()
    };
    let busiest = executed
        .iter()
        .max_by_key(|(_, fact)| at_venue(&fact["venue"]));
    let busiest = &busiest.unwrap().1["venue"];
    let of_it = executed
        .iter()
        .rev()
        .find(|(_, fact)| fact["venue"] == *busiest);
    let (last_line, last) = of_it.unwrap();
    let first_at = executed
        .iter()
        .position(|(_, fact)| fact["venue"] == *busiest)
        .unwrap();
    let (_, first) = &executed[first_at];
    // The file has a line of names before them.
    let row = first_at + 1;
    let primary = fs::read_to_string(folder.join("book/trades.csv")).unwrap();
    let trades = trade_file(&ledger, &primary);
    let write = |name: &str, text: &str| -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let trades_path = write("trades-of-the-day.csv", &trades);
    let with_trades = ["--trades", trades_path.to_str().unwrap()];
    assert_eq!(day.breaks(&with_trades), []);

    // A line of the ledger is taken out, then its tail is lost, then a line is changed.
    let lines: Vec<&str> = ledger.lines().collect();
    let without = [&lines[..*last_line], &lines[last_line + 1..]]
        .concat()
        .join("\n")
        + "\n";
    let copy = write("without.jsonl", &without);
    let copy = ["--ledger", copy.to_str().unwrap()];
    let missing = ("missing-at-venue".to_owned(), key(last));
    let found = day.breaks(&copy);
    assert!(found.contains(&missing), "{found:?}");
    let lost = lines[..*last_line].join("\n") + "\n";
    let lost = write("lost.jsonl", &lost);
    let found = day.breaks(&["--ledger", lost.to_str().unwrap()]);
    assert!(found.contains(&missing), "{found:?}");
    let mut changed = last.clone();
    changed["last_units"] = json!(changed["last_units"].as_u64().unwrap() + 1);
    let changed = changed.to_string();
    let changed = [
        &lines[..*last_line],
        &[changed.as_str()],
        &lines[last_line + 1..],
    ]
    .concat();
    let changed = write("changed.jsonl", &(changed.join("\n") + "\n"));
    let found = day.breaks(&["--ledger", changed.to_str().unwrap()]);
    assert_eq!(found, [("quantity-differs".to_owned(), key(last))]);

    // A trade is changed in the file, one is left out, one is there twice.
    let rows: Vec<&str> = trades.lines().collect();
    let mut cells: Vec<String> = rows[row].split(',').map(str::to_owned).collect();
    cells[6] = "0.05".to_owned();
    let dearer = [&rows[..row], &[cells.join(",").as_str()], &rows[row + 1..]]
        .concat()
        .join("\n");
    let dearer = write("dearer.csv", &dearer);
    let found = day.breaks(&["--trades", dearer.to_str().unwrap()]);
    assert_eq!(found, [("price-differs".to_owned(), key(first))]);
    let fewer = write(
        "fewer.csv",
        &[&rows[..row], &rows[row + 1..]].concat().join("\n"),
    );
    let found = day.breaks(&["--trades", fewer.to_str().unwrap()]);
    assert_eq!(found, [("missing-at-venue".to_owned(), key(first))]);
    let twice = write(
        "twice.csv",
        &[&rows[..], &rows[row..=row]].concat().join("\n"),
    );
    let output = day.run(&["--trades", twice.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("column exec_id"));
    assert!(refused(&output).contains("1 mistake in the files"));

    // Postgres is changed by hand.
    let alter = async |sql: &'static str| {
        let done = sqlx::query(sql)
            .bind(key(first))
            .execute(&pool)
            .await
            .unwrap();
        assert_eq!(done.rows_affected(), 1, "{sql}");
    };
    alter("UPDATE trades SET price = price + 1 WHERE execution_key = $1").await;
    let differs = [("read-model-differs".to_owned(), key(first))];
    assert_eq!(day.breaks(&with_trades), differs);
    alter("UPDATE trades SET price = price - 1 WHERE execution_key = $1").await;
    assert_eq!(day.breaks(&with_trades), []);

    // The broker's books end the day with other positions.
    let report = day.json(&[]).1;
    let book = fs::read_to_string(folder.join("book/positions.csv")).unwrap();
    let closing = write("closing.csv", &book);
    let found = day.breaks(&["--positions", closing.to_str().unwrap()]);
    // Orders that rest have closed nothing yet.
    let traded: BTreeSet<_> = executed
        .iter()
        .map(|(_, fact)| (fact["account"].to_string(), fact["symbol"].to_string()))
        .collect();
    assert!(found.len() >= traded.len(), "{found:?}");
    assert!(
        found.iter().all(|(kind, _)| kind == "position-differs"),
        "{found:?}"
    );

    // Dated reports, the same again in their place.
    let out = folder.join("reports");
    for _ in 0..2 {
        let output = day.run(&["--out", out.to_str().unwrap()]);
        assert!(
            said(&output).contains("is equal: the log, the exchange's ledger and Postgres agree")
        );
    }
    let mut names: Vec<_> = fs::read_dir(&out)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let date = report["date"].as_str().unwrap();
    assert_eq!(
        names,
        ["csv", "json", "txt"].map(|end| format!("reconciliation-{date}.{end}"))
    );

    projections.stop();
    // The venue's own list lacks a trade: the drop copy passes over it. The projections are not there to follow.
    said(&squareoff(
        folder,
        &[
            "book",
            "drop-copy",
            folder.join("fewer.csv").to_str().unwrap(),
        ],
        &[],
    ));
    let found = day.breaks(&["--wait", "0"]);
    assert!(
        found.contains(&("read-model-behind".to_owned(), String::new())),
        "{found:?}"
    );
    assert!(
        found.contains(&("missing-in-drop-copy".to_owned(), key(first))),
        "{found:?}"
    );
    assert_eq!(found.len(), 2, "{found:?}");

    // What can't be compared is no verdict on the day.
    for arguments in [
        // The projections still are not there: nobody need wait for them.
        &["--date", "2001-01-01", "--wait", "0"][..],
        &["--ledger", "nowhere.jsonl"],
        &[
            "--require",
            "positions-file",
            "--wait",
            "0",
            "--venue",
            "MCX",
        ],
        &["--require", "everything"],
    ] {
        let output = day.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
