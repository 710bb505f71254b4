//! Events a second that an auditor verifies: a whole export from files to verdict, on every core.

use anyhow::{Result, ensure};
use serde_json::json;
use squareoff_auditor::tlog::{Checkpoint, Hash, KeyKind, Signer, Tile, TileLog, leaf_hash};
use squareoff_auditor::verify::{
    Entries, FORMAT, Fields, FileHash, Head, Manifest, Positions, Trust, Verdict, line,
    verify_export,
};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

const ORIGIN: &str = "squareoff.example/bench";
/// Streams of the log; each event extends its stream's chain.
const STREAMS: u64 = 100_000;

/// `verify [events runs]`.
pub fn run(arguments: &[String]) -> Result<()> {
    let number =
        |at: usize, default: u64| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let (events, runs) = (number(0, 1_000_000)?, number(1, 5)?);
    let folder = tempfile::tempdir()?;
    let log = Signer::from_seed(ORIGIN, KeyKind::Ed25519, &[1; 32])?;
    let bytes = export(folder.path(), events, &log)?;
    let trust = Trust {
        log: log.public().clone(),
        witnesses: Vec::new(),
    };
    let mut rates = Vec::new();
    for _ in 0..runs {
        let start = Instant::now();
        let report = verify_export(folder.path(), &trust, &[])?;
        ensure!(report.verdict == Verdict::Intact, "{:?}", report.verdict);
        rates.push(events as f64 / start.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    println!(
        "{}",
        json!({
            "verify": events,
            "bytes_per_line": bytes / events,
            "events_per_s": rates[rates.len() / 2].round(),
            "worst": rates[0].round(),
            "runs": runs,
        })
    );
    Ok(())
}

/// Writes a whole export of made-up events; gives the bytes of its lines.
fn export(folder: &Path, events: u64, log: &Signer) -> Result<u64> {
    let mut tiles = TileLog::open(folder)?;
    let mut last: Vec<(u64, Hash)> = vec![(0, [0; 32]); STREAMS as usize];
    let mut lines = Vec::new();
    let mut entry = Vec::new();
    for index in 0..events {
        let of = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) % STREAMS;
        let (version, previous) = last[of as usize];
        let mut id = [7; 16];
        id[8..].copy_from_slice(&index.to_be_bytes());
        let body = format!(
            r#"{{"quantity":{index},"price":1234500,"venue":"NSE","product":"MIS","evidence":"{}"}}"#,
            "x".repeat(200)
        );
        entry.clear();
        let fields = Fields {
            stream: &format!("position-2026-11-21-CL{of:06}-NSE:INFY-MIS"),
            version: version + 1,
            id,
            event_type: "SquareOffAccepted",
            schema_version: 1,
            occurred_at: 1_795_341_600_000_000_000,
            recorded_at: 1_795_341_600_000_000_000,
            actor: "asha",
            request_id: id,
            correlation_id: id,
            trace_id: None,
            epoch: 1,
            previous,
            body: body.as_bytes(),
        };
        fields.encode(&mut entry);
        let leaf = leaf_hash(&entry);
        last[of as usize] = (version + 1, leaf);
        tiles.append(leaf);
        line::write(index, index + 1, None, &entry, &mut lines);
    }
    tiles.write_tiles()?;
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: tiles.size(),
        root: tiles.root(),
    };
    tiles.commit(&checkpoint.sign(log).to_string())?;
    fs::write(folder.join("entries.jsonl"), &lines)?;
    let mut files = BTreeMap::new();
    let tiles = Tile::all(events).map(|tile| tile.path());
    for name in tiles.chain(["checkpoint".to_owned(), "entries.jsonl".to_owned()]) {
        files.insert(name.clone(), FileHash::of(&fs::read(folder.join(&name))?));
    }
    let text = checkpoint.text();
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        made_at: String::new(),
        origin: ORIGIN.to_owned(),
        log_key: log.public().to_string(),
        witness_keys: Vec::new(),
        checkpoint: Head {
            size: events,
            root: text.lines().nth(2).unwrap_or_default().to_owned(),
        },
        filter: None,
        positions: Positions::Dense,
        entries: Entries {
            count: events,
            ranges: vec![(0, events)],
        },
        unsealed: 0,
        files,
    };
    let (bytes, sum) = manifest.files();
    fs::write(folder.join("manifest.json"), bytes)?;
    fs::write(folder.join("manifest.sha256"), sum)?;
    Ok(lines.len() as u64)
}
